package directory_test

import (
	"net/http"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/directory"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		p := newPlatform(t)
		d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "daemon", Administrator: true})
		return wiretest.Target{Handler: p.mux, Vars: map[string]string{
			"tenant": d.TenantID, "client": d.AppID, "secret": d.secret, "app": d.ObjectID, "token": p.token(d, graphScope),
		}}
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "daemon", Administrator: true})
	victim := p.app(directory.AppSpec{TenantID: d.TenantID, DisplayName: "what the routes are tried on"})
	token := p.token(d, graphScope)
	var outside []wire.Route
	for _, r := range p.mux.Routes() {
		if r.Host != wire.HostAdmin {
			outside = append(outside, r)
		}
	}
	wiretest.CheckRoutes(t, p.mux, outside, wiretest.Check{
		Params: map[string]string{"tenant": d.TenantID, "id": victim.ObjectID}, Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
	})
	wiretest.CheckRoutes(t, p.mux.For(wire.HostAdmin), p.mux.Routes(), wiretest.Check{Kind: wire.HostAdmin, Params: map[string]string{"appId": d.AppID}})
}
