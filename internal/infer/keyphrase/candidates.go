package keyphrase

import (
	"strings"

	"github.com/kljensen/snowball/english"
	"github.com/kljensen/snowball/french"
	"github.com/kljensen/snowball/spanish"
)

const maxWords = 6 // of a phrase

// span is one place of a phrase: tokens from..to of the text.
type span struct {
	from, to int
	whole    bool // nothing around it would have belonged to it
}

// candidate is a phrase of the text with all its places.
type candidate struct {
	key    uint64 // of its stems
	places []span
	inside bool // a longer candidate holds it wherever it stands
	score  float64
}

// scratch holds one text's work; it is reused.
type scratch struct {
	tokens   []token
	affixes  []affixes
	stems    []uint64
	spans    []span
	byKey    map[uint64]int
	found    []candidate
	words    map[uint64]int // stems and how often
	features []uint64
	cover    []int // of each token: the longest candidate over it, or whether it is taken
	slim     int   // how many of features are of every language; the rest are words
}

// stem is a word's hash without its ending, so that one phrase counts once in singular and plural.
func (l *tongue) stem(text string, t *token) uint64 {
	w := text[t.start:t.end]
	if l.code == "en" && t.shape&capitals == 0 {
		return stemEnglish(w, t.hash)
	}
	return t.hash
}

// stemEnglish takes a plural's s away; what else a stemmer does rarely joins phrases and costs more than the rest together.
func stemEnglish(w string, h uint64) uint64 {
	n := len(w)
	if n < 4 || w[n-1] != 's' || w[n-2] == 's' || w[n-2] == 'u' || w[n-2] == 'i' {
		return h
	}
	switch {
	case strings.HasSuffix(w, "ies"):
		return hashRune(hashWord(w[:n-3]), 'y')
	case strings.HasSuffix(w, "sses"), strings.HasSuffix(w, "xes"), strings.HasSuffix(w, "ches"), strings.HasSuffix(w, "shes"):
		return hashWord(w[:n-2])
	}
	return hashWord(w[:n-1])
}

// Normalize is an English phrase as phrases are compared when quality is measured: lower case, its words stemmed (Porter's second stemmer).
func Normalize(phrase string) string { return normalize(phrase, "en") }

// normalize is Normalize for a phrase in the language: stemmed in English, French and Spanish.
func normalize(phrase, language string) string {
	stem := func(w string, _ bool) string { return w }
	switch language {
	case "en":
		stem = english.Stem
	case "es":
		stem = spanish.Stem
	case "fr":
		stem = french.Stem
	}
	words := strings.FieldsFunc(strings.ToLower(phrase), func(r rune) bool { return !isWordRune(r) })
	for i, w := range words {
		words[i] = stem(w, true)
	}
	return strings.Join(words, " ")
}

// candidates fills x.found with the phrases of the tagged text.
func (x *scratch) candidates(text string, l *tongue) {
	x.spans, x.found = x.spans[:0], x.found[:0]
	if x.byKey == nil {
		x.byKey, x.words = map[uint64]int{}, map[uint64]int{}
	}
	clear(x.byKey)
	clear(x.words)
	x.stems = x.stems[:0]
	for i := range x.tokens {
		s := uint64(0)
		if t := &x.tokens[i]; t.word {
			s = l.stem(text, t)
			t.gerund = l.code == "en" && strings.HasSuffix(text[t.start:t.end], "ing")
			t.participle = t.gerund || l.code == "en" && (strings.HasSuffix(text[t.start:t.end], "ed") || strings.HasSuffix(text[t.start:t.end], "en"))
			x.words[s]++
		}
		x.stems = append(x.stems, s)
	}
	for i := 0; i < len(x.tokens); {
		if !x.inner(i, l) {
			i++
			continue
		}
		end := i + 1
		for end < len(x.tokens) && !x.tokens[end].after && (x.joins(end, l) || x.links(i, end, l)) {
			end++
		}
		x.chunk(i, end, l)
		i = end
	}
	for _, s := range x.spans {
		key := uint64(hashStart)
		for i := s.from; i < s.to; i++ {
			key = (key ^ x.stems[i]) * hashPrime
		}
		at, ok := x.byKey[key]
		if !ok {
			at = len(x.found)
			x.byKey[key] = at
			if at < cap(x.found) {
				x.found = x.found[:at+1]
				x.found[at] = candidate{key: key, places: x.found[at].places[:0]}
			} else {
				x.found = append(x.found, candidate{key: key})
			}
		}
		x.found[at].places = append(x.found[at].places, s)
	}
}

// inner says whether a token may be a word of a phrase.
func (x *scratch) inner(i int, l *tongue) bool {
	t := &x.tokens[i]
	if !t.word {
		return false
	}
	switch t.tag {
	case noun, name, adjective:
		return true
	case numeral: // G7; in English, where the ranker has learnt it, three players
		return t.shape&(capital|capitals) != 0 || l.code == "en" && t.shape&lower != 0
	case verb: // flowing water, distributed systems
		return t.participle || t.nearly && l.code == "en"
	}
	return false
}

// joins says whether a token goes on with the run that the one before it is in: in English not an adjective after a name (Seattle last week).
func (x *scratch) joins(i int, l *tongue) bool {
	return x.inner(i, l) && (l.after || x.tokens[i-1].tag != name || x.tokens[i].tag != adjective)
}

// links says whether a token joins two nouns into one phrase: of.
func (x *scratch) links(from, i int, l *tongue) bool {
	t := &x.tokens[i]
	if !l.linkers[t.hash] || i+1 >= len(x.tokens) || !x.inner(i+1, l) || x.tokens[i+1].after {
		return false
	}
	last := x.tokens[i-1].tag
	return i > from && (last == noun || last == name || l.after && last == adjective) && x.tokens[i+1].tag != verb
}

// chunk adds the phrases inside the tokens from..end.
func (x *scratch) chunk(from, end int, l *tongue) {
	for a := from; a < end; a++ {
		if !x.opens(a, l) {
			continue
		}
		for b := a + 1; b <= end && b-a <= maxWords; b++ {
			last := &x.tokens[b-1]
			if l.linkers[last.hash] || !x.closes(a, b-1, l) {
				continue
			}
			if b-a == 1 && (last.end-last.start < 3 && last.shape&capitals == 0) {
				continue
			}
			whole := (a == from || !x.opens(a-1, l)) && (b == end || l.linkers[x.tokens[b].hash])
			x.spans = append(x.spans, span{from: a, to: b, whole: whole})
		}
	}
}

// opens says whether a phrase may begin with the token.
func (x *scratch) opens(i int, l *tongue) bool {
	t := &x.tokens[i]
	return !l.linkers[t.hash] && !l.stops[t.hash] && (!l.after || t.tag != adjective || i+1 < len(x.tokens) && x.tokens[i+1].tag == noun)
}

// closes says whether a phrase that began at token from may end with token i.
func (x *scratch) closes(from, i int, l *tongue) bool {
	t := &x.tokens[i]
	if l.stops[t.hash] {
		return false
	}
	switch t.tag {
	case noun, name:
		return true
	case adjective:
		return i > from && (t.nearly || l.after || l.code == "en" && t.shape&(capitals|capital) != 0)
	case verb: // machine learning, and clustering by itself
		return t.gerund || t.nearly
	case numeral:
		return i > from
	}
	return false
}
