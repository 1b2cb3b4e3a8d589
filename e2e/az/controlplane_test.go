package az

import (
	"os"
	"path/filepath"
	"testing"
)

// TestControlPlane is what the control plane has beside resources: custom roles, management groups, tags, moves.
func TestControlPlane(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	c.do(t, "group create -n az-cp1 -l westeurope")
	c.do(t, "group create -n az-cp2 -l westeurope")
	c.do(t, "keyvault create -n az-cpvault -g az-cp1 -l westeurope")
	vault := "/subscriptions/$SUB/resourceGroups/az-cp1/providers/Microsoft.KeyVault/vaults/az-cpvault"
	role := filepath.Join(t.TempDir(), "role.json")
	err := os.WriteFile(role, []byte(`{"Name":"az vault lister","IsCustom":true,"Description":"lists","Actions":["Microsoft.KeyVault/vaults/read"],"NotActions":[],`+
		`"AssignableScopes":["`+c.vars.Replace("/subscriptions/$SUB")+`"]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	c.steps(t,
		step{"tag update --operation merge --tags env=test --resource-id " + vault, "properties.tags.env", `"test"`},
		step{"tag list --resource-id " + vault, "properties.tags", `{"env":"test"}`},
		step{"resource list --tag env=test", "[].name", `["az-cpvault"]`},
		step{"role definition create --role-definition @" + role, "[roleName, roleType]", `["az vault lister","CustomRole"]`},
		step{"role definition list --custom-role-only --name 'az vault lister'", "[].description", `["lists"]`},
		step{"role definition delete --name 'az vault lister'", "", ""},
		step{"provider operation show --namespace Microsoft.KeyVault", "name", `"Microsoft.KeyVault"`},
		step{"account management-group create -n az-corp --display-name Corp --no-register", "displayName", `"Corp"`},
		step{"account management-group subscription add -n az-corp -s $SUB", "", ""},
		step{"account management-group show -n az-corp -e --no-register", "children[].name", `["$SUB"]`},
		step{"account management-group subscription remove -n az-corp -s $SUB", "", ""},
		step{"account management-group delete -n az-corp --no-register", "", ""},
		step{"resource move --destination-group az-cp2 --ids " + vault, "", ""},
		step{"keyvault list -g az-cp2", "[].name", `["az-cpvault"]`},
	)
	c.fails(t, "group export -n az-cp1", "NotImplemented")
	c.do(t, "group delete -n az-cp1 -y")
	c.do(t, "group delete -n az-cp2 -y")
}
