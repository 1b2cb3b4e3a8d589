package detect

import (
	"encoding/base64"
	"iter"
	"path"
	"slices"
	"strings"
)

// Command is what is really run, once wrappers are taken off.
type Command struct {
	Name string   // of the tool: the last part of its path
	Path string   // as it was called
	Args []string // without the name
	Via  string   // the innermost wrapper, or ""

	// Of commands that stand in a text, beside what they are:
	Env       []string   // assignments before it
	Redirects []redirect // where its input and output go
	Input     string     // a here document, or what stands behind <<<
	Pipeline  int        // commands of one pipe have the same number, above 0
	Stage     int        // its place in the pipe
}

const (
	maxUnwrap   = 4       // wrappers in wrappers
	maxCommands = 64      // commands found in one event
	maxScript   = 1 << 16 // bytes of a one-liner that are looked at
)

// unwrap appends the commands that a command line runs: itself, and what it wraps.
func unwrap(out []Command, args []string, via string, depth int) []Command {
	if len(args) == 0 || args[0] == "" || len(out) >= maxCommands {
		return out
	}
	c := Command{Name: base(args[0]), Path: args[0], Args: args[1:], Via: via}
	if inner := applet(&c); inner != nil && depth < maxUnwrap {
		return unwrap(out, inner, c.Name, depth+1)
	}
	out = append(out, c)
	if depth >= maxUnwrap {
		return out
	}
	switch kind := wrapperOf(c.Name); kind {
	case wrapsCommand:
		rest := wrapped(c.Name, c.Args)
		for _, x := range c.Args[:len(c.Args)-len(rest)] {
			if assignment(x) {
				out[len(out)-1].Env = append(out[len(out)-1].Env, x)
			}
		}
		if text, ok := option(c.Args, 'c'); ok && (c.Name == "script" || c.Name == "runuser" || c.Name == "flock") {
			return script(out, text, c.Name, depth+1)
		}
		if len(rest) == 1 && c.Name == "watch" {
			return script(out, rest[0], c.Name, depth+1)
		}
		from := len(out)
		if out = unwrap(out, rest, c.Name, depth+1); len(out) > from {
			out[from].Env = append(out[from].Env, out[from-1].Env...)
		}
		return out
	case wrapsFind:
		for i := 0; i < len(c.Args); i++ {
			if a := c.Args[i]; a != "-exec" && a != "-execdir" && a != "-ok" && a != "-okdir" {
				continue
			}
			begin := i + 1
			for i++; i < len(c.Args) && c.Args[i] != ";" && c.Args[i] != "+"; {
				i++
			}
			out = unwrap(out, c.Args[begin:min(i, len(c.Args))], c.Name, depth+1)
		}
	case wrapsShell:
		if text, ok := option(c.Args, 'c'); ok {
			return script(out, text, c.Name, depth+1)
		}
	case wrapsText:
		return script(out, strings.Join(c.Args, " "), c.Name, depth+1)
	case wrapsEcho:
		for _, a := range c.Args {
			if s, ok := unbase64(a); ok {
				out = script(out, s, "base64", depth+1)
			}
		}
	case wrapsPerl:
		for _, o := range "eEr" {
			if text, ok := option(c.Args, byte(o)); ok {
				return oneLiner(out, text, c.Name, depth+1)
			}
		}
	case wrapsPython:
		if text, ok := option(c.Args, 'c'); ok {
			return oneLiner(out, text, c.Name, depth+1)
		}
	}
	return out
}

// base is the last part of a path; a login shell's dash is no part of its name.
func base(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 && i < len(p)-1 {
		p = p[i+1:]
	}
	if len(p) > 1 && p[0] == '-' {
		p = p[1:]
	}
	return p
}

// applet is the command that a multi-call binary is told to be.
func applet(c *Command) []string {
	if (c.Name == "busybox" || c.Name == "toybox") && len(c.Args) > 0 && !strings.HasPrefix(c.Args[0], "-") {
		return c.Args
	}
	return nil
}

type wrapper uint8

const (
	wrapsNothing wrapper = iota
	wrapsCommand         // env, nohup: the command are its arguments
	wrapsShell           // sh -c TEXT
	wrapsText            // eval TEXT
	wrapsEcho            // echo TEXT, which may be piped into a decoder and a shell
	wrapsPerl            // perl -e TEXT
	wrapsPython          // python -c TEXT
	wrapsFind            // find -exec COMMAND ;
)

func wrapperOf(name string) wrapper {
	switch name {
	case "env", "nohup", "nice", "ionice", "setsid", "timeout", "stdbuf", "sudo", "doas", "exec", "command", "builtin", "time", "xargs", "chroot", "unshare", "nsenter", "setarch", "script", "watch", "proxychains", "proxychains4", "torsocks", "torify", "strace", "ltrace", "chrt",
		"taskset", "runuser", "pkexec", "systemd-run", "parallel", "flock", "setpriv", "capsh", "systemd-inhibit", "firejail", "linux64", "linux32":
		return wrapsCommand
	case "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "rbash", "fish", "csh", "tcsh", "su":
		return wrapsShell
	case "find":
		return wrapsFind
	case "eval":
		return wrapsText
	case "echo", "printf":
		return wrapsEcho
	case "perl", "ruby", "php", "node", "lua", "irb", "jrunscript", "rscript", "Rscript":
		return wrapsPerl
	case "python", "python2", "python3", "pypy", "pypy3":
		return wrapsPython
	}
	if len(name) > 4 {
		switch {
		case strings.HasPrefix(name, "python"):
			return wrapsPython
		case strings.HasPrefix(name, "perl5"), strings.HasPrefix(name, "php") && name[3] >= '0' && name[3] <= '9', strings.HasPrefix(name, "lua5"), strings.HasPrefix(name, "ruby"):
			return wrapsPerl
		}
	}
	return wrapsNothing
}

// withArgument are the one-letter options of wrappers that take an argument of their own.
func withArgument(name string) string {
	switch name {
	case "sudo", "doas":
		return "ugpCrtTUDRh"
	case "nice", "watch":
		return "n"
	case "ionice":
		return "cnp"
	case "timeout":
		return "sk"
	case "env":
		return "uC"
	case "xargs":
		return "InPLdaEs"
	case "stdbuf":
		return "ioe"
	case "strace", "ltrace":
		return "oeEpuaPsS"
	case "chrt", "taskset":
		return "TDPp"
	case "runuser":
		return "ugG"
	case "proxychains", "proxychains4":
		return "f"
	case "nsenter":
		return "tSG"
	case "systemd-run":
		return "pEHM"
	case "exec":
		return "a"
	case "unshare":
		return "RwSG"
	}
	return ""
}

// wrapped are the arguments behind a wrapper's own options, settings and numbers.
func wrapped(name string, args []string) []string {
	takes := withArgument(name)
	first := true
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--":
			return args[i+1:]
		case strings.HasPrefix(a, "--"):
			if name == "systemd-run" && (a == "--unit" || a == "--on-calendar" || a == "--on-active" || a == "--property") || name == "sudo" && (a == "--user" || a == "--group") {
				i++
			}
		case strings.HasPrefix(a, "-"):
			if len(a) > 1 && strings.IndexByte(takes, a[len(a)-1]) >= 0 {
				i++
			}
		case assignment(a), a != "" && strings.Trim(a, "0123456789.smhd") == "":
		case first && (name == "chroot" || name == "flock" || name == "setarch"):
			first = false
		default:
			return args[i:]
		}
	}
	return nil
}

// option is the argument of a one-letter option, which may stand at the end of a group (-lc).
func option(args []string, letter byte) (string, bool) {
	for i, a := range args {
		if len(a) < 2 || a[0] != '-' {
			continue
		}
		if a[1] == '-' {
			continue
		}
		if a[len(a)-1] == letter && i+1 < len(args) {
			return args[i+1], true
		}
	}
	return "", false
}

// unbase64 decodes a word of base64 that is long enough to be one, and text.
func unbase64(w string) (string, bool) {
	if len(w) < 16 || len(w)%4 != 0 || strings.ContainsAny(w, " ./-_:,") && !strings.ContainsAny(w, "+=") {
		return "", false
	}
	b, err := base64.StdEncoding.DecodeString(w)
	if err != nil || len(b) == 0 {
		return "", false
	}
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			return "", false
		}
	}
	return string(b), true
}

// oneLiner appends what a program in another language runs: each of its quoted texts that has the look of a command, and the lists of texts that are given to exec.
func oneLiner(out []Command, text, via string, depth int) []Command {
	text = text[:min(len(text), maxScript)]
	var list []string
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '\'' && c != '"' && c != '`' {
			if (c == ')' || c == ']' || c == ';') && len(list) > 0 {
				out = unwrap(out, list, via, depth)
				list = nil
			}
			continue
		}
		end := strings.IndexByte(text[i+1:], c)
		if end < 0 {
			break
		}
		quoted := text[i+1 : i+1+end]
		i += end + 1
		switch {
		case quoted == "":
		case strings.ContainsAny(quoted, " \t;|&"):
			out = script(out, quoted, via, depth)
			list = append(list, quoted)
		default:
			list = append(list, quoted)
			if s, ok := unbase64(quoted); ok && depth < maxUnwrap {
				out = script(out, s, "base64", depth+1)
			}
		}
	}
	return unwrap(out, list, via, depth)
}

// operands are the arguments that are no options.
func (c *Command) operands() []string {
	return slices.AppendSeq(make([]string, 0, len(c.Args)), c.eachOperand())
}

// eachOperand goes through them.
func (c *Command) eachOperand() iter.Seq[string] {
	return func(yield func(string) bool) {
		only := false
		for _, a := range c.Args {
			if !only && a == "--" {
				only = true
				continue
			}
			if (only || !strings.HasPrefix(a, "-")) && !yield(a) {
				return
			}
		}
	}
}

// within is a name made absolute.
func within(dir, name string) string {
	if strings.HasPrefix(name, "/") {
		return clean(name)
	}
	if dir == "" {
		return name
	}
	if dir[len(dir)-1] != '/' {
		dir += "/"
	}
	return clean(dir + name)
}

// clean is path.Clean, of names most of which are clean.
func clean(name string) string {
	for i := range len(name) {
		if name[i] == '/' && (i+1 == len(name) || name[i+1] == '/' || name[i+1] == '.') || i == 0 && name[i] == '.' {
			return path.Clean(name)
		}
	}
	if name == "" {
		return "."
	}
	return name
}
