package network

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	tenantID = "7e000000-0000-4000-8000-000000000001"
	otherID  = "7e000000-0000-4000-8000-000000000002"
	version  = "?api-version=2024-05-01"
	reader   = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	contrib  = "b24988ac-6180-42a0-ab88-20f7382dd24c"
)

// people are the directory and the verifier: a caller's token is its name.
type people struct{}

func objectID(name string) string {
	return map[string]string{"owner": "00000000-0000-0000-0000-0000000000a1", "other": "00000000-0000-0000-0000-0000000000a2", "foreign": "00000000-0000-0000-0000-0000000000b1"}[name]
}

func (people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	id := objectID(raw)
	if id == "" {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	tenant := tenantID
	if raw == "foreign" {
		tenant = otherID
	}
	return &authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenant, ObjectID: id, AppID: "app-" + raw, Audience: "https://management.azure.com/"}, nil
}

func (people) EnsureManagedIdentity(context.Context, arm.ManagedIdentity) error { return nil }
func (people) RemoveServicePrincipal(context.Context, string, string) error     { return nil }
func (people) FindPrincipal(_ context.Context, id string) (string, authn.Kind, bool, error) {
	if id == objectID("foreign") {
		return otherID, authn.ServicePrincipal, true, nil
	}
	return tenantID, authn.ServicePrincipal, true, nil
}

type lateOutbox struct{ *outbox.Drainer }

// plane is the service behind the real control plane.
type plane struct {
	t       *testing.T
	s       *Service
	control *arm.Pipeline
	mux     http.Handler
	routes  []wire.Route
	sub     string
}

// newPlane has a group rg1.
func newPlane(t *testing.T) *plane {
	t.Helper()
	p := openPlane(t)
	p.group("rg1")
	return p
}

func openPlane(t *testing.T) *plane {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	clk := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	trail, box := audit.NewLog(st, clk, log), &lateOutbox{}
	p := &plane{t: t}
	p.control = arm.New(arm.Deps{
		Store: st, Clock: clk, Log: log, Names: names.New(st, clk), Outbox: box, Verifier: people{}, Audit: trail, Directory: people{},
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	p.s = New(Deps{Store: st, Resources: p.control, Access: p.control})
	if err := p.control.Register(p.s.Types()...); err != nil {
		t.Fatal(err)
	}
	handlers := p.control.OutboxHandlers()
	for kind, h := range trail.OutboxHandlers() {
		handlers[kind] = h
	}
	box.Drainer = outbox.NewDrainer(st, log, handlers)
	service := p.control.Service()
	for _, r := range service.Routes {
		if strings.Contains(r.Pattern, "Microsoft.Network") {
			p.routes = append(p.routes, r)
		}
	}
	if p.mux, err = wire.NewMux([]wire.Service{service}, wire.Options{Clock: clk, Log: log}); err != nil {
		t.Fatal(err)
	}
	p.sub = p.subscription(tenantID, "owner")
	return p
}

func (p *plane) subscription(tenant, owner string) string {
	p.t.Helper()
	sub, err := p.control.CreateSubscription(p.t.Context(), tenant, "Sub", objectID(owner))
	if err != nil {
		p.t.Fatal(err)
	}
	return sub
}

func (p *plane) rg(name string) string { return "/subscriptions/" + p.sub + "/resourceGroups/" + name }

func (p *plane) group(name string) {
	p.t.Helper()
	p.ok("owner", "PUT", p.rg(name), `{"location":"westeurope"}`, 201)
}

// id of a resource of rg1: "virtualNetworks/v1/subnets/s1".
func (p *plane) id(path string) string { return p.rg("rg1") + "/providers/Microsoft.Network/" + path }

func (p *plane) do(who, method, path, body string, header ...string) (int, map[string]any) {
	p.t.Helper()
	if !strings.Contains(path, "?") {
		path += version
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

func (p *plane) assign(scope, role, who string) (path string) {
	p.t.Helper()
	path = scope + "/providers/Microsoft.Authorization/roleAssignments/" + ids.New() + "?api-version=2022-04-01"
	p.ok("owner", "PUT", path, `{"properties":{"roleDefinitionId":"/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/`+role+`","principalId":"`+objectID(who)+`"}}`, 201)
	return path
}

// at walks an answer: "properties", "subnets", 0, "name".
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
