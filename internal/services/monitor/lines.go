package monitor

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
)

// metric makes the answer of one metric.
func (s *Service) metric(ctx context.Context, sc *scope, list []*arm.Resource, c *chart, d metrics.Definition) (*wireMetric, error) {
	lines, err := s.lines(ctx, list, c, d.Name)
	if err != nil {
		return nil, err
	}
	id := sc.id.String() + "/providers/Microsoft.Insights/metrics/" + d.Name
	m := &wireMetric{
		ID: id, Type: "Microsoft.Insights/metrics", Name: localized{d.Name, cmp.Or(d.DisplayName, d.Name)}, Description: d.Description, Unit: cmp.Or(d.Unit, "Unspecified"),
		Lines: []wireLine{}, Error: "Success",
	}
	aggregated := c.aggregated
	if len(aggregated) == 0 {
		aggregated = []metrics.Aggregation{primary(d)}
	}
	for _, l := range lines {
		w := wireLine{Metadata: []wireDimension{}}
		for _, dim := range l.Dimensions {
			name := strings.ToLower(dim.Name)
			w.Metadata = append(w.Metadata, wireDimension{localized{name, name}, dim.Value})
		}
		if !c.metadata {
			w.Data = points(l, aggregated)
		}
		m.Lines = append(m.Lines, w)
	}
	return m, nil
}

// points are a line's numbers. A grain without data has its time only.
func points(l metrics.Line, aggregated []metrics.Aggregation) []map[string]any {
	out := make([]map[string]any, len(l.Cells))
	for i, c := range l.Cells {
		p := map[string]any{"timeStamp": l.Start.Add(time.Duration(i) * l.Grain).Format(time.RFC3339)}
		for _, a := range aggregated {
			if v, ok := a.Of(c); ok {
				p[strings.ToLower(a.String())] = v
			}
		}
		out[i] = p
	}
	return out
}

// lines asks the store, for each of the resources, and brings lines of the same dimensions together.
func (s *Service) lines(ctx context.Context, list []*arm.Resource, c *chart, name string) ([]metrics.Line, error) {
	q := metrics.Query{Namespace: c.namespace, Names: []string{name}, Filter: c.filter, From: c.from, To: c.to, Grain: c.grain}
	var res metrics.Result
	for _, one := range list {
		if c.byResource != nil && !c.byResource.Matches(one.ID) {
			continue
		}
		q.Resource = one.ID
		found, err := s.deps.Metrics.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			for _, l := range f.Lines {
				if c.byResource != nil {
					l.Dimensions = append([]metrics.Dimension{{Name: resourceDimension, Value: one.ID}}, l.Dimensions...)
				}
				l.Dimensions = c.rolled(l.Dimensions)
				res.Merge(l)
			}
		}
	}
	if len(res.Lines) == 0 && len(c.filter) == 0 && c.byResource == nil {
		n := (c.to.Sub(c.from) + c.grain - 1) / c.grain
		res.Lines = append(res.Lines, metrics.Line{Start: c.from, Grain: c.grain, Cells: make([]metrics.Cell, n)})
	}
	if len(c.filter) > 0 || c.byResource != nil {
		res.Rank(c.top, c.order, c.ascending)
	}
	return res.Lines, nil
}
