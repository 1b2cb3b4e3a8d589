package machines

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
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
	tenant   = "00000000-0000-0000-0000-00000000000f"
	ownerID  = "00000000-0000-0000-0000-0000000000a1"
	readerID = "00000000-0000-0000-0000-0000000000a2"
)

// people are the directory of the tests: a caller's token is "owner", "reader", or a managed identity's name.
type people struct {
	mu   sync.Mutex
	have map[string]arm.ManagedIdentity // by name; those of deleted resources stay, as tokens do
}

func (p *people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m, ok := p.have[raw]; ok {
		return &authn.Principal{
			Kind: authn.ManagedIdentity, TenantID: m.TenantID, ObjectID: m.PrincipalID, AppID: m.ClientID, Resource: m.ResourceID, Audience: "https://management.azure.com/",
		}, nil
	}
	id, ok := map[string]string{"owner": ownerID, "reader": readerID}[raw]
	if !ok {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	return &authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenant, ObjectID: id, AppID: id, Audience: "https://management.azure.com/"}, nil
}

func (p *people) EnsureManagedIdentity(_ context.Context, id arm.ManagedIdentity) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.have[id.Name] = id
	return nil
}

func (*people) RemoveServicePrincipal(context.Context, string, string) error { return nil }

func (*people) FindPrincipal(_ context.Context, id string) (string, authn.Kind, bool, error) {
	return tenant, authn.ServicePrincipal, id == ownerID || id == readerID, nil
}

type lateOutbox struct{ *outbox.Drainer }

// taken is a sink that keeps what it is given in memory.
type taken struct {
	mu     sync.Mutex
	last   map[string]uint64
	events map[string][]activity.Event
	gate   chan struct{} // if not nil: one receive lets one batch in
	err    error

	forgotten []string
}

func (k *taken) Ingest(_ context.Context, id string, seq uint64, _ []activity.Event, packed []byte) (uint64, error) {
	if k.gate != nil {
		<-k.gate
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return 0, k.err
	}
	b, err := batch.Decode(packed)
	if err != nil {
		return 0, fault.New(fault.Invalid, "InvalidBatch", "The batch can't be read: %s.", err)
	}
	if seq > k.last[id] {
		k.last[id] = seq
		k.events[id] = append(k.events[id], b.Events...)
	}
	return k.last[id], nil
}

func (k *taken) Forget(_ context.Context, guid string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgotten = append(k.forgotten, guid)
	return nil
}

func (k *taken) Acked(_ context.Context, id string) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last[id], nil
}

// control is the service behind the real control plane.
type control struct {
	*wire.Mux
	service *Service
	people  *people
	sink    *taken
	clock   *clock.Fake
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
	c := &control{
		people: &people{have: map[string]arm.ManagedIdentity{}}, clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		sink: &taken{last: map[string]uint64{}, events: map[string][]activity.Event{}},
	}
	registry, trail, box := names.New(st, c.clock), audit.NewLog(st, c.clock, log), &lateOutbox{}
	plane := arm.New(arm.Deps{
		Store: st, Clock: c.clock, Log: log, Names: registry, Outbox: box, Verifier: c.people, Audit: trail, Directory: c.people,
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	c.service = New(Deps{Store: st, Clock: c.clock, Resources: plane, SignedIn: plane.Authenticator(), Sink: c.sink})
	if err := plane.Register(c.service.Types()...); err != nil {
		t.Fatal(err)
	}
	handlers := plane.OutboxHandlers()
	for kind, h := range trail.OutboxHandlers() {
		handlers[kind] = h
	}
	box.Drainer = outbox.NewDrainer(st, log, handlers)
	if c.Mux, err = wire.NewMux([]wire.Service{plane.Service(), c.service.Service()}, wire.Options{Clock: c.clock}); err != nil {
		t.Fatal(err)
	}
	if c.sub, err = plane.CreateSubscription(t.Context(), tenant, "Sub", ownerID); err != nil {
		t.Fatal(err)
	}
	return c
}

func newKey(t *testing.T) (text string, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der), key
}

// do sends a request as somebody.
func (c *control) do(t *testing.T, as, method, path, body string) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequest(method, "https://management.azure.com"+strings.ReplaceAll(path, "$", "/subscriptions/"+c.sub+"/resourceGroups/rg"), strings.NewReader(body))
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	out, _ := io.ReadAll(w.Body)
	return w.Code, string(out), w.Header()
}

func (c *control) ok(t *testing.T, as, method, path, body string) string {
	t.Helper()
	status, out, _ := c.do(t, as, method, path, body)
	if status/100 != 2 {
		t.Fatalf("%s %s = %d %s", method, path, status, out)
	}
	return out
}

const (
	hybridPath  = "$/providers/Microsoft.HybridCompute/machines/m1"
	virtualPath = "$/providers/Microsoft.Compute/virtualMachines/v1"
	version     = "?api-version=2024-07-10"
)
