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

// TestMoveAcrossSubscriptions: az moves a site with its plan and its identity, and a vault, to another subscription; what it can't move it says.
func TestMoveAcrossSubscriptions(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	owner := c.text(t, "ad sp show --id $APP --query id")
	other := c.p.CreateSubscription(t, c.p.Run.TenantID, "az other", owner)
	c.set("$SUB", c.p.Run.SubscriptionID, "$OTHER", other)
	c.do(t, "account list --refresh")
	c.do(t, "account set --subscription $SUB")
	const web = "/subscriptions/$SUB/resourceGroups/az-mv1/providers/Microsoft.Web/"
	const vault = "/subscriptions/$SUB/resourceGroups/az-mv1/providers/Microsoft.KeyVault/vaults/az-mvvault"
	c.do(t, "group create -n az-mv1 -l westeurope")
	c.do(t, "group create -n az-mv2 -l westeurope --subscription $OTHER")
	c.do(t, "keyvault create -n az-mvvault -g az-mv1 -l westeurope --enable-rbac-authorization false")
	c.do(t, "keyvault secret set --vault-name az-mvvault -n s --value kept")
	c.do(t, "appservice plan create -n az-mvplan -g az-mv1 --sku B1 --is-linux")
	c.do(t, "webapp create -n az-mvsite -g az-mv1 -p az-mvplan --runtime NODE:20-lts")
	c.do(t, "webapp config appsettings set -n az-mvsite -g az-mv1 --settings A=1")
	principal := c.text(t, "webapp identity assign -n az-mvsite -g az-mv1 --query principalId")
	c.fails(t, "resource move --destination-group az-mv2 --destination-subscription-id $OTHER --ids "+web+"sites/az-mvsite", "without its plan")
	c.steps(t,
		step{"resource move --destination-group az-mv2 --destination-subscription-id $OTHER --ids " + web + "sites/az-mvsite " + web + "serverfarms/az-mvplan " + vault, "", ""},
		step{"resource list -g az-mv1", "[].name", `[]`},
		step{"resource list -g az-mv2 --subscription $OTHER", "sort([].name)", `["az-mvplan","az-mvsite","az-mvvault"]`},
		step{"webapp config appsettings list -n az-mvsite -g az-mv2 --subscription $OTHER", "[?name==`\"A\"`].value", `["1"]`},
		step{"webapp identity show -n az-mvsite -g az-mv2 --subscription $OTHER", "principalId", `"` + principal + `"`},
		step{"keyvault secret show --vault-name az-mvvault -n s", "value", `"kept"`},
	)
	c.do(t, "group delete -n az-mv1 -y")
	c.do(t, "group delete -n az-mv2 -y --subscription $OTHER")
}
