package alerts

import (
	"net/url"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

// TestContract plays the examples of the public specification of Microsoft.Insights and Microsoft.AlertsManagement, rebuilt: what fits, and that the rest is refused clearly.
func TestContract(t *testing.T) {
	t.Parallel()
	c := wiretest.PlayContract(t, "testdata/contract", func(t *testing.T) wiretest.Target {
		p, alert := withAlert(t)
		p.ok("PUT", p.server("db2"), `{"location":"westeurope","properties":{}}`, 201)
		p.ok("PUT", p.insights("alertrules/fired"), `{"location":"westeurope","properties":{"isEnabled":true,"condition":{"odata.type":"Microsoft.Azure.Management.Insights.Models.ThresholdRuleCondition",
			"dataSource":{"odata.type":"Microsoft.Azure.Management.Insights.Models.RuleMetricDataSource","resourceUri":"`+p.server("db1")+`","metricName":"cpu_percent"},"operator":"GreaterThan","threshold":50,"windowSize":"PT5M"},
			"actions":[{"odata.type":"Microsoft.Azure.Management.Insights.Models.RuleEmailAction","sendToServiceOwners":true,"customEmails":["a@example.com"]}]}}`, 201)
		p.minutes(90, 90, 90, 90, 90)
		incident, _ := at(p.ok("GET", p.insights("alertrules/fired/incidents"), "", 200), "value", 0, "name").(string)
		status, _ := at(p.ok("GET", p.insights("metricAlerts/cpu/status"), "", 200), "value", 0, "name").(string)
		test := p.ok("POST", p.insights("actionGroups/ag1/createNotifications"), `{"alertType":"budget","webhookReceivers":[{"name":"w","serviceUri":"`+p.hooks.URL+`/test"}]}`, 202)
		p.tick()
		notification, _ := test["notificationId"].(string)
		if incident == "" || status == "" || notification == "" {
			t.Fatalf("incident %q, status %q, notification %q", incident, status, notification)
		}
		return wiretest.Target{Handler: p.mux, Vars: map[string]string{
			"sub": p.sub, "rg": p.rg(), "server": p.server("db1"), "server2": p.server("db2"), "hooks": p.hooks.URL, "alert": alert, "incident": incident, "status": status, "notification": notification,
		}}
	})
	c.CheckPage(t, "../../../../docs/divergences/alerts.md")
	t.Logf("%d fit, %d do not", len(c.Fit), len(c.Unfit))
}

// TestContract_EveryParameter asks for alerts by each parameter of the specification: with a value that the alert has, and with one that it has not.
func TestContract_EveryParameter(t *testing.T) {
	t.Parallel()
	p, alert := withAlert(t)
	target := url.QueryEscape(p.server("db1"))
	hour := p.clk.Now().Add(-time.Hour).Format(time.RFC3339) + "/" + p.clk.Now().Format(time.RFC3339)
	before := p.clk.Now().Add(-2*time.Hour).Format(time.RFC3339) + "/" + p.clk.Now().Add(-time.Hour).Format(time.RFC3339)
	for _, c := range []struct{ name, has, hasNot string }{
		{"targetResource", target, target + "x"},
		{"targetResourceType", "Microsoft.DBforMySQL/servers", "Microsoft.Web/sites"},
		{"targetResourceGroup", "RG1", "rg2"},
		{"monitorService", "Platform", "Nagios"},
		{"monitorCondition", "Fired", "Resolved"},
		{"severity", "Sev2", "Sev3"},
		{"alertState", "New", "Closed"},
		{"alertRule", url.QueryEscape(p.insights("metricAlerts/cpu")), "other"},
		{"smartGroupId", "", "00000000-0000-4000-8000-000000000001"},
		{"timeRange", "1h", ""},
		{"customTimeRange", url.QueryEscape(hour), url.QueryEscape(before)},
		{"pageCount", "1", ""},
		{"sortBy", "severity", ""},
		{"sortOrder", "asc", ""},
		{"includeContext", "true", ""},
		{"includeEgressConfig", "true", ""},
		{"select", "essentials", ""},
	} {
		if list := p.alerts(c.name + "=" + c.has); len(list) != 1 || at(list[0], "name") != alert {
			t.Errorf("%s=%s: %v", c.name, c.has, list)
		}
		if c.hasNot != "" {
			if list := p.alerts(c.name + "=" + c.hasNot); len(list) != 0 {
				t.Errorf("%s=%s: %v", c.name, c.hasNot, list)
			}
		}
	}
	p.want(p.alerts("includeContext=true")[0], "PT5M", "properties", "context", "context", "condition", "windowSize")
	p.want(p.alerts("includeContext=false")[0], map[string]any{}, "properties", "context")
	for _, by := range groupings() {
		out := p.ok("GET", "/subscriptions/"+p.sub+"/providers/"+management+"/alertsSummary?groupby="+by, "", 200)
		p.want(out, 1, "properties", "values", 0, "count")
		p.want(out, by, "properties", "groupedby")
	}
	for _, bad := range []string{"monitorCondition=Lost", "severity=Sev9", "alertState=Old", "timeRange=2d", "customTimeRange=x", "pageCount=0", "pageCount=251", "sortBy=colour", "sortOrder=up", "includeContext=maybe"} {
		p.refused("GET", "/subscriptions/"+p.sub+"/providers/"+management+"/alerts?"+bad, "", 400, "query parameter")
	}
}
