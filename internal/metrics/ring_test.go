package metrics

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestRing: a ring says what a slice of cells says, whatever is done to both, and however its cells are kept.
func TestRing(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var r ring
		var want []Cell
		wide := seed%2 == 1
		for range 60 {
			switch n := len(want); {
			case n == 0 || rnd.IntN(4) == 0:
				by := min(rnd.IntN(9), ringMinutes-n)
				front := n > 0 && rnd.IntN(2) == 0
				r.resize(n+by, front)
				if blank := make([]Cell, by); front {
					want = append(blank, want...)
				} else {
					want = append(want, blank...)
				}
			case rnd.IntN(8) == 0:
				by := rnd.IntN(n + 1)
				r.drop(by)
				want = want[by:]
			default:
				c := Of(float64(rnd.IntN(100)))
				if wide && rnd.IntN(3) == 0 {
					c = Cell{c.Sum * 2, c.Sum - 1, c.Sum + 1, 2}
				}
				if i := rnd.IntN(n); wide || want[i].Count == 0 {
					r.merge(i, c)
					want[i].Merge(c)
				}
			}
			if r.len() != len(want) || !wide && r.wide {
				t.Fatalf("seed %d: %d cells, want %d; wide: %t", seed, r.len(), len(want), r.wide)
			}
			lo := 0
			if len(want) > 0 {
				lo = rnd.IntN(len(want))
			}
			var all Cell
			present := 0
			for i, c := range want {
				if got := r.at(i); got != c {
					t.Fatalf("seed %d: cell %d is %v, want %v", seed, i, got, c)
				}
				if i >= lo && c.Count > 0 {
					all.Merge(c)
					present++
				}
			}
			if got, n := r.window(lo, len(want)); got != all || n != present {
				t.Fatalf("seed %d: from %d on %v of %d, want %v of %d", seed, lo, got, n, all, present)
			}
		}
	}
}

// TestSeries_SameHash: series whose keys have one hash are told apart, and go one by one.
func TestSeries_SameHash(t *testing.T) {
	b := &bucket{byHash: map[uint64]*series{}, byResource: map[string]*resource{}}
	var all []*series
	for i := range 4 {
		s := &series{Series: cpu(Dimension{"n", fmt.Sprint(i)})}
		all = append(all, s)
		b.list(s, 7)
	}
	for _, gone := range []int{1, 3, 0, 2} {
		b.unlist(all[gone], 7)
		all[gone].gone = true
		for i, s := range all {
			like := cpu(Dimension{"N", fmt.Sprint(i)})
			like.Name = "CPU_percent"
			if got := b.named(7, &like); (got == s) == s.gone || s.gone && got != nil {
				t.Fatalf("after %d went, %d is found as %v", gone, i, got)
			}
		}
	}
	if len(b.byHash) != 0 || len(b.byResource) != 0 {
		t.Errorf("left: %v %v", b.byHash, b.byResource)
	}
}

// TestPlace: who looked before a resource had series, or had one more, is told; who looks at another isn't.
func TestPlace(t *testing.T) {
	r := newRig(t)
	r.add(Sample{cpu(), start, Of(1)})
	have, none := r.Place(server), r.Place(server+"2")
	if have.Changed() || none.Changed() {
		t.Error("changed, though nothing came")
	}
	second, third := cpu(), cpu()
	second.Resource, third.Name = server+"2", "memory_percent"
	r.add(Sample{second, start, Of(1)})
	if have.Changed() {
		t.Error("another resource's series changed it")
	}
	if !none.Changed() {
		t.Error("a first series was not told of")
	}
	r.add(Sample{third, start, Of(1)})
	if !have.Changed() {
		t.Error("a further series was not told of")
	}
}
