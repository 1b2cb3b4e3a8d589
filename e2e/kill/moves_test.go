package kill

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// mover moves a vault, a site with its identity and the site's plan to and fro between two subscriptions. Wherever it is cut off, they are together in one of the two
// groups in the end, and the vault's data and the site's settings with them.
type mover struct {
	w      *world
	groups [2]string
	ids    []string // below a group
	site   harness.Site
	vault  string
	at     int // which group they are in
	open   bool
	done   int
}

func (w *world) moves(t *testing.T) writer {
	t.Helper()
	x := &mover{w: w}
	env := w.p.Env(t, "")
	me := w.get(t, "GET", w.way.Graph()+"/v1.0/servicePrincipals(appId='"+env["AZURE_CLIENT_ID"]+"')", w.graph, nil)
	other := w.p.CreateSubscription(t, w.p.Run.TenantID, "Moves", me.text("id"))
	x.groups = [2]string{w.p.PutGroup(t), "/subscriptions/" + other + "/resourceGroups/" + harness.Name("rg-")}
	w.p.ARM(t, "PUT", x.groups[1]+groupVersion, map[string]any{"location": "westeurope"})
	x.site = w.p.PutSite(t, x.groups[0], "", map[string]string{"KEPT": "by the site"})
	x.vault = w.p.PutVault(t, x.groups[0], "", w.policy())
	if a := w.get(t, "PUT", w.way.Vault(x.vault)+"/secrets/s"+dataVersion, w.secret, map[string]any{"value": "kept"}); !a.ok() {
		t.Fatalf("set the secret: %d %s", a.status, a.body)
	}
	plan := w.get(t, "GET", w.way.ARM()+x.site.ID+webVersion, w.arm, nil).text("properties", "serverFarmId")
	for _, id := range []string{x.site.ID, plan, x.groups[0] + "/providers/Microsoft.KeyVault/vaults/" + x.vault} {
		x.ids = append(x.ids, strings.TrimPrefix(id, x.groups[0]))
	}
	return x
}

func (x *mover) name() string { return "move" }
func (x *mover) count() int   { return x.done }
func (x *mover) begin()       { x.open = false }

func (x *mover) step(ctx context.Context) {
	from, to := x.groups[x.at], x.groups[1-x.at]
	var ids []string
	for _, id := range x.ids {
		ids = append(ids, from+id)
	}
	a, err := x.w.send(ctx, "POST", x.w.way.ARM()+from+"/moveResources"+groupVersion, x.w.arm, map[string]any{"resources": ids, "targetResourceGroup": to})
	switch {
	case err != nil:
		x.open = true
		<-ctx.Done()
	case a.status == http.StatusNoContent:
		x.at = 1 - x.at
		x.done++
	case a.status == http.StatusAccepted || a.status >= 500:
		x.open = true
		<-ctx.Done() // which group they are in check finds
	}
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond):
	}
}

func (x *mover) check(t *testing.T, _ bool) {
	t.Helper()
	w := x.w
	there := func(group int, id string) bool {
		return w.get(t, "GET", w.way.ARM()+x.groups[group]+id+webVersion, w.arm, nil).ok()
	}
	// At every moment, also amid the move that goes on now, each is at one place: not where it comes from any more is where it goes to, and the other way round.
	from, to := x.at, 1-x.at
	deadline := time.Now().Add(30 * time.Second)
	for {
		moving := false
		for _, id := range x.ids {
			if !there(from, id) && !there(to, id) {
				t.Fatalf("%s has left and not arrived", id)
			}
			if there(to, id) && there(from, id) {
				t.Fatalf("%s has arrived and not left", id)
			}
		}
		for _, g := range x.groups {
			moving = moving || w.get(t, "GET", w.way.ARM()+g+groupVersion, w.arm, nil).text("properties", "provisioningState") != "Succeeded"
		}
		if !moving {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the move has not ended 30 s after the restart")
		}
		time.Sleep(5 * time.Millisecond)
	}
	at := -1
	for g, group := range x.groups {
		n := 0
		for _, id := range x.ids {
			if there(g, id) {
				n++
			}
		}
		switch {
		case n == len(x.ids) && at < 0:
			at = g
		case n != 0:
			t.Fatalf("%d of %d are in %s, the others are not", n, len(x.ids), group)
		}
	}
	if at < 0 {
		t.Fatal("they are in neither group")
	}
	if at != x.at && !x.open {
		t.Errorf("they are in group %d, acknowledged was %d", at, x.at)
	}
	x.at = at
	if a := w.get(t, "GET", w.way.Vault(x.vault)+"/secrets/s"+dataVersion, w.secret, nil); a.text("value") != "kept" {
		t.Errorf("the secret: %d %s", a.status, a.body)
	}
	id := x.groups[at] + x.ids[0]
	if a := w.get(t, "POST", w.way.ARM()+id+"/config/appsettings/list"+webVersion, w.arm, nil); a.text("properties", "KEPT") != "by the site" {
		t.Errorf("the settings: %d %s", a.status, a.body)
	}
	if a := w.get(t, "GET", w.way.SCM(x.site.Name)+"/api/deployments", w.arm, nil); !a.ok() {
		t.Errorf("the deployment host: %d %s", a.status, a.body)
	}
	if a := w.get(t, "GET", w.way.Graph()+"/v1.0/servicePrincipals/"+x.site.Principal, w.graph, nil); !strings.Contains(string(a.body), id) {
		t.Errorf("the identity's principal is not of %s: %d %s", id, a.status, a.body)
	}
}
