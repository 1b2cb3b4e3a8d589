package posture

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	tenantID       = "7e000000-0000-4000-8000-000000000001"
	reader         = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	contributor    = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	securityAdmin  = "fb1c8493-542b-48eb-b624-b4c8fea62acd"
	securityReader = "39bc4728-0917-49c7-9d2c-d95423bc2eb4"

	https = "1b351b29-41ca-6df5-946c-c190a56be5fe"
	purge = "4ed62ae4-5072-f9e7-8d94-51c76c48159a"
	ports = "bc303248-3d14-44c2-96a0-55f5c326b5fe"
	wide  = "6b0d4a6e-3f1c-4c8b-9d57-2e9f0c1a8b34"
	keys  = "c3f0a9d2-77b4-4c55-8d3e-0a6b1f52e7c8"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// people are the directory and the verifier: a caller's token is its name.
type people struct{}

func objectID(name string) string {
	return map[string]string{"owner": "00000000-0000-0000-0000-0000000000a1", "other": "00000000-0000-0000-0000-0000000000a2", "stranger": "00000000-0000-0000-0000-0000000000a3"}[name]
}

func (people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	id := objectID(raw)
	if id == "" {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	return &authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenantID, ObjectID: id, AppID: "app-" + raw, Audience: "https://management.azure.com/"}, nil
}

func (people) EnsureManagedIdentity(context.Context, arm.ManagedIdentity) error { return nil }
func (people) RemoveServicePrincipal(context.Context, string, string) error     { return nil }
func (people) FindPrincipal(context.Context, string) (string, authn.Kind, bool, error) {
	return tenantID, authn.ServicePrincipal, true, nil
}

type lateOutbox struct{ *outbox.Drainer }

// plane is the service behind the real control plane, beside types that stand for those of other services.
type plane struct {
	t       *testing.T
	s       *Service
	st      store.Store
	clk     *clock.Fake
	control *arm.Pipeline
	mux     *wire.Mux
	routes  []wire.Route
	sub     string

	mu       sync.Mutex
	keys     map[string]time.Time // kind -> since when
	machines map[string]assess.Hardening
}

// foreign are types of other services: they keep what they are sent, as the real ones keep these properties.
func (p *plane) foreign() []arm.Type {
	keep := func(_ context.Context, c *arm.Call) error {
		c.New.Properties = c.Body.Get("properties")
		if c.New.Properties == nil {
			c.New.Properties = json.RawMessage(`{}`)
		}
		return nil
	}
	versions := []string{"2015-01-01", "2024-05-01"}
	account := arm.Type{Name: "Microsoft.DocumentDB/databaseAccounts", Versions: versions, Put: keep, Identity: true}
	account.Actions = []arm.Action{{Verb: "regenerateKey", Writes: true, Handler: func(ctx context.Context, c *arm.Call) (any, error) {
		return wire.Reply{Status: 200}, c.Commit(ctx, func(store.Tx) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.keys[c.Body.String("keyKind")] = p.clk.Now()
			return nil
		})
	}}}
	group := arm.Type{Name: "Microsoft.Network/networkSecurityGroups", Versions: versions, Put: keep}
	rule := arm.Type{ // a part of the group, as on Azure
		Name: "Microsoft.Network/networkSecurityGroups/securityRules", Versions: versions, Untracked: true,
		Get: func(context.Context, *arm.Call) (*arm.Resource, error) { return nil, nil },
		Put: func(_ context.Context, c *arm.Call) error {
			c.New.Properties = c.Body.Get("properties")
			var g struct {
				Rules []json.RawMessage `json:"securityRules"`
			}
			if err := json.Unmarshal(c.Parent.Properties, &g); err != nil {
				return err
			}
			g.Rules = append(g.Rules, raw(map[string]any{"name": c.ID.Name(), "properties": c.New.Properties}))
			whole := *c.Parent
			whole.Properties = raw(g)
			row, err := arm.NewRow(&whole)
			c.Prepared = row
			return err
		},
		Commit: func(tx store.Tx, c *arm.Call) error { return c.Prepared.(arm.Row).Put(tx) },
	}
	return []arm.Type{
		{Name: "Microsoft.Web/sites", Versions: versions, Put: keep, Identity: true},
		{Name: "Microsoft.KeyVault/vaults", Versions: versions, Put: keep},
		{Name: "Microsoft.ManagedIdentity/userAssignedIdentities", Versions: versions, Put: keep},
		{Name: "Microsoft.HybridCompute/machines", Versions: versions, Put: keep},
		account, group, rule,
	}
}

// newPlane has a group rg1.
func newPlane(t *testing.T) *plane {
	t.Helper()
	p := openPlane(t)
	p.ok("owner", "PUT", p.rg("rg1"), `{"location":"westeurope"}`, 201)
	return p
}

func openPlane(t *testing.T) *plane {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.New([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.NewFake(start)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	trail, box := audit.NewLog(st, clk, log), &lateOutbox{}
	p := &plane{t: t, st: st, clk: clk, keys: map[string]time.Time{"primary": start, "secondary": start}, machines: map[string]assess.Hardening{}}
	p.control = arm.New(arm.Deps{
		Store: st, Clock: clk, Log: log, Names: names.New(st, clk), Outbox: box, Verifier: people{}, Audit: trail, Directory: people{},
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	usage := NewUsage(st, clk, log)
	if err := usage.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.s = New(Deps{
		Store: st, Sealer: sealer, Clock: clk, Log: log, Outbox: box, Inventory: p.control, Resources: p.control, Access: p.control, SignedIn: p.control.Authenticator(), Usage: usage,
		FrontDoor: &http.Client{Transport: reach.InProcess{Handler: p}},
		Keys: func(context.Context, *arm.Resource) (out []assess.Key, _ error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			for kind, t := range p.keys {
				out = append(out, assess.Key{Kind: kind, Generated: t})
			}
			return out, nil
		},
		Machines: func(context.Context, string) (map[string]assess.Hardening, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return maps.Clone(p.machines), nil
		},
	})
	if err := p.control.Register(append(p.s.Types(), p.foreign()...)...); err != nil {
		t.Fatal(err)
	}
	handlers := p.control.OutboxHandlers()
	maps.Copy(handlers, trail.OutboxHandlers())
	maps.Copy(handlers, p.s.OutboxHandlers())
	box.Drainer = outbox.NewDrainer(st, log, handlers)
	services := []wire.Service{p.control.Service(), p.s.Service()}
	for _, s := range services {
		for _, r := range s.Routes {
			if strings.Contains(r.Pattern, namespace) {
				p.routes = append(p.routes, r)
			}
		}
	}
	if p.mux, err = wire.NewMux(services, wire.Options{Clock: clk, Log: log}); err != nil {
		t.Fatal(err)
	}
	if p.sub, err = p.control.CreateSubscription(t.Context(), tenantID, "Sub", objectID("owner")); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *plane) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

func (p *plane) rg(name string) string { return "/subscriptions/" + p.sub + "/resourceGroups/" + name }

// id of a resource of rg1: "Microsoft.Web/sites/s1".
func (p *plane) id(path string) string { return p.rg("rg1") + "/providers/" + path }

// security is a path of the namespace in the subscription.
func (p *plane) security(path string) string {
	return "/subscriptions/" + p.sub + "/providers/" + namespace + "/" + path
}

func (p *plane) assessment(resource, check string) string {
	return resource + "/providers/" + assessmentTypeName + "/" + check
}

func (p *plane) do(who, method, path, body string, header ...string) (int, map[string]any) {
	p.t.Helper()
	if !strings.Contains(path, "api-version") {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "api-version=2024-05-01"
	}
	r := httptest.NewRequest(method, "https://management.azure.com"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.mux.ServeHTTP(w, r)
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			p.t.Fatalf("%s %s: %d with a body that is not JSON: %s", method, path, w.Code, w.Body)
		}
	}
	return w.Code, out
}

func (p *plane) ok(who, method, path, body string, want int, header ...string) map[string]any {
	p.t.Helper()
	status, out := p.do(who, method, path, body, header...)
	if status != want {
		p.t.Fatalf("%s %s %s = %d %v, want %d", who, method, path, status, out, want)
	}
	return out
}

// refused is a call that must fail with the status and code, saying something.
func (p *plane) refused(who, method, path, body string, want int, code, says string) {
	p.t.Helper()
	status, out := p.do(who, method, path, body)
	e, _ := out["error"].(map[string]any)
	message, _ := e["message"].(string)
	if status != want || e["code"] != code || !strings.Contains(message, says) {
		p.t.Errorf("%s %s %s %s = %d %v, want %d %s with %q", who, method, path, body, status, out, want, code, says)
	}
}

func (p *plane) assign(scope, role, principal string) (path string) {
	p.t.Helper()
	path = scope + "/providers/Microsoft.Authorization/roleAssignments/" + ids.New() + "?api-version=2022-04-01"
	p.ok("owner", "PUT", path, `{"properties":{"roleDefinitionId":"/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/`+role+`","principalId":"`+principal+`"}}`, 201)
	return path
}

// code is the status of an assessment.
func (p *plane) code(resource, check string) string {
	p.t.Helper()
	out := p.ok("owner", "GET", p.assessment(resource, check), "", 200)
	s, _ := at(out, "properties", "status", "code").(string)
	return s
}

func (p *plane) wantCode(resource, check, want string) {
	p.t.Helper()
	if got := p.code(resource, check); got != want {
		p.t.Errorf("%s is %s by %s, want %s", resource, got, check, want)
	}
}

// at walks an answer: "properties", "status", 0, "code".
func at(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			l, _ := v.([]any)
			if s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

func (p *plane) want(out map[string]any, want any, path ...any) {
	p.t.Helper()
	got, _ := json.Marshal(at(out, path...))
	w, _ := json.Marshal(want)
	if string(got) != string(w) {
		p.t.Errorf("%v is %s, want %s", path, got, w)
	}
}
