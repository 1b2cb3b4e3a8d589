package posture

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		p := openPlane(t)
		return wiretest.Target{Handler: p.mux, Vars: map[string]string{"sub": p.sub, "https": https, "purge": purge, "ports": ports}}
	})
}

const webhookBody = `"sources":[{"eventSource":"Alerts"}],"actions":[{"actionType":"LogicApp","uri":"https://hooks.example.com/x"}]`

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	site := p.id("Microsoft.Web/sites/s1")
	p.ok("owner", "PUT", site, `{"location":"westeurope","properties":{}}`, 201)
	p.ok("owner", "PUT", p.security("workspaceSettings/default"), `{"properties":{"scope":"/subscriptions/`+p.sub+`","workspaceId":"`+p.id("Microsoft.OperationalInsights/workspaces/w")+`"}}`, 200)
	p.ok("owner", "PUT", p.security("securityContacts/default"), `{"properties":{"emails":"a@example.com"}}`, 201)
	p.ok("owner", "PUT", p.id("Microsoft.Security/automations/default"), `{"location":"westeurope","properties":{"scopes":[{"scopePath":"/subscriptions/`+p.sub+`"}],`+webhookBody+`}}`, 201)
	task, _ := at(p.ok("owner", "GET", p.security("tasks"), "", 200), "value", 0, "name").(string)
	// What is changed comes first: a deletion that gets through takes what the others need.
	slices.SortStableFunc(p.routes, func(a, b wire.Route) int { return strings.Compare(b.Method, a.Method) })
	slices.SortStableFunc(p.routes, func(a, b wire.Route) int { return len(b.Pattern) - len(a.Pattern) })
	for _, r := range p.routes {
		params := map[string]string{"subscriptionId": p.sub, "resourceGroupName": "rg1", "name0": "default", "scope": site[1:]}
		switch {
		case strings.Contains(r.Pattern, "/tasks"):
			params["name0"], params["name1"] = HomeRegion, task
		case strings.Contains(r.Pattern, "/assessments/"):
			params["name0"] = https
		}
		wiretest.CheckRoutes(t, p.mux, []wire.Route{r}, wiretest.Check{
			Params: params, Version: "2024-05-01", Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer owner") },
		})
	}
}

// TestExchanges_CoverEveryRoute finds a request for each route in the files of exchanges.
func TestExchanges_CoverEveryRoute(t *testing.T) {
	t.Parallel()
	wiretest.CheckCovered(t, "testdata", openPlane(t).routes)
}
