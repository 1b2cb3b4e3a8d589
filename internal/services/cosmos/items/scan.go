package items

import "unicode/utf8"

// member is one top-level property: offsets of its quoted name and its value.
type member struct {
	nameStart, nameEnd, valueStart, valueEnd int
	escaped                                  bool // the name has escapes
}

// scanner checks JSON strictly (RFC 8259, UTF-8) in one pass. Its methods return what is wrong, "" if nothing.
type scanner struct {
	b          []byte
	i          int
	start, end int
}

const endsEarly = "the JSON text ends early"

func (s *scanner) document() ([]member, string) {
	s.space()
	if s.i == len(s.b) {
		return nil, "it is empty"
	}
	if s.b[s.i] != '{' {
		return nil, "it is not a JSON object"
	}
	s.start = s.i
	s.i++
	members := make([]member, 0, 16)
	s.space()
	if s.i < len(s.b) && s.b[s.i] == '}' {
		s.i++
	} else {
		for {
			m, err := s.member()
			if err != "" {
				return nil, err
			}
			members = append(members, m)
			done, err := s.next('}')
			if err != "" {
				return nil, err
			}
			if done {
				break
			}
		}
	}
	s.end = s.i
	s.space()
	if s.i < len(s.b) {
		return nil, "text follows the JSON document"
	}
	return members, ""
}

func (s *scanner) member() (m member, err string) {
	s.space()
	m.nameStart = s.i
	if m.escaped, err = s.str(); err != "" {
		return m, err
	}
	m.nameEnd = s.i
	s.space()
	if s.i == len(s.b) {
		return m, endsEarly
	}
	if s.b[s.i] != ':' {
		return m, "a colon is missing after a property's name"
	}
	s.i++
	s.space()
	m.valueStart = s.i
	err = s.value(1)
	m.valueEnd = s.i
	return m, err
}

// next reads what follows a member or element: a comma, or the closing bracket.
func (s *scanner) next(closing byte) (done bool, err string) {
	s.space()
	if s.i == len(s.b) {
		return false, endsEarly
	}
	switch s.b[s.i] {
	case ',':
		s.i++
		return false, ""
	case closing:
		s.i++
		return true, ""
	}
	return false, "a comma or a closing bracket is missing"
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\r' || s.b[s.i] == '\t') {
		s.i++
	}
}

func (s *scanner) value(depth int) string {
	if s.i == len(s.b) {
		return endsEarly
	}
	switch c := s.b[s.i]; c {
	case '"':
		_, err := s.str()
		return err
	case '{', '[':
		if depth >= maxDepth {
			return "it is nested too deeply"
		}
		return s.compound(c, depth)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

func (s *scanner) compound(open byte, depth int) string {
	s.i++
	closing := open + 2 // in ASCII, both pairs are two apart
	s.space()
	if s.i < len(s.b) && s.b[s.i] == closing {
		s.i++
		return ""
	}
	for {
		s.space()
		if open == '{' {
			if _, err := s.str(); err != "" {
				return err
			}
			s.space()
			if s.i == len(s.b) || s.b[s.i] != ':' {
				return "a colon is missing after a property's name"
			}
			s.i++
			s.space()
		}
		if err := s.value(depth + 1); err != "" {
			return err
		}
		if done, err := s.next(closing); done || err != "" {
			return err
		}
	}
}

func (s *scanner) word(w string) string {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return "a value is not JSON"
	}
	s.i += len(w)
	return ""
}

// str reads a quoted string.
func (s *scanner) str() (escaped bool, err string) {
	if s.i == len(s.b) {
		return false, endsEarly
	}
	if s.b[s.i] != '"' {
		return false, "a property's name is missing"
	}
	s.i++
	for s.i < len(s.b) {
		c := s.b[s.i]
		switch {
		case c == '"':
			s.i++
			return escaped, ""
		case c == '\\':
			escaped = true
			if err := s.escape(); err != "" {
				return true, err
			}
		case c < 0x20:
			return escaped, "a string has an unescaped control character"
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && n == 1 {
				return escaped, "a string is not UTF-8"
			}
			s.i += n
		}
	}
	return escaped, endsEarly
}

func (s *scanner) escape() string {
	if s.i+1 >= len(s.b) {
		return endsEarly
	}
	switch s.b[s.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i += 2
		return ""
	case 'u':
		if s.i+6 > len(s.b) {
			return endsEarly
		}
		for _, c := range s.b[s.i+2 : s.i+6] {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return "a string has a malformed escape"
			}
		}
		s.i += 6
		return ""
	}
	return "a string has a malformed escape"
}

func (s *scanner) number() string {
	const bad = "a value is not JSON"
	if s.b[s.i] == '-' {
		s.i++
	}
	switch n := s.digits(); {
	case n == 0:
		return bad
	case n > 1 && s.b[s.i-n] == '0':
		return "a number begins with a zero"
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if s.digits() == 0 {
			return bad
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if s.digits() == 0 {
			return bad
		}
	}
	return ""
}

func (s *scanner) digits() int {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i - from
}
