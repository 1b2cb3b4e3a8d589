package portal

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// ruleForm is what the form of a new rule has in its fields.
type ruleForm struct {
	Resource, Metric, Aggregation, Operator string
	Kind                                    string // static, dynamic
	Threshold                               string
	Sensitivity                             string
	Periods, Failing                        string
	Dimension, Values                       string // values by commas
	Window, Frequency                       string
	Severity                                string
	Name, Group, ActionGroup, Description   string
	Keep                                    bool // never resolves by itself
	Span                                    string
}

var (
	windows      = []string{"PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT2H", "PT6H", "PT12H", "P1D"}
	frequencies  = []string{"PT1M", "PT5M", "PT15M", "PT30M", "PT1H"}
	operators    = []string{"GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual", "Equals", "NotEquals", "GreaterOrLessThan"}
	aggregations = []string{"Average", "Minimum", "Maximum", "Total", "Count"}
)

// readForm reads the fields; what is missing has what most rules have.
func readForm(get func(string) string) ruleForm {
	resource := get("resource")
	return ruleForm{
		Resource: resource, Metric: get("metric"), Aggregation: cmp.Or(get("aggregation"), "Average"), Operator: cmp.Or(get("operator"), "GreaterThan"), Kind: cmp.Or(get("kind"), "static"),
		Threshold: get("threshold"), Sensitivity: cmp.Or(get("sensitivity"), "Medium"), Periods: cmp.Or(get("periods"), "4"), Failing: cmp.Or(get("failing"), "4"), Dimension: get("dimension"),
		Values: get("values"), Window: cmp.Or(get("window"), "PT5M"), Frequency: cmp.Or(get("frequency"), "PT1M"), Severity: cmp.Or(get("severity"), "3"), Name: get("name"),
		Group: cmp.Or(get("group"), groupOf(resource)), ActionGroup: get("actionGroup"), Description: get("description"), Keep: get("keep") != "", Span: cmp.Or(get("span"), "1d"),
	}
}

// body is the rule as Azure Monitor takes it.
func (f *ruleForm) body() (map[string]any, error) {
	namespace, metric, ok := strings.Cut(f.Metric, "|")
	if !ok {
		return nil, fault.New(fault.Invalid, "InvalidMetric", "Choose a metric.")
	}
	severity, err := strconv.Atoi(f.Severity)
	if err != nil {
		return nil, fault.New(fault.Invalid, "InvalidSeverity", "The severity %q is no number.", short(40, f.Severity))
	}
	dimensions := []any{}
	if f.Dimension != "" {
		var values []string
		for v := range strings.SplitSeq(cmp.Or(f.Values, "*"), ",") {
			if v = strings.TrimSpace(v); v != "" {
				values = append(values, v)
			}
		}
		dimensions = append(dimensions, map[string]any{"name": f.Dimension, "operator": "Include", "values": values})
	}
	c := map[string]any{
		"name": "Metric1", "metricName": metric, "metricNamespace": namespace, "operator": f.Operator, "timeAggregation": f.Aggregation, "dimensions": dimensions, "criterionType": "StaticThresholdCriterion",
	}
	kind := "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
	if f.Kind == "dynamic" {
		periods, err1 := strconv.Atoi(f.Periods)
		failing, err2 := strconv.Atoi(f.Failing)
		if err1 != nil || err2 != nil {
			return nil, fault.New(fault.Invalid, "InvalidPeriods", "The numbers of windows are %q and %q.", short(40, f.Periods), short(40, f.Failing))
		}
		kind = "Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria"
		c["criterionType"], c["alertSensitivity"] = "DynamicThresholdCriterion", f.Sensitivity
		c["failingPeriods"] = map[string]any{"numberOfEvaluationPeriods": periods, "minFailingPeriodsToAlert": failing}
	} else {
		threshold, err := strconv.ParseFloat(strings.ReplaceAll(f.Threshold, ",", "."), 64)
		if err != nil {
			return nil, fault.New(fault.Invalid, "InvalidThreshold", "The threshold %q is no number.", short(40, f.Threshold))
		}
		c["threshold"] = threshold
	}
	actions := []any{}
	if f.ActionGroup != "" {
		if err := resourceID(f.ActionGroup, groupType); err != nil {
			return nil, err
		}
		actions = append(actions, map[string]any{"actionGroupId": f.ActionGroup})
	}
	return map[string]any{"location": "global", "properties": map[string]any{
		"description": f.Description, "severity": severity, "enabled": true, "scopes": []string{f.Resource}, "evaluationFrequency": f.Frequency, "windowSize": f.Window, "autoMitigate": !f.Keep,
		"targetResourceType": typeOf(f.Resource), "criteria": map[string]any{"odata.type": kind, "allOf": []any{c}}, "actions": actions,
	}}, nil
}

// path is the rule's id, once it has a name.
func (f *ruleForm) path(name string) (string, error) {
	id := "/subscriptions/" + subscriptionOf(f.Resource) + "/resourceGroups/" + f.Group + "/providers/" + ruleType + "/" + name
	if strings.ContainsAny(f.Group+name, "/?#%\\&<>*:") || f.Group == "" || name == "" || strings.Contains(id, "..") {
		return "", fault.New(fault.Invalid, "InvalidName", "A rule needs a name and a resource group; neither may have one of / ? # %% \\ & < > * : in it.")
	}
	return (&url.URL{Path: id}).EscapedPath(), nil
}

// rulePage is what the page of a new rule shows.
type rulePage struct {
	Form                                                      ruleForm
	Kinds                                                     []kindOf
	Definitions                                               []definition
	Definition                                                *definition
	Operators, Aggregations, Windows, Frequencies, Severities []string
	Sensitivities                                             []string
	Spans                                                     []grain
	Groups                                                    []resource
	Tried                                                     *tried
	Chart                                                     *chart
	Names                                                     []string // of the chart's lines
	Problem                                                   string

	from, to time.Time // that Tried is of
}

// FiredTimes counts how often it would have fired.
func (t *tried) FiredTimes() (n int) {
	for _, c := range t.Changes {
		if c.Condition == "Fired" {
			n++
		}
	}
	return n
}

func (s *Service) newRule(ctx context.Context, r *wire.Request, who *session) (any, error) {
	return s.showForm(ctx, r, who, http.StatusOK, rulePage{Form: readForm(r.Query)})
}

// showForm renders the form with what there is to choose from.
func (s *Service) showForm(ctx context.Context, r *wire.Request, who *session, status int, data rulePage) (any, error) {
	f := &data.Form
	data.Operators, data.Windows, data.Frequencies, data.Spans = operators, windows, frequencies, timeSpans
	data.Severities, data.Sensitivities, data.Aggregations = []string{"0", "1", "2", "3", "4"}, []string{"High", "Medium", "Low"}, aggregations
	var err error
	if data.Kinds, _, err = s.resources(ctx, r, who); err != nil {
		return s.refused(who, "rules", err)
	}
	if f.Resource != "" {
		if err := resourceID(f.Resource, ""); err != nil {
			return s.refused(who, "rules", err)
		}
		if data.Definitions, err = s.definitions(ctx, r, who, f.Resource); err != nil {
			return s.refused(who, "rules", err)
		}
		v := view{Metric: f.Metric, Aggregation: f.Aggregation}
		if data.Definition = v.settle(data.Definitions); data.Definition != nil {
			f.Metric, f.Aggregation, data.Aggregations = v.Metric, v.Aggregation, data.Definition.Supported
		}
		groups, _, err := within[resource](ctx, s, r, who, subscriptionOf(f.Resource), "/providers/"+groupType+"?api-version="+groupsVersion)
		if err != nil {
			return s.refused(who, "rules", err)
		}
		data.Groups = groups
	}
	if data.Tried != nil {
		unit := ""
		if data.Definition != nil {
			unit = data.Definition.Unit
		}
		data.Chart, data.Names = data.Tried.chart(f, data.from, data.to, unit)
	}
	return s.render("rule", status, page{Title: "New alert rule", Who: who, Room: "rules", Path: []step{{"Home", "/"}, {"Alert rules", "/monitor/rules"}}, Script: "portal.js", Data: data})
}

// postRule tries the rule of the form, or makes it.
func (s *Service) postRule(ctx context.Context, r *wire.Request, who *session) (any, error) {
	form := r.State.(url.Values)
	data := rulePage{Form: readForm(form.Get)}
	if err := resourceID(data.Form.Resource, ""); err != nil {
		return s.refused(who, "rules", err)
	}
	var err error
	if form.Get("do") == "create" {
		if err = s.createRule(ctx, r, who, &data.Form); err == nil {
			return seeOther("/monitor/rules?text=" + url.QueryEscape(data.Form.Name)), nil
		}
	} else {
		err = s.tryForm(ctx, r, who, &data)
	}
	if err == nil {
		return s.showForm(ctx, r, who, http.StatusOK, data)
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal || f.Kind == fault.Unauthenticated {
		return nil, err
	}
	data.Problem = f.Code + ": " + f.Message
	return s.showForm(ctx, r, who, f.Kind.Status(), data)
}

func (s *Service) createRule(ctx context.Context, r *wire.Request, who *session, f *ruleForm) error {
	body, err := f.body()
	if err != nil {
		return err
	}
	path, err := f.path(f.Name)
	if err != nil {
		return err
	}
	return s.ask(ctx, r, who, http.MethodPut, path+"?api-version="+rulesVersion, http.Header{"If-None-Match": {"*"}}, body, nil) // a rule of that name isn't overwritten
}

// tryForm judges the form's rule over what is stored.
func (s *Service) tryForm(ctx context.Context, r *wire.Request, who *session, data *rulePage) error {
	f := &data.Form
	body, err := f.body()
	if err != nil {
		return err
	}
	path, err := f.path(cmp.Or(f.Name, "new"))
	if err != nil {
		return err
	}
	v := view{Span: f.Span}
	if err := v.times(s.deps.Clock.Now().Add(-time.Minute)); err != nil { // the minute that is not over isn't judged yet
		return err
	}
	got, err := s.tried(ctx, r, who, path, v.from, v.to, body)
	if err != nil {
		return err
	}
	data.Tried, data.from, data.to = &got, v.from, v.to
	return nil
}

// chart draws what the rule would have judged, and when it would have been fired.
func (t *tried) chart(f *ruleForm, from, to time.Time, unit string) (*chart, []string) {
	in := chartOf{From: from, To: to, Unit: unit}
	if f.Kind != "dynamic" {
		if v, err := strconv.ParseFloat(strings.ReplaceAll(f.Threshold, ",", "."), 64); err == nil {
			in.Levels = append(in.Levels, level{signs[f.Operator] + " " + f.Threshold, v})
		}
	}
	in.Grain = stepOf(t, to.Sub(from))
	var names []string
	for _, l := range t.Lines {
		name := lastName(l.Resource)
		for _, d := range l.Dimensions {
			name += ", " + d.Name + " " + d.Value
		}
		c := curve{Name: name, Values: empty(int(to.Sub(from)/in.Grain) + 1)}
		b := ribbon{Name: "What is usual of " + name}
		for _, p := range l.Points {
			if i := int(p.At.Sub(from) / in.Grain); i >= 0 && i < len(c.Values) {
				c.Values[i] = p.Value
			}
			if p.Low != nil && p.High != nil {
				b.Points = append(b.Points, ribbonEdge{p.At, *p.Low, *p.High})
			}
		}
		in.Curves, in.Ribbons, names = append(in.Curves, c), append(in.Ribbons, b), append(names, name)
	}
	severity, _ := strconv.Atoi(f.Severity)
	in.Spans = t.spans(severity, to)
	return in.draw(), names
}

// spans are the times in which something of a resource would have been fired.
func (t *tried) spans(severity int, end time.Time) (out []firedSpan) {
	type open struct{ at, fired int }
	now := map[string]open{}
	for _, e := range t.Changes {
		o := now[e.Resource]
		switch {
		case e.Condition == "Fired" && o.fired == 0:
			o = open{len(out), 1}
			out = append(out, firedSpan{Name: "Would have fired: " + e.Why, Severity: severity, From: e.At, To: end})
		case e.Condition == "Fired":
			o.fired++
		case o.fired > 0:
			if o.fired--; o.fired == 0 {
				out[o.at].To = e.At
			}
		}
		now[e.Resource] = o
	}
	return out
}

// stepOf is the time between evaluations that were answered.
func stepOf(t *tried, long time.Duration) time.Duration {
	step := max(long/time.Duration(fewPoints), time.Minute)
	for _, l := range t.Lines {
		times := make([]time.Time, 0, len(l.Points))
		for _, p := range l.Points {
			times = append(times, p.At)
		}
		least := time.Duration(0)
		for i := 1; i < len(times); i++ {
			if d := times[i].Sub(times[i-1]); d > 0 && (least == 0 || d < least) {
				least = d
			}
		}
		step = max(step, least)
	}
	return step
}

// empty is a curve without data.
func empty(n int) []float64 { return slices.Repeat([]float64{math.NaN()}, n) }

// signWords is an operator in words.
func signWords(operator string) string {
	words := map[string]string{
		"GreaterThan": "greater than", "GreaterThanOrEqual": "at least", "LessThan": "less than", "LessThanOrEqual": "at most", "Equals": "equal to", "NotEquals": "not equal to",
		"GreaterOrLessThan": "greater or less than",
	}
	return cmp.Or(words[operator], operator)
}

// durationWords is a duration of the API's in words: of minutes, hours or a day.
func durationWords(iso string) string {
	text, unit := strings.TrimPrefix(strings.TrimPrefix(iso, "P"), "T"), ""
	switch {
	case strings.HasSuffix(text, "M") && strings.HasPrefix(iso, "PT"):
		unit = "minute"
	case strings.HasSuffix(text, "H"):
		unit = "hour"
	case strings.HasSuffix(text, "D"):
		unit = "day"
	}
	n, err := strconv.Atoi(text[:max(len(text)-1, 0)])
	switch {
	case err != nil || unit == "":
		return iso
	case n == 1:
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}
