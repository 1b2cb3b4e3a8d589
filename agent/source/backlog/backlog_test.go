package backlog

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestBuffer: messages come out as they went in, and what doesn't fit is counted.
func TestBuffer(t *testing.T) {
	b := New(1000)
	rnd := rand.New(rand.NewPCG(1, 2))
	in, out, refused, dropped := 0, 0, uint64(0), uint64(0)
	for range 50 {
		for range rnd.IntN(30) {
			n := rnd.IntN(100)
			if !b.Put(uint16(n), []byte(strings.Repeat("x", n))) {
				refused++
			}
			in++
		}
		m, d := b.Take()
		dropped = d
		for m.Len() > 0 {
			tag, payload := m.Next()
			if int(tag) != len(payload) || strings.Trim(string(payload), "x") != "" {
				t.Fatalf("got %d %q", tag, payload)
			}
			out++
		}
		b.Give(m)
	}
	if dropped == 0 || dropped != refused || uint64(in) != uint64(out)+dropped {
		t.Errorf("%d went in, %d came out, %d were refused, %d are counted", in, out, refused, dropped)
	}
}
