package sentiment

import (
	"unicode"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/infer/textmodel"
)

// The labels of documents and sentences, as Text Analytics v3 writes them.
const (
	Positive = "positive"
	Neutral  = "neutral"
	Negative = "negative"
	Mixed    = "mixed"
)

// Scores are the shares of the three classes; they sum to 1.
type Scores struct{ Positive, Neutral, Negative float64 }

// Label is the class with the largest share.
func (s Scores) Label() string {
	switch {
	case s.Positive >= s.Neutral && s.Positive >= s.Negative:
		return Positive
	case s.Negative >= s.Neutral:
		return Negative
	}
	return Neutral
}

// value is the one number of v2.
func (s Scores) value() float64 { return min(1, max(0, s.Positive+s.Neutral/2)) }

// Sentence is one sentence's judgement; Start and End are bytes of the text.
type Sentence struct {
	Scores     Scores
	Start, End int
}

// Document is a text's judgement. Label is mixed where a sentence is clearly positive and another clearly negative. Score is the
// v2 score: 0 negative, 0.5 neither, 1 positive.
type Document struct {
	Label     string
	Scores    Scores
	Score     float64
	Sentences []Sentence
}

// clearly is the share from which a sentence's polarity counts for "mixed".
const clearly = 0.6

// Analyze judges a text in the language (an ISO 639-1 code; regions and scripts after it don't matter). It returns ErrLanguage for a
// language that isn't in Languages. A text without anything to judge is neutral and has no sentences.
func (m *Model) Analyze(text, language string) (Document, error) {
	lang, ok := m.byCode[textmodel.Primary(language)]
	if !ok {
		return Document{}, ErrLanguage
	}
	x, _ := m.scratch.Get().(*scratch)
	defer m.scratch.Put(x)
	var doc Document
	glad, sad := false, false
	for at := 0; at < len(text); {
		start, end := sentenceAt(text, at)
		at = end
		if start == end {
			continue
		}
		s := Sentence{Scores: m.scores(x, text[start:end], lang), Start: start, End: end}
		glad = glad || s.Scores.Positive >= clearly
		sad = sad || s.Scores.Negative >= clearly
		doc.Sentences = append(doc.Sentences, s)
	}
	switch len(doc.Sentences) {
	case 0:
		doc.Scores = Scores{Neutral: 1}
	case 1:
		doc.Scores = doc.Sentences[0].Scores
	default:
		doc.Scores = m.scores(x, text, lang)
	}
	doc.Label, doc.Score = doc.Scores.Label(), doc.Scores.value()
	if glad && sad {
		doc.Label = Mixed
	}
	return doc, nil
}

// sentenceAt finds the sentence that begins at or after at: its first byte that isn't space, and its end without the space after it.
func sentenceAt(text string, at int) (start, end int) {
	for at < len(text) {
		r, n := utf8.DecodeRuneInString(text[at:])
		if !unicode.IsSpace(r) {
			break
		}
		at += n
	}
	start = at
	seen := false // something that may be judged
	for at < len(text) {
		r, n := utf8.DecodeRuneInString(text[at:])
		at += n
		if r == '\n' && seen {
			return start, trimEnd(text, start, at)
		}
		if !isSentenceEnd(r) {
			seen = seen || unicode.IsLetter(r) || unicode.IsDigit(r) || isEmoji(r)
			continue
		}
		after := at
		for after < len(text) { // what closes the sentence belongs to it
			next, size := utf8.DecodeRuneInString(text[after:])
			if !isSentenceEnd(next) && (unicode.IsSpace(next) || !isSpaceOrClose(next)) {
				break
			}
			after += size
		}
		if seen && endsHere(text, start, at-n, after, r) {
			return start, after
		}
		at = after
	}
	return start, trimEnd(text, start, at)
}

func trimEnd(text string, start, end int) int {
	for end > start {
		r, n := utf8.DecodeLastRuneInString(text[start:end])
		if !unicode.IsSpace(r) {
			break
		}
		end -= n
	}
	return end
}

// endsHere says whether the mark r at byte dot, whose closing marks end at after, ends a sentence: marks of the wide scripts always
// do, others where space follows, a full stop only where it isn't part of a short form or of an initial.
func endsHere(text string, start, dot, after int, r rune) bool {
	if after == len(text) || r == '。' || r == '！' || r == '？' || r == '｡' {
		return true
	}
	next, _ := utf8.DecodeRuneInString(text[after:])
	if !unicode.IsSpace(next) {
		return false
	}
	if r != '.' || after > dot+1 {
		return true
	}
	from := dot
	for from > start {
		c, n := utf8.DecodeLastRuneInString(text[start:from])
		if !unicode.IsLetter(c) && c != '.' {
			break
		}
		from -= n
	}
	last := text[from:dot]
	if utf8.RuneCountInString(last) == 1 && last != "I" {
		return false // an initial
	}
	for after < len(text) {
		c, n := utf8.DecodeRuneInString(text[after:])
		if !unicode.IsSpace(c) {
			return !unicode.IsLower(c) && !isShortForm(last)
		}
		after += n
	}
	return true
}

// isShortForm knows the titles and short forms that stand before a capital.
func isShortForm(s string) bool {
	switch s {
	case "Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Sr", "Sra", "Jr", "vs", "Nr", "bzw", "ca", "Mme", "Mlle", "Sig", "Dott", "Dra", "No", "e.g", "i.e", "z.B", "d.h", "p.ej", "U.S":
		return true
	}
	return false
}
