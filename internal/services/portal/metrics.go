package portal

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// explorerLink is the page of a metric.
func explorerLink(resource, namespace, metric, aggregation, split string) string {
	q := url.Values{"resource": {resource}}
	if metric != "" {
		q.Set("metric", cmp.Or(namespace, typeOf(resource))+"|"+metric)
	}
	for _, v := range [][2]string{{"aggregation", aggregation}, {"split", split}} {
		if v[1] != "" {
			q.Set(v[0], v[1])
		}
	}
	return "/monitor/metrics?" + q.Encode()
}

type named struct {
	Value string `json:"value"`
	Local string `json:"localizedValue"`
}

// definition is a metric that a resource has.
type definition struct {
	Namespace  string   `json:"namespace"`
	Name       named    `json:"name"`
	Unit       string   `json:"unit"`
	Primary    string   `json:"primaryAggregationType"`
	Supported  []string `json:"supportedAggregationTypes"`
	Dimensions []named  `json:"dimensions"`
}

// Key names it in addresses.
func (d definition) Key() string { return d.Namespace + "|" + d.Name.Value }

// definitions are the metrics of a resource in all its namespaces.
func (s *Service) definitions(ctx context.Context, r *wire.Request, who *session, id string) ([]definition, error) {
	type space struct {
		Properties struct {
			Name string `json:"metricNamespaceName"`
		} `json:"properties"`
	}
	spaces, _, err := list[space](ctx, s, r, who, id+"/providers/Microsoft.Insights/metricNamespaces?api-version="+namespacesVersion)
	if err != nil {
		return nil, err
	}
	const most = 20
	var out []definition
	for _, n := range spaces[:min(len(spaces), most)] {
		q := url.Values{"api-version": {definitionsVersion}, "metricnamespace": {n.Properties.Name}}
		some, _, err := list[definition](ctx, s, r, who, id+"/providers/Microsoft.Insights/metricDefinitions?"+q.Encode())
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// point is a grain of a metric; the numbers that it hasn't got are nil.
type point struct {
	At      time.Time `json:"timeStamp"`
	Average *float64  `json:"average"`
	Total   *float64  `json:"total"`
	Minimum *float64  `json:"minimum"`
	Maximum *float64  `json:"maximum"`
	Count   *float64  `json:"count"`
}

// of gives the value of an aggregation, NaN where there is none.
func (p point) of(aggregation string) float64 {
	v := map[string]*float64{"average": p.Average, "total": p.Total, "minimum": p.Minimum, "maximum": p.Maximum, "count": p.Count}[strings.ToLower(aggregation)]
	if v == nil {
		return math.NaN()
	}
	return *v
}

type measuredMetric struct {
	Name  named  `json:"name"`
	Unit  string `json:"unit"`
	Lines []struct {
		Dimensions []struct {
			Name  named  `json:"name"`
			Value string `json:"value"`
		} `json:"metadatavalues"`
		Data []point `json:"data"`
	} `json:"timeseries"`
}

// measured asks for metrics of a resource.
func (s *Service) measured(ctx context.Context, r *wire.Request, who *session, id string, q url.Values) ([]measuredMetric, error) {
	q.Set("api-version", definitionsVersion)
	var out struct {
		Value []measuredMetric `json:"value"`
	}
	err := s.call(ctx, r, who, http.MethodGet, id+"/providers/Microsoft.Insights/metrics?"+q.Encode(), nil, &out)
	return out.Value, err
}

// curves asks for the view's numbers.
func (s *Service) curves(ctx context.Context, r *wire.Request, who *session, v *view) (unit string, out []curve, err error) {
	q := url.Values{"metricnames": {strings.ReplaceAll(v.metric, ",", "%2")}, "metricnamespace": {v.namespace}, "aggregation": {v.Aggregation}, "interval": {v.Grain}, "timespan": {v.timespan()}}
	if v.Split != "" {
		name := v.Split
		if strings.ContainsAny(name, " ()'") {
			name = quoted(name)
		}
		q.Set("$filter", name+" eq '*'")
	}
	got, err := s.measured(ctx, r, who, v.Resource, q)
	if err != nil || len(got) == 0 {
		return "", nil, err
	}
	for _, l := range got[0].Lines {
		c := curve{Name: v.Aggregation + " of " + v.metric}
		for _, d := range l.Dimensions {
			c.Name = d.Value
		}
		for _, p := range l.Data {
			c.Values = append(c.Values, p.of(v.Aggregation))
		}
		out = append(out, c)
	}
	return got[0].Unit, out, nil
}

// tableRow is a point of time in the table below a chart.
type tableRow struct {
	At     time.Time
	Values []string // "" where there is no data
}

func tableOf(in chartOf) (out []tableRow) {
	n := 0
	for _, l := range in.Curves {
		n = max(n, len(l.Values))
	}
	for i := range n {
		row := tableRow{At: in.From.Add(time.Duration(i) * in.Grain)}
		for _, l := range in.Curves {
			text := ""
			if i < len(l.Values) && !math.IsNaN(l.Values[i]) {
				text = amount(l.Values[i], in.Unit)
			}
			row.Values = append(row.Values, text)
		}
		out = append(out, row)
	}
	return out
}

// explorer is what the page of metrics shows.
type explorer struct {
	View        view
	Kinds       []kindOf
	More        bool
	Definitions []definition
	Definition  *definition
	Grains      []grain
	Spans       []grain
	Chart       *chart
	Curves      []curve
	Rows        []tableRow
	Rules       []metricRule
	Raised      []raised
	NewRule     string
	Coarser     bool
}

func (s *Service) metricsPage(ctx context.Context, r *wire.Request, who *session) (any, error) {
	v, err := readView(r, s.deps.Clock.Now())
	if err != nil {
		return s.refused(who, "metrics", err)
	}
	data := explorer{Grains: grains, Spans: timeSpans, Coarser: r.Query("grain") != "" && r.Query("grain") != v.Grain}
	if data.Kinds, data.More, err = s.resources(ctx, r, who); err != nil {
		return s.refused(who, "metrics", err)
	}
	if v.Resource != "" {
		if err := s.explore(ctx, r, who, &v, &data); err != nil {
			return s.refused(who, "metrics", err)
		}
	}
	if r.Query("grain") == "" {
		v.Grain = ""
	}
	data.View = v
	return s.render("metrics", http.StatusOK, page{Title: "Metrics", Who: who, Room: "metrics", Path: []step{{"Home", "/"}}, Script: "portal.js", Data: data})
}

// explore fills in what there is of a resource's metric.
func (s *Service) explore(ctx context.Context, r *wire.Request, who *session, v *view, data *explorer) (err error) {
	if err := resourceID(v.Resource, ""); err != nil {
		return err
	}
	if data.Definitions, err = s.definitions(ctx, r, who, v.Resource); err != nil {
		return err
	}
	if data.Definition = v.settle(data.Definitions); data.Definition == nil {
		return nil
	}
	in := chartOf{From: v.from, To: v.to, Grain: v.grain}
	if in.Unit, in.Curves, err = s.curves(ctx, r, who, v); err != nil {
		return err
	}
	if err := s.overlay(ctx, r, who, v, &in, data); err != nil {
		return err
	}
	data.Chart, data.Curves, data.Rows = in.draw(), in.Curves, tableOf(in)
	q := url.Values{"resource": {v.Resource}, "metric": {v.Metric}, "aggregation": {v.Aggregation}}
	data.NewRule = "/monitor/rule?" + q.Encode()
	return nil
}

// overlay adds what alert rules say of the metric: thresholds, learned bands, and when they were fired.
func (s *Service) overlay(ctx context.Context, r *wire.Request, who *session, v *view, in *chartOf, data *explorer) error {
	sub := subscriptionOf(v.Resource)
	rules, _, err := within[metricRule](ctx, s, r, who, sub, rulesSuffix)
	if err != nil {
		return err
	}
	for _, rule := range rules {
		criteria := rule.watches(v.Resource, v.namespace, v.metric)
		if len(criteria) == 0 {
			continue
		}
		data.Rules = append(data.Rules, rule)
		for _, c := range criteria {
			if c.Threshold != nil {
				name := short(40, rule.Name) + ": " + c.Aggregation + " " + signs[c.Operator] + " " + amount(*c.Threshold, in.Unit)
				if !rule.Properties.Enabled {
					name += " (off)"
				}
				in.Levels = append(in.Levels, level{name, *c.Threshold})
				continue
			}
			bands, err := s.bands(ctx, r, who, rule, v)
			if err != nil {
				return err
			}
			in.Ribbons = append(in.Ribbons, bands...)
		}
	}
	return s.firedSpans(ctx, r, who, v, in, data)
}

// bands asks what a dynamic rule has learned of the view's resource.
func (s *Service) bands(ctx context.Context, r *wire.Request, who *session, rule metricRule, v *view) (out []ribbon, err error) {
	got, err := s.tried(ctx, r, who, rule.ID, v.from, v.to, nil)
	if fault.Is(err, fault.Forbidden) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) { // of what the user may not see, or too much of it
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, l := range got.Lines {
		if !strings.EqualFold(l.Resource, v.Resource) || !strings.EqualFold(l.Metric, v.metric) {
			continue
		}
		b := ribbon{Name: "What is usual, says " + rule.Name}
		for _, p := range l.Points {
			if p.Low != nil && p.High != nil {
				b.Points = append(b.Points, ribbonEdge{p.At, *p.Low, *p.High})
			}
		}
		if len(b.Points) > 0 {
			out = append(out, b)
		}
	}
	return out, nil
}

// firedSpans adds the alerts of the last 30 days that were raised by the metric and weren't over before the view's time.
func (s *Service) firedSpans(ctx context.Context, r *wire.Request, who *session, v *view, in *chartOf, data *explorer) error {
	q := url.Values{"targetResource": {v.Resource}, "timeRange": {"30d"}, "includeContext": {"true"}, "monitorService": {"Platform"}}
	all, _, err := within[raised](ctx, s, r, who, subscriptionOf(v.Resource), raisedPath(q))
	if err != nil {
		return err
	}
	for _, a := range all {
		e := a.Properties.Essentials
		about := slices.ContainsFunc(a.Properties.Context.Context.Condition.AllOf, func(c raisedReason) bool {
			return strings.EqualFold(c.Metric, v.metric) && strings.EqualFold(cmp.Or(c.Namespace, typeOf(v.Resource)), v.namespace)
		})
		to := e.Resolved
		if to.IsZero() {
			to = v.to
		}
		if !about || to.Before(v.from) || e.Start.After(v.to) {
			continue
		}
		data.Raised = append(data.Raised, a)
		in.Spans = append(in.Spans, firedSpan{Name: a.RuleName(), Link: a.Link(), Severity: a.level(), From: e.Start, To: to})
	}
	return nil
}
