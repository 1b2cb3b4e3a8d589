package arm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// second makes another subscription of the same tenant.
func (f *plane) second() (id string) {
	f.t.Helper()
	id, err := f.p.CreateSubscription(f.t.Context(), tenantA, "Other", people["owner"].ObjectID)
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

func groupIn(sub, name string) string { return "/subscriptions/" + sub + "/resourceGroups/" + name }

// moveBody asks for resources to be moved to a group.
func moveBody(target string, resources ...string) string {
	b, _ := json.Marshal(map[string]any{"resources": resources, "targetResourceGroup": target})
	return string(b)
}

// rows gives what is stored in a shard under a prefix, by key.
func (f *plane) rows(shard, prefix string) map[string]string {
	f.t.Helper()
	var out map[string]string
	err := f.st.View(f.t.Context(), shard, func(s store.Snapshot) error {
		out = map[string]string{}
		return s.Scan(store.Prefix([]byte(prefix)), func(k, v []byte) bool { out[string(k)] = string(v); return true })
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// across is a plane with two subscriptions, of which the second has the group "into".
func across(t *testing.T) (f *plane, other, into string) {
	f = newPlane(t, Type{
		Name: "Test.Plain/plain", Versions: []string{"2020-01-01"}, Move: func(context.Context, *Move) error { return nil },
		Put: func(_ context.Context, c *Call) error { c.New.Properties = c.Body.Get("properties"); return nil },
	})
	t.Cleanup(func() { f.p.ops.stop() })
	other = f.second()
	into = groupIn(other, "Into")
	f.ok("owner", "PUT", into, `{"location":"westeurope"}`, 201)
	return f, other, into
}

func TestMove_AcrossSubscriptions(t *testing.T) {
	f, other, into := across(t)
	t1, lead := f.thing("t1"), f.thing("lead")
	f.ok("owner", "PUT", lead, `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", t1, fmt.Sprintf(`{"location":"westeurope","tags":{"a":"1"},"identity":{"type":"SystemAssigned"},"properties":{"follows":%q}}`, lead), 201)
	f.ok("owner", "PUT", t1+"/parts/p1", `{"properties":{"n":1}}`, 201)
	f.ok("owner", "PUT", f.thing("t10"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", t1+"/providers/Microsoft.Authorization/locks/keep", `{"properties":{"level":"CanNotDelete"}}`, 201)
	f.ok("owner", "PUT", t1+"/parts/p1/providers/Microsoft.Authorization/locks/part", `{"properties":{"level":"CanNotDelete"}}`, 201)
	f.assign(t1, rbac.ReaderID, "reader")
	before := f.ok("owner", "GET", t1, "", 200)
	principal := before["identity"].(map[string]any)["principalId"].(string)

	if out := f.ok("owner", "POST", f.group("rg1")+"/moveResources", moveBody(into, t1), 409); code(out) != "ResourceMoveProviderValidationFailed" {
		t.Errorf("without what it follows: %v", out)
	}
	f.ok("owner", "POST", f.group("rg1")+"/validateMoveResources", moveBody(into, t1, lead), 204)
	f.ok("owner", "GET", t1, "", 200)
	f.ok("owner", "POST", f.group("rg1")+"/moveResources", moveBody(strings.ToUpper(into), t1, strings.ToUpper(lead)), 204)

	moved := into + "/providers/Test.Things/things/t1"
	f.ok("owner", "GET", t1, "", 404)
	f.ok("owner", "GET", f.thing("t10"), "", 200) // whose id begins with the moved one's
	after := f.ok("owner", "GET", moved, "", 200)
	if after["id"] != moved || fmt.Sprint(after["tags"]) != fmt.Sprint(before["tags"]) || after["etag"] == before["etag"] {
		t.Errorf("moved: %v, before: %v", after, before)
	}
	if got, want := after["properties"].(map[string]any)["follows"], into+"/providers/Test.Things/things/lead"; got != want {
		t.Errorf("the reference is %v, want %s", got, want)
	}
	f.ok("owner", "GET", moved+"/parts/p1", "", 200)
	if n := len(values(f.ok("owner", "GET", into+"/resources?api-version=2021-04-01", "", 200))); n != 2 {
		t.Errorf("the target lists %d resources, want 2", n)
	}
	if n := len(values(f.ok("owner", "GET", f.group("rg1")+"/resources?api-version=2021-04-01", "", 200))); n != 1 {
		t.Errorf("the source lists %d resources, want 1", n)
	}
	// The principal stays, what the directory says of it is the new id.
	if id := f.dir.have[principal]; after["identity"].(map[string]any)["principalId"] != principal || id.ResourceID != moved || len(f.dir.have) != 1 {
		t.Errorf("identity %v, the directory has %v", after["identity"], f.dir.have)
	}
	if e, err := f.p.deps.Names.Lookup(t.Context(), wire.HostVault, "t1"); err != nil || e == nil || e.ResourceID != moved || !e.Served() {
		t.Errorf("the host name stands for %+v, %v", e, err)
	}
	// Locks went along, the role did not; the service's rows did.
	if out := f.ok("owner", "DELETE", moved, "", 409); code(out) != "ScopeLocked" {
		t.Errorf("the lock of the moved resource: %v", out)
	}
	f.ok("owner", "GET", moved+"/parts/p1/providers/Microsoft.Authorization/locks/part", "", 200)
	f.ok("reader", "GET", moved, "", 403)
	if here, there := len(f.rows(subShard(f.sub), "s|test|")), len(f.rows(subShard(other), "s|test|")); here != 1 || there != 2 {
		t.Errorf("%d rows of the service stayed and %d went along, want 1 and 2", here, there)
	}
	for _, prefix := range []string{tagMove, tagLock + strings.ToLower(t1), tagAssignment + strings.ToLower(t1) + "|"} {
		if left := f.rows(subShard(f.sub), prefix); len(left) > 0 {
			t.Errorf("left in the source under %s: %v", prefix, left)
		}
	}
	if left := f.rows(subShard(other), tagMove); len(left) > 0 {
		t.Errorf("the target is still marked: %v", left)
	}
	// Both activity logs tell of it.
	for sub, group := range map[string]string{f.sub: "rg1", other: "Into"} {
		path := "/subscriptions/" + sub + "/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter=resourceGroupName%20eq%20'" + group + "'"
		n := 0
		for _, e := range values(f.ok("owner", "GET", path, "", 200)) {
			e := e.(map[string]any)
			if e["operationName"].(map[string]any)["value"] == typeGroup+"/moveResources/action" && e["caller"] == people["owner"].ObjectID && e["authorization"].(map[string]any)["role"] != "" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the activity log of %s has the move %d times, want once", group, n)
		}
	}
	// And back: what was is what is.
	f.ok("owner", "DELETE", moved+"/providers/Microsoft.Authorization/locks/keep", "", 200)
	f.ok("owner", "POST", into+"/moveResources", moveBody(f.group("rg1"), moved, into+"/providers/Test.Things/things/lead"), 204)
	if back := f.ok("owner", "GET", t1, "", 200); fmt.Sprint(back["properties"]) != fmt.Sprint(before["properties"]) {
		t.Errorf("back: %v, want %v", back, before)
	}
	if f.dir.have[principal].ResourceID != t1 {
		t.Errorf("the directory after the way back: %v", f.dir.have)
	}
}

// Within a subscription, what stays and refers to what moves is changed with it.
func TestMove_Follows(t *testing.T) {
	f, _, _ := across(t)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.thing("stays"), `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.thing("leader"), fmt.Sprintf(`{"location":"westeurope","identity":{"type":"SystemAssigned"},"properties":{"leads":%q}}`, f.thing("stays")), 201)
	before := f.ok("owner", "GET", f.thing("stays"), "", 200)
	f.ok("owner", "POST", f.group("rg1")+"/moveResources", moveBody(f.group("rg2"), f.thing("leader")), 204)
	after := f.ok("owner", "GET", f.thing("stays"), "", 200)
	moved := f.group("rg2") + "/providers/Test.Things/things/leader"
	if got := after["properties"].(map[string]any)["follows"]; got != moved || after["etag"] == before["etag"] {
		t.Errorf("what stays refers to %v, want %s", got, moved)
	}
	for _, id := range f.dir.have {
		if id.ResourceID != moved {
			t.Errorf("the identity is of %s, want %s", id.ResourceID, moved)
		}
	}
}

// What refuses a move refuses its validation in the same words, and changes nothing.
func TestMove_Refused(t *testing.T) {
	f, other, into := across(t)
	foreign, err := f.p.CreateSubscription(t.Context(), tenantB, "Foreign", people["owner"].ObjectID)
	if err != nil {
		t.Fatal(err)
	}
	f.ok("owner", "PUT", groupIn(foreign, "rg"), `{"location":"westeurope"}`, 201)
	t1 := f.thing("t1")
	f.ok("owner", "PUT", t1, `{"location":"westeurope"}`, 201)
	plain := f.group("rg1") + "/providers/Test.Plain/plain/x"
	f.ok("owner", "PUT", plain, `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", into+"/providers/Test.Plain/plain/X", `{"location":"westeurope"}`, 201)
	f.ok("owner", "PUT", f.group("rg1")+"/providers/Test.Things/fixed/y", `{"location":"westeurope"}`, 201)
	f.assign(f.group("rg1"), rbac.ContributorID, "reader")
	lock := func(at string) func() func() {
		return func() func() {
			path := at + "/providers/Microsoft.Authorization/locks/l"
			f.ok("owner", "PUT", path, `{"properties":{"level":"ReadOnly"}}`, 201)
			return func() { f.ok("owner", "DELETE", path, "", 200) }
		}
	}
	none := func() func() { return func() {} }
	for _, tt := range []struct {
		name   string
		who    string
		before func() (after func())
		target string
		what   []string
		status int
		code   string
	}{
		{"another tenant", "owner", none, groupIn(foreign, "rg"), []string{t1}, 409, "CrossTenantMoveNotSupported"},
		{"no such group", "owner", none, groupIn(other, "nope"), []string{t1}, 404, "ResourceGroupNotFound"},
		{"no such resource", "owner", none, into, []string{f.thing("nope")}, 404, "ResourceNotFound"},
		{"no role in the target", "reader", none, into, []string{t1}, 403, "LinkedAuthorizationFailed"},
		{"no role in the source", "stranger", none, into, []string{t1}, 403, "AuthorizationFailed"},
		{"no such subscription", "owner", none, groupIn("00000000-0000-0000-0000-00000000000f", "rg"), []string{t1}, 403, "LinkedAuthorizationFailed"},
		{"a name that is taken", "owner", none, into, []string{t1, plain}, 409, "ResourceMoveNameConflict"},
		{"a type that can't", "owner", none, into, []string{t1, f.group("rg1") + "/providers/Test.Things/fixed/y"}, 409, "ResourceMoveProviderValidationFailed"},
		{"target locked", "owner", lock(into), into, []string{t1}, 409, "ScopeLocked"},
		{"target subscription locked", "owner", lock("/subscriptions/" + other), into, []string{t1}, 409, "ScopeLocked"},
		{"source locked", "owner", lock(f.group("rg1")), into, []string{t1}, 409, "ScopeLocked"},
		{"resource locked", "owner", lock(t1), into, []string{t1}, 409, "ScopeLocked"},
		{"deny assignment", "owner", func() func() {
			f.deny(DenyAssignment{Name: "5a0f2d31-62c1-4d7b-9a7d-3f0c8f1f6d01", Scope: t1, Principals: []string{people["foreign"].ObjectID}, Permissions: []rbac.Permission{{Actions: []string{"*"}}}})
			return func() { f.undeny(t1, "5a0f2d31-62c1-4d7b-9a7d-3f0c8f1f6d01") }
		}, into, []string{t1}, 409, "ResourceMoveProviderValidationFailed"},
		{"not registered", "owner", func() func() {
			f.ok("owner", "POST", "/subscriptions/"+other+"/providers/Test.Things/unregister", "", 200)
			return func() { f.ok("owner", "POST", "/subscriptions/"+other+"/providers/Test.Things/register", "", 200) }
		}, into, []string{t1}, 409, "MissingSubscriptionRegistration"},
	} {
		after := tt.before()
		for _, verb := range []string{"validateMoveResources", "moveResources"} {
			status, out := f.do(tt.who, "POST", f.group("rg1")+"/"+verb, moveBody(tt.target, tt.what...))
			if status != tt.status || code(out) != tt.code {
				t.Errorf("%s, %s: got %d %v, want %d %s", tt.name, verb, status, out, tt.status, tt.code)
			}
		}
		after()
		f.ok("owner", "PATCH", t1, `{"tags":{"a":"`+fmt.Sprint(time.Now().UnixNano())+`"}}`, 200)
		if marks := f.rows(subShard(f.sub), tagMove); len(marks) > 0 {
			t.Fatalf("%s: marks left: %v", tt.name, marks)
		}
	}
}

var errCut = errors.New("cut off")

// cutStore is a store whose process dies at a write: that one is done or not, and nothing works any more.
type cutStore struct {
	store.Store
	mu    sync.Mutex
	left  int  // writes until then; 0: never
	after bool // the last one is still done
	dead  bool
}

// Update implements store.Store.
func (c *cutStore) Update(ctx context.Context, shard string, fn func(store.Tx) error) (store.LSN, error) {
	c.mu.Lock()
	if c.left > 0 && !c.dead {
		c.left--
		c.dead = c.left == 0
		if c.dead && c.after {
			c.mu.Unlock()
			_, _ = c.Store.Update(ctx, shard, fn)
			return 0, errCut
		}
	}
	dead := c.dead
	c.mu.Unlock()
	if dead {
		return 0, errCut
	}
	return c.Store.Update(ctx, shard, fn)
}

// View implements store.Store.
func (c *cutStore) View(ctx context.Context, shard string, fn func(store.Snapshot) error) error {
	c.mu.Lock()
	dead := c.dead
	c.mu.Unlock()
	if dead {
		return errCut
	}
	return c.Store.View(ctx, shard, fn)
}

// settled waits until no operation of the subscription is in progress.
func (f *plane) settled(sub string) (last operation) {
	f.t.Helper()
	for range 1000 {
		running := false
		for _, row := range f.rows(subShard(sub), tagOperation) {
			op, err := operationCodec.Decode([]byte(row))
			if err != nil {
				f.t.Fatal(err)
			}
			running = running || op.Status == opRunning
			if !op.Started.Before(last.Started) {
				last = op
			}
		}
		if !running {
			return last
		}
		time.Sleep(2 * time.Millisecond)
	}
	f.t.Fatal("an operation stays in progress")
	return last
}

// once makes sure that of two ids of one resource exactly one is there, for a GET and in lists, and tells whether it is the second.
func (f *plane) once(when, old, moved string) (there bool) {
	f.t.Helper()
	a, _ := f.do("owner", "GET", old, "")
	b, _ := f.do("owner", "GET", moved, "")
	if !(a == 200 && b == 404 || a == 404 && b == 200) {
		f.t.Fatalf("%s: GET answers %d at the old id and %d at the new one", when, a, b)
	}
	listed := 0
	subs := map[string]bool{old[:len("/subscriptions/")+36]: true, moved[:len("/subscriptions/")+36]: true}
	for sub := range subs {
		for _, r := range values(f.ok("owner", "GET", sub+"/resources?api-version=2021-04-01", "", 200)) {
			if id := r.(map[string]any)["id"]; id == old || id == moved {
				listed++
			}
		}
	}
	if listed != 1 {
		f.t.Fatalf("%s: listed %d times", when, listed)
	}
	if p, _ := f.do("owner", "GET", moved+"/parts/p1", ""); (p == 200) != (b == 200) {
		f.t.Fatalf("%s: the part at its new id answers %d, its parent %d", when, p, b)
	}
	return b == 200
}

// A process that ends at any write of a move finds its way: at once everything is seen once, and after the next start it is moved or as it was.
func TestMove_CutOff(t *testing.T) {
	for _, crosses := range []bool{true, false} {
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				if !cutMove(t, crosses, after, n) {
					if n < 3 {
						t.Fatalf("a move has only %d writes", n)
					}
					break
				}
			}
		}
	}
}

// cutMove cuts a move off at its nth write; false if it has not that many.
func cutMove(t *testing.T, crosses, after bool, n int) bool {
	name := fmt.Sprintf("crosses=%v after=%v n=%d", crosses, after, n)
	f, other, into := across(t)
	if !crosses {
		other, into = f.sub, f.group("rg2")
		f.ok("owner", "PUT", into, `{"location":"westeurope"}`, 201)
	}
	t1, moved := f.thing("t1"), into+"/providers/Test.Things/things/t1"
	f.ok("owner", "PUT", t1, `{"location":"westeurope","identity":{"type":"SystemAssigned"},"properties":{"a":1}}`, 201)
	f.ok("owner", "PUT", t1+"/parts/p1", `{"properties":{"n":1}}`, 201)
	f.ok("owner", "PUT", t1+"/providers/Microsoft.Authorization/locks/keep", `{"properties":{"level":"CanNotDelete"}}`, 201)
	rows := f.rows(subShard(f.sub), "s|test|")

	cut := &cutStore{Store: f.st, after: after}
	f.p.ops.stop()
	f.start(cut)
	f.once(name, t1, moved) // and its caches are warm
	cut.mu.Lock()
	cut.left = n
	cut.mu.Unlock()
	w := f.answer("owner", "POST", f.group("rg1")+"/moveResources", moveBody(into, t1))
	f.p.ops.stop()
	cut.mu.Lock()
	dead := cut.dead
	cut.mu.Unlock()
	if !dead {
		if w.Code != 204 {
			t.Fatalf("%s: an undisturbed move answers %d %s", name, w.Code, w.Body)
		}
		return false
	}
	// The next start: nothing has been resumed yet.
	f.start(f.st)
	f.once(name, t1, moved)
	if marked := len(f.rows(subShard(f.sub), tagMove))+len(f.rows(subShard(other), tagMove)) > 0; marked {
		for _, id := range []string{t1, moved} {
			status, out := f.do("owner", "PATCH", id, `{"tags":{"b":"2"}}`)
			group := id[:strings.Index(id, "/providers/")]
			if _, frozen := f.rows(subShard(id[15:51]), tagMove)[tagMove+strings.ToLower(group)]; frozen && (status != 409 || code(out) != "ResourceMoveInProgress") {
				t.Fatalf("%s: a write amid the move: %d %v", name, status, out)
			}
		}
	}
	if err := f.drain.DrainAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.once(name, t1, moved)
	if err := f.p.upkeepOperations(t.Context(), subShard(f.sub)); err != nil {
		t.Fatal(err)
	}
	op := f.settled(f.sub)
	there := f.once(name, t1, moved)
	begun := op.Move != nil
	if there != begun || begun && op.Status != opSucceeded {
		t.Fatalf("%s: moved %v, operation %+v", name, there, op)
	}
	id, left := t1, other
	if there {
		id, left = moved, f.sub
	}
	e, err := f.p.deps.Names.Lookup(t.Context(), wire.HostVault, "t1")
	if err != nil || e == nil || e.ResourceID != id || !e.Served() {
		t.Fatalf("%s: the host name stands for %+v, %v; want %s", name, e, err, id)
	}
	if len(f.dir.have) != 1 {
		t.Fatalf("%s: identities: %v", name, f.dir.have)
	}
	for _, have := range f.dir.have {
		if have.ResourceID != id {
			t.Fatalf("%s: the identity is of %s, want %s", name, have.ResourceID, id)
		}
	}
	if out := f.ok("owner", "DELETE", id, "", 409); code(out) != "ScopeLocked" {
		t.Fatalf("%s: the lock: %v", name, out)
	}
	if crosses {
		if got := f.rows(subShard(left), "s|test|"); len(got) > 0 {
			t.Fatalf("%s: rows left behind: %v", name, got)
		}
	}
	if got := f.rows(subShard(id[15:51]), "s|test|"); fmt.Sprint(got) != fmt.Sprint(rows) {
		t.Fatalf("%s: the service's rows: %v, want %v", name, got, rows)
	}
	for _, sub := range []string{f.sub, other} {
		if marks := f.rows(subShard(sub), tagMove); len(marks) > 0 {
			t.Fatalf("%s: marks left: %v", name, marks)
		}
	}
	f.ok("owner", "PATCH", id, `{"tags":{"c":"3"}}`, 200)
	f.p.ops.stop()
	return true
}

// What comes between the first look and the arrival ends the move, and everything is as it was.
func TestMove_Undone(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(f *plane, other, into string)
		status    int
		code      string
	}{
		"a name is taken": {func(f *plane, _, into string) {
			f.ok("owner", "PUT", into+"/providers/Test.Plain/plain/p", `{"location":"westeurope"}`, 201)
		}, 409, "ResourceMoveNameConflict"},
		"the target is locked": {func(f *plane, other, _ string) {
			f.ok("owner", "PUT", "/subscriptions/"+other+"/providers/Microsoft.Authorization/locks/l", `{"properties":{"level":"ReadOnly"}}`, 201)
		}, 409, "ScopeLocked"},
		"the target is gone": {func(f *plane, _, into string) { f.ok("owner", "DELETE", into, "", 200) }, 404, "ResourceGroupNotFound"},
		"the caller's role is gone": {func(f *plane, other, _ string) {
			for key := range f.rows(subShard(other), tagAssignment) {
				_, err := f.st.Update(f.t.Context(), subShard(other), func(tx store.Tx) error { return errors.Join(tx.Delete([]byte(key)), bumpVersion(tx)) })
				if err != nil {
					f.t.Fatal(err)
				}
			}
		}, 403, "LinkedAuthorizationFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			f, other, into := across(t)
			t1, plain := f.thing("t1"), f.group("rg1")+"/providers/Test.Plain/plain/p"
			f.ok("owner", "PUT", t1, `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`, 201)
			f.ok("owner", "PUT", plain, `{"location":"westeurope"}`, 201)
			calls := 0
			f.onMove = func(*Move) error {
				if calls++; calls == 2 { // the move's own plan; both groups' resources are already asked for
					tt.meanwhile(f, other, into)
				}
				return nil
			}
			if status, out := f.do("owner", "POST", f.group("rg1")+"/moveResources", moveBody(into, plain, t1)); status != tt.status || code(out) != tt.code {
				t.Errorf("got %d %v, want %d %s", status, out, tt.status, tt.code)
			}
			if op := f.settled(f.sub); op.Status != opFailed || op.Code != tt.code {
				t.Errorf("operation: %+v", op)
			}
			f.ok("owner", "PATCH", t1, `{"tags":{"a":"1"}}`, 200)
			f.ok("owner", "DELETE", plain, "", 200)
			for _, sub := range []string{f.sub, other} {
				if marks := f.rows(subShard(sub), tagMove); len(marks) > 0 {
					t.Errorf("marks left: %v", marks)
				}
			}
			if rows := f.rows(subShard(other), "s|test|"); len(rows) > 0 {
				t.Errorf("rows left in the target: %v", rows)
			}
		})
	}
}

// What follows from a move and can't be made now keeps it in progress: it is seen once, read and not written, and ends when it can.
func TestMove_EffectWaits(t *testing.T) {
	f, _, into := across(t)
	t1, moved := f.thing("t1"), into+"/providers/Test.Things/things/t1"
	f.ok("owner", "PUT", t1, `{"location":"westeurope","identity":{"type":"SystemAssigned"}}`, 201)
	f.ok("owner", "PUT", t1+"/parts/p1", `{}`, 201)
	f.dir.fail = errors.New("no directory")
	w := f.answer("owner", "POST", f.group("rg1")+"/moveResources", moveBody(into, t1))
	location, status := w.Header().Get("Location"), w.Header().Get("Azure-Asyncoperation")
	if w.Code != 202 || location == "" || status == "" || w.Header().Get("Retry-After") == "" {
		t.Fatalf("the move: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if f.once("waiting", t1, moved) {
		t.Error("it is seen at its new id before it is there for everybody")
	}
	f.ok("owner", "POST", t1+"/listKeys", "", 200)
	for _, group := range []string{f.group("rg1"), into} {
		for method, path := range map[string]string{
			"PUT": "/providers/Test.Plain/plain/new", "PATCH": "/providers/Test.Things/things/t1", "DELETE": "/providers/Test.Things/things/t1",
		} {
			if out := f.ok("owner", method, group+path, `{"location":"westeurope"}`, 409); code(out) != "ResourceMoveInProgress" {
				t.Errorf("%s %s: %v", method, group+path, out)
			}
		}
		f.ok("owner", "DELETE", group, "", 409)
		f.ok("owner", "PATCH", group, `{"tags":{}}`, 409)
		f.ok("owner", "PUT", group+"/providers/Microsoft.Authorization/locks/l", `{"properties":{"level":"ReadOnly"}}`, 409)
		if props := f.ok("owner", "GET", group, "", 200)["properties"].(map[string]any); props["provisioningState"] != "MovingResources" {
			t.Errorf("%s is %v", group, props)
		}
	}
	if out := f.ok("owner", "POST", f.group("rg1")+"/moveResources", moveBody(into, t1), 409); code(out) != "ResourceMoveInProgress" {
		t.Errorf("a second move: %v", out)
	}
	if w := f.answer("owner", "GET", strings.TrimPrefix(location, managementURL), ""); w.Code != 202 {
		t.Errorf("the result is %d before it is there", w.Code)
	}
	f.dir.fail = nil
	f.clk.Advance(time.Hour)
	if err := f.p.upkeepOperations(t.Context(), subShard(f.sub)); err != nil {
		t.Fatal(err)
	}
	if out := f.poll("owner", status); out["status"] != "Succeeded" {
		t.Errorf("at the end: %v", out)
	}
	if w := f.answer("owner", "GET", strings.TrimPrefix(location, managementURL), ""); w.Code != 204 {
		t.Errorf("the result: %d %s", w.Code, w.Body)
	}
	if !f.once("done", t1, moved) {
		t.Error("it was not moved")
	}
	if props := f.ok("owner", "GET", into, "", 200)["properties"].(map[string]any); props["provisioningState"] != "Succeeded" {
		t.Errorf("the target is %v", props)
	}
}

// Writers, deletions and moves to and fro at once never lose a resource or have it twice: what a writer was told is what is there.
func TestMove_Races(t *testing.T) {
	f, other, into := across(t)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	groups := []string{f.group("rg1"), into, f.group("rg2")}
	at := func(group, name string) string { return group + "/providers/Test.Things/things/" + name }
	const things = 4
	for i := range things {
		f.ok("owner", "PUT", at(groups[0], fmt.Sprintf("t%d", i)), `{"location":"westeurope","properties":{"n":0}}`, 201)
	}
	var wg sync.WaitGroup
	deadline := time.Now().Add(20 * time.Second)
	var over atomic.Bool
	moves := 0
	wg.Go(func() { // one mover, all over the groups
		defer over.Store(true)
		for n := 0; moves < 8 && time.Now().Before(deadline); n++ {
			from, to := groups[n%3], groups[(n+1+n%2)%3]
			if from == to {
				continue
			}
			var what []string
			for i := range things {
				if status, _ := f.do("owner", "GET", at(from, fmt.Sprintf("t%d", i)), ""); status == 200 {
					what = append(what, at(from, fmt.Sprintf("t%d", i)))
				}
			}
			if len(what) == 0 {
				continue
			}
			switch w := f.answer("owner", "POST", from+"/moveResources", moveBody(to, what...)); w.Code {
			case 204:
				moves++
			case 202: // a slow machine
				if op := f.settled(from[15:51]); op.Status == opSucceeded {
					moves++
				}
			case 404, 409:
			default:
				t.Errorf("move: %d %s", w.Code, w.Body)
			}
		}
	})
	// Each thing has one writer: it knows what its last acknowledged write was.
	last := make([]int, things) // -1: deleted
	for i := range things {
		wg.Go(func() {
			name := fmt.Sprintf("t%d", i)
			for n := 1; !over.Load(); n++ {
				for g, group := range groups {
					if i%2 == 1 && n%5 == 0 {
						// A deletion may hit after the GET's answer: what counts is what the deletion says.
						if status, _ := f.do("owner", "GET", at(group, name), ""); status != 200 {
							continue
						}
						if w := f.answer("owner", "DELETE", at(group, name), ""); w.Code == 200 {
							last[i] = -1
						} else if w.Code != 204 && w.Code != 409 {
							t.Errorf("delete: %d %s", w.Code, w.Body)
						}
						continue
					}
					status, _ := f.do("owner", "GET", at(group, name), "")
					if status != 200 && (last[i] != -1 || g != n%3) {
						continue
					}
					w := f.answer("owner", "PUT", at(group, name), fmt.Sprintf(`{"location":"westeurope","properties":{"n":%d}}`, n))
					switch w.Code {
					case 200, 201:
						last[i] = n
					case 409:
					default:
						t.Errorf("put: %d %s", w.Code, w.Body)
					}
				}
			}
		})
	}
	// A reader never finds a thing that is never deleted nowhere twice in a row, nor at two places of one subscription.
	wg.Go(func() {
		for !over.Load() {
			seen := map[string]int{}
			for _, r := range values(f.ok("owner", "GET", "/subscriptions/"+f.sub+"/resources?api-version=2021-04-01", "", 200)) {
				seen[r.(map[string]any)["name"].(string)]++
			}
			for name, n := range seen {
				if n > 1 {
					t.Errorf("%s is there %d times", name, n)
				}
			}
		}
	})
	wg.Wait()
	f.settled(f.sub)
	f.settled(other)
	for i, want := range last {
		found := 0
		for _, group := range groups {
			status, out := f.do("owner", "GET", at(group, fmt.Sprintf("t%d", i)), "")
			if status != 200 {
				continue
			}
			found++
			if got := out["properties"].(map[string]any)["n"]; got != float64(want) {
				t.Errorf("t%d has n=%v, the last write acknowledged was %d", i, got, want)
			}
			e, err := f.p.deps.Names.Lookup(t.Context(), wire.HostVault, fmt.Sprintf("t%d", i))
			if err != nil || e == nil || e.ResourceID != out["id"] {
				t.Errorf("the name of t%d stands for %+v, %v", i, e, err)
			}
		}
		if wanted := 1; want == -1 && found != 0 || want != -1 && found != wanted {
			t.Errorf("t%d is there %d times; its last write was %d", i, found, want)
		}
	}
	if moves < 8 {
		t.Errorf("only %d moves came through", moves)
	}
}

// Moves into one group at once, also against each other: each is made or refused, whole, and none waits for another for ever.
func TestMove_IntoOneGroup(t *testing.T) {
	f, other, into := across(t)
	f.ok("owner", "PUT", f.group("rg2"), `{"location":"westeurope"}`, 201)
	places := []string{f.group("rg1"), f.group("rg2"), into}
	at := make([]int, 9)
	for i := range at {
		at[i] = i % 3
		f.ok("owner", "PUT", fmt.Sprintf("%s/providers/Test.Plain/plain/p%d", places[i%3], i), `{"location":"westeurope"}`, 201)
	}
	id := func(place, i int) string { return fmt.Sprintf("%s/providers/Test.Plain/plain/p%d", places[place], i) }
	made := 0
	for round := range 8 {
		var wg sync.WaitGroup
		codes := make([]int, 3)
		for from := range 3 {
			to := (from + 1 + round%2) % 3
			var what []string
			for i := range at {
				if at[i] == from {
					what = append(what, id(from, i))
				}
			}
			if len(what) == 0 {
				continue
			}
			wg.Go(func() {
				w := f.answer("owner", "POST", places[from]+"/moveResources", moveBody(places[to], what...))
				if codes[from] = w.Code; w.Code != 204 && w.Code != 409 && w.Code != 202 {
					t.Errorf("from %s: %d %s", places[from], w.Code, w.Body)
				}
			})
		}
		wg.Wait()
		f.settled(f.sub)
		f.settled(other)
		for i := range at {
			from, found := at[i], 0
			for place := range places {
				if status, _ := f.do("owner", "GET", id(place, i), ""); status == 200 {
					at[i] = place
					found++
				}
			}
			if found != 1 {
				t.Fatalf("round %d: p%d is there %d times", round, i, found)
			}
			if moved := at[i] != from; codes[from] == 204 && !moved || codes[from] == 409 && moved {
				t.Fatalf("round %d: p%d moved: %v, its move answered %d", round, i, moved, codes[from])
			}
		}
		for _, code := range codes {
			if code == 204 {
				made++
			}
		}
		for _, sub := range []string{f.sub, other} {
			if marks := f.rows(subShard(sub), tagMove); len(marks) > 0 {
				t.Fatalf("round %d: marks left: %v", round, marks)
			}
		}
	}
	if made == 0 {
		t.Error("no move was made")
	}
}
