package directory_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

const goodPassword = "Correct-Horse7"

func (p *platform) user(tenant *directory.Tenant, name string) *directory.User {
	p.t.Helper()
	u, err := p.dir.CreateUser(p.t.Context(), directory.UserSpec{
		TenantID: tenant.ID, User: directory.User{UPN: name + "@" + tenant.Domains[0], DisplayName: name}, Password: goodPassword,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return u
}

func (p *platform) group(tenant *directory.Tenant, name string, members ...string) *directory.Group {
	p.t.Helper()
	g, err := p.dir.CreateGroup(p.t.Context(), tenant.ID, directory.Group{DisplayName: name, MailNickname: name})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range members {
		if err := p.dir.AddMember(p.t.Context(), tenant.ID, g.ObjectID, m); err != nil {
			p.t.Fatal(err)
		}
	}
	return g
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.As(err).Code
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	u := p.user(contoso, "Alice")
	signIn := func(name, password string) string {
		_, err := p.dir.SignIn(t.Context(), contoso, name, password)
		return code(err)
	}
	for _, tt := range []struct{ name, password, want string }{
		{"alice@contoso.onmicrosoft.com", goodPassword, ""},
		{"ALICE@contoso.onmicrosoft.com", goodPassword, ""},
		{u.ObjectID, goodPassword, ""},
		{"alice@contoso.onmicrosoft.com", "Correct-Horse8", "AADSTS50126"},
		{"alice@contoso.onmicrosoft.com", "", "AADSTS50126"},
		{"alice@contoso.onmicrosoft.com", goodPassword + strings.Repeat("x", 300), "AADSTS50126"},
		{"bob@contoso.onmicrosoft.com", goodPassword, "AADSTS50034"},
		{strings.Repeat("x", 2000), goodPassword, "AADSTS50034"},
	} {
		if got := signIn(tt.name, tt.password); got != tt.want {
			t.Errorf("%.40s, %.20s: got %q, want %q", tt.name, tt.password, got, tt.want)
		}
	}
	if bytes.Contains(p.everything(), []byte(goodPassword)) {
		t.Error("the password is in the store in clear")
	}
	if err := p.dir.ChangePassword(t.Context(), u, "wrong", "Another-Horse7"); code(err) != "Request_BadRequest" {
		t.Errorf("change with a wrong password: %v", err)
	}
	if err := p.dir.ChangePassword(t.Context(), u, goodPassword, "simple"); code(err) != "Request_BadRequest" {
		t.Errorf("change to a weak password: %v", err)
	}
	if err := p.dir.ChangePassword(t.Context(), u, goodPassword, "Another-Horse7"); err != nil {
		t.Error(err)
	}
	if old, fresh := signIn(u.UPN, goodPassword), signIn(u.UPN, "Another-Horse7"); old != "AADSTS50126" || fresh != "" {
		t.Errorf("after the change: old %q, new %q", old, fresh)
	}
	u, _ = p.dir.FindUser(t.Context(), contoso.ID, u.UPN)
	if err := p.dir.SetPassword(t.Context(), u, "Third-Horse7", true); err != nil {
		t.Error(err)
	}
	if got := signIn(u.UPN, "Third-Horse7"); got != "AADSTS50055" {
		t.Errorf("password to be changed: %q", got)
	}
	if _, err := p.dir.ChangeUser(t.Context(), contoso.ID, u.ObjectID, func(u *directory.User) error { u.Disabled = true; return nil }); err != nil {
		t.Error(err)
	}
	if right, wrong := signIn(u.UPN, "Third-Horse7"), signIn(u.UPN, "x"); right != "AADSTS50057" || wrong != "AADSTS50126" {
		t.Errorf("disabled: %q with the password, %q without", right, wrong)
	}
}

// A password's MAC names its user, so that a row changed by hand opens nobody else's account.
func TestCheckPassword_BoundToUser(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	alice, bob := p.user(contoso, "alice"), p.user(contoso, "bob")
	forged := *bob
	forged.Password = alice.Password
	if ok, err := p.dir.CheckPassword(t.Context(), &forged, goodPassword); ok || err != nil {
		t.Errorf("another's password: %v, %v", ok, err)
	}
	if ok, err := p.dir.CheckPassword(t.Context(), nil, ""); ok || err != nil {
		t.Errorf("no user: %v, %v", ok, err)
	}
	if ok, err := p.dir.CheckPassword(t.Context(), &directory.User{}, ""); ok || err != nil {
		t.Errorf("a user without a password: %v, %v", ok, err)
	}
}

func TestCreateUser_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso := p.tenant("Contoso")
	p.tenant("Fabrikam")
	p.user(contoso, "alice")
	for _, tt := range []struct{ name, upn, password, want string }{
		{"taken", "ALICE@contoso.onmicrosoft.com", goodPassword, "Request_MultipleObjectsWithSameKeyValue"},
		{"another tenant's domain", "bob@fabrikam.onmicrosoft.com", goodPassword, "Request_BadRequest"},
		{"no domain", "bob", goodPassword, "Request_BadRequest"},
		{"two ats", "b@b@contoso.onmicrosoft.com", goodPassword, "Request_BadRequest"},
		{"blank", "b b@contoso.onmicrosoft.com", goodPassword, "Request_BadRequest"},
		{"bar", "b|b@contoso.onmicrosoft.com", goodPassword, "Request_BadRequest"},
		{"no password", "bob@contoso.onmicrosoft.com", "", "Request_BadRequest"},
		{"two kinds", "bob@contoso.onmicrosoft.com", "correct-horse", "Request_BadRequest"},
		{"own name", "robert@contoso.onmicrosoft.com", "Robert-Horse7", "Request_BadRequest"},
	} {
		_, err := p.dir.CreateUser(t.Context(), directory.UserSpec{
			TenantID: contoso.ID, User: directory.User{UPN: tt.upn, DisplayName: "x"}, Password: tt.password,
		})
		if got := code(err); got != tt.want {
			t.Errorf("%s: got %q (%v), want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestGroupsOf(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	alice := p.user(contoso, "alice")
	app := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon"})
	inner := p.group(contoso, "inner", alice.ObjectID, app.sp.ObjectID)
	outer := p.group(contoso, "outer", inner.ObjectID)
	if err := p.dir.AddMember(t.Context(), contoso.ID, inner.ObjectID, outer.ObjectID); err != nil { // a circle
		t.Fatal(err)
	}
	check := func(step, id string, want ...string) {
		t.Helper()
		got, err := p.dir.GroupsOf(t.Context(), contoso.ID, id)
		if err != nil {
			t.Fatal(err)
		}
		got = slices.Sorted(slices.Values(got))
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", step, diff)
		}
	}
	check("user", alice.ObjectID, inner.ObjectID, outer.ObjectID)
	check("service principal", strings.ToUpper(app.sp.ObjectID), inner.ObjectID, outer.ObjectID)
	check("group", inner.ObjectID, outer.ObjectID)
	check("nothing", "x")
	if err := p.dir.RemoveMember(t.Context(), contoso.ID, inner.ObjectID, alice.ObjectID); err != nil {
		t.Fatal(err)
	}
	check("removed", alice.ObjectID)
	check("the other stays", app.sp.ObjectID, inner.ObjectID, outer.ObjectID)

	stranger := p.user(fabrikam, "mallory")
	for _, tt := range []struct{ name, group, member, want string }{
		{"another tenant's user", inner.ObjectID, stranger.ObjectID, "Request_ResourceNotFound"},
		{"an application", inner.ObjectID, app.ObjectID, "Request_ResourceNotFound"},
		{"itself", inner.ObjectID, inner.ObjectID, "Request_BadRequest"},
		{"twice", inner.ObjectID, app.sp.ObjectID, "Request_BadRequest"},
		{"no such group", alice.ObjectID, app.sp.ObjectID, "Request_ResourceNotFound"},
	} {
		if got := code(p.dir.AddMember(t.Context(), contoso.ID, tt.group, tt.member)); got != tt.want {
			t.Errorf("add %s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := code(p.dir.RemoveMember(t.Context(), contoso.ID, inner.ObjectID, alice.ObjectID)); got != "Request_ResourceNotFound" {
		t.Errorf("remove twice: %q", got)
	}
	for id, want := range map[string]directory.ObjectKind{alice.ObjectID: "user", inner.ObjectID: "group", app.sp.ObjectID: "servicePrincipal", app.ObjectID: "", stranger.ObjectID: "user"} {
		o, err := p.dir.FindPrincipal(t.Context(), id)
		if err != nil || (o == nil) != (want == "") || o != nil && o.Kind != want {
			t.Errorf("FindPrincipal %s: %+v, %v, want %q", id, o, err, want)
		}
	}
}
