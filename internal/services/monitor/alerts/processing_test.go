package alerts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (p *plane) processingPath(name string) string {
	return p.rg() + "/providers/" + processingName + "/" + name
}

// putProcessing makes an alert processing rule of the group; more is further properties.
func (p *plane) putProcessing(name, action, more string, want int) {
	p.t.Helper()
	p.ok("PUT", p.processingPath(name), `{"location":"Global","properties":{"scopes":["`+p.rg()+`"],"actions":[`+action+`]`+more+`}}`, want)
}

const suppress = `{"actionType":"RemoveAllActionGroups"}`

// eventsOf are the kinds of what happened to the newest alert, the last first.
func (p *plane) eventsOf() (out []string) {
	for _, line := range strings.Split(strings.TrimSpace(p.historyOf()), "\n") {
		event, _, _ := strings.Cut(line, " ")
		out = append(out, event)
	}
	return out
}

// A suppressed alert fires and resolves as any other, and nobody is told; its history says why, once, however often it is spread.
func TestProcessing_Suppresses(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"PT5M"`, `"PT1M"`), 200)
	p.putProcessing("quiet", suppress, `,"conditions":[{"field":"Severity","operator":"Equals","values":["Sev2"]},{"field":"TargetResourceType","operator":"Equals","values":["microsoft.dbformysql/servers"]}]`, 201)
	p.minutes(90)
	if got := p.hooks.take(); len(got) != 0 {
		t.Fatalf("told %v", got)
	}
	list := p.alerts("monitorCondition=Fired")
	if len(list) != 1 {
		t.Fatalf("%d alerts", len(list))
	}
	p.want(list[0], true, "properties", "essentials", "actionStatus", "isSuppressed")
	want := []string{"ActionsSuppressed", "ActionRuleSuppressed", "AlertCreated"}
	if d := cmp.Diff(want, p.eventsOf()); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	if h := p.historyOf(); !strings.Contains(h, "The alert processing rule quiet applies to the alert that is Fired.") {
		t.Errorf("history:\n%s", h)
	}

	id, _ := at(list[0], "name").(string)
	a, err := get(t.Context(), p.st, shardOf(p.sub), alertKey(id), alertCodec)
	if err != nil {
		t.Fatal(err)
	}
	group, _, err := p.control.Resource(t.Context(), p.insights("actionGroups/ag1"))
	if err != nil {
		t.Fatal(err)
	}
	again := raw(notice{Event: event{Alert: *a, Condition: fired}, Actions: actions{Groups: []groupRef{{ID: group.ID}}}})
	if err := p.s.spread(t.Context(), shardOf(p.sub), again); err != nil { // as after a crash
		t.Fatal(err)
	}
	if d := cmp.Diff(want, p.eventsOf()); d != "" {
		t.Errorf("history after it was spread again (-want +got):\n%s", d)
	}

	p.ok("PATCH", p.processingPath("quiet"), `{"properties":{"enabled":false}}`, 200)
	p.minutes(1, 1, 1)
	got := p.hooks.take()
	wantConditions(t, got, "/common", "Resolved")
	p.want(p.alerts("")[0], false, "properties", "essentials", "actionStatus", "isSuppressed")
	p.minutes(90)
	wantConditions(t, p.hooks.take(), "/common", "Fired")
	p.ok("DELETE", p.processingPath("quiet"), "", 200)
	p.minutes(1, 1, 1)
	wantConditions(t, p.hooks.take(), "/common", "Resolved")
}

// Groups that a rule adds are told once each, also of an alert that has none of its own; and a rule that suppresses is stronger.
func TestProcessing_AddsGroups(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("actionGroups/ag2"), `{"location":"Global","properties":{"groupShortName":"ag2","webhookReceivers":[{"name":"w","serviceUri":"`+p.hooks.URL+`/added","useCommonAlertSchema":true}]}}`, 201)
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"PT5M"`, `"PT1M"`, `"actions":[{"actionGroupId":"`+p.insights("actionGroups/ag1")+`","webHookProperties":{"team":"db"}}]`, `"actions":[]`), 200)
	add := `{"actionType":"AddActionGroups","actionGroupIds":["` + p.insights("actionGroups/ag2") + `"]}`
	p.putProcessing("more", add, "", 201)
	p.putProcessing("more2", add, "", 201)
	p.minutes(90)
	got := p.hooks.take()
	if wantConditions(t, got, "/added", "Fired"); len(got) != 1 {
		t.Errorf("told %v", got)
	}
	if d := cmp.Diff([]string{"ActionsTriggered", "ActionRuleTriggered", "ActionRuleTriggered", "AlertCreated"}, p.eventsOf()); d != "" {
		t.Errorf("history (-want +got):\n%s", d)
	}
	p.putProcessing("quiet", suppress, `,"conditions":[{"field":"MonitorCondition","operator":"NotEquals","values":["Fired"]}]`, 201)
	p.minutes(1, 1, 1)
	if got := p.hooks.take(); len(got) != 0 {
		t.Errorf("told %v that it is resolved", got)
	}
	p.minutes(90)
	wantConditions(t, p.hooks.take(), "/added", "Fired")
}

// The schedule is judged at the time of the transition, in its zone.
func TestProcessing_Schedule(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(`"PT5M"`, `"PT1M"`), 200)
	// It is 03:04 in UTC, 08:34 in India: the window ends at 08:36 there.
	p.putProcessing("window", suppress, `,"schedule":{"timeZone":"India Standard Time","effectiveFrom":"2026-01-02T08:00:00","effectiveUntil":"2026-01-02T08:36:00"}`, 201)
	p.minutes(90)
	if got := p.hooks.take(); len(got) != 0 {
		t.Fatalf("told %v in the window", got)
	}
	p.minutes(1, 1, 1, 90)
	wantConditions(t, p.hooks.take(), "/common", "Resolved", "Fired")
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	night := &schedule{Zone: "Eastern Standard Time", Recurrences: []recurrence{{Type: "Daily", Start: "17:00:00", End: "09:00:00"}, {Type: "Weekly", Week: []string{"Saturday", "Sunday"}}}}
	for _, c := range []struct {
		name string
		s    *schedule
		at   string
		want bool
	}{
		{"always", &schedule{}, "2026-01-02T03:04:05Z", true},
		{"one-off, before", &schedule{From: "2026-04-15T18:00:00", Until: "2026-04-15T20:00:00", Zone: "Pacific Standard Time"}, "2026-04-16T00:59:59Z", false},
		{"one-off, begins, in summer time", &schedule{From: "2026-04-15T18:00:00", Until: "2026-04-15T20:00:00", Zone: "Pacific Standard Time"}, "2026-04-16T01:00:00Z", true},
		{"one-off, is over at its end", &schedule{From: "2026-04-15T18:00:00", Until: "2026-04-15T20:00:00", Zone: "Pacific Standard Time"}, "2026-04-16T03:00:00Z", false},
		{"evening", night, "2026-01-05T22:00:00Z", true}, // Monday 17:00
		{"before the evening", night, "2026-01-05T21:59:59Z", false},
		{"after midnight", night, "2026-01-06T13:59:59Z", true},
		{"morning", night, "2026-01-06T14:00:00Z", false},
		{"in summer an hour earlier", night, "2026-07-06T21:00:00Z", true},
		{"Saturday noon", night, "2026-01-03T17:00:00Z", true},
		{"Saturday there, Sunday here", night, "2026-01-04T04:59:59Z", true},
		{"Monday noon", night, "2026-01-05T17:00:00Z", false},
		{"weekly past midnight", &schedule{Zone: "India Standard Time", Recurrences: []recurrence{{Type: "Weekly", Week: []string{"Saturday"}, Start: "22:00:00", End: "04:00:00"}}}, "2026-01-03T22:29:59Z", true},
		{"weekly past midnight, over", &schedule{Zone: "India Standard Time", Recurrences: []recurrence{{Type: "Weekly", Week: []string{"Saturday"}, Start: "22:00:00", End: "04:00:00"}}}, "2026-01-03T22:30:00Z", false},
		{"weekly, the morning of its day is not of it", &schedule{Recurrences: []recurrence{{Type: "Weekly", Week: []string{"Saturday"}, Start: "22:00:00", End: "04:00:00"}}}, "2026-01-03T03:00:00Z", false},
		{"monthly", &schedule{Recurrences: []recurrence{{Type: "Monthly", Month: []int{31}}}}, "2026-01-31T23:59:59Z", true},
		{"monthly, another day", &schedule{Recurrences: []recurrence{{Type: "Monthly", Month: []int{31}}}}, "2026-02-28T12:00:00Z", false},
		{"recurrence, but over", &schedule{Until: "2026-01-01T00:00:00", Recurrences: []recurrence{{Type: "Daily", Start: "00:00:00", End: "00:00:00"}}}, "2026-01-01T00:00:00Z", false},
		{"all day", &schedule{Recurrences: []recurrence{{Type: "Daily", Start: "00:00:00", End: "00:00:00"}}}, "2026-01-01T00:00:00Z", true},
		{"IANA name", &schedule{Zone: "Asia/Kathmandu", From: "2026-01-01T05:45:00"}, "2026-01-01T00:00:00Z", true},
	} {
		cal, err := c.s.read()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		when, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := cal.hold(when); got != c.want {
			t.Errorf("%s: at %s it is %v, want %v", c.name, c.at, got, c.want)
		}
	}
	for _, c := range []schedule{
		{Zone: "Middle Earth Time"},
		{Zone: "Local"},
		{From: "tomorrow"},
		{From: "2026-01-02T00:00:00", Until: "2026-01-02T00:00:00"},
		{Recurrences: []recurrence{{Type: "Daily", Start: "10:00:00"}}},
		{Recurrences: []recurrence{{Type: "Daily", Start: "25:00:00", End: "01:00:00"}}},
		{Recurrences: []recurrence{{Type: "Weekly"}}},
		{Recurrences: []recurrence{{Type: "Weekly", Week: []string{"Caturday"}}}},
		{Recurrences: []recurrence{{Type: "Monthly", Month: []int{0}}}},
		{Recurrences: []recurrence{{Type: "Monthly"}}},
		{Recurrences: []recurrence{{Type: "Yearly"}}},
		{Recurrences: make([]recurrence, maxRecurrences+1)},
	} {
		if _, err := c.read(); err == nil {
			t.Errorf("%+v was understood", c)
		}
	}
}

// Each zone that Windows has is one that times can be told in.
func TestWindowsZones(t *testing.T) {
	t.Parallel()
	zones := windowsZones()
	if len(zones) < 135 {
		t.Errorf("%d zones", len(zones))
	}
	for windows, name := range zones {
		if _, err := time.LoadLocation(name); err != nil || windows != fold(windows) {
			t.Errorf("%s is %s: %v", windows, name, err)
		}
	}
}

func TestProcessing_Conditions(t *testing.T) {
	t.Parallel()
	e := &event{Condition: fired, Alert: alert{
		Severity: 2, Service: "Platform", Signal: "Metric", RuleID: "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/g/providers/Microsoft.Insights/metricAlerts/cpu", RuleName: "cpu", Description: "CPU is high",
		Target: "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/g/providers/Microsoft.DBforMySQL/servers/db1", Context: []byte(`{"condition":{"metricName":"cpu_percent"}}`),
	}}
	for _, c := range []struct {
		field, operator string
		values          []string
		want            bool
	}{
		{"Severity", "Equals", []string{"Sev1", "sev2"}, true},
		{"Severity", "NotEquals", []string{"Sev1", "Sev3"}, true},
		{"Severity", "NotEquals", []string{"Sev2"}, false},
		{"MonitorService", "Equals", []string{"Platform"}, true},
		{"MonitorCondition", "Equals", []string{"Resolved"}, false},
		{"SignalType", "Equals", []string{"metric"}, true},
		{"TargetResource", "Contains", []string{"servers/DB"}, true},
		{"TargetResourceType", "Equals", []string{"Microsoft.DBforMySQL/servers"}, true},
		{"TargetResourceGroup", "Equals", []string{"G"}, true},
		{"AlertRuleId", "Contains", []string{"metricAlerts/CPU"}, true},
		{"AlertRuleName", "Equals", []string{"cp"}, false},
		{"AlertRuleName", "Contains", []string{"cp"}, true},
		{"Description", "DoesNotContain", []string{"low", "High"}, false},
		{"Description", "DoesNotContain", []string{"low"}, true},
		{"AlertContext", "Contains", []string{"cpu_percent"}, true},
	} {
		f := processingField{c.field, c.operator, c.values}
		if err := f.check(); err != nil {
			t.Error(err)
		}
		if got := f.holds(e); got != c.want {
			t.Errorf("%s %s %v is %v, want %v", c.field, c.operator, c.values, got, c.want)
		}
	}
	for _, scope := range []struct {
		id   string
		want bool
	}{
		{"/subscriptions/00000000-0000-0000-0000-00000000000A", true}, {"/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/G/", true}, {e.Alert.Target, true}, {"/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/g2", false}, {e.Alert.Target[:len(e.Alert.Target)-1], false},
	} {
		p := processor{processingRule: processingRule{Scopes: []string{scope.id}, Enabled: true}}
		if got := p.matches(e); got != scope.want {
			t.Errorf("the scope %s holds it: %v, want %v", scope.id, got, scope.want)
		}
	}
}

func TestProcessing_Refused(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	for _, c := range []struct{ properties, says string }{
		{`"actions":[` + suppress + `]`, "scopes"},
		{`"scopes":["/subscriptions/00000000-0000-0000-0000-00000000000f"],"actions":[` + suppress + `]`, "another subscription"},
		{`"scopes":["` + p.rg() + `"]`, "one action"},
		{`"scopes":["` + p.rg() + `"],"actions":[` + suppress + `,` + suppress + `]`, "one action"},
		{`"scopes":["` + p.rg() + `"],"actions":[{"actionType":"Nothing"}]`, "actionType"},
		{`"scopes":["` + p.rg() + `"],"actions":[{"actionType":"AddActionGroups"}]`, "actionGroupIds"},
		{`"scopes":["` + p.rg() + `"],"actions":[{"actionType":"AddActionGroups","actionGroupIds":["` + p.server("db1") + `"]}]`, "not the id of an action group"},
		{`"scopes":["` + p.rg() + `"],"actions":[` + suppress + `],"conditions":[{"field":"Weather","operator":"Equals","values":["x"]}]`, "The field 'Weather'"},
		{`"scopes":["` + p.rg() + `"],"actions":[` + suppress + `],"conditions":[{"field":"Severity","operator":"Like","values":["x"]}]`, "The operator 'Like'"},
		{`"scopes":["` + p.rg() + `"],"actions":[` + suppress + `],"conditions":[{"field":"Severity","operator":"Equals","values":[]}]`, "values"},
	} {
		p.refused("PUT", p.processingPath("bad"), `{"location":"Global","properties":{`+c.properties+`}}`, 400, c.says)
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add("Eastern Standard Time", "2026-01-02T03:04:05", "Weekly", "17:00:00", "09:00:00", "Saturday", 31)
	f.Add("", "", "Monthly", "", "", "", 1)
	f.Add("../../etc/passwd", "x", "Daily", "24:00:00", "00:00:00", "", -1)
	f.Fuzz(func(t *testing.T, zone, from, kind, begin, end, day string, month int) {
		s := schedule{Zone: zone, From: from, Recurrences: []recurrence{{Type: kind, Start: begin, End: end, Week: []string{day}, Month: []int{month}}}}
		cal, err := s.read()
		if err != nil {
			return
		}
		for h := range 48 {
			cal.hold(start.Add(time.Duration(h) * time.Hour))
		}
		if _, err := s.read(); err != nil { // what was put into its documented form is understood again
			t.Fatal(err)
		}
	})
}
