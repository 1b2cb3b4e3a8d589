package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

func encodeDecode(t testing.TB, cells []minuteCell) ([]minuteCell, int) {
	t.Helper()
	var e encoder
	b := e.block(nil, cells)
	var d decoder
	var got []minuteCell
	if err := d.block(b, func(at int, c Cell) { got = append(got, minuteCell{at, c}) }); err != nil {
		t.Fatalf("%v of %v", err, cells)
	}
	return got, len(b)
}

func TestBlock_Exact(t *testing.T) {
	for name, cells := range map[string][]minuteCell{
		"one":       {{7, Of(3)}},
		"last":      {{119, Of(-3.25)}},
		"gaps":      {{0, Of(1)}, {3, Of(1)}, {118, Of(0)}},
		"decimal":   {{0, Of(95.1)}, {1, Of(95.2)}, {2, Cell{190.4, 95.1, 95.3, 2}}},
		"large":     {{0, Of(1 << 52)}, {1, Of(-1 << 52)}, {2, Of(17)}},
		"counter":   {{0, Cell{137, 1, 1, 137}}, {1, Cell{140, 1, 1, 140}}, {2, Cell{1, 1, 1, 1}}},
		"zero":      {{0, Of(0)}, {1, Of(0)}},
		"escape":    {{0, Of(0)}, {1, Of(1)}, {2, Of(0)}, {3, Of(1 << 51)}, {4, Of(1)}, {5, Of(0)}, {6, Of(0)}, {7, Of(0)}, {8, Of(0)}},
		"slope":     {{0, Of(100)}, {1, Of(200)}, {2, Of(300)}, {3, Of(401)}},
		"falling":   {{0, Of(-100)}, {1, Of(-200)}, {2, Of(-301)}},
		"power two": {{0, Of(math.Ldexp(1, 200))}, {1, Of(math.Ldexp(1, -200))}},
	} {
		got, _ := encodeDecode(t, cells)
		if len(got) != len(cells) {
			t.Errorf("%s: got %v, want %v", name, got, cells)
			continue
		}
		for i := range got {
			if got[i] != cells[i] {
				t.Errorf("%s: got %v, want %v", name, got[i], cells[i])
			}
		}
	}
}

// TestBlock_Precision: an arbitrary fraction loses less than what the documentation says.
func TestBlock_Precision(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var cells []minuteCell
		for at := range blockMinutes {
			if r.IntN(10) > 0 {
				v := math.Ldexp(r.Float64()-.5, r.IntN(600)-300)
				cells = append(cells, minuteCell{at, Cell{v, -v, v * 3, float64(r.IntN(1e6) + 1)}})
			}
		}
		got, _ := encodeDecode(t, cells)
		if len(got) != len(cells) {
			t.Fatalf("%d cells of %d", len(got), len(cells))
		}
		for i, c := range cells {
			g := got[i]
			if g.at != c.at || g.Count != c.Count || off(g.Sum, c.Sum) > 1e-11 || off(g.Min, c.Min) > 1e-11 || off(g.Max, c.Max) > 1e-11 {
				t.Fatalf("got %v, want %v", g, c)
			}
		}
	}
	for _, v := range []float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, math.Copysign(0, -1)} {
		if got, _ := encodeDecode(t, []minuteCell{{0, Of(v)}, {1, Of(.1234567890123)}}); math.IsInf(got[0].Sum, 0) || off(got[0].Sum, v) > 1e-11 && math.Abs(v) > 1e-300 {
			t.Errorf("%g became %g", v, got[0].Sum)
		}
	}
}

func off(got, want float64) float64 {
	if got == want {
		return 0
	}
	return math.Abs(got/want - 1)
}

// TestBlock_Size publishes what a stored cell takes. The bars are the project's own.
func TestBlock_Size(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		name string
		most float64
		next func(minute int) Cell
	}{
		{"connections, a gauge of whole numbers read once a minute", 4, func(i int) Cell { return Of(40 + math.Round(10*math.Sin(float64(i)/30)+3*r.NormFloat64())) }},
		{"requests, counted", 4, func(int) Cell { n := float64(900 + r.IntN(200)); return Cell{n, 1, 1, n} }},
		{"bytes, a rising counter of some MB a minute", 4, func(i int) Cell { return Of(float64(i*1_000_000 + r.IntN(100_000))) }},
		{"connections, six reads a minute", 4, func(int) Cell {
			v := 40 + float64(r.IntN(8))
			return Cell{6*v + float64(r.IntN(12)), v, v + float64(r.IntN(5)), 6}
		}},
		{"CPU percent, one noisy fraction a minute", 16, func(int) Cell { return Of(100 * r.Float64()) }},
		{"CPU percent, six noisy fractions a minute", 16, func(int) Cell {
			var c Cell
			for range 6 {
				c.Merge(Of(100 * r.Float64()))
			}
			return c
		}},
		{"CPU percent, six reads of two decimals", 8, func(int) Cell {
			var c Cell
			for range 6 {
				c.Merge(Of(math.Round(100*(50+10*r.NormFloat64())) / 100))
			}
			return c
		}},
	} {
		const blocks = 100
		size := 0
		for b := range blocks {
			var cells []minuteCell
			for at := range blockMinutes {
				cells = append(cells, minuteCell{at, c.next(b*blockMinutes + at)})
			}
			_, n := encodeDecode(t, cells)
			size += n + blockKeySize
		}
		per := float64(size) / (blocks * blockMinutes)
		t.Logf("%s: %.2f bytes per cell, its key included", c.name, per)
		if per > c.most {
			t.Errorf("%s: %.2f bytes per cell, more than %g", c.name, per, c.most)
		}
	}
}

func FuzzBlock(f *testing.F) {
	var e encoder
	f.Add(e.block(nil, []minuteCell{{0, Of(1)}, {4, Of(2.5)}, {119, Of(1e300)}}))
	f.Add(e.block(nil, []minuteCell{{3, Cell{6, 1, 3, 3}}, {4, Cell{7, 1, 4, 3}}}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d decoder
		last := -1
		_ = d.block(b, func(at int, c Cell) {
			if at <= last || at >= blockMinutes {
				t.Fatalf("place %d after %d", at, last)
			}
			last = at
		})
	})
}

func FuzzBlockRoundTrip(f *testing.F) {
	f.Add(uint64(1), uint64(2), 3.5)
	f.Fuzz(func(t *testing.T, a, b uint64, scale float64) {
		if math.IsNaN(scale) || math.IsInf(scale, 0) {
			return
		}
		r := rand.New(rand.NewPCG(a, b))
		var cells []minuteCell
		for at := range blockMinutes {
			if v := math.Trunc(scale*r.Float64()*1000) / 1000; r.IntN(3) > 0 && !math.IsInf(v, 0) && !math.IsNaN(v) {
				cells = append(cells, minuteCell{at, Of(v)})
			}
		}
		if len(cells) == 0 {
			return
		}
		got, _ := encodeDecode(t, cells)
		for i, c := range cells {
			if got[i].at != c.at || off(got[i].Sum, c.Sum) > 1e-11 && math.Abs(c.Sum) > 1e-300 {
				t.Fatalf("got %v, want %v", got[i], c)
			}
		}
	})
}
