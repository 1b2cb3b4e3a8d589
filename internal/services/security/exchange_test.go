package security

import (
	"net/http"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		p := newPlane(t)
		p.ingest(p.machine("rg1", "db1"), 1, fetch)
		name := p.list("owner", "/subscriptions/"+p.sub+"/providers/Microsoft.Security/alerts"+version)[0]["name"].(string)
		return wiretest.Target{Handler: p.mux, Vars: map[string]string{"sub": p.sub, "alert": name, "machine": alerts.Scope(p.machine("rg1", "db1"))}}
	})
}

func TestExchanges_CoverEveryRoute(t *testing.T) {
	t.Parallel()
	wiretest.CheckCovered(t, "testdata", newPlane(t).routes)
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ingest(p.machine("rg1", "db1"), 1, fetch)
	p.ok("owner", "PUT", "/subscriptions/"+p.sub+"/providers/Microsoft.Security/alertsSuppressionRules/westeurope?api-version=2019-01-01-preview",
		`{"properties":{"alertType":"VM_Other","reason":"Other","state":"Enabled"}}`, 200)
	name := p.list("owner", "/subscriptions/"+p.sub+"/providers/Microsoft.Security/alerts"+version)[0]["name"].(string)
	wiretest.CheckRoutes(t, p.mux, p.routes, wiretest.Check{
		Params:  map[string]string{"subscriptionId": p.sub, "resourceGroupName": "rg1", "name0": "westeurope", "name1": name, "location": "westeurope"},
		Version: "2022-01-01", Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer owner") },
	})
}
