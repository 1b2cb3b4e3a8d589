package shell

import (
	"fmt"
	"strconv"
	"strings"
)

// The awk of the shell does what one-liners ask of it: patterns, print, printf, assignments, if, fields, the usual functions. Loops and functions of the visitor's own
// are a syntax error. A program is run as it is read: it is short, and nothing in it can repeat but by the input's lines.

const maxAwk = 4096 // bytes of a program

type awkState struct {
	p      *program
	vars   map[string]string
	fields []string // 0 is the line
	nr     int
	fs     string
	end    bool // exit was met
	next   bool
	wrong  bool
	out    strings.Builder
	depth  int
	src    string // what is left to read
	dry    bool   // read without doing
}

type awkRule struct{ pattern, action string }

func awk(p *program) int {
	o := p.parse("Fvf", "field-separator")
	if len(o.rest) == 0 {
		fmt.Fprintln(p.io.err, "Usage: mawk [Options] [Program] [file ...]")
		return 2
	}
	rules, ok := awkRules(cut(o.rest[0], maxAwk))
	if !ok {
		fmt.Fprintln(p.io.err, "mawk: line 1: syntax error at or near end of line")
		return 2
	}
	a := &awkState{p: p, vars: map[string]string{"OFS": " ", "ORS": "\n", "SUBSEP": "\x1c"}, fs: o.value("F", "field-separator")}
	a.fs, _ = unescape(a.fs, false)
	for i, arg := range p.args {
		if arg == "-v" && i+1 < len(p.args) {
			name, value, _ := strings.Cut(p.args[i+1], "=")
			a.vars[name] = value
		}
	}
	a.all(rules, "BEGIN")
	status := 0
	if !a.end && len(rules) > 0 && !onlyBegin(rules) {
		var in []input
		in, status = p.inputs(o.rest[1:])
		for _, f := range in {
			for _, l := range lines(f.data) {
				a.nr++
				a.split(l)
				a.next = false
				if a.all(rules, ""); a.end || a.wrong || a.out.Len() > maxPipe || !p.step() {
					break
				}
			}
		}
	}
	if !a.wrong {
		a.end = false
		a.all(rules, "END")
	}
	p.write([]byte(a.out.String()))
	if a.wrong {
		fmt.Fprintln(p.io.err, "mawk: line 1: syntax error at or near }")
		return 2
	}
	return status
}

func onlyBegin(rules []awkRule) bool {
	for _, r := range rules {
		if r.pattern != "BEGIN" {
			return false
		}
	}
	return true
}

// awkRules splits a program into patterns and actions.
func awkRules(src string) ([]awkRule, bool) {
	var out []awkRule
	for src = strings.TrimLeft(src, " \t\n;"); src != ""; src = strings.TrimLeft(src, " \t\n;") {
		i := awkScan(src, 0, func(c byte, depth int) bool { return c == '{' || c == '\n' })
		r := awkRule{pattern: strings.TrimSpace(src[:i])}
		src = src[i:]
		if strings.HasPrefix(src, "{") {
			end := awkScan(src, 0, func(c byte, depth int) bool { return c == '}' && depth == 0 })
			if end >= len(src) {
				return nil, false
			}
			r.action, src = src[1:end], src[end+1:]
		} else {
			r.action = "print"
		}
		out = append(out, r)
	}
	return out, true
}

// awkScan finds the first byte outside of strings, expressions and brackets for which at says so.
func awkScan(src string, from int, at func(c byte, depth int) bool) int {
	depth := 0
	var before byte
	for i := from; i < len(src); i++ {
		c := src[i]
		switch {
		case c == '"':
			for i++; i < len(src) && src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
		case c == '/' && (before == 0 || strings.IndexByte("(,!~&|{;", before) >= 0):
			for i++; i < len(src) && src[i] != '/'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
		case c == '}' || c == ')':
			if c == '}' {
				depth--
			}
			if at(c, depth) {
				return i
			}
		default:
			if at(c, depth) {
				return i
			}
			if c == '{' {
				depth++
			}
		}
		if c != ' ' && c != '\t' {
			before = c
		}
	}
	return len(src)
}

func (a *awkState) split(line string) {
	if line = cut(line, maxValue*4); a.fs == "" || a.fs == " " {
		a.fields = append([]string{line}, strings.Fields(line)...)
		return
	}
	if len(a.fs) == 1 && a.fs != "|" || a.fs == "|" {
		a.fields = append([]string{line}, strings.Split(line, a.fs)...)
		return
	}
	if re, err := compiled(a.fs); err == nil {
		a.fields = append([]string{line}, re.Split(line, 4096)...)
		return
	}
	a.fields = []string{line}
}

func (a *awkState) all(rules []awkRule, when string) {
	for _, r := range rules {
		if a.end || a.next || a.wrong {
			return
		}
		special := r.pattern == "BEGIN" || r.pattern == "END"
		switch {
		case special != (when != "") || special && r.pattern != when:
			continue
		case !special && r.pattern != "":
			a.src = r.pattern
			if v := a.expression(); !awkTrue(v) {
				continue
			}
		}
		a.src = r.action
		a.statements(false)
	}
}

func awkTrue(v string) bool {
	if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
		return f != 0
	}
	return v != ""
}

func (a *awkState) space() { a.src = strings.TrimLeft(a.src, " \t\n") }

func (a *awkState) take(s string) bool {
	a.space()
	if strings.HasPrefix(a.src, s) {
		a.src = a.src[len(s):]
		return true
	}
	return false
}

// word takes a name if it is the one given.
func (a *awkState) word(w string) bool {
	a.space()
	if strings.HasPrefix(a.src, w) && (len(a.src) == len(w) || !isNameByte(a.src[len(w)])) {
		a.src = a.src[len(w):]
		return true
	}
	return false
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (a *awkState) statements(inBraces bool) {
	for a.space(); a.src != "" && !a.wrong && !(a.end || a.next) || a.dry && a.src != ""; a.space() {
		if inBraces && a.src[0] == '}' {
			return
		}
		if a.src[0] == ';' {
			a.src = a.src[1:]
			continue
		}
		left := len(a.src)
		if a.statement(); a.wrong || len(a.src) == left {
			a.wrong = true
			return
		}
	}
}

func (a *awkState) statement() {
	switch {
	case a.word("print"):
		a.print()
	case a.word("printf"):
		args := a.list()
		if len(args) > 0 && !a.dry {
			var b strings.Builder
			formatOnce(&b, args[0], args[1:])
			a.emit(b.String())
		}
	case a.word("if"):
		a.conditional()
	case a.word("next"):
		a.next = a.next || !a.dry
	case a.word("exit"):
		if a.space(); a.src != "" && a.src[0] != ';' && a.src[0] != '}' {
			a.expression()
		}
		a.end = a.end || !a.dry
	case a.take("{"):
		a.statements(true)
		a.take("}")
	default:
		a.expression()
	}
}

func (a *awkState) emit(s string) {
	if a.out.Len() < maxPipe {
		a.out.WriteString(s)
	}
}

func (a *awkState) print() {
	args := a.list()
	if a.dry {
		return
	}
	if len(args) == 0 {
		args = []string{a.field(0)}
	}
	a.emit(strings.Join(args, a.vars["OFS"]) + a.vars["ORS"])
}

// list reads expressions up to the end of the statement.
func (a *awkState) list() []string {
	var out []string
	for {
		a.space()
		if a.src == "" || strings.IndexByte(";}|>", a.src[0]) >= 0 || a.wrong || len(out) > 256 {
			if a.src != "" && (a.src[0] == '>' || a.src[0] == '|') { // to a file or a program: not printed
				if i := strings.IndexAny(a.src, ";}"); i >= 0 {
					a.src = a.src[i:]
				} else {
					a.src = ""
				}
			}
			return out
		}
		out = append(out, a.expression())
		a.take(",")
	}
}

func (a *awkState) conditional() {
	if !a.take("(") {
		a.wrong = true
		return
	}
	yes := awkTrue(a.expression())
	if !a.take(")") {
		a.wrong = true
		return
	}
	dry := a.dry
	a.dry = dry || !yes
	a.statement()
	a.take(";")
	if a.dry = dry || yes; a.word("else") {
		a.statement()
	}
	a.dry = dry
}

func (a *awkState) field(n int) string {
	if n >= 0 && n < len(a.fields) {
		return a.fields[n]
	}
	return ""
}
