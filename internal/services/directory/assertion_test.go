package directory_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

type header = map[string]any

// thumbs spells the certificate's names in the ways clients do.
func (k keyPair) thumbs() (x5t, x5tS256std, x5tS256url, leaf string) {
	short, long := sha1.Sum(k.der), sha256.Sum256(k.der)
	return base64.RawURLEncoding.EncodeToString(short[:]), base64.StdEncoding.EncodeToString(long[:]),
		base64.RawURLEncoding.EncodeToString(long[:]), base64.StdEncoding.EncodeToString(k.der)
}

func assertionForm(clientID, assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_assertion": {assertion},
		"client_assertion_type": {assertionType}, "scope": {vaultScope},
	}
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	d := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon"})
	year := 365 * 24 * time.Hour
	good, old, stranger := newKeyPair(t, start.Add(-year), start.Add(year)), newKeyPair(t, start.Add(-year), start), newKeyPair(t, start.Add(-year), start.Add(year))
	for _, k := range []keyPair{good, old} {
		if _, err := p.dir.AddCertificate(t.Context(), d.TenantID, d.ObjectID, k.der, directory.CredentialSpec{}); err != nil {
			t.Fatal(err)
		}
	}
	x5t, std, short, leaf := good.thumbs()
	oldX5t, _, _, _ := old.thumbs()
	strangeX5t, _, _, strangeLeaf := stranger.thumbs()
	raw, err := base64.RawURLEncoding.DecodeString(x5t)
	if err != nil {
		t.Fatal(err)
	}
	v2, v1 := "/"+contoso.ID+"/oauth2/v2.0/token", "/"+contoso.ID+"/oauth2/token"
	claims := func(change ...any) map[string]any {
		c := map[string]any{
			"aud": "https://" + publicLogin + v2, "iss": d.AppID, "sub": d.AppID, "jti": "1", "nbf": start.Unix(), "exp": start.Add(10 * time.Minute).Unix(),
		}
		for i := 0; i < len(change); i += 2 {
			if change[i+1] == nil {
				delete(c, change[i].(string))
			} else {
				c[change[i].(string)] = change[i+1]
			}
		}
		return c
	}
	rs := header{"alg": "RS256", "typ": "JWT", "x5t": x5t}
	const ok = 0
	for _, tt := range []struct {
		name   string
		key    keyPair
		header header
		claims map[string]any
		code   int
	}{
		{"RS256 x5t", good, rs, claims(), ok},
		{"RS256 x5t padded standard base64", good, header{"alg": "RS256", "x5t": base64.StdEncoding.EncodeToString(raw)}, claims(), ok},
		{"PS256 x5t#S256 standard base64", good, header{"alg": "PS256", "typ": "JWT", "x5t#S256": std}, claims(), ok},
		{"PS256 x5t#S256 base64url", good, header{"alg": "PS256", "typ": "JWT", "x5t#S256": short}, claims(), ok},
		{"PS256 with chain", good, header{"alg": "PS256", "x5t#S256": std, "x5c": []string{leaf, strangeLeaf}}, claims(), ok},
		{"chain only", good, header{"alg": "RS256", "x5c": []string{leaf}}, claims(), ok},
		{"kid in hexadecimal", good, header{"alg": "RS256", "kid": strings.ToUpper(hex.EncodeToString(raw))}, claims(), ok},
		{"kid of the client's own beside x5t", good, header{"alg": "RS256", "kid": "mine", "x5t": x5t}, claims(), ok},
		{"aud of the version 1 endpoint", good, rs, claims("aud", "https://login.windows.net"+v1), ok},
		{"aud with the domain", good, rs, claims("aud", "https://"+publicLogin+"/contoso.onmicrosoft.com/oauth2/v2.0/token"), ok},
		{"aud by own name", good, rs, claims("aud", "https://"+ownLogin+v2), ok},
		{"aud is the issuer", good, rs, claims("aud", "https://"+publicLogin+"/"+contoso.ID+"/v2.0"), ok},
		{"aud is the old issuer", good, rs, claims("aud", "https://sts.windows.net/"+contoso.ID+"/"), ok},
		{"aud is a list", good, rs, claims("aud", []string{"x", "https://" + publicLogin + v2}), ok},
		{"no nbf", good, rs, claims("nbf", nil), ok},
		{"expired within skew", good, rs, claims("exp", start.Add(-4*time.Minute).Unix()), ok},

		{"unregistered", stranger, header{"alg": "RS256", "x5t": strangeX5t}, claims(), 700027},
		{"unregistered with its chain", stranger, header{"alg": "RS256", "x5c": []string{strangeLeaf}}, claims(), 700027},
		{"another's key under the registered name", stranger, rs, claims(), 700027},
		{"leaf and thumbprint differ", good, header{"alg": "RS256", "x5t": x5t, "x5c": []string{strangeLeaf}}, claims(), 700027},
		{"thumbprints differ", good, header{"alg": "RS256", "x5t": oldX5t, "x5t#S256": std}, claims(), 700027},
		{"RS256 signature called PS256", good, header{"alg": "PS256 ", "x5t#S256": std}, claims(), 50027},
		{"expired certificate", old, header{"alg": "RS256", "x5t": oldX5t}, claims(), 700027},
		{"no certificate named", good, header{"alg": "RS256"}, claims(), 50027},
		{"kid that names nothing", good, header{"alg": "RS256", "kid": "x"}, claims(), 700027},
		{"alg RS512", good, header{"alg": "RS512", "x5t": x5t}, claims(), 50027},
		{"alg none", good, header{"alg": "none", "x5t": x5t}, claims(), 50027},
		{"critical extension", good, header{"alg": "RS256", "x5t": x5t, "crit": []string{"x"}, "x": 1}, claims(), 700027},
		{"iss of another", good, rs, claims("iss", contoso.ID), 700021},
		{"sub of another", good, rs, claims("sub", contoso.ID), 700021},
		{"no iss", good, rs, claims("iss", nil), 700021},
		{"expired", good, rs, claims("exp", start.Add(-6*time.Minute).Unix()), 700024},
		{"no exp", good, rs, claims("exp", nil), 700024},
		{"not yet", good, rs, claims("nbf", start.Add(6*time.Minute).Unix()), 700024},
		{"no aud", good, rs, claims("aud", nil), 700023},
		{"aud of another tenant", good, rs, claims("aud", "https://"+publicLogin+"/"+fabrikam.ID+"/oauth2/v2.0/token"), 700023},
		{"aud of another host", good, rs, claims("aud", "https://login.evil.example"+v2), 700023},
		{"aud of another service", good, rs, claims("aud", "https://management.azure.com"+v2), 700023},
		{"aud by http", good, rs, claims("aud", "http://"+publicLogin+v2), 700023},
		{"aud of another path", good, rs, claims("aud", "https://"+publicLogin+v2+"/x"), 700023},
		{"aud is the vault", good, rs, claims("aud", "https://vault.azure.net"), 700023},
		{"claims of the wrong type", good, rs, claims("exp", "soon"), 50027},
		{"federated", good, rs, claims("iss", "https://token.actions.githubusercontent.com", "sub", "repo:a/b"), 70021},
	} {
		assertion := tt.key.assertion(t, tt.header, tt.claims)
		for _, path := range []string{v2, v1} {
			form := assertionForm(d.AppID, assertion+"\n") // workload identities send their file as it is
			a := p.post(publicLogin, path, form)
			if tt.code != ok {
				wantAADSTS(t, tt.name, a, 401, tt.code, "invalid_client")
				continue
			}
			token, _ := a.body["access_token"].(string)
			if a.status != 200 || token == "" {
				// The version 1 endpoint takes scope where resource is absent.
				t.Errorf("%s: %d %s", tt.name, a.status, a.raw)
				continue
			}
			if got := p.verifiedClaims(token, "https://"+publicLogin+"/common/discovery/keys"); got["appidacr"] != "2" {
				t.Errorf("%s: appidacr %v", tt.name, got["appidacr"])
			}
			want := "certificate " + strings.ToUpper(hex.EncodeToString(raw))
			if p.audit.allowedBy != want {
				t.Errorf("%s: allowed by %q, want %q", tt.name, p.audit.allowedBy, want)
			}
		}
	}
	assertion := good.assertion(t, rs, claims())
	form := assertionForm(d.AppID, assertion)
	form.Set("client_assertion_type", "x")
	wantAADSTS(t, "assertion type", p.post(publicLogin, v2, form), 400, 9002313, "invalid_request")
	other := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "other"})
	wantAADSTS(t, "assertion of another client", p.post(publicLogin, v2, assertionForm(other.AppID, assertion)), 401, 700027, "invalid_client")
	for name, garbage := range map[string]string{"text": "x", "dots": "..", "tampered": assertion[:len(assertion)-10] + "AAAAAAAAAA", "cut": assertion[:100]} {
		if a := p.post(publicLogin, v2, assertionForm(d.AppID, garbage)); a.status != 401 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
}

// TestAssertion_Rotation: a certificate that was taken away opens nothing at the next request.
func TestAssertion_Rotation(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "daemon"})
	key := newKeyPair(t, start.Add(-time.Hour), start.Add(time.Hour))
	pemText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.der})
	cert, err := p.dir.AddCertificate(t.Context(), d.TenantID, d.ObjectID, pemText, directory.CredentialSpec{})
	if err != nil {
		t.Fatal(err)
	}
	x5t, _, _, _ := key.thumbs()
	path := "/" + d.TenantID + "/oauth2/v2.0/token"
	form := assertionForm(d.AppID, key.assertion(t, header{"alg": "RS256", "x5t": x5t}, map[string]any{
		"aud": "https://" + publicLogin + path, "iss": d.AppID, "sub": d.AppID, "exp": start.Add(10 * time.Minute).Unix(),
	}))
	for range 2 { // the same assertion twice, as msal-node sends it
		if a := p.post(publicLogin, path, form); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	if err := p.dir.RemoveCredential(t.Context(), d.TenantID, d.ObjectID, cert.KeyID); err != nil {
		t.Fatal(err)
	}
	wantAADSTS(t, "removed certificate", p.post(publicLogin, path, form), 401, 700027, "invalid_client")
}

func TestAddCertificate_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "daemon"})
	for name, raw := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "a private key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}),
	} {
		if _, err := p.dir.AddCertificate(t.Context(), d.TenantID, d.ObjectID, raw, directory.CredentialSpec{}); err == nil {
			t.Errorf("%s was taken as a certificate", name)
		}
	}
}

func FuzzTokenForm(f *testing.F) {
	p := newPlatform(f)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "daemon"})
	f.Add(secretForm(d, vaultScope).Encode(), "")
	f.Add("grant_type=client_credentials&scope=%2F.default", "Basic YTpi")
	f.Fuzz(func(t *testing.T, body, authorization string) {
		a := p.on(t).send(p.mux, "POST", "https://"+publicLogin+"/"+d.TenantID+"/oauth2/v2.0/token", "application/x-www-form-urlencoded", body, "Authorization", authorization)
		form, _ := url.ParseQuery(body)
		_, encoded, _ := strings.Cut(authorization, " ")
		basic, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		known := form.Get("client_secret") == d.secret || strings.Contains(string(basic), d.secret)
		if a.status >= 500 || a.status == 200 && !known {
			t.Errorf("%q, %q: %d %s", body, authorization, a.status, a.raw)
		}
	})
}

func FuzzAssertion(f *testing.F) {
	p := newPlatform(f)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "daemon"})
	key := newKeyPair(f, start.Add(-time.Hour), start.Add(time.Hour))
	if _, err := p.dir.AddCertificate(f.Context(), d.TenantID, d.ObjectID, key.der, directory.CredentialSpec{}); err != nil {
		f.Fatal(err)
	}
	x5t, _, _, leaf := key.thumbs()
	path := "/" + d.TenantID + "/oauth2/v2.0/token"
	good := key.assertion(f, header{"alg": "RS256", "x5t": x5t}, map[string]any{
		"aud": "https://" + publicLogin + path, "iss": d.AppID, "sub": d.AppID, "exp": start.Add(10 * time.Minute).Unix(),
	})
	f.Add(good)
	f.Add(key.assertion(f, header{"alg": "PS256", "x5c": []string{leaf}, "kid": "a"}, map[string]any{"aud": []string{"a"}}))
	f.Fuzz(func(t *testing.T, assertion string) {
		a := p.on(t).post(publicLogin, path, assertionForm(d.AppID, assertion))
		if a.status >= 500 || (a.status == 200) != (strings.TrimSpace(assertion) == good) {
			t.Errorf("%q: %d %s", assertion, a.status, a.raw)
		}
	})
}
