package alerting

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Query names the series that a criterion looks at on one resource.
type Query struct {
	Resource   string // ARM id, lower case
	Namespace  string // "": the resource's own
	Metric     string
	Dimensions []Dimension
	Handle     any // the Source's own: what it found out about the query once
}

// Sample is the merged cell of the series that have the same values of the dimensions of a Query.
type Sample struct {
	Dimensions []Value // in the Query's order
	Cell       Cell
}

// Source is where measurements come from. Minutes count from the Unix epoch.
type Source interface {
	// Merge appends to out what the minutes [from, to) hold, one Sample for each combination of values that has data. The Query lives as long
	// as its Rule, and is asked by one goroutine at a time; of its fields the Source may set Handle.
	Merge(ctx context.Context, q *Query, from, to int64, out []Sample) ([]Sample, error)
}

// Measured is what a criterion was judged by.
type Measured struct {
	Value     float64 // of the window; with Has only
	Has       bool
	Threshold float64 // that applied: of a dynamic criterion, the edge of its band that counts
}

// Outcome is what an evaluation found out about one instance.
type Outcome struct {
	Resource   string // ARM id, as the rule has it
	Dimensions []Value
	Verdict    Verdict
	Measured   []Measured // by criterion
}

// Key tells an instance from the others of its rule.
func (o *Outcome) Key() string {
	if len(o.Dimensions) == 0 {
		return strings.ToLower(o.Resource)
	}
	var b strings.Builder
	b.WriteString(strings.ToLower(o.Resource))
	for _, d := range o.Dimensions {
		fmt.Fprintf(&b, "|%q=%q", strings.ToLower(d.Name), d.Value)
	}
	return b.String()
}

// MaxInstances bounds the instances of one rule.
const MaxInstances = 10_000

// ErrTooMany is the error of a rule with more instances than MaxInstances.
type ErrTooMany struct{ Rule string }

// Error implements error.
func (e ErrTooMany) Error() string {
	return fmt.Sprintf("the rule %s has more than %d combinations of resources and dimensions; name fewer values", e.Rule, MaxInstances)
}

// Evaluator evaluates rules one after the other; not safe for concurrent use. The zero value with a Source works.
type Evaluator struct {
	Source Source
	Bands  *Bands // nil: dynamic criteria are Unknown

	samples  []Sample
	partial  []partial
	next     []partial
	outcomes []Outcome
	measured []Measured
}

// partial is an instance of which the criteria up to some one are judged.
type partial struct {
	dims     []Value
	verdict  Verdict
	measured []Measured
}

// Evaluate judges a rule at a minute. Instances without any data are not among the outcomes: they are Unknown. The outcomes are valid until the next call.
func (e *Evaluator) Evaluate(ctx context.Context, r *Rule, minute int64) ([]Outcome, error) {
	e.outcomes = e.outcomes[:0]
	e.measured = e.measured[:0]
	for i, resource := range r.Resources {
		if err := e.resource(ctx, r, i, resource, minute); err != nil {
			return nil, err
		}
		if len(e.outcomes) > MaxInstances {
			return nil, ErrTooMany{r.ID}
		}
	}
	return e.outcomes, nil
}

func (e *Evaluator) resource(ctx context.Context, r *Rule, i int, resource string, minute int64) error {
	if len(r.Criteria) == 1 && r.Criteria[0].Dynamic == nil { // by far the most
		c := &r.Criteria[0]
		var err error
		if e.samples, err = e.Source.Merge(ctx, &r.queries[i][0], minute-r.Window, minute, e.samples[:0]); err != nil {
			return err
		}
		for _, s := range e.samples {
			v, m := c.judge(s.Cell)
			e.add(resource, s.Dimensions, v, m)
		}
		return nil
	}
	e.partial = append(e.partial[:0], partial{verdict: Unhealthy})
	for j := range r.Criteria {
		if err := e.join(ctx, r, i, j, minute); err != nil {
			return err
		}
	}
	for _, p := range e.partial {
		e.add(resource, p.dims, p.verdict, p.measured...)
	}
	return nil
}

func (e *Evaluator) add(resource string, dims []Value, v Verdict, m ...Measured) {
	at := len(e.measured)
	e.measured = append(e.measured, m...)
	e.outcomes = append(e.outcomes, Outcome{resource, dims, v, e.measured[at:len(e.measured):len(e.measured)]})
}

// judge is what a static criterion says of its window.
func (c *Criterion) judge(cell Cell) (Verdict, Measured) {
	m := Measured{Threshold: c.Threshold}
	if m.Value, m.Has = c.Aggregation.Of(cell); !m.Has {
		return Unknown, m
	}
	if c.Operator.Holds(m.Value, c.Threshold) {
		return Unhealthy, m
	}
	return Healthy, m
}

// judged is a criterion's verdict for one combination of its dimensions.
type judged struct {
	dims    []Value
	verdict Verdict
	m       Measured
}

// join judges the next criterion and puts its combinations together with those of the ones before: such as agree on the dimensions they share.
func (e *Evaluator) join(ctx context.Context, r *Rule, i, j int, minute int64) error {
	found, err := e.judgeAll(ctx, r, i, j, minute)
	if err != nil {
		return err
	}
	if len(found) == 0 { // no data for this criterion, whatever the instance
		found = []judged{{verdict: Unknown, m: Measured{Threshold: r.Criteria[j].Threshold}}}
	}
	e.next = e.next[:0]
	for _, p := range e.partial {
		matched := false
		for _, f := range found {
			dims, ok := together(p.dims, f.dims)
			if !ok {
				continue
			}
			matched = true
			e.next = append(e.next, partial{dims, both(p.verdict, f.verdict), append(slices.Clone(p.measured), f.m)})
			if len(e.next) > MaxInstances {
				return ErrTooMany{r.ID}
			}
		}
		if !matched {
			e.next = append(e.next, partial{p.dims, both(p.verdict, Unknown), append(slices.Clone(p.measured), Measured{Threshold: r.Criteria[j].Threshold})})
		}
	}
	e.partial, e.next = e.next, e.partial
	return nil
}

func (e *Evaluator) judgeAll(ctx context.Context, r *Rule, i, j int, minute int64) (out []judged, err error) {
	c, q := &r.Criteria[j], &r.queries[i][j]
	if c.Dynamic != nil {
		return e.judgeDynamic(ctx, r, c, q, minute)
	}
	if e.samples, err = e.Source.Merge(ctx, q, minute-r.Window, minute, e.samples[:0]); err != nil {
		return nil, err
	}
	for _, s := range e.samples {
		v, m := c.judge(s.Cell)
		out = append(out, judged{s.Dimensions, v, m})
	}
	return out, nil
}

// both is the verdict of two criteria that must both be met: one that is known not to be decides alone.
func both(a, b Verdict) Verdict {
	switch {
	case a == Healthy || b == Healthy:
		return Healthy
	case a == Unknown || b == Unknown:
		return Unknown
	}
	return Unhealthy
}

// together is a natural join of two combinations.
func together(a, b []Value) ([]Value, bool) {
	out := slices.Clone(a)
	for _, v := range b {
		k := slices.IndexFunc(a, func(w Value) bool { return strings.EqualFold(v.Name, w.Name) })
		switch {
		case k < 0:
			out = append(out, v)
		case !strings.EqualFold(a[k].Value, v.Value):
			return nil, false
		}
	}
	return out, true
}
