package shell

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"
)

// statements runs a list until it is told to stop.
func (s *Shell) statements(list []*syntax.Stmt, io streams) {
	for _, st := range list {
		if s.ctl != goOn || s.stop != nil {
			return
		}
		s.statement(st, io)
	}
}

func (s *Shell) statement(st *syntax.Stmt, io streams) {
	if !s.step() {
		return
	}
	if st.Background {
		s.background(st, io)
		return
	}
	inner, ok := s.redirect(st.Redirs, io)
	if !ok {
		s.status = 1
		return
	}
	if st.Cmd != nil {
		s.command(st.Cmd, inner)
	} else {
		s.status = 0
	}
	if st.Negated {
		s.status = map[bool]int{true: 1, false: 0}[s.status == 0]
	} else if s.errexit && s.status != 0 && s.ctl == goOn && s.loops == 0 {
		if _, call := st.Cmd.(*syntax.CallExpr); call && s.depth > 0 {
			s.ctl = exiting
		}
	}
}

// background runs a statement at once, in a subshell that waits for nothing and may do little.
func (s *Shell) background(st *syntax.Stmt, io streams) {
	c := s.sub()
	own := *s.shared
	c.shared, c.back = &own, true
	own.steps, own.stop = max(s.steps, maxSteps-maxBackground), nil
	io.in = strings.NewReader("")
	if c.enter() {
		front := *st
		front.Background = false
		c.statement(&front, io)
	}
	s.steps += min(max(own.steps-maxSteps+maxBackground, 0), maxBackground)
	s.nextPID = own.nextPID
	pid := s.newPID()
	s.vars["!"] = expand.Variable{Set: true, Kind: expand.String, Str: fmt.Sprint(pid)}
	if s.cfg.Terminal && s.depth == 0 {
		fmt.Fprintf(io.err, "[1] %d\n", pid)
	}
	s.status = 0
}

func (s *Shell) command(cmd syntax.Command, io streams) {
	switch c := cmd.(type) {
	case *syntax.CallExpr:
		s.call(c, io)
	case *syntax.Block:
		s.statements(c.Stmts, io)
	case *syntax.Subshell:
		if s.enter() {
			b := s.sub()
			b.statements(c.Stmts, io)
			s.status = b.status
			s.leave()
		}
	case *syntax.BinaryCmd:
		s.binary(c, io)
	case *syntax.IfClause:
		s.ifClause(c, io)
	case *syntax.WhileClause:
		s.loop(func() bool {
			s.statements(c.Cond, io)
			return (s.status == 0) != c.Until
		}, func() {}, c.Do, io)
	case *syntax.ForClause:
		s.forClause(c, io)
	case *syntax.CaseClause:
		s.caseClause(c, io)
	case *syntax.FuncDecl:
		if len(s.funcs) < maxFunctions {
			s.funcs[c.Name.Value] = c.Body
		}
		s.status = 0
	case *syntax.ArithmCmd:
		n, err := expand.Arithm(s.config(io), c.X)
		s.truth(n != 0, err, io)
	case *syntax.LetClause:
		for _, x := range c.Exprs {
			n, err := expand.Arithm(s.config(io), x)
			s.truth(n != 0, err, io)
		}
	case *syntax.TestClause:
		ok, err := s.test(c.X, io)
		s.truth(ok, err, io)
	case *syntax.DeclClause:
		s.declare(c, io)
	case *syntax.TimeClause:
		if c.Stmt != nil {
			s.statement(c.Stmt, io)
		}
		fmt.Fprint(io.err, "\nreal\t0m0.003s\nuser\t0m0.002s\nsys\t0m0.001s\n")
	case *syntax.CoprocClause:
		s.background(c.Stmt, io)
	default:
		fmt.Fprintln(io.err, "-bash: syntax error")
		s.status = 2
	}
}

func (s *Shell) truth(ok bool, err error, io streams) {
	s.status = 1
	if err != nil {
		s.complain(err, io)
	} else if ok {
		s.status = 0
	}
}

func (s *Shell) complain(err error, io streams) {
	fmt.Fprintf(io.err, "-bash: %s\n", cut(err.Error(), 200))
}

func (s *Shell) binary(c *syntax.BinaryCmd, io streams) {
	switch c.Op {
	case syntax.AndStmt, syntax.OrStmt:
		s.loops++ // set -e lets what is asked about fail
		s.statement(c.X, io)
		s.loops--
		if s.ctl == goOn && s.stop == nil && (s.status == 0) == (c.Op == syntax.AndStmt) {
			s.statement(c.Y, io)
		}
	default:
		s.pipe(c, io)
	}
}

// pipe runs the left side whole, then the right one on what it printed.
func (s *Shell) pipe(c *syntax.BinaryCmd, io streams) {
	held := &buffer{limit: maxPipe, over: func() {}}
	left := io
	left.out = held
	if c.Op == syntax.PipeAll {
		left.err = held
	}
	a := s.sub()
	a.statement(c.X, left)
	if s.stop != nil {
		return
	}
	io.in = bytes.NewReader(held.b.Bytes())
	b := s.sub()
	b.statement(c.Y, io)
	s.status = b.status
}

// buffer holds what a program prints, up to a limit. A program that goes on beyond it is told that nobody reads any more.
type buffer struct {
	b     bytes.Buffer
	limit int
	over  func()
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	if b.b.Len()+len(p) > b.limit {
		b.b.Write(p[:max(b.limit-b.b.Len(), 0)])
		b.over()
		return 0, errPipe
	}
	return b.b.Write(p)
}

func (s *Shell) ifClause(c *syntax.IfClause, io streams) {
	for c != nil {
		if len(c.Cond) > 0 {
			s.loops++
			s.statements(c.Cond, io)
			s.loops--
			if s.ctl != goOn || s.stop != nil {
				return
			}
		}
		if len(c.Cond) == 0 || s.status == 0 {
			s.status = 0
			s.statements(c.Then, io)
			return
		}
		s.status = 0
		c = c.Else
	}
}

// loop runs the body while more says so.
func (s *Shell) loop(more func() bool, after func(), body []*syntax.Stmt, io streams) {
	s.loops++
	defer func() { s.loops-- }()
	status := 0
	for s.step() && more() && s.stop == nil && s.ctl == goOn {
		s.statements(body, io)
		status = s.status
		if s.ctl == breaking || s.ctl == continuing {
			if s.turns--; s.turns > 0 {
				return
			}
			was := s.ctl
			s.ctl = goOn
			if was == breaking {
				break
			}
		}
		if s.ctl != goOn {
			return
		}
		after()
	}
	s.status = status
}

func (s *Shell) forClause(c *syntax.ForClause, io streams) {
	switch l := c.Loop.(type) {
	case *syntax.WordIter:
		items := s.params
		if l.InPos.IsValid() {
			var err error
			if items, err = s.fields(io, l.Items...); err != nil {
				s.complain(err, io)
				s.status = 1
				return
			}
		}
		i := 0
		s.loop(func() bool {
			if i >= len(items) {
				return false
			}
			s.assign(l.Name.Value, items[i])
			i++
			return true
		}, func() {}, c.Do, io)
	case *syntax.CStyleLoop:
		value := func(x syntax.ArithmExpr) int {
			if x == nil {
				return 1
			}
			n, err := expand.Arithm(s.config(io), x)
			if err != nil {
				s.complain(err, io)
				return 0
			}
			return n
		}
		value(l.Init)
		s.loop(func() bool { return value(l.Cond) != 0 }, func() { value(l.Post) }, c.Do, io)
	}
}

func (s *Shell) caseClause(c *syntax.CaseClause, io streams) {
	word, err := s.literal(io, c.Word)
	if err != nil {
		s.complain(err, io)
		s.status = 1
		return
	}
	s.status = 0
	through := false
	for _, item := range c.Items {
		hit := through
		for _, p := range item.Patterns {
			if hit = hit || s.matches(io, p, word); hit {
				break
			}
		}
		if !hit {
			continue
		}
		s.statements(item.Stmts, io)
		if item.Op == syntax.Break || s.ctl != goOn || s.stop != nil {
			return
		}
		through = item.Op == syntax.Fallthrough
	}
}

// matches tells whether a text is one a shell pattern describes.
func (s *Shell) matches(io streams, p *syntax.Word, text string) bool {
	if err := s.affordable(p); err != nil {
		return false
	}
	pat, err := expand.Pattern(s.config(io), p)
	if err != nil || len(pat) > maxValue {
		return false
	}
	return globbed(pat, text)
}

func globbed(pat, text string) bool {
	expr, err := pattern.Regexp(pat, pattern.EntireString)
	if err != nil {
		return pat == text
	}
	re, err := compiled(expr)
	return err == nil && re.MatchString(text)
}

// call runs a simple command.
func (s *Shell) call(c *syntax.CallExpr, io streams) {
	args, err := s.fields(io, c.Args...)
	if err != nil {
		s.complain(err, io)
		s.status = 1
		return
	}
	if len(args) == 0 {
		s.status = 0
		for _, a := range c.Assigns {
			s.assignment(a, io)
		}
		return
	}
	if len(c.Assigns) > 0 { // for this command only
		saved := map[string]expand.Variable{}
		for _, a := range c.Assigns {
			saved[a.Name.Value] = s.vars[a.Name.Value]
			s.assignment(a, io)
			v := s.vars[a.Name.Value]
			v.Exported = true
			s.vars[a.Name.Value] = v
		}
		defer func() {
			for name, v := range saved {
				if v.Set {
					s.vars[name] = v
				} else {
					delete(s.vars, name)
				}
			}
		}()
	}
	s.run(args, io)
}

// run finds what a name stands for: a function, a command of ours, a file.
func (s *Shell) run(args []string, io streams) {
	if s.stop != nil {
		return
	}
	name := args[0]
	if body, ok := s.funcs[name]; ok {
		s.function(body, args, io)
		return
	}
	if fn, ok := s.builtins[name]; ok {
		s.cfg.Observer.Ran(args, true)
		s.status = fn(&program{s, args, io})
		return
	}
	s.cfg.Observer.Ran(args, false)
	if !strings.Contains(name, "/") {
		if name = s.which(name); name == "" {
			fmt.Fprintf(io.err, "-bash: %s: command not found\n", printable(args[0]))
			s.status = 127
			return
		}
	}
	s.file(name, args, io)
}

func (s *Shell) function(body *syntax.Stmt, args []string, io streams) {
	if !s.enter() {
		return
	}
	defer s.leave()
	params := s.params
	s.params = args[1:]
	s.locals = append(s.locals, map[string]expand.Variable{})
	loops := s.loops
	s.loops = 0
	s.statement(body, io)
	if s.ctl == returning {
		s.ctl = goOn
	}
	s.params, s.loops = params, loops
	last := len(s.locals) - 1
	for name, v := range s.locals[last] {
		if v.Declared() {
			s.vars[name] = v
		} else {
			delete(s.vars, name)
		}
	}
	s.locals = s.locals[:last]
}

// command is a builtin or a program: it answers a status.
type command func(p *program) int

// program is one run of a command.
type program struct {
	*Shell
	args []string
	io   streams
}

func (p *program) print(format string, args ...any) { fmt.Fprintf(p.io.out, format, args...) }

// fail prints an error as most programs do, and answers 1.
func (p *program) fail(format string, args ...any) int {
	fmt.Fprintf(p.io.err, p.args[0]+": "+format+"\n", args...)
	return 1
}

// readAll reads what is piped in, up to the limit of a pipe.
func (p *program) readAll() []byte {
	b, _ := io.ReadAll(io.LimitReader(p.io.in, maxPipe))
	return b
}

// printable makes foreign text fit to be shown again.
func printable(s string) string { return cut(s, 255) }
