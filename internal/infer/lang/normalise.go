package lang

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// Normalise appends text in the form that models are trained on: small letters and marks of words, one blank between words. counts, if not nil, gets the letters of each script.
func Normalise(to []byte, text string, counts *Counts) []byte {
	blank := true // nothing, or a blank, was written last
	var last scriptRange
	start := len(to)
	to = slices.Grow(to, len(text)+1)
	latin := int32(0)
	for i := 0; i < len(text); {
		// A run of ASCII: a byte is always written, and only counted where it is no second blank, which is faster than a jump.
		if text[i] < utf8.RuneSelf {
			n := len(to)
			to = slices.Grow(to, len(text)-i+1)
			out := to[:n+len(text)-i+1]
			after := uint8(0)
			if blank {
				after = 1
			}
			for ; i < len(text); i++ {
				c := text[i]
				if c >= utf8.RuneSelf {
					break
				}
				l := asciiLetter[c]
				if l.sign != 0 && after == 1 {
					continue // an apostrophe is kept within and after a word only
				}
				out[n] = l.as
				n += int(1 - l.blank&after)
				after = l.blank
				latin += int32(l.letter)
			}
			to, blank = to[:n], after == 1
			continue
		}
		r, n := decode(text[i:])
		i += n
		if r < last.from || r > last.to {
			last = scriptOf(r)
		}
		switch {
		case (r == '’' || r == 'ʼ' || r == 'ʻ' || r == '‘') && !blank:
			to = append(to, '\'')
		case last.script != Other && last.letter || unicode.IsLetter(r):
			if counts != nil {
				counts[last.script]++
			}
			if l := lower(r); l != r {
				to = utf8.AppendRune(to, l)
			} else {
				to = append(to, text[i-n:i]...)
			}
			blank = false
		case unicode.IsMark(r) || r == '\u200c' || r == '\u200d':
			if !blank && r != '\u200d' && r != '\u0307' {
				to = append(to, text[i-n:i]...)
			}
		default:
			if !blank {
				to = append(to, ' ')
				blank = true
			}
		}
	}
	if counts != nil {
		counts[Latin] += latin
	}
	if len(to) > start && to[len(to)-1] == ' ' {
		to = to[:len(to)-1]
	}
	return to
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
