package redact

import (
	"bytes"
	"path"
	"regexp"
	"strings"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// Mask stands where a secret was.
const Mask = "***"

// secretName is how names of secrets look. The groups of a name are joined by -, _, . or nothing.
const secretName = `(?:[\w.-]*?(?:passw(?:or)?d|passwd|passphrase|passcode|pwd|secret|token|api[-_.]?key|apikey|access[-_.]?key|account[-_.]?key|shared[-_.]?key|private[-_.]?key|master[-_.]?key|signing[-_.]?key|encryption[-_.]?key|storage[-_.]?key|primary[-_.]?key|secondary[-_.]?key|auth[-_.]?key|sshpass|credentials?|connection[-_.]?string|connstr|cookie)|pass|sig|signature)`

// Redactor redacts events, in memory of its own. Not for concurrent use.
type Redactor struct {
	assigned, option, url, header, known *regexp.Regexp
	name                                 *regexp.Regexp
	args                                 [][]byte
	count                                uint64
}

// New makes a Redactor.
func New() *Redactor {
	return &Redactor{
		// name=value, name: value, "name":"value"; the value to its closing quote or to what can't be in one
		assigned: regexp.MustCompile(`(?i)(^|[^\w.-])((?:-{1,2}|/)?` + secretName + `["']?\s{0,2}(?:=|:=|:)\s{0,2})("[^"]*"|'[^']*'|[^\s"'&;|,]+)`),
		option:   regexp.MustCompile(`(?i)(^|\s)(-{1,2}` + secretName + `\s+)("[^"]*"|'[^']*'|[^\s"'&;|]+)`),
		url:      regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]{1,20}://[^\s/?#@:"']{0,256}:)([^\s/@"']{1,256})(@)`),
		header:   regexp.MustCompile(`(?i)((?:authorization|x-api-key|api-key|ocp-apim-subscription-key|x-functions-key|x-auth-token|private-token|cookie|set-cookie)["']?\s{0,3}:\s{0,3}["']?)((?:(?:bearer|basic|negotiate|digest|token|sharedkey|sharedaccesssignature)\s+)?)([^"'\r\n]+)`),
		known: regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|\bgh[pousr]_\w{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{20,}|` +
			`\bxox[abprs]-[\w-]{10,}|\bAKIA[0-9A-Z]{16}\b|\b[\w.~-]{3}[78]Q~[\w.~-]{31,34}|\bsk-[\w-]{20,}|\bnpm_\w{30,}|\bpypi-[\w-]{30,}`),
		name: regexp.MustCompile(`(?i)^(?:-{1,2}|/)` + secretName + `$`),
	}
}

// Count is how many secrets were taken out so far.
func (r *Redactor) Count() uint64 { return r.count }

// Event takes the secrets out of an event's texts. Slices of e that change are replaced, by memory that is valid until the next call; what they pointed to isn't touched.
func (r *Redactor) Event(e *activity.Event) {
	c := &e.Command
	if len(c.Args) > 0 {
		joined := isJoined(c.Line, c.Args)
		if args, changed := r.Args(c.Args); changed {
			if c.Args = args; joined {
				c.Line = bytes.Join(args, []byte{' '})
			}
		}
		if !joined {
			c.Line = r.Text(c.Line)
		}
	} else {
		c.Line = r.Text(c.Line)
	}
	e.Message = r.Log(e.Message)
	e.Op = r.Text(e.Op)
	e.Subject = r.Text(e.Subject)
	for i := range e.Files {
		if n := r.Text(e.Files[i].Name); len(n) != len(e.Files[i].Name) || !bytes.Equal(n, e.Files[i].Name) {
			files := append([]activity.File(nil), e.Files...)
			files[i].Name, e.Files = n, files
		}
	}
}

func isJoined(line []byte, args [][]byte) bool {
	n := len(args) - 1
	for _, a := range args {
		n += len(a)
	}
	return n == len(line)
}

// Args takes the secrets out of a command line given as arguments.
func (r *Redactor) Args(args [][]byte) (out [][]byte, changed bool) {
	r.args = append(r.args[:0], args...)
	rule, begins := program(args)
	next := false // the argument is the value of the option before it
	words := 0
	for i, a := range args {
		switch {
		case i == 0:
			continue
		case next && len(a) > 0:
			next = false
			r.args[i] = rule.value(a)
		case i > begins && len(a) > 1 && a[0] == '-' && rule.options != nil:
			var own []byte
			if own, next = rule.option(a); own != nil {
				r.args[i] = own
				break
			}
			if !next {
				next = r.name.Match(a) && wholeValue(args, i)
				r.args[i] = r.Text(a)
			}
		case r.name.Match(a) && wholeValue(args, i):
			next = true
		default:
			if len(a) > 0 && a[0] != '-' && i > begins {
				if words++; rule.wraps {
					rule, begins = program(args[i:])
					begins += i
				}
			}
			if rule.bare > 0 && words == rule.bare {
				r.args[i] = []byte(Mask)
				break
			}
			r.args[i] = r.arg(a)
		}
		if !bytes.Equal(r.args[i], a) {
			changed = true
			r.count++
		}
	}
	return r.args, changed
}

// wholeValue tells whether the argument after an option is its value, rather than the next option or none.
func wholeValue(args [][]byte, i int) bool {
	return i+1 < len(args) && (len(args[i+1]) == 0 || args[i+1][0] != '-' || len(args[i+1]) > 2 && !bytes.HasPrefix(args[i+1], []byte("--")) && bytes.ContainsAny(args[i+1], "0123456789"))
}

// arg is an argument as a text, or as a command line of its own where a shell is going to read it.
func (r *Redactor) arg(a []byte) []byte {
	if bytes.IndexByte(a, ' ') < 0 {
		return r.Text(a)
	}
	return r.Text(r.commands(a))
}

// commands redacts what a shell would run, program by program: those whose options don't say that they are secrets.
func (r *Redactor) commands(a []byte) []byte {
	if len(a) > 1<<16 {
		return a
	}
	words := split(a)
	var out []byte
	at := 0
	for i := 0; i < len(words); {
		end := i + 1
		for end < len(words) && !words[end].begins {
			end++
		}
		args := make([][]byte, end-i)
		for k := range args {
			args[k] = words[i+k].text
		}
		rule, _ := program(args)
		if rule.options != nil || rule.bare > 0 {
			var inner Redactor
			inner.name, inner.assigned, inner.option, inner.url, inner.header, inner.known = r.name, r.assigned, r.option, r.url, r.header, r.known
			redacted, _ := inner.Args(args)
			for k, w := range redacted {
				if word := words[i+k]; !bytes.Equal(w, word.text) {
					out = append(append(out, a[at:word.from]...), w...)
					at = word.to
				}
			}
		}
		i = end
	}
	if at == 0 {
		return a
	}
	return append(out, a[at:]...)
}

// begins are what stands before a command line in a line of a log: sudo's, and cron's.
var begins = [...]string{"COMMAND=", "CMD (", "CMDOUT ("}

// Log takes the secrets out of a line of a log: as of any text and, where a program says which command it ran, as of that.
func (r *Redactor) Log(line []byte) []byte {
	for _, b := range begins {
		if i := bytes.Index(line, []byte(b)); i >= 0 {
			head, command := line[:i+len(b)], line[i+len(b):]
			if redacted := r.arg(command); !bytes.Equal(redacted, command) {
				line = append(head[:len(head):len(head)], redacted...)
			}
		}
	}
	from, to := ownWords(line)
	if from == to {
		return r.Text(line)
	}
	out := append([]byte(nil), r.Text(line[:from])...)
	out = append(out, line[from:to]...)
	return append(out, r.Text(line[to:])...)
}

// ownWords finds what sudo and PAM say of themselves that looks like a secret's name with its value: sudo's PWD= is the folder, passwd:chauthtok what PAM was asked for.
func ownWords(line []byte) (from, to int) {
	const asked = "(passwd:chauthtok)"
	if i := bytes.Index(line, []byte(asked)); i >= 0 {
		return i, i + len(asked)
	}
	if i := bytes.Index(line, []byte(" ; PWD=/")); i >= 0 && bytes.HasPrefix(line, []byte("sudo")) {
		if n := bytes.Index(line[i+3:], []byte(" ;")); n >= 0 {
			return i, i + 3 + n
		}
	}
	return 0, 0
}

// Text takes the secrets out of a text that may hold anything. What has none is returned as it is.
func (r *Redactor) Text(b []byte) []byte {
	if !worth(b) {
		return b
	}
	b = r.known.ReplaceAllLiteral(b, []byte(Mask))
	b = r.url.ReplaceAll(b, []byte("${1}"+Mask+"${3}"))
	b = r.header.ReplaceAllFunc(b, func(m []byte) []byte {
		s := r.header.FindSubmatch(m)
		return append(append(append([]byte(nil), s[1]...), s[2]...), Mask...)
	})
	b = r.assigned.ReplaceAllFunc(b, func(m []byte) []byte { return keep(r.assigned.FindSubmatch(m)) })
	return r.option.ReplaceAllFunc(b, func(m []byte) []byte { return keep(r.option.FindSubmatch(m)) })
}

// keep is a match with its value masked: within its quotes, if it has any. What a shell would put there is no secret itself.
func keep(s [][]byte) []byte {
	value := s[3]
	out := append(append([]byte(nil), s[1]...), s[2]...)
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') {
		if len(value) == 2 || value[1] == '$' {
			return append(out, value...)
		}
		return append(append(append(out, value[0]), Mask...), value[0])
	}
	if value[0] == '$' || string(value) == Mask || strings.HasPrefix(string(value), "//") {
		return append(out, value...)
	}
	return append(out, Mask...)
}

// worth tells quickly whether a text could hold a secret at all.
func worth(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	if bytes.Contains(b, []byte("://")) || bytes.Contains(b, []byte("eyJ")) {
		return true
	}
	lower := bytes.ToLower(b[:min(len(b), 1<<20)])
	for _, s := range []string{
		"pass", "pwd", "secret", "token", "key", "cred", "sig", "conn", "auth", "cookie", "gh", "glpat", "xox", "akia", "q~", "sk-", "npm_", "pypi-",
	} {
		if bytes.Contains(lower, []byte(s)) {
			return true
		}
	}
	return false
}

// program is the rule for the program that a command line starts, and which argument that program is; one without rules for others.
func program(args [][]byte) (out rule, at int) {
	if len(args) == 0 {
		return rule{}, 0
	}
	switch name := baseName(args[0]); name {
	case "sudo", "env", "nohup", "nice", "ionice", "time", "timeout", "setsid", "doas", "stdbuf", "busybox", "xargs", "command", "exec", "chroot", "runuser", "strace":
		// What it runs decides. Which of its arguments that is depends on its options: the first that is a program with a rule.
		for i, a := range args {
			if out, ok := ruleOf(baseName(a)); ok {
				return out, i
			}
		}
		return rule{}, 0
	default:
		out, _ = ruleOf(name)
		return out, 0
	}
}

// baseName is a program's name without its folder and version: mysql of /opt/bin/mysql8.0.
func baseName(arg []byte) string {
	if len(arg) > 4096 {
		return ""
	}
	name := strings.ToLower(path.Base(string(arg)))
	if i := strings.IndexAny(name, "0123456789."); i > 2 {
		return strings.TrimRight(name[:i], "-")
	}
	return name
}
