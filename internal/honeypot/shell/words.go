package shell

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

// config is how the expander asks us.
func (s *Shell) config(streams streams) *expand.Config {
	return &expand.Config{
		Env: environ{s},
		CmdSubst: func(w io.Writer, c *syntax.CmdSubst) error {
			if s.back && s.depth > 4 || !s.enter() {
				return errSteps
			}
			defer s.leave()
			held := &buffer{limit: maxValue * 4, over: func() {}}
			b := s.sub()
			inner := streams
			inner.out = held
			// $(<file) is cat's short form.
			if len(c.Stmts) == 1 && c.Stmts[0].Cmd == nil && len(c.Stmts[0].Redirs) == 1 && c.Stmts[0].Redirs[0].Op == syntax.RdrIn {
				if in, ok := b.redirect(c.Stmts[0].Redirs, inner); ok {
					_, _ = io.Copy(held, io.LimitReader(in.in, int64(held.limit)))
				}
			} else {
				b.statements(c.Stmts, inner)
			}
			s.status = b.status
			if s.spend(held.b.Len()); s.stop != nil {
				return s.stop
			}
			_, err := w.Write(held.b.Bytes())
			return err
		},
		ProcSubst: func(*syntax.ProcSubst) (string, error) {
			return "", fmt.Errorf("cannot make pipe for process substitution: Too many open files")
		},
		ReadDir2: func(dir string) ([]fs.DirEntry, error) {
			names, err := s.cfg.FS.ReadDir(s.user(), dir)
			if err != nil {
				return nil, err
			}
			out := make([]fs.DirEntry, 0, len(names))
			for _, n := range names {
				if i, err := s.cfg.FS.Lstat(s.user(), path.Join(dir, n)); err == nil {
					out = append(out, entry{n, i})
				}
			}
			s.steps += len(names) / 16
			return out, nil
		},
	}
}

// spend counts bytes that an expansion reads.
func (s *Shell) spend(n int) {
	if s.expanded += n; s.expanded > maxExpansion && s.stop == nil {
		s.stop = errExpansion
	}
}

// entry is a file in a folder, as the expander wants it.
type entry struct {
	name string
	info memfs.Info
}

func (e entry) Name() string               { return e.name }
func (e entry) IsDir() bool                { return e.info.Mode.IsDir() }
func (e entry) Type() fs.FileMode          { return e.info.Mode.Type() }
func (e entry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

// fields expands words into arguments.
func (s *Shell) fields(io streams, words ...*syntax.Word) ([]string, error) {
	s.expanded = 0
	var out []string
	total := 0
	for _, w := range words {
		if err := s.affordable(w); err != nil {
			return nil, err
		}
		for f, err := range expand.FieldsSeq(s.config(io), w) {
			if err != nil {
				return nil, err
			}
			if total += len(f) + 16; total > maxExpansion || len(out) >= maxWords || s.stop != nil {
				return nil, memfs.ErrTooLong
			}
			out = append(out, f)
		}
	}
	return out, nil
}

// literal expands a word into one text.
func (s *Shell) literal(io streams, w *syntax.Word) (string, error) {
	if w == nil {
		return "", nil
	}
	if err := s.affordable(w); err != nil {
		return "", err
	}
	s.expanded = 0
	return expand.Literal(s.config(io), w)
}

// affordable refuses words whose expansion could grow beyond all bounds before anybody counts: ranges of braces, and replacements of long texts.
func (s *Shell) affordable(w *syntax.Word) error {
	var wrong error
	syntax.Walk(w, func(n syntax.Node) bool {
		switch x := n.(type) {
		case *syntax.Word:
			c := *x
			if syntax.SplitBraces(&c) && braces(&c, 0) > maxWords {
				wrong = memfs.ErrTooLong
			}
		case *syntax.ParamExp:
			if x.Repl != nil && x.Param != nil && len(environ{s}.Get(x.Param.Value).String()) > 64 {
				if with := x.Repl.With; with != nil && (with.Lit() == "" && len(with.Parts) > 0 || len(with.Lit()) > 256) {
					wrong = fmt.Errorf("cannot allocate memory")
				}
			}
		case *syntax.CmdSubst:
			return false // looked at when it is run
		}
		return wrong == nil
	})
	return wrong
}

// braces counts the words that a word with braces becomes, up to one more than allowed.
func braces(w *syntax.Word, depth int) int {
	total := 1
	for _, p := range w.Parts {
		b, ok := p.(*syntax.BraceExp)
		if !ok {
			continue
		}
		n := 0
		if b.Sequence {
			n = sequence(b)
		} else if depth > 8 {
			n = maxWords + 1
		} else {
			for _, e := range b.Elems {
				n = min(n+braces(e, depth+1), maxWords+1)
			}
		}
		total = min(total*max(n, 1), maxWords+1)
	}
	return total
}

func sequence(b *syntax.BraceExp) int {
	bound := func(i int) (int, bool) {
		if i >= len(b.Elems) {
			return 1, true
		}
		t := b.Elems[i].Lit()
		if n, err := strconv.Atoi(t); err == nil {
			return n, n > -1<<40 && n < 1<<40
		}
		if len(t) == 1 {
			return int(t[0]), true
		}
		return 0, false
	}
	from, ok1 := bound(0)
	to, ok2 := bound(1)
	by, ok3 := bound(2)
	if !ok1 || !ok2 || !ok3 {
		return maxWords + 1
	}
	if by < 0 {
		by = -by
	}
	if to < from {
		from, to = to, from
	}
	return min((to-from)/max(by, 1)+1, maxWords+1)
}

// compiled is regexp.Compile with a bound on what is compiled.
func compiled(expr string) (*regexp.Regexp, error) {
	if len(expr) > 4096 {
		return nil, fmt.Errorf("regular expression too big")
	}
	return regexp.Compile(expr)
}

// environ shows the expander the shell's variables.
type environ struct{ s *Shell }

func text(v string) expand.Variable {
	return expand.Variable{Set: true, Kind: expand.String, Str: v}
}

// Get implements expand.Environ.
func (e environ) Get(name string) expand.Variable {
	s := e.s
	switch name {
	case "?":
		return text(strconv.Itoa(s.status))
	case "$", "BASHPID":
		return text(strconv.Itoa(s.pid))
	case "PPID":
		return text(strconv.Itoa(s.pid - 1))
	case "#":
		return text(strconv.Itoa(len(s.params)))
	case "@", "*":
		for _, p := range s.params {
			s.spend(len(p))
		}
		if s.stop != nil {
			return expand.Variable{}
		}
		return expand.Variable{Set: true, Kind: expand.Indexed, List: s.params}
	case "0":
		return text(s.name)
	case "-":
		return text("himBHs")
	case "RANDOM":
		return text(strconv.Itoa(rand.IntN(32768)))
	case "SECONDS":
		return text(strconv.Itoa(int(s.cfg.Now().Sub(s.began).Seconds())))
	case "LINENO":
		return text("1")
	case "UID", "EUID":
		return text(strconv.Itoa(int(s.user().UID)))
	case "HOSTNAME":
		return text(s.cfg.Persona.Hostname)
	}
	if who, ok := strings.CutPrefix(name, "HOME "); ok { // ~user: answered always, or the expander would ask the host
		if a, ok := s.lookup(who); ok {
			return text(a.Home)
		}
		return text("~" + who)
	}
	if n, err := strconv.Atoi(name); err == nil && n > 0 {
		if n > len(s.params) {
			return expand.Variable{}
		}
		s.spend(len(s.params[n-1]))
		return text(s.params[n-1])
	}
	v := s.vars[name]
	size := len(v.Str)
	for _, x := range v.List {
		size += len(x)
	}
	for k, x := range v.Map {
		size += len(k) + len(x)
	}
	if s.spend(size); s.stop != nil {
		return expand.Variable{}
	}
	return v
}

// Each implements expand.Environ.
func (e environ) Each(fn func(string, expand.Variable) bool) {
	names := make([]string, 0, len(e.s.vars))
	for n := range e.s.vars {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		if !fn(n, e.s.vars[n]) {
			return
		}
	}
}

// Set implements expand.WriteEnviron: ${x:=y} and $((x++)).
func (e environ) Set(name string, v expand.Variable) error {
	e.s.set(name, v)
	return nil
}

// set keeps a variable within the bounds.
func (s *Shell) set(name string, v expand.Variable) {
	if len(name) > 256 || s.vars[name].ReadOnly {
		return
	}
	if _, known := s.vars[name]; !known && len(s.vars) >= maxVariables {
		return
	}
	v.Str = cut(v.Str, maxValue)
	size := 0
	for i, x := range v.List {
		if size += len(x); i >= maxElements || size > maxValue*4 {
			v.List = v.List[:i]
			break
		}
	}
	v.Exported = v.Exported || s.vars[name].Exported
	s.vars[name] = v
}

func (s *Shell) assign(name, value string) { s.set(name, text(value)) }

// assignment is name=value, name+=value, name[i]=value or name=(...).
func (s *Shell) assignment(a *syntax.Assign, io streams) {
	if a.Name == nil {
		return
	}
	name, was := a.Name.Value, s.vars[a.Name.Value]
	if a.Array != nil {
		s.set(name, s.array(a, was, io))
		return
	}
	value, err := s.literal(io, a.Value)
	if err != nil {
		s.complain(err, io)
		s.status = 1
		return
	}
	switch {
	case a.Index != nil:
		s.element(name, was, a, value, io)
	case a.Append && was.Kind == expand.Indexed && len(was.List) > 0:
		list := append([]string(nil), was.List...)
		list[0] = cut(list[0]+value, maxValue)
		s.set(name, expand.Variable{Set: true, Kind: expand.Indexed, List: list})
	case a.Append:
		s.assign(name, was.Str+value)
	default:
		s.assign(name, value)
	}
}

func (s *Shell) array(a *syntax.Assign, was expand.Variable, io streams) expand.Variable {
	var list []string
	if a.Append {
		list = append(list, was.List...)
	}
	for _, e := range a.Array.Elems {
		if e.Value == nil {
			continue
		}
		more, err := s.fields(io, e.Value)
		if err != nil {
			s.complain(err, io)
			break
		}
		if list = append(list, more...); len(list) > maxElements {
			list = list[:maxElements]
			break
		}
	}
	return expand.Variable{Set: true, Kind: expand.Indexed, List: list}
}

func (s *Shell) element(name string, was expand.Variable, a *syntax.Assign, value string, io streams) {
	if was.Kind == expand.Associative {
		key := ""
		if w, ok := a.Index.(*syntax.Word); ok {
			key, _ = s.literal(io, w)
		}
		m := map[string]string{}
		for k, v := range was.Map {
			m[k] = v
		}
		if len(m) < maxElements {
			m[cut(key, 256)] = cut(value, 1024)
		}
		s.vars[name] = expand.Variable{Set: true, Kind: expand.Associative, Map: m}
		return
	}
	i, err := expand.Arithm(s.config(io), a.Index)
	if err != nil || i < 0 || i >= maxElements {
		s.complain(fmt.Errorf("%s: bad array subscript", name), io)
		s.status = 1
		return
	}
	list := append([]string(nil), was.List...)
	if was.Kind == expand.String {
		list = []string{was.Str}
	}
	for len(list) <= i {
		list = append(list, "")
	}
	list[i] = cut(value, maxValue)
	s.set(name, expand.Variable{Set: true, Kind: expand.Indexed, List: list})
}

// declare is declare, local, export, readonly and typeset.
func (s *Shell) declare(c *syntax.DeclClause, io streams) {
	s.status = 0
	word := c.Variant.Value
	s.cfg.Observer.Ran([]string{word}, true)
	flags := ""
	for _, a := range c.Args {
		if a.Name == nil { // an option, or a word that becomes one or an assignment
			t, err := s.literal(io, a.Value)
			if err == nil && strings.HasPrefix(t, "-") {
				flags += t
			} else if name, value, ok := strings.Cut(t, "="); ok && err == nil {
				s.assign(name, value)
			}
			continue
		}
		name := a.Name.Value
		if word == "local" && len(s.locals) > 0 {
			scope := s.locals[len(s.locals)-1]
			if _, done := scope[name]; !done && len(scope) < maxVariables {
				scope[name] = s.vars[name]
				delete(s.vars, name)
			}
		}
		if strings.Contains(flags, "A") && s.vars[name].Kind != expand.Associative && len(s.vars) < maxVariables {
			s.vars[name] = expand.Variable{Set: true, Kind: expand.Associative, Map: map[string]string{}}
		}
		if !a.Naked {
			s.assignment(a, io)
		}
		v, known := s.vars[name]
		if !known && len(s.vars) >= maxVariables {
			continue
		}
		switch {
		case word == "export" || strings.Contains(flags, "x"):
			v.Exported = !strings.Contains(flags, "n")
		case word == "readonly" || strings.Contains(flags, "r"):
			v.ReadOnly = true
		}
		if v.Declared() {
			s.vars[name] = v
		}
	}
	if len(c.Args) == 0 && word != "local" {
		s.listVariables(word == "export", io)
	}
}

func (s *Shell) listVariables(exported bool, io streams) {
	environ{s}.Each(func(name string, v expand.Variable) bool {
		if exported && v.Exported {
			fmt.Fprintf(io.out, "declare -x %s=\"%s\"\n", name, v.Str)
		} else if !exported && v.Set && v.Kind == expand.String {
			fmt.Fprintf(io.out, "%s=%s\n", name, v.Str)
		}
		return true
	})
}
