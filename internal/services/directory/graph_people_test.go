package directory_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

// userToken is what the sign-in of a user through the client with that scope gives.
func (p *platform) userToken(u *directory.User, scopes string) string {
	p.t.Helper()
	tok, err := p.tokens.Issue(p.t.Context(), authn.Claims{Version: "1.0", Audience: "https://graph.microsoft.com/", Principal: authn.Principal{
		Kind: authn.User, TenantID: u.TenantID, ObjectID: u.ObjectID, AppID: "04b07795-8ddb-461a-bbee-02f9e1bf7b46", ClientAuth: "0", Scopes: scopes, Name: u.DisplayName,
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	return tok.Raw
}

const fullScope = "Directory.AccessAsUser.All openid"

// tester sends requests with one token and demands statuses.
type tester struct {
	*platform
	token string
}

// want sends a request, demands the status and answers the body.
func (a tester) want(status int, method, path string, body any) map[string]any {
	a.t.Helper()
	got := a.graph(a.token, method, path, body)
	if got.status != status {
		a.t.Errorf("%s %s: got %d %s, want %d", method, path, got.status, got.raw, status)
	}
	return got.body
}

// ids are the ids of the objects, or the texts, in a list.
func ids(body map[string]any) []string {
	list, _ := body["value"].([]any)
	var out []string
	for _, v := range list {
		if o, ok := v.(map[string]any); ok {
			v = o["id"]
		}
		text, _ := v.(string)
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func (a tester) wantIDs(path string, want ...string) {
	a.t.Helper()
	slices.Sort(want)
	if got := ids(a.want(200, "GET", path, nil)); !slices.Equal(got, want) {
		a.t.Errorf("GET %s: got %v, want %v", path, got, want)
	}
}

func text(body map[string]any, name string) string { s, _ := body[name].(string); return s }

func at(id string) map[string]string {
	return map[string]string{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/" + id}
}

func newAdmin(t *testing.T) (tester, *directory.Tenant) {
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	return tester{p, p.token(p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "admin", Administrator: true}), graphScope)}, contoso
}

func TestGraph_Users(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	made := a.want(201, "POST", "/v1.0/users", map[string]any{
		"userPrincipalName": "alice@contoso.onmicrosoft.com", "displayName": "Alice Adams", "mailNickname": "alice", "accountEnabled": true, "jobTitle": "Engineer",
		"passwordProfile": map[string]any{"password": goodPassword, "forceChangePasswordNextSignIn": false},
	})
	id := text(made, "id")
	if made["accountEnabled"] != nil || made["jobTitle"] != "Engineer" || strings.Contains(a.json(made), goodPassword) {
		t.Errorf("created: %v", made)
	}
	if _, err := a.dir.SignIn(t.Context(), contoso, "alice@contoso.onmicrosoft.com", goodPassword); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/" + id, "/alice@contoso.onmicrosoft.com", "/ALICE@contoso.onmicrosoft.com", "('alice@contoso.onmicrosoft.com')", "(userPrincipalName='alice%40contoso.onmicrosoft.com')"} {
		if got := a.want(200, "GET", "/v1.0/users"+path+"?$select=id,accountEnabled", nil); text(got, "id") != id || got["accountEnabled"] != true || len(got) != 3 {
			t.Errorf("%s: %v", path, got)
		}
	}
	bob := a.user(contoso, "bob")
	for filter, want := range map[string]string{
		"userPrincipalName eq 'alice@contoso.onmicrosoft.com'":     id,
		"startswith(displayName,'ali') and jobTitle eq 'engineer'": id,
		"accountEnabled eq false":                                  "",
		"accountEnabled eq true and mailNickname eq 'bob'":         bob.ObjectID,
	} {
		got := ids(a.want(200, "GET", "/v1.0/users?$filter="+url.QueryEscape(filter), nil))
		if strings.Join(got, ",") != want {
			t.Errorf("%s: got %v, want %q", filter, got, want)
		}
	}
	got := a.send(a.mux, "GET", "https://"+graphHost+"/v1.0/users?$count=true&$top=1&$search="+url.QueryEscape(`"displayName:ada"`), "", "",
		"Authorization", "Bearer "+a.token, "ConsistencyLevel", "eventual")
	if got.status != 200 || got.body["@odata.count"] != float64(1) || strings.Join(ids(got.body), "") != id {
		t.Errorf("search: %d %s", got.status, got.raw)
	}
	a.want(400, "GET", "/v1.0/users?$search="+url.QueryEscape(`"displayName:ada"`), nil) // without the header

	a.want(204, "PATCH", "/v1.0/users/"+id, map[string]any{"jobTitle": nil, "displayName": "Alice B", "accountEnabled": false})
	if got := a.want(200, "GET", "/v1.0/users/"+id, nil); got["jobTitle"] != nil || got["displayName"] != "Alice B" {
		t.Errorf("after PATCH: %v", got)
	}
	if _, err := a.dir.SignIn(t.Context(), contoso, "alice@contoso.onmicrosoft.com", goodPassword); code(err) != "AADSTS50057" {
		t.Errorf("disabled user: %v", err)
	}
	a.want(204, "PATCH", "/v1.0/users/"+id, map[string]any{"accountEnabled": true, "passwordProfile": map[string]any{"password": "Another-Horse7"}})
	if _, err := a.dir.SignIn(t.Context(), contoso, "alice@contoso.onmicrosoft.com", "Another-Horse7"); code(err) != "AADSTS50055" {
		t.Errorf("a password that an administrator set has to be changed: %v", err)
	}
	a.want(204, "PATCH", "/v1.0/users/"+id, map[string]any{"userPrincipalName": "alicia@contoso.onmicrosoft.com"})
	a.want(404, "GET", "/v1.0/users/alice@contoso.onmicrosoft.com", nil)
	a.want(409, "PATCH", "/v1.0/users/"+id, map[string]any{"userPrincipalName": "bob@contoso.onmicrosoft.com"})
	for name, body := range map[string]map[string]any{
		"no password":   {"userPrincipalName": "c@contoso.onmicrosoft.com", "displayName": "C", "accountEnabled": true},
		"weak password": {"userPrincipalName": "c@contoso.onmicrosoft.com", "displayName": "C", "accountEnabled": true, "passwordProfile": map[string]any{"password": "x"}},
		"guest":         {"userPrincipalName": "c@contoso.onmicrosoft.com", "displayName": "C", "accountEnabled": true, "userType": "Guest", "passwordProfile": map[string]any{"password": goodPassword}},
	} {
		if got := a.want(400, "POST", "/v1.0/users", body); got["error"].(map[string]any)["code"] != "Request_BadRequest" {
			t.Errorf("%s: %v", name, got)
		}
	}
	a.want(204, "DELETE", "/v1.0/users/"+id, nil)
	a.want(404, "GET", "/v1.0/users/"+id, nil)
}

func TestGraph_Groups(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	alice, bob := a.user(contoso, "alice"), a.user(contoso, "bob")
	group := func(name string, more map[string]any) string {
		t.Helper()
		body := map[string]any{"displayName": name, "mailNickname": name, "mailEnabled": false, "securityEnabled": true}
		for k, v := range more {
			body[k] = v
		}
		return text(a.want(201, "POST", "/v1.0/groups", body), "id")
	}
	inner := group("inner", map[string]any{"members@odata.bind": []string{"https://graph.microsoft.com/v1.0/users/" + alice.ObjectID}})
	outer := group("outer", map[string]any{"owners@odata.bind": []string{"https://graph.microsoft.com/v1.0/users/" + bob.ObjectID}, "description": "all"})
	a.want(204, "POST", "/v1.0/groups/"+outer+"/members/$ref", at(inner))
	a.want(400, "POST", "/v1.0/groups/"+outer+"/members/$ref", at(inner))
	a.want(404, "POST", "/v1.0/groups/"+outer+"/members/$ref", at("99999999-0000-4000-8000-000000000000"))
	a.want(400, "POST", "/v1.0/groups/"+outer+"/members/$ref", map[string]string{"@odata.id": "nonsense"})
	a.wantIDs("/v1.0/groups/"+outer+"/members", inner)
	a.wantIDs("/v1.0/groups/"+outer+"/transitiveMembers", inner, alice.ObjectID)
	a.wantIDs("/v1.0/users/"+alice.ObjectID+"/memberOf", inner)
	a.wantIDs("/v1.0/users/"+alice.ObjectID+"/transitiveMemberOf", inner, outer)
	a.wantIDs("/v1.0/groups/"+outer+"/owners", bob.ObjectID)
	a.wantIDs("/v1.0/users/"+bob.ObjectID+"/ownedObjects", outer)
	a.wantIDs("/v1.0/groups?$filter="+url.QueryEscape("displayName eq 'inner' and mailNickname eq 'inner' and securityEnabled eq true"), inner)
	if got := ids(a.want(200, "POST", "/v1.0/users/alice@contoso.onmicrosoft.com/getMemberGroups", map[string]any{"securityEnabledOnly": false})); len(got) != 2 {
		t.Errorf("getMemberGroups: %v", got)
	}
	if got := ids(a.want(200, "POST", "/v1.0/directoryObjects/"+alice.ObjectID+"/checkMemberGroups", map[string]any{"groupIds": []string{outer, "99999999-0000-4000-8000-000000000000"}})); !slices.Equal(got, []string{outer}) {
		t.Errorf("checkMemberGroups: %v", got)
	}
	list := a.want(200, "POST", "/v1.0/directoryObjects/getByIds", map[string]any{
		"ids": []string{alice.ObjectID, inner, "99999999-0000-4000-8000-000000000000"}, "types": []string{"user", "group", "servicePrincipal", "directoryObjectPartnerReference"},
	})
	types := map[string]string{}
	for _, v := range list["value"].([]any) {
		types[text(v.(map[string]any), "id")] = text(v.(map[string]any), "@odata.type")
	}
	if len(types) != 2 || types[alice.ObjectID] != "#microsoft.graph.user" || types[inner] != "#microsoft.graph.group" {
		t.Errorf("getByIds: %v", types)
	}
	// A page at a time, in the order of ids.
	a.want(204, "POST", "/v1.0/groups/"+inner+"/members/$ref", at(bob.ObjectID))
	first := a.want(200, "GET", "/v1.0/groups/"+inner+"/members?$top=1", nil)
	next, _ := first["@odata.nextLink"].(string)
	second := a.want(200, "GET", strings.TrimPrefix(next, "https://"+graphHost), nil)
	if got, want := append(ids(first), ids(second)...), []string{min(alice.ObjectID, bob.ObjectID), max(alice.ObjectID, bob.ObjectID)}; !slices.Equal(got, want) || second["@odata.nextLink"] != nil {
		t.Errorf("pages: got %v, want %v", got, want)
	}
	a.want(204, "DELETE", "/v1.0/groups/"+inner+"/members/"+bob.ObjectID+"/$ref", nil)
	a.want(404, "DELETE", "/v1.0/groups/"+inner+"/members/"+bob.ObjectID+"/$ref", nil)
	a.want(204, "DELETE", "/v1.0/groups/"+outer+"/owners/"+bob.ObjectID+"/$ref", nil)
	a.wantIDs("/v1.0/groups/" + outer + "/owners")
	a.want(204, "PATCH", "/v1.0/groups/"+outer, map[string]any{"description": nil, "displayName": "Outer"})
	if got := a.want(200, "GET", "/v1.0/groups/"+outer, nil); got["description"] != nil || got["displayName"] != "Outer" {
		t.Errorf("after PATCH: %v", got)
	}
	for name, more := range map[string]map[string]any{
		"unified": {"groupTypes": []string{"Unified"}}, "mail": {"mailEnabled": true}, "not security": {"securityEnabled": false}, "role": {"isAssignableToRole": true},
		"dynamic": {"membershipRule": "x"}, "nickname": {"mailNickname": "a b"},
	} {
		body := map[string]any{"displayName": "x", "mailNickname": "x", "mailEnabled": false, "securityEnabled": true}
		for k, v := range more {
			body[k] = v
		}
		if got := a.graph(a.token, "POST", "/v1.0/groups", body); got.status != 400 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
	// A deleted group counts for nothing; restored, it has its members again.
	a.want(204, "DELETE", "/v1.0/groups/"+inner, nil)
	a.wantIDs("/v1.0/users/" + alice.ObjectID + "/transitiveMemberOf")
	a.wantIDs("/v1.0/groups/" + outer + "/transitiveMembers")
	a.want(200, "POST", "/v1.0/directory/deletedItems/"+inner+"/restore", nil)
	a.wantIDs("/v1.0/users/"+alice.ObjectID+"/transitiveMemberOf", inner, outer)
}

// Who may do what: users read, change their own password, and see themselves; nothing more.
func TestGraph_UserRights(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	alice := a.user(contoso, "alice")
	inner := a.group(contoso, "inner", alice.ObjectID)
	chief, err := a.dir.CreateUser(t.Context(), directory.UserSpec{
		TenantID: contoso.ID, User: directory.User{UPN: "chief@contoso.onmicrosoft.com", DisplayName: "Chief", Administrator: true}, Password: goodPassword,
	})
	if err != nil {
		t.Fatal(err)
	}
	newGroup := map[string]any{"displayName": "x", "mailNickname": "x", "mailEnabled": false, "securityEnabled": true}
	user, narrow, boss, careful := tester{a.platform, a.userToken(alice, fullScope)}, tester{a.platform, a.userToken(alice, "User.Read openid")},
		tester{a.platform, a.userToken(chief, fullScope)}, tester{a.platform, a.userToken(chief, "User.Read.All")}

	if got := user.want(200, "GET", "/v1.0/me", nil); text(got, "id") != alice.ObjectID {
		t.Errorf("/me: %v", got)
	}
	narrow.want(200, "GET", "/v1.0/me", nil)
	narrow.wantIDs("/v1.0/me/memberOf", inner.ObjectID)
	narrow.want(403, "GET", "/v1.0/users", nil)
	user.want(200, "GET", "/v1.0/users", nil)
	user.want(200, "GET", "/v1.0/applications", nil)
	user.want(403, "POST", "/v1.0/groups", newGroup)
	user.want(403, "PATCH", "/v1.0/users/"+alice.ObjectID, map[string]any{"displayName": "Queen"})
	user.want(403, "POST", "/v1.0/groups/"+inner.ObjectID+"/members/$ref", at(chief.ObjectID))
	careful.want(403, "POST", "/v1.0/groups", newGroup) // its client was not given the scope
	made := boss.want(201, "POST", "/v1.0/groups", newGroup)
	boss.wantIDs("/v1.0/me/ownedObjects", text(made, "id"))
	app := boss.want(201, "POST", "/v1.0/applications", map[string]any{"displayName": "boss's"})
	boss.wantIDs("/v1.0/me/ownedObjects", text(made, "id"), text(app, "id"))
	if got := a.want(400, "GET", "/v1.0/me", nil); !strings.Contains(a.json(got), "delegated") {
		t.Errorf("/me of an application: %v", got)
	}

	user.want(400, "POST", "/v1.0/me/changePassword", map[string]any{"currentPassword": "wrong", "newPassword": "Another-Horse7"})
	user.want(204, "POST", "/v1.0/me/changePassword", map[string]any{"currentPassword": goodPassword, "newPassword": "Another-Horse7"})
	if _, err := a.dir.SignIn(t.Context(), contoso, alice.UPN, "Another-Horse7"); err != nil {
		t.Error(err)
	}
	a.want(204, "PATCH", "/v1.0/users/"+alice.ObjectID, map[string]any{"accountEnabled": false})
	user.want(401, "GET", "/v1.0/me", nil)
	a.want(204, "DELETE", "/v1.0/users/"+chief.ObjectID, nil)
	boss.want(401, "GET", "/v1.0/users", nil)
}

func TestGraph_Deleted(t *testing.T) {
	t.Parallel()
	a, contoso := newAdmin(t)
	alice := a.user(contoso, "alice")
	a.want(204, "DELETE", "/v1.0/users/"+alice.ObjectID, nil)
	if _, err := a.dir.SignIn(t.Context(), contoso, alice.UPN, goodPassword); code(err) != "AADSTS50034" {
		t.Errorf("deleted user: %v", err)
	}
	a.wantIDs("/v1.0/directory/deletedItems/microsoft.graph.user", alice.ObjectID)
	a.wantIDs("/v1.0/directory/deletedItems/microsoft.graph.group")
	if got := a.want(200, "GET", "/v1.0/directory/deletedItems/"+alice.ObjectID+"?$select=deletedDateTime", nil); got["deletedDateTime"] != "2026-03-01T12:00:00Z" {
		t.Errorf("deleted item: %v", got)
	}
	// Its name is free, and then in the way.
	other := a.user(contoso, "alice")
	a.want(409, "POST", "/v1.0/directory/deletedItems/"+alice.ObjectID+"/restore", nil)
	a.want(204, "DELETE", "/v1.0/users/"+other.ObjectID, nil)
	a.want(200, "POST", "/v1.0/directory/deletedItems/"+alice.ObjectID+"/restore", nil)
	if _, err := a.dir.SignIn(t.Context(), contoso, alice.UPN, goodPassword); err != nil {
		t.Errorf("restored user: %v", err)
	}
	a.want(404, "POST", "/v1.0/directory/deletedItems/"+alice.ObjectID+"/restore", nil)

	// An application takes its service principal along, both ways; its secret works again.
	d := a.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon", IdentifierURIs: []string{"api://daemon"}})
	group := a.group(contoso, "group", d.sp.ObjectID)
	a.want(204, "DELETE", "/v1.0/applications/"+d.ObjectID, nil)
	a.wantIDs("/v1.0/directory/deletedItems/microsoft.graph.servicePrincipal", d.sp.ObjectID)
	wantAADSTS(t, "deleted", a.post(publicLogin, "/"+contoso.ID+"/oauth2/v2.0/token", secretForm(d, vaultScope)), 400, 700016, "unauthorized_client")
	a.want(200, "POST", "/v1.0/directory/deletedItems/"+d.ObjectID+"/restore", nil)
	a.wantIDs("/v1.0/directory/deletedItems/microsoft.graph.servicePrincipal")
	a.platform.token(d, vaultScope)
	a.wantIDs("/v1.0/servicePrincipals/"+d.sp.ObjectID+"/memberOf", group.ObjectID)

	// For good, by hand and after 30 days; what was known about it goes too.
	a.want(204, "DELETE", "/v1.0/servicePrincipals/"+d.sp.ObjectID, nil)
	a.want(204, "DELETE", "/v1.0/directory/deletedItems/"+d.sp.ObjectID, nil)
	a.want(404, "GET", "/v1.0/directory/deletedItems/"+d.sp.ObjectID, nil)
	if everything := string(a.everything()); strings.Contains(everything, "|"+d.sp.ObjectID) {
		t.Error("rows of the purged service principal are left")
	}
	a.clock.Advance(29 * 24 * time.Hour)
	if err := a.dir.PurgeExpired(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := tester{a.platform, a.platform.token(a.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "second", Administrator: true}), graphScope)}
	fresh.wantIDs("/v1.0/directory/deletedItems/microsoft.graph.user", other.ObjectID)
	a.clock.Advance(24*time.Hour + time.Minute)
	fresh.token = a.platform.token(a.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "third", Administrator: true}), graphScope)
	fresh.wantIDs("/v1.0/directory/deletedItems/microsoft.graph.user")
	fresh.want(404, "POST", "/v1.0/directory/deletedItems/"+other.ObjectID+"/restore", nil)
	if !strings.Contains(string(a.everything()), "D|x|"+other.ObjectID) {
		t.Error("purged before its time")
	}
	if err := a.dir.PurgeExpired(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(a.everything()), other.ObjectID) {
		t.Error("rows of the expired user are left")
	}
}
