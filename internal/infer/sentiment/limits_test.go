package sentiment

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/internal/benchbar"
)

// hostile are texts of the service's longest, 5,120 characters, each of which is all of one kind.
func hostile() map[string]string {
	out := map[string]string{}
	for name, piece := range map[string]string{
		"one word": "a", "words": "good ", "negations": "not ", "marks": "!", "full stops": ".", "initials": "A. ", "emoticons": ":)", "apostrophes": "n't ",
		"hashtags": "#a", "names": "@a ", "wide": "好", "wide sentences": "好。", "pictures": "❤", "lines": "a\n", "marks over letters": "e\u0301", "no text": "\xff", "contrasts": "but ",
	} {
		out[name] = strings.Repeat(piece, 1+5120/utf8.RuneCountInString(piece))
	}
	return out
}

// TestAnalyze_LongTexts holds what long texts cost to what is linear: twice the text is twice the features, and no sentence is looked at twice.
func TestAnalyze_LongTexts(t *testing.T) {
	t.Parallel()
	m := loadDefault(t)
	cost := func(text string, lang int) (n int) {
		x := new(scratch)
		x.extract(text, m, lang)
		for _, list := range x.buckets {
			n += len(list)
		}
		return n + len(x.tokens)
	}
	for name, text := range hostile() {
		for lang, code := range m.Languages() {
			doc, err := m.Analyze(text, code)
			if err != nil {
				t.Fatal(err)
			}
			covered := 0
			for _, s := range doc.Sentences {
				covered += s.End - s.Start
			}
			if covered > len(text) {
				t.Errorf("%s in %s: sentences cover %d of %d bytes", name, code, covered, len(text))
			}
			if one, two := cost(text, lang), cost(text+text, lang); two > 2*one+200 || one > 20*len(text)+200 {
				t.Errorf("%s in %s: %d features of %d bytes, %d of twice the text", name, code, one, len(text), two)
			}
		}
	}
}

// BenchmarkAnalyze_Batch is a request of the largest: 1,000 documents of 5,120 characters.
func BenchmarkAnalyze_Batch(b *testing.B) {
	m := loadDefault(b)
	const sentence = "The movie was surprisingly good, but it's hard to recommend to anyone who doesn't love slow and talky dramas. "
	text := strings.Repeat(sentence, 1+5120/len(sentence))[:5120]
	bar := benchbar.Start(b)
	for b.Loop() {
		for range 1000 {
			if _, err := m.Analyze(text, "en"); err != nil {
				b.Fatal(err)
			}
		}
	}
	bar.Allocs(1000 * 12) // the sentences' list, as it grows
}
