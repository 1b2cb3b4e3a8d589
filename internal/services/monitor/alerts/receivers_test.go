package alerts

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
)

// historyOf gives what happened to the newest alert, as event and text.
func (p *plane) historyOf() string {
	p.t.Helper()
	id, _ := at(p.alerts(""), 0, "id").(string)
	list, _ := at(p.ok("GET", id+"/history", "", 200), "properties", "modifications").([]any)
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%s %s\n", at(e, "modificationEvent"), at(e, "description"))
	}
	return b.String()
}

func (p *plane) putReceivers(receivers string) {
	p.t.Helper()
	p.ok("PUT", p.insights("actionGroups/ag1"), `{"location":"Global","properties":{"groupShortName":"ag1","enabled":true,`+receivers+`}}`, 200)
}

func TestReceivers_SecureFunctionLogicAppAndKept(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.putReceivers(`"webhookReceivers":[{"name":"s","serviceUri":"` + p.hooks.URL + `/secure","useCommonAlertSchema":true,"useAadAuth":true,"objectId":"o","identifierUri":"api://x","tenantId":"t1"}],
		"azureFunctionReceivers":[{"name":"f","functionAppResourceId":"x","functionName":"f","httpTriggerUrl":"` + p.hooks.URL + `/function","useCommonAlertSchema":true}],
		"logicAppReceivers":[{"name":"l","resourceId":"x","callbackUrl":"` + p.hooks.URL + `/logic","useCommonAlertSchema":false}],
		"emailReceivers":[{"name":"e","emailAddress":"a@example.com"}],
		"smsReceivers":[{"name":"phone","countryCode":"1","phoneNumber":"5"}]`)
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
	p.minutes(90)
	got := p.hooks.take()
	wantConditions(t, got, "/secure", "Fired")
	wantConditions(t, got, "/function", "Fired")
	wantConditions(t, got, "/logic", "Activated")
	for _, h := range got {
		if want := map[string]string{"/secure": "Bearer token-for-t1-api://x"}[h.path]; h.auth != want {
			t.Errorf("%s was called with %q, want %q", h.path, h.auth, want)
		}
	}
	history := p.historyOf()
	for _, want := range []string{"ActionsFailed Could not tell Sms phone that the alert is Fired: receivers of the kind Sms are not implemented", "ActionsFailed Could not tell Email e that the alert is Fired: no mail server is set up"} {
		if !strings.Contains(history, want) {
			t.Errorf("the history does not say %q:\n%s", want, history)
		}
	}
}

func TestReceivers_Programs(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the program is a script")
	}
	p := openPlane(t)
	p.setUp()
	p.putReceivers(`"webhookReceivers":[{"name":"x","serviceUri":"exec:page.sh","useCommonAlertSchema":true}]`)
	p.refused("PUT", p.insights("actionGroups/bad"), `{"location":"Global","properties":{"groupShortName":"a","webhookReceivers":[{"name":"x","serviceUri":"exec:../page.sh"}]}}`, 400, "address of the receiver")
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
	p.minutes(90)
	if h := p.historyOf(); !strings.Contains(h, "ActionsFailed Could not tell Webhook x that the alert is Fired: receivers that run programs are turned off") {
		t.Errorf("history:\n%s", h)
	}
	p.programs = t.TempDir()
	out := filepath.Join(p.programs, "out")
	if err := os.WriteFile(filepath.Join(p.programs, "page.sh"), []byte("#!/bin/sh\n(echo $1; cat) > "+out+"\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	p.begin()
	p.minutes(0, 0, 0, 0, 0, 0, 0)
	b, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(b), `"monitorCondition":"Resolved"`) {
		t.Errorf("the program got %s, %v", b, err)
	}
}

func TestClassicRule_FiresAndResolves(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("alertrules/c1"), `{"location":"westeurope","properties":{"isEnabled":true,"condition":{"odata.type":"Microsoft.Azure.Management.Insights.Models.ThresholdRuleCondition",
		"dataSource":{"odata.type":"Microsoft.Azure.Management.Insights.Models.RuleMetricDataSource","resourceUri":"`+p.server("db1")+`","metricName":"cpu_percent"},"operator":"GreaterThan","threshold":50,"windowSize":"PT5M"},
		"actions":[{"odata.type":"Microsoft.Azure.Management.Insights.Models.RuleWebhookAction","serviceUri":"`+p.hooks.URL+`/classic?sig=s3cret","properties":{"k":"v"}}]}}`, 201)
	r, _, err := p.control.Resource(t.Context(), p.insights("alertrules/c1"))
	if err != nil || strings.Contains(string(raw(r)), "s3cret") {
		t.Errorf("the address is stored in clear: %v", err)
	}
	p.minutes(90, 90, 90, 90, 90) // it is judged once in five minutes
	got := p.hooks.take()
	if len(got) != 1 || at(got[0].body, "status") != "Activated" {
		t.Fatalf("told %v", got)
	}
	p.want(got[0].body, "90", "context", "condition", "metricValue")
	p.want(got[0].body, "5", "context", "condition", "windowSize")
	p.want(got[0].body, "v", "properties", "k")
	incidents := p.ok("GET", p.insights("alertrules/c1/incidents"), "", 200)
	p.want(incidents, true, "value", 0, "isActive")
	name, _ := at(incidents, "value", 0, "name").(string)
	for range 20 {
		p.minutes(1)
	}
	if got := p.hooks.take(); len(got) != 1 || at(got[0].body, "status") != "Resolved" {
		t.Fatalf("told %v", got)
	}
	p.want(p.ok("GET", p.insights("alertrules/c1/incidents/"+name), "", 200), false, "isActive")
}

func TestActivityLogAlert(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.clk.Advance(time.Second)
	p.ok("PUT", p.insights("activityLogAlerts/gone"), `{"location":"Global","properties":{"scopes":["/subscriptions/`+p.sub+`"],"condition":{"allOf":[{"field":"category","equals":"Administrative"},
		{"anyOf":[{"field":"operationName","equals":"Microsoft.DBforMySQL/servers/delete"},{"field":"resourceType","containsAny":["nothing"]}]}]},
		"actions":{"actionGroups":[{"actionGroupId":"`+p.insights("actionGroups/ag1")+`"}]}}}`, 201)
	p.tick()
	p.clk.Advance(time.Second)
	p.ok("DELETE", p.server("db1"), "", 200)
	for range 5 {
		p.tick()
		p.begin() // however often the log is looked at
		p.judge()
	}
	got := p.hooks.take()
	wantConditions(t, got, "/common", "Fired")
	for _, h := range got {
		if h.path == "/common" {
			p.want(h.body, "Activity Log - Administrative", "data", "essentials", "monitoringService")
			p.want(h.body, "Microsoft.DBforMySQL/servers/delete", "data", "alertContext", "operationName", "value")
		}
	}
	p.want(p.alerts("")[0], "ActivityLog Administrative", "properties", "essentials", "monitorService")
}

// A rule for a group judges each of its resources for itself, those that come later, too.
func TestMetricAlert_GroupScope(t *testing.T) {
	t.Parallel()
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/all"), p.rule(`"scopes":["`+p.server("db1")+`"]`, `"scopes":["`+p.rg()+`"],"targetResourceType":"Microsoft.DBforMySQL/servers","targetResourceRegion":"West Europe"`,
		"SingleResourceMultiple", "MultipleResourceMultiple"), 200)
	p.minutes(10)
	p.ok("PUT", p.server("db2"), `{"location":"westeurope","properties":{}}`, 201)
	p.ok("PUT", p.server("far"), `{"location":"eastus","properties":{}}`, 201)
	for _, name := range []string{"db2", "far"} {
		if _, err := p.measured.Add(t.Context(), []metrics.Sample{{Series: metrics.Series{Resource: p.server(name), Namespace: "Microsoft.DBforMySQL/servers", Name: "cpu_percent"}, Time: p.clk.Now(), Cell: metrics.Of(99)}}); err != nil {
			t.Fatal(err)
		}
	}
	p.minutes(10)
	list := p.alerts("")
	if len(list) != 1 {
		t.Fatalf("%d alerts", len(list))
	}
	p.want(list[0], p.server("db2"), "properties", "essentials", "targetResource")
	status := p.ok("GET", p.insights("metricAlerts/all/status"), "", 200)
	if v, _ := status["value"].([]any); len(v) != 2 {
		t.Errorf("status %v", status)
	}
}

func FuzzRules(f *testing.F) {
	f.Add(`{"severity":1,"scopes":["/subscriptions/s/resourceGroups/g/providers/A.B/c/d"],"evaluationFrequency":"PT1M","windowSize":"PT5M","criteria":{"odata.type":"Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria","allOf":[{"name":"a","metricName":"m","operator":"GreaterThan","threshold":1,"timeAggregation":"Average"}]}}`)
	f.Add(`{"severity":1,"scopes":["/subscriptions/s"],"targetResourceType":"A.B/c","evaluationFrequency":"PT1M","windowSize":"P1D","criteria":{"odata.type":"microsoft.azure.monitor.multipleresourcemultiplemetriccriteria","allOf":[{"name":"a","metricName":"m","operator":"GreaterOrLessThan","alertSensitivity":"Low","failingPeriods":{"numberOfEvaluationPeriods":4.0,"minFailingPeriodsToAlert":1},"timeAggregation":"Total","dimensions":[{"name":"d","operator":"Exclude","values":["x"]}]}]}}`)
	f.Add(`{"scopes":["/subscriptions/s"],"conditions":[{"field":"Severity","operator":"Equals","values":["Sev1"]}],"schedule":{"timeZone":"UTC","recurrences":[{"recurrenceType":"Daily","startTime":"01:00:00","endTime":"02:00:00"}]},"actions":[{"actionType":"RemoveAllActionGroups"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := arm.ParseObject([]byte(body))
		if err != nil {
			return
		}
		a, err := (&Service{}).readMetricAlert(o, "s")
		if err == nil { // what is accepted can be judged
			a.Enabled = true
			c, err := compileMetricAlert(&arm.Resource{Properties: raw(a), Private: []byte(`{}`)})
			if err != nil || c == nil || len(c.Criteria) == 0 || c.Window < 1 || c.Frequency < 1 {
				t.Fatalf("accepted %s, which compiles to %+v, %v", body, c, err)
			}
		}
		if r, err := readClassic(o, arm.ID{Subscription: "s", Names: []string{"n"}, Types: []string{"t"}}); err == nil {
			if _, err := r.Condition.meaning(); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = readGroup(o, nil)
		if p, err := readProcessing(o, "s"); err == nil { // what is accepted can be applied
			one := processor{processingRule: *p}
			if p.Schedule != nil {
				if one.times, err = p.Schedule.read(); err != nil {
					t.Fatal(err)
				}
			}
			one.matches(&event{Alert: alert{Fired: start}, Condition: fired})
		}
		var leaf activityLeaf
		if json.Unmarshal([]byte(body), &leaf) == nil {
			n := 0
			_ = leaf.check(&n, true)
			leaf.holds(&arm.LogEvent{})
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("PT5M", "1d", "")
	f.Add("P1DT2H", "", "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z")
	f.Add("00:05:00", "x", "/")
	f.Fuzz(func(t *testing.T, duration, span, custom string) {
		if m, ok := parseMinutes(duration); ok {
			if again, ok := parseMinutes(formatMinutes(m)); !ok || again != m || m < 1 || m > maxMinutes {
				t.Fatalf("%q is %d minutes, written %s", duration, m, formatMinutes(m))
			}
		}
		q, err := parseQuery(func(name string) string {
			return map[string]string{"timeRange": span, "customTimeRange": custom, "pageCount": duration, "severity": span}[name]
		}, start)
		if err == nil && q.to.Before(q.from) {
			t.Fatalf("from %s to %s", q.from, q.to)
		}
		dimensionsOf(custom)
	})
}
