package directory_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

const vaultScope = "https://vault.azure.net/.default"

func TestToken_V2(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	d := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon"})
	for _, tt := range []struct{ host, tenant, issuer string }{
		{publicLogin, contoso.ID, "https://sts.windows.net/" + contoso.ID + "/"},
		{publicLogin, strings.ToUpper(contoso.ID), "https://sts.windows.net/" + contoso.ID + "/"},
		{"login.windows.net", "contoso.onmicrosoft.com", "https://sts.windows.net/" + contoso.ID + "/"},
		{publicLogin, "common", "https://sts.windows.net/" + contoso.ID + "/"},
		{publicLogin, "organizations", "https://sts.windows.net/" + contoso.ID + "/"},
		{ownLogin, contoso.ID, "https://" + ownLogin + "/" + contoso.ID + "/"},
		{ownLogin, "adfs", "https://" + ownLogin + "/" + contoso.ID + "/"},
	} {
		form := secretForm(d, vaultScope+" openid offline_access profile")
		form.Set("claims", `{"access_token":{"xms_cc":{"values":["cp1"]}}}`)
		a := p.post(tt.host, "/"+tt.tenant+"/oauth2/v2.0/token?client-request-id=8d8c3d3c-0000-4000-8000-000000000000", form)
		raw, _ := a.body["access_token"].(string)
		delete(a.body, "access_token")
		want := map[string]any{"token_type": "Bearer", "expires_in": 3599.0, "ext_expires_in": 3599.0}
		if diff := cmp.Diff(want, a.body); a.status != 200 || diff != "" {
			t.Errorf("%s/%s: %d, -want +got\n%s", tt.host, tt.tenant, a.status, diff)
			continue
		}
		claims := p.verifiedClaims(raw, "https://"+tt.host+"/"+tt.tenant+"/discovery/v2.0/keys")
		for _, opaque := range []string{"uti", "aio", "rh"} {
			delete(claims, opaque)
		}
		wantClaims := map[string]any{
			"aud": "https://vault.azure.net", "iss": tt.issuer, "idp": tt.issuer, "ver": "1.0", "tid": contoso.ID, "oid": d.sp.ObjectID,
			"sub": d.sp.ObjectID, "appid": d.AppID, "appidacr": "1", "idtyp": "app", "app_displayname": "daemon", "xms_cc": []any{"CP1"},
			"iat": float64(start.Unix() - 300), "nbf": float64(start.Unix() - 300), "exp": float64(start.Unix() + 3600),
		}
		if diff := cmp.Diff(wantClaims, claims); diff != "" {
			t.Errorf("%s/%s: claims -want +got\n%s", tt.host, tt.tenant, diff)
		}
		if got, err := p.tokens.Verify(t.Context(), raw); err != nil || got.ObjectID != d.sp.ObjectID || got.Kind != authn.ServicePrincipal {
			t.Errorf("%s/%s: verified as %+v, %v", tt.host, tt.tenant, got, err)
		}
	}
	if p.audit.allowedBy != "client secret "+d.keyID || p.audit.resource != "daemon -> https://vault.azure.net" || p.audit.principal.ObjectID != d.sp.ObjectID {
		t.Errorf("audit has %q, %q, %+v", p.audit.allowedBy, p.audit.resource, p.audit.principal)
	}
}

func TestToken_V1(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "daemon"})
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {"https://management.core.windows.net/"}}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(d.AppID)+":"+url.QueryEscape(d.secret)))
	a := p.post(publicLogin, "/contoso.onmicrosoft.com/oauth2/token", form, "Authorization", basic,
		"client-request-id", "8d8c3d3c-0000-4000-8000-000000000000", "return-client-request-id", "true")
	raw, _ := a.body["access_token"].(string)
	delete(a.body, "access_token")
	want := map[string]any{
		"token_type": "Bearer", "expires_in": "3599", "ext_expires_in": "3599", "expires_on": fmt.Sprint(start.Unix() + 3600),
		"not_before": fmt.Sprint(start.Unix() - 300), "resource": "https://management.core.windows.net/",
	}
	if diff := cmp.Diff(want, a.body); a.status != 200 || diff != "" {
		t.Fatalf("%d, -want +got\n%s", a.status, diff)
	}
	if got := a.header.Get("client-request-id"); got != "8d8c3d3c-0000-4000-8000-000000000000" {
		t.Errorf("client-request-id %q is not echoed", got)
	}
	if claims := p.verifiedClaims(raw, "https://"+publicLogin+"/common/discovery/keys"); claims["aud"] != "https://management.core.windows.net/" || claims["ver"] != "1.0" {
		t.Errorf("claims %v", claims)
	}
}

// TestToken_Audience: what a resource may be called, and what the token then says.
func TestToken_Audience(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	d := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon"})
	v1 := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "v1 api", IdentifierURIs: []string{"api://v1", "https://api.contoso.com/Orders"}})
	v2 := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "v2 api", IdentifierURIs: []string{"api://v2"}, TokenVersion: 2})
	foreign := p.app(directory.AppSpec{TenantID: fabrikam.ID, DisplayName: "foreign api", IdentifierURIs: []string{"api://foreign"}, SignInAudience: "AzureADMultipleOrgs"})
	known := p.app(directory.AppSpec{TenantID: fabrikam.ID, DisplayName: "known api", IdentifierURIs: []string{"api://known"}, SignInAudience: "AzureADMultipleOrgs"})
	if _, err := p.dir.CreateServicePrincipal(t.Context(), contoso.ID, known.AppID); err != nil {
		t.Fatal(err)
	}
	for resource, want := range map[string]string{ // "" = AADSTS500011
		"https://management.core.windows.net/":           "https://management.core.windows.net/",
		"https://management.core.windows.net":            "https://management.core.windows.net",
		"https://management.azure.com":                   "https://management.azure.com",
		"https://management.azure.com/":                  "https://management.azure.com/",
		"https://management.bulkhead.localhost:8443":     "https://management.bulkhead.localhost:8443",
		"https://management.bulkhead.localhost:8443/":    "https://management.bulkhead.localhost:8443/",
		"https://management.bulkhead.localhost":          "https://management.bulkhead.localhost",
		"797f4846-ba00-4fd7-ba43-dac1f8f63013":           "797f4846-ba00-4fd7-ba43-dac1f8f63013",
		"https://vault.azure.net":                        "https://vault.azure.net",
		"https://vault.bulkhead.localhost:8443":          "https://vault.bulkhead.localhost:8443",
		"cfa8b339-82a2-471a-a3c9-0fc0be7a4093":           "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
		"https://graph.microsoft.com/":                   "https://graph.microsoft.com/",
		"https://cosmos.azure.com":                       "https://cosmos.azure.com",
		"https://acc1.documents.azure.com":               "https://acc1.documents.azure.com",
		"https://acc1.documents.bulkhead.localhost:8443": "https://acc1.documents.bulkhead.localhost:8443",
		"api://v1":                       "api://v1",
		"API://V1":                       "API://V1",
		"https://api.contoso.com/orders": "https://api.contoso.com/orders",
		v1.AppID:                         v1.AppID,
		"spn:" + v1.AppID:                "spn:" + v1.AppID,
		"api://v2":                       v2.AppID,
		v2.AppID:                         v2.AppID,
		"api://known":                    "api://known",
		"api://foreign":                  "",
		foreign.AppID:                    "",
		"https://kv1.vault.azure.net":    "", // a vault is not an audience, the service is
		"http://vault.azure.net":         "",
		"https://vault.azure.net/x":      "",
		"https://vault.azure.net.evil":   "",
		"https://evil.vault.localhost":   "",
		"api://nothing":                  "",
		strings.Repeat("x", 5000):        "",
	} {
		for _, path := range []string{"/oauth2/token", "/oauth2/v2.0/token"} {
			form := secretForm(d, resource+"/.default")
			if path == "/oauth2/token" {
				form.Del("scope")
				form.Set("resource", resource)
			}
			a := p.post(publicLogin, "/"+contoso.ID+path, form)
			if want == "" {
				wantAADSTS(t, resource, a, 400, 500011, "invalid_resource")
				continue
			}
			raw, _ := a.body["access_token"].(string)
			if a.status != 200 {
				t.Errorf("%s %s: %d %s", path, resource, a.status, a.raw)
				continue
			}
			claims := p.verifiedClaims(raw, "https://"+publicLogin+"/common/discovery/keys")
			version := "1.0"
			if want == v2.AppID {
				version = "2.0"
			}
			if claims["aud"] != want || claims["ver"] != version {
				t.Errorf("%s %s: aud %v ver %v, want %s %s", path, resource, claims["aud"], claims["ver"], want, version)
			}
			if version == "2.0" && (claims["azp"] != d.AppID || claims["azpacr"] != "1" || claims["appid"] != nil ||
				claims["iss"] != "https://login.microsoftonline.com/"+contoso.ID+"/v2.0") {
				t.Errorf("%s: version 2 claims %v", resource, claims)
			}
		}
	}
}

func TestToken_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	d := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon"})
	bare, _, err := p.dir.CreateApplication(t.Context(), directory.AppSpec{TenantID: contoso.ID, DisplayName: "without principal"})
	if err != nil {
		t.Fatal(err)
	}
	other := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "other"})
	identity := directory.SP{
		TenantID: contoso.ID, ObjectID: "11111111-0000-4000-8000-000000000001", AppID: "11111111-0000-4000-8000-000000000002",
		DisplayName: "site", Kind: authn.ManagedIdentity, ResourceID: "/subscriptions/s/x",
	}
	if err := p.dir.EnsureServicePrincipal(t.Context(), identity); err != nil {
		t.Fatal(err)
	}
	_, expired, err := p.dir.AddSecret(t.Context(), d.TenantID, d.ObjectID, directory.CredentialSpec{Start: start.Add(-time.Hour), End: start})
	if err != nil {
		t.Fatal(err)
	}
	_, future, err := p.dir.AddSecret(t.Context(), d.TenantID, d.ObjectID, directory.CredentialSpec{Start: start.Add(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	set := func(pairs ...string) url.Values {
		form := secretForm(d, vaultScope)
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] == "-" {
				form.Del(pairs[i])
			} else {
				form.Set(pairs[i], pairs[i+1])
			}
		}
		return form
	}
	v2 := "/" + contoso.ID + "/oauth2/v2.0/token"
	for _, tt := range []struct {
		name, path   string
		form         url.Values
		status, code int
		oauth        string
	}{
		{"no grant type", v2, set("grant_type", "-"), 400, 900144, "invalid_request"},
		{"no client id", v2, set("client_id", "-"), 400, 900144, "invalid_request"},
		{"no client id at common", "/common/oauth2/v2.0/token", set("client_id", "-"), 400, 900144, "invalid_request"},
		{"no scope", v2, set("scope", "-"), 400, 900144, "invalid_request"},
		{"no resource", "/" + contoso.ID + "/oauth2/token", set("scope", "-"), 400, 900144, "invalid_request"},
		{"no credential", v2, set("client_secret", "-"), 401, 7000218, "invalid_client"},
		{"empty secret", v2, set("client_secret", ""), 401, 7000218, "invalid_client"},
		{"wrong secret", v2, set("client_secret", "wrong"), 401, 7000215, "invalid_client"},
		{"key id as secret", v2, set("client_secret", d.keyID), 401, 7000215, "invalid_client"},
		{"secret of another app", v2, set("client_secret", other.secret), 401, 7000215, "invalid_client"},
		{"secret with a blank", v2, set("client_secret", d.secret+" "), 401, 7000215, "invalid_client"},
		{"expired secret", v2, set("client_secret", expired), 401, 7000222, "invalid_client"},
		{"secret not yet valid", v2, set("client_secret", future), 401, 7000215, "invalid_client"},
		{"unknown client", v2, set("client_id", "99999999-0000-4000-8000-000000000000"), 400, 700016, "unauthorized_client"},
		{"unknown client at common", "/common/oauth2/v2.0/token", set("client_id", "99999999-0000-4000-8000-000000000000"), 400, 700016, "unauthorized_client"},
		{"client of another tenant", "/" + fabrikam.ID + "/oauth2/v2.0/token", set(), 400, 700016, "unauthorized_client"},
		{"object id as client id", v2, set("client_id", d.ObjectID), 400, 700016, "unauthorized_client"},
		{"odd client id", v2, set("client_id", "x\r\ny"+strings.Repeat("z", 2000)), 400, 700016, "unauthorized_client"},
		{"managed identity as client", v2, set("client_id", identity.AppID), 400, 700016, "unauthorized_client"},
		{"no service principal", v2, set("client_id", bare.AppID), 400, 7000229, "unauthorized_client"},
		{"unknown tenant", "/99999999-0000-4000-8000-000000000000/oauth2/v2.0/token", set(), 400, 90002, "invalid_request"},
		{"unknown domain", "/nobody.onmicrosoft.com/oauth2/v2.0/token", set(), 400, 90002, "invalid_request"},
		{"no tenant at all", "/%20/oauth2/v2.0/token", set(), 400, 900023, "invalid_request"},
		{"consumers", "/consumers/oauth2/v2.0/token", set(), 400, 900023, "invalid_request"},
		{"scope without suffix", v2, set("scope", "https://vault.azure.net"), 400, 1002012, "invalid_scope"},
		{"scope of a permission", v2, set("scope", "https://graph.microsoft.com/User.Read"), 400, 1002012, "invalid_scope"},
		{"only suffix", v2, set("scope", "/.default"), 400, 1002012, "invalid_scope"},
		{"two resources", v2, set("scope", vaultScope+" https://graph.microsoft.com/.default"), 400, 28000, "invalid_request"},
		{"only standard scopes", v2, set("scope", "openid profile"), 400, 70011, "invalid_scope"},
		{"resource at version 2", v2, set("scope", "-", "resource", "https://vault.azure.net"), 400, 901002, "invalid_request"},
		{"password grant", v2, set("grant_type", "password"), 400, 70003, "unsupported_grant_type"},
		{"unknown grant", v2, set("grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer"), 400, 70003, "unsupported_grant_type"},
		{"claims not JSON", v2, set("claims", "{"), 400, 9002313, "invalid_request"},
		{"two credentials", v2, set("client_assertion", "a.b.c", "client_assertion_type", assertionType), 400, 9002313, "invalid_request"},
		{"secret twice", v2, url.Values{"grant_type": {"client_credentials"}, "client_id": {d.AppID}, "client_secret": {d.secret, "x"}, "scope": {vaultScope}}, 400, 9002313, "invalid_request"},
	} {
		a := p.post(publicLogin, tt.path, tt.form)
		wantAADSTS(t, tt.name, a, tt.status, tt.code, tt.oauth)
		if strings.Contains(a.raw, d.secret) || strings.Contains(a.raw, expired) {
			t.Errorf("%s: the error repeats a secret", tt.name)
		}
	}
	body := secretForm(d, vaultScope).Encode()
	target := "https://" + publicLogin + v2
	wantAADSTS(t, "JSON body", p.send(p.mux, "POST", target, "application/json", `{"a":1}`), 400, 9002313, "invalid_request")
	wantAADSTS(t, "bad escape", p.send(p.mux, "POST", target, "application/x-www-form-urlencoded", "grant_type=%zz"), 400, 9002313, "invalid_request")
	wantAADSTS(t, "empty body", p.send(p.mux, "POST", target, "", ""), 400, 900144, "invalid_request")
	form := secretForm(d, vaultScope)
	wantAADSTS(t, "Basic and form", p.post(publicLogin, v2, form, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(d.AppID+":"+d.secret))), 400, 9002313, "invalid_request")
	form.Del("client_secret")
	wantAADSTS(t, "Basic of another client", p.post(publicLogin, v2, form, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(other.AppID+":"+other.secret))), 400, 9002313, "invalid_request")
	wantAADSTS(t, "broken Basic", p.post(publicLogin, v2, form, "Authorization", "Basic ***"), 400, 9002313, "invalid_request")
	if a := p.send(p.mux, "GET", target+"?"+body, "", ""); a.status != 405 {
		t.Errorf("GET: %d %s", a.status, a.raw)
	}
	if a := p.send(p.mux, "POST", target+"?"+body, "application/x-www-form-urlencoded", "x=y"); a.status != 400 {
		t.Errorf("credentials in the query: %d %s", a.status, a.raw)
	}
	if a := p.send(p.mux, "POST", target, "application/x-www-form-urlencoded", body+"&x="+strings.Repeat("y", 200_000)); a.status != 413 {
		t.Errorf("huge body: %d", a.status)
	}
	if a := p.post(publicLogin, v2, set()); a.status != 200 {
		t.Errorf("the good request after all these: %d %s", a.status, a.raw)
	}
}

// TestToken_Revocation: whatever was taken away is refused at the very next request.
func TestToken_Revocation(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	d := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon", SignInAudience: "AzureADMultipleOrgs"})
	abroad, err := p.dir.CreateServicePrincipal(t.Context(), fabrikam.ID, d.AppID)
	if err != nil {
		t.Fatal(err)
	}
	home, away := "/"+contoso.ID+"/oauth2/v2.0/token", "/"+fabrikam.ID+"/oauth2/v2.0/token"
	form := secretForm(d, vaultScope)
	signIn := func(path string) answer { return p.post(publicLogin, path, form) }
	for path, oid := range map[string]string{home: d.sp.ObjectID, away: abroad.ObjectID} {
		a := signIn(path)
		raw, _ := a.body["access_token"].(string)
		if got, err := p.tokens.Verify(t.Context(), raw); err != nil || got.ObjectID != oid || !strings.Contains(path, got.TenantID) {
			t.Fatalf("%s: %+v, %v", path, got, err)
		}
	}
	// Rotation: the new secret works, then the old one is gone.
	_, fresh, err := p.dir.AddSecret(t.Context(), d.TenantID, d.ObjectID, directory.CredentialSpec{})
	if err != nil {
		t.Fatal(err)
	}
	if a := signIn(home); a.status != 200 {
		t.Errorf("old secret beside the new: %d", a.status)
	}
	if err := p.dir.RemoveCredential(t.Context(), d.TenantID, d.ObjectID, d.keyID); err != nil {
		t.Fatal(err)
	}
	wantAADSTS(t, "removed secret", signIn(home), 401, 7000215, "invalid_client")
	wantAADSTS(t, "removed secret abroad", signIn(away), 401, 7000215, "invalid_client")
	form.Set("client_secret", fresh)
	if a := signIn(away); a.status != 200 {
		t.Errorf("new secret: %d %s", a.status, a.raw)
	}
	if err := p.dir.RemoveServicePrincipal(t.Context(), fabrikam.ID, abroad.ObjectID); err != nil {
		t.Fatal(err)
	}
	wantAADSTS(t, "service principal removed", signIn(away), 400, 700016, "unauthorized_client")
	if a := signIn(home); a.status != 200 {
		t.Errorf("at home after that: %d", a.status)
	}
	if err := p.dir.DeleteApplication(t.Context(), d.TenantID, d.ObjectID); err != nil {
		t.Fatal(err)
	}
	wantAADSTS(t, "application removed", signIn(home), 400, 700016, "unauthorized_client")
	if sp, err := p.dir.FindPrincipal(t.Context(), d.sp.ObjectID); sp != nil || err != nil {
		t.Errorf("its service principal is still there: %+v, %v", sp, err)
	}
}

// TestSecrets_NotRecoverable looks for secrets in the whole store.
func TestSecrets_NotRecoverable(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "findable display name"})
	p.token(d, vaultScope)
	all := p.everything()
	if !bytes.Contains(all, []byte("findable display name")) {
		t.Error("the search does not find what is there")
	}
	if bytes.Contains(all, []byte(d.secret)) || bytes.Contains(all, []byte(d.secret[3:])) {
		t.Error("the secret is in the store in clear")
	}
	if len(d.secret) != 40 || d.secret[3:6] != "8Q~" {
		t.Errorf("secret of the form %q", d.secret[:6])
	}
}

func TestManagedIdentity(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	identity := directory.SP{
		TenantID: contoso.ID, ObjectID: "11111111-0000-4000-8000-000000000001", AppID: "11111111-0000-4000-8000-000000000002", DisplayName: "site",
		Kind: authn.ManagedIdentity, ResourceID: "/subscriptions/s/resourceGroups/G/providers/Microsoft.Web/sites/site",
	}
	for range 2 {
		if err := p.dir.EnsureServicePrincipal(t.Context(), identity); err != nil {
			t.Fatal(err)
		}
	}
	token, err := p.dir.IssueManagedIdentity(t.Context(), contoso.ID, identity.ObjectID, "https://vault.azure.net")
	if err != nil {
		t.Fatal(err)
	}
	if !token.Expires.Equal(start.Add(24 * time.Hour)) {
		t.Errorf("expires %v", token.Expires)
	}
	claims := p.verifiedClaims(token.Raw, "https://"+publicLogin+"/common/discovery/keys")
	if claims["xms_mirid"] != "/subscriptions/s/resourcegroups/G/providers/Microsoft.Web/sites/site" || claims["appidacr"] != "2" ||
		claims["idtyp"] != "app" || claims["ver"] != "1.0" || claims["oid"] != identity.ObjectID || claims["appid"] != identity.AppID {
		t.Errorf("claims %v", claims)
	}
	// Its resource is moved: tokens from then on name the new id.
	identity.ResourceID = "/subscriptions/s2/resourceGroups/H/providers/Microsoft.Web/sites/site"
	if err := p.dir.EnsureServicePrincipal(t.Context(), identity); err != nil {
		t.Fatal(err)
	}
	if token, err = p.dir.IssueManagedIdentity(t.Context(), contoso.ID, identity.ObjectID, "https://vault.azure.net"); err != nil {
		t.Fatal(err)
	}
	claims = p.verifiedClaims(token.Raw, "https://"+publicLogin+"/common/discovery/keys")
	if claims["xms_mirid"] != "/subscriptions/s2/resourcegroups/H/providers/Microsoft.Web/sites/site" || claims["oid"] != identity.ObjectID || claims["appid"] != identity.AppID {
		t.Errorf("claims after the move: %v", claims)
	}
	if _, err := p.dir.IssueManagedIdentity(t.Context(), contoso.ID, identity.ObjectID, "api://nothing"); err == nil || !strings.Contains(err.Error(), "AADSTS500011") {
		t.Errorf("unknown resource: %v", err)
	}
	twin := identity
	twin.ObjectID = "11111111-0000-4000-8000-000000000003"
	if err := p.dir.EnsureServicePrincipal(t.Context(), twin); err == nil {
		t.Error("two service principals with one client id")
	}
	for range 2 {
		if err := p.dir.RemoveServicePrincipal(t.Context(), contoso.ID, identity.ObjectID); err != nil {
			t.Fatal(err)
		}
	}
	if token, err := p.dir.IssueManagedIdentity(t.Context(), contoso.ID, identity.ObjectID, "https://vault.azure.net"); err == nil || token.Raw != "" {
		t.Error("a removed identity still gets tokens")
	}
	if err := p.dir.EnsureServicePrincipal(t.Context(), twin); err != nil {
		t.Errorf("the client id is not free again: %v", err)
	}
	d := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon"})
	if _, err := p.dir.IssueManagedIdentity(t.Context(), contoso.ID, d.sp.ObjectID, "https://vault.azure.net"); err == nil {
		t.Error("an application got a token without a credential")
	}
}

func BenchmarkTokenEndpoint(b *testing.B) {
	p := newPlatform(b)
	d := p.app(directory.AppSpec{TenantID: p.tenant("Contoso").ID, DisplayName: "daemon"})
	body := secretForm(d, vaultScope).Encode()
	target := "https://" + publicLogin + "/" + d.TenantID + "/oauth2/v2.0/token"
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		p.mux.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkBareSigner is the floor: what RS256 alone costs.
func BenchmarkBareSigner(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("token"))
	for b.Loop() {
		if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
			b.Fatal(err)
		}
	}
}
