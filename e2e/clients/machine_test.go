package clients

import (
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// The clients find the instance metadata service at its one address, through the proxy, as on a virtual machine.
func TestMachine(t *testing.T) {
	w := newWorld(t)
	way := w.p.ProxyWay(t)
	group := w.p.PutGroup(t)
	one, two := w.p.PutIdentity(t, group), w.p.PutIdentity(t, group)
	w.p.PutVault(t, vaultGroup(t, w), w.vault, harness.Policy{ObjectID: one.PrincipalID, Secrets: []string{"get"}})
	site := w.p.PutSite(t, group, "", nil)
	w.p.ARM(t, "PATCH", site.ID+"?api-version=2022-03-01", map[string]any{"identity": map[string]any{
		"type": "UserAssigned", "userAssignedIdentities": map[string]any{one.ID: map[string]any{}, two.ID: map[string]any{}},
	}})
	for _, c := range []client{python(t, "readsecret.py"), node(t, "readsecret.mjs")} {
		for _, m := range []struct{ name, as, id, refused string }{
			{"an identity itself", one.ID, "", ""},
			{"one of a resource's", site.ID, one.ClientID, ""},
			{"the other of a resource's", site.ID, two.ClientID, "Forbidden"},
			{"none of the two", site.ID, "", "Multiple user assigned identities exist"},
			{"one that is not assigned", two.ID, one.ClientID, "Identity not found"},
		} {
			t.Run(c.name+"/"+m.name, func(t *testing.T) {
				w := w
				w.identity, w.app.AppID = m.as, m.id
				got, said, err := w.run(t, c, way, "machine", "")
				if m.refused == "" && (err != nil || got.Value != secretValue) {
					t.Errorf("read %q, %v\n%s", got.Value, err, said)
				}
				if m.refused != "" && (err == nil || got.Value != "" || !strings.Contains(said, m.refused)) {
					t.Errorf("read %q, %v, want %s\n%s", got.Value, err, m.refused, said)
				}
			})
		}
	}
}

// vaultGroup is the group of the world's vault.
func vaultGroup(t *testing.T, w world) string {
	t.Helper()
	list := w.p.ARM(t, "GET", "/subscriptions/"+w.p.Run.SubscriptionID+"/resources?api-version=2021-04-01&$filter=name%20eq%20'"+w.vault+"'", nil)
	all, _ := list["value"].([]any)
	if len(all) != 1 {
		t.Fatalf("the vault %s is there %d times", w.vault, len(all))
	}
	id, _ := all[0].(map[string]any)["id"].(string)
	group, _, _ := strings.Cut(id, "/providers/")
	return group
}
