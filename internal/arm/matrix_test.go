package arm

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// probe is an operation of the matrices, on thing t1 of group rg1.
type probe struct {
	name, method string
	path         func(f *plane) string
	body         string
	needs        string // read, write, delete, action
}

var probes = []probe{
	{"get", "GET", func(f *plane) string { return f.thing("t1") }, "", "read"},
	{"put", "PUT", func(f *plane) string { return f.thing("t1") }, `{"location":"westeurope"}`, "write"},
	{"patch", "PATCH", func(f *plane) string { return f.thing("t1") }, `{"tags":{}}`, "write"},
	{"tag", "PATCH", func(f *plane) string {
		return f.thing("t1") + "/providers/Microsoft.Resources/tags/default?api-version=2021-04-01"
	}, `{"operation":"Merge","properties":{"tags":{"a":"1"}}}`, "write"},
	{"list keys", "POST", func(f *plane) string { return f.thing("t1") + "/listKeys" }, "", "action"},
	{"create child", "PUT", func(f *plane) string { return f.thing("t1") + "/parts/p9" }, `{}`, "write"},
	{"delete child", "DELETE", func(f *plane) string { return f.thing("t1") + "/parts/p1" }, "", "delete"},
	{"delete", "DELETE", func(f *plane) string { return f.thing("t1") }, "", "delete"},
	{"delete group", "DELETE", func(f *plane) string { return f.group("rg1") }, "", "delete"},
}

// scopeOf is what the probe is about, for the expectations.
func (p *probe) scopeOf(f *plane) string {
	path, _, _ := strings.Cut(p.path(f), "?")
	return strings.ToLower(strings.TrimSuffix(path, "/listKeys"))
}

// stock puts what the probes need, as it is before each.
func (f *plane) stock() {
	f.t.Helper()
	for path, body := range map[string]string{f.group("rg1"): `{"location":"westeurope"}`} {
		f.do("owner", "PUT", path, body)
	}
	f.do("owner", "PUT", f.thing("t1"), `{"location":"westeurope"}`)
	f.do("owner", "PUT", f.thing("t2"), `{"location":"westeurope"}`)
	f.do("owner", "PUT", f.thing("t1")+"/parts/p1", `{}`)
}

func allows(role, needs string) bool {
	switch role {
	case "none":
		return false
	case rbac.ReaderID:
		return needs == "read"
	}
	return true
}

// TestLocksHold: operation x level x place of the lock x role. What is expected is worked out from the rules in words: who has no right is told so
// whatever is locked; a lock holds at its scope and below, and keeps what is above it from being deleted; CanNotDelete is about deletions, ReadOnly
// about everything but reads.
func TestLocksHold(t *testing.T) {
	t.Parallel()
	f := newPlane(t)
	f.stock()
	places := map[string]string{
		"subscription": "/subscriptions/" + f.sub, "group": f.group("rg1"), "resource": f.thing("t1"), "child": f.thing("t1") + "/parts/p1",
		"sibling": f.thing("t2"), "other group": f.group("rg2"),
	}
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	f.assign("/subscriptions/"+f.sub, rbac.ReaderID, "reader")
	roles := map[string]string{"owner": rbac.OwnerID, "reader": rbac.ReaderID, "stranger": "none"}
	for _, level := range []string{canNotDelete, readOnly} {
		for place, scope := range places {
			lock := scope + "/providers/Microsoft.Authorization/locks/matrix"
			for _, pr := range probes {
				f.stock()
				f.ok("owner", "PUT", lock, fmt.Sprintf(`{"properties":{"level":%q}}`, level), 201)
				target, at := pr.scopeOf(f), strings.ToLower(scope)
				holds := rbac.Within(target, at) || pr.needs == "delete" && rbac.Within(at, target)
				locked := holds && (pr.needs == "delete" || level == readOnly && pr.needs != "read")
				for _, who := range []string{"stranger", "reader", "owner"} {
					want := ""
					switch {
					case !allows(roles[who], pr.needs):
						want = "AuthorizationFailed"
					case locked:
						want = "ScopeLocked"
					}
					status, out := f.do(who, pr.method, pr.path(f), pr.body)
					if code(out) != want || (want == "") != (status < 300) {
						t.Errorf("%s at %s, %s as %s: got %d %q, want %q", level, place, pr.name, who, status, code(out), want)
					}
				}
				f.do("owner", "DELETE", lock, "")
			}
		}
	}
}

// TestDenyMatrix: operation x place of the deny assignment x role x exclusion, with and without a lock: denied beats granted, and is told before a lock.
func TestDenyMatrix(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"group", "resource", "group only", "other group"} {
		f := newPlane(t)
		f.stock()
		f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
		sub := "/subscriptions/" + f.sub
		f.assign(sub, rbac.ContributorID, "foreign")
		f.assign(sub, rbac.ReaderID, "reader")
		scope := map[string]string{"group": f.group("rg1"), "group only": f.group("rg1"), "resource": f.thing("t1"), "other group": f.group("rg2")}[place]
		f.deny(DenyAssignment{
			Name: ids.New(), DisplayName: "managed", Scope: scope, Principals: []string{rbac.Everyone}, Excluded: []string{people["foreign"].ObjectID}, OnlyHere: place == "group only",
			Permissions: []rbac.Permission{{Actions: []string{"*"}, NotActions: []string{"*/read"}}},
		})
		for _, locked := range []bool{false, true} {
			if locked {
				f.ok("owner", "PUT", f.group("rg2")+"/providers/Microsoft.Authorization/locks/other", `{"properties":{"level":"ReadOnly"}}`, map[bool]int{true: 403, false: 201}[place == "other group"])
			}
			for _, pr := range probes {
				target, at := pr.scopeOf(f), strings.ToLower(scope)
				denied := pr.needs != "read" && rbac.Within(target, at) && (place != "group only" || target == at)
				for _, who := range []string{"stranger", "reader", "owner", "foreign"} {
					if pr.name == "delete group" && !denied || pr.needs == "delete" && (!denied || who == "foreign") {
						continue // would take away what the next ones need
					}
					role := map[string]string{"owner": rbac.OwnerID, "foreign": rbac.ContributorID, "reader": rbac.ReaderID, "stranger": "none"}[who]
					want := ""
					switch {
					case !allows(role, pr.needs):
						want = "AuthorizationFailed"
					case denied && who != "foreign":
						want = "DenyAssignmentAuthorizationFailed"
					}
					status, out := f.do(who, pr.method, pr.path(f), pr.body)
					if code(out) != want || (want == "") != (status < 300) {
						t.Errorf("denied at %s, locked elsewhere %v, %s as %s: got %d %q, want %q", place, locked, pr.name, who, status, code(out), want)
					}
				}
			}
		}
	}
}

// TestLockRace: a deletion that begins after a lock was answered is refused, whatever runs at the same time; and a lock that is there has something to lock.
func TestLockRace(t *testing.T) {
	t.Parallel()
	f := newPlane(t)
	refused := 0
	for round := range 30 {
		scope := []string{f.group("rg1"), "/subscriptions/" + f.sub, f.thing("t0")}[round%3]
		for i := range 4 {
			f.ok("owner", "PUT", f.thing(fmt.Sprintf("t%d", i)), `{"location":"westeurope"}`, 201)
		}
		lock := scope + "/providers/Microsoft.Authorization/locks/race"
		var answered atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			if status, _ := f.do("owner", "PUT", lock, `{"properties":{"level":"CanNotDelete"}}`); status == 201 {
				answered.Store(true)
			}
		})
		var slipped atomic.Int32
		var late atomic.Int32
		for i := range 4 {
			wg.Go(func() {
				began := answered.Load()
				status, out := f.do("owner", "DELETE", f.thing(fmt.Sprintf("t%d", i)), "")
				held := scope != f.thing("t0") || i == 0
				if began && held && (status != 409 || code(out) != "ScopeLocked") {
					slipped.Add(1)
				}
				if status == 409 {
					late.Add(1)
				}
			})
		}
		wg.Wait()
		refused += int(late.Load())
		if n := slipped.Load(); n > 0 {
			t.Fatalf("round %d: %d deletions slipped past a lock at %s", round, n, scope)
		}
		there := f.answer("owner", "GET", lock, "").Code == 200
		if status, _ := f.do("owner", "GET", f.thing("t0"), ""); there && status != 200 && scope == f.thing("t0") {
			t.Fatalf("round %d: the lock of a deleted resource is there", round)
		}
		if there {
			f.ok("owner", "DELETE", lock, "", 200)
		}
		for i := range 4 {
			f.do("owner", "DELETE", f.thing(fmt.Sprintf("t%d", i)), "")
		}
	}
	t.Logf("%d deletions were refused", refused)
}
