package clients

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// The built-in roles' ids, the same everywhere.
const (
	ownerRole  = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	readerRole = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
)

// TestControlPlane: Python's and Node's clients of Azure Resource Manager go through the same steps and see the same.
func TestControlPlane(t *testing.T) {
	w := newWorld(t)
	subscription := "/subscriptions/" + w.p.Run.SubscriptionID
	w.p.ARM(t, "PUT", subscription+"/providers/Microsoft.Authorization/roleAssignments/"+uuid.NewString()+"?api-version=2022-04-01", map[string]any{
		"properties": map[string]any{
			"roleDefinitionId": subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + ownerRole,
			"principalId":      w.app.Principal, "principalType": "ServicePrincipal",
		},
	})
	for _, c := range []client{python(t, "controlplane.py"), node(t, "controlplane.mjs")} {
		for _, way := range w.p.Ways(t) {
			t.Run(c.name+"/"+way.Name, func(t *testing.T) {
				prefix := harness.Name("o")
				c := c
				c.env = append([]string{"PREFIX=" + prefix, "SUBSCRIPTION=" + w.p.Run.SubscriptionID, "PRINCIPAL=" + w.app.Principal, "ARM=" + way.ARM()}, c.env...)
				group, vault, identity := []any{prefix + "-rg"}, []any{prefix + "-kv"}, []any{prefix + "-id"}
				want := map[string]any{
					"group": []any{"westeurope", "blue", "Succeeded"}, "groups": group, "groupsOfTag": group, "provider": []any{"Registered", true},
					"vault": []any{way.Vault(prefix+"-kv") + "/", true}, "vaults": []any{vault, vault},
					"identity":  []any{true, true, identity},
					"federated": []any{[]any{"fic", "repo:a", "api://AzureADTokenExchange"}}, "noFederated": 404.,
					"resource": "Microsoft.KeyVault/vaults", "resources": []any{prefix + "-id", prefix + "-kv"}, "resourcesOfType": identity, "resourcesOfTag": vault,
					"reader":   []any{readerRole},
					"custom":   []any{prefix + " role", "CustomRole", []any{"Microsoft.KeyVault/vaults/read"}, true},
					"assigned": true, "customInUse": 400., "unassigned": []any{}, "customUnused": "succeeded",
					"noIdentity": 404., "noVault": 404., "deleted": vault, "recovered": []any{[]any{true, []any{"get", "list"}}}, "purged": 404., "noGroup": 404.,
				}
				if d := cmp.Diff(want, w.seen(t, c, way)); d != "" {
					t.Errorf("-want +seen\n%s", d)
				}
			})
		}
	}
}
