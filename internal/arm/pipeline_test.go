package arm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// The fixed order of checks: what a caller is told depends on what it may know.
func TestCheckOrder(t *testing.T) {
	f := newPlane(t)
	f.assign(f.group("rg1"), rbac.ReaderID, "reader")
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.group("locked"), `{"location":"westeurope"}`, 201)
	lockedThing := f.group("locked") + "/providers/Test.Things/things/t9"
	f.ok("owner", "PUT", lockedThing, `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.group("locked")+"/providers/Microsoft.Authorization/locks/l1", `{"properties":{"level":"ReadOnly"}}`, 201)
	nowhere := "/subscriptions/" + ids.New() + "/resourceGroups/rg1/providers/Test.Things/things/t1"
	for _, tt := range []struct {
		name, who, method, path, body string
		status                        int
		code                          string
	}{
		{"no version before no token", "", "GET", f.thing("t1") + "?", "", 400, "MissingApiVersionParameter"},
		{"old version", "", "GET", f.thing("t1") + "?api-version=2019-01-01", "", 400, "NoRegisteredProviderFound"},
		{"no token", "", "GET", f.thing("t1"), "", 401, "AuthenticationFailed"},
		{"forged token", "nobody", "GET", f.thing("t1"), "", 401, "InvalidAuthenticationToken"},
		{"wrong audience", "vault", "GET", f.thing("t1"), "", 401, "InvalidAuthenticationTokenAudience"},
		{"stranger, what exists", "stranger", "GET", f.thing("t1"), "", 403, "AuthorizationFailed"},
		{"stranger, what does not", "stranger", "GET", f.thing("t2"), "", 403, "AuthorizationFailed"},
		{"stranger, no such subscription", "stranger", "GET", nowhere, "", 403, "AuthorizationFailed"},
		{"owner, no such subscription", "owner", "GET", nowhere, "", 403, "AuthorizationFailed"},
		{"reader reads", "reader", "GET", f.thing("t1"), "", 200, ""},
		{"reader, absent", "reader", "GET", f.thing("t2"), "", 404, "ResourceNotFound"},
		{"reader writes, body unread", "reader", "PUT", f.thing("t1"), "{{{", 403, "AuthorizationFailed"},
		{"reader takes keys", "reader", "POST", f.thing("t1") + "/listKeys", "", 403, "AuthorizationFailed"},
		{"no group", "owner", "PUT", f.group("rg2") + "/providers/Test.Things/things/t1", "{{{", 404, "ResourceGroupNotFound"},
		{"no parent", "owner", "PUT", f.thing("t2") + "/parts/p1", "{{{", 404, "ParentResourceNotFound"},
		{"locked before body", "owner", "PUT", lockedThing, "{{{", 409, "ScopeLocked"},
		{"locked action", "owner", "POST", lockedThing + "/listKeys", "", 409, "ScopeLocked"},
		{"locked reads", "owner", "GET", lockedThing, "", 200, ""},
		{"body", "owner", "PUT", f.thing("t1"), "{{{", 400, "InvalidRequestContent"},
		{"empty body", "owner", "PUT", f.thing("t1"), "", 400, "InvalidRequestContent"},
		{"location", "owner", "PUT", f.thing("t2"), `{}`, 400, "LocationRequired"},
		{"location moved", "owner", "PUT", f.thing("t1"), `{"location":"eastus"}`, 409, "InvalidResourceLocation"},
		{"unknown namespace", "owner", "GET", f.group("rg1") + "/providers/No.Such/things/x", "", 404, "InvalidResourceNamespace"},
		{"unknown type", "owner", "GET", f.group("rg1") + "/providers/Test.Things/others/x", "", 404, "InvalidResourceType"},
		{"unknown type, no token", "", "GET", f.group("rg1") + "/providers/Test.Things/others/x", "", 401, "AuthenticationFailed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, out := f.do(tt.who, tt.method, tt.path, tt.body)
			if status != tt.status || code(out) != tt.code {
				t.Errorf("%s %s = %d %s, want %d %s: %v", tt.method, tt.path, status, code(out), tt.status, tt.code, out)
			}
		})
	}
}

func TestLifeCycle(t *testing.T) {
	f := newPlane(t)
	got := f.ok("owner", "PUT", strings.ToUpper(f.group("rg1"))+"/providers/test.things//THINGS/T1/",
		`{location:'West Europe', // a comment
		"tags":{"a":"1"},"properties":{"x":1,"y":{"z":2}}}`, 201)
	if got["id"] != f.group("RG1")+"/providers/Test.Things/things/T1" && got["name"] != "T1" {
		t.Errorf("created %v", got)
	}
	if got["location"] != "westeurope" {
		t.Errorf("location %v, want westeurope", got["location"])
	}
	tag, _ := got["etag"].(string)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 412, "If-Match", `"other"`)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 412, "If-None-Match", "*")
	got = f.ok("owner", "PATCH", f.thing("t1"), `{"tags":{"b":"2"},"properties":{"Y":{"w":3},"x":null}}`, 200, "If-Match", `"`+tag+`"`)
	if s := fmt.Sprint(got["tags"], got["properties"]); s != "map[b:2] map[y:map[w:3 z:2]]" {
		t.Errorf("after PATCH: %s", s)
	}
	f.ok("owner", "PUT", f.thing("t1")+"/parts/p1", `{"properties":{"n":1}}`, 201)
	list := f.ok("owner", "GET", f.group("rg1")+"/providers/Test.Things/things", "", 200)
	if n := len(list["value"].([]any)); n != 1 {
		t.Errorf("list of things has %d, want 1 (children are not among them)", n)
	}
	if n := len(f.ok("owner", "GET", f.thing("t1")+"/parts", "", 200)["value"].([]any)); n != 1 {
		t.Errorf("list of parts has %d, want 1", n)
	}
	f.ok("owner", "DELETE", f.thing("t1"), "", 200)
	f.ok("owner", "DELETE", f.thing("t1"), "", 204)
	f.ok("owner", "GET", f.thing("t1")+"/parts/p1", "", 404)
	if want := "[T1 false->true T1 true->true T1 true->false]"; fmt.Sprint(f.applied) != want {
		t.Errorf("effects %v, want %s", f.applied, want)
	}
	for range 2 { // the name is free again
		f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
		f.ok("owner", "DELETE", f.thing("t1"), "", 200)
	}
}

func TestHostName_TakenOnce(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("same"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	other := f.group("rg2") + "/providers/Test.Things/things/same"
	f.ok("owner", "PUT", other, `{"location":"westeurope"}`, 409)
	f.ok("owner", "GET", other, "", 404)
	e, err := f.p.deps.Names.Lookup(t.Context(), wire.HostVault, "same")
	if err != nil || !e.Served() || !strings.EqualFold(e.ResourceID, f.thing("same")) {
		t.Errorf("name belongs to %+v, %v", e, err)
	}
}

func TestGroupDelete_TakesMembersAndTheirRows(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`, 201)
	f.ok("owner", "PUT", f.thing("t1")+"/parts/p1", `{"properties":{}}`, 201)
	f.assign(f.thing("t1"), rbac.ReaderID, "reader")
	lockPath := f.thing("t1") + "/providers/Microsoft.Authorization/locks/l1"
	f.ok("owner", "PUT", lockPath, `{"properties":{"level":"CanNotDelete"}}`, 201)
	status, out := f.do("owner", "DELETE", f.group("rg1"), "")
	if status != 409 || code(out) != "ScopeLocked" {
		t.Fatalf("deleting a group around a lock = %d %v, want 409 ScopeLocked", status, out)
	}
	f.ok("owner", "DELETE", lockPath, "", 200)
	f.ok("owner", "DELETE", f.group("rg1"), "", 200)
	f.ok("owner", "GET", f.group("rg1"), "", 404)
	if len(f.dir.have) != 0 {
		t.Errorf("managed identities left: %v", f.dir.have)
	}
	for _, tag := range []string{"s|test|", tagAssignment + strings.ToLower(f.group("rg1")), tagResource + strings.ToLower(f.group("rg1"))} {
		err := f.st.View(t.Context(), subShard(f.sub), func(s store.Snapshot) error {
			return s.Scan(store.Prefix([]byte(tag)), func(k, _ []byte) bool { t.Errorf("row left: %s", k); return true })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.ok("owner", "PUT", f.group("rg1"), `{"location":"eastus"}`, 201)
	f.ok("reader", "GET", f.thing("t1"), "", 403)
}

// A principal of another tenant gets a role on one resource and nothing else.
func TestAssignment_AcrossTenants(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.thing("t2"), `{"location":"westeurope"}`, 201)
	f.ok("foreign", "POST", f.thing("t1")+"/listKeys", "", 403)
	path := f.assign(f.thing("t1"), rbac.ContributorID, "foreign")
	f.ok("foreign", "POST", f.thing("t1")+"/LISTKEYS", "", 200)
	f.ok("foreign", "POST", f.thing("t2")+"/listKeys", "", 403)
	if n := len(f.ok("foreign", "GET", f.group("rg1")+"/providers/Test.Things/things", "", 200)["value"].([]any)); n != 1 {
		t.Errorf("the foreign principal lists %d things, want the one it may read", n)
	}
	subs := f.ok("foreign", "GET", "/subscriptions", "", 200)["value"].([]any)
	if len(subs) != 1 || subs[0].(map[string]any)["tenantId"] != tenantA {
		t.Errorf("the foreign principal's subscriptions: %v", subs)
	}
	if n := len(f.ok("stranger", "GET", "/subscriptions", "", 200)["value"].([]any)); n != 0 {
		t.Errorf("a stranger sees %d subscriptions", n)
	}
	f.ok("owner", "DELETE", path, "", 200)
	f.ok("foreign", "POST", f.thing("t1")+"/listKeys", "", 403) // at once
}

func TestAssignment_Refusals(t *testing.T) {
	f := newPlane(t)
	at := f.group("rg1") + "/providers/Microsoft.Authorization/roleAssignments/"
	body := func(role, principal string) string {
		return fmt.Sprintf(`{"properties":{"roleDefinitionId":"x/%s","principalId":%q}}`, role, principal)
	}
	good := body(rbac.ReaderID, people["reader"].ObjectID)
	first := ids.New()
	for _, tt := range []struct {
		name, id, body string
		status         int
		code           string
	}{
		{"made", first, good, 201, ""},
		{"again the same", first, good, 200, ""},
		{"same content, other name", ids.New(), good, 409, "RoleAssignmentExists"},
		{"other content, same name", first, body(rbac.OwnerID, people["reader"].ObjectID), 409, "RoleAssignmentUpdateNotPermitted"},
		{"unknown principal", ids.New(), body(rbac.ReaderID, ids.New()), 400, "PrincipalNotFound"},
		{"unknown role", ids.New(), body(ids.New(), people["reader"].ObjectID), 404, "RoleDefinitionDoesNotExist"},
		{"not a GUID", "one", good, 400, "InvalidRoleAssignmentId"},
	} {
		status, out := f.do("owner", "PUT", at+tt.id, tt.body)
		if status != tt.status || code(out) != tt.code {
			t.Errorf("%s: %d %s, want %d %s", tt.name, status, code(out), tt.status, tt.code)
		}
	}
	if n := len(f.ok("owner", "GET", strings.TrimSuffix(at, "/")+"?api-version=2022-04-01&$filter=principalId%20eq%20'"+people["reader"].ObjectID+"'", "", 200)["value"].([]any)); n != 1 {
		t.Errorf("filter by principal finds %d, want 1", n)
	}
}

func TestDenyAssignment_BeatsTheOwner(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.assign(f.group("rg1"), rbac.ContributorID, "foreign")
	row, err := denialCodec.Encode(DenyAssignment{
		ID: "/d1", Name: ids.New(), Scope: f.group("rg1"), Principals: []string{rbac.Everyone}, Excluded: []string{people["foreign"].ObjectID},
		Permissions: []rbac.Permission{{Actions: []string{"*"}, NotActions: []string{"*/read"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.st.Update(t.Context(), subShard(f.sub), func(tx store.Tx) error {
		if err := tx.Put(scopedKey(tagDenial, strings.ToLower(f.group("rg1")), "d1"), row); err != nil {
			return err
		}
		return bumpVersion(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	f.ok("owner", "GET", f.thing("t1"), "", 200)
	if status, out := f.do("owner", "POST", f.thing("t1")+"/listKeys", ""); status != 403 || code(out) != "DenyAssignmentAuthorizationFailed" {
		t.Errorf("owner under a denial: %d %v", status, out)
	}
	f.ok("foreign", "POST", f.thing("t1")+"/listKeys", "", 200) // excluded
}

// An assignment removed while a write is under way stops that write: the commit reads it again.
func TestCommit_SeesARevocationMeanwhile(t *testing.T) {
	f := newPlane(t)
	path := f.assign(f.group("rg1"), rbac.ContributorID, "foreign")
	var once sync.Once
	f.onPut = func() {
		once.Do(func() { f.ok("owner", "DELETE", path, "", 200) })
	}
	status, out := f.do("foreign", "PUT", f.thing("t1"), `{"location":"westeurope"}`)
	if status != 403 || code(out) != "AuthorizationFailed" {
		t.Errorf("write after revocation = %d %v, want 403", status, out)
	}
	f.onPut = nil
	f.ok("owner", "GET", f.thing("t1"), "", 404)
}

// A lock set while a write is under way stops it, too; and a group deleted meanwhile leaves no orphan.
func TestCommit_SeesLockAndGroupMeanwhile(t *testing.T) {
	f := newPlane(t)
	var once sync.Once
	f.onPut = func() {
		once.Do(func() {
			f.ok("owner", "PUT", f.group("rg1")+"/providers/Microsoft.Authorization/locks/l1", `{"properties":{"level":"ReadOnly"}}`, 201)
		})
	}
	if status, out := f.do("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`); status != 409 || code(out) != "ScopeLocked" {
		t.Errorf("write under a new lock = %d %v", status, out)
	}
	f.onPut = nil
	f.ok("owner", "DELETE", f.group("rg1")+"/providers/Microsoft.Authorization/locks/l1", "", 200)
	var again sync.Once
	f.onPut = func() { again.Do(func() { f.ok("owner", "DELETE", f.group("rg1"), "", 200) }) }
	if status, out := f.do("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`); status != 404 || code(out) != "ResourceGroupNotFound" {
		t.Errorf("write into a deleted group = %d %v", status, out)
	}
}

func TestIdentity_LifeCycle(t *testing.T) {
	f := newPlane(t)
	principal := func(out map[string]any) string {
		block, _ := out["identity"].(map[string]any)
		s, _ := block["principalId"].(string)
		return s
	}
	first := principal(f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`, 201))
	if f.dir.have[first].ResourceID != f.thing("t1") {
		t.Fatalf("directory has %v, want %s", f.dir.have, first)
	}
	if same := principal(f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 200)); same != first {
		t.Errorf("a PUT without a block changed the principal from %s to %s", first, same)
	}
	f.ok("owner", "PATCH", f.thing("t1"), `{"identity":{"type":"None"}}`, 200)
	if len(f.dir.have) != 0 {
		t.Errorf("removed identity is still in the directory: %v", f.dir.have)
	}
	if second := principal(f.ok("owner", "PATCH", f.thing("t1"), `{"identity":{"type":"SystemAssigned"}}`, 200)); second == "" || second == first {
		t.Errorf("switched on again: principal %q, want a new one", second)
	}
	f.ok("owner", "DELETE", f.thing("t1"), "", 200)
	if len(f.dir.have) != 0 {
		t.Errorf("a deleted resource's identity is still in the directory: %v", f.dir.have)
	}
}

// What a crash between commit and effect left is made by the next drain.
func TestEffect_RedrivenAfterCrash(t *testing.T) {
	f := newPlane(t)
	f.dir.fail = errors.New("directory is away")
	if status, _ := f.do("owner", "PUT", f.thing("t1"), `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`); status < 500 {
		t.Fatalf("PUT with a failed effect = %d, want 5xx", status)
	}
	f.dir.fail = nil
	if err := f.drain.DrainAll(context.Background(), "sub/"); err != nil {
		t.Fatal(err)
	}
	if len(f.dir.have) != 1 {
		t.Errorf("identities after the redrive: %v, want one", f.dir.have)
	}
	e, err := f.p.deps.Names.Lookup(t.Context(), wire.HostVault, "t1")
	if err != nil || !e.Served() {
		t.Errorf("host name after the redrive: %+v, %v", e, err)
	}
}

func TestActivityLogAndAudit(t *testing.T) {
	f := newPlane(t)
	corr := ids.New()
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201, "x-ms-correlation-request-id", corr)
	log := f.ok("owner", "GET", "/subscriptions/"+f.sub+"/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter=correlationId%20eq%20'"+corr+"'", "", 200)
	events := log["value"].([]any)
	if len(events) != 1 {
		t.Fatalf("activity log has %d events of the write, want 1", len(events))
	}
	if op := events[0].(map[string]any)["operationName"].(map[string]any)["value"]; op != "Test.Things/things/write" {
		t.Errorf("operation %v", op)
	}
	f.clk.Advance(time.Second)
	f.clk.Advance(1) // a story is told in order of time
	f.ok("stranger", "GET", f.thing("t1"), "", 403, "x-ms-correlation-request-id", corr)
	if err := f.drain.DrainAll(t.Context(), "sub/"); err != nil {
		t.Fatal(err)
	}
	story, err := f.audit.Trace(t.Context(), corr)
	if err != nil || len(story) != 2 {
		t.Fatalf("trace has %d records, %v; want the write and the refusal", len(story), err)
	}
	if story[0].Status != 201 || !strings.Contains(story[0].AllowedBy, "role Owner") || story[1].Status != 403 {
		t.Errorf("story %+v", story)
	}
	if status, out := f.do("stranger", "GET", "/subscriptions/"+f.sub+"/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01", ""); status != 403 {
		t.Errorf("a stranger reads the activity log: %d %v", status, out)
	}
}

func TestLists(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope","tags":{"Env":"test"}}`, 201)
	f.ok("owner", "PUT", f.thing("t2"), `{"location":"westeurope"}`, 201)
	base := "/subscriptions/" + f.sub
	for _, tt := range []struct {
		path string
		want int
	}{
		{base + "/resources?api-version=2021-04-01", 2},
		{base + "/resources?api-version=2021-04-01&$filter=resourceType%20eq%20'test.things/THINGS'%20and%20name%20eq%20't1'", 1},
		{base + "/resources?api-version=2021-04-01&$filter=tagName%20eq%20'env'%20and%20tagValue%20eq%20'test'", 1},
		{base + "/resources?api-version=2021-04-01&$filter=substringof('2',name)", 1},
		{f.group("rg1") + "/resources?api-version=2021-04-01", 2},
		{base + "/resourcegroups?api-version=2021-04-01", 1},
		{base + "/providers?api-version=2021-04-01", 4},
		{base + "/locations?api-version=2021-04-01", len(locations)},
		{base + "/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01&$filter=roleName%20eq%20'Reader'", 1},
	} {
		if got := len(f.ok("owner", "GET", tt.path, "", 200)["value"].([]any)); got != tt.want {
			t.Errorf("%s has %d, want %d", tt.path, got, tt.want)
		}
	}
	if status, out := f.do("owner", "GET", base+"/resources?api-version=2021-04-01&$filter=nonsense", ""); status != 400 || code(out) != "InvalidFilterInQueryString" {
		t.Errorf("bad filter = %d %v", status, out)
	}
}
