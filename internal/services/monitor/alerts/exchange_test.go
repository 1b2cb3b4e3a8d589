package alerts

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

// withAlert has an alert that is fired, and gives its id.
func withAlert(t *testing.T) (*plane, string) {
	p := openPlane(t)
	p.setUp()
	p.ok("PUT", p.insights("metricAlerts/cpu"), p.rule(), 200)
	p.minutes(90)
	id, _ := at(p.alerts(""), 0, "name").(string)
	if id == "" {
		t.Fatal("no alert")
	}
	return p, id
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		p, id := withAlert(t)
		return wiretest.Target{Handler: p.mux, Vars: map[string]string{"sub": p.sub, "alert": id, "hooks": p.hooks.URL}}
	})
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	p, id := withAlert(t)
	p.ok("PUT", p.insights("metricAlerts/default"), p.rule(), 200)
	p.ok("PUT", p.insights("actionGroups/default"), `{"location":"Global","properties":{"groupShortName":"x"}}`, 201)
	p.ok("PUT", p.insights("activityLogAlerts/default"), `{"location":"Global","properties":{"scopes":["/subscriptions/`+p.sub+`"],"condition":{"allOf":[{"field":"category","equals":"Administrative"}]}}}`, 201)
	p.ok("PUT", p.insights("alertrules/default"), `{"location":"westeurope","properties":{"condition":{"odata.type":"Microsoft.Azure.Management.Insights.Models.ThresholdRuleCondition",
		"dataSource":{"odata.type":"Microsoft.Azure.Management.Insights.Models.RuleMetricDataSource","resourceUri":"`+p.server("db1")+`","metricName":"cpu_percent"},"operator":"GreaterThan","threshold":1}}}`, 201)
	p.ok("PUT", p.rg()+"/providers/"+processingName+"/default", `{"location":"Global","properties":{"scopes":["`+p.rg()+`"],"actions":[{"actionType":"RemoveAllActionGroups"}]}}`, 201)
	// What is changed comes first: a deletion that gets through takes what the others need.
	slices.SortStableFunc(p.routes, func(a, b wire.Route) int { return strings.Compare(b.Method, a.Method) })
	slices.SortStableFunc(p.routes, func(a, b wire.Route) int { return len(b.Pattern) - len(a.Pattern) })
	for _, r := range p.routes {
		params := map[string]string{"subscriptionId": p.sub, "resourceGroupName": "rg1", "name0": "default"}
		if strings.Contains(r.Pattern, "/alerts/") {
			params["name0"] = id
		}
		wiretest.CheckRoutes(t, p.mux, []wire.Route{r}, wiretest.Check{
			Params: params, Version: "2024-05-01", Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer owner") },
		})
	}
}

// TestExchanges_CoverEveryRoute finds a request for each route in the files of exchanges.
func TestExchanges_CoverEveryRoute(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var lines []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(b), "\n")...)
	}
	for _, r := range openPlane(t).routes {
		quoted := strings.Replace(regexp.QuoteMeta(r.Pattern), `\{scope\*\}`, `.+/.+/providers/.+`, 1) // a resource
		pattern := regexp.MustCompile(`\\\{[a-zA-Z0-9]+\\\}`).ReplaceAllString(quoted, `[^/?]+`)
		want := regexp.MustCompile("(?i)^" + r.Method + " " + pattern + `\?`)
		if !slices.ContainsFunc(lines, want.MatchString) {
			t.Errorf("no exchange for %s %s", r.Method, r.Pattern)
		}
	}
}
