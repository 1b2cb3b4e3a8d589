package directory_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	guids "github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

// devicePost asks for a device code.
func (p *platform) deviceCode(t *testing.T, tenant, scope string) answer {
	t.Helper()
	a := p.post(publicLogin, "/"+tenant+"/oauth2/v2.0/devicecode", url.Values{"client_id": {cliID}, "scope": {scope}})
	if a.status != 200 {
		t.Fatalf("device code: %d %s", a.status, a.raw)
	}
	return a
}

func (p *platform) poll(code string) answer {
	return p.post(publicLogin, "/organizations"+v2Token, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {cliID}, "device_code": {code}, "client_info": {"1"},
	})
}

// TestDevice: a device without a browser is signed in from another machine, once, also when the platform was restarted in between.
func TestDevice(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	ada := p.person(p.tenant("Contoso"), "ada")
	d := p.deviceCode(t, "organizations", armScope)
	user, device := d.body["user_code"].(string), d.body["device_code"].(string)
	if d.body["verification_uri"] != "https://login.microsoftonline.com/common/oauth2/deviceauth" || d.body["expires_in"] != 900.0 || d.body["interval"] != 5.0 ||
		len(user) != 9 || !strings.Contains(d.body["message"].(string), user) {
		t.Errorf("answer %s", d.raw)
	}
	wantAADSTS(t, "pending", p.poll(device), 400, 70016, "authorization_pending")
	wantAADSTS(t, "at once again", p.poll(device), 400, 70016, "slow_down")
	p.clock.Advance(5 * time.Second)
	wantAADSTS(t, "five seconds later", p.poll(device), 400, 70016, "authorization_pending")
	p = openPlatform(t, p.store, p.clock)

	b := p.browser()
	page := b.get("/common/oauth2/deviceauth", nil)
	wantPage(t, "code page", page, 200, "Enter code")
	wantPage(t, "wrong code", b.submit(page, url.Values{"user_code": {"BBBBBBBBB"}}), 400, "AADSTS70018")
	page = b.submit(page, url.Values{"user_code": {strings.ToLower(user[:4]) + " " + user[4:]}})
	wantPage(t, "sign-in", page, 200, "Microsoft Azure CLI")
	page = b.signIn(page, ada, password)
	wantPage(t, "confirm", page, 200, "Are you trying to sign in to Microsoft Azure CLI?")
	wantAADSTS(t, "not confirmed yet", p.poll(device), 400, 70016, "authorization_pending")
	wantPage(t, "done", b.submit(page, url.Values{"decision": {"accept"}}), 200, "You have signed in")
	wantPage(t, "twice", b.submit(page, url.Values{"decision": {"accept"}}), 400, "AADSTS70019")

	a := p.poll(device)
	if a.status != 200 || a.body["refresh_token"] == nil || a.body["id_token"] == nil || a.body["client_info"] == nil {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if c := p.verifiedClaims(a.body["access_token"].(string), "https://"+publicLogin+"/common/discovery/keys"); c["oid"] != ada.ObjectID || c["scp"] != "user_impersonation" {
		t.Errorf("claims %v", c)
	}
	wantAADSTS(t, "used", p.poll(device), 400, 70020, "expired_token")
	if strings.Contains(string(p.everything()), user) {
		t.Error("the store holds a user code")
	}
}

func TestDevice_Ends(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	ada, eve := p.person(contoso, "ada"), p.person(fabrikam, "eve")
	declined := p.deviceCode(t, contoso.ID, armScope).body
	b := p.browser()
	page := b.submit(b.get("/common/oauth2/deviceauth", nil), url.Values{"user_code": {declined["user_code"].(string)}})
	wantPage(t, "a user of another tenant", b.signIn(page, eve, password), 401, "AADSTS50034")
	page = b.signIn(page, ada, password)
	wantPage(t, "declined", b.submit(page, url.Values{"decision": {"decline"}}), 200, "declined")
	wantAADSTS(t, "declined", p.poll(declined["device_code"].(string)), 400, 70018, "authorization_declined")

	late := p.deviceCode(t, contoso.ID, armScope).body
	p.clock.Advance(15 * time.Minute)
	wantAADSTS(t, "expired", p.poll(late["device_code"].(string)), 400, 70020, "expired_token")
	wantPage(t, "expired code", b.submit(b.get("/common/oauth2/deviceauth", nil), url.Values{"user_code": {late["user_code"].(string)}}), 400, "AADSTS70018")
	wantAADSTS(t, "made up", p.poll("1."+strings.Repeat("A", 96)), 400, 70018, "bad_verification_code")
	wantAADSTS(t, "no client", p.post(publicLogin, "/common/oauth2/v2.0/devicecode", url.Values{"scope": {"openid"}}), 400, 900144, "invalid_request")
	wantAADSTS(t, "unknown client", p.post(publicLogin, "/common/oauth2/v2.0/devicecode", url.Values{"client_id": {contoso.ID}, "scope": {"openid"}}), 400, 700016, "unauthorized_client")

	v1 := p.post(publicLogin, "/"+contoso.ID+"/oauth2/devicecode", url.Values{"client_id": {cliID}, "resource": {"https://vault.azure.net"}})
	if v1.status != 200 || v1.body["interval"] != "5" || v1.body["verification_url"] == nil {
		t.Errorf("version 1: %d %s", v1.status, v1.raw)
	}
	web := p.webApp(contoso.ID) // has a secret and is no public client
	code := p.post(publicLogin, "/"+contoso.ID+"/oauth2/v2.0/devicecode", url.Values{"client_id": {web.AppID}, "scope": {"openid"}}).body
	b = p.browser()
	page = b.signIn(b.submit(b.get("/common/oauth2/deviceauth", nil), url.Values{"user_code": {code["user_code"].(string)}}), ada, password)
	wantPage(t, "confidential client", b.submit(page, url.Values{"decision": {"accept"}}), 200, "You have signed in")
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {web.AppID}, "device_code": {code["device_code"].(string)}}
	wantAADSTS(t, "without its secret", p.post(publicLogin, "/"+contoso.ID+v2Token, form), 401, 7000218, "invalid_client")
	form.Set("client_secret", web.secret)
	if a := p.post(publicLogin, "/"+contoso.ID+v2Token, form); a.status != 200 {
		t.Errorf("with it: %d %s", a.status, a.raw)
	}
}

// TestPassword: the password grant, on and off.
func TestPassword(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(d *directory.Deps) { d.PasswordGrant = true })
	contoso := p.tenant("Contoso")
	ada := p.person(contoso, "ada")
	web := p.webApp(contoso.ID)
	form := func(client, name, pass string) url.Values {
		return url.Values{"grant_type": {"password"}, "client_id": {client}, "username": {name}, "password": {pass}, "scope": {armScope}}
	}
	for _, path := range []string{"/organizations" + v2Token, "/" + contoso.ID + v2Token} {
		a := p.post(publicLogin, path, form(cliID, ada.UPN, password))
		if a.status != 200 || a.body["refresh_token"] == nil || a.body["id_token"] == nil {
			t.Fatalf("%s: %d %s", path, a.status, a.raw)
		}
	}
	v1 := form(cliID, ada.UPN, password)
	v1.Set("resource", "https://vault.azure.net")
	v1.Set("scope", "openid")
	if a := p.post(publicLogin, "/"+contoso.ID+"/oauth2/token", v1); a.status != 200 || a.body["expires_in"] != "3599" || a.body["refresh_token"] == nil || a.body["scope"] != "user_impersonation" {
		t.Errorf("version 1: %d %s", a.status, a.raw)
	}
	path := "/organizations" + v2Token
	wantAADSTS(t, "wrong", p.post(publicLogin, path, form(cliID, ada.UPN, "wrong")), 400, 50126, "invalid_grant")
	wantAADSTS(t, "nobody", p.post(publicLogin, path, form(cliID, "bob@"+contoso.Domains[0], "x")), 400, 50034, "invalid_grant")
	wantAADSTS(t, "nowhere", p.post(publicLogin, path, form(cliID, "bob@nowhere.example", "x")), 400, 50034, "invalid_grant")
	wantAADSTS(t, "no secret", p.post(publicLogin, path, form(web.AppID, ada.UPN, password)), 401, 7000218, "invalid_client")
	p.change(web, func(a *directory.Application) { a.PublicClient = true })
	wantAADSTS(t, "no consent", p.post(publicLogin, path, form(web.AppID, ada.UPN, password)), 400, 65001, "invalid_grant")
	p.consent(web, "", "00000003-0000-0000-c000-000000000000", "openid", "profile", "offline_access")
	p.consent(web, "", "797f4846-ba00-4fd7-ba43-dac1f8f63013", "user_impersonation")
	if a := p.post(publicLogin, path, form(web.AppID, ada.UPN, password)); a.status != 200 {
		t.Errorf("with an administrator's consent: %d %s", a.status, a.raw)
	}
	realm := p.get("https://" + publicLogin + "/common/UserRealm/" + url.PathEscape(ada.UPN) + "?api-version=1.0")
	if realm.body["account_type"] != "Managed" || realm.body["domain_name"] != contoso.Domains[0] || realm.body["cloud_audience_urn"] == "" {
		t.Errorf("realm %s", realm.raw)
	}
	off := openPlatform(t, p.store, p.clock)
	a := off.post(publicLogin, path, form(cliID, ada.UPN, password))
	wantAADSTS(t, "off", a, 400, 70003, "unsupported_grant_type")
	if !strings.Contains(a.raw, "--password-grant") {
		t.Errorf("the refusal does not say how to switch it on: %s", a.raw)
	}
}

// consent lets a client have scopes of an API for a user, or all.
func (p *platform) consent(client daemon, userID, resourceAppID string, scopes ...string) {
	p.t.Helper()
	resource, err := p.dir.PrincipalByAppID(p.t.Context(), client.TenantID, resourceAppID)
	if err != nil {
		p.t.Fatal(err)
	}
	_, err = p.dir.GrantConsent(p.t.Context(), client.TenantID, directory.Consent{ClientID: client.sp.ObjectID, ResourceID: resource.ObjectID, UserID: userID, Scopes: scopes})
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestOnBehalfOf: a middle tier calls the next API in its caller's name.
func TestOnBehalfOf(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(d *directory.Deps) { d.PasswordGrant = true })
	contoso := p.tenant("Contoso")
	ada := p.person(contoso, "ada")
	const scopeID = "11111111-1111-4111-8111-111111111111"
	for _, version := range []int{1, 2} {
		middle := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "middle", IdentifierURIs: []string{"api://middle" + num(version)}, TokenVersion: version})
		p.change(middle, func(a *directory.Application) {
			a.Scopes = []directory.Scope{{ID: scopeID, Value: "call", Type: "User"}}
			a.PreAuthorized = []directory.PreAuthorized{{AppID: cliID, ScopeIDs: []string{scopeID}}}
		})
		user := p.post(publicLogin, "/"+contoso.ID+v2Token, url.Values{
			"grant_type": {"password"}, "client_id": {cliID}, "username": {ada.UPN}, "password": {password}, "scope": {"api://middle" + num(version) + "/call"},
		})
		if user.status != 200 {
			t.Fatalf("version %d: %d %s", version, user.status, user.raw)
		}
		form := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "requested_token_use": {"on_behalf_of"}, "client_id": {middle.AppID}, "client_secret": {middle.secret},
			"assertion": {user.body["access_token"].(string)}, "scope": {"https://vault.azure.net/user_impersonation"},
		}
		with := func(name, value string) url.Values {
			v := url.Values{}
			for k, x := range form {
				v[k] = x
			}
			v.Set(name, value)
			return v
		}
		path := "/" + contoso.ID + v2Token
		wantAADSTS(t, "no consent", p.post(publicLogin, path, form), 400, 65001, "invalid_grant")
		p.consent(middle, ada.ObjectID, "cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "user_impersonation")
		a := p.post(publicLogin, path, form)
		if a.status != 200 || a.body["refresh_token"] != nil {
			t.Fatalf("version %d: %d %s", version, a.status, a.raw)
		}
		c := p.verifiedClaims(a.body["access_token"].(string), "https://"+publicLogin+"/common/discovery/keys")
		if c["oid"] != ada.ObjectID || c["appid"] != middle.AppID || c["scp"] != "user_impersonation" || c["appidacr"] != "1" || c["aud"] != "https://vault.azure.net" {
			t.Errorf("version %d: claims %v", version, c)
		}
		wantAADSTS(t, "wrong secret", p.post(publicLogin, path, with("client_secret", "x")), 401, 7000215, "invalid_client")
		wantAADSTS(t, "use", p.post(publicLogin, path, with("requested_token_use", "x")), 400, 900144, "invalid_request")
		wantAADSTS(t, "nonsense", p.post(publicLogin, path, with("assertion", "x.y.z")), 400, 50013, "invalid_grant")
		wantAADSTS(t, "the token of the next API", p.post(publicLogin, path, with("assertion", a.body["access_token"].(string))), 400, 500131, "invalid_grant")
		wantAADSTS(t, "an application's token", p.post(publicLogin, path, with("assertion", p.token(middle, "api://middle"+num(version)+"/.default"))), 400, 50013, "invalid_grant")
		p.clock.Advance(2 * time.Hour)
		wantAADSTS(t, "expired", p.post(publicLogin, path, form), 400, 500133, "invalid_grant")
	}
}

// TestRoles: roles of users and applications.
func TestRoles(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(d *directory.Deps) { d.PasswordGrant = true })
	contoso := p.tenant("Contoso")
	ada := p.person(contoso, "ada")
	caller := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "caller"})
	api := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "api", IdentifierURIs: []string{"api://orders"}})
	const scopeID, roleID = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	p.change(api, func(a *directory.Application) {
		a.Scopes = []directory.Scope{{ID: scopeID, Value: "read", Type: "User"}, {ID: roleID, Value: "admin", Type: "Admin"}}
		a.PreAuthorized = []directory.PreAuthorized{{AppID: cliID, ScopeIDs: []string{scopeID}}}
		a.Roles = []directory.AppRole{{ID: roleID, Value: "Orders.Write", DisplayName: "w", MemberTypes: []string{"User", "Application"}}}
		a.GroupClaims = "SecurityGroup"
	})
	userForm := func(scope string) url.Values {
		return url.Values{"grant_type": {"password"}, "client_id": {cliID}, "username": {ada.UPN}, "password": {password}, "scope": {scope}}
	}
	path := "/" + contoso.ID + v2Token
	claims := func(name string, a answer) map[string]any {
		t.Helper()
		if a.status != 200 {
			t.Fatalf("%s: %d %s", name, a.status, a.raw)
		}
		return p.verifiedClaims(a.body["access_token"].(string), "https://"+publicLogin+"/common/discovery/keys")
	}
	group := p.group(contoso, "writers", ada.ObjectID)
	if c := claims("user", p.post(publicLogin, path, userForm("api://orders/read"))); c["roles"] != nil || c["scp"] != "read" || len(c["groups"].([]any)) != 1 {
		t.Errorf("before: %v", c)
	}
	wantAADSTS(t, "a scope that needs consent", p.post(publicLogin, path, userForm("api://orders/admin")), 400, 65001, "invalid_grant")
	wantAADSTS(t, "a scope it has not", p.post(publicLogin, path, userForm("api://orders/delete")), 400, 650053, "invalid_scope")
	p.assign(api, group.ObjectID, roleID)
	p.assign(api, caller.sp.ObjectID, roleID)
	machine := directory.SP{TenantID: contoso.ID, ObjectID: guids.New(), AppID: guids.New(), DisplayName: "machine", Kind: authn.ManagedIdentity, ResourceID: "/subscriptions/x/y"}
	if err := p.dir.EnsureServicePrincipal(t.Context(), machine); err != nil {
		t.Fatal(err)
	}
	p.assign(api, machine.ObjectID, roleID)
	issued, err := p.dir.IssueManagedIdentity(t.Context(), contoso.ID, machine.ObjectID, "api://orders")
	if err != nil {
		t.Fatal(err)
	}
	if c := p.verifiedClaims(issued.Raw, "https://"+publicLogin+"/common/discovery/keys"); len(c["roles"].([]any)) != 1 || c["roles"].([]any)[0] != "Orders.Write" {
		t.Errorf("managed identity: %v", c)
	}
	for name, a := range map[string]answer{
		"user": p.post(publicLogin, path, userForm("api://orders/read")), "application": p.post(publicLogin, path, secretForm(caller, "api://orders/.default")),
	} {
		if c := claims(name, a); len(c["roles"].([]any)) != 1 || c["roles"].([]any)[0] != "Orders.Write" {
			t.Errorf("%s: %v", name, c)
		}
	}
}

// TestAssignmentRequired: what demands assignment takes only who has been given a role on it, as long as it demands it.
func TestAssignmentRequired(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, func(d *directory.Deps) { d.PasswordGrant = true })
	contoso := p.tenant("Contoso")
	admin := p.token(p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "admin", Administrator: true}), graphScope)
	ada, bob := p.person(contoso, "ada"), p.person(contoso, "bob")
	caller := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "caller"})
	api := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "api", IdentifierURIs: []string{"api://orders"}})
	const scopeID, noRole = "11111111-1111-4111-8111-111111111111", "00000000-0000-0000-0000-000000000000"
	p.change(api, func(a *directory.Application) {
		a.Scopes = []directory.Scope{{ID: scopeID, Value: "read", Type: "User"}}
		a.PreAuthorized = []directory.PreAuthorized{{AppID: cliID, ScopeIDs: []string{scopeID}}}
	})
	demand := func(required bool) {
		t.Helper()
		if a := p.graph(admin, "PATCH", "/v1.0/servicePrincipals/"+api.sp.ObjectID, map[string]any{"appRoleAssignmentRequired": required}); a.status != 204 {
			t.Fatalf("appRoleAssignmentRequired %v: %d %s", required, a.status, a.raw)
		}
	}
	daemonToken := func(d daemon) answer {
		return p.post(publicLogin, "/"+contoso.ID+v2Token, secretForm(d, "api://orders/.default"))
	}
	userToken := func(upn string) answer {
		return p.post(publicLogin, "/"+contoso.ID+v2Token, url.Values{
			"grant_type": {"password"}, "client_id": {cliID}, "username": {upn}, "password": {password}, "scope": {"api://orders/read"},
		})
	}
	granted := func(name string, a answer) {
		t.Helper()
		if a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	machine := directory.SP{TenantID: contoso.ID, ObjectID: guids.New(), AppID: guids.New(), DisplayName: "machine", Kind: authn.ManagedIdentity, ResourceID: "/subscriptions/x/y"}
	if err := p.dir.EnsureServicePrincipal(t.Context(), machine); err != nil {
		t.Fatal(err)
	}
	machineToken := func(want string) {
		t.Helper()
		_, err := p.dir.IssueManagedIdentity(t.Context(), contoso.ID, machine.ObjectID, "api://orders")
		if got := fault.As(err); err == nil != (want == "") || err != nil && got.Code != want {
			t.Errorf("managed identity: got %v, want %q", err, want)
		}
	}
	machineToken("")
	granted("application, nothing demanded", daemonToken(caller))
	granted("user, nothing demanded", userToken(ada.UPN))
	demand(true)
	refused := daemonToken(caller)
	wantAADSTS(t, "application", refused, 400, 501051, "invalid_grant")
	if text, _ := refused.body["error_description"].(string); !strings.Contains(text, "'"+caller.AppID+"'(caller)") || !strings.Contains(text, api.AppID) {
		t.Errorf("the refusal does not name both applications: %s", text)
	}
	wantAADSTS(t, "user", userToken(ada.UPN), 400, 50105, "invalid_grant")
	granted("the API for itself", daemonToken(api))
	machineToken("AADSTS501051")

	p.assign(api, caller.sp.ObjectID, noRole)
	p.assign(api, machine.ObjectID, noRole)
	machineToken("")
	p.assign(api, p.group(contoso, "readers", ada.ObjectID).ObjectID, noRole)
	granted("assigned application", daemonToken(caller))
	granted("user of an assigned group", userToken(ada.UPN))
	wantAADSTS(t, "another user", userToken(bob.UPN), 400, 50105, "invalid_grant")
	demand(false)
	granted("user, no longer demanded", userToken(bob.UPN))
}

// assign gives a principal a role on an application.
func (p *platform) assign(api daemon, principalID, roleID string) {
	p.t.Helper()
	_, err := p.dir.AssignRole(p.t.Context(), api.TenantID, directory.RoleAssignment{PrincipalID: principalID, ResourceID: api.sp.ObjectID, RoleID: roleID})
	if err != nil {
		p.t.Fatal(err)
	}
}
