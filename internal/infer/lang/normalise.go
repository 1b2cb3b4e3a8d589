package lang

import (
	"unicode"
	"unicode/utf8"
)

// Normalise appends text in the form that models are trained on: small letters and marks of words, one blank between words. counts, if not nil, gets the letters of each script.
func Normalise(to []byte, text string, counts *Counts) []byte {
	blank := true // nothing, or a blank, was written last
	var last scriptRange
	start := len(to)
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			i++
			l := asciiLetter[c]
			if l > ' ' {
				if l != '\'' {
					if counts != nil {
						counts[Latin]++
					}
				} else if blank {
					continue // an apostrophe is kept within and after a word only
				}
				to = append(to, l)
				blank = false
			} else if !blank {
				to = append(to, ' ')
				blank = true
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
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
	if len(to) > start && to[len(to)-1] == ' ' {
		to = to[:len(to)-1]
	}
	return to
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

// asciiLetter maps a byte to what is written for it: its small letter, itself for the apostrophe, else a blank.
var asciiLetter = func() (t [utf8.RuneSelf]byte) {
	for i := range t {
		t[i] = ' '
	}
	for c := byte('a'); c <= 'z'; c++ {
		t[c], t[c-32] = c, c
	}
	t['\''] = '\''
	return t
}()
