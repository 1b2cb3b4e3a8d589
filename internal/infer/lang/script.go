package lang

import (
	"sort"
	"sync"
	"unicode"
)

// Script is a writing system.
type Script uint8

// The scripts told apart. Kana counts for Japanese; Han alone doesn't tell which of its languages it is.
const (
	Other Script = iota
	Latin
	Cyrillic
	Greek
	Arabic
	Hebrew
	Devanagari
	Bengali
	Gurmukhi
	Gujarati
	Oriya
	Tamil
	Telugu
	Kannada
	Malayalam
	Sinhala
	Thai
	Lao
	Tibetan
	Myanmar
	Georgian
	Ethiopic
	Khmer
	Mongolian
	Armenian
	Thaana
	Canadian
	Cherokee
	Hangul
	Kana
	Han
	scripts
)

var scriptNames = [scripts]string{
	"Other", "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala",
	"Thai", "Lao", "Tibetan", "Myanmar", "Georgian", "Ethiopic", "Khmer", "Mongolian", "Armenian", "Thaana", "Canadian", "Cherokee", "Hangul", "Kana", "Han",
}

// String returns the script's name.
func (s Script) String() string { return scriptNames[s] }

// Counts are letters by script.
type Counts [scripts]int32

// scriptRange is a run of code points of one script. Where letter is set all of them are letters.
type scriptRange struct {
	from, to rune
	script   Script
	letter   bool
}

// ranges are made of Unicode's tables once, letters and marks apart.
var ranges = sync.OnceValue(makeRanges)

func makeRanges() []scriptRange {
	var all []scriptRange
	for s, tables := range map[Script][]*unicode.RangeTable{
		Latin: {unicode.Latin}, Cyrillic: {unicode.Cyrillic}, Greek: {unicode.Greek}, Arabic: {unicode.Arabic}, Hebrew: {unicode.Hebrew}, Devanagari: {unicode.Devanagari},
		Bengali: {unicode.Bengali}, Gurmukhi: {unicode.Gurmukhi}, Gujarati: {unicode.Gujarati}, Oriya: {unicode.Oriya}, Tamil: {unicode.Tamil}, Telugu: {unicode.Telugu},
		Kannada: {unicode.Kannada}, Malayalam: {unicode.Malayalam}, Sinhala: {unicode.Sinhala}, Thai: {unicode.Thai}, Lao: {unicode.Lao}, Tibetan: {unicode.Tibetan},
		Myanmar: {unicode.Myanmar}, Georgian: {unicode.Georgian}, Ethiopic: {unicode.Ethiopic}, Khmer: {unicode.Khmer}, Mongolian: {unicode.Mongolian}, Armenian: {unicode.Armenian},
		Thaana: {unicode.Thaana}, Canadian: {unicode.Canadian_Aboriginal}, Cherokee: {unicode.Cherokee}, Hangul: {unicode.Hangul}, Kana: {unicode.Hiragana, unicode.Katakana}, Han: {unicode.Han},
	} {
		for _, t := range tables {
			for _, r := range t.R16 {
				all = appendRange(all, s, rune(r.Lo), rune(r.Hi), rune(r.Stride))
			}
			for _, r := range t.R32 {
				all = appendRange(all, s, rune(r.Lo), rune(r.Hi), rune(r.Stride))
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].from < all[j].from })
	joined := all[:0]
	for _, r := range all {
		if n := len(joined); n > 0 && joined[n-1].script == r.script && joined[n-1].letter == r.letter && joined[n-1].to+1 == r.from {
			joined[n-1].to = r.to
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// appendRange cuts a range where letters and others meet.
func appendRange(all []scriptRange, s Script, lo, hi, stride rune) []scriptRange {
	if s == Han && hi-lo > 1000 { // letters all
		return append(all, scriptRange{lo, hi, s, true})
	}
	for r := lo; r <= hi; r += stride {
		letter := unicode.IsLetter(r)
		if n := len(all); n > 0 && all[n-1].script == s && all[n-1].letter == letter && all[n-1].to+1 == r {
			all[n-1].to = r
			continue
		}
		all = append(all, scriptRange{r, r, s, letter})
	}
	return all
}

// scriptOf returns the range a rune lies in; one of no script is a range of its own.
func scriptOf(r rune) scriptRange {
	all := ranges()
	i := sort.Search(len(all), func(i int) bool { return all[i].to >= r })
	if i < len(all) && all[i].from <= r {
		return all[i]
	}
	return scriptRange{r, r, Other, unicode.IsLetter(r)}
}

// most returns the script of most letters and all letters counted. Kana beside Han is Japanese, however few.
func (c *Counts) most() (s Script, letters int32) {
	for i, n := range c {
		letters += n
		if n > c[s] {
			s = Script(i)
		}
	}
	if s == Han && c[Kana]*10 > c[Han] {
		s = Kana
	}
	return s, letters
}
