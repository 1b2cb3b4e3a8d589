package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

// Roles of a group count for its members, through other groups too, from the moment they join until the moment they leave. Tokens stay the same throughout.
func TestCallers_GroupsAreLive(t *testing.T) {
	p := openPlatform(t, t.TempDir())
	defer p.Close()
	ctx, tenant, sub := t.Context(), p.install.TenantID, p.install.SubscriptionID
	token := func(kind authn.Kind, objectID, appID string) string {
		t.Helper()
		tok, err := p.tokens.Issue(ctx, authn.Claims{Version: "1.0", Audience: "https://management.azure.com/", Principal: authn.Principal{
			Kind: kind, TenantID: tenant, ObjectID: objectID, AppID: appID, ClientAuth: "1",
		}})
		if err != nil {
			t.Fatal(err)
		}
		return tok.Raw
	}
	arm := func(token, method, path, body string) int {
		t.Helper()
		r := httptest.NewRequest(method, "https://management.azure.com"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		p.mux.ServeHTTP(w, r)
		t.Logf("%s %.90s: %d", method, path, w.Code)
		return w.Code
	}
	user, err := p.directory.CreateUser(ctx, directory.UserSpec{
		TenantID: tenant, User: directory.User{UPN: "alice@" + p.install.Domain, DisplayName: "Alice"}, Password: "Correct-Horse7",
	})
	if err != nil {
		t.Fatal(err)
	}
	var groups []*directory.Group
	for _, name := range []string{"inner", "outer"} {
		g, err := p.directory.CreateGroup(ctx, tenant, directory.Group{DisplayName: name, MailNickname: name})
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, g)
	}
	inner, outer := groups[0].ObjectID, groups[1].ObjectID
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.directory.AddMember(ctx, tenant, outer, inner))

	admin, alice := token(authn.ServicePrincipal, p.install.ObjectID, p.install.AppID), token(authn.User, user.ObjectID, "04b07795-8ddb-461a-bbee-02f9e1bf7b46")
	rg := "/subscriptions/" + sub + "/resourcegroups/rg1"
	if got := arm(admin, "PUT", rg+"?api-version=2021-04-01", `{"location":"westeurope"}`); got != 201 {
		t.Fatalf("create group: %d", got)
	}
	const reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	assign := rg + "/providers/Microsoft.Authorization/roleAssignments/33333333-0000-4000-8000-000000000001?api-version=2022-04-01"
	body := `{"properties":{"roleDefinitionId":"/providers/Microsoft.Authorization/roleDefinitions/` + reader + `","principalId":"` + outer + `","principalType":"Group"}}`
	if got := arm(admin, "PUT", assign, body); got != 201 {
		t.Fatalf("assign to the group: %d", got)
	}
	read := func(step string, want int) {
		t.Helper()
		if got := arm(alice, "GET", rg+"?api-version=2021-04-01", ""); got != want {
			t.Errorf("%s: got %d, want %d", step, got, want)
		}
	}
	read("not a member", http.StatusForbidden)
	must(p.directory.AddMember(ctx, tenant, inner, user.ObjectID))
	read("member of a member", http.StatusOK)
	must(p.directory.RemoveMember(ctx, tenant, inner, user.ObjectID))
	read("taken out", http.StatusForbidden)
	must(p.directory.AddMember(ctx, tenant, inner, user.ObjectID))
	must(p.directory.RemoveMember(ctx, tenant, outer, inner))
	read("the group taken out of the group", http.StatusForbidden)
	must(p.directory.AddMember(ctx, tenant, outer, inner))
	read("back in", http.StatusOK)
	_, err = p.directory.ChangeUser(ctx, tenant, user.ObjectID, func(u *directory.User) error { u.Disabled = true; return nil })
	must(err)
	read("disabled", http.StatusUnauthorized)
}

// A token's own list of groups counts for nothing.
func TestCallers_GroupsOfTheTokenAreIgnored(t *testing.T) {
	p := openPlatform(t, t.TempDir())
	defer p.Close()
	tok, err := p.tokens.Issue(t.Context(), authn.Claims{Version: "1.0", Audience: "https://management.azure.com/", Principal: authn.Principal{
		Kind: authn.ServicePrincipal, TenantID: p.install.TenantID, ObjectID: p.install.ObjectID, AppID: p.install.AppID,
	}, Extra: map[string]any{"groups": []string{"33333333-0000-4000-8000-000000000002"}}})
	if err != nil {
		t.Fatal(err)
	}
	who, err := verifier{p.tokens, p.directory}.Verify(t.Context(), tok.Raw)
	if err != nil || len(who.Groups) != 0 {
		t.Errorf("got groups %v, %v", who.Groups, err)
	}
}
