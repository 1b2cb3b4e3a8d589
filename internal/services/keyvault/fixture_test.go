package keyvault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	tenant       = "11111111-1111-1111-1111-111111111111"
	otherTenant  = "22222222-2222-2222-2222-222222222222"
	subscription = "33333333-3333-3333-3333-333333333333"
	alice        = "aaaaaaaa-0000-0000-0000-000000000001" // may everything by policy
	bob          = "bbbbbbbb-0000-0000-0000-000000000002" // may get secrets
	carol        = "cccccccc-0000-0000-0000-000000000003" // may get secrets through one application
	mallory      = "dddddddd-0000-0000-0000-000000000004" // may nothing
	someApp      = "eeeeeeee-0000-0000-0000-000000000005"
	start        = "2026-03-01T12:00:00Z"
)

// platform is the service on a real store, behind the real mux, with small stand-ins for the control plane and the tokens.
type platform struct {
	t     testing.TB
	store store.Store
	clock *clock.Fake
	names *names.Registry
	s     *Service
	mux   *wire.Mux
	arm   *resources
	audit *trail
	box   *outbox.Drainer
}

// resources stands in for the control plane: resources and data actions granted.
type resources struct {
	mu      sync.Mutex
	byID    map[string]*arm.Resource
	granted map[string]bool // "object id|action|scope", where the scope covers what is below it
	asked   []string
}

func (a *resources) Resource(_ context.Context, id string) (*arm.Resource, string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byID[strings.ToLower(id)], tenant, nil
}

func (a *resources) Check(_ context.Context, p *authn.Principal, action string, data bool, scope string) (arm.Decision, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, fmt.Sprint(action, " ", data, " ", scope))
	for at := scope; at != ""; at = at[:max(0, strings.LastIndex(at, "/"))] {
		if a.granted[p.ObjectID+"|"+action+"|"+at] {
			return arm.Decision{Allowed: true, By: "assignment at " + at}, nil
		}
	}
	return arm.Decision{}, nil
}

// tokens stands in for the verifier: a token is the JSON of its principal, or the reason it is bad.
type tokens struct{}

func (tokens) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	if reason, ok := strings.CutPrefix(raw, "bad:"); ok {
		return nil, &authn.VerifyError{Reason: authn.Reason(reason), Detail: "found this"}
	}
	parts := strings.Split(raw, "|")
	if len(parts) != 4 {
		return nil, &authn.VerifyError{Reason: authn.Malformed}
	}
	return &authn.Principal{
		Kind: authn.ServicePrincipal, ObjectID: parts[0], TenantID: parts[1], Audience: parts[2], AppID: parts[3],
		Issuer: "https://sts.windows.net/" + parts[1] + "/",
	}, nil
}

func token(oid string) string { return oid + "|" + tenant + "|https://vault.azure.net|" + someApp }

// trail keeps audit records, and puts those of writes through the outbox as the real one does.
type trail struct {
	mu   sync.Mutex
	recs []audit.Record
}

func (a *trail) InTx(tx store.Tx, rec audit.Record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return outbox.Put(tx, "audit", b)
}

func (a *trail) drained(_ context.Context, _ string, payload []byte) error {
	var rec audit.Record
	err := json.Unmarshal(payload, &rec)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recs = append(a.recs, rec)
	return err
}

// Record implements wire.Auditor.
func (a *trail) Record(_ context.Context, e *wire.Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recs = append(a.recs, audit.Record{Operation: e.Request.Route.Operation, Resource: e.Request.Resource, Status: e.Status, AllowedBy: e.Request.AllowedBy})
	return nil
}

func newPlatform(t testing.TB) *platform {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	now, _ := time.Parse(time.RFC3339, start)
	p := &platform{
		t: t, store: st, clock: clock.NewFake(now), audit: &trail{},
		arm: &resources{byID: map[string]*arm.Resource{}, granted: map[string]bool{}},
	}
	p.names = names.New(st, p.clock)
	late := &lateOutbox{}
	p.s = New(Deps{
		Store: st, Sealer: sealer, Clock: p.clock, Log: slog.New(slog.DiscardHandler), Access: p.arm, Reader: p.arm, Names: p.names,
		Verifier: tokens{}, Audit: p.audit, Outbox: late,
	})
	handlers := p.s.OutboxHandlers()
	handlers["audit"] = p.audit.drained
	p.box = outbox.NewDrainer(st, nil, handlers)
	late.Drainer = p.box
	p.mux, err = wire.NewMux([]wire.Service{p.s.Service()}, wire.Options{
		Hosts: wire.Hosts{Suffix: "bulkhead.localhost", Port: 8443}, Clock: p.clock, Audit: p.audit,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// lateOutbox closes the circle between the service, which drains, and the drainer, which needs its handlers.
type lateOutbox struct{ *outbox.Drainer }

func policies(extra ...accessPolicy) []accessPolicy {
	all := []string{"all", "purge"}
	return append([]accessPolicy{
		{TenantID: tenant, ObjectID: alice, Permissions: permissions{Secrets: all, Keys: all, Certificates: all}},
		{TenantID: tenant, ObjectID: bob, Permissions: permissions{Secrets: []string{"get"}}},
		{TenantID: tenant, ObjectID: carol, ApplicationID: someApp, Permissions: permissions{Secrets: []string{"get"}}},
	}, extra...)
}

// vault makes a vault as the control plane would leave it.
func (p *platform) vault(name string, change func(*properties)) *arm.Resource {
	p.t.Helper()
	props := &properties{TenantID: tenant, SKU: sku{"A", "standard"}, AccessPolicies: policies(), SoftDeleteRetentionInDays: 90}
	if change != nil {
		change(props)
	}
	if err := props.settle(nil, "2024-11-01"); err != nil {
		p.t.Fatal(err)
	}
	res := &arm.Resource{
		ID:   "/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/" + name,
		Name: name, Type: "Microsoft.KeyVault/vaults", Location: "westeurope", GUID: ids.New(),
	}
	p.put(res, props)
	ctx := context.Background()
	if err := p.names.Reserve(ctx, wire.HostVault, name, res.ID, res.GUID); err != nil {
		p.t.Fatal(err)
	}
	if err := p.names.Confirm(ctx, wire.HostVault, name, res.GUID); err != nil {
		p.t.Fatal(err)
	}
	return res
}

func (p *platform) put(res *arm.Resource, props *properties) {
	p.t.Helper()
	b, err := json.Marshal(props)
	if err != nil {
		p.t.Fatal(err)
	}
	changed := *res
	changed.Properties, changed.ETag = b, ids.New()
	p.arm.mu.Lock()
	defer p.arm.mu.Unlock()
	p.arm.byID[strings.ToLower(res.ID)] = &changed
}

// answer is a response read whole.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (a answer) errorCode() string {
	e, _ := a.body["error"].(map[string]any)
	code, _ := e["code"].(string)
	if inner, ok := e["innererror"].(map[string]any); ok {
		code += "/" + fmt.Sprint(inner["code"])
	}
	return code
}

func (a answer) message() string {
	e, _ := a.body["error"].(map[string]any)
	m, _ := e["message"].(string)
	return m
}

func (a answer) str(path ...string) string {
	var v any = a.body
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

// do sends a request with a raw token ("" for none) to https://kv1.vault.azure.net unless url says otherwise.
func (p *platform) do(method, url, token, body string) answer {
	p.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = "https://kv1.vault.azure.net" + url
	}
	if !strings.Contains(url, "api-version") && !strings.Contains(url, "api%2D") {
		sep := "?"
		if strings.Contains(url, "?") {
			sep = "&"
		}
		url += sep + "api-version=7.4"
	}
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.RemoteAddr = "10.1.2.3:4567"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	p.mux.ServeHTTP(w, r)
	raw, _ := io.ReadAll(w.Result().Body)
	a := answer{status: w.Code, header: w.Result().Header, text: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

// as sends a request as the principal.
func (p *platform) as(oid, method, url, body string) answer {
	p.t.Helper()
	return p.do(method, url, token(oid), body)
}

// ok is as that demands the status.
func (p *platform) ok(status int, oid, method, url, body string) answer {
	p.t.Helper()
	a := p.as(oid, method, url, body)
	if a.status != status {
		p.t.Fatalf("%s %s: got %d, want %d: %s", method, url, a.status, status, a.text)
	}
	return a
}

// quietMux is a mux that keeps no records, for measurements.
func (p *platform) quietMux() *wire.Mux {
	p.t.Helper()
	m, err := wire.NewMux([]wire.Service{p.s.Service()}, wire.Options{Clock: p.clock})
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

func isNotImplemented(err error) bool { return fault.Is(err, fault.NotImplemented) }
