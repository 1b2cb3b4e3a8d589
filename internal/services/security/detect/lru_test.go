package detect

import (
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// TestLRU: it keeps and forgets what a well-known one does.
func TestLRU(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 2, 7, 100} {
		var gone, wantGone []uint32
		l := newLRU(most, hashPID(), func(k uint32, v int) { gone = append(gone, k, uint32(v)) })
		want, err := simplelru.NewLRU(most, func(k uint32, v int) { wantGone = append(wantGone, k, uint32(v)) })
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(1, uint64(most)))
		for i := range 5000 {
			k := rnd.Uint32N(uint32(2*most + 1))
			if i%3 == 0 {
				k <<= 14 // other blocks of numbers
			}
			switch rnd.IntN(4) {
			case 0, 1:
				l.Add(k, i)
				want.Add(k, i)
			case 2:
				got, ok := l.Get(k)
				if w, has := want.Get(k); got != w || ok != has {
					t.Fatalf("Get(%d) = %d, %t; want %d, %t", k, got, ok, w, has)
				}
			case 3:
				got, ok := l.Peek(k)
				if w, has := want.Peek(k); got != w || ok != has {
					t.Fatalf("Peek(%d) = %d, %t; want %d, %t", k, got, ok, w, has)
				}
			}
			k, v, ok := l.Oldest()
			if wk, wv, has := want.GetOldest(); k != wk || v != wv || ok != has || l.Len() != want.Len() {
				t.Fatalf("of %d the oldest is %d: %d, %t; want %d: %d, %t of %d", l.Len(), k, v, ok, wk, wv, has, want.Len())
			}
		}
		if len(gone) != len(wantGone) {
			t.Fatalf("%d were forgotten; want %d", len(gone)/2, len(wantGone)/2)
		}
		for i := range gone {
			if gone[i] != wantGone[i] {
				t.Fatalf("forgotten %v; want %v", gone, wantGone)
			}
		}
	}
}
