package shell

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/bulkheadhq/bulkhead/internal/honeypot/memfs"
)

// builtins are the commands that bash runs itself.
func builtins() map[string]command {
	nothing := func(*program) int { return 0 }
	return map[string]command{
		":": nothing, "true": nothing, "trap": nothing, "shopt": nothing, "alias": nothing, "unalias": nothing, "hash": nothing, "wait": nothing, "jobs": nothing, "bind": nothing,
		"ulimit": ulimit, "umask": umask, "disown": nothing, "fg": noJob, "bg": noJob, "enable": nothing, "complete": nothing, "compgen": nothing, "suspend": nothing, "dirs": pwd,
		"false": func(*program) int { return 1 },
		"cd":    cd, "pwd": pwd, "echo": echo, "printf": printf, "exit": exit, "logout": exit, "return": returned, "break": broken, "continue": broken,
		"eval": eval, ".": dot, "source": dot, "exec": execute, "command": commanded, "builtin": commanded, "type": typed, "test": tested, "[": tested,
		"set": set, "unset": unset, "shift": shift, "read": read, "history": history, "kill": kill, "getopts": func(*program) int { return 1 },
		"export": exported, "local": exported, "declare": exported, "typeset": exported, "readonly": exported, "let": let, "help": help,
	}
}

func help(p *program) int {
	p.print("GNU bash, version %s (x86_64-pc-linux-gnu)\nThese shell commands are defined internally.  Type `help' to see this list.\n", p.cfg.Persona.System.Bash)
	return 0
}

func noJob(p *program) int { return p.fail("current: no such job") }

func ulimit(p *program) int {
	if len(p.args) < 3 && !strings.Contains(strings.Join(p.args, " "), "-a") {
		p.print("%s\n", map[bool]string{true: "1024", false: "unlimited"}[len(p.args) > 1 && p.args[1] == "-n"])
	}
	return 0
}

func umask(p *program) int {
	if len(p.args) == 1 {
		p.print("0022\n")
	}
	return 0
}

func cd(p *program) int {
	to := p.account.Home
	if len(p.args) > 1 {
		to = p.args[1]
	}
	if to == "-" {
		if to = p.old; to == "" {
			fmt.Fprintln(p.io.err, "-bash: cd: OLDPWD not set")
			return 1
		}
		p.print("%s\n", to)
	}
	if to == "--" {
		to = p.account.Home
	}
	at := memfs.Abs(p.dir, to)
	i, err := p.cfg.FS.Stat(p.user(), at)
	if err == nil && !i.Mode.IsDir() {
		err = memfs.ErrNotDir
	}
	if err == nil && !p.cfg.FS.Can(p.user(), at, 1) {
		err = memfs.ErrPermitted
	}
	if err != nil {
		fmt.Fprintf(p.io.err, "-bash: cd: %s: %s\n", printable(to), err)
		return 1
	}
	p.Shell.old, p.Shell.dir = p.dir, at
	p.export("PWD", at)
	p.export("OLDPWD", p.Shell.old)
	return 0
}

func pwd(p *program) int {
	p.print("%s\n", p.dir)
	return 0
}

func echo(p *program) int {
	args, newline, escapes := p.args[1:], true, false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "neE") == "" {
		newline = newline && !strings.Contains(args[0], "n")
		escapes = (escapes || strings.Contains(args[0], "e")) && !strings.Contains(args[0], "E")
		args = args[1:]
	}
	out := strings.Join(args, " ")
	if escapes {
		var ended bool
		if out, ended = unescape(out, true); ended {
			newline = false
		}
	}
	if newline {
		out += "\n"
	}
	if _, err := io.WriteString(p.io.out, out); err != nil {
		fmt.Fprintf(p.io.err, "-bash: echo: write error: %s\n", err)
		return 1
	}
	return 0
}

func exit(p *program) int {
	p.Shell.ctl = exiting
	return p.number(1, p.status)
}

func returned(p *program) int {
	p.Shell.ctl = returning
	return p.number(1, p.status)
}

func (p *program) number(i, otherwise int) int {
	if len(p.args) > i {
		if n, err := strconv.Atoi(p.args[i]); err == nil {
			return n & 0xff
		}
		return 2
	}
	return otherwise
}

func broken(p *program) int {
	if p.loops == 0 {
		return 0
	}
	p.Shell.ctl = map[string]control{"break": breaking, "continue": continuing}[p.args[0]]
	p.Shell.turns = max(p.number(1, 1), 1)
	return 0
}

func eval(p *program) int {
	if !p.enter() {
		return 1
	}
	defer p.leave()
	p.Shell.status = 0
	p.source(strings.Join(p.args[1:], " "), "bash", p.io)
	return p.Shell.status
}

func dot(p *program) int {
	if len(p.args) < 2 {
		fmt.Fprintln(p.io.err, "-bash: .: filename argument required")
		return 2
	}
	b, err := p.cfg.FS.Read(p.user(), memfs.Abs(p.dir, p.args[1]), maxScript)
	if err != nil {
		fmt.Fprintf(p.io.err, "-bash: %s: %s\n", printable(p.args[1]), err)
		return 1
	}
	if !p.enter() {
		return 1
	}
	defer p.leave()
	p.source(string(b), "bash", p.io)
	if p.Shell.ctl == returning {
		p.Shell.ctl = goOn
	}
	return p.Shell.status
}

func execute(p *program) int {
	if len(p.args) < 2 {
		return 0
	}
	args := p.args[1:]
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	p.Shell.run(args, p.io)
	p.Shell.ctl = exiting
	return p.Shell.status
}

func commanded(p *program) int {
	args := p.args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if strings.ContainsAny(args[0], "vV") {
			return p.locate(args[1:], false)
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return 0
	}
	if !p.enter() {
		return 1
	}
	defer p.leave()
	p.Shell.run(args, p.io)
	return p.Shell.status
}

// locate is command -v, and with words type.
func (p *program) locate(names []string, words bool) int {
	status := 0
	for _, n := range names {
		_, function := p.funcs[n]
		_, builtin := p.builtins[n]
		switch at := p.which(n); {
		case function && words:
			p.print("%s is a function\n", n)
		case builtin && words:
			p.print("%s is a shell builtin\n", n)
		case function || builtin:
			p.print("%s\n", n)
		case at != "" && words:
			p.print("%s is %s\n", n, at)
		case at != "":
			p.print("%s\n", at)
		default:
			status = 1
			if words {
				fmt.Fprintf(p.io.err, "-bash: type: %s: not found\n", printable(n))
			}
		}
	}
	return status
}

func typed(p *program) int {
	args := p.args[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	return p.locate(args, true)
}

func set(p *program) int {
	for i, a := range p.args[1:] {
		switch {
		case a == "--":
			p.Shell.params = p.args[i+2:]
			return 0
		case a == "-e":
			p.Shell.errexit = true
		case a == "+e":
			p.Shell.errexit = false
		case a == "-o" || strings.HasPrefix(a, "-") || strings.HasPrefix(a, "+"):
		default:
			p.Shell.params = p.args[i+1:]
			return 0
		}
	}
	if len(p.args) == 1 {
		p.listVariables(false, p.io)
	}
	return 0
}

func unset(p *program) int {
	for _, a := range p.args[1:] {
		if !p.vars[a].ReadOnly {
			delete(p.vars, a)
		}
		delete(p.funcs, a)
	}
	return 0
}

func shift(p *program) int {
	n := p.number(1, 1)
	if n > len(p.params) {
		return 1
	}
	p.Shell.params = p.params[n:]
	return 0
}

// exported is export and its like where the parser saw an ordinary command ("command export x=y").
func exported(p *program) int {
	for _, a := range p.args[1:] {
		if name, value, ok := strings.Cut(a, "="); ok && syntax.ValidName(name) {
			p.assign(name, value)
			if p.args[0] == "export" {
				v := p.vars[name]
				v.Exported = true
				p.set(name, v)
			}
		}
	}
	return 0
}

func let(p *program) int {
	if !p.enter() {
		return 1
	}
	defer p.leave()
	p.source("(("+strings.Join(p.args[1:], ",")+"))", "bash", p.io)
	return p.Shell.status
}

func read(p *program) int {
	names, raw, silent := []string{}, false, false
	for i := 1; i < len(p.args); i++ {
		switch a := p.args[i]; {
		case a == "-p" && i+1 < len(p.args):
			i++
			fmt.Fprint(p.io.err, p.args[i])
		case (a == "-t" || a == "-n" || a == "-d" || a == "-u" || a == "-N" || a == "-a") && i+1 < len(p.args):
			i++
		case strings.HasPrefix(a, "-"):
			raw, silent = raw || strings.Contains(a, "r"), silent || strings.Contains(a, "s")
		default:
			names = append(names, a)
		}
	}
	line, err := readLine(p.io.in)
	if line == "" && err != nil {
		return 1
	}
	if len(names) == 0 {
		names = []string{"REPLY"}
	}
	p.expanded = 0
	fields := expand.ReadFields(p.config(p.io), line, len(names), raw)
	for i, n := range names {
		v := ""
		if i < len(fields) {
			v = fields[i]
		}
		p.assign(n, v)
	}
	_ = silent
	return 0
}

// readLine reads up to a line's end and no further: what comes after it is another command's.
func readLine(in io.Reader) (string, error) {
	if b, ok := in.(io.ByteReader); ok {
		var line []byte
		for len(line) < maxValue {
			c, err := b.ReadByte()
			if err != nil || c == '\n' {
				return string(line), err
			}
			line = append(line, c)
		}
		return string(line), nil
	}
	var line []byte
	var one [1]byte
	for len(line) < maxValue {
		n, err := in.Read(one[:])
		if n == 1 && one[0] == '\n' {
			return string(line), nil
		}
		line = append(line, one[:n]...)
		if err != nil {
			return string(line), err
		}
	}
	return string(line), nil
}

func history(p *program) int {
	if len(p.args) > 1 && strings.HasPrefix(p.args[1], "-") {
		if strings.Contains(p.args[1], "c") {
			p.Shell.history = nil
		}
		return 0
	}
	for i, h := range p.history {
		p.print("%5d  %s\n", i+1, h)
	}
	return 0
}

func kill(p *program) int {
	status := 0
	for _, a := range p.args[1:] {
		if a == "-l" {
			p.print(" 1) SIGHUP\t 2) SIGINT\t 3) SIGQUIT\t 9) SIGKILL\t15) SIGTERM\n")
			return 0
		}
		if strings.HasPrefix(a, "-") || strings.HasPrefix(a, "%") {
			continue
		}
		pid, err := strconv.Atoi(a)
		switch {
		case err != nil:
			fmt.Fprintf(p.io.err, "-bash: kill: %s: arguments must be process or job IDs\n", printable(a))
			status = 1
		case p.running(pid) && p.user().UID != 0:
			fmt.Fprintf(p.io.err, "-bash: kill: (%d) - Operation not permitted\n", pid)
			status = 1
		case !p.running(pid):
			fmt.Fprintf(p.io.err, "-bash: kill: (%d) - No such process\n", pid)
			status = 1
		}
	}
	return status
}

func (p *program) running(pid int) bool {
	for _, q := range p.cfg.Persona.Processes() {
		if q.PID == pid {
			return true
		}
	}
	return pid == p.pid
}

// lines of a text, without their ends.
func lines(b []byte) []string {
	var out []string
	sc := bufio.NewScanner(strings.NewReader(string(b)))
	sc.Buffer(make([]byte, 0, 4096), maxPipe+1)
	for sc.Scan() {
		out = append(out, sc.Text())
	}
	return out
}
