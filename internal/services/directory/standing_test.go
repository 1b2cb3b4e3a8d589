package directory_test

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

func TestStanding(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	contoso, fabrikam := p.tenant("Contoso"), p.tenant("Fabrikam")
	alice := p.user(contoso, "alice")
	app := p.app(directory.AppSpec{TenantID: contoso.ID, DisplayName: "daemon"})
	group := p.group(contoso, "group", alice.ObjectID)
	user := authn.Principal{Kind: authn.User, TenantID: contoso.ID, ObjectID: alice.ObjectID}
	daemon := authn.Principal{Kind: authn.ServicePrincipal, TenantID: contoso.ID, ObjectID: app.sp.ObjectID}
	check := func(step string, who authn.Principal, wantThere bool, wantGroups int) {
		t.Helper()
		groups, there, err := p.dir.Standing(t.Context(), &who)
		if err != nil || there != wantThere || there && len(groups) != wantGroups {
			t.Errorf("%s: got %v, %v, %v, want %v with %d groups", step, groups, there, err, wantThere, wantGroups)
		}
	}
	check("user", user, true, 1)
	check("service principal", daemon, true, 0)
	for _, kind := range []authn.Kind{authn.User, authn.ServicePrincipal, authn.ManagedIdentity} {
		check("a group is no caller", authn.Principal{Kind: kind, TenantID: contoso.ID, ObjectID: group.ObjectID}, false, 0)
		check("nothing", authn.Principal{Kind: kind, TenantID: contoso.ID, ObjectID: "99999999-0000-4000-8000-000000000000"}, false, 0)
	}
	elsewhere, mistaken := user, daemon
	elsewhere.TenantID, mistaken.Kind = fabrikam.ID, authn.User
	check("another tenant's user", elsewhere, false, 0)
	check("a service principal as a user", mistaken, false, 0)
	if err := p.dir.RemoveMember(t.Context(), contoso.ID, group.ObjectID, alice.ObjectID); err != nil {
		t.Fatal(err)
	}
	check("taken out", user, true, 0)
	if err := p.dir.DeleteApplication(t.Context(), contoso.ID, app.ObjectID); err != nil {
		t.Fatal(err)
	}
	check("deleted", daemon, false, 0)
	if _, err := p.dir.ChangeUser(t.Context(), contoso.ID, alice.ObjectID, func(u *directory.User) error { u.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	check("disabled", user, false, 0)
}

func BenchmarkStanding(b *testing.B) {
	p := newPlatform(b)
	contoso := p.tenant("Contoso")
	alice := p.user(contoso, "alice")
	p.group(contoso, "group", alice.ObjectID)
	who := authn.Principal{Kind: authn.User, TenantID: contoso.ID, ObjectID: alice.ObjectID}
	b.ReportAllocs()
	for b.Loop() {
		if _, there, err := p.dir.Standing(b.Context(), &who); err != nil || !there {
			b.Fatal(err)
		}
	}
}
