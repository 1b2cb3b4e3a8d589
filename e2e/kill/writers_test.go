package kill

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// writer is one kind of writer. Its step may be cut off anywhere; what it was told is done, check finds.
type writer interface {
	name() string
	begin() // of a round
	step(ctx context.Context)
	check(t *testing.T, all bool)
	count() int
}

// things is a writer that makes one thing after the other, and removes some. A thing is wholly there or wholly not.
type things struct {
	kind   string
	make   func(ctx context.Context, id string) (answer, error)
	remove func(ctx context.Context, id string) (answer, error) // nil: never
	// whole reports whether the thing is there, and fails the test if it is there by half.
	whole func(t *testing.T, id string) bool

	n     int // how many were begun
	there map[string]bool
	round []string // of this round
	done  int
	open  map[string]bool // whose answer did not come
}

func (x *things) name() string { return x.kind }
func (x *things) count() int   { return x.done }
func (x *things) begin()       { x.round, x.open = nil, map[string]bool{} }

func (x *things) step(ctx context.Context) {
	x.n++
	id := fmt.Sprintf("%s%d", x.kind, x.n)
	x.round = append(x.round, id)
	if !x.change(ctx, id, true, x.make) || x.remove == nil || x.n%3 != 0 {
		return
	}
	x.change(ctx, id, false, x.remove)
}

// change makes or removes a thing, and remembers what it was told.
func (x *things) change(ctx context.Context, id string, there bool, do func(context.Context, string) (answer, error)) bool {
	a, err := do(ctx, id)
	switch {
	case err != nil:
		x.open[id] = true
		<-ctx.Done() // there is nobody any more; the round ends
	case a.ok():
		x.there[id] = there
		x.done++
		return true
	default: // refused: as before
		x.open[id] = a.status >= 500
	}
	return false
}

func (x *things) check(t *testing.T, all bool) {
	t.Helper()
	ids := x.round
	if all {
		ids = nil
		for n := range x.n {
			ids = append(ids, fmt.Sprintf("%s%d", x.kind, n+1))
		}
	}
	for _, id := range ids {
		is := x.whole(t, id)
		if want := x.there[id]; is != want && !x.open[id] {
			t.Errorf("%s %s: there %v, acknowledged %v", x.kind, id, is, want)
		}
		// One that is not there can be made: nothing holds its name.
		if x.open[id] && !is {
			if a, err := x.make(t.Context(), id); err != nil || !a.ok() {
				t.Errorf("%s %s was not made, and cannot be any more: %d %s %v", x.kind, id, a.status, a.body, err)
			}
			is = x.whole(t, id)
		}
		x.there[id] = is
		delete(x.open, id)
	}
}

// number is a writer that overwrites one value with the next number. What is there is the last acknowledged or one begun after it.
type number struct {
	kind string
	put  func(ctx context.Context, n int) (answer, error)
	read func(t *testing.T) int

	next int
	last int // acknowledged
	done int
}

func (x *number) name() string { return x.kind }
func (x *number) count() int   { return x.done }
func (x *number) begin()       {}

func (x *number) step(ctx context.Context) {
	x.next++
	a, err := x.put(ctx, x.next)
	if err != nil {
		<-ctx.Done()
		return
	}
	if a.ok() {
		x.last = x.next
		x.done++
	}
}

func (x *number) check(t *testing.T, _ bool) {
	t.Helper()
	if got := x.read(t); got < x.last || got > x.next {
		t.Errorf("%s: %d is there, %d was acknowledged, %d begun", x.kind, got, x.last, x.next)
	}
}

func newThings(kind string) *things { return &things{kind: kind, there: map[string]bool{}} }

func (w *world) writers(t *testing.T) []writer {
	return []writer{w.groups(), w.roles(), w.vaults(), w.sites(), w.applications(), w.secrets(), w.settings(), w.deploys(t), w.documents(t), w.moves(t)}
}

func (w *world) groups() writer {
	x := newThings("group")
	url := func(id string) string {
		return w.way.ARM() + "/subscriptions/" + w.p.Run.SubscriptionID + "/resourceGroups/" + id + groupVersion
	}
	x.make = func(ctx context.Context, id string) (answer, error) {
		return w.send(ctx, "PUT", url(id), w.arm, map[string]any{"location": "westeurope"})
	}
	x.remove = func(ctx context.Context, id string) (answer, error) {
		return w.send(ctx, "DELETE", url(id), w.arm, nil)
	}
	x.whole = func(t *testing.T, id string) bool {
		// A deletion that was cut off goes on after the restart.
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			a := w.get(t, "GET", url(id), w.arm, nil)
			if a.text("properties", "provisioningState") != "Deleting" {
				return a.ok()
			}
			if time.Now().After(until) {
				t.Errorf("group %s is still being deleted", id)
				return false
			}
		}
	}
	return x
}

const reader = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"

func (w *world) roles() writer {
	x := newThings("role")
	// Each at a group of its own: one principal has a role once at a scope.
	scope := func(id string) string { return "/subscriptions/" + w.p.Run.SubscriptionID + "/resourceGroups/of-" + id }
	url := func(id string) string {
		n, _ := strconv.Atoi(id[len("role"):])
		return w.way.ARM() + scope(id) + fmt.Sprintf("/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-%012x", n) + roleVersion
	}
	x.make = func(ctx context.Context, id string) (answer, error) {
		if a, err := w.send(ctx, "PUT", w.way.ARM()+scope(id)+groupVersion, w.arm, map[string]any{"location": "westeurope"}); err != nil || !a.ok() {
			return a, err
		}
		return w.send(ctx, "PUT", url(id), w.arm, map[string]any{"properties": map[string]any{"roleDefinitionId": reader, "principalId": w.app.Principal}})
	}
	x.remove = func(ctx context.Context, id string) (answer, error) {
		return w.send(ctx, "DELETE", url(id), w.arm, nil)
	}
	x.whole = func(t *testing.T, id string) bool { return w.get(t, "GET", url(id), w.arm, nil).ok() }
	return x
}

func (w *world) vaults() writer {
	x := newThings("vault")
	name := func(id string) string { return "k" + w.site.Name[len("site-"):] + id }
	url := func(id string) string {
		return w.way.ARM() + w.group + "/providers/Microsoft.KeyVault/vaults/" + name(id) + vaultVersion
	}
	x.make = func(ctx context.Context, id string) (answer, error) {
		return w.send(ctx, "PUT", url(id), w.arm, map[string]any{"location": "westeurope", "properties": map[string]any{
			"tenantId": w.p.Run.TenantID, "sku": map[string]any{"family": "A", "name": "standard"},
			"accessPolicies": []any{map[string]any{
				"tenantId": w.p.Run.TenantID, "objectId": w.app.Principal, "permissions": map[string]any{"secrets": harness.All},
			}},
		}})
	}
	x.whole = func(t *testing.T, id string) bool {
		t.Helper()
		there := w.get(t, "GET", url(id), w.arm, nil).ok()
		a := w.get(t, "GET", w.way.Vault(name(id))+"/secrets"+dataVersion, w.secret, nil)
		if there != a.ok() {
			t.Errorf("vault %s: as a resource there %v, its own host answers %d", id, there, a.status)
		}
		return there
	}
	return x
}

func (w *world) sites() writer {
	x := newThings("app")
	name := func(id string) string { return w.site.Name + "-" + id }
	url := func(id string) string {
		return w.way.ARM() + w.group + "/providers/Microsoft.Web/sites/" + name(id) + webVersion
	}
	x.make = func(ctx context.Context, id string) (answer, error) {
		return w.send(ctx, "PUT", url(id), w.arm, map[string]any{
			"location": "westeurope", "kind": "app,linux", "identity": map[string]any{"type": "SystemAssigned"}, "properties": map[string]any{"serverFarmId": w.plan},
		})
	}
	x.remove = func(ctx context.Context, id string) (answer, error) {
		return w.send(ctx, "DELETE", url(id), w.arm, nil)
	}
	principals := map[string]string{}
	x.whole = func(t *testing.T, id string) bool {
		t.Helper()
		a := w.get(t, "GET", url(id), w.arm, nil)
		if a.ok() {
			principals[id] = a.text("identity", "principalId")
		}
		scm := w.get(t, "GET", w.way.SCM(name(id))+"/api/deployments", w.arm, nil)
		if a.ok() != scm.ok() {
			t.Errorf("site %s: as a resource %d, its deployment host answers %d", id, a.status, scm.status)
		}
		if principal := principals[id]; principal != "" {
			sp := w.get(t, "GET", w.way.Graph()+"/v1.0/servicePrincipals/"+principal, w.graph, nil)
			if a.ok() != sp.ok() {
				t.Errorf("site %s: as a resource %d, its principal %d", id, a.status, sp.status)
			}
		} else if a.ok() {
			t.Errorf("site %s has no identity: %s", id, a.body)
		}
		return a.ok()
	}
	return x
}

// applications are directory writes: the application, then its principal.
func (w *world) applications() writer {
	x := newThings("directory")
	ids := map[string]string{} // application's object id, once known
	x.make = func(ctx context.Context, id string) (answer, error) {
		a, err := w.send(ctx, "POST", w.way.Graph()+"/v1.0/applications", w.graph, map[string]any{"displayName": id})
		if err != nil || !a.ok() {
			return a, err
		}
		sp, err := w.send(ctx, "POST", w.way.Graph()+"/v1.0/servicePrincipals", w.graph, map[string]any{"appId": a.text("appId")})
		if err == nil && sp.ok() {
			ids[id] = a.text("id") + " " + sp.text("id")
		}
		return sp, err
	}
	x.whole = func(t *testing.T, id string) bool {
		t.Helper()
		if ids[id] == "" {
			return false // whose ids nobody was told cannot be asked for
		}
		var app, sp string
		_, _ = fmt.Sscan(ids[id], &app, &sp)
		a, b := w.get(t, "GET", w.way.Graph()+"/v1.0/applications/"+app, w.graph, nil), w.get(t, "GET", w.way.Graph()+"/v1.0/servicePrincipals/"+sp, w.graph, nil)
		if a.ok() != b.ok() {
			t.Errorf("application %s: %d, its principal %d", id, a.status, b.status)
		}
		return a.ok()
	}
	return x
}

func (w *world) secrets() writer {
	url := w.way.Vault(w.vault) + "/secrets/counter"
	return &number{
		kind: "secret",
		put: func(ctx context.Context, n int) (answer, error) {
			return w.send(ctx, "PUT", url+dataVersion, w.secret, map[string]any{"value": strconv.Itoa(n)})
		},
		read: func(t *testing.T) int {
			n, _ := strconv.Atoi(w.get(t, "GET", url+dataVersion, w.secret, nil).text("value"))
			return n
		},
	}
}

func (w *world) settings() writer {
	url := w.way.ARM() + w.site.ID + "/config/appsettings"
	return &number{
		kind: "setting",
		put: func(ctx context.Context, n int) (answer, error) {
			return w.send(ctx, "PUT", url+webVersion, w.arm, map[string]any{"properties": map[string]string{"N": strconv.Itoa(n)}})
		},
		read: func(t *testing.T) int {
			n, _ := strconv.Atoi(w.get(t, "POST", url+"/list"+webVersion, w.arm, nil).text("properties", "N"))
			return n
		},
	}
}

// deploys pushes a package with a number in it; the site's deployment names the package by digest, which `bulkhead verify` compares with the file.
func (w *world) deploys(t *testing.T) writer {
	t.Helper()
	x := newThings("deploy")
	h := w.arm.Clone()
	h.Set("Content-Type", "application/zip")
	deployments := w.way.SCM(w.site.Name) + "/api/deployments/"
	last := map[string]string{} // the deployment's id
	x.make = func(ctx context.Context, id string) (answer, error) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		f, err := z.Create("n.txt")
		if err == nil {
			_, err = f.Write([]byte(id))
		}
		if err != nil || z.Close() != nil {
			return answer{}, err
		}
		a, err := w.send(ctx, "POST", w.way.SCM(w.site.Name)+"/api/zipdeploy", h, b.Bytes())
		if err != nil || !a.ok() {
			return a, err
		}
		a, err = w.send(ctx, "GET", deployments+"latest", w.arm, nil)
		last[id] = a.text("id")
		return a, err
	}
	x.whole = func(t *testing.T, id string) bool {
		t.Helper()
		// Only the last deployment is kept: ask for it alone.
		if id != fmt.Sprintf("deploy%d", x.n) && !(x.open[fmt.Sprintf("deploy%d", x.n)] && id == fmt.Sprintf("deploy%d", x.n-1)) {
			return x.there[id]
		}
		a := w.get(t, "GET", deployments+"latest", w.arm, nil)
		if a.status != http.StatusOK && last[id] != "" {
			t.Errorf("after deployment %s: %d %s", id, a.status, a.body)
		}
		if x.open[id] {
			return a.text("id") == last[id] && last[id] != ""
		}
		later := x.open[fmt.Sprintf("deploy%d", x.n)] // that one may be the latest
		return a.text("id") == last[id] || later
	}
	return x
}
