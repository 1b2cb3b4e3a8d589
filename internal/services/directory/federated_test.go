package directory_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	guids "github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

// foreignIssuer is an OpenID provider of someone else's, such as a Kubernetes cluster.
type foreignIssuer struct {
	*httptest.Server
	key      *ecdsa.PrivateKey
	kid      string
	requests atomic.Int32
	answer   func(w http.ResponseWriter, r *http.Request) bool // true: it answered instead
}

func newForeignIssuer(t testing.TB) *foreignIssuer {
	t.Helper()
	f := &foreignIssuer{kid: "k1"}
	f.newKey(t)
	f.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		if f.answer != nil && f.answer(w, r) {
			return
		}
		var doc any
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			doc = map[string]string{"issuer": f.URL, "jwks_uri": f.URL + "/keys"}
		case "/keys":
			doc = map[string]any{"keys": []any{
				map[string]string{"kty": "oct", "k": "c2VjcmV0", "kid": "weird"},
				jose.JSONWebKey{Key: f.key.Public(), KeyID: f.kid, Use: "sig"},
			}}
		}
		_ = json.NewEncoder(w).Encode(doc)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *foreignIssuer) newKey(t testing.TB) {
	t.Helper()
	var err error
	if f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
}

func (f *foreignIssuer) token(t testing.TB, change func(map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": f.URL, "sub": "system:serviceaccount:shop:cart", "aud": []string{"api://AzureADTokenExchange"},
		"iat": start.Unix(), "nbf": start.Unix(), "exp": start.Add(time.Hour).Unix(),
	}
	if change != nil {
		change(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: f.key, KeyID: f.kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (p *platform) trust(d daemon, issuer, subject string) {
	p.t.Helper()
	p.change(d, func(a *directory.Application) {
		a.Federated = append(a.Federated, directory.Federated{ID: guids.New(), Name: "workload", Issuer: issuer, Subject: subject, Audiences: []string{"api://AzureADTokenExchange"}})
	})
}

func federatedForm(d daemon, assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {d.AppID}, "scope": {vaultScope}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
}

func TestFederated_Foreign(t *testing.T) {
	t.Parallel()
	f := newForeignIssuer(t)
	p := newPlatform(t, func(d *directory.Deps) { d.FederatedIssuers, d.Fetch = []string{f.URL}, f.Client() })
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "cart"})
	path := "/" + d.TenantID + v2Token
	try := func(change func(map[string]any)) answer {
		return p.post(publicLogin, path, federatedForm(d, f.token(t, change)+"\n"))
	}
	wantAADSTS(t, "no credential", try(nil), 401, 70021, "invalid_client")
	p.trust(d, f.URL, "system:serviceaccount:shop:cart")
	if f.requests.Load() != 0 {
		t.Error("keys were fetched for an issuer that no credential names")
	}
	a := try(nil)
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if c := p.verifiedClaims(a.body["access_token"].(string), "https://"+publicLogin+"/common/discovery/keys"); c["appidacr"] != "2" || c["oid"] != d.sp.ObjectID {
		t.Errorf("claims %v", c)
	}
	if p.audit.allowedBy != "federated credential workload" {
		t.Errorf("allowed by %q", p.audit.allowedBy)
	}
	set := func(name string, value any) func(map[string]any) { return func(c map[string]any) { c[name] = value } }
	wantAADSTS(t, "another subject", try(set("sub", "system:serviceaccount:shop:Cart")), 401, 700213, "invalid_client")
	wantAADSTS(t, "another audience", try(set("aud", "https://kubernetes.default.svc")), 401, 700212, "invalid_client")
	wantAADSTS(t, "another issuer", try(set("iss", f.URL+"/")), 401, 700211, "invalid_client")
	wantAADSTS(t, "expired", try(set("exp", start.Add(-6*time.Minute).Unix())), 401, 700024, "invalid_client")
	wantAADSTS(t, "never expires", try(func(c map[string]any) { delete(c, "exp") }), 401, 700024, "invalid_client")
	wantAADSTS(t, "not yet", try(set("nbf", start.Add(6*time.Minute).Unix())), 401, 700024, "invalid_client")
	if n := f.requests.Load(); n != 2 {
		t.Errorf("%d requests to the issuer, want 2: its document and its keys, once", n)
	}
	f.newKey(t) // signed by someone else under the same id
	wantAADSTS(t, "forged", try(nil), 401, 50013, "invalid_client")
	f.kid = "k2" // the issuer has a new key: it is asked again, but not for each token
	p.clock.Advance(time.Minute)
	if a := try(nil); a.status != 200 {
		t.Errorf("after the issuer's rotation: %d %s", a.status, a.raw)
	}
	before := f.requests.Load()
	f.kid = "k3"
	for range 5 {
		wantAADSTS(t, "unknown key", try(nil), 401, 50013, "invalid_client")
	}
	if n := f.requests.Load() - before; n > 2 {
		t.Errorf("%d requests for 5 tokens of an unknown key", n)
	}
}

// TestFederated_Bounds: an issuer that is not allowed is never asked; one that misbehaves costs little and helps nobody.
func TestFederated_Bounds(t *testing.T) {
	t.Parallel()
	f := newForeignIssuer(t)
	p := newPlatform(t, func(d *directory.Deps) { d.Fetch = f.Client() })
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "cart"})
	p.trust(d, f.URL, "system:serviceaccount:shop:cart")
	a := p.post(publicLogin, "/"+d.TenantID+v2Token, federatedForm(d, f.token(t, nil)))
	wantAADSTS(t, "not allowed", a, 401, 70021, "invalid_client")
	if !strings.Contains(a.raw, "--federated-issuer") || f.requests.Load() != 0 {
		t.Errorf("%d requests; %s", f.requests.Load(), a.raw)
	}
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"redirect": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
			return true
		},
		"another issuer": func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(`{"issuer":"https://evil.example","jwks_uri":"` + f.URL + `/keys"}`))
			return true
		},
		"plain http keys": func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(`{"issuer":"` + f.URL + `","jwks_uri":"http://127.0.0.1:1/keys"}`))
			return true
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(strings.Repeat(" ", 300<<10)))
			return true
		},
		"error": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true },
		"no keys": func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == "/keys" && write(w, `{"keys":[]}`)
		},
		"nonsense": func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == "/keys" && write(w, `{"keys":{}}`)
		},
	} {
		q := openPlatform(t, p.store, p.clock, func(d *directory.Deps) { d.FederatedIssuers, d.Fetch = []string{f.URL}, f.Client() })
		f.answer = answer
		wantAADSTS(t, name, q.post(publicLogin, "/"+d.TenantID+v2Token, federatedForm(d, f.token(t, nil))), 401, 50013, "invalid_client")
	}
}

func write(w http.ResponseWriter, s string) bool { _, _ = w.Write([]byte(s)); return true }

// TestFederated_Own: a managed identity's token as the assertion of an application of another tenant; nothing is fetched for it.
func TestFederated_Own(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	mi := directory.SP{TenantID: contoso.ID, ObjectID: guids.New(), AppID: guids.New(), DisplayName: "worker", Kind: authn.ManagedIdentity, ResourceID: "/subscriptions/x/y"}
	if err := p.dir.EnsureServicePrincipal(t.Context(), mi); err != nil {
		t.Fatal(err)
	}
	token, err := p.dir.IssueManagedIdentity(t.Context(), contoso.ID, mi.ObjectID, "api://AzureADTokenExchange")
	if err != nil {
		t.Fatal(err)
	}
	d := p.app(directory.AppSpec{TenantID: fabrikam.ID, DisplayName: "partner"})
	path := "/" + d.TenantID + v2Token
	wantAADSTS(t, "no credential", p.post(publicLogin, path, federatedForm(d, token.Raw)), 401, 70021, "invalid_client")
	p.trust(d, "https://login.microsoftonline.com/"+contoso.ID+"/v2.0", mi.ObjectID)
	if a := p.post(publicLogin, path, federatedForm(d, token.Raw)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	vault, err := p.dir.IssueManagedIdentity(t.Context(), contoso.ID, mi.ObjectID, "https://vault.azure.net")
	if err != nil {
		t.Fatal(err)
	}
	wantAADSTS(t, "a token for a vault", p.post(publicLogin, path, federatedForm(d, vault.Raw)), 401, 700211, "invalid_client")
	parts := strings.Split(token.Raw, ".")
	forged := parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2]))
	wantAADSTS(t, "forged", p.post(publicLogin, path, federatedForm(d, forged)), 401, 50013, "invalid_client")
	p.clock.Advance(25 * time.Hour)
	wantAADSTS(t, "expired", p.post(publicLogin, path, federatedForm(d, token.Raw)), 401, 700024, "invalid_client")
}

// TestFederated_Identity: a workload elsewhere signs in as a user-assigned managed identity.
func TestFederated_Identity(t *testing.T) {
	t.Parallel()
	f := newForeignIssuer(t)
	const resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1"
	p := newPlatform(t, func(d *directory.Deps) {
		d.FederatedIssuers, d.Fetch = []string{f.URL}, f.Client()
		d.IdentityCredentials = func(_ context.Context, id string) ([]directory.Federated, error) {
			if id != resource {
				return nil, nil
			}
			return []directory.Federated{{Name: "cart", Issuer: f.URL, Subject: "system:serviceaccount:shop:cart", Audiences: []string{"api://AzureADTokenExchange"}}}, nil
		}
	})
	contoso := p.tenant("Contoso")
	mi := directory.SP{TenantID: contoso.ID, ObjectID: guids.New(), AppID: guids.New(), DisplayName: "id1", Kind: authn.ManagedIdentity, ResourceID: resource}
	other := directory.SP{TenantID: contoso.ID, ObjectID: guids.New(), AppID: guids.New(), DisplayName: "id2", Kind: authn.ManagedIdentity, ResourceID: resource + "2"}
	for _, sp := range []directory.SP{mi, other} {
		if err := p.dir.EnsureServicePrincipal(t.Context(), sp); err != nil {
			t.Fatal(err)
		}
	}
	form := func(sp directory.SP) url.Values {
		return federatedForm(daemon{Application: &directory.Application{AppID: sp.AppID}}, f.token(t, nil))
	}
	a := p.post(publicLogin, "/"+contoso.ID+v2Token, form(mi))
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	got, err := p.tokens.Verify(t.Context(), a.body["access_token"].(string))
	if err != nil || got.Kind != authn.ManagedIdentity || got.ObjectID != mi.ObjectID || got.AppID != mi.AppID {
		t.Errorf("verified as %+v, %v", got, err)
	}
	wantAADSTS(t, "another identity", p.post(publicLogin, "/"+contoso.ID+v2Token, form(other)), 401, 70021, "invalid_client")
	secret := url.Values{"grant_type": {"client_credentials"}, "client_id": {mi.AppID}, "client_secret": {"x"}, "scope": {vaultScope}}
	wantAADSTS(t, "a secret", p.post(publicLogin, "/"+contoso.ID+v2Token, secret), 400, 700016, "unauthorized_client")
}

func TestAdmin_KeysAndSignIns(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "daemon"})
	old := p.token(d, vaultScope)
	p.clock.Advance(time.Minute)
	a := p.admin("POST", "/keys/rotate", nil)
	keys, _ := a.body["value"].([]any)
	if a.status != 200 || len(keys) != 2 || keys[0].(map[string]any)["state"] != "signing" || keys[1].(map[string]any)["until"] != "2026-03-02T12:06:00Z" {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	fresh := p.token(d, vaultScope)
	for name, raw := range map[string]string{"old": old, "new": fresh} {
		p.verifiedClaims(raw, "https://"+publicLogin+"/common/discovery/v2.0/keys")
		if _, err := p.tokens.Verify(t.Context(), raw); err != nil {
			t.Errorf("%s token: %v", name, err)
		}
	}
	if strings.Split(old, ".")[0] == strings.Split(fresh, ".")[0] {
		t.Error("the new key does not sign")
	}
	bad := secretForm(d, vaultScope)
	bad.Set("client_secret", "wrong")
	p.post(publicLogin, "/contoso.onmicrosoft.com"+v2Token, bad)
	again := openPlatform(t, p.store, p.clock) // what the first one had not stored yet is lost with it; so ask it first
	list := p.admin("GET", "/signins?tenant=contoso.onmicrosoft.com&limit=2", nil)
	records, _ := list.body["value"].([]any)
	if list.status != 200 || len(records) != 2 {
		t.Fatalf("%d %s", list.status, list.raw)
	}
	newest := records[0].(map[string]any)
	if newest["errorCode"] != 7000215.0 || newest["grant"] != "client_credentials" || newest["appId"] != d.AppID || newest["ipAddress"] != "192.0.2.1" || newest["failureReason"] == nil {
		t.Errorf("newest %v", newest)
	}
	if strings.Contains(list.raw, d.secret) || strings.Contains(list.raw, "wrong") {
		t.Error("the log holds a secret")
	}
	if r := records[1].(map[string]any); r["errorCode"] != 0.0 || r["resource"] != "Azure Key Vault" || r["appDisplayName"] != "daemon" {
		t.Errorf("the one before %v", r)
	}
	if got := again.admin("GET", "/signins?tenant="+d.TenantID, nil); len(got.body["value"].([]any)) != 3 {
		t.Errorf("after a restart: %s", got.raw)
	}
	p.clock.Advance(31 * 24 * time.Hour) // the next start forgets what is too old
	later := openPlatform(t, p.store, p.clock)
	later.token(d, vaultScope)
	if got := later.admin("GET", "/signins?tenant="+d.TenantID, nil); len(got.body["value"].([]any)) != 1 {
		t.Errorf("31 days later: %s", got.raw)
	}
	if got := p.admin("GET", "/signins?tenant=nobody.example", nil); got.status != 404 {
		t.Errorf("unknown tenant: %d %s", got.status, got.raw)
	}
}

func FuzzFederated(f *testing.F) {
	issuer := newForeignIssuer(f)
	p := newPlatform(f, func(d *directory.Deps) { d.FederatedIssuers, d.Fetch = []string{issuer.URL}, issuer.Client() })
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "cart"})
	p.trust(d, issuer.URL, "system:serviceaccount:shop:cart")
	good := issuer.token(f, nil)
	var keys string
	issuer.answer = func(w http.ResponseWriter, r *http.Request) bool { return r.URL.Path == "/keys" && write(w, keys) }
	f.Add(good, `{"keys":[{"kty":"EC","kid":"k1","crv":"P-256","x":"AA","y":"AA"}]}`)
	f.Add(good, `{"keys":[null,{},[],{"kty":"RSA","n":"","e":""}]}`)
	f.Add("a.b.c", `{}`)
	f.Fuzz(func(t *testing.T, assertion, set string) {
		keys = set
		q := openPlatform(t, p.store, p.clock, func(d *directory.Deps) { d.FederatedIssuers, d.Fetch = []string{issuer.URL}, issuer.Client() })
		if a := q.post(publicLogin, "/"+d.TenantID+v2Token, federatedForm(d, assertion)); a.status != 400 && a.status != 401 {
			t.Errorf("%q by %q: %d %s", assertion, set, a.status, a.raw)
		}
	})
}
