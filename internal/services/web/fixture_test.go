package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	subscription = "5c1d7b5e-0000-4000-8000-000000000001"
	groupID      = "/subscriptions/" + subscription + "/resourceGroups/rg1"
	planID       = groupID + "/providers/Microsoft.Web/serverfarms/plan1"
	tenantID     = "7e000000-0000-4000-8000-000000000001"
	principalID  = "0b000000-0000-4000-8000-000000000001"
)

// platform is the rest of the platform as small real parts: a store, a sealer, resources in a map, a vault that checks its callers.
type platform struct {
	t     *testing.T
	web   *Service
	mux   *wire.Mux
	dir   string
	store store.Store
	clock *clock.Fake
	vault *vault
	types map[string]arm.Type
	stop  func()

	mu        sync.Mutex
	resources map[string]*arm.Resource
	secrets   map[string]string // identity secrets alive -> resource id
	publisher string            // object id that may publish
	joins     bool              // whether subnets may be joined
}

func newPlatform(t *testing.T, roots ...string) *platform {
	t.Helper()
	p := &platform{
		t: t, dir: t.TempDir(), clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), resources: map[string]*arm.Resource{},
		secrets: map[string]string{}, types: map[string]arm.Type{},
		vault: &vault{secrets: map[string]string{}, allowed: map[string]bool{"token of " + principalID: true}},
	}
	st, err := pebble.Open(p.dir+"/store", pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	p.store = st
	sealer, err := seal.New([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	p.web = New(Deps{
		SignedIn: wire.Anonymous,
		Store:    st, Sealer: sealer, Clock: p.clock, Log: testLog(t), Resources: p, Access: p, Verifier: p,
		Names: p, Hosts: testHosts, Tokens: p, Identities: p, IdentityURL: "http://127.0.0.1:4141", FrontDoor: &http.Client{Transport: p.vault},
		ProcessEnv: func(id string) ([]string, func()) {
			return []string{"HTTPS_PROXY=http://proxy-of-" + id[len(id)-4:]}, func() {}
		},
		Data: p.dir, PackageRoots: roots,
	})
	if p.mux, err = wire.NewMux([]wire.Service{p.web.Service()}, wire.Options{Hosts: testHosts}); err != nil {
		t.Fatal(err)
	}
	for _, ty := range p.web.Types() {
		p.types[strings.ToLower(ty.Name)] = ty
	}
	p.put("serverfarms/plan1", `{"location":"westeurope","sku":{"name":"B1"}}`)
	p.run()
	return p
}

// run runs the host until the test ends or stop is called.
func (p *platform) run() { p.stop = startHost(p.t, p.web) }

// startHost runs a service's host until the test ends or stop is called.
func startHost(t *testing.T, s *Service) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.host.run(ctx); err != nil && ctx.Err() == nil { // a test may end while the host is still starting
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	within(t, "host runs", func() bool {
		s.host.mu.Lock()
		defer s.host.mu.Unlock()
		return s.host.ctx != nil
	})
	return stop
}

func testLog(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func (p *platform) Resource(_ context.Context, id string) (*arm.Resource, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resources[strings.ToLower(id)], tenantID, nil
}

func (p *platform) Lookup(_ context.Context, kind wire.HostKind, name string) (*names.Entry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.resources {
		if r.Type == "Microsoft.Web/sites" && strings.EqualFold(r.Name, name) {
			return &names.Entry{Kind: kind, Name: name, ResourceID: r.ID, GUID: r.GUID, Confirmed: true}, nil
		}
	}
	return nil, nil
}

func (p *platform) Moved(string, string) {}

func (p *platform) Register(resourceID string) (string, string, func()) {
	secret := "identity-" + ids.New()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secrets[secret] = resourceID
	return "/msi/token", secret, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.secrets, secret)
	}
}

func (p *platform) IssueManagedIdentity(_ context.Context, _, objectID, resource string) (authn.Token, error) {
	if resource != vaultResource {
		return authn.Token{}, errors.New("unknown resource")
	}
	return authn.Token{Raw: "token of " + objectID}, nil
}

func (p *platform) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	oid, aud, ok := strings.Cut(raw, "@")
	if !ok {
		return nil, &authn.VerifyError{Reason: authn.Malformed}
	}
	return &authn.Principal{ObjectID: oid, Audience: aud}, nil
}

func (p *platform) Check(_ context.Context, who *authn.Principal, action string, data bool, _ string) (arm.Decision, error) {
	ok := who.ObjectID == p.publisher && action == publishAction && !data || p.joins && strings.HasSuffix(action, "/joinViaServiceEndpoint/action")
	return arm.Decision{Allowed: ok, By: "assignment of " + who.ObjectID}, nil
}

// call makes a Call as the pipeline does: path is below the provider, such as sites/web1/config/web.
func (p *platform) call(path string) (*arm.Call, arm.Type) {
	p.t.Helper()
	id := arm.ID{Subscription: subscription, ResourceGroup: "rg1", Namespace: "Microsoft.Web"}
	for i, part := range strings.Split(path, "/") {
		if i%2 == 0 {
			id.Types = append(id.Types, part)
		} else {
			id.Names = append(id.Names, part)
		}
	}
	ty, ok := p.types[strings.ToLower(id.Type())]
	if !ok {
		p.t.Fatalf("no type %s", id.Type())
	}
	host, _ := testHosts.Resolve("management.azure.com")
	c := &arm.Call{Request: &wire.Request{Host: host, Hosts: testHosts, Principal: &authn.Principal{ObjectID: ownerID}}, Type: &ty, ID: id, TenantID: tenantID}
	p.mu.Lock()
	c.Old = p.resources[strings.ToLower(id.String())]
	p.mu.Unlock()
	return c, ty
}

// tryPut goes through the stages of a PUT and returns the rendered properties.
func (p *platform) tryPut(path, body string) (map[string]any, error) {
	p.t.Helper()
	ctx := p.t.Context()
	c, ty := p.call(path)
	var err error
	if c.Body, err = arm.ParseObject([]byte(body)); err != nil {
		p.t.Fatal(err)
	}
	c.New = &arm.Resource{
		ID: c.ID.String(), Name: c.ID.Name(), Type: c.ID.Type(), Location: c.Body.String("location"), Kind: c.Body.String("kind"), GUID: ids.New(),
	}
	if c.Old != nil {
		c.New.GUID, c.New.Identity = c.Old.GUID, c.Old.Identity
	}
	if id := c.Body.Object("identity"); id != nil {
		c.New.Identity = &arm.Identity{Type: id.String("type"), PrincipalID: principalID}
		if id.String("type") == "None" {
			c.New.Identity = nil
		}
	}
	if err := ty.Put(ctx, c); err != nil {
		return nil, err
	}
	row, err := arm.NewRow(c.New)
	if err != nil {
		p.t.Fatal(err)
	}
	_, err = p.store.Update(ctx, "sub/"+subscription, func(tx store.Tx) error {
		if ty.Commit != nil {
			if err := ty.Commit(tx, c); err != nil {
				return err
			}
		}
		return row.Put(tx)
	})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.resources[strings.ToLower(c.New.ID)] = c.New
	p.mu.Unlock()
	if ty.Applied != nil {
		if err := ty.Applied(ctx, c); err != nil {
			return nil, err
		}
	}
	return p.render(c, ty, c.New)
}

func (p *platform) put(path, body string) map[string]any {
	p.t.Helper()
	out, err := p.tryPut(path, body)
	if err != nil {
		p.t.Fatalf("PUT %s: %v", path, err)
	}
	return out
}

func (p *platform) render(c *arm.Call, ty arm.Type, r *arm.Resource) (map[string]any, error) {
	raw := r.Properties
	if ty.Render != nil {
		var err error
		if raw, err = ty.Render(p.t.Context(), c, r); err != nil {
			return nil, err
		}
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		p.t.Fatalf("%s: %v", raw, err)
	}
	return out, nil
}

// get answers the properties of a GET.
func (p *platform) get(path string) (map[string]any, error) {
	p.t.Helper()
	c, ty := p.call(path)
	r := c.Old
	if ty.Get != nil {
		var err error
		if r, err = ty.Get(p.t.Context(), c); err != nil {
			return nil, err
		}
	}
	if r == nil {
		return nil, fmt.Errorf("%s: not found", path)
	}
	return p.render(c, ty, r)
}

// list answers the properties of POST path/list.
func (p *platform) list(path string) map[string]any {
	p.t.Helper()
	c, _ := p.call(path)
	v, err := p.web.listConfig(p.t.Context(), c)
	if err != nil {
		p.t.Fatalf("POST %s/list: %v", path, err)
	}
	b, _ := json.Marshal(v.(configEnvelope).Properties)
	var out map[string]any
	_ = json.Unmarshal(b, &out)
	return out
}

func (p *platform) delete(path string) {
	p.t.Helper()
	c, ty := p.call(path)
	if _, err := p.store.Update(p.t.Context(), "sub/"+subscription, func(tx store.Tx) error { return ty.CommitDelete(tx, c) }); err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	delete(p.resources, strings.ToLower(c.ID.String()))
	p.mu.Unlock()
	if err := ty.Applied(p.t.Context(), c); err != nil {
		p.t.Fatal(err)
	}
}

// site makes a site with an identity; config is its siteConfig.
func (p *platform) site(name, config string) {
	p.t.Helper()
	p.put("sites/"+name, `{"location":"westeurope","identity":{"type":"SystemAssigned"},"properties":{"serverFarmId":"`+planID+`","siteConfig":`+config+`}}`)
}

// do sends a request to the front door.
func (p *platform) do(method, url string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	r := httptest.NewRequest(method, url, body)
	r.RemoteAddr = "203.0.113.7:5555"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.mux.ServeHTTP(w, r)
	return w
}

// vault is a key vault behind the front door: it wants a token of an allowed identity.
type vault struct {
	mu      sync.Mutex
	secrets map[string]string // "name" and "name/version" -> value; "!disabled" is a disabled one
	allowed map[string]bool   // tokens
	asked   int
	broken  bool
}

func (v *vault) set(name, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.secrets[name] = value
}

// RoundTrip implements http.RoundTripper.
func (v *vault) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	w := httptest.NewRecorder()
	fail := func(status int, code, inner string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%q,"message":"..","innererror":{"code":%q}}}`, code, inner)
	}
	name := strings.TrimPrefix(r.URL.Path, "/secrets/")
	value, ok := v.secrets[name]
	switch token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); {
	case v.broken:
		fail(503, "Unavailable", "")
	case r.URL.Host != "kv1.vault.azure.net":
		fail(404, "VaultNotFound", "")
	case r.URL.Query().Get("api-version") == "" || token == "":
		fail(401, "Unauthorized", "")
	case !v.allowed[token]:
		fail(403, "Forbidden", "AccessDenied")
	case !ok:
		fail(404, "SecretNotFound", "")
	case value == "!disabled":
		fail(403, "Forbidden", "SecretDisabled")
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"value": value, "id": "https://kv1.vault.azure.net/secrets/" + strings.Split(name, "/")[0] + "/v9"})
	}
	return w.Result(), nil
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

// remount serves the present p.web.
func (p *platform) remount() {
	p.t.Helper()
	mux, err := wire.NewMux([]wire.Service{p.web.Service()}, wire.Options{Hosts: testHosts})
	if err != nil {
		p.t.Fatal(err)
	}
	p.mux = mux
}
