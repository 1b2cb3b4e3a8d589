package keyphrase

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
		"one word": "a", "nouns": "house ", "names": "Rome ", "links": "house of ", "marks": "!", "full stops": "a.b.", "hyphens": "a-", "apostrophes": "l'", "possessives": "dog's ",
		"wide": "東京", "kana": "ア", "wide sentences": "東京。", "lines": "House\n", "marks over letters": "e\u0301", "no text": "\xff", "numbers": "12 ",
	} {
		out[name] = strings.Repeat(piece, 1+5120/utf8.RuneCountInString(piece))
	}
	return out
}

// TestPhrases_LongTexts holds what long texts cost to what is linear: so many candidates a word, and so many places of them.
func TestPhrases_LongTexts(t *testing.T) {
	t.Parallel()
	e := loadDefault(t)
	for name, text := range hostile() {
		for _, code := range e.Languages() {
			got, err := e.Phrases(text, code)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) > 100 {
				t.Errorf("%s in %s: %d phrases, want 100 at most", name, code, len(got))
			}
			at, ok := e.byCode[code]
			if !ok { // Japanese: kagome gets pieces
				continue
			}
			x := new(scratch)
			x.prepare(text, &e.models[at])
			if len(x.spans) > maxWords*len(x.tokens) || len(x.tokens) > len(text) || len(x.found) > len(x.spans) {
				t.Errorf("%s in %s: %d places of %d candidates of %d words of %d bytes", name, code, len(x.spans), len(x.found), len(x.tokens), len(text))
			}
		}
	}
	for rest := hostile()["kana"]; rest != ""; {
		n := pieceEnd(rest)
		if n < 1 || utf8.RuneCountInString(rest[:n]) > maxPiece {
			t.Fatalf("a piece of %d bytes", n)
		}
		rest = rest[n:]
	}
}

// BenchmarkPhrases_Batch is a request of the largest: 1,000 documents of 5,120 characters.
func BenchmarkPhrases_Batch(b *testing.B) {
	e := loadDefault(b)
	text := strings.Repeat(abstract+"\n", 1+5120/len(abstract))[:5120]
	bar := benchbar.Start(b)
	for b.Loop() {
		for range 1000 {
			if _, err := e.Phrases(text, "en"); err != nil {
				b.Fatal(err)
			}
		}
	}
	bar.Allocs(1000 * 200)
}

func BenchmarkPhrases_Japanese(b *testing.B) {
	e := loadDefault(b)
	if _, err := kagome(); err != nil {
		b.Fatal(err)
	}
	bar := benchbar.Start(b)
	for b.Loop() {
		if _, err := e.Phrases("京都大学の研究者は、気候変動が農業に与える影響を調べている。", "ja"); err != nil {
			b.Fatal(err)
		}
	}
	bar.Allocs(400)
}
