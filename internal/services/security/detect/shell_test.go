package detect

import (
	"os"
	"path"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// shell turns the text of a shell script into the events that the kernel would log if it ran: a start for every simple command that is no builtin, in a process of its own
// below the shell; pipes, both sides of conditions, and the bodies of loops once; a write or a removal where a file is touched that audit rules watch. Nothing is run.
type shell struct {
	apply  func(*activity.Event)
	millis int64
	pid    uint32
	uid    uint32
	home   string
	events int
}

// scope is one shell process.
type scope struct {
	pid   uint32
	dir   string
	vars  map[string]string
	depth int
}

const shellEpoch = 1_700_000_000_000

func newShell(apply func(*activity.Event), root bool) *shell {
	s := &shell{apply: apply, millis: shellEpoch, pid: 4000, uid: 1000, home: homes + "/user"}
	if root {
		s.uid, s.home = 0, "/root"
	}
	return s
}

func (s *shell) next() uint32 { s.pid++; return s.pid }

// process fills in who does something.
func (s *shell) process(pid, parent uint32, image string) activity.Process {
	return activity.Process{PID: pid, Parent: parent, AUID: 1000, UID: s.uid, EUID: s.uid, GID: s.uid, Session: 7, Comm: []byte(path.Base(image)), Image: []byte(image)}
}

// exec is the start of a program, in a new process if pid is 0.
func (s *shell) exec(sc *scope, args []string) uint32 {
	pid := s.next()
	file := resolve(sc, args[0])
	raw := make([][]byte, len(args))
	for i, a := range args {
		raw[i] = []byte(a)
	}
	s.millis += 20
	s.events++
	s.apply(&activity.Event{
		Kind: activity.Exec, Success: true, Call: "execve", Millis: s.millis, Process: s.process(pid, sc.pid, file),
		Command: activity.Command{Args: raw, Line: []byte(strings.Join(args, " ")), Dir: []byte(sc.dir), File: []byte(file)},
		Files:   []activity.File{{Name: []byte(file), Mode: 0o100755}},
	})
	return pid
}

func resolve(sc *scope, name string) string {
	if strings.Contains(name, "/") {
		return within(sc.dir, name)
	}
	return "/usr/bin/" + name
}

// touch is a call on a file, logged only if a rule watches it.
func (s *shell) touch(sc *scope, pid uint32, image, name, call string, kind activity.Kind) {
	name = within(sc.dir, name)
	if !watched(name) {
		return
	}
	s.events++
	s.apply(&activity.Event{
		Kind: kind, Success: true, Call: call, Millis: s.millis, Process: s.process(pid, sc.pid, image),
		Files: []activity.File{{Name: []byte(name), Mode: 0o100644}},
	})
}

// watched reports whether the recommended audit rules watch a file.
func watched(name string) bool {
	for _, p := range [...]string{
		"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers", "/etc/cron", "/var/spool/cron", "/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/etc/ld.so.preload", "/etc/audit", "/etc/pam.d",
		"/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog", "/etc/ssh/", "/etc/rc.local", "/etc/init.d",
	} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return strings.Contains(name, "/.ssh/authorized_keys")
}

// run is a shell that is started with -c and a text.
func (s *shell) run(parent *scope, name, text string) {
	pid := s.exec(parent, []string{name, "-c", text})
	s.script(&scope{pid: pid, dir: parent.dir, vars: clone(parent.vars), depth: parent.depth + 1}, text, path.Base(name))
}

func clone(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// script is what a shell does that was given a text. Text that is no script does nothing.
func (s *shell) script(sc *scope, text, name string) bool {
	if sc.depth > 6 {
		return true
	}
	lang := syntax.LangBash
	f, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(text), name)
	if err != nil {
		// A shell runs the lines before the one it can't read.
		i := strings.LastIndexByte(strings.TrimRight(text, "\n"), '\n')
		return i > 0 && s.script(sc, text[:i], name)
	}
	s.stmts(sc, f.Stmts)
	return true
}

func (s *shell) stmts(sc *scope, list []*syntax.Stmt) {
	for _, st := range list {
		s.stmt(sc, st)
	}
}

func (s *shell) stmt(sc *scope, st *syntax.Stmt) {
	for _, r := range st.Redirs {
		s.redirect(sc, r)
	}
	switch c := st.Cmd.(type) {
	case *syntax.CallExpr:
		s.call(sc, c)
	case *syntax.BinaryCmd:
		s.stmt(sc, c.X)
		s.stmt(sc, c.Y)
	case *syntax.IfClause:
		for ; c != nil; c = c.Else {
			s.stmts(sc, c.Cond)
			s.stmts(sc, c.Then)
		}
	case *syntax.WhileClause:
		s.stmts(sc, c.Cond)
		s.stmts(sc, c.Do)
	case *syntax.ForClause:
		if w, ok := c.Loop.(*syntax.WordIter); ok {
			var items []string
			for _, i := range w.Items {
				items = append(items, strings.Fields(s.word(sc, i))...)
			}
			if len(items) > 0 {
				sc.vars[w.Name.Value] = items[0]
			}
		}
		s.stmts(sc, c.Do)
	case *syntax.CaseClause:
		for _, i := range c.Items {
			s.stmts(sc, i.Stmts)
		}
	case *syntax.Block:
		s.stmts(sc, c.Stmts)
	case *syntax.Subshell:
		s.stmts(&scope{pid: sc.pid, dir: sc.dir, vars: clone(sc.vars), depth: sc.depth}, c.Stmts)
	case *syntax.FuncDecl:
		s.stmt(sc, c.Body)
	case *syntax.TimeClause:
		if c.Stmt != nil {
			s.stmt(sc, c.Stmt)
		}
	case *syntax.DeclClause:
		for _, a := range c.Args {
			s.assign(sc, a)
		}
	}
}

func (s *shell) assign(sc *scope, a *syntax.Assign) {
	if a.Name != nil && a.Value != nil {
		sc.vars[a.Name.Value] = s.word(sc, a.Value)
	}
}

func (s *shell) redirect(sc *scope, r *syntax.Redirect) {
	if r.Word == nil {
		return
	}
	name := s.word(sc, r.Word)
	switch r.Op {
	case syntax.RdrOut, syntax.AppOut, syntax.RdrAll, syntax.AppAll, syntax.RdrInOut:
		s.touch(sc, sc.pid, "/usr/bin/dash", name, "openat", activity.Write)
	}
}

// word is a word with what is known of variables and commands in it.
func (s *shell) word(sc *scope, w *syntax.Word) string {
	b := &strings.Builder{}
	s.parts(sc, b, w.Parts, false)
	return b.String()
}

func (s *shell) parts(sc *scope, b *strings.Builder, parts []syntax.WordPart, quoted bool) {
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(unescape(p.Value, quoted))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			s.parts(sc, b, p.Parts, true)
		case *syntax.ParamExp:
			b.WriteString(s.param(sc, p))
		case *syntax.CmdSubst:
			b.WriteString(s.subst(sc, p.Stmts))
		case *syntax.ArithmExp:
			b.WriteString("1")
		case *syntax.ProcSubst:
			s.stmts(sc, p.Stmts)
			b.WriteString("/dev/fd/63")
		case *syntax.BraceExp:
			if len(p.Elems) > 0 {
				b.WriteString(s.word(sc, p.Elems[0]))
			}
		}
	}
}

func unescape(t string, quoted bool) string {
	if !strings.Contains(t, `\`) {
		return t
	}
	b := &strings.Builder{}
	for i := 0; i < len(t); i++ {
		if t[i] == '\\' && i+1 < len(t) && (!quoted || strings.IndexByte("$`\"\\\n", t[i+1]) >= 0) {
			i++
			if t[i] == '\n' {
				continue
			}
		}
		b.WriteByte(t[i])
	}
	return b.String()
}

func (s *shell) param(sc *scope, p *syntax.ParamExp) string {
	name := p.Param.Value
	if v, ok := sc.vars[name]; ok {
		return v
	}
	switch name {
	case "HOME":
		return s.home
	case "USER", "LOGNAME", "USERNAME":
		return path.Base(s.home)
	case "PWD":
		return sc.dir
	case "$", "!", "PID":
		return strconv.Itoa(int(sc.pid))
	case "0":
		return "sh"
	case "SHELL":
		return "/bin/bash"
	}
	if p.Exp != nil && p.Exp.Word != nil && (p.Exp.Op == syntax.DefaultUnsetOrNull || p.Exp.Op == syntax.DefaultUnset) {
		return s.word(sc, p.Exp.Word)
	}
	return ""
}

// subst is the output of a command, where it is plain what it says.
func (s *shell) subst(sc *scope, list []*syntax.Stmt) string {
	s.stmts(sc, list)
	if len(list) == 0 {
		return ""
	}
	cmd := list[0].Cmd
	for { // the first of alternatives, and of a pipe
		b, ok := cmd.(*syntax.BinaryCmd)
		if !ok {
			break
		}
		cmd = b.X.Cmd
	}
	call, ok := cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return ""
	}
	quiet := &shell{apply: func(*activity.Event) {}, home: s.home, uid: s.uid}
	var args []string
	for _, a := range call.Args {
		args = append(args, quiet.word(sc, a))
	}
	last := args[len(args)-1]
	switch path.Base(args[0]) {
	case "which", "command", "type":
		return "/usr/bin/" + last
	case "echo", "printf":
		return last
	case "mktemp":
		if len(args) > 1 && args[1] == "-d" {
			return "/tmp/tmp.Xa8dQe1kTz"
		}
		return "/tmp/tmp.gR5fKqN0vB"
	case "pgrep", "pidof", "ps":
		return "812"
	case "whoami", "id":
		return path.Base(s.home)
	case "uname":
		return "Linux"
	case "hostname":
		return "host1"
	case "pwd":
		return sc.dir
	case "date":
		return "1700000000"
	case "seq":
		return "1 2 3"
	}
	return ""
}

func builtin(name string) bool {
	switch name {
	case "cd", "echo", "printf", "export", "unset", "set", "history", "trap", "alias", "unalias", "read", "exit", "return", "break", "continue", "shift", "test", "[", "true", "false", ":", "eval", "exec", "source", ".", "umask", "ulimit", "wait", "jobs", "fg",
		"bg", "kill", "pwd", "type", "command", "hash", "let", "local", "declare", "typeset", "shopt", "getopts", "times", "disown", "enable", "builtin", "mapfile", "pushd", "popd", "dirs", "readonly", "bind", "complete":
		return true
	}
	return false
}

func (s *shell) call(sc *scope, c *syntax.CallExpr) {
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			s.assign(sc, a)
		}
		return
	}
	var args []string
	for i, w := range c.Args {
		t := s.word(sc, w)
		if len(w.Parts) == 1 && i > 0 || i == 0 {
			if _, ok := w.Parts[0].(*syntax.ParamExp); ok { // unquoted: split
				args = append(args, strings.Fields(t)...)
				continue
			}
		}
		if strings.HasPrefix(t, "~") && (len(t) == 1 || t[1] == '/') {
			t = s.home + t[1:]
		}
		args = append(args, t)
	}
	if len(args) > 0 {
		s.simple(sc, args)
	}
}

// simple is a simple command.
func (s *shell) simple(sc *scope, args []string) {
	name := args[0]
	if builtin(name) {
		switch name {
		case "cd":
			if len(args) > 1 {
				sc.dir = within(sc.dir, args[len(args)-1])
			} else {
				sc.dir = s.home
			}
		case "eval":
			s.script(&scope{pid: sc.pid, dir: sc.dir, vars: sc.vars, depth: sc.depth + 1}, strings.Join(args[1:], " "), "eval")
		case "exec", "command", "builtin":
			rest := args[1:]
			for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
				if rest[0] == "-v" || rest[0] == "-V" {
					return
				}
				rest = rest[1:]
			}
			if len(rest) > 0 {
				s.simple(sc, rest)
			}
		}
		return
	}
	pid := s.exec(sc, args)
	s.effects(sc, pid, args)
	in := &scope{pid: pid, dir: sc.dir, vars: clone(sc.vars), depth: sc.depth + 1}
	if in.depth > 6 {
		return
	}
	base := path.Base(name)
	switch {
	case wrapperOf(base) == wrapsShell && base != "su":
		if text, ok := option(args[1:], 'c'); ok {
			s.script(in, text, base)
		}
	case base == "su":
		if text, ok := option(args[1:], 'c'); ok {
			s.run(in, "bash", text)
		}
	case wrapperOf(base) == wrapsCommand || base == "busybox":
		rest := wrapped(base, args[1:])
		if len(rest) > 0 && !builtin(rest[0]) {
			s.simple(in, rest)
		}
	case base == "find":
		for i, a := range args {
			if (a == "-exec" || a == "-execdir" || a == "-ok") && i+1 < len(args) {
				var inner []string
				for _, x := range args[i+1:] {
					if x == ";" || x == "+" {
						break
					}
					inner = append(inner, strings.ReplaceAll(x, "{}", path.Join(within(sc.dir, args[1]), "x")))
				}
				if len(inner) > 0 {
					s.simple(in, inner)
				}
			}
		}
	}
}

// effects are the writes and removals of common tools.
func (s *shell) effects(sc *scope, pid uint32, args []string) {
	image := resolve(sc, args[0])
	kind, call := activity.Write, "openat"
	switch path.Base(args[0]) {
	case "tee", "touch", "truncate", "cp", "mv", "ln", "install", "ed", "vi", "nano":
	case "sed", "perl":
		if !strings.Contains(strings.Join(args, " "), " -i") {
			return
		}
	case "rm", "unlink", "shred":
		kind, call = activity.Delete, "unlinkat"
	case "useradd", "usermod", "userdel", "adduser", "passwd", "chpasswd", "chsh":
		s.touch(sc, pid, image, "/etc/passwd", "rename", activity.Rename)
		return
	default:
		return
	}
	rest := args[1:]
	switch path.Base(args[0]) {
	case "cp", "ln", "install": // what is copied is read
		rest = rest[max(0, len(rest)-1):]
	}
	for _, a := range rest {
		if !strings.HasPrefix(a, "-") {
			s.touch(sc, pid, image, a, call, kind)
		}
	}
}

func testdata() string {
	if d := os.Getenv("BULKHEAD_TESTDATA"); d != "" {
		return d
	}
	return path.Join("..", "..", "..", "..", "..", "shared", "data")
}
