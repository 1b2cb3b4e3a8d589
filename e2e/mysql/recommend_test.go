package mysql

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/monitor/armmonitor"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// rulesOf lists a group's alert rules by Azure's own client.
func rulesOf(t *testing.T, p *harness.Platform, group string) map[string]*armmonitor.MetricAlertResource {
	t.Helper()
	w, env := p.Ways(t)[0], p.Env(t, "")
	f, err := armmonitor.NewClientFactory(p.Run.SubscriptionID, w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), w.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*armmonitor.MetricAlertResource{}
	for pages := f.NewMetricAlertsClient().NewListByResourceGroupPager(path.Base(group), nil); pages.More(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Value {
			out[*r.Name] = r
		}
	}
	return out
}

// checkRules compares a group's rules with the post's eight; connections is the metric and the threshold of that rule.
func checkRules(t *testing.T, p *harness.Platform, group, server, connections string, threshold float64) {
	t.Helper()
	got, name := rulesOf(t, p, group), path.Base(server)
	want := map[string]struct {
		metric, aggregation, window string
		threshold                   float64
	}{
		"active-connections": {connections, "Minimum", "PT30M", threshold}, "failed-connections": {"connections_failed", "Total", "PT30M", 10},
		"cpu-100": {"cpu_percent", "Minimum", "PT5M", 100}, "cpu-95": {"cpu_percent", "Minimum", "PT2H", 95},
		"memory-100": {"memory_percent", "Minimum", "PT5M", 100}, "memory-95": {"memory_percent", "Minimum", "PT2H", 95},
		"io": {"io_consumption_percent", "Minimum", "PT1H", 90}, "storage": {"storage_percent", "Average", "PT5M", 80},
	}
	for suffix, w := range want {
		r := got[name+"-"+suffix]
		if r == nil {
			t.Errorf("no rule %s-%s", name, suffix)
			continue
		}
		q := r.Properties
		all, ok := q.Criteria.(*armmonitor.MetricAlertSingleResourceMultipleMetricCriteria)
		if !ok || len(all.AllOf) != 1 {
			t.Errorf("%s: criteria %+v", suffix, q.Criteria)
			continue
		}
		c := all.AllOf[0]
		if *c.MetricName != w.metric || string(*c.TimeAggregation) != w.aggregation || *c.Threshold != w.threshold || *c.Operator != armmonitor.OperatorGreaterThanOrEqual {
			t.Errorf("%s: %s %s %v", suffix, *c.TimeAggregation, *c.MetricName, *c.Threshold)
		}
		if *q.WindowSize != w.window || *q.EvaluationFrequency != "PT5M" || !*q.Enabled || len(q.Scopes) != 1 || !strings.EqualFold(*q.Scopes[0], server) {
			t.Errorf("%s: %s every %s of %v", suffix, *q.WindowSize, *q.EvaluationFrequency, q.Scopes)
		}
		if len(q.Actions) != 1 || !strings.HasSuffix(strings.ToLower(*q.Actions[0].ActionGroupID), "/actiongroups/on-call") {
			t.Errorf("%s: tells %+v", suffix, q.Actions)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d rules, want %d", len(got), len(want))
	}
}

// TestRecommend makes the best practice's rules by the one command and by the example's script, on a server that runs here, and lists them with Azure's client and az.
func TestRecommend(t *testing.T) {
	az := harness.Installed(t, "az/bin/az")
	needMariaDB(t)
	p := harness.Start(t, harness.Options{})
	group, h := p.PutGroup(t), newHook(t)
	h.putActionGroup(t, p, group)
	name := harness.Name("rec-db")
	server, _ := newServer(t, p, group, name, "GP_Gen5_2")

	dry := string(p.Output(t, "mysql", "recommend", name, "--action-group", "on-call", "--dry-run"))
	if len(rulesOf(t, p, group)) != 0 || strings.Count(dry, `"windowSize"`) != 8 {
		t.Errorf("a dry run printed %s", dry)
	}
	out := strings.Fields(string(p.Output(t, "mysql", "recommend", name, "--action-group", "on-call")))
	if len(out) != 8 || !slices.Contains(out, name+"-cpu-100") {
		t.Errorf("recommend printed %v", out)
	}
	checkRules(t, p, group, server, "active_connections_percent", 80)
	before := rulesOf(t, p, group)[name+"-active-connections"]
	if !strings.Contains(*before.Properties.Actions[0].WebHookProperties["check2"], "GP_Gen5_4 allows 625") || !strings.Contains(*before.Properties.Description, "limit of GP_Gen5_2 is 300") {
		t.Errorf("what to check: %s, %v", *before.Properties.Description, before.Properties.Actions[0].WebHookProperties)
	}
	// Scaled and made anew: the same rules with the new numbers.
	p.ARM(t, "PATCH", server+version, map[string]any{"sku": map[string]any{"name": "GP_Gen5_4", "capacity": 4}})
	p.Output(t, "mysql", "recommend", server, "--action-group", group+"/providers/Microsoft.Insights/actionGroups/on-call")
	checkRules(t, p, group, server, "active_connections_percent", 80)
	if after := rulesOf(t, p, group)[name+"-active-connections"]; !strings.Contains(*after.Properties.Description, "limit of GP_Gen5_4 is 625") {
		t.Errorf("what to check after scaling: %s", *after.Properties.Description)
	}
	if c := p.Command("mysql", "recommend", "nosuch", "--action-group", "on-call"); true {
		if b, err := c.CombinedOutput(); err == nil || !strings.Contains(string(b), "no MySQL server nosuch") {
			t.Errorf("recommend for a server that isn't there: %v %s", err, b)
		}
	}
	for rule := range rulesOf(t, p, group) {
		p.ARM(t, "DELETE", group+"/providers/Microsoft.Insights/metricAlerts/"+rule+"?api-version=2018-03-01", nil)
	}

	// The example, as its page says.
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	c := p.Command("exec", "--", "./deploy.sh", path.Base(group), name, "on-call")
	c.Dir = filepath.Join(root, "examples", "mysql-alerts")
	c.Env = append(c.Env, "PATH="+filepath.Dir(az)+":"+os.Getenv("PATH"), "AZURE_CORE_COLLECT_TELEMETRY=0")
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("deploy.sh: %v\n%s", err, b)
	}
	checkRules(t, p, group, server, "active_connections", 240)
	line, env := p.NewAZ(t, az), p.Env(t, "")
	if _, err := line.Run("login", "--service-principal", "-u", env["AZURE_CLIENT_ID"], "-p", env["AZURE_CLIENT_SECRET"], "--tenant", env["AZURE_TENANT_ID"]); err != nil {
		t.Fatal(err)
	}
	b, err := line.Run("monitor", "metrics", "alert", "list", "-g", path.Base(group), "--query", "sort([].name)", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := json.Unmarshal(b, &names); err != nil || len(names) != 8 || names[0] != name+"-active-connections" {
		t.Errorf("az lists %v, %v", names, err)
	}
}
