package alerts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// What is fired of a resource that is deleted is resolved, and told, once; what is left of its data fires nothing.
func TestLifeCycle_DeletedResource(t *testing.T) {
	t.Parallel()
	for _, restarted := range []bool{false, true} {
		p := openPlane(t)
		p.setUp()
		p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
		p.minutes(90, 90)
		wantConditions(t, p.hooks.take(), "/common", "Fired")
		p.ok("DELETE", p.server("db1"), "", 200)
		for range 6 {
			if restarted {
				p.begin()
			}
			p.tick() // its data is still in the window, and unhealthy
		}
		got := p.hooks.take()
		wantConditions(t, got, "/common", "Resolved")
		wantConditions(t, got, "/plain", "Deactivated")
		list := p.alerts("")
		if len(list) != 1 {
			t.Fatalf("%d alerts", len(list))
		}
		p.want(list[0], "Resolved", "properties", "essentials", "monitorCondition")
		if h := p.historyOf(); strings.Count(h, "MonitorConditionChange The resource was deleted.") != 1 {
			t.Errorf("history:\n%s", h)
		}
		p.ok("PUT", p.server("db1"), `{"location":"westeurope","properties":{}}`, 201)
		p.minutes(90, 90, 90, 90, 90)
		wantConditions(t, p.hooks.take(), "/common", "Fired")
	}
}

// A rule that would fire of what a deleted resource left behind does not; nor does the end of the rule, at the same time, tell twice.
func TestLifeCycle_DeletedBeforeItFired(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
	p.measure("cpu_percent", 90)
	p.ok("DELETE", p.server("db1"), "", 200)
	p.tick()
	p.tick()
	if got := p.hooks.take(); len(got) != 0 || len(p.alerts("")) != 0 {
		t.Errorf("told %v", got)
	}

	p.ok("PUT", p.server("db1"), `{"location":"westeurope","properties":{}}`, 201)
	p.minutes(90)
	wantConditions(t, p.hooks.take(), "/common", "Fired")
	p.ok("DELETE", p.server("db1"), "", 200)
	p.ok("DELETE", p.insights("metricAlerts/cpu"), "", 200)
	p.tick()
	p.tick()
	wantConditions(t, p.hooks.take(), "/common", "Resolved")
}

// A user's change of an alert, and what deliveries wrote of it, stay when it is resolved.
func TestLifeCycle_StateSurvivesResolve(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"PT5M"`, `"PT1M"`), 200)
	p.minutes(90)
	id, _ := at(p.alerts(""), 0, "id").(string)
	p.ok("POST", id+"/changestate?newState=Acknowledged", `{"comments":"seen"}`, 200)
	p.minutes(1, 1, 1)
	one := p.ok("GET", id, "", 200)
	p.want(one, "Acknowledged", "properties", "essentials", "alertState")
	p.want(one, "Resolved", "properties", "essentials", "monitorCondition")
}

// count is how many keys of a prefix the shard of alerts has.
func (p *plane) count(prefix string) (n int) {
	p.t.Helper()
	err := p.st.View(p.t.Context(), shardOf(p.sub), func(s store.Snapshot) error {
		n = 0
		return s.Scan(store.Prefix([]byte(prefix)), func(_, _ []byte) bool {
			n++
			return true
		})
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// putOld stores alerts that were fired some time ago, as they are when they are over.
func (p *plane) putOld(n int, ago time.Duration) {
	p.t.Helper()
	var rows []write
	for i := range n {
		when := p.clk.Now().Add(-ago).Add(time.Duration(i) * time.Second)
		a := alert{ID: derivedID("old", fmt.Sprint(ago, i)), Subscription: p.sub, Condition: resolved, State: stateNew, Target: p.server("db1"), Fired: when, Resolved: when, Modified: when, Context: []byte(`{}`)}
		one, err := record(&a, true, happening{Event: "AlertCreated", At: when}, happening{Event: "MonitorConditionChange", At: when})
		if err != nil {
			p.t.Fatal(err)
		}
		rows = append(rows, one...)
	}
	if _, err := p.st.Update(p.t.Context(), shardOf(p.sub), func(tx store.Tx) error { return commit(tx, rows) }); err != nil {
		p.t.Fatal(err)
	}
}

// rounds lets the engine look n times within one minute.
func (p *plane) rounds(n int) {
	p.t.Helper()
	for range n {
		p.judge()
	}
}

// Alerts are kept 30 days, and then removed with their history in bounded steps; what is still fired stays.
func TestLifeCycle_Retention(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"PT5M"`, `"PT1M"`), 200)
	p.minutes(90)
	wantConditions(t, p.hooks.take(), "/common", "Fired")
	p.clk.Advance(31 * 24 * time.Hour) // it stays fired for a month: there is no data
	p.begin()
	p.judge()
	p.putOld(perSweep*perRound+50, kept+time.Hour)
	p.putOld(20, kept-24*time.Hour)
	total := perSweep*perRound + 50 + 20 + 1
	if got := p.count(tagAlert); got != total {
		t.Fatalf("%d alerts, want %d", got, total)
	}
	p.rounds(3)
	if got := p.count(tagAlert); got != total {
		t.Fatalf("%d alerts are left at once after a start, want %d", got, total)
	}
	p.clk.Advance(settling)
	p.rounds(1)
	if got, want := p.count(tagAlert), total-perSweep*perRound+1; got != want { // +1: the one that is fired was looked at, too
		t.Errorf("%d alerts after one round, want %d", got, want)
	}
	p.rounds(2)
	for _, c := range []struct {
		tag  string
		want int
	}{{tagAlert, 21}, {tagTime, 21}} {
		if got := p.count(c.tag); got != c.want {
			t.Errorf("%d keys %s are left, want %d", got, c.tag, c.want)
		}
	}
	if got := p.count(tagHistory); got != 20*2+3 { // created, and two receivers told
		t.Errorf("%d entries of histories are left", got)
	}
	if n := len(p.alerts("timeRange=30d&pageCount=250")); n != 20 {
		t.Errorf("%d alerts are listed", n)
	}

	p.minutes(1, 1, 1)
	wantConditions(t, p.hooks.take(), "/common", "Resolved")
	p.clk.Advance(sweepEvery)
	p.tick()
	if got := p.count(tagAlert); got != 20 {
		t.Errorf("%d alerts are left, want 20", got)
	}
}

// A clock that jumps a year forward and is set right again within minutes removes nothing.
func TestLifeCycle_ClockJumpsRemoveNothing(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.judge()
	p.putOld(10, time.Hour)
	for range 20 { // more than the time it waits for after a start
		p.tick()
	}
	const year = 365 * 24 * time.Hour
	p.clk.Advance(year)
	p.judge()
	p.tick()
	p.clk.Advance(-year)
	p.judge()
	for range 20 {
		p.tick()
	}
	if got := p.count(tagAlert); got != 10 {
		t.Errorf("%d alerts are left, want 10", got)
	}
	p.clk.Advance(kept)
	p.judge()
	p.clk.Advance(settling)
	p.judge()
	if got := p.count(tagAlert); got != 0 {
		t.Errorf("%d alerts are left after 30 days", got)
	}
}

// Test notifications go with the time, too.
func TestLifeCycle_TestNotifications(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("POST", p.insights("actionGroups/ag1/createNotifications"), `{"alertType":"budget","webhookReceivers":[{"name":"w","serviceUri":"`+p.hooks.URL+`/test"}]}`, 202)
	p.tick()
	if got := p.count(tagTest); got != 1 {
		t.Fatalf("%d tests", got)
	}
	p.clk.Advance(kept + time.Hour)
	p.judge()
	p.clk.Advance(settling)
	p.judge()
	if got := p.count(tagTest); got != 0 {
		t.Errorf("%d tests are left", got)
	}
}

// What a rule of a newer version adds is kept, shown and told; what isn't done is refused by its name.
func TestMetricAlert_PropertiesOfNewerVersions(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	custom := p.rule(`"autoMitigate":true`, `"autoMitigate":true,"actionProperties":null,"customProperties":{"runbook":"rb-7","team":"nobody"}`)
	shown := p.ok("PUT", p.insights("metricAlerts/cpu"), custom, 200)
	p.want(shown, "rb-7", "properties", "customProperties", "runbook")
	p.want(p.ok("GET", p.insights("metricAlerts/cpu"), "", 200), "nobody", "properties", "customProperties", "team")
	p.minutes(100)
	got := p.hooks.take()
	wantConditions(t, got, "/common", "Fired")
	for _, h := range got {
		at := []any{"data", "customProperties"}
		if h.path == "/plain" {
			at = []any{"data", "properties"}
		}
		p.want(h.body, "rb-7", append(at[:2:2], "runbook")...)
		p.want(h.body, "db", append(at[:2:2], "team")...) // the action's own wins
	}
	for _, name := range []string{"actionProperties", "resolveConfiguration"} {
		p.refused("PUT", p.insights("metricAlerts/other"), p.rule(`"autoMitigate":true`, `"`+name+`":{"autoResolved":true}`), 501, "The property "+name+" of a metric alert is not implemented")
	}
}

// Alerts are listed and counted of a subscription, a group and a resource, each with its own only, and by filters and pages.
func TestAlerts_ByScope(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.server("db2"), `{"location":"westeurope","properties":{}}`, 201)
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
	p.ok("PUT", p.insights("metricAlerts/cpu2"), p.rule(`"severity":2`, `"severity":0`), 200)
	p.minutes(100)
	sub := "/subscriptions/" + p.sub
	other := sub + "/resourceGroups/rg2"
	p.ok("PUT", other, `{"location":"westeurope"}`, 201)
	for _, c := range []struct {
		scope string
		want  int
	}{{sub, 2}, {p.rg(), 2}, {other, 0}, {p.server("db1"), 2}, {strings.ToUpper(p.server("db1")), 2}, {p.server("db2"), 0}} {
		below := c.scope + "/providers/" + management
		if list, _ := p.ok("GET", below+"/alerts?monitorCondition=Fired", "", 200)["value"].([]any); len(list) != c.want {
			t.Errorf("%s has %d alerts, want %d", c.scope, len(list), c.want)
		}
		sum := p.ok("GET", below+"/alertsSummary?groupby=severity,monitorCondition", "", 200)
		p.want(sum, c.want, "properties", "total")
		if c.want > 0 {
			p.want(sum, "Sev0", "properties", "values", 0, "name")
			p.want(sum, 1, "properties", "values", 0, "values", 0, "count")
		}
	}
	list := p.server("db1") + "/providers/" + management + "/alerts"
	first := p.ok("GET", list+"?pageCount=1&sortBy=severity&sortOrder=asc", "", 200)
	p.want(first, "Sev0", "value", 0, "properties", "essentials", "severity")
	next, _ := first["nextLink"].(string)
	_, rest, found := strings.Cut(next, "management.azure.com")
	if !found || !strings.HasPrefix(strings.ToLower(rest), strings.ToLower(list)) {
		t.Fatalf("nextLink = %q", next)
	}
	second := p.ok("GET", rest, "", 200)
	p.want(second, "Sev2", "value", 0, "properties", "essentials", "severity")
	if second["nextLink"] != nil {
		t.Errorf("after the last page: %v", second["nextLink"])
	}
	p.want(p.ok("GET", list+"?severity=Sev0", "", 200), p.insights("metricAlerts/cpu2"), "value", 0, "properties", "essentials", "alertRule")
	id, _ := at(second, "value", 0, "name").(string)
	p.want(p.ok("GET", list+"/"+id, "", 200), id, "name")
	p.refused("GET", p.server("db2")+"/providers/"+management+"/alerts/"+id, "", 404, "There is no alert")
	p.refused("GET", sub+"/resourceGroups/gone/providers/"+management+"/alertsSummary?groupby=severity", "", 404, "could not be found")
	p.refused("GET", p.server("gone")+"/providers/"+management+"/alerts", "", 404, "was not found")
	p.refused("GET", list+"?severity=Sev9", "", 400, "must be one of Sev0")
}
