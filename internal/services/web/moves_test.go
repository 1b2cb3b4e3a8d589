package web

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// ask sends a request as the owner; path is below the subscription of that number.
func (c *controlled) ask(t *testing.T, sub int, method, path, body string, want int) map[string]any {
	t.Helper()
	r := httptest.NewRequest(method, "https://management.azure.com/subscriptions/"+c.subs[sub]+"/resourceGroups/"+path+"?api-version=2022-03-01", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer owner")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if w.Code != want {
		t.Fatalf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, want)
	}
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%s %s: %s", method, path, w.Body)
		}
	}
	return out
}

func (c *controlled) id(sub int, path string) string {
	return "/subscriptions/" + c.subs[sub] + "/resourceGroups/" + path
}

// move moves what is in a group of the first subscription.
func (c *controlled) move(t *testing.T, group string, sub int, target string, want int, what ...string) string {
	t.Helper()
	for i := range what {
		what[i] = c.id(0, group+"/providers/Microsoft.Web/"+what[i])
	}
	body, _ := json.Marshal(map[string]any{"resources": what, "targetResourceGroup": c.id(sub, target)})
	validated := c.ask(t, 0, "POST", group+"/validateMoveResources", string(body), want)
	moved := c.ask(t, 0, "POST", group+"/moveResources", string(body), want)
	if fmt.Sprint(validated) != fmt.Sprint(moved) {
		t.Errorf("validateMoveResources says %v, moveResources %v", validated, moved)
	}
	return fmt.Sprint(moved["error"])
}

// planOf is the plan a site says it has.
func (c *controlled) planOf(t *testing.T, sub int, group, site string) any {
	t.Helper()
	out := c.ask(t, sub, "GET", group+"/providers/Microsoft.Web/sites/"+site, "", 200)
	return out["properties"].(map[string]any)["serverFarmId"]
}

func TestMove(t *testing.T) {
	t.Parallel()
	c := openControlled(t)
	const web = "/providers/Microsoft.Web/"
	for _, g := range []string{"rg1", "rg2"} {
		c.ask(t, 0, "PUT", g, `{"location":"westeurope"}`, 201)
	}
	c.ask(t, 1, "PUT", "far", `{"location":"westeurope"}`, 201)
	c.ask(t, 0, "PUT", "rg1"+web+"serverfarms/p1", `{"location":"westeurope","sku":{"name":"B1"}}`, 200)
	put := func(group, site string) {
		t.Helper()
		c.ask(t, 0, "PUT", group+web+"sites/"+site, `{"location":"westeurope","identity":{"type":"SystemAssigned"},"properties":{"serverFarmId":"`+c.id(0, "rg1"+web+"serverfarms/p1")+`",
			"siteConfig":{"alwaysOn":true,"appSettings":[{"name":"A","value":"secret-value"}],"connectionStrings":[{"name":"D","connectionString":"x=y","type":"Custom"}]}}}`, 200)
	}
	put("rg1", "s1")
	put("rg2", "s2")
	credentials := c.ask(t, 0, "POST", "rg1"+web+"sites/s1/config/publishingcredentials/list", "", 200)["properties"]

	// Within the subscription: the plan leaves its sites behind, a site its plan, and both know each other all the same.
	c.move(t, "rg1", 0, "rg2", 204, "serverfarms/p1")
	plan := c.id(0, "rg2"+web+"serverfarms/p1")
	for group, site := range map[string]string{"rg1": "s1", "rg2": "s2"} {
		if got := c.planOf(t, 0, group, site); got != plan {
			t.Errorf("the plan of %s is %v, want %s", site, got, plan)
		}
	}
	c.move(t, "rg1", 0, "rg2", 204, "sites/s1")
	c.ask(t, 0, "GET", "rg1"+web+"sites/s1/config/web", "", 404)
	c.ask(t, 0, "DELETE", "rg2"+web+"serverfarms/p1", "", 409) // it has sites
	if got := c.planOf(t, 0, "rg2", "s1"); got != plan {
		t.Errorf("the plan of the moved site is %v, want %s", got, plan)
	}

	// To another one: together or not at all.
	if says := c.move(t, "rg2", 1, "far", 409, "serverfarms/p1", "sites/s1"); !strings.Contains(says, "/sites/s2") {
		t.Errorf("without one of the plan's sites: %s", says)
	}
	if says := c.move(t, "rg2", 1, "far", 409, "sites/s1", "sites/s2"); !strings.Contains(says, "/serverfarms/p1") {
		t.Errorf("without the plan: %s", says)
	}
	c.move(t, "rg2", 1, "far", 204, "serverfarms/p1", "sites/s1", "sites/s2")
	if got, want := c.planOf(t, 1, "far", "s1"), c.id(1, "far"+web+"serverfarms/p1"); got != want {
		t.Errorf("the plan is %v, want %s", got, want)
	}
	settings := c.ask(t, 1, "POST", "far"+web+"sites/s1/config/appsettings/list", "", 200)["properties"]
	conns := c.ask(t, 1, "POST", "far"+web+"sites/s1/config/connectionstrings/list", "", 200)["properties"]
	config := c.ask(t, 1, "GET", "far"+web+"sites/s1/config/web", "", 200)["properties"].(map[string]any)
	if fmt.Sprint(settings, conns, config["alwaysOn"]) != "map[A:secret-value] map[D:map[type:Custom value:x=y]] true" {
		t.Errorf("what the site had: %v %v %v", settings, conns, config["alwaysOn"])
	}
	if after := c.ask(t, 1, "POST", "far"+web+"sites/s1/config/publishingcredentials/list", "", 200)["properties"]; fmt.Sprint(after) != fmt.Sprint(credentials) {
		t.Error("the deployment user is another one")
	}
	sites, packages := map[string]string{}, map[string]string{}
	if err := c.web.sitesIn(t.Context(), "sub/"+c.subs[0], sites, packages); err != nil || len(sites) > 0 {
		t.Errorf("left behind: %v, %v", sites, err)
	}
	if all, _, err := c.web.allSites(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("all sites: %v, %v", all, err)
	} else {
		for _, id := range all {
			if !strings.HasPrefix(id, c.id(1, "far/")) {
				t.Errorf("a site is known as %s", id)
			}
		}
	}
	c.ask(t, 1, "DELETE", "far"+web+"sites/s1", "", 200)
	c.ask(t, 1, "DELETE", "far"+web+"sites/s2", "", 200)
	c.ask(t, 1, "DELETE", "far"+web+"serverfarms/p1", "", 200)
}

// A site amid its move to another subscription has a row in both: its process is started for the id its host name stands for.
func TestMove_StartAmid(t *testing.T) {
	t.Parallel()
	c := openControlled(t)
	const web = "/providers/Microsoft.Web/"
	c.ask(t, 0, "PUT", "rg1", `{"location":"westeurope"}`, 201)
	c.ask(t, 0, "PUT", "rg1"+web+"serverfarms/p1", `{"location":"westeurope","sku":{"name":"B1"}}`, 200)
	c.ask(t, 0, "PUT", "rg1"+web+"sites/s1", `{"location":"westeurope","properties":{"serverFarmId":"p1"}}`, 200)
	all, _, err := c.web.allSites(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	for guid, id := range all {
		row, err := siteCodec.Encode(siteRecord{ResourceID: c.id(1, "far"+web+"sites/s1")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.store.Update(t.Context(), "sub/"+c.subs[1], func(tx store.Tx) error { return tx.Put(rowKey(guid, nounSite), row) }); err != nil {
			t.Fatal(err)
		}
		again, _, err := c.web.allSites(t.Context())
		if err != nil || len(again) != 1 || again[guid] != id {
			t.Errorf("the sites are %v, %v; want %s", again, err, id)
		}
	}
}

// A plan on the move takes no sites, and its group's sites no deployments.
func TestMove_PlanTakesNoSites(t *testing.T) {
	t.Parallel()
	c := openControlled(t)
	const web = "/providers/Microsoft.Web/"
	for _, g := range []string{"rg1", "rg2"} {
		c.ask(t, 0, "PUT", g, `{"location":"westeurope"}`, 201)
	}
	c.ask(t, 0, "PUT", "rg1"+web+"serverfarms/p1", `{"location":"westeurope","sku":{"name":"B1"}}`, 200)
	site := `{"location":"westeurope","properties":{"serverFarmId":"` + c.id(0, "rg1"+web+"serverfarms/p1") + `"}}`
	key := []byte("x|" + strings.ToLower(c.id(0, "rg1"))) // as the control plane marks it
	mark := func(fn func(tx store.Tx) error) {
		t.Helper()
		if _, err := c.store.Update(t.Context(), "sub/"+c.subs[0], fn); err != nil {
			t.Fatal(err)
		}
	}
	mark(func(tx store.Tx) error { return tx.Put(key, []byte("x\x01{}")) })
	if out := c.ask(t, 0, "PUT", "rg2"+web+"sites/s1", site, 409); !strings.Contains(fmt.Sprint(out), "ResourceMoveInProgress") {
		t.Errorf("a site of a plan on the move: %v", out)
	}
	mark(func(tx store.Tx) error { return tx.Delete(key) })
	c.ask(t, 0, "PUT", "rg2"+web+"sites/s1", site, 200)
}
