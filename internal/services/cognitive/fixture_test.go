package cognitive

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/text/texttest"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	tenantID = "7e000000-0000-4000-8000-000000000001"
	ownerID  = "00000000-0000-0000-0000-0000000000a1"
	userID   = "00000000-0000-0000-0000-0000000000a2"
	userRole = "a97b65f3-24c7-4388-baec-2e87135dc908" // Cognitive Services User
)

var testHosts = wire.Hosts{Suffix: "bulkhead.localhost", Port: 8443}

// people are the directory and the verifier: a caller's token is "owner" for the control plane; "user", "nobody" and "stranger" (of another tenant) for accounts.
type people struct{}

func (people) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	p := authn.Principal{Kind: authn.ServicePrincipal, TenantID: tenantID, ObjectID: ownerID, Audience: "https://cognitiveservices.azure.com"}
	switch raw {
	case "owner":
		p.Audience = "https://management.azure.com/"
	case "user":
		p.ObjectID = userID
	case "nobody":
		p.ObjectID = "00000000-0000-0000-0000-0000000000a3"
	case "stranger":
		p.TenantID = "7e000000-0000-4000-8000-000000000002"
	default:
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	p.AppID = p.ObjectID
	return &p, nil
}

func (people) EnsureManagedIdentity(context.Context, arm.ManagedIdentity) error { return nil }
func (people) RemoveServicePrincipal(context.Context, string, string) error     { return nil }
func (people) FindPrincipal(context.Context, string) (string, authn.Kind, bool, error) {
	return tenantID, authn.ServicePrincipal, true, nil
}

type lateOutbox struct{ *outbox.Drainer }

// platform is the service behind the real control plane.
type platform struct {
	t       *testing.T
	handler http.Handler
	service *Service
	store   *pebble.Engine
	clock   *clock.Fake
	sub     string
}

func newPlatform(t *testing.T) *platform { return openPlatform(t, t.TempDir(), "") }

// openPlatform opens the store in dir; sub is the subscription made there before, "" makes one. Other APIs take the place of a stand-in for faces.
func openPlatform(t *testing.T, dir, sub string, others ...api.API) *platform {
	t.Helper()
	st, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{t: t, store: st, clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), sub: sub}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	registry, trail, box := names.New(st, p.clock), audit.NewLog(st, p.clock, log), &lateOutbox{}
	control := arm.New(arm.Deps{
		Store: st, Clock: p.clock, Log: log, Names: registry, Outbox: box, Verifier: people{}, Audit: trail, Directory: people{}, Hosts: testHosts,
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	face := api.API{Name: "face", Title: "Face", Kinds: []string{"Face", "CognitiveServices"}, Type: "face", Routes: []api.Route{{
		Method: "POST", Pattern: "/face/v1.0/detect", Operation: "Face_Detect", Action: "Face/detect/action", Feature: "detect",
		Handler: func(_ context.Context, c *api.Call) (any, error) { c.Charge(1); return []string{}, nil },
	}}}
	if others == nil {
		others = []api.API{face}
	}
	p.service = New(Deps{
		Store: st, Sealer: sealer, Clock: p.clock, Log: log, Access: control, Reader: control, Names: registry, Outbox: box, Verifier: people{},
		APIs: append([]api.API{text.New(texttest.Engines()).Account()}, others...),
		Subnet: func(_ context.Context, id string) (*netrule.Subnet, error) {
			return &netrule.Subnet{ID: id, GUID: "5b000000-0000-4000-8000-000000000001", Prefixes: netrule.Prefixes{netip.MustParsePrefix("10.1.0.0/16")}, Services: []string{"microsoft.cognitiveservices"}}, nil
		},
	})
	if err := control.Register(p.service.Types()...); err != nil {
		t.Fatal(err)
	}
	handlers := control.OutboxHandlers()
	for kind, h := range trail.OutboxHandlers() {
		handlers[kind] = h
	}
	maps.Copy(handlers, p.service.OutboxHandlers())
	box.Drainer = outbox.NewDrainer(st, log, handlers)
	if p.handler, err = wire.NewMux([]wire.Service{control.Service(), p.service.Service()}, wire.Options{Clock: p.clock, Hosts: testHosts}); err != nil {
		t.Fatal(err)
	}
	if p.sub == "" {
		if p.sub, err = control.CreateSubscription(t.Context(), tenantID, "Sub", ownerID); err != nil {
			t.Fatal(err)
		}
		p.do("PUT", "/resourceGroups/rg1", "2021-04-01", `{"location":"westeurope"}`)
	}
	return p
}

const accountsPath = "/resourceGroups/rg1/providers/Microsoft.CognitiveServices/accounts/"

// try sends a request to the control plane as the owner; path is below the subscription.
func (p *platform) try(method, path, version, body string) *httptest.ResponseRecorder {
	p.t.Helper()
	r := httptest.NewRequest(method, "https://management.azure.com/subscriptions/"+p.sub+path+"?api-version="+version, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer owner")
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// do is try that must succeed; it gives the answer's JSON.
func (p *platform) do(method, path, version, body string) map[string]any {
	p.t.Helper()
	w := p.try(method, path, version, body)
	if w.Code/100 != 2 {
		p.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			p.t.Fatal(err)
		}
	}
	return out
}

// account makes an account and gives its first key.
func (p *platform) account(name, kind, sku, more string) string {
	p.t.Helper()
	p.do("PUT", accountsPath+name, "2023-05-01", `{"kind":"`+kind+`","location":"westeurope","sku":{"name":"`+sku+`"},"properties":{`+more+`}}`)
	return p.key(name)
}

func (p *platform) key(name string) string {
	p.t.Helper()
	key, _ := p.do("POST", accountsPath+name+"/listKeys", "2023-05-01", "")["key1"].(string)
	return key
}

// from is a request to a data plane.
type from struct {
	host, path string
	key, token string
	client     string // address; "" is a fixed one
	body       string
}

const (
	regionHost = "westeurope.api.cognitive.microsoft.com"
	languages  = "/text/analytics/v3.1/languages"
	oneText    = `{"documents":[{"id":"1","text":"Bonjour"}]}`
)

func (p *platform) send(f from) *httptest.ResponseRecorder {
	if f.path == "" {
		f.path = languages
	}
	if f.body == "" {
		f.body = oneText
	}
	r := httptest.NewRequest("POST", "https://"+f.host+f.path, strings.NewReader(f.body))
	if f.key != "" {
		r.Header.Set("Ocp-Apim-Subscription-Key", f.key)
	}
	if f.token != "" {
		r.Header.Set("Authorization", "Bearer "+f.token)
	}
	if f.client != "" {
		r.RemoteAddr = f.client + ":1234"
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// expect demands a status, and a piece of the answer.
func expect(t *testing.T, what string, w *httptest.ResponseRecorder, status int, piece string) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), piece) {
		t.Errorf("%s: %d %s; want %d with %q", what, w.Code, w.Body, status, piece)
	}
}

// keys are an account's stored rows, for a look at what is on disk.
func (p *platform) rows(shard string) (out [][]byte) {
	p.t.Helper()
	err := p.store.View(p.t.Context(), shard, func(s store.Snapshot) error {
		out = nil
		return s.Scan(store.Range{}, func(k, v []byte) bool {
			out = append(out, append([]byte(nil), append(k, v...)...))
			return true
		})
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func signer(key string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Ocp-Apim-Subscription-Key", key) }
}
