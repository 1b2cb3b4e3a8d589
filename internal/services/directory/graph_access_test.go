package directory_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

const (
	readRole  = "55555555-0000-4000-8000-000000000001"
	writeRole = "55555555-0000-4000-8000-000000000002"
	scopeID   = "55555555-0000-4000-8000-000000000003"
)

// api makes an application with two roles and a scope.
func (a tester) api(tenant *directory.Tenant) daemon {
	a.t.Helper()
	d := a.app(directory.AppSpec{TenantID: tenant.ID, DisplayName: "api", IdentifierURIs: []string{"api://api"}})
	a.want(204, "PATCH", "/v1.0/applications/"+d.ObjectID, map[string]any{
		"appRoles": []any{
			map[string]any{"id": readRole, "value": "Data.Read", "displayName": "Read", "description": "d", "allowedMemberTypes": []string{"User", "Application"}, "isEnabled": true},
			map[string]any{"id": writeRole, "value": "Data.Write", "displayName": "Write", "description": "d", "allowedMemberTypes": []string{"User"}, "isEnabled": true},
		},
		"api": map[string]any{"oauth2PermissionScopes": []any{
			map[string]any{"id": scopeID, "value": "user_impersonation", "type": "User", "adminConsentDisplayName": "Use it", "isEnabled": true},
		}},
	})
	return d
}

func TestGraph_ApplicationProperties(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	d := a.api(contoso)
	path := "/v1.0/applications(appId='" + d.AppID + "')"
	a.want(204, "PATCH", path, map[string]any{
		"isFallbackPublicClient": true, "web": map[string]any{"redirectUris": []string{"https://localhost/cb"}, "implicitGrantSettings": map[string]any{"enableIdTokenIssuance": true}},
		"spa": map[string]any{"redirectUris": []string{"http://localhost:3000"}}, "publicClient": map[string]any{"redirectUris": []string{"msal1://auth", "http://localhost"}},
		"requiredResourceAccess": []any{map[string]any{"resourceAppId": d.AppID, "resourceAccess": []any{map[string]any{"id": scopeID, "type": "Scope"}}}},
		"optionalClaims":         map[string]any{"accessToken": []any{map[string]any{"name": "email"}}}, "groupMembershipClaims": "SecurityGroup", "tags": []string{"x"}, "notes": "n",
		"api": map[string]any{"requestedAccessTokenVersion": 2, "preAuthorizedApplications": []any{map[string]any{"appId": d.AppID, "delegatedPermissionIds": []string{scopeID}}}},
	})
	a.want(204, "PATCH", path, map[string]any{"web": map[string]any{"homePageUrl": "https://localhost"}}) // the rest of web stays
	got := a.want(200, "GET", path+"?$select=web,spa,publicClient,api,isFallbackPublicClient,requiredResourceAccess,optionalClaims,groupMembershipClaims,tags,notes", nil)
	delete(got, "@odata.context")
	want := map[string]any{
		"isFallbackPublicClient": true, "groupMembershipClaims": "SecurityGroup", "tags": []any{"x"}, "notes": "n",
		"web": map[string]any{
			"homePageUrl": "https://localhost", "logoutUrl": nil, "redirectUris": []any{"https://localhost/cb"},
			"implicitGrantSettings": map[string]any{"enableAccessTokenIssuance": false, "enableIdTokenIssuance": true},
		},
		"spa": map[string]any{"redirectUris": []any{"http://localhost:3000"}}, "publicClient": map[string]any{"redirectUris": []any{"msal1://auth", "http://localhost"}},
		"requiredResourceAccess": []any{map[string]any{"resourceAppId": d.AppID, "resourceAccess": []any{map[string]any{"id": scopeID, "type": "Scope"}}}},
		"optionalClaims":         map[string]any{"accessToken": []any{map[string]any{"name": "email"}}},
		"api": map[string]any{
			"requestedAccessTokenVersion": 2.0, "acceptMappedClaims": nil, "knownClientApplications": []any{},
			"preAuthorizedApplications": []any{map[string]any{"appId": d.AppID, "delegatedPermissionIds": []any{scopeID}}},
			"oauth2PermissionScopes": []any{map[string]any{
				"id": scopeID, "value": "user_impersonation", "type": "User", "adminConsentDisplayName": "Use it", "adminConsentDescription": nil,
				"userConsentDisplayName": nil, "userConsentDescription": nil, "isEnabled": true,
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	role := func(changes map[string]any) map[string]any {
		r := map[string]any{"id": readRole, "value": "Data.Read", "displayName": "Read", "description": "d", "allowedMemberTypes": []string{"User"}}
		for k, v := range changes {
			r[k] = v
		}
		return map[string]any{"appRoles": []any{r, map[string]any{"id": writeRole, "value": "Data.Write", "displayName": "Write", "allowedMemberTypes": []string{"User"}}}}
	}
	redirect := func(kind, uri string) map[string]any {
		return map[string]any{kind: map[string]any{"redirectUris": []string{uri}}}
	}
	for name, body := range map[string]map[string]any{
		"enabled role taken away": {"appRoles": []any{}}, "role id": role(map[string]any{"id": "x"}), "role value": role(map[string]any{"value": "a b"}),
		"same value": role(map[string]any{"value": "Data.Write"}), "member type": role(map[string]any{"allowedMemberTypes": []string{"Dog"}}), "no name": role(map[string]any{"displayName": ""}),
		"enabled scope taken away": {"api": map[string]any{"oauth2PermissionScopes": []any{}}},
		"http":                     redirect("web", "http://example.com"), "fragment": redirect("web", "https://example.com/#x"), "wildcard": redirect("spa", "https://*.example.com"),
		"script": redirect("publicClient", "javascript:alert(1)"), "custom scheme on the web": redirect("web", "myapp://auth"), "relative": redirect("web", "/cb"),
		"twice":            {"web": map[string]any{"redirectUris": []string{"https://a", "https://a"}}},
		"required access":  {"requiredResourceAccess": []any{map[string]any{"resourceAppId": d.AppID, "resourceAccess": []any{map[string]any{"id": scopeID, "type": "Dog"}}}}},
		"pre-authorized":   {"api": map[string]any{"preAuthorizedApplications": []any{map[string]any{"appId": d.AppID, "delegatedPermissionIds": []string{readRole}}}}},
		"encrypted tokens": {"tokenEncryptionKeyId": scopeID},
	} {
		if got := a.graph(a.token, "PATCH", path, body); got.status != 400 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
	a.want(204, "PATCH", path, role(map[string]any{"isEnabled": false}))
	a.want(204, "PATCH", path, map[string]any{"appRoles": []any{map[string]any{"id": writeRole, "value": "Data.Write", "displayName": "Write", "allowedMemberTypes": []string{"User"}}}})
	a.want(400, "GET", "/v1.0/applications(uniqueName='x')", nil)
	a.want(404, "GET", "/v1.0/applications(appId='x')", nil)
	if sp := a.want(200, "GET", "/v1.0/servicePrincipals(appId='"+d.AppID+"')", nil); text(sp, "id") != d.sp.ObjectID || len(sp["oauth2PermissionScopes"].([]any)) != 1 {
		t.Errorf("service principal: %v", sp)
	}
}

func TestGraph_RoleAssignments(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	api := a.api(contoso)
	client := a.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "client"})
	alice, bob := a.user(contoso, "alice"), a.user(contoso, "bob")
	inner := a.group(contoso, "inner", alice.ObjectID)
	outer := a.group(contoso, "outer", inner.ObjectID, bob.ObjectID)
	body := func(principal, role string) map[string]any {
		return map[string]any{"principalId": principal, "resourceId": api.sp.ObjectID, "appRoleId": role}
	}
	values := func(step, principal string, wantAssigned bool, want ...string) {
		t.Helper()
		got, assigned, err := a.dir.RoleValues(t.Context(), contoso.ID, principal, api.sp.ObjectID)
		if err != nil || assigned != wantAssigned || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, %v, want %v, %v", step, got, assigned, err, want, wantAssigned)
		}
	}
	values("before", alice.ObjectID, false)
	made := a.want(201, "POST", "/v1.0/users/"+alice.ObjectID+"/appRoleAssignments", body(alice.ObjectID, readRole))
	if made["principalType"] != "User" || made["resourceDisplayName"] != "api" || made["principalDisplayName"] != "alice" {
		t.Errorf("assignment: %v", made)
	}
	a.want(201, "POST", "/v1.0/servicePrincipals/"+client.sp.ObjectID+"/appRoleAssignments", body(client.sp.ObjectID, readRole))
	a.want(201, "POST", "/v1.0/servicePrincipals/"+api.sp.ObjectID+"/appRoleAssignedTo", body(outer.ObjectID, writeRole))
	a.want(201, "POST", "/v1.0/groups/"+inner.ObjectID+"/appRoleAssignments", body(inner.ObjectID, "00000000-0000-0000-0000-000000000000"))
	values("own, and inner's without a role; not outer's", alice.ObjectID, true, "Data.Read")
	values("outer's", bob.ObjectID, true, "Data.Write")
	values("client", client.sp.ObjectID, true, "Data.Read")
	if got := ids(a.want(200, "GET", "/v1.0/servicePrincipals/"+api.sp.ObjectID+"/appRoleAssignedTo", nil)); len(got) != 4 {
		t.Errorf("appRoleAssignedTo: %v", got)
	}
	a.wantIDs("/v1.0/users/"+alice.ObjectID+"/appRoleAssignments", text(made, "id"))

	users, client1 := "/v1.0/users/"+alice.ObjectID+"/appRoleAssignments", "/v1.0/servicePrincipals/"+client.sp.ObjectID+"/appRoleAssignments"
	a.want(400, "POST", users, body(alice.ObjectID, readRole)) // twice
	a.want(400, "POST", users, body(bob.ObjectID, readRole))   // another's path
	a.want(400, "POST", users, body(alice.ObjectID, scopeID))
	a.want(400, "POST", client1, body(client.sp.ObjectID, writeRole)) // a role for users
	a.want(404, "POST", users, map[string]any{"principalId": alice.ObjectID, "resourceId": alice.ObjectID, "appRoleId": readRole})
	a.want(404, "DELETE", "/v1.0/users/"+bob.ObjectID+"/appRoleAssignments/"+text(made, "id"), nil)
	a.want(204, "DELETE", users+"/"+text(made, "id"), nil)
	values("taken away", alice.ObjectID, true)

	// A disabled role is in no token.
	a.want(204, "PATCH", "/v1.0/applications/"+api.ObjectID, map[string]any{"appRoles": []any{
		map[string]any{"id": readRole, "value": "Data.Read", "displayName": "Read", "allowedMemberTypes": []string{"Application"}, "isEnabled": false},
		map[string]any{"id": writeRole, "value": "Data.Write", "displayName": "Write", "allowedMemberTypes": []string{"User"}},
	}})
	values("disabled role", client.sp.ObjectID, true)
	a.want(204, "DELETE", "/v1.0/groups/"+outer.ObjectID, nil)
	values("deleted group", bob.ObjectID, false)
}

func TestGraph_Consent(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	api := a.api(contoso)
	client := a.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "client"})
	alice, bob := a.user(contoso, "alice"), a.user(contoso, "bob")
	scopes := func(step string, user *directory.User, want ...string) {
		t.Helper()
		got, err := a.dir.Consented(t.Context(), contoso.ID, client.sp.ObjectID, api.sp.ObjectID, user.ObjectID)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, want %v", step, got, err, want)
		}
	}
	const grants = "/v1.0/oauth2PermissionGrants"
	body := func(kind string, principal any, scope string) map[string]any {
		return map[string]any{"clientId": client.sp.ObjectID, "resourceId": api.sp.ObjectID, "consentType": kind, "principalId": principal, "scope": scope}
	}
	all := a.want(201, "POST", grants, body("AllPrincipals", nil, "user_impersonation"))
	own := a.want(201, "POST", grants, body("Principal", alice.ObjectID, " extra  more "))
	if all["principalId"] != nil || own["scope"] != "extra more" {
		t.Errorf("grants: %v %v", all, own)
	}
	scopes("both", alice, "user_impersonation", "extra", "more")
	scopes("all users'", bob, "user_impersonation")
	a.want(409, "POST", grants, body("AllPrincipals", nil, "x"))
	a.want(400, "POST", grants, body("AllPrincipals", alice.ObjectID, "x"))
	a.want(400, "POST", grants, body("Principal", nil, "x"))
	a.want(404, "POST", grants, body("Principal", client.sp.ObjectID, "x"))
	a.wantIDs(grants+"?$filter="+url.QueryEscape("clientId eq '"+client.sp.ObjectID+"' and consentType eq 'Principal'"), text(own, "id"))
	a.wantIDs("/v1.0/servicePrincipals/"+client.sp.ObjectID+"/oauth2PermissionGrants", text(own, "id"), text(all, "id"))
	if _, err := a.dir.GrantConsent(t.Context(), contoso.ID, directory.Consent{ClientID: client.sp.ObjectID, ResourceID: api.sp.ObjectID, UserID: bob.ObjectID, Scopes: []string{"extra"}}); err != nil {
		t.Error(err)
	}
	scopes("granted by a sign-in page", bob, "user_impersonation", "extra")
	a.want(204, "PATCH", grants+"/"+text(all, "id"), map[string]any{"scope": ""})
	scopes("changed", bob, "extra")
	a.want(204, "DELETE", "/v1.0/oAuth2PermissionGrants/"+text(own, "id"), nil) // as az spells it
	scopes("taken back", alice)
	a.want(404, "GET", grants+"/"+text(own, "id"), nil)
	a.want(204, "DELETE", "/v1.0/servicePrincipals/"+client.sp.ObjectID, nil)
	a.wantIDs(grants)
}

func TestGraph_FederatedCredentials(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	d := a.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon"})
	path := "/v1.0/applications/" + d.ObjectID + "/federatedIdentityCredentials"
	body := func(changes map[string]any) map[string]any {
		b := map[string]any{"name": "gh-main", "issuer": "https://token.example", "subject": "repo:o/r", "audiences": []string{"api://AzureADTokenExchange"}}
		for k, v := range changes {
			b[k] = v
		}
		return b
	}
	made := a.want(201, "POST", path, body(nil))
	a.wantIDs(path, text(made, "id"))
	for _, key := range []string{"/gh-main", "/" + text(made, "id"), "(name='gh-main')"} {
		if got := a.want(200, "GET", path+key, nil); got["subject"] != "repo:o/r" {
			t.Errorf("%s: %v", key, got)
		}
	}
	a.want(409, "POST", path, body(nil))
	a.want(409, "POST", path, body(map[string]any{"name": "other"}))
	a.want(409, "POST", path, body(map[string]any{"subject": "other"}))
	for name, change := range map[string]map[string]any{
		"name": {"name": "a"}, "issuer": {"issuer": "token.example"}, "subject": {"subject": ""}, "two audiences": {"audiences": []string{"a", "b"}},
		"expression": {"claimsMatchingExpression": map[string]any{"value": "x"}},
	} {
		change["subject"] = map[bool]any{true: "", false: "s"}[name == "subject"]
		if got := a.graph(a.token, "POST", path, body(change)); got.status != 400 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
	a.want(204, "PATCH", path+"/gh-main", map[string]any{"subject": "repo:o/r2", "description": "d"})
	app, err := a.dir.Application(t.Context(), contoso.ID, d.ObjectID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.dir.FederatedCredentials(t.Context(), app)
	want := []directory.Federated{{
		ID: text(made, "id"), Name: "gh-main", Issuer: "https://token.example", Subject: "repo:o/r2", Audiences: []string{"api://AzureADTokenExchange"}, Description: "d",
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got\n%s", err, diff)
	}
	a.want(204, "DELETE", path+"/"+text(made, "id"), nil)
	a.want(404, "DELETE", path+"/gh-main", nil)
	a.wantIDs(path)
}

func TestGraph_OwnersOfApplications(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	d := a.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon"})
	alice := a.user(contoso, "alice")
	group := a.group(contoso, "group")
	for _, path := range []string{"/v1.0/applications/" + d.ObjectID + "/owners", "/v1.0/servicePrincipals/" + d.sp.ObjectID + "/owners"} {
		a.wantIDs(path)
		a.want(204, "POST", path+"/$ref", at(alice.ObjectID))
		a.want(204, "POST", path+"/$ref", at(d.sp.ObjectID))
		a.want(400, "POST", path+"/$ref", at(alice.ObjectID))
		a.want(404, "POST", path+"/$ref", at(group.ObjectID))
		a.wantIDs(path, alice.ObjectID, d.sp.ObjectID)
		a.want(204, "DELETE", path+"/"+d.sp.ObjectID+"/$ref", nil)
		a.want(404, "DELETE", path+"/"+d.sp.ObjectID+"/$ref", nil)
		a.wantIDs(path, alice.ObjectID)
	}
	a.wantIDs("/v1.0/users/"+alice.ObjectID+"/ownedObjects", d.ObjectID, d.sp.ObjectID)
}

// A secret of the service principal signs in in its tenant only, and goes with it.
func TestGraph_ServicePrincipalPassword(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	fabrikam := a.tenant("Fabrikam")
	d := a.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon", SignInAudience: "AzureADMultipleOrgs"})
	if _, err := a.dir.CreateServicePrincipal(t.Context(), fabrikam.ID, d.AppID); err != nil {
		t.Fatal(err)
	}
	path := "/v1.0/servicePrincipals/" + d.sp.ObjectID
	made := a.want(200, "POST", path+"/addPassword", map[string]any{"passwordCredential": map[string]any{"displayName": "second"}})
	own := d
	own.secret = text(made, "secretText")
	a.platform.token(own, vaultScope)
	a.platform.token(d, vaultScope) // the application's goes on working
	wantAADSTS(t, "in another tenant", a.post(publicLogin, "/"+fabrikam.ID+"/oauth2/v2.0/token", secretForm(own, vaultScope)), 401, 7000215, "invalid_client")
	shown := a.want(200, "GET", path, nil)
	if list, _ := shown["passwordCredentials"].([]any); len(list) != 1 || strings.Contains(a.json(shown), own.secret) {
		t.Errorf("service principal: %v", shown)
	}
	a.want(204, "POST", path+"/removePassword", map[string]any{"keyId": made["keyId"]})
	a.want(400, "POST", path+"/removePassword", map[string]any{"keyId": made["keyId"]})
	wantAADSTS(t, "removed", a.post(publicLogin, "/"+contoso.ID+"/oauth2/v2.0/token", secretForm(own, vaultScope)), 401, 7000215, "invalid_client")

	identity := directory.SP{TenantID: contoso.ID, ObjectID: "11111111-0000-4000-8000-000000000001", AppID: "11111111-0000-4000-8000-000000000002", Kind: authn.ManagedIdentity}
	if err := a.dir.EnsureServicePrincipal(t.Context(), identity); err != nil {
		t.Fatal(err)
	}
	a.want(403, "POST", "/v1.0/servicePrincipals/"+identity.ObjectID+"/addPassword", nil)
}

// Azure's own applications have a service principal in every tenant, which cannot be changed.
func TestGraph_FirstParties(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	const graph = "00000003-0000-0000-c000-000000000000"
	list := a.want(200, "GET", "/v1.0/servicePrincipals?$filter="+url.QueryEscape("servicePrincipalNames/any(c:c eq '"+graph+"')"), nil)
	if len(ids(list)) != 1 {
		t.Fatalf("%v", list)
	}
	id := ids(list)[0]
	a.wantIDs("/v1.0/servicePrincipals?$filter="+url.QueryEscape("servicePrincipalNames/any(c:c eq 'https://graph.microsoft.com')"), id)
	if got := a.want(200, "GET", "/v1.0/servicePrincipals/"+id, nil); got["displayName"] != "Microsoft Graph" || got["appId"] != graph {
		t.Errorf("%v", got)
	}
	if got := a.want(200, "POST", "/v1.0/directoryObjects/getByIds", map[string]any{"ids": []string{id}}); !slices.Equal(ids(got), []string{id}) {
		t.Errorf("%v", got)
	}
	a.want(409, "POST", "/v1.0/servicePrincipals", map[string]any{"appId": graph})
	a.want(404, "PATCH", "/v1.0/servicePrincipals/"+id, map[string]any{"accountEnabled": false})
	a.want(404, "DELETE", "/v1.0/servicePrincipals/"+id, nil)
	client := a.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "client"})
	a.want(201, "POST", "/v1.0/oauth2PermissionGrants", map[string]any{"clientId": client.sp.ObjectID, "resourceId": id, "consentType": "AllPrincipals", "scope": "User.Read"})
	if got, err := a.dir.Consented(t.Context(), contoso.ID, client.sp.ObjectID, id, ""); err != nil || !slices.Equal(got, []string{"User.Read"}) {
		t.Errorf("%v, %v", got, err)
	}
	// In another tenant it is another object.
	fabrikam := a.tenant("Fabrikam")
	there := tester{a.platform, a.platform.token(a.app(directory.AppSpec{TenantID: fabrikam.ID, DisplayName: "admin", Administrator: true}), graphScope)}
	there.want(404, "GET", "/v1.0/servicePrincipals/"+id, nil)
	// Nobody signs in as it.
	d := daemon{Application: &directory.Application{TenantID: contoso.ID, AppID: graph}, secret: "x"}
	wantAADSTS(t, "sign in", a.post(publicLogin, "/"+contoso.ID+"/oauth2/v2.0/token", secretForm(d, vaultScope)), 400, 700016, "unauthorized_client")
}
