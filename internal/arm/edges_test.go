package arm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

func values(out map[string]any) []any {
	v, _ := out["value"].([]any)
	return v
}

// A group whose member refuses to go is as it was: nothing is gone, and it takes new members.
func TestGroupDelete_MemberRefuses(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.refuseDel = true
	f.ok("owner", "DELETE", f.group("rg1"), "", 500)
	f.refuseDel = false
	f.ok("owner", "GET", f.thing("t1"), "", 200)
	f.ok("owner", "PUT", f.thing("t2"), `{"location":"westeurope"}`, 201)
	if got := f.ok("owner", "GET", f.group("rg1"), "", 200)["properties"]; fmt.Sprint(got) != "map[provisioningState:Succeeded]" {
		t.Errorf("group: %v", got)
	}
	f.ok("owner", "DELETE", f.group("rg1"), "", 200)
}

// What is deleted with its own assignments changes the policy; the rest of the same deletion goes on nevertheless.
func TestGroupDelete_ManyMembersWithAssignments(t *testing.T) {
	f := newPlane(t)
	for i := range attempts + 3 {
		thing := f.thing(fmt.Sprintf("t%d", i))
		f.ok("owner", "PUT", thing, `{"location":"westeurope"}`, 201)
		f.assign(thing, rbac.ReaderID, "reader")
	}
	f.ok("owner", "DELETE", f.group("rg1"), "", 200)
	if n := len(values(f.ok("owner", "GET", "/subscriptions/"+f.sub+"/providers/Microsoft.Authorization/roleAssignments", "", 200))); n != 1 {
		t.Errorf("%d assignments are left, want the owner's", n)
	}
}

// The trace of a group's deletion has each of its members, and so has the activity log.
func TestGroupDelete_Audited(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.thing("t1")+"/parts/p1", `{}`, 201)
	f.ok("owner", "PUT", f.thing("t2"), `{"location":"westeurope"}`, 201)
	corr := ids.New()
	f.ok("owner", "DELETE", f.group("rg1"), "", 200, "x-ms-correlation-request-id", corr)
	story, err := f.audit.Trace(t.Context(), corr)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range story {
		got[strings.TrimPrefix(r.Resource, f.group("rg1"))] = r.Operation
	}
	want := map[string]string{
		"": typeGroup + "/delete", "/providers/Test.Things/things/t1": "Test.Things/things/delete", "/providers/Test.Things/things/t2": "Test.Things/things/delete",
		"/providers/Test.Things/things/t1/parts/p1": "Test.Things/things/parts/delete",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	path := "/subscriptions/" + f.sub + "/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter=correlationId%20eq%20'" + corr + "'"
	if n := len(values(f.ok("owner", "GET", path, "", 200))); n != len(want) {
		t.Errorf("activity log has %d events, want %d", n, len(want))
	}
}

// A deletion that failed half-way is recorded as what it was.
func TestGroupDelete_FailureAudited(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.thing("t1")+"/parts/p1", `{}`, 201)
	corr := ids.New()
	f.failDelete = errors.New("no")
	f.ok("owner", "DELETE", f.group("rg1"), "", 500, "x-ms-correlation-request-id", corr)
	story, err := f.audit.Trace(t.Context(), corr)
	if err != nil || len(story) != 2 {
		t.Fatalf("trace %+v, %v; want the part's deletion and the failure", story, err)
	}
	var statuses []int
	for _, r := range story {
		statuses = append(statuses, r.Status)
	}
	slices.Sort(statuses)
	if !slices.Equal(statuses, []int{200, 500}) {
		t.Errorf("statuses %v, want 200 and 500", statuses)
	}
	f.failDelete = nil
	f.ok("owner", "DELETE", f.group("rg1"), "", 200)
}

// A child made while its parent is being deleted does not outlive it.
func TestDelete_ChildMadeMeanwhile(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.thing("t1")+"/parts/p0", `{}`, 201)
	var once sync.Once
	f.onDeletePart = func() {
		once.Do(func() { f.ok("owner", "PUT", f.thing("t1")+"/parts/p1", `{}`, 201) })
	}
	f.ok("owner", "DELETE", f.thing("t1"), "", 200)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	if n := len(values(f.ok("owner", "GET", f.thing("t1")+"/parts", "", 200))); n != 0 {
		t.Errorf("%d parts outlived their parent", n)
	}
}

// A change whose effects fail is not lost, and its names stay its own.
func TestEffect_FailureKeepsNames(t *testing.T) {
	f := newPlane(t)
	f.dir.fail = errors.New("directory is away")
	status, out := f.do("owner", "PUT", f.thing("t1"), `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`)
	if status != 503 || code(out) != "ChangeNotYetEffective" {
		t.Fatalf("got %d %v, want 503 ChangeNotYetEffective", status, out)
	}
	e, err := f.p.deps.Names.Lookup(t.Context(), wire.HostVault, "t1")
	if err != nil || e == nil || e.Confirmed {
		t.Fatalf("name while the effect is due: %+v, %v; want reserved", e, err)
	}
	f.dir.fail = nil
	if err := f.drain.Drain(t.Context(), subShard(f.sub)); err != nil {
		t.Fatal(err)
	}
	if e, err = f.p.deps.Names.Lookup(t.Context(), wire.HostVault, "t1"); err != nil || !e.Served() {
		t.Errorf("name afterwards: %+v, %v; want served", e, err)
	}
}

// A refused write gives back the name it had reserved.
func TestHostName_ReleasedOnRefusal(t *testing.T) {
	f := newPlane(t)
	f.failCommit = errors.New("no")
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 500)
	f.failCommit = nil
	e, err := f.p.deps.Names.Lookup(t.Context(), wire.HostVault, "t1")
	if err != nil || e == nil || e.Confirmed {
		t.Errorf("after an error of unknown outcome: %+v, %v; want still reserved", e, err)
	}
	f.failCommit = noGroup("x")
	f.ok("owner", "PUT", f.thing("t2"), `{"location":"westeurope"}`, 404)
	if e, err := f.p.deps.Names.Lookup(t.Context(), wire.HostVault, "t2"); err != nil || e != nil {
		t.Errorf("after a refusal: %+v, %v; want free", e, err)
	}
}

// Who has a role on one group lists what is in it, also at the subscription, and nothing else.
func TestLists_ShowWhatMayBeRead(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.group("rg2")+"/providers/Test.Things/things/t2", `{"location":"westeurope"}`, 201)
	f.assign(f.group("rg1"), rbac.ReaderID, "reader")
	sub := "/subscriptions/" + f.sub
	for _, tt := range []struct {
		who, path string
		status, n int
	}{
		{"owner", sub + "/providers/Test.Things/things", 200, 2},
		{"reader", sub + "/providers/Test.Things/things", 200, 1},
		{"stranger", sub + "/providers/Test.Things/things", 403, 0},
		{"owner", sub + "/resourceGroups", 200, 2},
		{"reader", sub + "/resourceGroups", 200, 1},
		{"reader", f.group("rg1") + "/providers/Test.Things/things", 200, 1},
		// The same for a group that exists and one that does not.
		{"reader", f.group("rg2") + "/providers/Test.Things/things", 403, 0},
		{"reader", f.group("rg3") + "/providers/Test.Things/things", 403, 0},
		{"owner", f.group("rg3") + "/providers/Test.Things/things", 404, 0},
		{"reader", f.group("rg2") + "/resources", 200, 0},
		{"reader", f.group("rg3") + "/resources", 200, 0},
		{"owner", f.group("rg3") + "/resources", 404, 0},
		{"reader", sub + "/resources", 200, 1},
		{"reader", sub + "/providers/Microsoft.Authorization/locks", 200, 0},
		{"stranger", sub + "/resources", 403, 0},
	} {
		status, out := f.do(tt.who, "GET", tt.path, "")
		if status != tt.status || len(values(out)) != tt.n {
			t.Errorf("%s lists %s: %d with %d, want %d with %d", tt.who, tt.path, status, len(values(out)), tt.status, tt.n)
		}
	}
}

func TestLists_Paging(t *testing.T) {
	f := newPlane(t)
	for i := range 5 {
		f.ok("owner", "PUT", f.thing(fmt.Sprintf("t%d", i)), `{"location":"westeurope"}`, 201)
	}
	next, seen := f.group("rg1")+"/providers/Test.Things/things"+version+"&$top=2", []string{}
	for pages := 0; next != ""; pages++ {
		if pages == 4 {
			t.Fatal("no end of pages")
		}
		out := f.ok("owner", "GET", strings.TrimPrefix(next, "https://management.azure.com"), "", 200)
		for _, v := range values(out) {
			seen = append(seen, v.(map[string]any)["name"].(string))
		}
		next, _ = out["nextLink"].(string)
	}
	if fmt.Sprint(seen) != "[t0 t1 t2 t3 t4]" {
		t.Errorf("pages give %v", seen)
	}
	f.ok("owner", "GET", f.group("rg1")+"/providers/Test.Things/things"+version+"&$skiptoken=AAAA", "", 400)
	f.ok("owner", "GET", f.group("rg1")+"/providers/Test.Things/things"+version+"&$filter=foo%20eq%20'x'", "", 400)
}

func TestTenantScope(t *testing.T) {
	f := newPlane(t)
	// Nobody has a role at the root yet.
	f.ok("owner", "GET", "/providers/Microsoft.Authorization/roleAssignments", "", 403)
	if err := f.p.AssignRoot(t.Context(), tenantA, people["reader"].ObjectID, rbac.ReaderID); err != nil {
		t.Fatal(err)
	}
	out := f.ok("reader", "GET", "/providers/Microsoft.Authorization/roleAssignments", "", 200)
	list := values(out)
	if len(list) != 1 {
		t.Fatalf("root assignments: %v", out)
	}
	id := list[0].(map[string]any)["id"].(string)
	if !strings.HasPrefix(id, "/providers/Microsoft.Authorization/roleAssignments/") {
		t.Errorf("id %s", id)
	}
	f.ok("reader", "GET", id, "", 200)
	// It holds in every subscription of the tenant, and in no other's.
	f.ok("reader", "GET", f.group("rg1"), "", 200)
	f.ok("reader", "PUT", f.group("rg1"), `{"location":"westeurope"}`, 403)
	other, err := f.p.CreateSubscription(t.Context(), tenantB, "Other", people["foreign"].ObjectID)
	if err != nil {
		t.Fatal(err)
	}
	f.ok("reader", "GET", "/subscriptions/"+other+"/resourceGroups", "", 403)
	if out := f.ok("reader", "GET", "/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01&$filter=roleName%20eq%20'Owner'", "", 200); len(values(out)) != 1 ||
		values(out)[0].(map[string]any)["id"] != "/providers/Microsoft.Authorization/roleDefinitions/"+rbac.OwnerID {
		t.Errorf("role definitions at the root: %v", out)
	}
}

func TestHead(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "HEAD", f.thing("t1"), "", 204)
	f.ok("owner", "HEAD", f.thing("t2"), "", 404)
	f.ok("owner", "HEAD", f.group("RG1"), "", 204)
	f.ok("owner", "HEAD", f.group("rg2"), "", 404)
	f.ok("stranger", "HEAD", f.group("rg2"), "", 403)
}

// A child keeps the casing its group and itself were made with, whatever later callers write.
func TestCasing(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", strings.ReplaceAll(f.thing("Mine"), "/rg1/", "/RG1/"), `{"location":"westeurope"}`, 201)
	got := f.ok("owner", "PUT", strings.ToLower(f.thing("mine")), `{"location":"westeurope"}`, 200)
	if got["id"] != f.thing("Mine") {
		t.Errorf("id %v, want %s", got["id"], f.thing("Mine"))
	}
}

func TestLockMatrix(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	locks := func(scope string) string { return scope + "/providers/Microsoft.Authorization/locks/l1" }
	for _, level := range []string{canNotDelete, readOnly} {
		for name, scope := range map[string]string{"subscription": "/subscriptions/" + f.sub, "group": f.group("rg1"), "resource": f.thing("t1")} {
			f.ok("owner", "PUT", locks(scope), `{"properties":{"level":"`+level+`"}}`, 201)
			ro := level == readOnly
			write, act := 200, 200
			if ro {
				write, act = 409, 409
			}
			f.ok("owner", "GET", f.thing("t1"), "", 200)
			f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, write)
			f.ok("owner", "PATCH", f.thing("t1"), `{}`, write)
			f.ok("owner", "POST", f.thing("t1")+"/listKeys", "", act)
			f.ok("owner", "DELETE", f.thing("t1"), "", 409)
			f.ok("owner", "DELETE", f.group("rg1"), "", 409)
			if status, out := f.do("owner", "DELETE", locks(scope), ""); status != 200 {
				t.Fatalf("%s lock at the %s can't be removed: %d %v", level, name, status, out)
			}
		}
	}
	f.ok("owner", "DELETE", f.thing("t1"), "", 200)
	f.ok("reader", "PUT", locks(f.group("rg1")), `{"properties":{"level":"ReadOnly"}}`, 403)
	f.ok("owner", "PUT", locks(f.group("rg1")), `{"properties":{"level":"Sometimes"}}`, 400)
}

// Writers to one resource at the same time: each sees the one before it, none is lost, none fails.
func TestPut_Concurrent(t *testing.T) {
	f := newPlane(t)
	f.ok("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`, 201)
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 4 {
		wg.Go(func() {
			status, _ := f.do("owner", "PATCH", f.thing("t1"), fmt.Sprintf(`{"properties":{"k%d":"v"}}`, i))
			mu.Lock()
			statuses[status]++
			mu.Unlock()
		})
	}
	wg.Wait()
	props := f.ok("owner", "GET", f.thing("t1"), "", 200)["properties"].(map[string]any)
	if statuses[200] != 4 || len(props) != 4 {
		t.Errorf("statuses %v, properties %v; want four of each", statuses, props)
	}
}

func TestRoutes(t *testing.T) {
	f := newPlane(t)
	if err := f.p.AssignRoot(t.Context(), tenantA, people["owner"].ObjectID, rbac.OwnerID); err != nil {
		t.Fatal(err)
	}
	check := wiretest.Check{
		Params: map[string]string{paramSub: f.sub, paramGroup: "rg1", "name0": "x1", paramScope: f.group("rg1"), "path": "nowhere", namespaceParam: "Test.Things"},
		Sign:   func(r *http.Request) { r.Header.Set("Authorization", "Bearer owner") },
	}
	for _, r := range f.p.Service().Routes {
		if r.Host == wire.HostAdmin {
			own := check
			own.Kind = wire.HostAdmin
			wiretest.CheckRoutes(t, f.mux.For(wire.HostAdmin), []wire.Route{r}, own)
			continue
		}
		// The routes before may have deleted them.
		f.do("owner", "PUT", f.group("rg1"), `{"location":"westeurope"}`)
		f.do("owner", "PUT", f.thing("x1"), `{"location":"westeurope"}`)
		f.do("owner", "PUT", f.thing("x1")+"/parts/x1", `{}`)
		f.do("owner", "PUT", managementGroupPath+"x1", `{}`)
		f.do("owner", "PUT", f.group("rg1")+"/providers/Test.Things/fixed/x1", `{"location":"westeurope"}`)
		own := check
		if strings.Contains(r.Pattern, typeTags+"/") { // their one name
			own.Params = maps.Clone(check.Params)
			own.Params["name0"] = "default"
		}
		wiretest.CheckRoutes(t, f.mux, []wire.Route{r}, own)
	}
}

func TestUnregister(t *testing.T) {
	f := newPlane(t)
	sub := "/subscriptions/" + f.sub
	f.ok("owner", "POST", sub+"/providers/test.things/register", "", 200)
	f.ok("owner", "POST", sub+"/providers/no.such/register", "", 404)
	f.ok("stranger", "POST", sub+"/providers/test.things/register", "", 403)
	f.ok("owner", "PUT", sub+"/providers/Microsoft.Authorization/locks/l1", `{"properties":{"level":"ReadOnly"}}`, 201)
	f.ok("owner", "POST", sub+"/providers/test.things/unregister", "", 409)
	f.ok("owner", "DELETE", sub+"/providers/Microsoft.Authorization/locks/l1", "", 200)
	f.ok("owner", "POST", sub+"/providers/test.things/unregister", "", 200)
	// Another subscription is not concerned.
	other, err := f.p.CreateSubscription(t.Context(), tenantA, "Other", people["owner"].ObjectID)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{f.sub: "Unregistered", other: "Registered"} {
		if got := f.ok("owner", "GET", "/subscriptions/"+id+"/providers/Test.Things", "", 200)["registrationState"]; got != want {
			t.Errorf("state in %s: got %v, want %s", id, got, want)
		}
	}
	if status, out := f.do("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`); status != 409 || code(out) != "MissingSubscriptionRegistration" {
		t.Errorf("PUT without registration: %d %v", status, out)
	}
}

func TestCheck(t *testing.T) {
	f := newPlane(t)
	f.assign(f.group("rg1"), "4633458b-17de-408a-b874-0445c86b69e6", "foreign")
	scope := f.group("rg1") + "/providers/Microsoft.KeyVault/vaults/kv"
	const get, set = "Microsoft.KeyVault/vaults/secrets/getSecret/action", "Microsoft.KeyVault/vaults/secrets/setSecret/action"
	for _, tt := range []struct {
		who, action string
		data        bool
		scope       string
		want        bool
	}{
		{"foreign", get, true, scope, true},
		{"foreign", get, true, scope + "/secrets/s", true},
		{"foreign", get, false, scope, false},
		{"foreign", set, true, scope, false},
		{"foreign", get, true, f.group("rg2"), false},
		{"foreign", get, true, "/subscriptions/" + ids.New(), false},
		{"foreign", get, true, "nonsense", false},
		{"owner", get, true, scope, false}, // a control plane role opens no data
		{"owner", "Microsoft.KeyVault/vaults/write", false, scope, true},
	} {
		who := people[tt.who]
		d, err := f.p.Check(t.Context(), &who, tt.action, tt.data, tt.scope)
		if err != nil || d.Allowed != tt.want || (d.By != "") != tt.want {
			t.Errorf("%s %s at %s: got %+v, %v, want %v", tt.who, tt.action, tt.scope, d, err, tt.want)
		}
	}
}

func TestCheck_Groups(t *testing.T) {
	f := newPlane(t)
	p := authn.Principal{TenantID: tenantB, ObjectID: ids.New(), Groups: []string{strings.ToUpper(people["owner"].ObjectID)}}
	d, err := f.p.Check(context.Background(), &p, "Test.Things/things/write", false, f.thing("t1"))
	if err != nil || !d.Allowed {
		t.Errorf("a member of a group with a role: %+v, %v", d, err)
	}
}

func BenchmarkCheck(b *testing.B) {
	f := newPlane(b)
	who := people["owner"]
	scope := f.thing("t1")
	if err := f.p.AssignRoot(b.Context(), tenantA, people["reader"].ObjectID, rbac.ReaderID); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if d, err := f.p.Check(context.Background(), &who, "Test.Things/things/write", false, scope); err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
	}
}
