package sigma

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// piece is a part of a pattern: text, any number of characters, one character, or one of the characters that begin an option on Windows.
type piece struct {
	kind pieceKind
	text string // of pieceText
}

type pieceKind uint8

const (
	pieceText pieceKind = iota
	pieceStar
	pieceOne
	pieceDash
)

// pattern is a value of a rule with its wildcards. Two texts are never neighbours.
type pattern []piece

// dashes are what |windash takes for each other.
const dashes = "-/–—―"

// parsePattern reads a value: * and ? are wildcards unless a backslash stands before them, \\ is one backslash, and a backslash before anything else
// is itself.
func parsePattern(s string) pattern {
	var p pattern
	var text strings.Builder
	flush := func(k pieceKind) {
		if text.Len() > 0 {
			p = append(p, piece{text: text.String()})
			text.Reset()
		}
		if k != pieceText && (k != pieceStar || len(p) == 0 || p[len(p)-1].kind != pieceStar) {
			p = append(p, piece{kind: k})
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`*?\`, s[i+1]) >= 0:
			i++
			text.WriteByte(s[i])
		case c == '*':
			flush(pieceStar)
		case c == '?':
			flush(pieceOne)
		default:
			text.WriteByte(c)
		}
	}
	flush(pieceText)
	return p
}

// plain gives the text of a pattern without wildcards.
func (p pattern) plain() (string, bool) {
	switch {
	case len(p) == 0:
		return "", true
	case len(p) == 1 && p[0].kind == pieceText:
		return p[0].text, true
	}
	return "", false
}

func (p pattern) String() string {
	var b strings.Builder
	for _, t := range p {
		switch t.kind {
		case pieceStar:
			b.WriteByte('*')
		case pieceOne:
			b.WriteByte('?')
		case pieceDash:
			b.WriteString("[dash]")
		case pieceText:
			fmt.Fprintf(&b, "%q", t.text)
		}
	}
	return b.String()
}

func literal(s string) pattern {
	if s == "" {
		return nil
	}
	return pattern{{text: s}}
}

// around puts wildcards before or after the pattern, once.
func (p pattern) around(before, after bool) pattern {
	out := make(pattern, 0, len(p)+2)
	if before && (len(p) == 0 || p[0].kind != pieceStar) {
		out = append(out, piece{kind: pieceStar})
	}
	out = append(out, p...)
	if after && (len(out) == 0 || out[len(out)-1].kind != pieceStar) {
		out = append(out, piece{kind: pieceStar})
	}
	return out
}

// windash replaces the dashes and slashes that begin an option, not those inside words, by any of their kind.
func (p pattern) windash() pattern {
	var out pattern
	for _, t := range p {
		if t.kind != pieceText {
			out = append(out, t)
			continue
		}
		start, before := 0, rune(0)
		for i := 0; i < len(t.text); {
			r, n := utf8.DecodeRuneInString(t.text[i:])
			next, _ := utf8.DecodeRuneInString(t.text[i+n:])
			if strings.ContainsRune(dashes, r) && !isWord(before) && isWord(next) {
				if i > start {
					out = append(out, piece{text: t.text[start:i]})
				}
				out = append(out, piece{kind: pieceDash})
				start = i + n
			}
			before, i = r, i+n
		}
		if start < len(t.text) {
			out = append(out, piece{text: t.text[start:]})
		}
	}
	return out
}

func isWord(r rune) bool {
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// fold gives the form in which texts are compared without regard to case: each character is replaced by the first of those that Unicode's simple folding
// takes for the same, in lower case if that is ASCII. It is what regular expressions do with (?i).
func fold(s string) string { return string(appendFolded(nil, []byte(s))) }

func appendFolded(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		c := src[i]
		if c < utf8.RuneSelf {
			dst = append(dst, lowerASCII(c))
			i++
			continue
		}
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, foldRune(r))
		}
		i += n
	}
	return dst
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if 'A' <= least && least <= 'Z' {
		return least + 'a' - 'A'
	}
	return least
}

func isASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.NativeEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// folded changes the texts of a pattern to the form in which case doesn't count.
func (p pattern) folded() pattern {
	out := make(pattern, len(p))
	for i, t := range p {
		out[i] = piece{t.kind, fold(t.text)}
	}
	return out
}
