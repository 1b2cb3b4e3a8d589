package portal

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// grain is a span of time that a chart's point stands for.
type grain struct {
	Name  string
	Words string
	Long  time.Duration
}

var grains = []grain{
	{"PT1M", "1 minute", time.Minute},
	{"PT5M", "5 minutes", 5 * time.Minute},
	{"PT15M", "15 minutes", 15 * time.Minute},
	{"PT30M", "30 minutes", 30 * time.Minute},
	{"PT1H", "1 hour", time.Hour},
	{"PT6H", "6 hours", 6 * time.Hour},
	{"PT12H", "12 hours", 12 * time.Hour},
	{"P1D", "1 day", 24 * time.Hour},
}

var timeSpans = []grain{
	{"1h", "the last hour", time.Hour},
	{"6h", "the last 6 hours", 6 * time.Hour},
	{"1d", "the last day", 24 * time.Hour},
	{"7d", "the last 7 days", 7 * 24 * time.Hour},
	{"30d", "the last 30 days", 30 * 24 * time.Hour},
}

const (
	fewPoints  = 400  // what a chart has unless another grain is asked for
	manyPoints = 1500 // what it has at the most
)

// view is what of a metric a page is to show.
type view struct {
	Resource, Metric, Aggregation, Split string
	Grain, Span                          string // "" grain: what fits
	From, To                             string // instead of Span

	namespace, metric string
	from, to          time.Time
	grain             time.Duration
}

// readView reads a page's address; metric and aggregation are settled later, when it is known what there is.
func readView(r *wire.Request, now time.Time) (v view, err error) {
	v = view{
		Resource: r.Query("resource"), Metric: r.Query("metric"), Aggregation: r.Query("aggregation"), Split: r.Query("split"), Grain: r.Query("grain"),
		Span: cmp.Or(r.Query("span"), "1h"), From: r.Query("from"), To: r.Query("to"),
	}
	return v, v.times(now)
}

func (v *view) times(now time.Time) error {
	i := slices.IndexFunc(timeSpans, func(g grain) bool { return g.Name == v.Span })
	if i < 0 {
		return fault.New(fault.Invalid, "InvalidSpan", "span=%s is not one of 1h, 6h, 1d, 7d, 30d.", short(40, v.Span))
	}
	v.to = now.UTC().Truncate(time.Minute).Add(time.Minute)
	v.from = v.to.Add(-timeSpans[i].Long)
	if v.From != "" || v.To != "" {
		for text, at := range map[string]*time.Time{v.From: &v.from, v.To: &v.to} {
			if text == "" {
				continue
			}
			t, err := time.Parse(minutes, text)
			if err != nil {
				return fault.New(fault.Invalid, "InvalidTime", "%q is not a time such as 2026-01-31T18:30.", short(60, text))
			}
			*at = t
		}
		if v.From == "" {
			v.from = v.to.Add(-timeSpans[i].Long)
		}
		if !v.from.Before(v.to) {
			return fault.New(fault.Invalid, "InvalidTime", "The time ends before it begins.")
		}
	}
	long := v.to.Sub(v.from)
	v.grain = 24 * time.Hour
	for _, g := range grains {
		if g.Name == v.Grain && long/g.Long <= manyPoints || v.Grain == "" && long/g.Long <= fewPoints || v.grainTooFine(g, long) {
			v.grain, v.Grain = g.Long, g.Name
			break
		}
	}
	v.from = v.from.Truncate(v.grain)
	return nil
}

// grainTooFine tells whether g is the first grain that a chart can have in place of a finer one that was asked for.
func (v *view) grainTooFine(g grain, long time.Duration) bool {
	i := slices.IndexFunc(grains, func(o grain) bool { return o.Name == v.Grain })
	return i >= 0 && long/grains[i].Long > manyPoints && long/g.Long <= manyPoints
}

// settle chooses a metric of those there are, and an aggregation that it has.
func (v *view) settle(have []definition) *definition {
	if len(have) == 0 {
		return nil
	}
	i := slices.IndexFunc(have, func(d definition) bool {
		return strings.EqualFold(d.Key(), v.Metric) || strings.EqualFold(d.Name.Value, v.Metric)
	})
	d := &have[max(i, 0)]
	v.Metric, v.namespace, v.metric = d.Key(), d.Namespace, d.Name.Value
	if !slices.Contains(d.Supported, v.Aggregation) {
		v.Aggregation = d.Primary
	}
	if !slices.ContainsFunc(d.Dimensions, func(n named) bool { return n.Value == v.Split }) {
		v.Split = ""
	}
	return d
}

// span is the time in words, for the API.
func (v *view) timespan() string {
	return v.from.Format(time.RFC3339) + "/" + v.to.Format(time.RFC3339)
}
