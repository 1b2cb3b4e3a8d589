package mysql

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	got, err := parseStat([]byte("7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 250 0 0 20 0"))
	if err != nil || got != 4*time.Second {
		t.Errorf("parseStat = %v, %v; want 4s", got, err)
	}
	for _, bad := range []string{"", "7 (x) S", "7 (x) S 1 2 3 4 5 6 7 8 9 10 a 1"} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q) = %v, want an error", bad, got)
		}
	}
}

func TestProcessUsage_OfThisProcess(t *testing.T) {
	t.Parallel()
	_, memory, err := processUsage(os.Getpid())
	if err != nil || memory < 1<<20 || memory > machineMemory() {
		t.Errorf("memory = %d, %v; want between 1 MB and the machine's", memory, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 250 0 0 20 0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseStat(b); err == nil && len(b) < 25 {
			t.Fatalf("%q is too short for %v", b, d)
		}
	})
}
