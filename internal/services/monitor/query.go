package monitor

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// wireMetrics is the answer (swagger: Response).
type wireMetrics struct {
	Cost      int          `json:"cost"`
	Timespan  string       `json:"timespan"`
	Interval  string       `json:"interval"`
	Namespace string       `json:"namespace"`
	Region    string       `json:"resourceregion"`
	Value     []wireMetric `json:"value"`
}

type wireMetric struct {
	ID          string     `json:"id"`
	Type        string     `json:"type"`
	Name        localized  `json:"name"`
	Description string     `json:"displayDescription"`
	Unit        string     `json:"unit"`
	Lines       []wireLine `json:"timeseries"`
	Error       string     `json:"errorCode"`
}

type wireLine struct {
	Metadata []wireDimension  `json:"metadatavalues"`
	Data     []map[string]any `json:"data,omitzero"`
}

type wireDimension struct {
	Name  localized `json:"name"`
	Value string    `json:"value"`
}

func (s *Service) getMetrics(ctx context.Context, r *wire.Request) (*wireMetrics, error) {
	a, err := fromQuery(r)
	if err != nil {
		return nil, err
	}
	return s.chart(ctx, r, a)
}

// postMetrics is the form for long filters, of a subscription's region.
func (s *Service) postMetrics(ctx context.Context, r *wire.Request) (*wireMetrics, error) {
	var a asked
	if len(r.Body) > 0 {
		if err := wire.Bind(r, &a); err != nil {
			return nil, err
		}
	}
	q, err := fromQuery(r)
	if err != nil {
		return nil, err
	}
	// What the body leaves out is taken from the query.
	a.Timespan, a.Interval, a.Names = cmp.Or(a.Timespan, q.Timespan), cmp.Or(a.Interval, q.Interval), cmp.Or(a.Names, q.Names)
	a.Aggregation, a.Filter, a.OrderBy = cmp.Or(a.Aggregation, q.Aggregation), cmp.Or(a.Filter, q.Filter), cmp.Or(a.OrderBy, q.OrderBy)
	a.RollUpBy, a.ResultType, a.Namespace = cmp.Or(a.RollUpBy, q.RollUpBy), cmp.Or(a.ResultType, q.ResultType), cmp.Or(a.Namespace, q.Namespace)
	a.Top, a.Adjust = cmp.Or(a.Top, q.Top), a.Adjust || q.Adjust
	if a.Validate == nil {
		a.Validate = q.Validate
	}
	return s.chart(ctx, r, a)
}

// resourceDimension is the dimension that tells a subscription's resources apart.
const resourceDimension = "Microsoft.ResourceId"

func (s *Service) chart(ctx context.Context, r *wire.Request, a asked) (*wireMetrics, error) {
	c, err := a.understand(r.Time)
	if err != nil {
		return nil, err
	}
	sc := r.State.(*scope)
	if sc.resource == nil {
		if c.namespace == "" {
			return nil, badRequest("Metrics of a subscription are of one resource type: the parameter 'metricnamespace' is missing.")
		}
		for i, f := range c.filter {
			if strings.EqualFold(f.Name, resourceDimension) {
				c.byResource, c.filter = &f, slices.Delete(c.filter, i, i+1)
				break
			}
		}
	}
	list, err := s.selected(ctx, r, r.Query("region"), c.namespace)
	if err != nil {
		return nil, err
	}
	if c.namespace == "" {
		c.namespace = sc.resource.Type
	}
	defs, err := s.wanted(&c, list)
	if err != nil {
		return nil, err
	}
	out := &wireMetrics{
		Timespan: c.from.Format(time.RFC3339) + "/" + c.to.Format(time.RFC3339), Interval: c.interval, Namespace: c.namespace, Region: region(r.Query("region")), Value: []wireMetric{},
	}
	if sc.resource != nil {
		out.Region = sc.resource.Location
	}
	for _, d := range defs {
		m, err := s.metric(ctx, sc, list, &c, d)
		if err != nil {
			return nil, err
		}
		for _, l := range m.Lines {
			out.Cost += len(l.Data)
		}
		out.Value = append(out.Value, *m)
	}
	return out, nil
}

// wanted finds the definitions of the metrics asked for; none asked for means the first one.
func (s *Service) wanted(c *chart, list []*arm.Resource) ([]metrics.Definition, error) {
	var have []metrics.Definition
	for _, res := range list {
		for _, d := range s.definitions(res, c.namespace) {
			if i := slices.IndexFunc(have, func(o metrics.Definition) bool { return strings.EqualFold(o.Name, d.Name) }); i < 0 {
				have = append(have, d)
			} else if len(d.Dimensions) > len(have[i].Dimensions) {
				have[i] = d
			}
		}
	}
	if len(c.names) == 0 {
		have = have[:min(1, len(have))]
		return have, c.checkDimensions(have)
	}
	if len(list) == 0 { // nothing of the type in the region: nothing to chart, and nothing to say about names
		return nil, nil
	}
	var out []metrics.Definition
	for _, n := range c.names {
		i := slices.IndexFunc(have, func(d metrics.Definition) bool { return strings.EqualFold(d.Name, n) })
		if i < 0 {
			return nil, s.unknownMetric(c, list[0], n, have)
		}
		out = append(out, have[i])
	}
	return out, c.checkDimensions(out)
}

func (s *Service) unknownMetric(c *chart, res *arm.Resource, name string, have []metrics.Definition) error {
	const most = 100
	var valid []string
	for _, d := range have[:min(most, len(have))] {
		valid = append(valid, d.Name)
	}
	provider, kind, _ := strings.Cut(res.Type, "/")
	if !strings.EqualFold(c.namespace, res.Type) {
		return badRequest("Failed to find metric configuration for namespace: %s, metric: %.100s, Valid metrics: %s", c.namespace, name, strings.Join(valid, ","))
	}
	return badRequest("Failed to find metric configuration for provider: %s, resource Type: %s, metric: %.100s, Valid metrics: %s", provider, kind, name, strings.Join(valid, ","))
}

// checkDimensions refuses a filter by a dimension that a metric does not have, unless told not to.
func (c *chart) checkDimensions(defs []metrics.Definition) error {
	if !c.validate {
		return nil
	}
	for _, d := range defs {
		for _, f := range c.filter {
			if !slices.ContainsFunc(d.Dimensions, func(n string) bool { return strings.EqualFold(n, f.Name) }) {
				return badRequest("Metric: %s does not support requested dimension combination: %.100s, supported ones are: %s", d.Name, strings.ToLower(f.Name), strings.ToLower(strings.Join(d.Dimensions, ",")))
			}
		}
	}
	return nil
}
