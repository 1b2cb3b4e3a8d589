package detect

import (
	"encoding/base64"
	"path"
	"strings"
)

// Command is what is really run, once wrappers are taken off.
type Command struct {
	Name string   // of the tool: the last part of its path
	Path string   // as it was called
	Args []string // without the name
	Via  string   // the innermost wrapper, or ""
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
		return unwrap(out, wrapped(c.Args), c.Name, depth+1)
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
		for _, o := range "eE" {
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
)

func wrapperOf(name string) wrapper {
	switch name {
	case "env", "nohup", "nice", "ionice", "setsid", "timeout", "stdbuf", "sudo", "doas", "exec", "command", "time", "xargs", "chroot", "unshare", "setarch", "script", "watch", "proxychains", "proxychains4", "torsocks", "strace", "chrt", "taskset":
		return wrapsCommand
	case "sh", "bash", "dash", "ash", "zsh", "ksh", "rbash", "su":
		return wrapsShell
	case "eval":
		return wrapsText
	case "echo", "printf":
		return wrapsEcho
	case "perl", "ruby":
		return wrapsPerl
	case "python", "python2", "python3", "php", "node", "lua":
		return wrapsPython
	}
	if strings.HasPrefix(name, "python") || strings.HasPrefix(name, "perl5") {
		return wrapsPython
	}
	return wrapsNothing
}

// wrapped are the arguments behind a wrapper's own options, settings and numbers.
func wrapped(args []string) []string {
	for i, a := range args {
		switch {
		case strings.HasPrefix(a, "-"), strings.Contains(a, "=") && !strings.Contains(a, "/"), a != "" && strings.Trim(a, "0123456789.smhd") == "":
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

// script appends the commands of a shell script: its simple commands, without what surrounds them. Text in base64 is decoded and read as a script too.
func script(out []Command, text, via string, depth int) []Command {
	text = text[:min(len(text), maxScript)]
	var words []string
	flush := func() {
		for len(words) > 0 && (keyword(words[0]) || assignment(words[0])) {
			words = words[1:]
		}
		if len(words) > 0 {
			out = unwrap(out, words, via, depth)
		}
		words = nil
	}
	var word strings.Builder
	inWord := false
	end := func() {
		if inWord {
			words = append(words, word.String())
			if s, ok := unbase64(word.String()); ok && depth < maxUnwrap {
				out = script(out, s, "base64", depth+1)
			}
			word.Reset()
			inWord = false
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t':
			end()
		case ';', '|', '&', '\n', '(', ')', '`', '{', '}', '<', '>':
			if (c == '{' || c == '}') && inWord {
				word.WriteByte(c)
				continue
			}
			end()
			flush()
		case '\\':
			if i+1 < len(text) {
				i++
				word.WriteByte(text[i])
				inWord = true
			}
		case '\'', '"':
			inWord = true
			for i++; i < len(text) && text[i] != c; i++ {
				if c == '"' && text[i] == '\\' && i+1 < len(text) {
					i++
				}
				word.WriteByte(text[i])
			}
		case '$':
			if i+1 < len(text) && text[i+1] == '(' {
				end()
				flush()
				i++
				continue
			}
			word.WriteByte(c)
			inWord = true
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	end()
	flush()
	return out
}

func keyword(w string) bool {
	switch w {
	case "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "!", "time", "function":
		return true
	}
	return false
}

func assignment(w string) bool {
	i := strings.IndexByte(w, '=')
	if i <= 0 {
		return false
	}
	for _, c := range w[:i] {
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return true
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
	out := make([]string, 0, len(c.Args))
	only := false
	for _, a := range c.Args {
		if !only && a == "--" {
			only = true
			continue
		}
		if only || !strings.HasPrefix(a, "-") {
			out = append(out, a)
		}
	}
	return out
}

// within is a name made absolute.
func within(dir, name string) string {
	if strings.HasPrefix(name, "/") {
		return path.Clean(name)
	}
	if dir == "" {
		return name
	}
	return path.Join(dir, name)
}
