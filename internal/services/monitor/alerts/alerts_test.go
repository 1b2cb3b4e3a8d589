package alerts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
)

// conditions lists what webhooks of a path were told.
func conditions(got []hook, path string) []string {
	out := []string{}
	for _, h := range got {
		if h.path != path {
			continue
		}
		c, _ := at(h.body, "data", "essentials", "monitorCondition").(string)
		if c == "" {
			c, _ = at(h.body, "data", "status").(string)
		}
		out = append(out, c)
	}
	return out
}

func wantConditions(t *testing.T, got []hook, path string, want ...string) {
	t.Helper()
	if d := cmp.Diff(append([]string{}, want...), conditions(got, path)); d != "" {
		t.Errorf("%s was told (-want +got):\n%s", path, d)
	}
}

func TestMetricAlert_FiresOnceAndResolves(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
	p.minutes(50, 50, 90, 95)
	if got := p.hooks.take(); len(got) != 0 || len(p.alerts("")) != 0 {
		t.Fatalf("told %v with an average of 71", got)
	}
	p.minutes(100, 100, 100, 100)
	got := p.hooks.take()
	wantConditions(t, got, "/common", "Fired")
	wantConditions(t, got, "/plain", "Activated")
	first := got[0]
	if got[0].path != "/common" {
		first = got[1]
	}
	p.want(first.body, "azureMonitorCommonAlertSchema", "schemaId")
	p.want(first.body, "Sev2", "data", "essentials", "severity")
	p.want(first.body, "cpu", "data", "essentials", "alertRule")
	p.want(first.body, "80", "data", "alertContext", "condition", "allOf", 0, "threshold")
	p.want(first.body, 87, "data", "alertContext", "condition", "allOf", 0, "metricValue") // of 50, 90, 95, 100, 100
	p.want(first.body, "PT5M", "data", "alertContext", "condition", "windowSize")
	p.want(first.body, "look at cpu_percent", "data", "alertContext", "properties", "thingsToCheck")
	p.want(first.body, "db", "data", "customProperties", "team")

	list := p.alerts("monitorCondition=Fired")
	if len(list) != 1 {
		t.Fatalf("%d alerts", len(list))
	}
	id, _ := at(list[0], "id").(string)
	p.want(list[0], "New", "properties", "essentials", "alertState")
	p.want(first.body, id, "data", "essentials", "alertId")
	status := p.ok("GET", p.insights("metricAlerts/cpu/status"), "", 200)
	p.want(status, "Unhealthy", "value", 0, "properties", "status")

	p.minutes(0, 0) // averages of 80 and 60
	if got := p.hooks.take(); len(got) != 0 {
		t.Fatalf("told %v after two healthy evaluations", got)
	}
	p.minutes(0)
	got = p.hooks.take()
	wantConditions(t, got, "/common", "Resolved")
	wantConditions(t, got, "/plain", "Deactivated")
	p.minutes(0, 0, 0)
	if got := p.hooks.take(); len(got) != 0 {
		t.Errorf("told %v again", got)
	}
	one := p.ok("GET", id, "", 200)
	p.want(one, "Resolved", "properties", "essentials", "monitorCondition")
	p.want(one, "New", "properties", "essentials", "alertState")
	status = p.ok("GET", p.insights("metricAlerts/cpu/status"), "", 200)
	p.want(status, "Healthy", "value", 0, "properties", "status")

	history := p.ok("GET", id+"/history", "", 200)
	var events []string
	list, _ = at(history, "properties", "modifications").([]any)
	for _, e := range list {
		events = append(events, at(e, "modificationEvent").(string))
	}
	if d := cmp.Diff([]string{"ActionsTriggered", "ActionsTriggered", "MonitorConditionChange", "ActionsTriggered", "ActionsTriggered", "AlertCreated"}, events); d != "" {
		t.Errorf("history, newest first (-want +got):\n%s", d)
	}
}

func TestMetricAlert_NoDataIsNeither(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/low"), p.rule(`"GreaterThan","threshold":80`, `"LessThan","threshold":5`, `"PT5M"`, `"PT1M"`), 200)
	for range 10 {
		p.tick() // nothing measured is not below 5
	}
	p.want(p.ok("GET", p.insights("metricAlerts/low/status"), "", 200), "Unknown", "value", 0, "properties", "status")
	p.minutes(1)
	wantConditions(t, p.hooks.take(), "/common", "Fired")
	p.minutes(50, 50)
	for range 10 {
		p.tick() // nor is it healthy
	}
	wantConditions(t, p.hooks.take(), "/common")
	p.minutes(50)
	wantConditions(t, p.hooks.take(), "/common", "Resolved")
}

// Each dimension value is an alert of its own.
func TestMetricAlert_Dimensions(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/failed"), p.rule(`"dimensions":[]`, `"dimensions":[{"name":"reason","operator":"Include","values":["*"]}]`, `"cpu_percent"`, `"connections_failed"`,
		`"timeAggregation":"Average"`, `"timeAggregation":"Total"`), 200)
	for _, m := range []struct {
		reason string
		n      float64
	}{{"password", 100}, {"tls", 3}, {"limit", 200}} {
		p.measure("connections_failed", m.n, metrics.Dimension{Name: "reason", Value: m.reason})
	}
	p.tick()
	reasons := map[string]float64{}
	for _, h := range p.hooks.take() {
		if h.path == "/common" {
			m := at(h.body, "data", "alertContext", "condition", "allOf", 0)
			reasons[at(m, "dimensions", 0, "value").(string)] = at(m, "metricValue").(float64)
		}
	}
	if d := cmp.Diff(map[string]float64{"password": 100, "limit": 200}, reasons); d != "" {
		t.Errorf("fired (-want +got):\n%s", d)
	}
	if n := len(p.alerts("")); n != 2 {
		t.Errorf("%d alerts", n)
	}
}

// A rule that goes, is disabled or looks at something else leaves no alert behind that stays fired.
func TestMetricAlert_ChangeResolves(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(p *plane){
		"deleted":  func(p *plane) { p.ok("DELETE", p.insights("metricAlerts/cpu"), "", 200) },
		"disabled": func(p *plane) { p.ok("PATCH", p.insights("metricAlerts/cpu"), `{"properties":{"enabled":false}}`, 200) },
		"changed": func(p *plane) {
			p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"threshold":80`, `"threshold":99`), 200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openPlane(t)
			p.t = t
			p.setUp()
			p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
			p.minutes(90)
			wantConditions(t, p.hooks.take(), "/common", "Fired")
			change(p)
			p.minutes(90)
			wantConditions(t, p.hooks.take(), "/common", "Resolved")
			p.want(p.alerts("")[0], "Resolved", "properties", "essentials", "monitorCondition")
		})
	}
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
	p.minutes(90)
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"severity":2`, `"severity":0`), 200) // what is looked at stayed
	p.minutes(90)
	wantConditions(t, p.hooks.take(), "/common", "Fired")
}

// A process that is killed and started at every minute makes the same transitions as one that lives, and so does one whose clock steps.
func TestEngine_RestartsAndSteps(t *testing.T) {
	t.Parallel()
	values := []float64{50, 90, 90, 10, 10, 95, 10, 10, 10, 10, 10, 99, 99, 99, 1, 1, 1, 1, 1, 1, 1, 1}
	run := func(restart, step bool) (out []string) {
		p := openPlane(t)
		p.setUp()
		p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"windowSize":"PT5M"`, `"windowSize":"PT2M"`), 200)
		for i, v := range values {
			p.minutes(v)
			if restart {
				p.begin()
				p.judge() // the minute that was judged is not judged again
			}
			if step && i%4 == 1 {
				p.clk.Advance(-10 * time.Minute)
				p.judge()
				p.clk.Advance(10 * time.Minute)
			}
		}
		for _, h := range p.hooks.take() {
			if h.path == "/common" {
				out = append(out, at(h.body, "data", "essentials", "monitorCondition").(string)+" "+at(h.body, "data", "alertContext", "condition", "windowEndTime").(string))
			}
		}
		return out
	}
	want := run(false, false)
	if len(want) != 4 {
		t.Fatalf("transitions: %v", want)
	}
	for name, got := range map[string][]string{"restarted": run(true, false), "clock stepped": run(false, true), "both": run(true, true)} {
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// What was missed while the process was down is made up for, in order and with the times it would have had.
func TestEngine_CatchesUp(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"windowSize":"PT5M"`, `"windowSize":"PT1M"`), 200)
	p.minutes(10)
	for _, v := range []float64{90, 90, 5, 5, 5, 5, 95} { // measured, not judged
		p.measure("cpu_percent", v)
		p.clk.Advance(time.Minute)
	}
	p.begin()
	p.judge()
	wantConditions(t, p.hooks.take(), "/common", "Fired", "Resolved", "Fired")
	list := p.alerts("sortBy=startDateTime&sortOrder=asc")
	if len(list) != 2 {
		t.Fatalf("%d alerts", len(list))
	}
	p.want(list[0], "2026-01-02T03:06:00.0000000Z", "properties", "essentials", "startDateTime")
	p.want(list[0], "2026-01-02T03:10:00.0000000Z", "properties", "essentials", "monitorConditionResolvedDateTime")
	p.want(list[1], "2026-01-02T03:12:00.0000000Z", "properties", "essentials", "startDateTime")
}

// Hours of an injected clock: an alert that stays fired is told of once.
func TestEngine_Hours(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"evaluationFrequency":"PT1M"`, `"evaluationFrequency":"PT5M"`, `"windowSize":"PT5M"`, `"windowSize":"PT2H"`, `"timeAggregation":"Average"`,
		`"timeAggregation":"Minimum"`, `"threshold":80`, `"threshold":94`), 200)
	for range 90 {
		p.minutes(96)
	}
	p.minutes(50) // it was not above 94 during all of the window
	for range 140 {
		p.minutes(96)
	}
	// Fired at the first minute, for what there was in the window; resolved while 50 was in it; fired again once it was not.
	wantConditions(t, p.hooks.take(), "/common", "Fired", "Resolved", "Fired")
}

func TestActionGroup_Retries(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
	p.hooks.status = func(path string, _ int) int {
		if path == "/common" {
			return 503
		}
		return 400 // final
	}
	p.minutes(90)
	begun := p.clk.Now()
	for range 200 {
		p.clk.Advance(5 * time.Second)
		if err := p.s.queue.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var when []int
	id := ""
	plain := 0
	for _, h := range p.hooks.take() {
		if h.path == "/plain" {
			plain++
			continue
		}
		if id != "" && h.id != id {
			t.Errorf("the id became %s of %s", h.id, id)
		}
		id = h.id
		when = append(when, int(h.at.Sub(begun)/time.Second))
	}
	if d := cmp.Diff([]int{0, 10, 40, 940, 950, 980}, when); d != "" || id == "" {
		t.Errorf("attempts, in seconds (-want +got):\n%s", d)
	}
	if plain != 1 {
		t.Errorf("%d attempts at what answered 400", plain)
	}
	alert, _ := at(p.alerts(""), 0, "id").(string)
	history := p.ok("GET", alert+"/history", "", 200)
	p.want(history, "ActionsFailed", "properties", "modifications", 0, "modificationEvent")
	p.hooks.status = nil
	p.clk.Advance(15 * time.Minute)
	if err := p.s.queue.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := p.hooks.take()
	if wantConditions(t, got, "/common", "Fired"); len(got) != 1 || got[0].id != id {
		t.Errorf("at last: %v", got)
	}
}

// Addresses are nowhere in clear in the store.
func TestActionGroup_IsSealed(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	group := p.ok("GET", p.insights("actionGroups/ag1"), "", 200)
	p.want(group, p.hooks.URL+"/common?sig=s3cret", "properties", "webhookReceivers", 0, "serviceUri")
	r, _, err := p.control.Resource(t.Context(), p.insights("actionGroups/ag1"))
	if err != nil || strings.Contains(string(r.Properties)+string(r.Private), "s3cret") {
		t.Errorf("the address is stored in clear: %s %s %v", r.Properties, r.Private, err)
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"windowSize":"PT5M"`, `"windowSize":"PT1M"`, `"enabled":true`, `"enabled":false`), 200)
	from := p.clk.Now()
	p.minutes(10, 90, 90, 5, 5, 5)
	if got := p.hooks.take(); len(got) != 0 || len(p.alerts("")) != 0 {
		t.Fatalf("a disabled rule told %v", got)
	}
	tried, err := p.s.Try(t.Context(), p.insights("metricAlerts/cpu"), from, p.clk.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []TryEvent{
		{time.Date(2026, 1, 2, 3, 6, 0, 0, time.UTC), "Fired", p.server("db1"), "Average of cpu_percent over PT1M is 90 (GreaterThan 80)"},
		{time.Date(2026, 1, 2, 3, 10, 0, 0, time.UTC), "Resolved", p.server("db1"), "Average of cpu_percent over PT1M is 5 (GreaterThan 80)"},
	}
	if d := cmp.Diff(want, tried.Changes); d != "" || tried.Evaluations != 7 || tried.NoData != 1 {
		t.Errorf("%d evaluations, %d without data (-want +got):\n%s", tried.Evaluations, tried.NoData, d)
	}
	if len(p.alerts("")) != 0 {
		t.Error("trying made an alert")
	}
}
