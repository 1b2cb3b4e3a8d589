package alerting

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// happened is a transition and its minute.
type happened struct {
	Minute int64
	What   Transition
}

// live runs verdicts of the minutes first.. as a process that never ends does.
func live(verdicts []Verdict, first int64, auto bool) (out []happened) {
	var s State
	for i, v := range verdicts {
		var t Transition
		if s, t = s.Step(first+int64(i), v, auto); t != None {
			out = append(out, happened{first + int64(i), t})
		}
	}
	return out
}

func TestStep(t *testing.T) {
	const u, h, b = Unknown, Healthy, Unhealthy
	for _, c := range []struct {
		name     string
		verdicts []Verdict
		auto     bool
		want     []happened
	}{
		{"fires once", []Verdict{h, b, b, b}, true, []happened{{11, Fire}}},
		{"resolves after three", []Verdict{b, h, h, h, h}, true, []happened{{10, Fire}, {13, Resolve}}},
		{"three in a row", []Verdict{b, h, h, b, h, h, h}, true, []happened{{10, Fire}, {16, Resolve}}},
		{"no data is not healthy", []Verdict{b, h, u, u, u, h, u, h}, true, []happened{{10, Fire}, {17, Resolve}}},
		{"no data is not unhealthy", []Verdict{u, u, u}, true, nil},
		{"no data alone never resolves", append([]Verdict{b}, make([]Verdict, 100)...), true, []happened{{10, Fire}}},
		{"without autoMitigate it stays", []Verdict{b, h, h, h, h, b, b}, false, []happened{{10, Fire}}},
		{"again", []Verdict{b, h, h, h, b}, true, []happened{{10, Fire}, {13, Resolve}, {14, Fire}}},
	} {
		if d := cmp.Diff(c.want, live(c.verdicts, 10, c.auto)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// interrupted runs the same minutes in a process that ends after any of them, whose clock jumps, and that runs ticks again; what is left of it each time is the state as it was
// stored, and the minute up to which it had evaluated, which may be older than the state.
func interrupted(r *rand.Rand, verdicts []Verdict, first int64, auto bool) (out []happened) {
	var s State
	var last int64
	end := first + int64(len(verdicts)) - 1
	for now := first; last < end; {
		from, to, reset := Ticks(last, now)
		if last == 0 {
			from = first
		}
		if reset {
			panic("a small step is not to reset anything")
		}
		for m := from; m <= to; m++ {
			stored, _ := json.Marshal(s) // the process may end before the next state is stored, after it, and before the checkpoint is
			var tr Transition
			next, tr := s.Step(m, verdicts[m-first], auto)
			switch r.IntN(6) {
			case 0:
				var back State
				_ = json.Unmarshal(stored, &back)
				s = back
				m-- // evaluated again
				continue
			case 1:
				if tr != None {
					out = append(out, happened{m, tr})
				}
				s = next
				m = max(from-1, m-int64(r.IntN(4))) // the checkpoint was not stored: the ticks since run again
				continue
			}
			if tr != None {
				out = append(out, happened{m, tr})
			}
			s = next
		}
		last = max(last, to)
		now = min(end, max(first, now+int64(r.IntN(12))-4)) // forward more than back
	}
	return out
}

func TestStep_InterruptionsChangeNothing(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		verdicts := make([]Verdict, 5+r.IntN(200))
		for i := range verdicts {
			verdicts[i] = Verdict(r.IntN(3))
			if i > 0 && r.IntN(3) > 0 {
				verdicts[i] = verdicts[i-1]
			}
		}
		auto := r.IntN(4) > 0
		want := live(verdicts, 1000, auto)
		if got := interrupted(r, verdicts, 1000, auto); !slices.Equal(want, got) {
			t.Fatalf("seed %d, %v: interrupted made %v, want %v", seed, verdicts, got, want)
		}
	}
}

func FuzzStep(f *testing.F) {
	f.Add([]byte{2, 1, 1, 1, 2, 0, 1, 1, 1}, uint64(7), true)
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, auto bool) {
		if len(in) == 0 || len(in) > 300 {
			return
		}
		verdicts := make([]Verdict, len(in))
		for i, b := range in {
			verdicts[i] = Verdict(b % 3)
		}
		all := live(verdicts, 1000, auto)
		for i, h := range all { // they alternate, and each is what its verdicts say
			if h.What != []Transition{Fire, Resolve}[i%2] {
				t.Fatalf("transition %d of %v is not in turn", i, all)
			}
			if at := verdicts[h.Minute-1000]; h.What == Fire && at != Unhealthy || h.What == Resolve && at != Healthy {
				t.Fatalf("%v at a verdict of %v", h, at)
			}
		}
		if got := interrupted(rand.New(rand.NewPCG(seed, 2)), verdicts, 1000, auto); !slices.Equal(all, got) {
			t.Fatalf("interrupted made %v, want %v", got, all)
		}
	})
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		last, now, from, to int64
		reset               bool
	}{
		{0, 5000, 5000, 5000, false},
		{5000, 5001, 5001, 5001, false},
		{5000, 5010, 5001, 5010, false},
		{5000, 9000, 9000 - CatchUp + 1, 9000, false},
		{5000, 5000, 5001, 5000, false},
		{5000, 5000 - MaxBack, 5001, 5000 - MaxBack, false},
		{5000, 4999 - MaxBack, 4999 - MaxBack, 4999 - MaxBack, true},
	} {
		if from, to, reset := Ticks(c.last, c.now); from != c.from || to != c.to || reset != c.reset {
			t.Errorf("Ticks(%d, %d) = %d, %d, %t, want %d, %d, %t", c.last, c.now, from, to, reset, c.from, c.to, c.reset)
		}
	}
}
