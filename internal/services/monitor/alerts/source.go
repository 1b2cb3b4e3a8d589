package alerts

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
)

// measured gives the rules what the store of metrics has.
type measured struct{ store *metrics.Store }

// NewSource makes the store of metrics what rules are judged by.
func NewSource(s *metrics.Store) alerting.Source { return measured{s} }

// selection is what a query found, for as long as the store has the same series for the resource.
type selection struct {
	place  metrics.Place
	one    metrics.Ref // with alone: the only series, if it has no dimensions that are asked for
	alone  bool
	groups []seriesGroup
}

// seriesGroup is the series with the same values of the query's dimensions.
type seriesGroup struct {
	dims []alerting.Value
	refs []metrics.Ref
}

// Merge implements alerting.Source.
func (m measured) Merge(ctx context.Context, q *alerting.Query, from, to int64, out []alerting.Sample) ([]alerting.Sample, error) {
	sel, _ := q.Handle.(*selection)
	if sel == nil || sel.place.Changed() {
		sel = m.find(q)
		q.Handle = sel
	}
	start, end := timeOf(from), timeOf(to)
	if sel.alone {
		c, _, err := m.store.Window(ctx, sel.one, start, end)
		if err != nil || c.Count == 0 {
			return out, err
		}
		return append(out, alerting.Sample{Cell: alerting.Cell{Sum: c.Sum, Count: c.Count, Min: c.Min, Max: c.Max}}), nil
	}
	for i := range sel.groups {
		g := &sel.groups[i]
		var all metrics.Cell
		for _, ref := range g.refs {
			c, _, err := m.store.Window(ctx, ref, start, end)
			if err != nil {
				return out, err
			}
			all.Merge(c)
		}
		if all.Count > 0 {
			out = append(out, alerting.Sample{Dimensions: g.dims, Cell: alerting.Cell{Sum: all.Sum, Count: all.Count, Min: all.Min, Max: all.Max}})
		}
	}
	return out, nil
}

// find looks for the query's series: where no namespace is named in the one of the resource's type, and only if there are none there in any.
func (m measured) find(q *alerting.Query) *selection {
	sel := &selection{place: m.store.Place(q.Resource)}
	by := metrics.Selector{Resource: q.Resource, Namespace: q.Namespace, Name: q.Metric}
	for i := range q.Dimensions {
		d := &q.Dimensions[i]
		by.Dimensions = append(by.Dimensions, metrics.DimensionFilter{Name: d.Name, Values: d.Values, Exclude: d.Exclude})
	}
	var found []metrics.Selected
	if q.Namespace == "" {
		if id, err := arm.ParseID(q.Resource); err == nil && id.Namespace != "" {
			by.Namespace = id.Type()
			found = m.store.Select(by)
			by.Namespace = ""
		}
	}
	if len(found) == 0 {
		found = m.store.Select(by)
	}
	if len(found) == 1 && len(q.Dimensions) == 0 {
		sel.one, sel.alone = found[0].Ref, true
		return sel
	}
	place := map[string]int{}
	for _, f := range found {
		dims := valuesOf(f.Dimensions, q.Dimensions)
		key := (&alerting.Outcome{Dimensions: dims}).Key()
		i, ok := place[key]
		if !ok {
			i = len(sel.groups)
			place[key] = i
			sel.groups = append(sel.groups, seriesGroup{dims: dims})
		}
		sel.groups[i].refs = append(sel.groups[i].refs, f.Ref)
	}
	return sel
}

// valuesOf are a series' values of the dimensions that are asked for.
func valuesOf(have []metrics.Dimension, want []alerting.Dimension) []alerting.Value {
	out := make([]alerting.Value, 0, len(want))
	for _, w := range want {
		for _, h := range have {
			if strings.EqualFold(h.Name, w.Name) {
				out = append(out, alerting.Value{Name: h.Name, Value: h.Value})
				break
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
