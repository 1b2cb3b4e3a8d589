package arm

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// userIdentities stands for what services/identity makes of the type: the pipeline's business is only that the properties hold the ids.
var userIdentities = Type{
	Name: TypeUserIdentity, Versions: []string{"2018-11-30"},
	Put: func(_ context.Context, c *Call) error {
		c.New.Properties = raw(UserAssigned{PrincipalID: ids.New(), ClientID: ids.New()})
		if c.Old != nil {
			c.New.Properties = c.Old.Properties
		}
		return nil
	},
}

// userIdentity makes a user-assigned identity in a group and returns its resource id and what it is to a resource.
func (f *plane) userIdentity(group, name string) (id string, want map[string]any) {
	f.t.Helper()
	id = f.group(group) + "/providers/" + TypeUserIdentity + "/" + name
	out := f.ok("owner", "PUT", id, `{"location":"westeurope"}`, 201)
	return id, out["properties"].(map[string]any)
}

// block is the identity block of an answer: its type and the resource ids in it.
func block(out map[string]any) (kind string, users []string, whole map[string]any) {
	whole, _ = out["identity"].(map[string]any)
	kind, _ = whole["type"].(string)
	m, _ := whole["userAssignedIdentities"].(map[string]any)
	return kind, slices.Sorted(maps.Keys(m)), whole
}

func TestIdentity_UserAssigned(t *testing.T) {
	f := newPlane(t, userIdentities)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	a, idsOfA := f.userIdentity("rg1", "Uai-A")
	b, idsOfB := f.userIdentity("rg2", "uai-b")
	const (
		user   = "UserAssigned"
		both   = "SystemAssigned, UserAssigned"
		system = "SystemAssigned"
	)
	principal := ""
	for _, step := range []struct {
		method, identity string
		kind             string
		users            []string
	}{
		{"PUT", `{"type":"UserAssigned","userAssignedIdentities":{"` + a + `":{}}}`, user, []string{a}},
		{"PATCH", `{"type":"UserAssigned","userAssignedIdentities":{"` + strings.ToUpper(b) + `":{}}}`, user, []string{a, b}},
		{"PATCH", `{"type":"userassigned,SYSTEMASSIGNED"}`, both, []string{a, b}},
		{"PATCH", `{"userAssignedIdentities":{"` + strings.ToLower(a) + `":null}}`, both, []string{b}},
		{"PATCH", `{"userAssignedIdentities":{"` + b + `":null,"` + a + `":{"clientId":"x","principalId":"y"}}}`, both, []string{a}},
		{"PATCH", `{"type":"SystemAssigned , UserAssigned","userAssignedIdentities":{"` + b + `":{}}}`, both, []string{a, b}},
		{"PUT", `{"type":"SystemAssigned,UserAssigned","userAssignedIdentities":{"` + b + `":{},"` + a + `":null}}`, both, []string{b}},
		{"PATCH", `{"type":"UserAssigned"}`, user, []string{b}},
		{"PATCH", `{"userAssignedIdentities":{"` + b + `":null}}`, "", nil},
		{"PATCH", `{"userAssignedIdentities":{"` + a + `":{}}}`, user, []string{a}},
		{"PATCH", `{"type":"SystemAssigned"}`, system, nil},
		{"PATCH", `{"type":"SystemAssigned, UserAssigned","userAssignedIdentities":{"` + a + `":{}}}`, both, []string{a}},
		{"PATCH", `{"type":"None"}`, "", nil},
		{"PATCH", `{"type":"UserAssigned","userAssignedIdentities":{"` + a + `":{}}}`, user, []string{a}},
		{"PATCH", `null`, "", nil},
	} {
		status := 200
		if principal == "" && step.method == "PUT" {
			status, principal = 201, "-"
		}
		out := f.ok("owner", step.method, f.thing("t1"), `{"location":"westeurope","identity":`+step.identity+`}`, status)
		kind, users, whole := block(out)
		if kind != step.kind || !slices.Equal(users, step.users) {
			t.Fatalf("%s %s = %s %v, want %s %v", step.method, step.identity, kind, users, step.kind, step.users)
		}
		for _, id := range users {
			want := map[string]map[string]any{a: idsOfA, b: idsOfB}[id]
			if got := whole["userAssignedIdentities"].(map[string]any)[id]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: ids of %s are %v, want %v", step.identity, id, got, want)
			}
		}
		if (whole["principalId"] != nil) != strings.HasPrefix(kind, system) || (whole["tenantId"] != nil) != (whole["principalId"] != nil) {
			t.Errorf("%s: block %v", step.identity, whole)
		}
		// What the answer says is what is stored, and a write without a block leaves it.
		again, kept, _ := block(f.ok("owner", "PATCH", f.thing("t1"), `{"tags":{}}`, 200))
		if again != kind || !slices.Equal(kept, users) {
			t.Errorf("%s: after another change the block is %s %v", step.identity, again, kept)
		}
		if alive := len(f.dir.have); alive > 1 || (alive == 1) != strings.HasPrefix(kind, system) {
			t.Errorf("%s: the directory has %v", step.identity, f.dir.have)
		}
	}
	_, users, _ := block(f.ok("owner", "GET", f.thing("t1"), "", 200))
	if len(users) != 0 {
		t.Errorf("at the end: %v", users)
	}
}

func TestIdentity_Refused(t *testing.T) {
	f := newPlane(t, userIdentities)
	a, _ := f.userIdentity("rg1", "uai-a")
	gone := f.group("rg1") + "/providers/" + TypeUserIdentity + "/gone"
	for _, c := range []struct {
		identity string
		status   int
		code     string
	}{
		{`{"type":"UserAssigned"}`, 400, "MissingIdentityIds"},
		{`{"type":"UserAssigned","userAssignedIdentities":{}}`, 400, "MissingIdentityIds"},
		{`{"type":"SystemAssigned","userAssignedIdentities":{"` + a + `":{}}}`, 400, "InvalidIdentityType"},
		{`{"type":"None","userAssignedIdentities":{"` + a + `":{}}}`, 400, "InvalidIdentityType"},
		{`{"type":"None, UserAssigned"}`, 400, "InvalidIdentityType"},
		{`{"userAssignedIdentities":{"` + a + `":{}}}`, 400, "InvalidIdentityType"},
		{`{"type":"UserAssigned","userAssignedIdentities":["` + a + `"]}`, 400, "InvalidRequestContent"},
		{`{"type":"UserAssigned","userAssignedIdentities":{"` + a + `":1}}`, 400, "InvalidRequestContent"},
		{`{"type":"UserAssigned","userAssignedIdentities":{"uai-a":{}}}`, 400, "LinkedInvalidPropertyId"},
		{`{"type":"UserAssigned","userAssignedIdentities":{"` + f.thing("t9") + `":{}}}`, 400, "LinkedInvalidPropertyId"},
		{`{"type":"UserAssigned","userAssignedIdentities":{"` + a + `/x/y":{}}}`, 400, "LinkedInvalidPropertyId"},
		{`{"type":"UserAssigned","userAssignedIdentities":{"` + gone + `":{}}}`, 400, "FailedIdentityOperation"},
		{`{"type":"UserAssigned","userAssignedIdentities":{"/subscriptions/99999999-0000-0000-0000-000000000000/resourceGroups/rg/providers/` + TypeUserIdentity + `/u":{}}}`, 403, "LinkedAuthorizationFailed"},
		{`[]`, 400, "InvalidRequestContent"},
	} {
		if status, out := f.do("owner", "PUT", f.thing("t1"), `{"location":"westeurope","identity":`+c.identity+`}`); status != c.status || code(out) != c.code {
			t.Errorf("%s = %d %v, want %d %s", c.identity, status, out, c.status, c.code)
		}
	}
	f.ok("owner", "GET", f.thing("t1"), "", 404)
}

// To write a resource is not to give it an identity: that takes the permission to assign, on the identity.
func TestIdentity_AssignPermission(t *testing.T) {
	const operator, websites = "f1a07417-d97a-45cb-824c-7a7467783830", rbac.ContributorID
	f := newPlane(t, userIdentities)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	a, _ := f.userIdentity("rg2", "uai-a")
	f.assign(f.group("rg1"), websites, "foreign")
	body := `{"location":"westeurope","identity":{"type":"UserAssigned","userAssignedIdentities":{"` + a + `":{}}}}`
	missing := strings.Replace(body, "uai-a", "none", 1)

	status, out := f.do("foreign", "PUT", f.thing("t1"), body)
	if status != 403 || code(out) != "LinkedAuthorizationFailed" {
		t.Fatalf("without the permission: %d %v", status, out)
	}
	_, other := f.do("foreign", "PUT", f.thing("t1"), missing)
	if said := strings.ReplaceAll(fmt.Sprint(other), "none", "uai-a"); said != fmt.Sprint(out) {
		t.Errorf("the refusal tells that the identity does not exist: %s, else %s", said, out)
	}
	path := f.assign(a, operator, "foreign")
	f.ok("foreign", "PUT", f.thing("t1"), body, 201)

	// A denial counts, in whichever of the two ways it is spelt.
	for i, action := range []string{TypeUserIdentity + "/assign/action", TypeUserIdentity + "/*/assign/action"} {
		name := fmt.Sprintf("5a0f2d31-62c1-4d7b-9a7d-3f0c8f1f6d0%d", i)
		f.deny(DenyAssignment{
			Name: name, Scope: f.group("rg2"), Principals: []string{people["foreign"].ObjectID},
			Permissions: []rbac.Permission{{Actions: []string{action}}},
		})
		if status, out := f.do("foreign", "PUT", f.thing("t1"), body); status != 403 || code(out) != "LinkedAuthorizationFailed" {
			t.Errorf("denied by %s: %d %v", action, status, out)
		}
		f.undeny(f.group("rg2"), name)
	}
	f.ok("foreign", "PUT", f.thing("t1"), body, 200)
	f.ok("owner", "DELETE", path, "", 200)
	if status, _ := f.do("foreign", "PUT", f.thing("t1"), body); status != 403 {
		t.Errorf("after the role was removed: %d, want 403", status)
	}
	// To take one away needs nothing but the resource.
	f.ok("foreign", "PATCH", f.thing("t1"), `{"identity":{"type":"None"}}`, 200)
}

func TestIdentity_OtherTenant(t *testing.T) {
	f := newPlane(t, userIdentities)
	a, _ := f.userIdentity("rg1", "uai-a")
	sub, err := f.p.CreateSubscription(t.Context(), tenantB, "Other", people["owner"].ObjectID)
	if err != nil {
		t.Fatal(err)
	}
	group := "/subscriptions/" + sub + "/resourceGroups/rg"
	f.ok("owner", "PUT", group, `{"location":"westeurope"}`, 201)
	body := `{"location":"westeurope","identity":{"type":"UserAssigned","userAssignedIdentities":{"` + a + `":{}}}}`
	if status, out := f.do("owner", "PUT", group+"/providers/Test.Things/things/t1", body); status != 403 || code(out) != "LinkedAuthorizationFailed" {
		t.Errorf("identity of another tenant: %d %v", status, out)
	}
	// Another subscription of the same tenant is fine.
	if sub, err = f.p.CreateSubscription(t.Context(), tenantA, "Third", people["owner"].ObjectID); err != nil {
		t.Fatal(err)
	}
	group = "/subscriptions/" + sub + "/resourceGroups/rg"
	f.ok("owner", "PUT", group, `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", group+"/providers/Test.Things/things/t1", body, 201)
}

// A deleted identity leaves its name behind. One made anew under that name is another, until it is assigned again.
func TestIdentity_Dangles(t *testing.T) {
	f := newPlane(t, userIdentities)
	a, _ := f.userIdentity("rg1", "uai-a")
	body := `{"identity":{"type":"UserAssigned","userAssignedIdentities":{"` + a + `":{}}}}`
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope",`+body[1:], 201)
	alive := func(want bool) {
		t.Helper()
		r, _, err := f.p.Resource(t.Context(), f.thing("t1"))
		if err != nil {
			t.Fatal(err)
		}
		_, _, ok, err := UserIdentity(t.Context(), f.p, r, strings.ToUpper(a))
		if err != nil || ok != want {
			t.Errorf("the identity is alive: %v, %v, want %v", ok, err, want)
		}
		if _, users, _ := block(f.ok("owner", "GET", f.thing("t1"), "", 200)); len(users) != 1 {
			t.Errorf("the block names %v", users)
		}
	}
	alive(true)
	f.ok("owner", "DELETE", a, "", 200)
	alive(false)
	f.userIdentity("rg1", "uai-a")
	alive(false)
	f.ok("owner", "PATCH", f.thing("t1"), body, 200)
	alive(true)
}

func FuzzIdentityBlock(f *testing.F) {
	f.Add(`{"identity":{"type":"SystemAssigned, UserAssigned","userAssignedIdentities":{"/subscriptions/x":{},"b":null}}}`, true)
	f.Add(`{identity:{'TYPE':'none'}}`, false)
	f.Add(`{"identity":{"userAssignedIdentities":[]}}`, true)
	f.Fuzz(func(t *testing.T, body string, patch bool) {
		o, err := ParseObject([]byte(body))
		if err != nil {
			return
		}
		old := &Identity{PrincipalID: "p", UserAssigned: map[string]UserAssigned{"b": {}}}
		b, err := parseIdentityBlock(o.Object("identity"), old, patch)
		if err == nil && !patch && len(b.keep) > 0 {
			t.Errorf("a PUT keeps %v", b.keep)
		}
		if err == nil && len(b.keep) > 0 && !b.user {
			t.Errorf("keeps %v without the type", b.keep)
		}
	})
}
