package lang

import (
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Normalise appends text in the form that models are trained on: small letters and marks of words, one blank between words. counts, if not nil, gets the letters of each script.
func Normalise(to []byte, text string, counts *Counts) []byte {
	var none Counts
	if counts == nil {
		counts = &none
	}
	start := len(to)
	to = slices.Grow(to, 2*len(text)+utf8.UTFMax) // a small letter has at most a byte more than its capital
	out, n := to[:cap(to)], start
	known := letterTable()
	after := uint8(1) // nothing, or a blank, was written last
	latin := int32(0)
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			// A byte is always written, and only counted where it is no second blank, which is faster than a jump.
			i++
			l := asciiLetter[c]
			if l.sign != 0 && after == 1 {
				continue // an apostrophe is kept within and after a word only
			}
			out[n] = l.as
			n += int(1 - l.blank&after)
			after = l.blank
			latin += int32(l.letter)
			continue
		}
		r, size := decode(text[i:])
		i += size
		var l letter
		if r < lettersKnown {
			l = known[r]
		} else {
			l = letterOf(r)
		}
		switch {
		case l.apostrophe && after == 0:
			out[n] = '\''
			n++
		case l.letter:
			counts[l.script]++
			n += utf8.EncodeRune(out[n:n+utf8.UTFMax], l.lower)
			after = 0
		case l.mark:
			if after == 0 && l.kept {
				n += copy(out[n:], text[i-size:i])
			}
		case after == 0:
			out[n] = ' '
			n, after = n+1, 1
		}
	}
	counts[Latin] += latin
	if n > start && out[n-1] == ' ' {
		n--
	}
	return out[:n]
}

// decode is utf8.DecodeRuneInString with the usual letters of two bytes first.
func decode(text string) (rune, int) {
	if len(text) > 1 && text[0] >= 0xC2 && text[0] < 0xE0 && text[1]&0xC0 == 0x80 {
		return rune(text[0]&0x1F)<<6 | rune(text[1]&0x3F), 2
	}
	return utf8.DecodeRuneInString(text)
}

// lower is unicode.ToLower with the usual letters first.
func lower(r rune) rune {
	switch {
	case r < 0xC0 || r >= 0x530 && r < 0x10A0 && r > 0x556:
		return r
	case r >= 0xE0 && r <= 0xFF, r >= 0x430 && r <= 0x45F, r >= 0x600 && r <= 0x1000, r >= 0x2E00 && r < 0xA640:
		return r
	case r >= 0xC0 && r <= 0xDE && r != 0xD7, r >= 0x410 && r <= 0x42F:
		return r + 32
	case r == 'İ':
		return 'i'
	}
	return unicode.ToLower(r)
}

// letter is what there is to know of a character that isn't ASCII.
type letter struct {
	lower                          rune
	script                         Script
	letter, mark, kept, apostrophe bool // kept: a mark that is written
}

func letterOf(r rune) letter {
	in := scriptOf(r)
	return letter{
		lower: lower(r), script: in.script,
		letter:     in.script != Other && in.letter || unicode.IsLetter(r),
		mark:       unicode.IsMark(r) || r == '\u200c' || r == '\u200d',
		kept:       r != '\u200d' && r != '\u0307',
		apostrophe: r == '’' || r == 'ʼ' || r == 'ʻ' || r == '‘',
	}
}

// lettersKnown is the first character that letterTable doesn't tell of: those before are written without looking further.
const lettersKnown = 0x3100

var letterTable = sync.OnceValue(func() *[lettersKnown]letter {
	t := new([lettersKnown]letter)
	for r := range t {
		t[r] = letterOf(rune(r))
	}
	return t
})

// ascii is what becomes of a byte: what is written for it, and 1 for what it is.
type ascii struct{ as, blank, letter, sign uint8 }

// asciiLetter maps a byte to its small letter, itself for the apostrophe, else a blank.
var asciiLetter = func() (t [utf8.RuneSelf]ascii) {
	for i := range t {
		t[i] = ascii{as: ' ', blank: 1}
	}
	for c := byte('a'); c <= 'z'; c++ {
		t[c] = ascii{as: c, letter: 1}
		t[c-32] = t[c]
	}
	t['\''] = ascii{as: '\'', sign: 1}
	return t
}()
