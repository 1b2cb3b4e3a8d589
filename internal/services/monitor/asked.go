package monitor

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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
