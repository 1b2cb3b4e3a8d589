package identity

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	ownerID  = "00000000-0000-0000-0000-0000000000a1"
	readerID = "00000000-0000-0000-0000-0000000000a2"
)

// people are the directory of the control plane's tests: a caller's token is "owner" or "reader"; it knows the managed identities it was told of and issues tokens to them.
type people struct {
	mu   sync.Mutex
	have map[string]arm.ManagedIdentity
}

func (*people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	id, ok := map[string]string{"owner": ownerID, "reader": readerID}[raw]
	if !ok {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	return &authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenant, ObjectID: id, AppID: id, Audience: "https://management.azure.com/"}, nil
}

func (p *people) EnsureManagedIdentity(_ context.Context, id arm.ManagedIdentity) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.have[id.PrincipalID] = id
	return nil
}

func (p *people) RemoveServicePrincipal(_ context.Context, _, objectID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.have, objectID)
	return nil
}

func (*people) FindPrincipal(_ context.Context, id string) (string, authn.Kind, bool, error) {
	return tenant, authn.ServicePrincipal, id == ownerID || id == readerID, nil
}

func (p *people) IssueManagedIdentity(_ context.Context, _, objectID, resource string) (authn.Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.have[objectID]; !ok || resource != vaultAu {
		return authn.Token{}, fault.New(fault.NotFound, "AADSTS500011", "no such principal or resource")
	}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return authn.Token{Raw: "token of " + objectID, NotBefore: start, Expires: start.Add(24 * time.Hour)}, nil
}

type lateOutbox struct{ *outbox.Drainer }

// control is the service behind the real control plane, with a type that carries identities.
type control struct {
	service *Service
	mux     *wire.Mux
	people  *people
	sub     string
}

func newControl(t *testing.T) *control {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	log := slog.New(slog.DiscardHandler)
	clk := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	c := &control{people: &people{have: map[string]arm.ManagedIdentity{}}}
	registry, trail, box := names.New(st, clk), audit.NewLog(st, clk, log), &lateOutbox{}
	plane := arm.New(arm.Deps{
		Store: st, Clock: clk, Log: log, Names: registry, Outbox: box, Verifier: c.people, Audit: trail, Directory: c.people,
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	c.service = New(Deps{Store: st, Clock: clk, Resources: plane, Directory: c.people, Tokens: c.people})
	machines := arm.Type{
		Name: "Test.Things/machines", Versions: []string{"2020-01-01"}, Identity: true,
		Put: func(_ context.Context, c *arm.Call) error { c.New.Properties = c.Body.Get("properties"); return nil },
	}
	if err := plane.Register(append(c.service.Types(), machines)...); err != nil {
		t.Fatal(err)
	}
	handlers := plane.OutboxHandlers()
	for kind, h := range trail.OutboxHandlers() {
		handlers[kind] = h
	}
	box.Drainer = outbox.NewDrainer(st, log, handlers)
	if c.mux, err = wire.NewMux([]wire.Service{plane.Service(), c.service.Service()}, wire.Options{Clock: clk}); err != nil {
		t.Fatal(err)
	}
	if c.sub, err = plane.CreateSubscription(t.Context(), tenant, "Sub", ownerID); err != nil {
		t.Fatal(err)
	}
	return c
}

// ServeHTTP is the front door and the machine listener in one: requests for 169.254.169.254 are served as those of the process that the header Test-Process names.
func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host != "169.254.169.254" {
		c.mux.ServeHTTP(w, r)
		return
	}
	if as := r.Header.Get("Test-Process"); as != "" {
		r = r.WithContext(wire.WithProcess(r.Context(), as))
	}
	c.mux.For(wire.HostMachine).ServeHTTP(w, r)
}
