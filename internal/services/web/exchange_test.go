package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

const (
	ownerID  = "00000000-0000-0000-0000-0000000000a1"
	readerID = "00000000-0000-0000-0000-0000000000a2"
)

// people are the directory and the verifier: a caller's token is "owner" or "reader".
type people struct{}

func (people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	id, ok := map[string]string{"owner": ownerID, "reader": readerID}[raw]
	if !ok {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	return &authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenantID, ObjectID: id, AppID: id, Audience: "https://management.azure.com/"}, nil
}

func (people) EnsureManagedIdentity(context.Context, arm.ManagedIdentity) error { return nil }
func (people) RemoveServicePrincipal(context.Context, string, string) error     { return nil }
func (people) FindPrincipal(_ context.Context, id string) (string, authn.Kind, bool, error) {
	return tenantID, authn.ServicePrincipal, id == ownerID || id == readerID, nil
}

func (people) IssueManagedIdentity(context.Context, string, string, string) (authn.Token, error) {
	return authn.Token{Raw: "token"}, nil
}

func (people) Register(string) (path, secret string, release func()) {
	return "/msi/token", "secret", func() {}
}

func (people) Moved(string, string) {}

type lateOutbox struct{ *outbox.Drainer }

// controlled is App Service behind the real control plane, with two subscriptions of one tenant.
type controlled struct {
	http.Handler
	store *pebble.Engine
	web   *Service
	subs  [2]string
}

// openControl is a controlled App Service as wire exchanges need it.
func openControl(t *testing.T) (http.Handler, []wire.Route, map[string]string) {
	c := openControlled(t)
	return c, c.web.Service().Routes, map[string]string{"sub": c.subs[0], "reader": readerID}
}

func openControlled(t *testing.T) *controlled {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	registry, trail, box := names.New(st, clk), audit.NewLog(st, clk, testLog(t)), &lateOutbox{}
	control := arm.New(arm.Deps{
		Store: st, Clock: clk, Log: testLog(t), Names: registry, Outbox: box, Verifier: people{}, Audit: trail, Directory: people{}, Hosts: testHosts,
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	sites := New(Deps{
		Store: st, Sealer: sealer, Clock: clk, Log: testLog(t), Resources: control, Access: control, Verifier: people{}, Names: registry, Hosts: testHosts, SignedIn: control.Authenticator(),
		Tokens: people{}, Identities: people{}, IdentityURL: "http://127.0.0.1:1", FrontDoor: &http.Client{Transport: &vault{}}, Data: t.TempDir(),
	})
	if err := control.Register(sites.Types()...); err != nil {
		t.Fatal(err)
	}
	handlers := control.OutboxHandlers()
	for kind, h := range trail.OutboxHandlers() {
		handlers[kind] = h
	}
	box.Drainer = outbox.NewDrainer(st, testLog(t), handlers)
	mux, err := wire.NewMux([]wire.Service{control.Service(), sites.Service()}, wire.Options{Clock: clk, Hosts: testHosts})
	if err != nil {
		t.Fatal(err)
	}
	c := &controlled{Handler: mux, store: st, web: sites}
	for i := range c.subs {
		if c.subs[i], err = control.CreateSubscription(t.Context(), tenantID, "Sub", ownerID); err != nil {
			t.Fatal(err)
		}
	}
	startHost(t, sites)
	return c
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, "testdata", func(t *testing.T) wiretest.Target {
		h, _, vars := openControl(t)
		return wiretest.Target{Handler: h, Vars: vars}
	})
}

func TestRoutes_ObeyTheRulesOfAll(t *testing.T) {
	t.Parallel()
	h, routes, vars := openControl(t)
	for _, req := range [][2]string{
		{"", `{"location":"westeurope"}`},
		{"/providers/Microsoft.Web/serverfarms/plan1", `{"location":"westeurope","sku":{"name":"B1"}}`},
		{"/providers/Microsoft.Web/sites/web1", `{"location":"westeurope","properties":{"serverFarmId":"plan1"}}`},
	} {
		r := httptest.NewRequest("PUT", "https://management.azure.com/subscriptions/"+vars["sub"]+"/resourceGroups/rg1"+req[0]+"?api-version=2022-03-01", strings.NewReader(req[1]))
		r.Header.Set("Authorization", "Bearer owner")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code/100 != 2 {
			t.Fatalf("%s: %d %s", req[0], w.Code, w.Body)
		}
	}
	var scm []wire.Route
	for _, r := range routes { // what a site itself answers is its own
		if r.Host == wire.HostSCM {
			scm = append(scm, r)
		}
	}
	wiretest.CheckRoutes(t, h, scm, wiretest.Check{Names: map[wire.HostKind]string{wire.HostSCM: "web1"}})
}
