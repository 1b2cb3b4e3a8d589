package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	contoso  = "11111111-1111-4111-8111-111111111111"
	fabrikam = "22222222-2222-4222-8222-222222222222"
	stranger = "33333333-3333-4333-8333-333333333333"
	apiURI   = "api://44444444-4444-4444-8444-444444444444"
	hr       = "55555555-5555-4555-8555-555555555555"
)

// directory is an authority with one signing key a tenant, which the test may change.
type directory struct {
	*httptest.Server
	keys  map[string]*rsa.PrivateKey // by tenant; its key id is the tenant's id and generation
	kid   map[string]string
	asked atomic.Int32 // for keys
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newDirectory(t *testing.T) *directory {
	d := &directory{keys: map[string]*rsa.PrivateKey{}, kid: map[string]string{}}
	for _, tenant := range []string{contoso, fabrikam, stranger} {
		d.keys[tenant], d.kid[tenant] = newKey(t), tenant+"-1"
	}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		key := d.keys[tenant]
		switch {
		case key == nil:
			http.NotFound(w, r)
		case rest == "keys":
			d.asked.Add(1)
			b64 := base64.RawURLEncoding.EncodeToString
			writeJSON(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
				"kty": "RSA", "kid": d.kid[tenant], "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
			}}})
		default:
			writeJSON(w, http.StatusOK, map[string]string{"issuer": d.issuer(tenant, strings.HasPrefix(rest, "v2.0/")), "jwks_uri": d.URL + "/" + tenant + "/keys"})
		}
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *directory) issuer(tenant string, v2 bool) string {
	if v2 {
		return d.URL + "/" + tenant + "/v2.0"
	}
	return "https://sts.windows.net/" + tenant + "/"
}

// sign makes a good token of Contoso's HR system, after change.
func (d *directory) sign(t *testing.T, change func(jwt.MapClaims, *jwt.Token)) string {
	t.Helper()
	now := time.Now()
	c := jwt.MapClaims{
		"iss": d.issuer(contoso, true), "tid": contoso, "ver": "2.0", "aud": apiURI, "azp": hr, "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
	token.Header["kid"] = d.kid[contoso]
	if change != nil {
		change(c, token)
	}
	var key any = d.keys[contoso]
	switch token.Method.Alg() {
	case "none":
		key = jwt.UnsafeAllowNoneSignatureType
	case "HS256":
		key = d.keys[contoso].N.Bytes()
	}
	raw, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (d *directory) verifier(callers ...string) *Verifier {
	return &Verifier{
		Settings: &Settings{
			Authority: d.URL, Audiences: []string{apiURI, "client-id-of-the-api"},
			Customers: map[string]*Customer{contoso: {Name: "Contoso", TenantID: contoso, Callers: callers}, fabrikam: {Name: "Fabrikam", TenantID: fabrikam}},
		},
		Client: d.Client(),
	}
}

func verify(v *Verifier, token string) (*Caller, error) {
	r := httptest.NewRequest("GET", "/checks", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return v.Verify(r)
}

func TestVerify(t *testing.T) {
	d := newDirectory(t)
	for _, tc := range []struct {
		name   string
		change func(jwt.MapClaims, *jwt.Token)
		ok     bool
		is     error // wanted error, nil for any
	}{
		{"Version2", nil, true, nil},
		{"Version1", func(c jwt.MapClaims, _ *jwt.Token) {
			c["ver"], c["iss"], c["appid"] = "1.0", d.issuer(contoso, false), hr
			delete(c, "azp")
		}, true, nil},
		{"ClientIDAsAudience", func(c jwt.MapClaims, _ *jwt.Token) { c["aud"] = "client-id-of-the-api" }, true, nil},
		{"OtherAudience", func(c jwt.MapClaims, _ *jwt.Token) { c["aud"] = "https://management.azure.com/" }, false, nil},
		{"NoAudience", func(c jwt.MapClaims, _ *jwt.Token) { delete(c, "aud") }, false, nil},
		{"Expired", func(c jwt.MapClaims, _ *jwt.Token) { c["exp"] = time.Now().Add(-2 * clockSkew).Unix() }, false, nil},
		{"NoExpiry", func(c jwt.MapClaims, _ *jwt.Token) { delete(c, "exp") }, false, nil},
		{"NotYetValid", func(c jwt.MapClaims, _ *jwt.Token) { c["nbf"] = time.Now().Add(2 * clockSkew).Unix() }, false, nil},
		{"NoIssuer", func(c jwt.MapClaims, _ *jwt.Token) { delete(c, "iss") }, false, nil},
		{"IssuerOfAnother", func(c jwt.MapClaims, _ *jwt.Token) { c["iss"] = d.issuer(fabrikam, true) }, false, nil},
		{"SaysItIsFabrikam", func(c jwt.MapClaims, _ *jwt.Token) { c["tid"], c["iss"] = fabrikam, d.issuer(fabrikam, true) }, false, nil},
		{"SaysFabrikamsKey", func(c jwt.MapClaims, token *jwt.Token) {
			c["tid"], c["iss"], token.Header["kid"] = fabrikam, d.issuer(fabrikam, true), d.kid[fabrikam]
		}, false, nil},
		{"NoCustomer", func(c jwt.MapClaims, _ *jwt.Token) { c["tid"], c["iss"] = stranger, d.issuer(stranger, true) }, false, errUnknownCustomer},
		{"NoTenant", func(c jwt.MapClaims, _ *jwt.Token) { delete(c, "tid") }, false, errUnknownCustomer},
		{"UnknownKey", func(_ jwt.MapClaims, token *jwt.Token) { token.Header["kid"] = "made-up" }, false, nil},
		{"Unsigned", func(_ jwt.MapClaims, token *jwt.Token) {
			token.Method, token.Header["alg"] = jwt.SigningMethodNone, "none"
		}, false, nil},
		{"KeyedByPublicKey", func(_ jwt.MapClaims, token *jwt.Token) {
			token.Method, token.Header["alg"] = jwt.SigningMethodHS256, "HS256"
		}, false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			caller, err := verify(d.verifier(), d.sign(t, tc.change))
			if (err == nil) != tc.ok || tc.is != nil && !errors.Is(err, tc.is) {
				t.Fatalf("got %v, %v; want ok %t %v", caller, err, tc.ok, tc.is)
			}
			if tc.ok && (caller.Customer.Name != "Contoso" || caller.ClientID != hr) {
				t.Errorf("got %s %s, want Contoso %s", caller.Customer.Name, caller.ClientID, hr)
			}
		})
	}
}

func TestVerify_Callers(t *testing.T) {
	d := newDirectory(t)
	if _, err := verify(d.verifier(strings.ToUpper(hr)), d.sign(t, nil)); err != nil {
		t.Errorf("the caller on the list: %v", err)
	}
	if _, err := verify(d.verifier(stranger), d.sign(t, nil)); !errors.Is(err, errUnknownCaller) {
		t.Errorf("a caller not on the list: %v, want %v", err, errUnknownCaller)
	}
}

// Keys are fetched once, anew for a key that is not known, and not for each made-up one.
func TestVerify_KeyRollover(t *testing.T) {
	d := newDirectory(t)
	v := d.verifier()
	old := d.sign(t, nil)
	for range 3 {
		if _, err := verify(v, old); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.asked.Load(); got != 1 {
		t.Errorf("keys were fetched %d times, want once", got)
	}
	d.keys[contoso], d.kid[contoso] = newKey(t), contoso+"-2"
	fresh := d.sign(t, nil)
	if _, err := verify(v, fresh); err == nil || d.asked.Load() != 1 {
		t.Errorf("within the pause: %v after %d fetches, want a refusal without one", err, d.asked.Load())
	}
	for _, is := range v.issuers {
		is.fetched = is.fetched.Add(-keysPause)
	}
	if _, err := verify(v, fresh); err != nil {
		t.Errorf("signed by the new key: %v", err)
	}
	if _, err := verify(v, old); err == nil {
		t.Error("signed by the removed key: accepted")
	}
	if got := d.asked.Load(); got != 2 {
		t.Errorf("keys were fetched %d times, want twice", got)
	}
}

func TestVerify_DirectoryDown(t *testing.T) {
	d := newDirectory(t)
	v := d.verifier()
	token := d.sign(t, nil)
	d.Close()
	_, err := verify(v, token)
	var hop *hopError
	if !errors.As(err, &hop) || hop.hop != "discovery" {
		t.Errorf("got %v, want a failure of the hop discovery", err)
	}
}

func TestParseCustomers(t *testing.T) {
	good := map[string]string{
		"name": "Contoso", "tenantId": contoso, "subscriptionId": "s", "resourceGroup": "g", "account": "a", "daemonClientId": "d", "credential": "c", "kind": "secret",
	}
	one := func(change map[string]string) map[string]string {
		m := map[string]string{}
		for k, v := range good {
			m[k] = v
		}
		for k, v := range change {
			if v == "" {
				delete(m, k)
				continue
			}
			m[k] = v
		}
		return m
	}
	second := map[string]string{"name": "Fabrikam", "tenantId": fabrikam, "account": "a2", "daemonClientId": "d2", "credential": "c2", "kind": "certificate"}
	with := func(k, v string) map[string]string {
		m := one(second)
		m[k] = v
		return m
	}
	for _, tc := range []struct {
		name string
		list []map[string]string
		want string // part of the error, "" for none
	}{
		{"Two", []map[string]string{good, one(second)}, ""},
		{"None", []map[string]string{}, "no customer"},
		{"NoAccount", []map[string]string{one(map[string]string{"account": ""})}, "account is missing"},
		{"NoKind", []map[string]string{one(map[string]string{"kind": ""})}, "kind"},
		{"TenantNoGUID", []map[string]string{one(map[string]string{"tenantId": "contoso.com"})}, "not a GUID"},
		{"UnknownMember", []map[string]string{one(map[string]string{"secret": "x"})}, "unknown field"},
		{"SharedTenant", []map[string]string{good, with("tenantId", contoso)}, "share the directory"},
		{"SharedAccount", []map[string]string{good, with("account", "A")}, "share the account"},
		{"SharedDaemon", []map[string]string{good, with("daemonClientId", "D")}, "share the daemon"},
		{"SharedCredential", []map[string]string{good, with("credential", "C")}, "share the credential"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, err := json.Marshal(tc.list)
			if err != nil {
				t.Fatal(err)
			}
			got, err := parseCustomers(string(raw))
			if tc.want == "" {
				if err != nil || len(got) != len(tc.list) {
					t.Errorf("got %v, %v; want %d customers", got, err, len(tc.list))
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
