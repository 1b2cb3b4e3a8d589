package arm

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func (f *plane) defineRole(who, id, name string, want int, actions string, scopes ...string) map[string]any {
	f.t.Helper()
	return f.ok(who, "PUT", scopes[0]+"/providers/Microsoft.Authorization/roleDefinitions/"+id,
		fmt.Sprintf(`{"properties":{"roleName":%q,"permissions":[{"actions":[%q]}],"assignableScopes":["%s"]}}`, name, actions, strings.Join(scopes, `","`)), want)
}

// A custom role's change is there at the next call, and a role made anew with an id that was used before gives nothing to who had the earlier one.
func TestCustomRole_Prompt(t *testing.T) {
	f := newPlane(t)
	sub := "/subscriptions/" + f.sub
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	id := ids.New()
	f.defineRole("owner", id, "Things", 201, "Test.Things/things/read", sub)
	path := f.assign(f.group("rg1"), id, "reader")
	f.ok("reader", "GET", f.thing("t1"), "", 200)
	f.ok("reader", "POST", f.thing("t1")+"/listKeys", "", 403)
	f.defineRole("owner", id, "Things", 201, "Test.Things/things/listKeys/action", sub)
	f.ok("reader", "GET", f.thing("t1"), "", 403)
	f.ok("reader", "POST", f.thing("t1")+"/listKeys", "", 200)
	f.ok("owner", "DELETE", sub+"/providers/Microsoft.Authorization/roleDefinitions/"+id, "", 400)
	f.ok("owner", "DELETE", path, "", 200)
	f.ok("reader", "POST", f.thing("t1")+"/listKeys", "", 403)

	// An assignment that raced the role's deletion.
	key := f.customRole(id).Key
	f.ok("owner", "DELETE", sub+"/providers/Microsoft.Authorization/roleDefinitions/"+id, "", 200)
	f.late(assignment{Name: ids.New(), Scope: f.group("rg1"), RoleID: id, RoleKey: key, PrincipalID: people["reader"].ObjectID})
	f.ok("reader", "GET", f.thing("t1"), "", 403)
	f.defineRole("owner", id, "Things", 201, "*", sub)
	f.ok("reader", "GET", f.thing("t1"), "", 403)
}

func (f *plane) customRole(id string) *customRole {
	f.t.Helper()
	pol, err := f.p.policies.Get(f.t.Context(), tenantShard(tenantA), tenantShard(tenantA))
	if err != nil {
		f.t.Fatal(err)
	}
	return pol.customRole(id)
}

// late writes an assignment past all checks.
func (f *plane) late(a assignment) {
	f.t.Helper()
	row, err := assignmentCodec.Encode(a)
	if err != nil {
		f.t.Fatal(err)
	}
	f.put(subShard(f.sub), scopedKey(tagAssignment, strings.ToLower(a.Scope), a.Name), row)
}

// A custom role is written only by who may at each of its assignable scopes, and assigned only within them.
func TestCustomRole_Scopes(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	f.assign(f.group("rg1"), rbac.OwnerID, "foreign")
	f.assign(f.group("rg1"), rbac.OwnerID, "reader")
	id := ids.New()
	if out := f.defineRole("reader", id, "Wide", 403, "*/read", f.group("rg1"), f.group("rg2")); code(out) != "LinkedAuthorizationFailed" {
		t.Errorf("a role for a group the caller does not own: %v", out)
	}
	f.defineRole("reader", id, "Narrow", 201, "*/read", f.group("rg1"))
	if status, out := f.do("owner", "PUT", f.group("rg2")+"/providers/Microsoft.Authorization/roleAssignments/"+ids.New(),
		fmt.Sprintf(`{"properties":{"roleDefinitionId":%q,"principalId":%q}}`, id, people["reader"].ObjectID)); code(out) != "RoleDefinitionNotAssignableAtScope" {
		t.Errorf("assigned outside its scopes: %d %v", status, out)
	}
	f.assign(f.thing("t1")[:len(f.group("rg1"))], id, "stranger")
	// Its scopes can't be widened, nor the role be changed, by who may not at each.
	f.defineRole("owner", id, "Narrow", 201, "*/read", f.group("rg1"), f.group("rg2"))
	f.defineRole("reader", id, "Narrow", 403, "*", f.group("rg1"))
	other, err := f.p.CreateSubscription(t.Context(), tenantB, "Other", people["foreign"].ObjectID)
	if err != nil {
		t.Fatal(err)
	}
	if out := f.defineRole("foreign", ids.New(), "Across", 400, "*/read", f.group("rg1"), "/subscriptions/"+other); code(out) != "InvalidAssignableScopes" {
		t.Errorf("a scope of another tenant: %v", out)
	}
}

// Conditions are refused by name, at every scope.
func TestAssignment_Condition(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", managementGroupPath+"corp", `{}`, 200)
	for _, scope := range []string{f.group("rg1"), managementGroupPath + "corp"} {
		f.ok("owner", "PUT", scope+"/providers/Microsoft.Authorization/roleAssignments/"+ids.New(), fmt.Sprintf(
			`{"properties":{"roleDefinitionId":%q,"principalId":%q,"condition":"@Resource[x] StringEquals 'y'","conditionVersion":"2.0"}}`, rbac.ReaderID, people["reader"].ObjectID), 501)
	}
}

// The root of a tenant: an administrator of the directory takes it, and can then give roles there through the API.
func TestElevateAccess(t *testing.T) {
	f := newPlane(t)
	const root = "/providers/Microsoft.Authorization/roleAssignments/"
	body := fmt.Sprintf(`{"properties":{"roleDefinitionId":%q,"principalId":%q}}`, rbac.ReaderID, people["reader"].ObjectID)
	f.ok("owner", "PUT", root+ids.New(), body, 403)
	f.ok("reader", "POST", "/providers/Microsoft.Authorization/elevateAccess", "", 403)
	f.ok("owner", "POST", "/providers/Microsoft.Authorization/elevateAccess", "", 200)
	id := root + ids.New()
	f.ok("owner", "PUT", id, body, 201)
	f.ok("reader", "GET", f.group("rg1"), "", 200)
	f.ok("reader", "GET", managementGroupPath+tenantA, "", 200)
	f.ok("owner", "DELETE", id, "", 200)
	f.ok("reader", "GET", f.group("rg1"), "", 403)
}

// Whose management group gives a role, and to whom it does not.
func TestManagementGroups_Inheritance(t *testing.T) {
	f := newPlane(t)
	sub := "/subscriptions/" + f.sub
	for name, parent := range map[string]string{"corp": tenantA, "other": tenantA} {
		f.ok("owner", "PUT", managementGroupPath+name, fmt.Sprintf(`{"properties":{"details":{"parent":{"id":%q}}}}`, managementGroupPath+parent), 200)
	}
	f.ok("owner", "PUT", managementGroupPath+"apps", `{"properties":{"details":{"parent":{"id":"/providers/Microsoft.Management/managementGroups/corp"}}}}`, 200)
	f.assign(managementGroupPath+"corp", rbac.ReaderID, "reader")
	f.ok("reader", "GET", f.group("rg1"), "", 403)
	f.ok("owner", "PUT", managementGroupPath+"other/subscriptions/"+f.sub, "", 200)
	f.ok("reader", "GET", f.group("rg1"), "", 403)
	f.ok("owner", "PUT", managementGroupPath+"apps/subscriptions/"+f.sub, "", 200)
	f.ok("reader", "GET", f.group("rg1"), "", 200)
	f.ok("reader", "PUT", f.group("rg1"), `{"location":"westeurope"}`, 403)
	f.ok("reader", "GET", managementGroupPath+"apps", "", 200)
	f.ok("reader", "GET", managementGroupPath+"other", "", 403)
	if n := len(values(f.ok("reader", "GET", "/subscriptions", "", 200))); n != 1 {
		t.Errorf("the reader of a management group sees %d subscriptions, want 1", n)
	}
	// A list of assignments tells those inherited; one of the group's tells those below it.
	const filter = "?api-version=2022-04-01&$filter=principalId%20eq%20'"
	reader := people["reader"].ObjectID + "'"
	for scope, want := range map[string]int{f.group("rg1"): 1, sub: 1, managementGroupPath + "apps": 1, managementGroupPath + "other": 0, managementGroupPath + "corp": 1} {
		if n := len(values(f.ok("owner", "GET", scope+"/providers/Microsoft.Authorization/roleAssignments"+filter+reader, "", 200))); n != want {
			t.Errorf("assignments listed at %s: got %d, want %d", scope, n, want)
		}
	}
	// Who has a role in the group but not in the subscription can't take it away, and the other way round.
	f.assign(managementGroupPath+"corp", rbac.ContributorID, "stranger")
	f.ok("stranger", "PUT", managementGroupPath+"corp/subscriptions/"+f.sub, "", 403)
	f.assign(sub, rbac.OwnerID, "foreign")
	f.ok("foreign", "PUT", managementGroupPath+"other/subscriptions/"+f.sub, "", 403)
	// Another tenant's groups of the same name are others.
	f.ok("foreign", "PUT", managementGroupPath+"corp", `{}`, 200)
	f.ok("foreign", "PUT", managementGroupPath+"corp/subscriptions/"+f.sub, "", 400)
	f.ok("reader", "GET", f.group("rg1"), "", 200)
	// A group that moves takes what it inherits along.
	f.ok("owner", "PATCH", managementGroupPath+"apps", fmt.Sprintf(`{"parentGroupId":%q}`, managementGroupPath+"other"), 200)
	f.ok("reader", "GET", f.group("rg1"), "", 403)
	if status, out := f.do("owner", "PUT", managementGroupPath+"nowhere/providers/Microsoft.Authorization/roleAssignments/"+ids.New(),
		fmt.Sprintf(`{"properties":{"roleDefinitionId":%q,"principalId":%q}}`, rbac.ReaderID, people["reader"].ObjectID)); status != 403 {
		t.Errorf("assigned at a group that is not there: %d %v", status, out)
	}
	deep := managementGroupPath + "other"
	for i := range maxGroupDepth {
		name := fmt.Sprintf("%sdeep%d", managementGroupPath, i)
		want := 200
		if i == maxGroupDepth-1 {
			want = 400
		}
		f.ok("owner", "PUT", name, fmt.Sprintf(`{"properties":{"details":{"parent":{"id":%q}}}}`, deep), want)
		deep = name
	}
}

// Tokens of the auxiliary header count for what a request is linked to, and for nothing else.
func TestAuxiliaryTokens(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.assign(f.group("rg1"), rbac.OwnerID, "reader")
	f.assign(f.group("rg2"), rbac.OwnerID, "foreign")
	body := fmt.Sprintf(`{"resources":[%q],"targetResourceGroup":%q}`, f.thing("t1"), f.group("rg2"))
	path := f.group("rg1") + "/validateMoveResources"
	if out := f.ok("reader", "POST", path, body, 403); code(out) != "LinkedAuthorizationFailed" {
		t.Errorf("without: %v", out)
	}
	f.ok("reader", "POST", path, body, 204, auxiliaryHeader, "Bearer foreign")
	f.ok("reader", "POST", path, body, 204, auxiliaryHeader, "Bearer stranger, Bearer foreign")
	f.ok("stranger", "POST", path, body, 403, auxiliaryHeader, "Bearer reader, Bearer foreign")
	f.ok("reader", "POST", path, body, 401, auxiliaryHeader, "Bearer forged")
	f.ok("reader", "POST", path, body, 401, auxiliaryHeader, "Bearer vault")
	f.ok("reader", "POST", path, body, 401, auxiliaryHeader, "foreign")
	f.ok("reader", "POST", path, body, 400, auxiliaryHeader, "Bearer foreign,Bearer foreign,Bearer foreign,Bearer foreign")
	f.ok("reader", "GET", f.group("rg2"), "", 403, auxiliaryHeader, "Bearer foreign")
}

func TestMoveResources(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.group("Rg2"), `{"location":"westeurope"}`, 201)
	to := f.group("Rg2")
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope","properties":{"a":1}}`, 201)
	f.ok("owner", "PUT", f.thing("t1")+"/parts/p1", `{"properties":{"n":1}}`, 201)
	f.ok("owner", "PUT", f.thing("t10"), `{"location":"westeurope"}`, 201)
	f.assign(f.thing("t1"), rbac.ReaderID, "reader")
	f.ok("owner", "PUT", f.thing("t1")+"/providers/Microsoft.Authorization/locks/keep", `{"properties":{"level":"CanNotDelete"}}`, 201)
	move := func(want int, target string, ids ...string) map[string]any {
		t.Helper()
		return f.ok("owner", "POST", f.group("rg1")+"/moveResources", fmt.Sprintf(`{"resources":["%s"],"targetResourceGroup":%q}`, strings.Join(ids, `","`), target), want)
	}
	fixed := f.group("rg1") + "/providers/Test.Things/fixed/x"
	f.ok("owner", "PUT", fixed, `{"location":"westeurope"}`, 201)
	for _, tt := range []struct {
		code string
		out  map[string]any
	}{
		{"ResourceMoveProviderValidationFailed", move(409, to, f.thing("t1"), fixed)},
		{"ResourceNotFound", move(404, to, f.thing("nope"))},
		{"ResourceGroupNotFound", move(404, f.group("rg3"), f.thing("t1"))},
		{"InvalidMoveResourceRequest", move(400, f.group("rg1"), f.thing("t1"))},
		{"InvalidMoveResourceRequest", move(400, to, f.thing("t1")+"/parts/p1")},
		{"InvalidMoveResourceRequest", move(400, to, to+"/providers/Test.Things/things/t1")},
	} {
		if code(tt.out) != tt.code {
			t.Errorf("got %v, want %s", tt.out, tt.code)
		}
	}
	f.ok("owner", "PUT", to+"/providers/Microsoft.Authorization/locks/ro", `{"properties":{"level":"ReadOnly"}}`, 201)
	if out := move(409, to, f.thing("t1")); code(out) != "ScopeLocked" {
		t.Errorf("into a group that is ReadOnly: %v", out)
	}
	f.ok("owner", "DELETE", to+"/providers/Microsoft.Authorization/locks/ro", "", 200)

	before := f.ok("owner", "GET", f.thing("t1"), "", 200)
	move(204, to, f.thing("t1"))
	moved := to + "/providers/Test.Things/things/t1"
	f.ok("owner", "GET", f.thing("t1"), "", 404)
	f.ok("owner", "GET", f.thing("t10"), "", 200) // whose id begins with the moved one's
	after := f.ok("owner", "GET", moved, "", 200)
	if after["id"] != moved || fmt.Sprint(after["properties"]) != fmt.Sprint(before["properties"]) || after["etag"] == before["etag"] {
		t.Errorf("moved: %v, before: %v", after, before)
	}
	f.ok("owner", "GET", moved+"/parts/p1", "", 200)
	if e, err := f.p.deps.Names.Lookup(t.Context(), wire.HostVault, "t1"); err != nil || e == nil || e.ResourceID != moved || !e.Served() {
		t.Errorf("the host name stands for %+v, %v", e, err)
	}
	// The lock went along, the role did not.
	if out := f.ok("owner", "DELETE", moved, "", 409); code(out) != "ScopeLocked" {
		t.Errorf("the lock of the moved resource: %v", out)
	}
	f.ok("reader", "GET", moved, "", 403)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 409) // the name is still the moved one's
}

// An effect that always fails holds up its own resource; the subscription goes on, and the operator sees what waits.
func TestEffectParked(t *testing.T) {
	f := newPlane(t)
	f.dir.fail = errors.New("no directory")
	if out := f.ok("owner", "PUT", f.thing("bad"), `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`, 503); code(out) != "ChangeNotYetEffective" {
		t.Errorf("the failing write: %v", out)
	}
	f.ok("owner", "PUT", f.thing("good"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PATCH", f.thing("bad"), `{"tags":{"a":"1"}}`, 503) // behind the first
	w := httptest.NewRecorder()
	f.mux.For(wire.HostAdmin).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/outbox", nil))
	if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, "no directory") || !strings.Contains(body, strings.ToLower(f.thing("bad"))) {
		t.Errorf("what the operator sees: %d %s", w.Code, body)
	}
	f.dir.fail = nil
	f.clk.Advance(time.Hour)
	if err := f.drain.Drain(t.Context(), subShard(f.sub)); err != nil {
		t.Fatal(err)
	}
	if pending, err := f.drain.Pending(t.Context(), subShard(f.sub)); pending || err != nil {
		t.Errorf("after the directory is back: pending %v, %v", pending, err)
	}
	if n := len(f.dir.have); n != 1 {
		t.Errorf("%d identities, want 1", n)
	}
}

func TestDenyAssignments_Filters(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	all := rbac.Permission{Actions: []string{"*/delete"}}
	one, two := ids.New(), ids.New()
	f.deny(DenyAssignment{Name: one, DisplayName: "one", Scope: f.group("rg1"), Principals: []string{rbac.Everyone}, Excluded: []string{people["foreign"].ObjectID}, Permissions: []rbac.Permission{all}})
	f.deny(DenyAssignment{Name: two, DisplayName: "two", Scope: f.thing("t1"), Principals: []string{people["foreign"].ObjectID}, Permissions: []rbac.Permission{all}})
	for _, tt := range []struct {
		scope, filter string
		want          int
	}{
		{f.group("rg1"), "", 2},
		{f.group("rg1"), "atScope()", 1},
		{f.thing("t1"), "atScope()", 2},
		{f.group("rg1"), "denyAssignmentName eq 'TWO'", 1},
		{f.group("rg1"), "principalId eq '" + people["foreign"].ObjectID + "'", 1},
		{f.group("rg1"), "assignedTo('" + people["reader"].ObjectID + "')", 1},
		{f.group("rg2"), "", 0},
	} {
		path := tt.scope + "/providers/Microsoft.Authorization/denyAssignments?api-version=2022-04-01&$filter=" + strings.ReplaceAll(tt.filter, " ", "%20")
		if n := len(values(f.ok("owner", "GET", path, "", 200))); n != tt.want {
			t.Errorf("%s with %q lists %d, want %d", tt.scope, tt.filter, n, tt.want)
		}
	}
	f.ok("owner", "GET", f.group("rg1")+"/providers/Microsoft.Authorization/denyAssignments/"+one, "", 200)
	f.ok("owner", "GET", f.group("rg1")+"/providers/Microsoft.Authorization/denyAssignments/"+two, "", 404)
}

// A custom role for a management group is assignable in what is below it, and is listed there.
func TestCustomRole_ManagementGroup(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", managementGroupPath+"corp", `{}`, 200)
	f.ok("owner", "PUT", managementGroupPath+"corp/subscriptions/"+f.sub, "", 200)
	f.ok("owner", "PUT", managementGroupPath+"other", `{}`, 200)
	id := ids.New()
	f.defineRole("owner", id, "Corporate", 201, "*/read", managementGroupPath+"corp")
	path := f.assign(f.group("rg1"), id, "reader")
	f.ok("reader", "GET", f.group("rg1"), "", 200)
	listed := func(scope string) int {
		return len(values(f.ok("owner", "GET", scope+"/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01&$filter=type%20eq%20'CustomRole'", "", 200)))
	}
	if here, there := listed(f.group("rg1")), listed(managementGroupPath+"other"); here != 1 || there != 0 {
		t.Errorf("listed %d times below its scope and %d elsewhere, want 1 and 0", here, there)
	}
	for scopes, want := range map[string]string{
		managementGroupPath + "corp|" + managementGroupPath + "other": "InvalidAssignableScopes",
		managementGroupPath + "nowhere":                               "AuthorizationFailed",
		f.thing("t1"):                                                 "InvalidAssignableScopes",
		f.group("rg1") + "/providers/Test.Things/things":              "InvalidResourceId",
	} {
		list := strings.Split(scopes, "|")
		status, out := f.do("owner", "PUT", list[0]+"/providers/Microsoft.Authorization/roleDefinitions/"+ids.New(),
			fmt.Sprintf(`{"properties":{"roleName":"x","permissions":[{"actions":["*"]}],"assignableScopes":["%s"]}}`, strings.Join(list, `","`)))
		if code(out) != want {
			t.Errorf("assignable scopes %s: got %d %v, want %s", scopes, status, out, want)
		}
	}
	// A subscription that leaves the group takes the assignment along, as on Azure: it was made where it is.
	f.ok("owner", "DELETE", managementGroupPath+"corp/subscriptions/"+f.sub, "", 200)
	f.ok("reader", "GET", f.group("rg1"), "", 200)
	f.ok("owner", "DELETE", path, "", 200)
}

// Two creators of one management group: one makes it and owns it, the other is refused as a stranger to it.
func TestManagementGroups_Race(t *testing.T) {
	f := newPlane(t)
	for i := range 5 {
		path := fmt.Sprintf("%srace%d", managementGroupPath, i)
		results := make(chan int, 2)
		for _, who := range []string{"reader", "stranger"} {
			go func() { results <- f.answer(who, "PUT", path, `{}`).Code }()
		}
		a, b := <-results, <-results
		if min(a, b) != 200 || max(a, b) != 403 {
			t.Fatalf("two creators got %d and %d, want 200 and 403", a, b)
		}
		owners := 0
		for _, who := range []string{"reader", "stranger"} {
			if f.answer(who, "GET", path, "").Code == 200 {
				owners++
			}
		}
		if owners != 1 {
			t.Fatalf("%d owners of one group", owners)
		}
	}
}
