package posture

import (
	"net/http"
	"slices"
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

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ok("owner", "PUT", p.id("Microsoft.Web/sites/s1"), `{"location":"westeurope","properties":{}}`, 201)
	slices.SortStableFunc(p.routes, func(a, b wire.Route) int { return len(b.Pattern) - len(a.Pattern) })
	wiretest.CheckRoutes(t, p.mux, p.routes, wiretest.Check{
		Params: map[string]string{
			"subscriptionId": p.sub, "resourceGroupName": "rg1", "name0": "default", "scope": p.id("Microsoft.Web/sites/s1")[1:],
		},
		Version: "2024-05-01", Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer owner") },
	})
}
