package alerting

import (
	"context"
	"testing"
)

// daily is a Source whose series is 10 at night and 50 by day.
type daily struct{}

func (daily) at(minute int64) Cell {
	v := 10.0
	if h := minute / 60 % 24; h >= 8 && h < 20 {
		v = 50
	}
	v += float64(minute / (24 * 60) % 3)
	return Cell{Sum: v, Count: 1, Min: v, Max: v}
}

func (d daily) Merge(_ context.Context, _ *Query, from, to int64, out []Sample) ([]Sample, error) {
	var all Cell
	for m := from; m < to; m++ {
		all.Merge(d.at(m))
	}
	return append(out, Sample{Cell: all}), nil
}

// TestLearn: what Learn makes of cells is the band that a rule of the same window is judged by.
func TestLearn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		window int64
		of     Aggregation
	}{{5, Average}, {5, Total}, {120, Maximum}, {60, Count}} {
		r := &Rule{ID: "r", Window: c.window, Frequency: 1, Resources: []string{"x"}, Criteria: []Criterion{{Name: "k", Aggregation: c.of, Dynamic: &Dynamic{Deviations: 3, Periods: 1, MinFailing: 1}}}}
		r.Compile()
		minute := int64(29_500_000)
		ev := &Evaluator{Source: daily{}, Bands: &Bands{have: map[string]*Band{}}}
		want, err := ev.band(t.Context(), r, &r.Criteria[0], &r.queries[0][0], "x", minute)
		if err != nil {
			t.Fatal(err)
		}
		from, to := Learning(minute)
		var cells []Cell
		for m := from; m+Step(c.window) <= to; m += Step(c.window) {
			s, _ := daily{}.Merge(t.Context(), nil, m, m+Step(c.window), nil)
			cells = append(cells, s[0].Cell)
		}
		got := Learn(cells, from, c.window, c.of)
		for h := range int64(24) {
			lo, hi, ok := got.Edges(minute+h*60, 3)
			lo2, hi2, ok2 := want.Edges(minute+h*60, 3)
			if !ok || !ok2 || lo != lo2 || hi != hi2 || lo >= hi {
				t.Errorf("window %d, %s, hour %d: %v to %v (%v), the rule's band is %v to %v (%v)", c.window, c.of, h, lo, hi, ok, lo2, hi2, ok2)
			}
		}
	}
}
