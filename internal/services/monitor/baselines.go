package monitor

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// wireBaselines is the answer (swagger: MetricBaselinesResponse of 2019-03-01).
type wireBaselines struct {
	Value []wireBaseline `json:"value"`
}

type wireBaseline struct {
	ID         string             `json:"id"`
	Type       string             `json:"type"`
	Name       string             `json:"name"`
	Properties baselineProperties `json:"properties"`
}

type baselineProperties struct {
	Timespan  string         `json:"timespan"`
	Interval  string         `json:"interval"`
	Namespace string         `json:"namespace"`
	Baselines []lineBaseline `json:"baselines"`
}

// lineBaseline is what one line usually is.
type lineBaseline struct {
	Aggregation string         `json:"aggregation"`
	Dimensions  []nameAndValue `json:"dimensions"`
	Times       []string       `json:"timestamps"`
	Data        []sensitivity  `json:"data"`
	Metadata    []nameAndValue `json:"metadataValues"`
}

type nameAndValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type sensitivity struct {
	Name string    `json:"sensitivity"`
	Low  []float64 `json:"lowThresholds"`
	High []float64 `json:"highThresholds"`
}

// maxBaselineDays bounds one request: each day's band is learnt from the four weeks before it.
const maxBaselineDays = 31

// listBaselines tells the bands that dynamic criteria of a resource's metrics are judged by.
func (s *Service) listBaselines(ctx context.Context, r *wire.Request) (*wireBaselines, error) {
	a, err := fromQuery(r)
	if err != nil {
		return nil, err
	}
	c, err := a.understand(r.Time)
	if err != nil {
		return nil, err
	}
	res := r.State.(*scope).resource
	if res == nil {
		return nil, badRequest("Baselines are of the metrics of a resource, not of a subscription or group.")
	}
	if c.to.Sub(c.from) > maxBaselineDays*24*time.Hour || c.interval == "FULL" {
		return nil, badRequest("Baselines are told for %d days at a time, and by grains.", maxBaselineDays)
	}
	names, err := sensitivities(r.Query("sensitivities"))
	if err != nil {
		return nil, err
	}
	c.namespace = cmp.Or(c.namespace, res.Type)
	defs, err := s.wanted(&c, []*arm.Resource{res})
	if err != nil {
		return nil, err
	}
	out := &wireBaselines{Value: []wireBaseline{}}
	for _, d := range defs {
		one := wireBaseline{ID: res.ID + "/providers/microsoft.insights/metricBaselines/" + d.Name, Type: "microsoft.insights/metricBaselines", Name: d.Name, Properties: baselineProperties{
			Timespan: c.from.Format(time.RFC3339) + "/" + c.to.Format(time.RFC3339), Interval: c.interval, Namespace: c.namespace, Baselines: []lineBaseline{},
		}}
		aggregated := c.aggregated
		if len(aggregated) == 0 {
			aggregated = []metrics.Aggregation{primary(d)}
		}
		if one.Properties.Baselines, err = s.baselines(ctx, res, &c, d.Name, aggregated, names); err != nil {
			return nil, err
		}
		out.Value = append(out.Value, one)
	}
	return out, nil
}

// sensitivities reads which of them are asked for; none means all.
func sensitivities(text string) ([]string, error) {
	all := []string{"Low", "Medium", "High"}
	var out []string
	for n := range strings.SplitSeq(text, ",") {
		if n = strings.TrimSpace(n); n == "" {
			continue
		}
		i := slices.IndexFunc(all, func(s string) bool { return strings.EqualFold(s, n) })
		if i < 0 {
			return nil, badRequest("The sensitivity '%.40s' is none of Low, Medium and High.", n)
		}
		out = append(out, all[i])
	}
	if out == nil {
		return all, nil
	}
	return out, nil
}

// baselines learns the bands of a metric's lines, for each day of the chart from what was measured before it.
func (s *Service) baselines(ctx context.Context, res *arm.Resource, c *chart, name string, aggregated []metrics.Aggregation, names []string) ([]lineBaseline, error) {
	window := int64(c.grain / time.Minute)
	step := alerting.Step(window)
	minute := func(t time.Time) int64 { return t.Unix() / 60 }
	first, _ := alerting.Learning(minute(c.from))
	_, last := alerting.Learning(minute(c.to))
	found, err := s.deps.Metrics.Query(ctx, metrics.Query{
		Resource: res.ID, Namespace: c.namespace, Names: []string{name}, Filter: c.filter, From: time.Unix(first*60, 0), To: time.Unix(last*60, 0), Grain: time.Duration(step) * time.Minute,
	})
	if err != nil {
		return nil, err
	}
	out := []lineBaseline{}
	for _, f := range found {
		f.Rank(c.top, c.order, c.ascending)
		for _, l := range f.Lines {
			for _, agg := range aggregated {
				out = append(out, baseline(&l, c, agg, names, first, window))
			}
		}
	}
	return out, nil
}

// baseline is what one line usually is. l begins at the minute first, and has a cell for each step.
func baseline(l *metrics.Line, c *chart, agg metrics.Aggregation, names []string, first, window int64) lineBaseline {
	of, _ := alerting.ParseAggregation(agg.String())
	cells := make([]alerting.Cell, len(l.Cells))
	for i, m := range l.Cells {
		cells[i] = alerting.Cell{Sum: m.Sum, Count: m.Count, Min: m.Min, Max: m.Max}
	}
	out := lineBaseline{Aggregation: strings.ToLower(agg.String()), Dimensions: []nameAndValue{}, Times: []string{}, Metadata: []nameAndValue{{"SeasonalityFrequency", "168"}}}
	for _, d := range l.Dimensions {
		out.Dimensions = append(out.Dimensions, nameAndValue{strings.ToLower(d.Name), d.Value})
	}
	for _, n := range names {
		out.Data = append(out.Data, sensitivity{n, []float64{}, []float64{}})
	}
	step := alerting.Step(window)
	var band *alerting.Band
	day := int64(-1)
	for t := c.from; t.Before(c.to); t = t.Add(c.grain) {
		end := t.Unix()/60 + window
		from, to := alerting.Learning(end)
		if to != day {
			day = to
			lo, hi := min((from-first)/step, int64(len(cells))), min((to-first)/step, int64(len(cells)))
			band = alerting.Learn(cells[lo:hi], from, window, of)
		}
		for i, n := range names {
			deviations, _ := alerting.Sensitivity(n)
			low, high, ok := band.Edges(end-1, deviations)
			if !ok {
				break
			}
			if i == 0 {
				out.Times = append(out.Times, t.Format(time.RFC3339))
			}
			out.Data[i].Low, out.Data[i].High = append(out.Data[i].Low, low), append(out.Data[i].High, high)
		}
	}
	if len(out.Times) == 0 {
		out.Metadata = append(out.Metadata, nameAndValue{"ErrorType", "NotEnoughData"})
	}
	return out
}
