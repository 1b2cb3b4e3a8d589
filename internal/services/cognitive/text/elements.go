package text

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// elements counts a text's text elements, as limits and bills count: grapheme clusters. In ASCII every byte is one, but for a line feed after a carriage return.
func elements(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return uniseg.GraphemeClusterCount(s)
		}
	}
	return len(s) - strings.Count(s, "\r\n")
}

// overLimit tells whether s has more than most text elements, without counting where its length alone tells.
func overLimit(s string, most int) bool {
	return len(s) > most && elements(s) > most
}

// unit is how offsets and lengths are counted.
type unit func(s string) int

func utf16Units(s string) (n int) {
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// unitOf gives the unit of a stringIndexType; ok is false for one there is none of.
func unitOf(name string) (u unit, ok bool) {
	switch {
	case name == "", strings.EqualFold(name, "TextElements_v8"), strings.EqualFold(name, "TextElement_v8"):
		return elements, true
	case strings.EqualFold(name, "UnicodeCodePoint"):
		return utf8.RuneCountInString, true
	case strings.EqualFold(name, "Utf16CodeUnit"):
		return utf16Units, true
	}
	return nil, false
}
