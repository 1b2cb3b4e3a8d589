package network

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
		return wiretest.Target{Handler: p.mux, Vars: map[string]string{"sub": p.sub}}
	})
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.ok("owner", "PUT", p.id("virtualNetworks/v1"), twoSubnets, 201)
	p.ok("owner", "PUT", p.id("networkSecurityGroups/v1"), `{"location":"westeurope"}`, 201)
	p.ok("owner", "PUT", p.id("networkWatchers/v1"), `{"location":"westeurope"}`, 201)
	p.ok("owner", "PUT", p.id("networkInterfaces/v1"), `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"`+p.id("virtualNetworks/v1/subnets/s1")+`"}}}]}}`, 201)
	// Parts and actions come first: a deletion that gets through takes what the others need.
	slices.SortStableFunc(p.routes, func(a, b wire.Route) int { return len(b.Pattern) - len(a.Pattern) })
	wiretest.CheckRoutes(t, p.mux, p.routes, wiretest.Check{
		Params:  map[string]string{"subscriptionId": p.sub, "resourceGroupName": "rg1", "name0": "v1"},
		Version: "2024-05-01", Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer owner") },
	})
}
