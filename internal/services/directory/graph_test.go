package directory_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

const graphScope = "https://graph.microsoft.com/.default"

// provisioning follows what "az ad sp create-for-rbac" and provisioning code do.
func TestGraph_Provisioning(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	admin := p.token(p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "admin", Administrator: true}), graphScope)

	a := p.graph(admin, "GET", "/v1.0/applications?$filter="+url.QueryEscape("startswith(displayName,'sp1')"), nil)
	if list, _ := a.body["value"].([]any); a.status != 200 || list == nil || len(list) != 0 {
		t.Fatalf("list before: %d %s", a.status, a.raw)
	}
	a = p.graph(admin, "POST", "/v1.0/applications", map[string]any{"displayName": "sp1", "keyCredentials": []any{}, "identifierUris": []string{"api://sp1"}})
	id, _ := a.body["id"].(string)
	appID, _ := a.body["appId"].(string)
	if keys, ok := a.body["keyCredentials"].([]any); a.status != 201 || id == "" || appID == "" || id == appID || !ok || len(keys) != 0 || a.body["passwordCredentials"] == nil {
		t.Fatalf("create application: %d %s", a.status, a.raw)
	}
	a = p.graph(admin, "POST", "/v1.0/applications/"+id+"/addPassword", map[string]any{"passwordCredential": map[string]any{
		"displayName": "rbac", "startDateTime": start.Format(time.RFC3339), "endDateTime": start.Add(time.Hour).Format(time.RFC3339),
	}})
	secret, _ := a.body["secretText"].(string)
	keyID, _ := a.body["keyId"].(string)
	if a.status != 200 || secret == "" || !strings.HasPrefix(secret, a.body["hint"].(string)) || a.body["endDateTime"] != "2026-03-01T13:00:00Z" {
		t.Fatalf("addPassword: %d %s", a.status, a.raw)
	}
	d := daemon{Application: &directory.Application{TenantID: contoso.ID, AppID: appID}, secret: secret}
	path := "/" + contoso.ID + "/oauth2/v2.0/token"
	wantAADSTS(t, "before the service principal", p.post(publicLogin, path, secretForm(d, vaultScope)), 400, 7000229, "unauthorized_client")
	a = p.graph(admin, "POST", "/v1.0/servicePrincipals", map[string]any{"appId": appID, "accountEnabled": true})
	spID, _ := a.body["id"].(string)
	if names, _ := a.body["servicePrincipalNames"].([]any); a.status != 201 || spID == "" || len(names) != 2 || names[0] != appID || names[1] != "api://sp1" ||
		a.body["servicePrincipalType"] != "Application" || a.body["appOwnerOrganizationId"] != contoso.ID {
		t.Fatalf("create service principal: %d %s", a.status, a.raw)
	}
	if a := p.graph(admin, "POST", "/v1.0/servicePrincipals", map[string]any{"appId": appID}); a.status != 409 {
		t.Errorf("second service principal: %d %s", a.status, a.raw)
	}
	for _, filter := range []string{"appId eq '" + appID + "'", "displayName eq 'SP1'", "servicePrincipalNames/any(c:c eq 'api://sp1')", "servicePrincipalNames/any(x: x eq '" + appID + "') and displayName eq 'sp1'"} {
		a := p.graph(admin, "GET", "/v1.0/servicePrincipals?$filter="+url.QueryEscape(filter)+"&$select=id", nil)
		list, _ := a.body["value"].([]any)
		if len(list) != 1 || len(list[0].(map[string]any)) != 1 || list[0].(map[string]any)["id"] != spID {
			t.Errorf("%s: %d %s", filter, a.status, a.raw)
		}
	}
	p.token(d, vaultScope)

	// A certificate by PATCH; the secret away; both at once effective.
	key := newKeyPair(t, start.Add(-time.Hour), start.Add(time.Hour))
	a = p.graph(admin, "PATCH", "/v1.0/applications/"+id, map[string]any{"keyCredentials": []any{map[string]any{
		"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.StdEncoding.EncodeToString(key.der), "displayName": "CN=daemon",
	}}})
	if a.status != 204 {
		t.Fatalf("PATCH keyCredentials: %d %s", a.status, a.raw)
	}
	if a = p.graph(admin, "POST", "/v1.0/applications/"+id+"/removePassword", map[string]string{"keyId": keyID}); a.status != 204 {
		t.Fatalf("removePassword: %d %s", a.status, a.raw)
	}
	wantAADSTS(t, "removed secret", p.post(publicLogin, path, secretForm(d, vaultScope)), 401, 7000215, "invalid_client")
	x5t, _, _, _ := key.thumbs()
	form := assertionForm(appID, key.assertion(t, header{"alg": "RS256", "x5t": x5t}, map[string]any{
		"aud": "https://" + publicLogin + path, "iss": appID, "sub": appID, "exp": start.Add(10 * time.Minute).Unix(),
	}))
	if a := p.post(publicLogin, path, form); a.status != 200 {
		t.Errorf("certificate: %d %s", a.status, a.raw)
	}
	a = p.graph(admin, "GET", "/v1.0/applications/"+id, nil)
	keys, _ := a.body["keyCredentials"].([]any)
	if len(keys) != 1 || keys[0].(map[string]any)["displayName"] != "CN=daemon" || len(a.body["passwordCredentials"].([]any)) != 0 || strings.Contains(a.raw, secret) {
		t.Errorf("application after: %d %s", a.status, a.raw)
	}
	if a := p.graph(admin, "PATCH", "/v1.0/servicePrincipals/"+spID, map[string]any{"accountEnabled": false}); a.status != 204 {
		t.Errorf("disable: %d %s", a.status, a.raw)
	}
	wantAADSTS(t, "disabled", p.post(publicLogin, path, form), 400, 7000112, "unauthorized_client")
	if a := p.graph(admin, "DELETE", "/v1.0/applications/"+id, nil); a.status != 204 {
		t.Errorf("delete: %d %s", a.status, a.raw)
	}
	for _, gone := range []string{"/v1.0/applications/" + id, "/v1.0/servicePrincipals/" + spID} {
		if a := p.graph(admin, "GET", gone, nil); a.status != 404 || a.body["error"].(map[string]any)["code"] != "Request_ResourceNotFound" {
			t.Errorf("%s after deletion: %d %s", gone, a.status, a.raw)
		}
	}
	wantAADSTS(t, "deleted", p.post(publicLogin, path, form), 400, 700016, "unauthorized_client")
	// The URI is free again.
	if a := p.graph(admin, "POST", "/v1.0/applications", map[string]any{"displayName": "sp2", "identifierUris": []string{"api://sp1"}}); a.status != 201 {
		t.Errorf("URI of the deleted application: %d %s", a.status, a.raw)
	}
}

func TestGraph_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	admin := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "admin", Administrator: true})
	plain := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "plain", IdentifierURIs: []string{"api://taken"}})
	foreign := p.app(directory.AppSpec{TenantID: fabrikam.ID, DisplayName: "foreign admin", Administrator: true})
	token := p.token(admin, graphScope)
	identity := directory.SP{TenantID: contoso.ID, ObjectID: "11111111-0000-4000-8000-000000000001", AppID: "11111111-0000-4000-8000-000000000002", Kind: authn.ManagedIdentity}
	if err := p.dir.EnsureServicePrincipal(t.Context(), identity); err != nil {
		t.Fatal(err)
	}
	apps := "/v1.0/applications"
	for _, tt := range []struct {
		name, token, method, path string
		body                      any
		status                    int
		code                      string
	}{
		{"no token", "", "GET", apps, nil, 401, "InvalidAuthenticationToken"},
		{"garbage", "x", "GET", apps, nil, 401, "InvalidAuthenticationToken"},
		{"vault's token", p.token(admin, vaultScope), "GET", apps, nil, 401, "InvalidAuthenticationToken"},
		{"not an administrator", p.token(plain, graphScope), "GET", apps, nil, 403, "Authorization_RequestDenied"},
		{"not an administrator, writing", p.token(plain, graphScope), "POST", apps, map[string]any{"displayName": "x"}, 403, "Authorization_RequestDenied"},
		{"another tenant's administrator", p.token(foreign, graphScope), "GET", apps + "/" + plain.ObjectID, nil, 404, "Request_ResourceNotFound"},
		{"another tenant's administrator, deleting", p.token(foreign, graphScope), "DELETE", apps + "/" + plain.ObjectID, nil, 404, "Request_ResourceNotFound"},
		{"another tenant's single-tenant application", p.token(foreign, graphScope), "POST", "/v1.0/servicePrincipals", map[string]any{"appId": plain.AppID}, 400, "Request_BadRequest"},
		{"no display name", token, "POST", apps, map[string]any{}, 400, "Request_BadRequest"},
		{"taken URI", token, "POST", apps, map[string]any{"displayName": "x", "identifierUris": []string{"API://taken"}}, 409, "Request_MultipleObjectsWithSameKeyValue"},
		{"URI twice", token, "POST", apps, map[string]any{"displayName": "x", "identifierUris": []string{"api://a", "api://A"}}, 400, "Request_BadRequest"},
		{"URI not absolute", token, "POST", apps, map[string]any{"displayName": "x", "identifierUris": []string{"a"}}, 400, "Request_BadRequest"},
		{"unknown audience", token, "POST", apps, map[string]any{"displayName": "x", "signInAudience": "Everyone"}, 400, "Request_BadRequest"},
		{"own secret text", token, "POST", apps, map[string]any{"displayName": "x", "passwordCredentials": []any{map[string]any{"secretText": "mine"}}}, 400, "Request_BadRequest"},
		{"bad certificate", token, "PATCH", apps + "/" + plain.ObjectID, map[string]any{"keyCredentials": []any{map[string]any{"key": "aGVsbG8="}}}, 400, "Request_BadRequest"},
		{"secret by PATCH", token, "PATCH", apps + "/" + plain.ObjectID, map[string]any{"passwordCredentials": []any{map[string]any{"displayName": "x"}}}, 400, "Request_BadRequest"},
		{"roles", token, "PATCH", apps + "/" + plain.ObjectID, map[string]any{"appRoles": []any{map[string]any{}}}, 400, "Request_BadRequest"},
		{"unknown application", token, "GET", apps + "/99999999-0000-4000-8000-000000000000", nil, 404, "Request_ResourceNotFound"},
		{"long id", token, "GET", apps + "/" + strings.Repeat("x", 3000), nil, 404, "Request_ResourceNotFound"},
		{"client id as object id", token, "GET", apps + "/" + plain.AppID, nil, 404, "Request_ResourceNotFound"},
		{"unknown key", token, "POST", apps + "/" + plain.ObjectID + "/removePassword", map[string]any{"keyId": "x"}, 400, "Request_BadRequest"},
		{"end before start", token, "POST", apps + "/" + plain.ObjectID + "/addPassword", map[string]any{"passwordCredential": map[string]any{"endDateTime": "2020-01-01T00:00:00Z"}}, 400, "Request_BadRequest"},
		{"managed identity", token, "DELETE", "/v1.0/servicePrincipals/" + identity.ObjectID, nil, 403, "Authorization_RequestDenied"},
		{"filter", token, "GET", apps + "?$filter=" + url.QueryEscape("displayName ne 'x'"), nil, 400, "BadRequest"},
		{"filter on another property", token, "GET", apps + "?$filter=" + url.QueryEscape("notes eq 'x'"), nil, 400, "Request_UnsupportedQuery"},
		{"filter on another property, nothing there", token, "GET", "/v1.0/users?$filter=" + url.QueryEscape("displayName eq 'x' and notes eq 'x'"), nil, 400, "Request_UnsupportedQuery"},
		{"orderby", token, "GET", apps + "?$orderby=displayName", nil, 400, "Request_UnsupportedQuery"},
		{"beta", token, "GET", "/beta/users", nil, 400, "BadRequest"},
		{"unknown segment", token, "GET", "/v1.0/devices", nil, 400, "BadRequest"},
	} {
		a := p.graph(tt.token, tt.method, tt.path, tt.body)
		fault, _ := a.body["error"].(map[string]any)
		if a.status != tt.status || fault["code"] != tt.code || fault["innerError"] == nil {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, a.status, a.raw, tt.status, tt.code)
		}
	}
	if err := p.dir.RemoveServicePrincipal(t.Context(), contoso.ID, admin.sp.ObjectID); err != nil {
		t.Fatal(err)
	}
	if a := p.graph(token, "GET", apps, nil); a.status != 401 || a.body["error"].(map[string]any)["code"] != "Authorization_IdentityNotFound" {
		t.Errorf("token of a principal that is gone: %d %s", a.status, a.raw)
	}
}

func TestGraph_Paging(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	admin := p.token(p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "admin", Administrator: true}), graphScope)
	want := map[string]bool{}
	for i := range 7 {
		app := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "paged " + num(i)})
		want[app.ObjectID] = true
	}
	next := "/v1.0/applications?$top=3&$filter=" + url.QueryEscape("startswith(displayName,'paged')")
	pages := 0
	for next != "" && pages < 10 {
		a := p.graph(admin, "GET", strings.TrimPrefix(next, "https://"+graphHost), nil)
		list, _ := a.body["value"].([]any)
		if a.status != 200 || len(list) == 0 || len(list) > 3 {
			t.Fatalf("page %d: %d %s", pages, a.status, a.raw)
		}
		for _, v := range list {
			id := v.(map[string]any)["id"].(string)
			if !want[id] {
				t.Errorf("%s twice or never asked for", id)
			}
			delete(want, id)
		}
		next, _ = a.body["@odata.nextLink"].(string)
		pages++
	}
	if pages != 3 || len(want) != 0 {
		t.Errorf("%d pages, missing %v", pages, want)
	}
}
