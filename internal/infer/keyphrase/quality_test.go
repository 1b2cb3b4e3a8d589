package keyphrase

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// archive reads documents with people's phrases from the shared test data, or from where scripts/train-text puts what is only measured by.
// The test is skipped where neither has them.
func archive(t *testing.T, name string) *Corpus {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	shared := os.Getenv("BULKHEAD_TESTDATA")
	if shared == "" {
		shared = filepath.Join(root, "..", "shared", "data")
	}
	for _, dir := range []string{filepath.Join(shared, "cognitive"), filepath.Join(root, ".test", "text", "measure")} {
		path := filepath.Join(dir, name+".zip")
		if _, err := os.Stat(path); err != nil {
			continue
		}
		c, err := ReadCorpus(path)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Skipf("no %s.zip; set BULKHEAD_TESTDATA, or run scripts/train-text measure", name)
	return nil
}

// measure holds the F1 of the first ten phrases to a bar.
func measure(t *testing.T, list []Document, language string, want float64) {
	t.Helper()
	q, err := loadDefault(t).Measure(list, language, 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d documents, first ten phrases: %v", language, len(list), q)
	if q.F1 < want {
		t.Errorf("%s: F1 of the first ten phrases %.3f, want %.2f", language, q.F1, want)
	}
}

// TestQuality measures the shipped models on the halves of the documents that they haven't learnt from.
func TestQuality(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]float64{"Inspec": 0.37, "SemEval2017": 0.40} {
		t.Run(name, func(t *testing.T) {
			c := archive(t, name)
			if len(c.Held) < 200 {
				t.Fatalf("%d documents held out", len(c.Held))
			}
			measure(t, c.Held, "en", want)
		})
	}
}

// TestQuality_News measures on news in languages whose phrases nothing was learnt from.
func TestQuality_News(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		archive, language string
		want              float64
	}{{"WikiNews", "fr", 0.20}, {"110-PT-BN-KP", "pt", 0.20}} {
		t.Run(c.archive, func(t *testing.T) {
			docs := archive(t, c.archive)
			measure(t, append(docs.Train, docs.Held...), c.language, c.want)
		})
	}
}

//go:embed testdata/people.tsv
var people string

// TestQuality_People measures on the texts of testdata/people.tsv.
func TestQuality_People(t *testing.T) {
	t.Parallel()
	of := map[string][]Document{}
	for line := range strings.Lines(people) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
			of[f[0]] = append(of[f[0]], Document{Text: f[1], Keys: strings.Split(f[2], "; ")})
		}
	}
	for _, language := range []string{"de", "es", "it", "nl", "ja"} {
		t.Run(language, func(t *testing.T) {
			if len(of[language]) < 5 {
				t.Fatalf("%d texts", len(of[language]))
			}
			measure(t, of[language], language, 0.5)
		})
	}
}
