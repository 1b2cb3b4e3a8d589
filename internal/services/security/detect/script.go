package detect

import (
	"bytes"
	"strings"
)

// redirect is a file that a command's input or output goes to.
type redirect struct {
	op   byte // '<', '>', or 'a' for what is appended
	file string
}

// reader takes a shell script apart: its simple commands with their redirections and pipes, those of command substitutions, and the values of variables where they are
// plain. It reads what a person would, not all that a shell can do: what it can't read it passes over.
type reader struct {
	out      []Command
	text     string
	via      string
	depth    int
	words    []string
	word     []byte
	inWord   bool
	quoted   bool // a part of the word was in quotes
	files    []redirect
	op       byte // a redirection waits for its file
	input    string
	here     []string // ends of here documents that begin at the end of the line
	vars     map[string]string
	pipeline int
	stage    int
}

// script appends the commands of a shell script. Text in base64 is decoded and read as a script too.
func script(out []Command, text, via string, depth int) []Command {
	r := reader{out: out, text: text[:min(len(text), maxScript)], via: via, depth: depth}
	r.pipeline = 1
	for i := range out {
		r.pipeline = max(r.pipeline, out[i].Pipeline+1)
	}
	r.read()
	return r.out
}

func (r *reader) read() {
	for i := 0; i < len(r.text); i++ {
		switch c := r.text[i]; c {
		case ' ', '\t':
			r.end()
		case '#':
			if !r.inWord { // a remark
				if n := strings.IndexByte(r.text[i:], '\n'); n >= 0 {
					i += n - 1
				} else {
					i = len(r.text)
				}
				continue
			}
			r.add(c)
		case ';', '&', '\n', '(', ')', '|':
			i = r.ends(i)
		case '{', '}':
			if r.inWord || i+1 < len(r.text) && r.text[i+1] != ' ' && r.text[i+1] != '\n' && r.text[i+1] != ';' && r.text[i+1] != '\t' {
				r.add(c)
				continue
			}
			r.end()
			r.flush(false)
		case '<', '>':
			i = r.redirection(i)
		case '\\':
			if i+1 < len(r.text) {
				if i++; r.text[i] != '\n' {
					r.add(r.text[i])
				}
			}
		case '\'':
			r.inWord, r.quoted = true, true
			for i++; i < len(r.text) && r.text[i] != '\''; i++ {
				r.word = append(r.word, r.text[i])
			}
		case '"':
			i = r.double(i + 1)
		case '`':
			i = r.substitution(i+1, "`")
		case '$':
			i = r.dollar(i)
		default:
			r.add(c)
		}
	}
	r.end()
	r.flush(false)
}

func (r *reader) add(c byte) {
	r.inWord = true
	r.word = append(r.word, c)
}

// ends is a character that ends a command; it returns the place of its last byte.
func (r *reader) ends(i int) int {
	c := r.text[i]
	next := byte(0)
	if i+1 < len(r.text) {
		next = r.text[i+1]
	}
	if c == '&' && next == '>' { // &> file
		r.end()
		return r.redirection(i + 1)
	}
	r.end()
	if c == ')' { // (a; b) | c: what stands behind the group reads what the last in it writes
		n := i + 1
		for n < len(r.text) && r.text[n] == ' ' {
			n++
		}
		if n < len(r.text) && r.text[n] == '|' && (n+1 == len(r.text) || r.text[n+1] != '|') {
			r.flush(true)
			return n
		}
	}
	pipe := c == '|' && next != '|'
	r.flush(pipe)
	if c == '\n' {
		i = r.documents(i)
	}
	if c == '|' && (next == '|' || next == '&') || c == '&' && next == '&' {
		i++
	}
	return i
}

// redirection reads < > >> << <<< >& and <(; it returns the place of the last byte of the sign.
func (r *reader) redirection(i int) int {
	c := r.text[i]
	if r.inWord && !r.quoted && len(bytes.Trim(r.word, "0123456789")) == 0 { // 2>
		r.word = r.word[:0]
		r.inWord = false
	}
	r.end()
	n := 1
	for i+n < len(r.text) && r.text[i+n] == c {
		n++
	}
	rest := r.text[i+n:]
	switch {
	case strings.HasPrefix(rest, "("): // a process in the place of a file
		return r.substitution(i+n+1, ")")
	case strings.HasPrefix(rest, "&"): // another descriptor
		for n++; i+n < len(r.text) && (r.text[i+n] >= '0' && r.text[i+n] <= '9' || r.text[i+n] == '-'); n++ {
		}
		return i + n - 1
	case c == '<' && n == 3:
		r.op = 's'
	case c == '<' && n == 2:
		r.op = 'h'
		if strings.HasPrefix(rest, "-") {
			n++
		}
	case c == '<':
		r.op = '<'
		if strings.HasPrefix(rest, ">") {
			n++
		}
	case n >= 2:
		r.op = 'a'
	default:
		r.op = '>'
		if strings.HasPrefix(rest, "|") {
			n++
		}
	}
	return i + n - 1
}

// double reads what stands between double quotes; it returns the place of the closing one.
func (r *reader) double(i int) int {
	r.inWord, r.quoted = true, true
	for ; i < len(r.text) && r.text[i] != '"'; i++ {
		switch c := r.text[i]; {
		case c == '\\' && i+1 < len(r.text):
			i++
			r.word = append(r.word, r.text[i])
		case c == '`':
			i = r.substitution(i+1, "`")
		case c == '$':
			i = r.dollar(i)
		default:
			r.word = append(r.word, c)
		}
	}
	return i
}

// dollar reads a variable, a command substitution or text in $'...'; it returns the place of its last byte.
func (r *reader) dollar(i int) int {
	rest := r.text[i+1:]
	switch {
	case strings.HasPrefix(rest, "(("), rest == "":
		r.add('$')
		return i
	case rest[0] == '(':
		return r.substitution(i+2, ")")
	case rest[0] == '{':
		if end := strings.IndexByte(rest, '}'); end > 0 {
			if v, ok := r.vars[rest[1:end]]; ok {
				r.value(v)
			} else {
				r.value(r.text[i : i+end+2])
			}
			return i + 1 + end
		}
		r.add('$')
		return i
	case rest[0] == '\'':
		r.inWord, r.quoted = true, true
		j := i + 2
		for ; j < len(r.text) && r.text[j] != '\''; j++ {
			if r.text[j] == '\\' && j+3 < len(r.text) && r.text[j+1] == 'x' {
				r.word = append(r.word, hexByte(r.text[j+2])<<4|hexByte(r.text[j+3]))
				j += 3
				continue
			}
			r.word = append(r.word, r.text[j])
		}
		return j
	}
	n := 0
	for n < len(rest) && (rest[n] == '_' || rest[n] >= 'a' && rest[n] <= 'z' || rest[n] >= 'A' && rest[n] <= 'Z' || n > 0 && rest[n] >= '0' && rest[n] <= '9') {
		n++
	}
	if v, ok := r.vars[rest[:n]]; ok && n > 0 {
		r.value(v)
	} else {
		r.value(r.text[i : i+1+n])
	}
	return i + n
}

func hexByte(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0
}

func (r *reader) value(v string) {
	r.inWord = true
	if len(r.word)+len(v) <= maxScript {
		r.word = append(r.word, v...)
	}
}

// substitution reads $( ), ` ` and <( ): its commands are commands; its value is the file's name for which and the like, and the text itself for others.
func (r *reader) substitution(from int, end string) int {
	n, open := from, 1
	for ; n < len(r.text); n++ {
		c := r.text[n]
		if c == '\\' {
			n++
			continue
		}
		if end == "`" {
			if c == '`' {
				break
			}
			continue
		}
		if c == '\'' { // what is quoted doesn't count
			if q := strings.IndexByte(r.text[n+1:], '\''); q >= 0 {
				n += q + 1
			}
			continue
		}
		if c == '(' {
			open++
		}
		if c == ')' {
			if open--; open == 0 {
				break
			}
		}
	}
	inner := r.text[min(from, len(r.text)):min(n, len(r.text))]
	if r.depth < maxUnwrap {
		r.out = script(r.out, inner, r.via, r.depth+1)
	}
	fields := strings.Fields(inner)
	if len(fields) >= 2 && (fields[0] == "which" || fields[0] == "command" || fields[0] == "type") {
		r.value(fields[len(fields)-1])
	} else if end == "`" {
		r.value("`" + inner + "`")
	} else {
		r.value("$(" + inner + ")")
	}
	return n
}

// end is the end of a word.
func (r *reader) end() {
	if !r.inWord {
		return
	}
	w := string(r.word)
	r.word = r.word[:0]
	r.inWord = false
	quoted := r.quoted
	r.quoted = false
	switch r.op {
	case 0:
		if quoted && len(r.words) == 0 && w == "" {
			return
		}
		r.words = append(r.words, w)
		if s, ok := unbase64(w); ok && r.depth < maxUnwrap {
			r.out = script(r.out, s, "base64", r.depth+1)
		}
	case 'h':
		if len(r.here) < 16 {
			r.here = append(r.here, w)
		}
	case 's':
		r.input = w
	default:
		r.files = append(r.files, redirect{r.op, w})
	}
	r.op = 0
}

// flush is the end of a command; pipe tells that the next one reads what it writes.
func (r *reader) flush(pipe bool) {
	words := r.words
	r.words = nil
	var env []string
	for len(words) > 0 {
		if words[0] == "for" || words[0] == "select" {
			if len(words) > 3 && words[2] == "in" {
				r.set(words[1] + "=" + words[3])
			}
			words = nil
			break
		}
		if assignment(words[0]) {
			r.set(words[0])
			env = append(env, words[0])
		} else if !keyword(words[0]) {
			break
		}
		words = words[1:]
	}
	if len(words) == 0 && len(env) > 0 && len(r.files) == 0 { // a statement of its own
		words, env = append([]string{"export"}, env...), nil
	}
	from := len(r.out)
	if len(words) > 0 {
		r.out = unwrap(r.out, words, r.via, r.depth)
	} else if len(r.files) > 0 && len(r.out) < maxCommands { // > file
		r.out = append(r.out, Command{Name: ":", Path: ":", Via: r.via})
	}
	for i := from; i < len(r.out); i++ {
		c := &r.out[i]
		if i == from {
			c.Env = append(c.Env, env...)
			c.Redirects, c.Input = r.files, r.input
		}
		if pipe || r.stage > 0 {
			if c.Pipeline == 0 {
				c.Pipeline, c.Stage = r.pipeline, r.stage
			}
		}
	}
	r.files, r.input, r.op = nil, "", 0
	if pipe {
		r.stage++
	} else {
		r.stage = 0
		r.pipeline++
	}
}

func (r *reader) set(a string) {
	name, v, _ := strings.Cut(a, "=")
	if r.vars == nil {
		r.vars = map[string]string{}
	}
	if len(r.vars) < 64 && len(v) < 1024 {
		r.vars[name] = v
	}
}

// documents takes the here documents that begin behind a line's end: the input of the line's last command. It returns the place of the last byte of the last one.
func (r *reader) documents(i int) int {
	for _, word := range r.here {
		from := i + 1
		at := from
		for at < len(r.text) {
			end := strings.IndexByte(r.text[at:], '\n')
			if end < 0 {
				end = len(r.text) - at
			}
			if strings.TrimLeft(r.text[at:at+end], "\t") == word {
				break
			}
			at += end + 1
		}
		body := r.text[min(from, len(r.text)):min(at, len(r.text))]
		if n := len(r.out); n > 0 {
			r.out[n-1].Input = body
			if k := wrapperOf(r.out[n-1].Name); k == wrapsShell && r.depth < maxUnwrap {
				r.out = script(r.out, body, r.out[n-1].Name, r.depth+1)
			}
		}
		i = min(at+len(word), len(r.text))
	}
	r.here = nil
	return i
}

func keyword(w string) bool {
	switch w {
	case "if", "then", "else", "elif", "fi", "while", "until", "do", "done", "case", "esac", "in", "!", "function", "coproc":
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
