package shell

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

// test evaluates [[ ]].
func (s *Shell) test(x syntax.TestExpr, io streams) (bool, error) {
	switch x := x.(type) {
	case *syntax.Word:
		t, err := s.literal(io, x)
		return t != "", err
	case *syntax.ParenTest:
		return s.test(x.X, io)
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			ok, err := s.test(x.X, io)
			return !ok, err
		}
		t, err := s.testWord(x.X, io)
		return err == nil && s.unary(x.Op.String(), t), err
	case *syntax.BinaryTest:
		switch x.Op {
		case syntax.AndTest, syntax.OrTest:
			a, err := s.test(x.X, io)
			if err != nil || a == (x.Op == syntax.OrTest) {
				return a, err
			}
			return s.test(x.Y, io)
		}
		a, err := s.testWord(x.X, io)
		if err != nil {
			return false, err
		}
		y, ok := x.Y.(*syntax.Word)
		if !ok {
			return false, fmt.Errorf("syntax error in conditional expression")
		}
		switch x.Op {
		case syntax.TsMatch, syntax.TsMatchShort:
			return s.matches(io, y, a), nil
		case syntax.TsNoMatch:
			return !s.matches(io, y, a), nil
		}
		b, err := s.literal(io, y)
		if err != nil {
			return false, err
		}
		if x.Op == syntax.TsReMatch {
			re, err := compiled(b)
			if err != nil {
				return false, err
			}
			return re.MatchString(a), nil
		}
		return s.compare(x.Op.String(), a, b), nil
	}
	return false, fmt.Errorf("syntax error in conditional expression")
}

func (s *Shell) testWord(x syntax.TestExpr, io streams) (string, error) {
	if w, ok := x.(*syntax.Word); ok {
		return s.literal(io, w)
	}
	return "", fmt.Errorf("syntax error in conditional expression")
}

// unary is -f and its like.
func (s *Shell) unary(op, arg string) bool {
	switch op {
	case "-n":
		return arg != ""
	case "-z":
		return arg == ""
	case "-v":
		return environ{s}.Get(arg).IsSet()
	case "-t":
		return s.cfg.Terminal
	case "-o", "-R":
		return false
	}
	at := memfs.Abs(s.dir, arg)
	if op == "-L" || op == "-h" {
		i, err := s.cfg.FS.Lstat(s.user(), at)
		return err == nil && i.Mode&fs.ModeSymlink != 0
	}
	i, err := s.cfg.FS.Stat(s.user(), at)
	if err != nil || arg == "" {
		return false
	}
	switch op {
	case "-e", "-a":
		return true
	case "-f":
		return i.Mode.IsRegular()
	case "-d":
		return i.Mode.IsDir()
	case "-s":
		return i.Size() > 0 || i.Make != nil
	case "-r":
		return s.cfg.FS.Can(s.user(), at, 4)
	case "-w":
		return s.cfg.FS.Can(s.user(), at, 2)
	case "-x":
		return s.cfg.FS.Can(s.user(), at, 1)
	case "-c":
		return i.Mode&fs.ModeCharDevice != 0
	case "-b":
		return i.Mode&fs.ModeDevice != 0 && i.Mode&fs.ModeCharDevice == 0
	case "-u":
		return i.Mode&fs.ModeSetuid != 0
	case "-O":
		return i.UID == s.user().UID
	case "-G":
		return i.GID == s.user().GID
	}
	return false
}

func (s *Shell) compare(op, a, b string) bool {
	n := func() (int64, int64) {
		x, _ := strconv.ParseInt(strings.TrimSpace(a), 10, 64)
		y, _ := strconv.ParseInt(strings.TrimSpace(b), 10, 64)
		return x, y
	}
	x, y := n()
	switch op {
	case "=", "==":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case ">":
		return a > b
	case "-eq":
		return x == y
	case "-ne":
		return x != y
	case "-lt":
		return x < y
	case "-le":
		return x <= y
	case "-gt":
		return x > y
	case "-ge":
		return x >= y
	case "-nt", "-ot", "-ef":
		i, err1 := s.cfg.FS.Stat(s.user(), memfs.Abs(s.dir, a))
		j, err2 := s.cfg.FS.Stat(s.user(), memfs.Abs(s.dir, b))
		if err1 != nil || err2 != nil {
			return false
		}
		return op == "-nt" && i.Modified.After(j.Modified) || op == "-ot" && i.Modified.Before(j.Modified) || op == "-ef" && i.Path == j.Path
	}
	return false
}

// tested is test and [.
func tested(p *program) int {
	args := p.args[1:]
	if p.args[0] == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			fmt.Fprintln(p.io.err, "-bash: [: missing `]'")
			return 2
		}
		args = args[:len(args)-1]
	}
	if len(args) > 256 {
		fmt.Fprintf(p.io.err, "-bash: %s: too many arguments\n", p.args[0])
		return 2
	}
	e := &testExpr{s: p.Shell, left: args}
	ok := e.or()
	if e.wrong || len(e.left) > 0 {
		fmt.Fprintf(p.io.err, "-bash: %s: too many arguments\n", p.args[0])
		return 2
	}
	if ok {
		return 0
	}
	return 1
}

// testExpr reads test's arguments from left to right. There are no more than 256, so that its recursion is bounded.
type testExpr struct {
	s     *Shell
	left  []string
	wrong bool
}

func (e *testExpr) peek(i int) string {
	if i < len(e.left) {
		return e.left[i]
	}
	return ""
}

func (e *testExpr) or() bool {
	ok := e.and()
	for e.peek(0) == "-o" && len(e.left) > 1 {
		e.left = e.left[1:]
		ok = e.and() || ok
	}
	return ok
}

func (e *testExpr) and() bool {
	ok := e.not()
	for e.peek(0) == "-a" && len(e.left) > 1 {
		e.left = e.left[1:]
		ok = e.not() && ok
	}
	return ok
}

const binaryOps = " = == != < > -eq -ne -lt -le -gt -ge -nt -ot -ef "

func (e *testExpr) not() bool {
	switch {
	case len(e.left) == 0:
		return false
	case len(e.left) >= 3 && strings.Contains(binaryOps, " "+e.left[1]+" "):
		a, op, b := e.left[0], e.left[1], e.left[2]
		e.left = e.left[3:]
		return e.s.compare(op, a, b)
	case e.left[0] == "!" && len(e.left) > 1:
		e.left = e.left[1:]
		return !e.not()
	case e.left[0] == "(" && len(e.left) > 2:
		e.left = e.left[1:]
		ok := e.or()
		if e.peek(0) != ")" {
			e.wrong = true
			return false
		}
		e.left = e.left[1:]
		return ok
	case len(e.left) >= 2 && len(e.left[0]) == 2 && e.left[0][0] == '-':
		op, arg := e.left[0], e.left[1]
		e.left = e.left[2:]
		return e.s.unary(op, arg)
	}
	t := e.left[0]
	e.left = e.left[1:]
	return t != ""
}
