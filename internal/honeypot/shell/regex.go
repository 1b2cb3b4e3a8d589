package shell

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// goRegexp turns a POSIX basic or an extended expression into Go's. What Go lacks (back references, look-around) is an error, as a wrong expression is.
func goRegexp(expr string, extended, fold bool) (*regexp.Regexp, error) {
	var b strings.Builder
	if fold {
		b.WriteString("(?i)")
	}
	special := "+?|(){}"
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		switch {
		case c == '[': // a class is taken as it is
			end := i + 1
			if end < len(expr) && expr[end] == '^' {
				end++
			}
			if end < len(expr) && expr[end] == ']' {
				end++
			}
			for end < len(expr) && expr[end] != ']' {
				if strings.HasPrefix(expr[end:], "[:") {
					if j := strings.Index(expr[end:], ":]"); j > 0 {
						end += j + 1
					}
				}
				end++
			}
			class := expr[i:min(end+1, len(expr))]
			b.WriteString(strings.ReplaceAll(class, `\`, `\\`))
			i = end
		case c == '\\' && i+1 < len(expr):
			i++
			switch {
			case !extended && strings.IndexByte(special, expr[i]) >= 0:
				b.WriteByte(expr[i])
			case expr[i] == '<' || expr[i] == '>':
				b.WriteString(`\b`)
			default:
				b.WriteByte('\\')
				b.WriteByte(expr[i])
			}
		case !extended && strings.IndexByte(special, c) >= 0, !extended && c == '*' && (i == 0 || expr[i-1] == '^' && i == 1):
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return compiled(b.String())
}

func grep(p *program) int {
	o := p.parse("emABCf", "regexp", "include", "exclude", "color")
	pat, names := o.value("e", "regexp"), o.rest
	if !o.is("e", "regexp") {
		if len(names) == 0 {
			fmt.Fprintln(p.io.err, "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.")
			return 2
		}
		pat, names = names[0], names[1:]
	}
	if o.is("F", "fixed-strings") || p.args[0] == "fgrep" {
		pat = regexp.QuoteMeta(pat)
		o.has["E"] = ""
	}
	re, err := goRegexp(pat, o.is("E", "P", "extended-regexp", "perl-regexp") || p.args[0] == "egrep", o.is("i", "y", "ignore-case"))
	if err != nil {
		p.fail("Unmatched [, [^, [:, [., or [=")
		return 2
	}
	if o.is("w") || o.is("x") {
		edge := map[bool]string{true: "^", false: `\b`}[o.is("x")]
		end := map[bool]string{true: "$", false: `\b`}[o.is("x")]
		if re, err = compiled(edge + "(?:" + re.String() + ")" + end); err != nil {
			return 2
		}
	}
	if o.is("r", "R", "recursive") {
		if len(names) == 0 {
			names = []string{"."}
		}
		names = p.below(names)
	}
	in, status := p.inputs(names)
	if o.is("s") && status != 0 {
		status = 2
	}
	found := false
	for _, f := range in {
		found = p.grepOne(re, f, o, len(names) > 1 || o.is("H", "r", "R")) || found
	}
	switch {
	case found:
		return 0
	case status != 0:
		return 2
	}
	return 1
}

func (p *program) grepOne(re *regexp.Regexp, f input, o options, named bool) bool {
	prefix := ""
	if named && !o.is("h") {
		prefix = f.name + ":"
	}
	most := 1 << 30
	if m := o.value("m", "max-count"); m != "" {
		most = int(numberOf(m))
	}
	n := 0
	binary := bytes.IndexByte(f.data, 0) >= 0 && !o.is("a", "text", "o")
	for i, l := range lines(f.data) {
		if re.MatchString(l) == o.is("v", "invert-match") {
			continue
		}
		if n++; n > most {
			n--
			break
		}
		number := ""
		if o.is("n") {
			number = strconv.Itoa(i+1) + ":"
		}
		switch {
		case o.is("q", "quiet", "silent"):
			return true
		case o.is("l"):
			p.line(f.name)
			return true
		case o.is("c"):
		case binary:
			p.line("Binary file " + f.name + " matches")
			return true
		case o.is("o"):
			for _, m := range re.FindAllString(l, 10000) {
				if m != "" && !p.line(prefix+number+m) {
					return true
				}
			}
		default:
			if !p.line(prefix + number + l) {
				return true
			}
		}
	}
	if o.is("c") {
		p.line(prefix + strconv.Itoa(n))
	}
	return n > 0
}

// below lists the files in folders.
func (p *program) below(names []string) []string {
	var out []string
	for i := 0; i < len(names) && len(out) < 2000 && p.step(); i++ {
		n := names[i]
		info, err := p.cfg.FS.Lstat(p.user(), p.abs(n))
		if err == nil && info.Mode.IsDir() {
			children, _ := p.cfg.FS.ReadDir(p.user(), p.abs(n))
			for _, c := range children {
				names = append(names, path.Join(n, c))
			}
			continue
		}
		if err != nil || info.Mode.IsRegular() && info.Source == nil {
			out = append(out, n)
		}
	}
	return out
}

// sedCommand is one command of a sed script.
type sedCommand struct {
	from, to     *sedAddress
	not          bool
	verb         byte
	re           *regexp.Regexp
	with         string
	global, show bool
	nth          int
	inside       bool // a range that has begun
}

type sedAddress struct {
	line int // -1: the last
	re   *regexp.Regexp
}

func sed(p *program) int {
	o := p.parse("ef", "expression", "file")
	script := o.value("e", "expression")
	names := o.rest
	if !o.is("e", "expression") {
		if len(names) == 0 {
			fmt.Fprintln(p.io.err, "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...")
			return 1
		}
		script, names = names[0], names[1:]
	}
	for i, a := range p.args { // more than one -e
		if (a == "-e" || a == "--expression") && i+1 < len(p.args) && p.args[i+1] != script {
			script = p.args[i+1] + "\n" + script
		}
	}
	commands, err := parseSed(cut(script, 4096), o.is("r", "E"))
	if err != nil {
		return p.fail("-e expression #1, char %d: %s", len(script), err)
	}
	in, status := p.inputs(names)
	inPlace := o.is("i", "in-place")
	var joined []byte
	for _, f := range in {
		if inPlace {
			out := sedAll(commands, lines(f.data), o.is("n", "quiet"))
			if err := p.cfg.FS.Write(p.user(), p.abs(f.name), []byte(out), false, 0o644); err != nil {
				status = p.fail("couldn't open file %s: %s", printable(f.name), err)
			}
			continue
		}
		joined = append(joined, f.data...)
	}
	if !inPlace {
		p.write([]byte(sedAll(commands, lines(joined), o.is("n", "quiet"))))
	}
	return status
}

func sedAll(commands []sedCommand, all []string, quiet bool) string {
	var out strings.Builder
	for i, l := range all {
		deleted, quit := false, false
		for j := range commands {
			c := &commands[j]
			if c.applies(i+1, i+1 == len(all), l) == c.not {
				continue
			}
			switch c.verb {
			case 's':
				l = c.substitute(l, &out)
			case 'd':
				deleted = true
			case 'p':
				out.WriteString(l + "\n")
			case 'q':
				quit = true
			case 'i':
				out.WriteString(c.with + "\n")
			case 'a':
				l += "\n" + c.with
			case 'c':
				l = c.with
			case '=':
				out.WriteString(strconv.Itoa(i+1) + "\n")
			}
			if deleted || quit {
				break
			}
		}
		if !deleted && !quiet {
			out.WriteString(l + "\n")
		}
		if quit || out.Len() > maxPipe {
			break
		}
	}
	return out.String()
}

func (c *sedCommand) applies(n int, last bool, l string) bool {
	hit := func(a *sedAddress) bool {
		if a.re != nil {
			return a.re.MatchString(l)
		}
		return a.line == n || a.line < 0 && last
	}
	switch {
	case c.from == nil:
		return true
	case c.to == nil:
		return hit(c.from)
	case c.inside:
		if hit(c.to) || c.to.re == nil && c.to.line >= 0 && n >= c.to.line {
			c.inside = false
		}
		return true
	case hit(c.from):
		c.inside = c.to.re != nil || c.to.line < 0 || c.to.line > n
		return true
	}
	return false
}

func (c *sedCommand) substitute(l string, out *strings.Builder) string {
	if len(l) > maxValue*4 {
		return l
	}
	n, hit := 0, false
	var b strings.Builder
	last := 0
	for _, m := range c.re.FindAllStringSubmatchIndex(l, 10000) {
		if n++; n < c.nth {
			continue
		}
		hit = true
		b.WriteString(l[last:m[0]])
		for i := 0; i < len(c.with) && b.Len() < maxPipe; i++ {
			switch ch := c.with[i]; {
			case ch == '&':
				b.WriteString(l[m[0]:m[1]])
			case ch == '\\' && i+1 < len(c.with):
				i++
				d := int(c.with[i] - '0')
				switch {
				case d >= 0 && d <= 9 && 2*d+1 < len(m) && m[2*d] >= 0:
					b.WriteString(l[m[2*d]:m[2*d+1]])
				case c.with[i] == 'n':
					b.WriteByte('\n')
				case d < 0 || d > 9:
					b.WriteByte(c.with[i])
				}
			default:
				b.WriteByte(ch)
			}
		}
		if last = m[1]; !c.global {
			break
		}
	}
	if !hit {
		return l
	}
	b.WriteString(l[last:])
	if c.show {
		out.WriteString(b.String() + "\n")
	}
	return b.String()
}

// parseSed reads a script: addresses, s, d, p, q, i, a, c and =.
func parseSed(script string, extended bool) ([]sedCommand, error) {
	var out []sedCommand
	rest := script
	for {
		rest = strings.TrimLeft(rest, " \t\n;{}")
		if rest == "" {
			return out, nil
		}
		if len(out) > 256 {
			return nil, fmt.Errorf("too many commands")
		}
		var c sedCommand
		var err error
		if c.from, rest, err = sedAddressOf(rest, extended); err != nil {
			return nil, err
		}
		if c.from != nil && strings.HasPrefix(rest, ",") {
			if c.to, rest, err = sedAddressOf(rest[1:], extended); err != nil {
				return nil, err
			}
		}
		rest = strings.TrimLeft(rest, " ")
		if strings.HasPrefix(rest, "!") {
			c.not, rest = true, rest[1:]
		}
		if rest = strings.TrimLeft(rest, " {"); rest == "" {
			return nil, fmt.Errorf("missing command")
		}
		c.verb, rest = rest[0], rest[1:]
		switch c.verb {
		case 's':
			if rest, err = c.parseSubstitute(rest, extended); err != nil {
				return nil, err
			}
		case 'd', 'p', 'q', '=':
		case 'i', 'a', 'c':
			text, after, _ := strings.Cut(rest, "\n")
			c.with, rest = strings.TrimLeft(strings.TrimLeft(text, " "), `\`), after
		default:
			return nil, fmt.Errorf("unknown command: `%c'", c.verb)
		}
		out = append(out, c)
	}
}

func sedAddressOf(s string, extended bool) (*sedAddress, string, error) {
	switch {
	case s == "":
		return nil, s, nil
	case s[0] == '$':
		return &sedAddress{line: -1}, s[1:], nil
	case s[0] >= '0' && s[0] <= '9':
		n := digitsOf(s, "0123456789", 9)
		v, _ := strconv.Atoi(s[:n])
		return &sedAddress{line: v}, s[n:], nil
	case s[0] == '/':
		text, rest, ok := delimited(s[1:], '/')
		if !ok {
			return nil, s, fmt.Errorf("unterminated address regex")
		}
		re, err := goRegexp(text, extended, false)
		return &sedAddress{re: re}, rest, err
	}
	return nil, s, nil
}

// delimited reads up to a delimiter that no backslash stands before.
func delimited(s string, by byte) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == by:
			i++
			b.WriteByte(by)
		case s[i] == '\\' && i+1 < len(s):
			b.WriteByte(s[i])
			i++
			b.WriteByte(s[i])
		case s[i] == by:
			return b.String(), s[i+1:], true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

func (c *sedCommand) parseSubstitute(s string, extended bool) (string, error) {
	if s == "" {
		return "", fmt.Errorf("unterminated `s' command")
	}
	by := s[0]
	expr, s, ok := delimited(s[1:], by)
	if ok {
		c.with, s, ok = delimited(s, by)
	}
	if !ok {
		return "", fmt.Errorf("unterminated `s' command")
	}
	fold := false
	for s != "" && s[0] != ';' && s[0] != '\n' && s[0] != '}' && s[0] != ' ' {
		switch ch := s[0]; {
		case ch == 'g':
			c.global = true
		case ch == 'p':
			c.show = true
		case ch == 'i' || ch == 'I':
			fold = true
		case ch >= '1' && ch <= '9':
			c.nth = int(ch - '0')
		default:
			return "", fmt.Errorf("unknown option to `s'")
		}
		s = s[1:]
	}
	var err error
	c.re, err = goRegexp(expr, extended, fold)
	return s, err
}
