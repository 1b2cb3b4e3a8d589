package intel

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

// served is a Store behind a mux. A caller's token is its name: reader and writer have rights.
func served(t *testing.T) (*rig, []wire.Route, *wire.Mux) {
	t.Helper()
	r, api := serving(t)
	service, mux := mounted(t, r, api)
	return r, service.Routes, mux
}

// servedAt is one that takes honeypots' reports where one machine is ours.
func servedAt(t *testing.T) (*rig, *atHome, *wire.Mux) {
	t.Helper()
	r, api := serving(t)
	home := &atHome{}
	api.Reports.Machines, api.Reports.Alerts = home, home
	_, mux := mounted(t, r, api)
	return r, home, mux
}

func serving(t *testing.T) (*rig, *API) {
	t.Helper()
	r := newRig(t)
	r.put(Address, "203.0.113.9", "", 0.9)
	r.put(Shingle, "chmod +x a all classes co", "", 0.7)
	r.put(Credential, "root:123456", "", 0.9)
	api := &API{
		Store: r.Store,
		Auth: wire.Authenticator{Name: "bearer", Check: func(_ context.Context, q *wire.Request) error {
			switch name := q.HTTP.Header.Get("Authorization"); name {
			case "Bearer reader", "Bearer writer", "Bearer stranger":
				q.Principal = &authn.Principal{ObjectID: name[len("Bearer "):]}
				return nil
			}
			return fault.New(fault.Unauthenticated, "Unauthorized", "A bearer token is needed.")
		}},
		May: func(_ context.Context, q *wire.Request, write bool) error {
			if id := q.Principal.ObjectID; id == "writer" || id == "reader" && !write {
				return nil
			}
			return fault.New(fault.Forbidden, "AuthorizationFailed", "The caller has no right to that.")
		},
	}
	api.Reports = &Reports{Store: r.st, Clock: r.clock, Known: r.Store, Machines: &atHome{}, Alerts: &atHome{}}
	return r, api
}

func mounted(t *testing.T, r *rig, api *API) (wire.Service, *wire.Mux) {
	t.Helper()
	service := api.Service()
	mux, err := wire.NewMux([]wire.Service{service}, wire.Options{Hosts: wire.Hosts{Suffix: "bulkhead.localhost", Port: 8443}, Clock: r.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return service, mux
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		_, _, mux := served(t)
		return wiretest.Target{Handler: mux, Vars: map[string]string{"ip": idOf(Address, "203.0.113.9"), "collection": Collection}}
	})
}

func TestAdminExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata/admin", func(t *testing.T) wiretest.Target {
		_, _, mux := served(t)
		return wiretest.Target{Handler: mux.For(wire.HostAdmin)}
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	_, routes, mux := served(t)
	var taxii []wire.Route
	for _, r := range routes {
		if r.Host != wire.HostAdmin {
			taxii = append(taxii, r)
		}
	}
	wiretest.CheckRoutes(t, mux, taxii, wiretest.Check{
		Params: map[string]string{"collection": Collection, "object": idOf(Address, "203.0.113.9")}, Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer writer") },
	})
}
