package query

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kljensen/snowball/english"
)

// term is what a full-text search looks for: the stems of one word, or of several that must follow each other.
type term []string

// eachWord calls f for the words of a text: runs of letters, digits and marks, in lower case. The commonest words of English do not count.
func eachWord(text string, f func(word string)) {
	begin := -1
	word := func(end int) {
		if w := strings.ToLower(text[begin:end]); !english.IsStopWord(w) {
			f(w)
		}
		begin = -1
	}
	for i, r := range text {
		in := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
		switch {
		case in && begin < 0:
			begin = i
		case !in && begin >= 0:
			word(i)
		}
	}
	if begin >= 0 {
		word(len(text))
	}
}

func stem(word string) string {
	const longest = 64
	if len(word) > longest {
		return word
	}
	return english.Stem(word, false)
}

func newTerm(text string) (t term) {
	eachWord(text, func(w string) { t = append(t, stem(w)) })
	return t
}

// search counts how often each term occurs in a text, and the words of the text.
func search(text string, terms []term) (hits []int, words int) {
	hits = make([]int, len(terms))
	first := map[rune]bool{} // only a word that begins like one that is sought can have its stem
	for _, t := range terms {
		for _, w := range t {
			r, _ := utf8.DecodeRuneInString(w)
			first[r] = true
		}
	}
	var stems []string
	eachWord(text, func(w string) {
		words++
		if r, _ := utf8.DecodeRuneInString(w); len(terms) > 0 && first[r] {
			stems = append(stems, stem(w))
		} else {
			stems = append(stems, "")
		}
	})
	for i, t := range terms {
		for at := 0; len(t) > 0 && at+len(t) <= len(stems); at++ {
			same := true
			for j := 0; same && j < len(t); j++ {
				same = stems[at+j] == t[j]
			}
			if same {
				hits[i]++
			}
		}
	}
	return hits, words
}

// corpus is what BM25 knows of all documents.
type corpus struct {
	documents, words float64
	hits             []float64 // documents that have the term
}

// score is Okapi BM25 with k1 = 1.2 and b = 0.75.
func (c *corpus) score(hits []int, words int) float64 {
	const k1, b = 1.2, 0.75
	mean, sum := c.words/max(1, c.documents), 0.0
	for i, n := range hits {
		if n == 0 || i >= len(c.hits) {
			continue
		}
		rarity := math.Log(1 + (c.documents-c.hits[i]+0.5)/(c.hits[i]+0.5))
		often := float64(n)
		sum += rarity * often * (k1 + 1) / (often + k1*(1-b+b*float64(words)/max(1, mean)))
	}
	return sum
}
