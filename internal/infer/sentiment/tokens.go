package sentiment

import (
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/infer/textmodel"
)

// kind says what a token is.
type kind uint8

const (
	word kind = iota
	emoji
	emoticon
	link
	mention
	number
	mark // punctuation that ends the scope of a negation
	stop // punctuation that ends a clause
)

// token is a piece of the text, in the lower-case copy that scratch.buf holds.
type token struct {
	start, end int
	hash       uint64
	kind       kind
	tagged     bool // a hashtag
	long       bool // a letter was repeated three times and more
	negated    bool // in the scope of a negation
	turned     bool // after the last "but" of its sentence
}

const (
	hashStart = textmodel.HashStart
	hashPrime = textmodel.HashPrime
)

func mix(h uint64) uint64 { return textmodel.Mix(h) }

// hashOf is the hash of a word as tokens carry it.
func hashOf(s string) uint64 {
	h := uint64(hashStart)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return h
}

// tokenize fills x.buf with the text in lower case and x.tokens with its words, pictures and marks. Text that was split
// before ("it 's", "do n't") and text that wasn't give the same tokens.
func (x *scratch) tokenize(text string, l *tongue) {
	x.buf, x.tokens, x.caps = x.buf[:0], x.tokens[:0], 0
	tagged := false
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == 'h' && isLink(text[i:]) || r == 'w' && isLink(text[i:]):
			i = x.skip(text, i, link)
		case r == '@' && i+1 < len(text) && isName(text[i+1]):
			i = x.skip(text, i, mention)
		case r == '#':
			tagged = true
			i += n
			continue
		case unicode.IsLetter(r) || unicode.IsMark(r) && !isJoiner(r):
			i = x.word(text, i, l, tagged)
		case isApostrophe(r) && l.splitBefore && (i == 0 || text[i-1] == ' ') && i+n < len(text) && isLower(text[i+n]):
			i = x.word(text, i, l, tagged)
		case unicode.IsDigit(r):
			i = x.digits(text, i)
		case isEmoji(r):
			x.add(text[i:i+n], emoji)
			i += n
		default:
			i += x.punctuation(text[i:], r, n)
		}
		tagged = false
	}
}

func isLink(s string) bool {
	return len(s) >= 4 && (s[:4] == "http" && (len(s) == 4 || s[4] == ':' || s[4] == 's' || s[4] == ' ') || s[:4] == "www.")
}

func isName(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isLower(c byte) bool      { return c >= 'a' && c <= 'z' }
func isApostrophe(r rune) bool { return r == '\'' || r == '’' }
func isJoiner(r rune) bool     { return r == 0x200d || r >= 0xfe00 && r <= 0xfe0f || r == 0x20e3 }

func isWide(r rune) bool {
	return r >= 0x2e80 && r <= 0x9fff || r >= 0xf900 && r <= 0xfaff || r >= 0x20000 && r <= 0x3ffff
}

func isEmoji(r rune) bool {
	return r >= 0x1f000 && r <= 0x1faff && !isTone(r) || r >= 0x2600 && r <= 0x27bf || r == 0x2b50
}
func isTone(r rune) bool { return r >= 0x1f3fb && r <= 0x1f3ff }
func isSpaceOrClose(r rune) bool {
	return unicode.IsSpace(r) || r == '"' || r == '\'' || r == ')' || r == '”' || r == '»' || r == '」' || r == '』' || r == '）'
}
func isSentenceEnd(r rune) bool { return r == '.' || isHardSentenceEnd(r) }
func isHardSentenceEnd(r rune) bool {
	return r == '!' || r == '?' || r == '…' || r == '。' || r == '！' || r == '？' || r == '｡' || r == '؟'
}

// add appends a token of the given text.
func (x *scratch) add(s string, k kind) {
	at := len(x.buf)
	x.buf = append(x.buf, s...)
	x.tokens = append(x.tokens, token{start: at, end: len(x.buf), hash: hashOf(s), kind: k})
}

// skip passes over a link or a name, which count but don't tell.
func (x *scratch) skip(text string, i int, k kind) int {
	if k == link {
		x.add("http", link)
	} else {
		x.add("@user", mention)
	}
	for i++; i < len(text); i++ {
		if c := text[i]; c == ' ' || c == '\n' || c == '\t' || k == mention && !isName(c) {
			break
		}
	}
	return i
}

func (x *scratch) digits(text string, i int) int {
	at, h := len(x.buf), uint64(hashStart)
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		if len(x.buf)-at < 4 { // how many, not which
			x.buf = append(x.buf, '0')
			h = (h ^ '0') * hashPrime
		}
		i++
	}
	if at == len(x.buf) { // digits of another script
		_, n := utf8.DecodeRuneInString(text[i:])
		x.buf = append(x.buf, '0')
		h = (h ^ '0') * hashPrime
		i += n
	}
	x.tokens = append(x.tokens, token{start: at, end: len(x.buf), hash: h, kind: number})
	return i
}

// word reads letters, with apostrophes and hyphens inside, and returns where it ended.
func (x *scratch) word(text string, i int, l *tongue, tagged bool) int {
	t := token{start: len(x.buf), kind: word, tagged: tagged}
	h := uint64(hashStart)
	var last rune
	run, upper, letters := 0, 0, 0
	split := -1 // where the last apostrophe stands in buf
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if isApostrophe(r) {
			next := rune(0)
			if i+n < len(text) {
				next, _ = utf8.DecodeRuneInString(text[i+n:])
			}
			if !unicode.IsLetter(next) {
				break
			}
			split = len(x.buf)
			x.buf = append(x.buf, '\'')
			h = (h ^ '\'') * hashPrime
			i += n
			if l.splitAfter { // l'amour: the article is a word
				break
			}
			last, run = r, 1
			continue
		}
		if !unicode.IsLetter(r) && !unicode.IsMark(r) || isJoiner(r) {
			break
		}
		i += n
		letters++
		low := r
		if r < utf8.RuneSelf {
			if r >= 'A' && r <= 'Z' {
				low = r + 'a' - 'A'
				upper++
			}
		} else if low = unicode.ToLower(r); low != r {
			upper++
		}
		if low == last {
			if run++; run > 2 && !isWide(low) {
				t.long = true
				continue
			}
		} else {
			last, run = low, 1
		}
		at := len(x.buf)
		x.buf = utf8.AppendRune(x.buf, low)
		for ; at < len(x.buf); at++ {
			h = (h ^ uint64(x.buf[at])) * hashPrime
		}
	}
	if upper > 1 && upper == letters {
		x.caps++
	}
	t.end, t.hash = len(x.buf), h
	if l.splitBefore && split > t.start {
		x.splitEnglish(t, split)
		return i
	}
	x.tokens = append(x.tokens, t)
	return i
}

// splitEnglish cuts "don't" into "do" and "n't", "it's" into "it" and "'s".
func (x *scratch) splitEnglish(t token, at int) {
	if x.buf[at-1] == 'n' && t.end == at+2 && x.buf[at+1] == 't' {
		at--
	}
	if at == t.start { // split before
		x.tokens = append(x.tokens, t)
		return
	}
	first, second := t, t
	first.end, second.start = at, at
	first.hash, second.hash = hashBytes(x.buf[t.start:at]), hashBytes(x.buf[at:t.end])
	x.tokens = append(x.tokens, first, second)
}

func hashBytes(b []byte) uint64 {
	h := uint64(hashStart)
	for _, c := range b {
		h = (h ^ uint64(c)) * hashPrime
	}
	return h
}

// punctuation reads an emoticon or a run of one mark and returns how many bytes it took.
func (x *scratch) punctuation(s string, r rune, n int) int {
	if size, name := emoticonAt(s); size > 0 {
		x.add(name, emoticon)
		return size
	}
	if unicode.IsSpace(r) || isJoiner(r) || isTone(r) || r == utf8.RuneError {
		return n
	}
	size := n
	for size+n <= len(s) && s[size:size+n] == s[:n] {
		size += n
	}
	k := mark
	if isSentenceEnd(r) || r == ';' || r == ',' || r == ':' || r == '、' || r == '，' || r == '(' || r == ')' {
		k = stop
	}
	if size > n { // "!!" whatever its length
		x.add(s[:2*n], k)
	} else {
		x.add(s[:n], k)
	}
	return size
}

// emoticonAt recognizes :-) and its like and gives them one name each.
func emoticonAt(s string) (int, string) {
	if len(s) < 2 {
		return 0, ""
	}
	if s[0] == '<' && s[1] == '3' {
		return 2, ":love:"
	}
	if s[0] != ':' && s[0] != ';' && s[0] != '=' {
		return 0, ""
	}
	i := 1
	if s[i] == '-' || s[i] == '\'' || s[i] == 'o' {
		i++
	}
	if i >= len(s) {
		return 0, ""
	}
	switch s[i] {
	case ')', ']', 'D', '*', 'P', 'p', '3':
		if i+1 < len(s) && isName(s[i+1]) {
			return 0, ""
		}
		return i + 1, ":glad:"
	case '(', '[':
		return i + 1, ":sad:"
	case '/', '\\', '|':
		if i+1 < len(s) && s[i+1] == '/' {
			return 0, ""
		}
		return i + 1, ":wry:"
	}
	return 0, ""
}
