package query

import "strings"

// tokenKind classifies a token. Operators and keywords are told apart by their text.
type tokenKind uint8

const (
	tokEOF     tokenKind = iota
	tokIdent             // text is the name
	tokKeyword           // text is the upper-case keyword, or true, false, null, undefined, udf
	tokNumber
	tokString
	tokParam // text includes the @
	tokOp
	tokBad // text is what cannot be read
)

type token struct {
	kind tokenKind
	text string
	span Span
}

// keyword gives the canonical text of a reserved word. Keywords are recognised in any case, except for the last five.
func keyword(word string) (string, bool) {
	switch word {
	case "true", "false", "null", "undefined", "udf":
		return word, true
	}
	if len(word) > 8 {
		return "", false
	}
	switch up := strings.ToUpper(word); up {
	case "ALL", "AND", "ARRAY", "AS", "ASC", "BETWEEN", "BY", "DESC", "DISTINCT", "ESCAPE", "EXISTS", "FIRST", "FROM", "GROUP", "IN",
		"JOIN", "LAST", "LEFT", "LIKE", "LIMIT", "NOT", "OFFSET", "OR", "ORDER", "RANK", "RIGHT", "SELECT", "TOP", "VALUE", "WHERE":
		return up, true
	}
	return "", false
}

// soft keywords may name things where no keyword fits.
func softKeyword(kw string) bool { return kw == "ALL" || kw == "FIRST" || kw == "LAST" }

// operators, longest first.
var operators = [...]string{
	">>>", "<<", ">>", "<=", ">=", "<>", "!=", "??", "||",
	"+", "-", "*", "/", "%", "<", ">", "=", "&", "^", "|", "~", "?", ":", "(", ")", "[", "]", "{", "}", ",", ".",
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// lex reads the token that begins at or after pos. It keeps no state, so a parser looks ahead by calling it again.
func lex(text string, pos int) token {
	for pos < len(text) && strings.IndexByte(" \t\r\n", text[pos]) >= 0 {
		pos++
	}
	if pos >= len(text) {
		return token{kind: tokEOF, span: Span{len(text), len(text)}}
	}
	make := func(kind tokenKind, end int) token {
		return token{kind: kind, text: text[pos:end], span: Span{pos, end}}
	}
	c := text[pos]
	switch {
	case isLetter(c):
		t := make(tokIdent, wordEnd(text, pos))
		if kw, ok := keyword(t.text); ok {
			t.kind, t.text = tokKeyword, kw
		}
		return t
	case isDigit(c), c == '.' && pos+1 < len(text) && isDigit(text[pos+1]):
		return make(tokNumber, numberEnd(text, pos))
	case c == '\'' || c == '"':
		if end, ok := stringEnd(text, pos); ok {
			return make(tokString, end)
		}
		return make(tokBad, len(text))
	case c == '@':
		if end := wordEnd(text, pos+1); end > pos+1 && !isDigit(text[pos+1]) {
			return make(tokParam, end)
		}
		return make(tokBad, pos+1)
	}
	for _, op := range operators {
		if strings.HasPrefix(text[pos:], op) {
			return make(tokOp, pos+len(op))
		}
	}
	end := pos + 1
	for end < len(text) && text[end]&0xC0 == 0x80 { // the rest of a UTF-8 sequence
		end++
	}
	return make(tokBad, end)
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func wordEnd(s string, i int) int {
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i])) {
		i++
	}
	return i
}

func digitsEnd(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func numberEnd(s string, i int) int {
	if s[i] == '0' && i+2 < len(s) && s[i+1]|0x20 == 'x' && isHex(s[i+2]) {
		for i += 2; i < len(s) && isHex(s[i]); i++ {
		}
		return i
	}
	i = digitsEnd(s, i)
	if i < len(s) && s[i] == '.' {
		i = digitsEnd(s, i+1)
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if end := digitsEnd(s, j); end > j {
			return end
		}
	}
	return i
}

// stringEnd finds the end of the literal that begins at i; control characters and unknown escapes are not allowed in it.
func stringEnd(s string, i int) (end int, ok bool) {
	quote := s[i]
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote:
			return i + 1, true
		case c < 0x20:
			return 0, false
		case c == '\\':
			i++
			if i >= len(s) || strings.IndexByte(`"'\/bfnrtu`, s[i]) < 0 {
				return 0, false
			}
			if s[i] == 'u' {
				if i+4 >= len(s) || strings.Trim(s[i+1:i+5], "0123456789abcdefABCDEF") != "" {
					return 0, false
				}
				i += 4
			}
		}
	}
	return 0, false
}
