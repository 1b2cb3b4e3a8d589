package keyphrase

import (
	"os"
	"path/filepath"
	"testing"
)

// TestQuality measures the shipped models on the halves of the documents that they haven't learnt from.
func TestQuality(t *testing.T) {
	t.Parallel()
	root := os.Getenv("BULKHEAD_TESTDATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	for name, want := range map[string]float64{"Inspec": 0.37, "SemEval2017": 0.38} {
		path := filepath.Join(root, "cognitive", name+".zip")
		if _, err := os.Stat(path); err != nil {
			t.Skipf("no %s; set BULKHEAD_TESTDATA to measure the models", path)
		}
		c, err := ReadCorpus(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Held) < 200 {
			t.Fatalf("%s: %d documents held out", name, len(c.Held))
		}
		q, err := loadDefault(t).Measure(c.Held, "en", 10)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d documents, first ten phrases: %v", name, len(c.Held), q)
		if q.F1 < want {
			t.Errorf("%s: F1 of the first ten phrases %.3f, want %.2f", name, q.F1, want)
		}
	}
}
