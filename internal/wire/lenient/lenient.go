// Package lenient reads JSON the way Azure Resource Manager does and writes it down as standard JSON.
//
// Beside RFC 8259 it accepts what real clients and copied examples send: // and /* */ comments, unquoted keys, strings in single or typographic
// quotes, raw line breaks in strings, trailing commas, a byte order mark and no-break spaces. Standard JSON passes through byte by byte. Otherwise
// the order of keys, the text of numbers and the content of strings are kept; only white space and quoting change. Property names in any case are the
// decoder's business (encoding/json matches them so; arm.Object for maps).
package lenient

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxDepth bounds the nesting of objects and arrays.
const MaxDepth = 256

// Error says where a text stops being acceptable. It never repeats the text beyond the one character at fault.
type Error struct {
	Line   int // from 1
	Column int // in characters, from 1
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s at line %d, column %d", e.Reason, e.Line, e.Column)
}

// Standard returns src as standard JSON, or an *Error. The result may be src itself.
func Standard(src []byte) ([]byte, error) {
	if shallow(src) && json.Valid(src) {
		return src, nil
	}
	p := parser{src: string(src), out: make([]byte, 0, len(src)+len(src)/8)}
	p.src = strings.TrimPrefix(p.src, "\ufeff")
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.out, nil
}

// shallow tells whether the nesting, counted roughly upwards (brackets in strings count too), can't exceed MaxDepth.
func shallow(src []byte) bool {
	depth := 0
	for _, c := range src {
		if c == '{' || c == '[' {
			if depth++; depth > MaxDepth {
				return false
			}
		}
		if (c == '}' || c == ']') && depth > 0 {
			depth--
		}
	}
	return true
}

type parser struct {
	src   string
	pos   int
	depth int
	out   []byte
}

func (p *parser) fail(format string, args ...any) error {
	before := p.src[:p.pos]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return &Error{Line: line, Column: column, Reason: fmt.Sprintf(format, args...)}
}

// unexpected is the failure for what stands at pos instead of want.
func (p *parser) unexpected(want string) error {
	if p.pos >= len(p.src) {
		return p.fail("the text ends where %s is expected", want)
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.pos:])
	return p.fail("%q where %s is expected", r, want)
}

func (p *parser) document() error {
	if err := p.space(); err != nil {
		return err
	}
	if err := p.value(); err != nil {
		return err
	}
	if err := p.space(); err != nil {
		return err
	}
	if p.pos < len(p.src) {
		return p.unexpected("the end of the text")
	}
	return nil
}

// space skips white space and comments.
func (p *parser) space() error {
	for p.pos < len(p.src) {
		rest := p.src[p.pos:]
		switch {
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '\r':
			p.pos++
		case strings.HasPrefix(rest, "//"):
			n := strings.IndexAny(rest, "\r\n")
			if n < 0 {
				n = len(rest)
			}
			p.pos += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				return p.fail("a comment without end")
			}
			p.pos += n + 4
		case strings.HasPrefix(rest, "\u00a0"): // no-break space
			p.pos += len("\u00a0")
		default:
			return nil
		}
	}
	return nil
}

func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *parser) value() error {
	c := p.peek()
	switch {
	case c == '{':
		return p.nested('}', p.member)
	case c == '[':
		return p.nested(']', p.value)
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	if n, q := quoteAt(p.src[p.pos:]); n > 0 {
		return p.str(n, q)
	}
	word := p.word()
	switch word {
	case "true", "false", "null":
		p.out = append(p.out, word...)
		p.pos += len(word)
		return nil
	}
	return p.unexpected("a value")
}

// nested reads an object or array: items, separated by commas, up to end. A comma before the end is accepted.
func (p *parser) nested(end byte, item func() error) error {
	if p.depth++; p.depth > MaxDepth {
		return p.fail("nesting deeper than %d", MaxDepth)
	}
	p.out = append(p.out, p.src[p.pos])
	p.pos++
	for first := true; ; first = false {
		if err := p.space(); err != nil {
			return err
		}
		if p.peek() == end {
			break
		}
		if !first {
			p.out = append(p.out, ',')
		}
		if err := item(); err != nil {
			return err
		}
		if err := p.space(); err != nil {
			return err
		}
		if c := p.peek(); c == ',' {
			p.pos++
		} else if c != end {
			return p.unexpected("',' or '" + string(end) + "'")
		}
	}
	p.out = append(p.out, end)
	p.pos++
	p.depth--
	return nil
}

// member reads "key": value.
func (p *parser) member() error {
	if n, q := quoteAt(p.src[p.pos:]); n > 0 {
		if err := p.str(n, q); err != nil {
			return err
		}
	} else {
		word := p.word()
		if word == "" {
			return p.unexpected("a property name")
		}
		p.out = append(append(append(p.out, '"'), word...), '"')
		p.pos += len(word)
	}
	if err := p.space(); err != nil {
		return err
	}
	if p.peek() != ':' {
		return p.unexpected("':'")
	}
	p.pos++
	p.out = append(p.out, ':')
	if err := p.space(); err != nil {
		return err
	}
	return p.value()
}

// word is the run of characters at pos that an unquoted name may have.
func (p *parser) word() string {
	i := p.pos
	for i < len(p.src) {
		c := p.src[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '$'
		if !letter && (i == p.pos || (c < '0' || c > '9') && c != '-' && c != '.') {
			break
		}
		i++
	}
	return p.src[p.pos:i]
}

func (p *parser) number() error {
	start := p.pos
	for p.pos < len(p.src) && strings.IndexByte("+-.eE0123456789", p.src[p.pos]) >= 0 {
		p.pos++
	}
	text := p.src[start:p.pos]
	if !json.Valid([]byte(text)) {
		p.pos = start
		return p.fail("a malformed number")
	}
	p.out = append(p.out, text...)
	return nil
}

// quoteAt tells the length of the opening quote at the beginning of s (0: none) and its family, named by one member. An ASCII quote is closed by itself alone;
// a typographic one by any of its family, since editors that put them in are not consistent.
func quoteAt(s string) (n int, family rune) {
	r, n := utf8.DecodeRuneInString(s)
	switch r {
	case '"', '\'':
		return n, r
	case '“', '”', '„':
		return n, '“'
	case '‘', '’', '‚':
		return n, '‘'
	}
	return 0, 0
}

func closes(r, family rune) bool {
	switch family {
	case '“':
		return r == '“' || r == '”' || r == '"'
	case '‘':
		return r == '‘' || r == '’' || r == '\''
	}
	return r == family
}

// str reads a string whose opening quote has n bytes, and writes it in double quotes.
func (p *parser) str(n int, family rune) error {
	start := p.pos
	p.pos += n
	p.out = append(p.out, '"')
	for p.pos < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[p.pos:])
		switch {
		case closes(r, family):
			p.pos += n
			p.out = append(p.out, '"')
			return nil
		case r == '\\':
			if err := p.escape(); err != nil {
				return err
			}
			continue
		case r == '"':
			p.out = append(p.out, '\\', '"')
		case r < 0x20:
			p.out = fmt.Appendf(p.out, `\u%04x`, r)
		default: // also bytes that are no UTF-8, as they are
			p.out = append(p.out, p.src[p.pos:p.pos+n]...)
		}
		p.pos += n
	}
	p.pos = start
	return p.fail("a string without end")
}

// escape copies a backslash sequence; an escaped quote that JSON doesn't escape loses its backslash.
func (p *parser) escape() error {
	rest := p.src[p.pos+1:]
	if rest == "" {
		return p.fail("a string without end")
	}
	switch rest[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.out = append(p.out, '\\', rest[0])
		p.pos += 2
		return nil
	case 'u':
		if len(rest) < 5 || !hex4(rest[1:5]) {
			return p.fail("a malformed \\u escape")
		}
		p.out = append(p.out, p.src[p.pos:p.pos+6]...)
		p.pos += 6
		return nil
	}
	if n, q := quoteAt(rest); n > 0 && q != '"' {
		p.out = append(p.out, rest[:n]...)
		p.pos += 1 + n
		return nil
	}
	return p.fail("a bad escape")
}

func hex4(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}
