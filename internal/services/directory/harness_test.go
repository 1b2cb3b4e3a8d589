package directory_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	publicLogin = "login.microsoftonline.com"
	ownLogin    = "login.bulkhead.localhost:8443"
	graphHost   = "graph.microsoft.com"
)

// platform is a directory behind a real mux, on a store in memory.
type platform struct {
	t      testing.TB
	store  store.Store
	clock  *clock.Fake
	tokens *authn.Tokens
	dir    *directory.Service
	mux    *wire.Mux
	audit  *recorder
}

// recorder remembers what the last request told the auditor.
type recorder struct {
	mu                  sync.Mutex
	resource, allowedBy string
	principal           *authn.Principal
}

func (a *recorder) Record(_ context.Context, e *wire.Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.resource, a.allowedBy, a.principal = e.Request.Resource, e.Request.AllowedBy, e.Request.Principal
	return nil
}

func newPlatform(t testing.TB, options ...func(*directory.Deps)) *platform {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return openPlatform(t, st, clock.NewFake(start), options...)
}

// openPlatform opens a directory on a store that may have one already.
func openPlatform(t testing.TB, st store.Store, c *clock.Fake, options ...func(*directory.Deps)) *platform {
	t.Helper()
	sealer, err := seal.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	tenants := directory.NewTenants(st, c)
	tokens, err := authn.NewTokens(t.Context(), st, sealer, c, tenants.Exists)
	if err != nil {
		t.Fatal(err)
	}
	hosts := wire.Hosts{Suffix: "bulkhead.localhost", Port: 8443}
	log := slog.New(slog.DiscardHandler)
	deps := directory.Deps{Store: st, Sealer: sealer, Clock: c, Log: log, Tokens: tokens, Tenants: tenants, Hosts: hosts}
	for _, option := range options {
		option(&deps)
	}
	dir := directory.New(deps)
	audit := &recorder{}
	mux, err := wire.NewMux([]wire.Service{dir.Service()}, wire.Options{Hosts: hosts, Clock: c, Log: log, Audit: audit})
	if err != nil {
		t.Fatal(err)
	}
	return &platform{t: t, store: st, clock: c, tokens: tokens, dir: dir, mux: mux, audit: audit}
}

// on is p for another test: fuzz targets may not use the fuzzer's own T.
func (p *platform) on(t testing.TB) *platform {
	c := *p
	c.t = t
	return &c
}

func (p *platform) tenant(name string) *directory.Tenant {
	p.t.Helper()
	tenant, err := p.dir.CreateTenant(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return tenant
}

// daemon is an application with a service principal and a secret.
type daemon struct {
	*directory.Application
	sp     *directory.SP
	secret string
	keyID  string
}

func (p *platform) app(spec directory.AppSpec) daemon {
	p.t.Helper()
	spec.Principal = true
	app, sp, err := p.dir.CreateApplication(p.t.Context(), spec)
	if err != nil {
		p.t.Fatal(err)
	}
	secret, text, err := p.dir.AddSecret(p.t.Context(), app.TenantID, app.ObjectID, directory.CredentialSpec{})
	if err != nil {
		p.t.Fatal(err)
	}
	return daemon{app, sp, text, secret.KeyID}
}

// answer is a response with its JSON body.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (p *platform) send(handler http.Handler, method, target, contentType, body string, header ...string) answer {
	p.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if w.Body.Len() > 0 && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			p.t.Fatalf("%s %s: body %q: %v", method, target, w.Body, err)
		}
	}
	return a
}

func (p *platform) get(target string) answer { return p.send(p.mux, "GET", target, "", "") }

// post sends a token request to https://host/path.
func (p *platform) post(host, path string, form url.Values, header ...string) answer {
	return p.send(p.mux, "POST", "https://"+host+path, "application/x-www-form-urlencoded", form.Encode(), header...)
}

// admin sends a request to the admin socket's handler.
func (p *platform) admin(method, path string, body any) answer {
	p.t.Helper()
	return p.send(p.mux.For(wire.HostAdmin), method, path, "application/json", p.json(body))
}

func (p *platform) graph(token, method, path string, body any) answer {
	p.t.Helper()
	return p.send(p.mux, method, "https://"+graphHost+path, "application/json", p.json(body), "Authorization", "Bearer "+token)
}

func (p *platform) json(v any) string {
	p.t.Helper()
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

func secretForm(d daemon, scope string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {d.AppID}, "client_secret": {d.secret}, "scope": {scope}}
}

// token signs d in at its own tenant and returns the raw access token.
func (p *platform) token(d daemon, scope string) string {
	p.t.Helper()
	a := p.post(publicLogin, "/"+d.TenantID+"/oauth2/v2.0/token", secretForm(d, scope))
	raw, _ := a.body["access_token"].(string)
	if a.status != 200 || raw == "" {
		p.t.Fatalf("sign in: %d %s", a.status, a.raw)
	}
	return raw
}

// wantAADSTS checks the whole shape of a token error.
func wantAADSTS(t *testing.T, name string, a answer, status, code int, oauthError string) {
	t.Helper()
	codes, _ := a.body["error_codes"].([]any)
	description, _ := a.body["error_description"].(string)
	if a.status != status || a.body["error"] != oauthError || len(codes) != 1 || codes[0] != float64(code) ||
		!strings.HasPrefix(description, "AADSTS"+num(code)+": ") || !strings.Contains(description, "\r\nTrace ID: ") {
		t.Errorf("%s: got %d %s, want %d %s with AADSTS%d", name, a.status, a.raw, status, oauthError, code)
	}
}

func num(n int) string { b, _ := json.Marshal(n); return string(b) }

// verifiedClaims verifies raw with crypto/rsa alone and the key set that jwksURL answers, and returns its claims.
func (p *platform) verifiedClaims(raw, jwksURL string) map[string]any {
	p.t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		p.t.Fatalf("token of %d parts", len(parts))
	}
	unbase := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			p.t.Fatal(err)
		}
		return b
	}
	var header struct{ Alg, Kid string }
	var claims map[string]any
	if err := json.Unmarshal(unbase(parts[0]), &header); err != nil || header.Alg != "RS256" {
		p.t.Fatalf("header %+v, %v", header, err)
	}
	if err := json.Unmarshal(unbase(parts[1]), &claims); err != nil {
		p.t.Fatal(err)
	}
	var set struct{ Keys []struct{ Kid, N, E string } }
	if err := json.Unmarshal([]byte(p.get(jwksURL).raw), &set); err != nil {
		p.t.Fatal(err)
	}
	for _, k := range set.Keys {
		if k.Kid == header.Kid {
			public := &rsa.PublicKey{N: new(big.Int).SetBytes(unbase(k.N)), E: int(new(big.Int).SetBytes(unbase(k.E)).Int64())}
			sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
			if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], unbase(parts[2])); err != nil {
				p.t.Fatal(err)
			}
			return claims
		}
	}
	p.t.Fatalf("no key %q at %s", header.Kid, jwksURL)
	return nil
}

// keyPair is an RSA key with a self-signed certificate.
type keyPair struct {
	key *rsa.PrivateKey
	der []byte
}

func newKeyPair(t testing.TB, from, until time.Time) keyPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "daemon"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{key, der}
}

// assertion signs a client assertion by hand, so that the tests share no code with what they test.
func (k keyPair) assertion(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	input := encode(header) + "." + encode(claims)
	sum := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	if header["alg"] == "PS256" {
		signature, err = rsa.SignPSS(rand.Reader, k.key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		signature, err = rsa.SignPKCS1v15(nil, k.key, crypto.SHA256, sum[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// everything returns all keys and values of all shards, to look for what must not be there.
func (p *platform) everything() []byte {
	p.t.Helper()
	var all bytes.Buffer
	shards, err := p.store.Shards(p.t.Context(), "", "", 1000)
	if err != nil || len(shards) < 2 {
		p.t.Fatalf("shards %v, %v", shards, err)
	}
	for _, shard := range shards {
		err := p.store.View(p.t.Context(), shard, func(snap store.Snapshot) error {
			return snap.Scan(store.Range{}, func(k, v []byte) bool { all.Write(k); all.Write(v); return true })
		})
		if err != nil {
			p.t.Fatal(err)
		}
	}
	return all.Bytes()
}
