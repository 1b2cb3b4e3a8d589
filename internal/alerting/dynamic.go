package alerting

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Dynamic is a criterion whose threshold is learnt.
type Dynamic struct {
	Deviations    float64 // how many deviations from the usual are too many: see Sensitivity
	Periods       int     // windows looked at
	MinFailing    int     // of which so many must be out of the band
	IgnoreBefore  int64   // minute; 0: none
	SensitivityAs string  // Low, Medium or High
}

// Sensitivity gives how many deviations a sensitivity stands for.
func Sensitivity(name string) (deviations float64, ok bool) {
	switch strings.ToLower(name) {
	case "high":
		return 2, true
	case "medium":
		return 3, true
	case "low":
		return 4.5, true
	}
	return 0, false
}

const (
	hour      = 60
	week      = 7 * 24 * hour
	learnFrom = 28 * 24 * hour // how far back is learnt from
	learnMin  = 3 * 24 * hour  // how much there must be before a dynamic criterion says anything
	learnStep = 24 * hour      // the band of a day is learnt from what was before it: it is the same whoever computes it, and when
	perSlot   = 3              // values that make a slot
	deviation = 1.4826         // of a normal distribution, in units of its median absolute deviation
)

// Band is what a series usually is by hour of the week: the median, and a deviation that one far value does not widen (the median absolute one). An hour of the week that was seen fewer
// than three times is judged as its hour of the day, and that one as the whole.
type Band struct {
	slots [week / hour]*usual
	hours [24]*usual
	all   *usual
}

type usual struct{ median, deviation float64 }

// Edges are the lower and upper edge of the band at a minute; ok is false as long as too little was seen.
func (b *Band) Edges(minute int64, deviations float64) (lo, hi float64, ok bool) {
	if b == nil || b.all == nil {
		return 0, 0, false
	}
	u := b.slots[minute/hour%(week/hour)]
	if u == nil {
		u = b.hours[minute/hour%24]
	}
	if u == nil {
		u = b.all
	}
	return u.median - deviations*u.deviation, u.median + deviations*u.deviation, true
}

// Step is how long the windows are that a Band is learnt from: an hour, or the rule's window if that is longer. In minutes.
func Step(window int64) int64 { return max(window, hour) }

// Learning gives the minutes [from, to) that the Band of a minute's day is learnt from.
func Learning(minute int64) (from, to int64) {
	to = minute / learnStep * learnStep
	return to - learnFrom, to
}

// Learn makes the Band that a dynamic criterion of an aggregation and a window judges by. cells has what was measured in each Step from a minute on, in order.
func Learn(cells []Cell, from, window int64, a Aggregation) *Band {
	step := Step(window)
	var points []point
	for i, c := range cells {
		if v, ok := a.Of(perWindow(c, a, window, step)); ok {
			points = append(points, point{from + int64(i)*step, v})
		}
	}
	return learn(points)
}

// point is the value of a window that ended at a minute.
type point struct {
	minute int64
	value  float64
}

// learn makes a band of points in order of time; one without edges if they span too little.
func learn(points []point) *Band {
	b := &Band{}
	if len(points) < perSlot || points[len(points)-1].minute-points[0].minute < learnMin-hour {
		return b
	}
	var slots [week / hour][]float64
	var hours [24][]float64
	all := make([]float64, 0, len(points))
	for _, p := range points {
		slots[p.minute/hour%(week/hour)] = append(slots[p.minute/hour%(week/hour)], p.value)
		hours[p.minute/hour%24] = append(hours[p.minute/hour%24], p.value)
		all = append(all, p.value)
	}
	b.all = usually(all)
	for i := range slots {
		if len(slots[i]) >= perSlot && len(points) >= 2*week/hour {
			b.slots[i] = usually(slots[i])
		}
	}
	for i := range hours {
		if len(hours[i]) >= perSlot {
			b.hours[i] = usually(hours[i])
		}
	}
	return b
}

func usually(values []float64) *usual {
	m := median(values)
	off := make([]float64, len(values))
	for i, v := range values {
		off[i] = math.Abs(v - m)
	}
	return &usual{m, max(deviation*median(off), math.Abs(m)/100, 1e-9)} // a series that never moves has a band, too
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return values[n/2-1]/2 + values[n/2]/2
}

// Bands keeps what was learnt, a day long. Not safe for concurrent use.
type Bands struct {
	day  int64
	have map[string]*Band
}

// judgeDynamic judges the last windows of each combination against what is usual.
func (e *Evaluator) judgeDynamic(ctx context.Context, r *Rule, c *Criterion, q *Query, minute int64) ([]judged, error) {
	if e.Bands == nil {
		return nil, nil
	}
	if day := minute / learnStep; day != e.Bands.day || e.Bands.have == nil {
		e.Bands.day, e.Bands.have = day, map[string]*Band{}
	}
	var out []judged
	counts := map[string]*failing{}
	for k := range c.Dynamic.Periods {
		end := minute - int64(k)*r.Window
		samples, err := e.Source.Merge(ctx, q, end-r.Window, end, nil)
		if err != nil {
			return nil, err
		}
		for _, s := range samples {
			key := (&Outcome{Resource: q.Resource, Dimensions: s.Dimensions}).Key()
			f := counts[key]
			if f == nil {
				if k > 0 {
					continue // of what has no data now nothing is said
				}
				f = &failing{dims: s.Dimensions}
				counts[key] = f
				out = append(out, judged{dims: s.Dimensions})
			}
			band, err := e.band(ctx, r, c, q, key, minute)
			if err != nil {
				return nil, err
			}
			f.see(c, band, end, s.Cell, k == 0)
		}
	}
	for i := range out {
		f := counts[(&Outcome{Resource: q.Resource, Dimensions: out[i].dims}).Key()]
		out[i].verdict, out[i].m = f.verdict(c.Dynamic), f.m
	}
	return out, nil
}

// failing counts the windows of one combination that are out of its band.
type failing struct {
	dims      []Value
	bad, fine int
	m         Measured // of the newest
}

func (f *failing) see(c *Criterion, b *Band, end int64, cell Cell, newest bool) {
	v, ok := c.Aggregation.Of(cell)
	lo, hi, known := b.Edges(end-1, c.Dynamic.Deviations)
	if newest {
		f.m = Measured{Value: v, Has: ok, Threshold: hi}
		if c.Operator == LessThan || c.Operator == GreaterOrLessThan && v < lo {
			f.m.Threshold = lo
		}
	}
	switch {
	case !ok || !known:
	case c.Operator != LessThan && v > hi, c.Operator != GreaterThan && v < lo:
		f.bad++
	default:
		f.fine++
	}
}

func (f *failing) verdict(d *Dynamic) Verdict {
	switch {
	case f.bad >= d.MinFailing:
		return Unhealthy
	case d.Periods-f.fine < d.MinFailing: // whatever the others were
		return Healthy
	}
	return Unknown
}

// band learns, or remembers, the band of one combination on the day of a minute.
func (e *Evaluator) band(ctx context.Context, r *Rule, c *Criterion, q *Query, key string, minute int64) (*Band, error) {
	name := bandName(r, c, key)
	if b := e.Bands.have[name]; b != nil {
		return b, nil
	}
	from, until := Learning(minute)
	from = max(from, c.Dynamic.IgnoreBefore)
	step := Step(r.Window)
	points := map[string][]point{}
	for at := from; at+step <= until; at += step {
		samples, err := e.Source.Merge(ctx, q, at, at+step, nil)
		if err != nil {
			return nil, err
		}
		for _, s := range samples {
			if v, ok := c.Aggregation.Of(perWindow(s.Cell, c.Aggregation, r.Window, step)); ok {
				k := (&Outcome{Resource: q.Resource, Dimensions: s.Dimensions}).Key()
				points[k] = append(points[k], point{at, v})
			}
		}
	}
	prefix := strings.TrimSuffix(name, key)
	e.Bands.have[name] = &Band{} // where there is no past
	for k, p := range points {
		e.Bands.have[prefix+k] = learn(p)
	}
	return e.Bands.have[name], nil
}

// bandName tells the bands of one rule, criterion and combination from the others.
func bandName(r *Rule, c *Criterion, key string) string {
	return fmt.Sprintf("%s|%s|%d|%s", r.ID, c.Name, r.Window, key)
}

// Edges are those of the band by which Evaluate judged an instance (see Outcome.Key) at a minute, for charts. Call it before the next minute is evaluated; ok is false where the criterion
// has no band.
func (e *Evaluator) Edges(r *Rule, c *Criterion, key string, minute int64) (lo, hi float64, ok bool) {
	if c.Dynamic == nil || e.Bands == nil {
		return 0, 0, false
	}
	return e.Bands.have[bandName(r, c, key)].Edges(minute-1, c.Dynamic.Deviations)
}

// perWindow scales what adds up with time from the step that was learnt from to the rule's window.
func perWindow(c Cell, a Aggregation, window, step int64) Cell {
	if f := float64(window) / float64(step); a == Total || a == Count {
		c.Sum *= f
		c.Count *= f
	}
	return c
}
