package monitor

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// asked is what a request for metrics says, in the query or in the body.
type asked struct {
	Timespan    string `json:"timespan"`
	Interval    string `json:"interval"`
	Names       string `json:"metricNames"`
	Aggregation string `json:"aggregation"`
	Filter      string `json:"filter"`
	Top         int    `json:"top"`
	OrderBy     string `json:"orderBy"`
	RollUpBy    string `json:"rollUpBy"`
	ResultType  string `json:"resultType"`
	Namespace   string `json:"metricNamespace"`
	Adjust      bool   `json:"autoAdjustTimegrain"`
	Validate    *bool  `json:"validateDimensions"`
}

// defaultTop is how many lines a metric has where the request does not say.
const defaultTop = 10

// maxNames is how many metrics one request may ask for, as on Azure.
const maxNames = 20

// chart is an understood request.
type chart struct {
	from, to   time.Time
	interval   string
	grain      time.Duration
	names      []string
	aggregated []metrics.Aggregation // none: each metric's own
	filter     []metrics.DimensionFilter
	byResource *metrics.DimensionFilter // of Microsoft.ResourceId, at a subscription
	rollup     []string                 // dimensions of the filter whose values become one line
	top        int
	order      metrics.Aggregation
	ascending  bool
	metadata   bool
	namespace  string
	validate   bool
}

func badRequest(format string, args ...any) error {
	return fault.New(fault.Invalid, "BadRequest", format, args...)
}

// fromQuery reads the parameters of a GET.
func fromQuery(r *wire.Request) (a asked, err error) {
	a = asked{
		Timespan: r.Query("timespan"), Interval: r.Query("interval"), Names: r.Query("metricnames"), Aggregation: r.Query("aggregation"), Filter: r.Query("$filter"),
		OrderBy: r.Query("orderby"), RollUpBy: r.Query("rollupby"), ResultType: r.Query("resultType"), Namespace: r.Query("metricnamespace"),
	}
	if a.Names == "" {
		a.Names = r.Query("metric") // of the oldest versions
	}
	if v := r.Query("top"); v != "" {
		if a.Top, err = strconv.Atoi(v); err != nil || a.Top <= 0 {
			return a, badRequest("The parameter 'top' is '%.40s', which is no number above 0.", v)
		}
	}
	for name, set := range map[string]func(bool){"AutoAdjustTimegrain": func(b bool) { a.Adjust = b }, "ValidateDimensions": func(b bool) { a.Validate = &b }} {
		if v := r.Query(name); v != "" {
			b, err := strconv.ParseBool(strings.ToLower(v))
			if err != nil {
				return a, badRequest("The parameter '%s' is '%.40s', which is neither true nor false.", name, v)
			}
			set(b)
		}
	}
	return a, nil
}

// understand checks what was asked.
func (a asked) understand(now time.Time) (c chart, err error) {
	if a.Top < 0 {
		return c, badRequest("top is %d, below 0.", a.Top)
	}
	c = chart{namespace: a.Namespace, top: cmp.Or(a.Top, defaultTop), validate: a.Validate == nil || *a.Validate}
	if err := c.span(a, now); err != nil {
		return c, err
	}
	for n := range strings.SplitSeq(a.Names, ",") {
		if n = strings.TrimSpace(n); n != "" && !slices.ContainsFunc(c.names, func(o string) bool { return strings.EqualFold(o, n) }) {
			c.names = append(c.names, strings.ReplaceAll(n, "%2", ",")) // as documented for names with commas
		}
	}
	if len(c.names) > maxNames {
		return c, badRequest("%d metrics are asked for, more than %d.", len(c.names), maxNames)
	}
	for n := range strings.SplitSeq(a.Aggregation, ",") {
		if n = strings.TrimSpace(n); n == "" || strings.EqualFold(n, "none") {
			continue
		}
		agg, ok := metrics.ParseAggregation(n)
		if !ok {
			return c, badRequest("The aggregation '%.40s' is none of Average, Total, Minimum, Maximum, Count.", n)
		}
		if !slices.Contains(c.aggregated, agg) {
			c.aggregated = append(c.aggregated, agg)
		}
	}
	if c.filter, err = parseFilter(a.Filter); err != nil {
		return c, err
	}
	if err := c.rollUp(a.RollUpBy); err != nil {
		return c, err
	}
	if a.OrderBy != "" {
		field, way, _ := strings.Cut(strings.TrimSpace(a.OrderBy), " ")
		agg, ok := metrics.ParseAggregation(field)
		if way = strings.ToLower(strings.TrimSpace(way)); !ok || way != "" && way != "asc" && way != "desc" {
			return c, badRequest("The order '%.60s' can't be read: an aggregation and asc or desc are expected, such as 'sum asc'.", a.OrderBy)
		}
		c.order, c.ascending = agg, way != "desc" // ascending unless told, as documented
	}
	switch strings.ToLower(a.ResultType) {
	case "", "data":
	case "metadata":
		c.metadata = true
	default:
		return c, badRequest("The result type '%.40s' is neither Data nor Metadata.", a.ResultType)
	}
	return c, nil
}

// rollUp reads the dimensions that a filter chooses by, and that do not split.
func (c *chart) rollUp(text string) error {
	for n := range strings.SplitSeq(text, ",") {
		if n = strings.TrimSpace(n); n == "" {
			continue
		}
		if !slices.ContainsFunc(c.filter, func(f metrics.DimensionFilter) bool { return strings.EqualFold(f.Name, n) }) {
			return badRequest("The parameter 'rollupby' names '%.100s', which is no dimension of the filter.", n)
		}
		c.rollup = append(c.rollup, n)
	}
	return nil
}

// rolled is what dimensions are left of a line's.
func (c *chart) rolled(dims []metrics.Dimension) []metrics.Dimension {
	if len(c.rollup) == 0 {
		return dims
	}
	return slices.DeleteFunc(dims, func(d metrics.Dimension) bool {
		return slices.ContainsFunc(c.rollup, func(n string) bool { return strings.EqualFold(n, d.Name) })
	})
}

// span reads timespan and interval.
func (c *chart) span(a asked, now time.Time) error {
	c.to = now.Truncate(time.Minute)
	c.from = c.to.Add(-time.Hour)
	if a.Timespan != "" {
		text := a.Timespan
		if plain, err := url.QueryUnescape(text); err == nil && strings.Contains(text, "%") { // the az of 2023 escapes it twice
			text = plain
		}
		from, to, ok := strings.Cut(text, "/")
		var err1, err2 error
		c.from, err1 = parseTime(from)
		c.to, err2 = parseTime(to)
		if !ok || err1 != nil || err2 != nil {
			return badRequest("The timespan '%.80s' can't be read: two times are expected, such as 2026-01-02T03:00:00Z/2026-01-02T04:00:00Z.", a.Timespan)
		}
		if !c.from.Before(c.to) {
			return badRequest("The timespan '%.80s' ends before it begins.", a.Timespan)
		}
	}
	c.from = c.from.Truncate(time.Minute)
	if longest := metrics.Retention + 24*time.Hour; c.to.Sub(c.from) > longest {
		return badRequest("The timespan is %s long; metrics are kept for %s.", c.to.Sub(c.from), metrics.Retention)
	}
	if strings.EqualFold(a.Interval, "FULL") {
		c.interval, c.grain = "FULL", c.to.Sub(c.from).Truncate(time.Minute)
		if c.grain < c.to.Sub(c.from) {
			c.grain += time.Minute
		}
		return nil
	}
	want := strings.ToUpper(cmp.Or(a.Interval, "PT1M"))
	var names []string
	for _, g := range grains {
		if names = append(names, g.name); g.name == want {
			c.interval, c.grain = g.name, g.grain
			return nil
		}
	}
	d, err := parseDuration(want)
	if err != nil || d <= 0 || !a.Adjust {
		return badRequest("Detected invalid time grain input: %.40s, supported ones are: %s.", a.Interval, strings.Join(names, ", "))
	}
	for _, g := range grains {
		if c.interval, c.grain = g.name, g.grain; g.grain >= d {
			break
		}
	}
	return nil
}

// parseTime reads a time as clients send it; without a zone it is UTC.
func parseTime(s string) (time.Time, error) {
	s = strings.ReplaceAll(strings.TrimSpace(s), " ", "+") // of a plus sign that was not escaped
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no time", s)
}

// parseDuration reads an ISO 8601 duration of days, hours, minutes and seconds.
func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%.40q is no duration", s)
	days, clock, _ := strings.Cut(strings.TrimPrefix(s, "P"), "T")
	if !strings.HasPrefix(s, "P") {
		return 0, bad
	}
	var total time.Duration
	for _, part := range []struct {
		text  string
		units string
		each  []time.Duration
	}{{days, "D", []time.Duration{24 * time.Hour}}, {clock, "HMS", []time.Duration{time.Hour, time.Minute, time.Second}}} {
		text, at := part.text, 0
		for text != "" {
			n := strings.IndexAny(text, part.units)
			if n <= 0 || n > 6 {
				return 0, bad
			}
			v, err := strconv.Atoi(text[:n])
			unit := strings.IndexByte(part.units, text[n])
			if err != nil || v < 0 || unit < at {
				return 0, bad
			}
			total += time.Duration(v) * part.each[unit]
			at, text = unit+1, text[n+1:]
		}
	}
	return total, nil
}

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
