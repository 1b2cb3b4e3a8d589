package keyphrase

import (
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/infer/textmodel"
)

// tag is a part of speech.
type tag uint8

// The parts of speech, in the order of the tagger's weights; other is what no phrase holds.
const (
	other tag = iota
	noun
	name
	adjective
	verb
	auxiliary
	determiner
	pronoun
	adposition
	conjunction
	adverb
	numeral
	particle
	tags
)

// token is a word or a mark of the text.
type token struct {
	start, end int    // bytes of the text
	hash       uint64 // of the word in lower case
	tag        tag
	shape      shape
	first      bool // of a sentence
	after      bool // something that ends phrases stands before it: a line's end, a wide gap
	word       bool
	nearly     bool // not tagged as a noun, but nearly
	gerund     bool // an English word in -ing
	participle bool // or in -ed, -en
}

// shape says how a word is written.
type shape uint8

const (
	lower shape = 1 << iota
	capital
	capitals
	digits
	hyphen
)

const (
	hashStart = textmodel.HashStart
	hashPrime = textmodel.HashPrime
	maxText   = 128 << 10 // bytes of a text that are looked at
)

func mix(h uint64) uint64 { return textmodel.Mix(h) }

func hashRune(h uint64, r rune) uint64 {
	return (h ^ uint64(r)) * hashPrime
}

// hashWord is the hash of a word as tokens carry it: of its characters in lower case.
func hashWord(s string) uint64 {
	h := uint64(hashStart)
	for _, r := range s {
		h = hashRune(h, unicode.ToLower(r))
	}
	return h
}

// tokenize cuts the text into x.tokens. Hyphens, full stops and apostrophes inside a word belong to it; in English a final 's is a
// word of its own, in French and Italian the elided article is.
func (x *scratch) tokenize(text string, l *tongue) {
	x.tokens = x.tokens[:0]
	first, after := true, false
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == '\n' || r == '\r' {
			after = after || breaks(text[i+n:])
			i += n
			continue
		}
		if unicode.IsSpace(r) {
			i += n
			continue
		}
		t := token{start: i, first: first || after, after: after}
		first, after = false, false
		if !isWordRune(r) {
			t.end, t.hash = i+n, hashRune(hashStart, r)
			first = r == '.' || r == '!' || r == '?' || r == ':'
			i += n
			x.tokens = append(x.tokens, t)
			continue
		}
		t.word = true
		i = x.scanWord(text, i, l, &t)
		x.tokens = append(x.tokens, t)
		if l.splitBefore && t.end < i { // 's
			x.tokens = append(x.tokens, token{start: t.end, end: i, hash: hashWord(text[t.end:i]), shape: lower, word: true})
		}
	}
}

// scanWord reads a word and returns where the text goes on: after a final 's, which t doesn't hold.
func (x *scratch) scanWord(text string, i int, l *tongue, t *token) int {
	h := uint64(hashStart)
	upper, letters, at := 0, 0, i
	apostrophe, before := -1, h
	for at < len(text) {
		r, n := utf8.DecodeRuneInString(text[at:])
		if !isWordRune(r) {
			if !isInner(r) || at+n >= len(text) {
				break
			}
			next, _ := utf8.DecodeRuneInString(text[at+n:])
			if !isWordRune(next) {
				break
			}
			switch r {
			case '\'', '’':
				apostrophe, before = at, h
				if l.splitAfter {
					h = hashRune(h, '\'')
					t.end, t.hash, t.shape = at+n, h, lower
					return at + n
				}
				r = '\''
			case '.':
				if letters > 2 { // a missing space, not U.S.
					t.finish(at, h, upper, letters)
					return at
				}
			default:
				t.shape |= hyphen
				r = '-'
			}
			h = hashRune(h, r)
			at += n
			continue
		}
		if unicode.IsDigit(r) {
			t.shape |= digits
		} else {
			letters++
			if low := unicode.ToLower(r); low != r {
				r = low
				upper++
				if at == i {
					t.shape |= capital
				}
			}
		}
		h = hashRune(h, r)
		at += n
	}
	if l.splitBefore && apostrophe > i {
		t.finish(apostrophe, before, upper, letters)
		return at
	}
	t.finish(at, h, upper, letters)
	return at
}

func (t *token) finish(end int, h uint64, upper, letters int) {
	t.end, t.hash = end, h
	switch {
	case upper > 1:
		t.shape |= capitals
	case upper == 0 && letters > 0:
		t.shape |= lower
	}
}

// breaks says whether the line that begins with rest is no continuation of the one before: it isn't indented and doesn't begin with a
// small letter.
func breaks(rest string) bool {
	r, _ := utf8.DecodeRuneInString(rest)
	return r != '\t' && r != ' ' && !unicode.IsLower(r)
}

func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
}

func isInner(r rune) bool {
	return r == '-' || r == '\'' || r == '’' || r == '.' || r == '–' || r == '‐' || r == '‑' || r == '&' || r == '_'
}
