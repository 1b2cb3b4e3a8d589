package alerts

import (
	"math"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
)

// A rule that is not there is tried over what was measured: it says when it would have fired and resolved, and is not made.
func TestTryRoute(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.minutes(10, 90, 90, 10, 10, 10, 10, 10, 10, 10)
	span := "?from=2026-01-02T03:05:00Z&to=2026-01-02T03:14:00Z"
	body := p.rule("PT5M", "PT1M") // the window
	out := p.ok("POST", p.insights("metricAlerts/new/try")+span+"&points=100", body, 200)
	p.want(out, 10, "evaluations")
	p.want(out, 0, "noData")
	p.want(out, "Fired", "changes", 0, "condition")
	p.want(out, "2026-01-02T03:06:00Z", "changes", 0, "at")
	p.want(out, "Resolved", "changes", 1, "condition")
	p.want(out, "2026-01-02T03:10:00Z", "changes", 1, "at") // the third healthy one
	p.want(out, map[string]any{"timeStamp": "2026-01-02T03:06:00Z", "value": 90, "threshold": 80}, "lines", 0, "points", 1)
	if n := len(at(out, "lines", 0, "points").([]any)); n != 10 {
		t.Errorf("the line has %d points, want 10", n)
	}
	if n := len(at(p.ok("POST", p.insights("metricAlerts/new/try")+span+"&points=4", body, 200), "lines", 0, "points").([]any)); n != 4 {
		t.Errorf("a line of 4 points at the most has %d", n)
	}
	if status, _, _ := p.do("owner", "GET", p.insights("metricAlerts/new"), ""); status != 404 {
		t.Errorf("after it was tried the rule is %d", status)
	}
	if len(p.alerts("")) != 0 {
		t.Error("trying raised an alert")
	}
	p.refused("POST", p.insights("metricAlerts/new/try")+span, "", 404, "send its properties")
	p.refused("POST", p.insights("metricAlerts/new/try")+"?from=noon&to=x", body, 400, "must be times")
	p.refused("POST", p.insights("metricAlerts/new/try")+span+"&points=9999", body, 400, "points")
	p.refused("POST", p.insights("metricAlerts/new/try")+"?from=2025-01-02T03:05:00Z&to=2026-01-02T03:14:00Z", body, 400, "31 days")
	p.refused("POST", p.insights("metricAlerts/new/try")+span, p.rule("GreaterThan", "Above"), 400, "Above")
	if status, _, _ := p.do("stranger", "POST", p.insights("metricAlerts/new/try")+span, body); status != 403 {
		t.Errorf("a stranger tries a rule: %d", status)
	}
}

// Who may read rules of one group learns no values of what another group has.
func TestTryRoute_ScopesAreChecked(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.minutes(90)
	p.ok("PUT", "/subscriptions/"+p.sub+"/resourceGroups/rg2", `{"location":"westeurope"}`, 201)
	const monitoringReader = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
	grant := func(scope, name string) {
		p.ok("PUT", scope+"/providers/Microsoft.Authorization/roleAssignments/"+name, `{"properties":{"roleDefinitionId":"/subscriptions/`+p.sub+`/providers/Microsoft.Authorization/roleDefinitions/`+monitoringReader+`","principalId":"`+objectID("stranger")+`"}}`, 201)
	}
	grant("/subscriptions/"+p.sub+"/resourceGroups/rg2", "22222222-2222-4222-8222-222222222222")
	try := "/subscriptions/" + p.sub + "/resourceGroups/rg2/providers/Microsoft.Insights/metricAlerts/new/try?from=2026-01-02T03:05:00Z&to=2026-01-02T03:14:00Z"
	if status, _, out := p.do("stranger", "POST", try, p.rule()); status != 403 || at(out, "error", "code") != "AuthorizationFailed" {
		t.Errorf("the values of another group's server: %d %v", status, out)
	}
	all := p.rule(`"`+p.server("db1")+`"`, `"`+p.rg()+`"`, "SingleResource", "MultipleResource", `"severity":2`, `"severity":2,"targetResourceType":"Microsoft.DBforMySQL/servers","targetResourceRegion":"westeurope"`)
	if status, _, out := p.do("stranger", "POST", try, all); status != 403 {
		t.Errorf("the values of another group: %d %v", status, out)
	}
	grant(p.rg(), "33333333-3333-4333-8333-333333333333")
	for _, body := range []string{p.rule(), all} {
		if status, _, out := p.do("stranger", "POST", try, body); status != 200 || at(out, "changes", 0, "condition") != "Fired" {
			t.Errorf("with the role there: %d %v", status, out)
		}
	}
}

// A dynamic criterion's line has the band that it was judged by.
func TestTryRoute_Band(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	var samples []metrics.Sample
	for i := range 5 * 24 { // hours of 50 and 54 in turn; then one of 90
		v := 50 + float64(i%2*4)
		samples = append(samples, metrics.Sample{
			Series: metrics.Series{Resource: p.server("db1"), Namespace: "Microsoft.DBforMySQL/servers", Name: "cpu_percent"}, Time: start.Add(time.Duration(i) * time.Hour), Cell: metrics.Of(v),
		})
	}
	for _, s := range samples {
		if d := s.Time.Sub(p.clk.Now()); d > 0 {
			p.clk.Advance(d)
		}
		if refused, err := p.measured.Add(t.Context(), []metrics.Sample{s}); err != nil || len(refused) > 0 {
			t.Fatal(err, refused)
		}
	}
	at90 := start.Add(5 * 24 * time.Hour)
	p.clk.Advance(time.Hour)
	p.measure("cpu_percent", 90)
	body := p.rule("PT1M", "PT1H", "PT5M", "PT1H", "SingleResource", "MultipleResource", "StaticThresholdCriterion", "DynamicThresholdCriterion", `"threshold":80`,
		`"alertSensitivity":"Low","failingPeriods":{"numberOfEvaluationPeriods":1,"minFailingPeriodsToAlert":1}`)
	to := at90.Add(time.Hour).Truncate(time.Hour).Add(time.Hour)
	name := "new" // its minute of the hour is made of its id: one after that of the samples, so that each window ends in the hour of the sample it holds
	for alerting.Slot(p.insights("metricAlerts/"+name), 60) < 5 {
		name += "x"
	}
	out := p.ok("POST", p.insights("metricAlerts/"+name+"/try")+"?points=1000&from="+at90.Add(-6*time.Hour).Format(time.RFC3339)+"&to="+to.Format(time.RFC3339), body, 200)
	points, _ := at(out, "lines", 0, "points").([]any)
	if len(points) < 6 {
		t.Fatalf("%d points: %v", len(points), out)
	}
	want := map[float64][2]float64{50: {47.75, 52.25}, 54: {51.57, 56.43}, 90: {47.75, 52.25}} // each hour of the day has had one value alone: a hundredth of it is the deviation
	for i, v := range points {
		value, _ := at(v, "value").(float64)
		low, _ := at(v, "low").(float64)
		high, _ := at(v, "high").(float64)
		if edges, ok := want[value]; !ok || math.Abs(low-edges[0]) > 1e-9 || math.Abs(high-edges[1]) > 1e-9 || at(v, "threshold") != nil {
			t.Errorf("point %d: %v", i, v)
		}
	}
	p.want(out, 90, "lines", 0, "points", len(points)-1, "value")
	p.want(out, "Fired", "changes", 0, "condition")
}
