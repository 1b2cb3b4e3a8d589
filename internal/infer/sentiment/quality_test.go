package sentiment

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// data is a folder of the shared test data; the test is skipped where it is absent.
func data(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	dir := filepath.Join(root, "cognitive", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no %s; set BULKHEAD_TESTDATA to measure the model", dir)
	}
	return dir
}

// quality counts how a model does on labelled texts.
type quality struct {
	n, two, twoRight float64
	confusion        [3][3]float64  // of true and said
	bins             [10][3]float64 // how many, their shares' sum, how many right
}

func measure(m *Model, list []Example) *quality {
	q, x := new(quality), new(scratch)
	for _, e := range list {
		s := m.scores(x, e.Text, m.byCode[e.Language])
		said := map[string]int{Negative: 0, Neutral: 1, Positive: 2}[s.Label()]
		top, right := max(s.Positive, s.Neutral, s.Negative), 0.0
		if e.Polarity != 0 {
			q.two++
			if (s.Positive > s.Negative) == (e.Polarity > 0) {
				q.twoRight++
			}
		}
		if said == e.Polarity+1 {
			right = 1
		}
		bin := &q.bins[min(9, int(top*10))]
		bin[0]++
		bin[1] += top
		bin[2] += right
		q.n++
		q.confusion[e.Polarity+1][said]++
	}
	return q
}

// macroF1 is the mean of the three classes' F1.
func (q *quality) macroF1() float64 {
	sum := 0.0
	for c := range 3 {
		var is, said float64
		for k := range 3 {
			is += q.confusion[c][k]
			said += q.confusion[k][c]
		}
		if is+said > 0 {
			sum += 2 * q.confusion[c][c] / (is + said)
		}
	}
	return sum / 3
}

// calibration is the expected calibration error over ten bins of the largest share.
func (q *quality) calibration() float64 {
	sum := 0.0
	for _, b := range q.bins {
		sum += math.Abs(b[1] - b[2])
	}
	return sum / q.n
}

// heldOut are the examples that the shipped model's weights have never seen.
func heldOut(t *testing.T, name string) []Example {
	t.Helper()
	c, err := ReadCorpus(data(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Dev) == 0 {
		t.Fatalf("nothing held out of %s", name)
	}
	return c.Dev
}

func TestQuality_Films(t *testing.T) {
	t.Parallel()
	q := measure(loadDefault(t), heldOut(t, "sst2"))
	t.Logf("%.0f sentences: accuracy %.3f, calibration error %.3f", q.n, q.twoRight/q.two, q.calibration())
	if q.twoRight/q.two < 0.81 || q.calibration() > 0.05 {
		t.Errorf("accuracy %.3f, want 0.81; calibration error %.3f, want at most 0.05", q.twoRight/q.two, q.calibration())
	}
}

func TestQuality_Tweets(t *testing.T) {
	t.Parallel()
	of := map[string][]Example{}
	var all []Example
	for _, e := range heldOut(t, "tweets") {
		of[e.Language] = append(of[e.Language], e)
		all = append(all, e)
	}
	sum := 0.0
	for _, language := range []string{"en", "de", "es", "fr", "it", "pt"} {
		q := measure(loadDefault(t), of[language])
		t.Logf("%s, %.0f texts: macro F1 %.3f, calibration error %.3f", language, q.n, q.macroF1(), q.calibration())
		sum += q.macroF1()
	}
	if mean := sum / 6; mean < 0.58 {
		t.Errorf("mean macro F1 %.3f, want 0.58", mean)
	}
	if e := measure(loadDefault(t), all).calibration(); e > 0.05 {
		t.Errorf("calibration error %.3f, want at most 0.05", e)
	}
}

func TestQuality_JapaneseReviews(t *testing.T) {
	t.Parallel()
	q := measure(loadDefault(t), heldOut(t, "japanese"))
	t.Logf("%.0f texts: two classes %.3f, macro F1 of three %.3f, calibration error %.3f", q.n, q.twoRight/q.two, q.macroF1(), q.calibration())
	if q.twoRight/q.two < 0.87 {
		t.Errorf("accuracy of two classes %.3f, want 0.87", q.twoRight/q.two)
	}
}
