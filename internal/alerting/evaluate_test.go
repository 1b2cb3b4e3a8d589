package alerting

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// memory is a Source: the cells of each series by minute.
type memory map[string]map[int64]Cell

// put writes one value of the series "resource/metric{a=x,b=y}".
func (m memory) put(series string, minute int64, v float64) {
	if m[series] == nil {
		m[series] = map[int64]Cell{}
	}
	c := m[series][minute]
	c.Merge(Cell{v, 1, v, v})
	m[series][minute] = c
}

func (m memory) Merge(_ context.Context, q *Query, from, to int64, out []Sample) ([]Sample, error) {
	found := map[string]*Sample{}
	var keys []string
next:
	for series, cells := range m {
		name, rest, _ := strings.Cut(series, "{")
		if name != q.Resource+"/"+q.Metric {
			continue
		}
		have := map[string]string{}
		for _, pair := range strings.Split(strings.TrimSuffix(rest, "}"), ",") {
			k, v, _ := strings.Cut(pair, "=")
			have[k] = v
		}
		var dims []Value
		for i := range q.Dimensions {
			d := &q.Dimensions[i]
			if !d.Keeps(have[d.Name]) {
				continue next
			}
			dims = append(dims, Value{d.Name, have[d.Name]})
		}
		key := fmt.Sprint(dims)
		for minute := from; minute < to; minute++ {
			c, ok := cells[minute]
			if !ok {
				continue
			}
			if found[key] == nil {
				found[key] = &Sample{Dimensions: dims}
				keys = append(keys, key)
			}
			found[key].Cell.Merge(c)
		}
	}
	sort.Strings(keys)
	for _, k := range keys {
		out = append(out, *found[k])
	}
	return out, nil
}

func (m memory) outcome(t *testing.T, r *Rule, minute int64) []string {
	t.Helper()
	r.Compile()
	e := Evaluator{Source: m, Bands: &Bands{}}
	found, err := e.Evaluate(t.Context(), r, minute)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, o := range found {
		line := o.Key() + " " + o.Verdict.String()
		for _, v := range o.Measured {
			if v.Has {
				line += fmt.Sprintf(" %g:%g", v.Value, v.Threshold)
			} else {
				line += " -"
			}
		}
		out = append(out, line)
	}
	return out
}

func TestEvaluate(t *testing.T) {
	m := memory{}
	for minute, v := range []float64{10, 20, 90, 95, 100} {
		m.put("/r1/cpu{}", 100+int64(minute), v)
	}
	m.put("/r1/req{code=500,host=a}", 104, 7)
	m.put("/r1/req{code=500,host=b}", 104, 2)
	m.put("/r1/req{code=200,host=a}", 104, 1)
	m.put("/r1/lat{host=a}", 104, 50)
	m.put("/r1/lat{host=b}", 104, 5)
	m.put("/r2/cpu{}", 104, 3)
	m.put("/r1/odd{}", 104, math.Inf(1))
	cpu := func(a Aggregation, o Operator, v float64) Criterion {
		return Criterion{Metric: "cpu", Aggregation: a, Operator: o, Threshold: v}
	}
	rule := func(window int64, c ...Criterion) *Rule {
		return &Rule{ID: "x", Frequency: 1, Window: window, Resources: []string{"/r1"}, Criteria: c}
	}
	hosts := []Dimension{{Name: "host", Values: []string{"*"}}}
	for name, c := range map[string]struct {
		rule   *Rule
		minute int64
		want   []string
	}{
		"average":             {rule(5, cpu(Average, GreaterThan, 60)), 105, []string{"/r1 unhealthy 63:60"}},
		"minimum is 'during'": {rule(3, cpu(Minimum, GreaterThanOrEqual, 90)), 105, []string{"/r1 unhealthy 90:90"}},
		"not all the window":  {rule(4, cpu(Minimum, GreaterThanOrEqual, 90)), 105, []string{"/r1 healthy 20:90"}},
		"the minute itself is not over": {
			rule(1, cpu(Maximum, GreaterThan, 99)), 104, []string{"/r1 healthy 95:99"},
		},
		"no data is nothing":    {rule(5, cpu(Average, LessThan, 1000)), 200, []string{}},
		"nor is it a count":     {rule(5, cpu(Count, LessThan, 1)), 200, []string{}},
		"count":                 {rule(5, cpu(Count, Equals, 5)), 105, []string{"/r1 unhealthy 5:5"}},
		"total":                 {rule(5, cpu(Total, NotEquals, 315)), 105, []string{"/r1 healthy 315:315"}},
		"infinity is no number": {rule(5, Criterion{Metric: "odd", Operator: GreaterThan}), 105, []string{"/r1 no data -"}},
		"both":                  {rule(5, cpu(Average, GreaterThan, 60), cpu(Maximum, GreaterThan, 99)), 105, []string{"/r1 unhealthy 63:60 100:99"}},
		"one of both":           {rule(5, cpu(Average, GreaterThan, 60), cpu(Maximum, GreaterThan, 100)), 105, []string{"/r1 healthy 63:60 100:100"}},
		"one without data": {
			rule(5, cpu(Average, GreaterThan, 60), Criterion{Metric: "none", Operator: LessThan, Threshold: 1}), 105, []string{"/r1 no data 63:60 -"},
		},
		"one that decides alone": {
			rule(5, cpu(Average, GreaterThan, 99), Criterion{Metric: "none", Operator: LessThan, Threshold: 1}), 105, []string{"/r1 healthy 63:99 -"},
		},
		"each combination": {
			rule(5, Criterion{Metric: "req", Aggregation: Total, Operator: GreaterThan, Threshold: 5, Dimensions: hosts}), 105,
			[]string{`/r1|"host"="a" unhealthy 8:5`, `/r1|"host"="b" healthy 2:5`},
		},
		"include": {
			rule(5, Criterion{Metric: "req", Aggregation: Total, Operator: GreaterThan, Threshold: 5, Dimensions: []Dimension{{Name: "code", Values: []string{"500"}}}}), 105,
			[]string{`/r1|"code"="500" unhealthy 9:5`},
		},
		"exclude": {
			rule(5, Criterion{Metric: "req", Aggregation: Total, Operator: GreaterThan, Threshold: 5, Dimensions: []Dimension{{Name: "code", Exclude: true, Values: []string{"500"}}}}), 105,
			[]string{`/r1|"code"="200" healthy 1:5`},
		},
		"criteria meet in their dimensions": {
			rule(5, Criterion{Metric: "req", Aggregation: Total, Operator: GreaterThan, Threshold: 1, Dimensions: hosts}, Criterion{Metric: "lat", Operator: GreaterThan, Threshold: 10, Dimensions: hosts}), 105,
			[]string{`/r1|"host"="a" unhealthy 8:1 50:10`, `/r1|"host"="b" healthy 2:1 5:10`},
		},
		"each resource": {
			&Rule{ID: "x", Window: 1, Resources: []string{"/R1", "/r2", "/r3"}, Criteria: []Criterion{cpu(Average, GreaterThan, 50)}}, 105,
			[]string{"/r1 unhealthy 100:50", "/r2 healthy 3:50"},
		},
	} {
		if d := cmp.Diff(c.want, m.outcome(t, c.rule, c.minute)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestEvaluate_TooManyInstances(t *testing.T) {
	m := memory{}
	for i := range MaxInstances + 1 {
		m.put(fmt.Sprintf("/r1/req{host=h%d}", i), 1, 1)
	}
	r := &Rule{ID: "x", Window: 5, Resources: []string{"/r1"}, Criteria: []Criterion{{Metric: "req", Dimensions: []Dimension{{Name: "host", Values: []string{"*"}}}}}}
	r.Compile()
	e := Evaluator{Source: m}
	if _, err := e.Evaluate(t.Context(), r, 2); err != (ErrTooMany{"x"}) {
		t.Errorf("got %v, want ErrTooMany", err)
	}
}

// A series that is busy by day and quiet by night: what is usual at noon is not at midnight.
func TestEvaluate_Dynamic(t *testing.T) {
	const days = 20
	m := memory{}
	usual := func(minute int64) float64 {
		v := 10.0
		if h := minute / hour % 24; h >= 8 && h < 18 {
			v = 80
		}
		return v + float64(minute*7919%5) // some noise
	}
	first := int64(20_000) * learnStep
	for minute := first; minute < first+days*24*hour; minute++ {
		m.put("/r1/cpu{}", minute, usual(minute))
	}
	noon, night := first+(days-1)*24*hour+12*hour, first+(days-1)*24*hour+2*hour
	dynamic := func(o Operator, sensitivity string, of, failing int, ignore int64) *Rule {
		d, ok := Sensitivity(sensitivity)
		if !ok {
			t.Fatal(sensitivity)
		}
		return &Rule{ID: "x", Window: 5, Resources: []string{"/r1"}, Criteria: []Criterion{{
			Metric: "cpu", Operator: o, Dynamic: &Dynamic{Deviations: d, Periods: of, MinFailing: failing, IgnoreBefore: ignore},
		}}}
	}
	verdict := func(r *Rule, minute int64) string {
		out := m.outcome(t, r, minute)
		if len(out) != 1 {
			t.Fatalf("%v", out)
		}
		return out[0]
	}
	want := func(name, got, begins string) {
		t.Helper()
		if !strings.HasPrefix(got, begins) {
			t.Errorf("%s: got %s, want %s", name, got, begins)
		}
	}
	want("usual at noon", verdict(dynamic(GreaterOrLessThan, "High", 4, 4, 0), noon), "/r1 healthy")
	want("usual at night", verdict(dynamic(GreaterOrLessThan, "High", 4, 4, 0), night), "/r1 healthy")
	for minute := night - 20; minute < night; minute++ {
		m["/r1/cpu{}"][minute] = Cell{80, 1, 80, 80}
	}
	want("noon's load at night", verdict(dynamic(GreaterThan, "Low", 4, 4, 0), night), "/r1 unhealthy 80")
	want("which is not too little", verdict(dynamic(LessThan, "Low", 4, 4, 0), night), "/r1 healthy 80")
	want("too early to tell", verdict(dynamic(GreaterThan, "Low", 4, 4, night-2*24*hour), night), "/r1 no data")
	for minute := night - 20; minute < night-10; minute++ {
		m["/r1/cpu{}"][minute] = Cell{11, 1, 11, 11}
	}
	want("two of four, three wanted", verdict(dynamic(GreaterThan, "Medium", 4, 3, 0), night), "/r1 healthy 80")
	want("two of four", verdict(dynamic(GreaterThan, "Medium", 4, 2, 0), night), "/r1 unhealthy 80")
}

func TestDue_SpreadsAndRepeats(t *testing.T) {
	counts := [5]int{}
	for i := range 1000 {
		r := Rule{ID: fmt.Sprintf("/subscriptions/s/rules/r%d", i), Frequency: 5}
		var at []int64
		for m := int64(100); m < 110; m++ {
			if r.Due(m) {
				at = append(at, m)
			}
		}
		if len(at) != 2 || at[1]-at[0] != 5 {
			t.Fatalf("%s is due at %v", r.ID, at)
		}
		counts[at[0]%5]++
	}
	for _, n := range counts {
		if n < 120 || n > 280 {
			t.Errorf("rules by minute: %v", counts)
		}
	}
}

func TestNames(t *testing.T) {
	for i := range aggregations {
		if got, ok := ParseAggregation(strings.ToUpper(Aggregation(i).String())); !ok || got != Aggregation(i) {
			t.Errorf("aggregation %v: %v, %t", Aggregation(i), got, ok)
		}
	}
	for i := range operators {
		if got, ok := ParseOperator(strings.ToLower(Operator(i).String())); !ok || got != Operator(i) {
			t.Errorf("operator %v: %v, %t", Operator(i), got, ok)
		}
	}
	if _, ok := ParseOperator("Near"); ok {
		t.Error("Near is an operator")
	}
}

// ring is a Source of cells that lie in a row, one series a query.
type ring struct{ cells []Cell }

const ringCells = 64

func (r *ring) Merge(_ context.Context, q *Query, from, to int64, out []Sample) ([]Sample, error) {
	series := r.cells[q.Handle.(int)*ringCells:][:ringCells]
	a, b := from%ringCells, to%ringCells
	if a < b {
		return append(out, Sample{Cell: reduce(series[a:b])}), nil
	}
	all := reduce(series[a:])
	all.Merge(reduce(series[:b]))
	return append(out, Sample{Cell: all}), nil
}

// BenchmarkEvaluate judges rules over windows of 60 one-minute cells on all processors: one operation is one minute of all rules.
func BenchmarkEvaluate(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			if n > 100_000 && os.Getenv("BULKHEAD_BENCH") == "" {
				b.Skip("takes 2.5 GB: set BULKHEAD_BENCH=1")
			}
			src := &ring{make([]Cell, n*ringCells)}
			for i := range src.cells {
				v := float64(i % 97)
				src.cells[i] = Cell{v, 1, v, v}
			}
			rules := make([]Rule, n)
			for i := range rules {
				rules[i] = Rule{ID: "r", Frequency: 1, Window: 60, Resources: []string{"/r"}, Criteria: []Criterion{{Metric: "cpu", Operator: GreaterThan, Threshold: 1000}}}
				rules[i].Compile()
				rules[i].queries[0][0].Handle = i
			}
			b.ResetTimer()
			for i := range b.N {
				var wg sync.WaitGroup
				workers := runtime.GOMAXPROCS(0)
				for w := range workers {
					wg.Go(func() {
						e := Evaluator{Source: src}
						for j := w * n / workers; j < (w+1)*n/workers; j++ {
							out, err := e.Evaluate(b.Context(), &rules[j], int64(1000+i))
							if err != nil || len(out) != 1 || out[0].Verdict != Healthy {
								b.Errorf("%v, %v", out, err)
								return
							}
						}
					})
				}
				wg.Wait()
			}
		})
	}
}

// reduce merges cells that lie in a row, such as those of a window.
func reduce(cells []Cell) Cell {
	lo, hi := math.Inf(1), math.Inf(-1)
	var sum, count float64
	for i := range cells {
		c := &cells[i]
		if c.Count == 0 {
			continue
		}
		sum += c.Sum
		count += c.Count
		if c.Min < lo {
			lo = c.Min
		}
		if c.Max > hi {
			hi = c.Max
		}
	}
	if count == 0 {
		return Cell{}
	}
	return Cell{sum, count, lo, hi}
}
