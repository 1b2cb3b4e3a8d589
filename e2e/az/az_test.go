package az

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func TestGroupsAndResources(t *testing.T) {
	c := administrator(t)
	c.steps(t,
		step{"account show", "[id, tenantId, user.type]", `["$SUB","$TENANT","servicePrincipal"]`},
		step{"account list-locations", "length(@) > `0`", `true`},
		step{"group create -n az-g1 -l westeurope --tags team=red", "[name, location, tags.team]", `["az-g1","westeurope","red"]`},
		step{"group exists -n az-g1", "@", `true`},
		step{"group exists -n az-none", "@", `false`},
		step{"group update -n az-g1 --set tags.team=blue", "tags", `{"team":"blue"}`},
		step{"group list --tag team=blue", "[].name", `["az-g1"]`},
		step{"provider register -n Microsoft.KeyVault", "", ""},
		step{"provider show -n Microsoft.KeyVault", "registrationState", `"Registered"`},
		step{"resource create -g az-g1 -n az-r1 --resource-type Microsoft.DocumentDB/databaseAccounts --properties '{\"databaseAccountOfferType\":\"Standard\",\"locations\":[{\"locationName\":\"westeurope\"}]}' -l westeurope", "name", `"az-r1"`},
		step{"resource list -g az-g1", "[].type", `["Microsoft.DocumentDB/databaseAccounts"]`},
		step{"resource tag -g az-g1 -n az-r1 --resource-type Microsoft.DocumentDB/databaseAccounts --tags cost=42", "tags.cost", `"42"`},
		step{"resource show -g az-g1 -n az-r1 --resource-type Microsoft.DocumentDB/databaseAccounts", "[name, tags.cost]", `["az-r1","42"]`},
		step{"resource list --tag cost=42", "[].name", `["az-r1"]`},
		step{"rest --method get --url /subscriptions/$SUB/resourcegroups/az-g1?api-version=2021-04-01", "name", `"az-g1"`},
	)
	c.do(t, "resource delete -g az-g1 -n az-r1 --resource-type Microsoft.DocumentDB/databaseAccounts")
	c.do(t, "group delete -n az-g1 -y")
	c.fails(t, "group show -n az-g1", "ResourceGroupNotFound")
}

func TestLocks(t *testing.T) {
	c := administrator(t, "$KV", harness.Name("az-locked"))
	c.do(t, "group create -n az-l1 -l westeurope")
	c.do(t, "keyvault create -n $KV -g az-l1 -l westeurope")
	c.steps(t,
		step{"lock create -n keep -g az-l1 --lock-type CanNotDelete", "level", `"CanNotDelete"`},
		step{"lock list -g az-l1", "[].name", `["keep"]`},
	)
	c.fails(t, "group delete -n az-l1 -y", "ScopeLocked")
	c.fails(t, "keyvault delete -n $KV -g az-l1", "ScopeLocked")
	c.do(t, "lock delete -n keep -g az-l1")
	c.do(t, "lock create -n still -g az-l1 --lock-type ReadOnly")
	c.fails(t, "group update -n az-l1 --set tags.a=b", "ScopeLocked")
	c.do(t, "lock delete -n still -g az-l1")
	c.do(t, "group delete -n az-l1 -y")
}

func TestCosmos(t *testing.T) {
	c := administrator(t)
	c.do(t, "group create -n az-c -l westeurope")
	c.steps(t, step{"cosmosdb create -n az-account -g az-c", "name", `"az-account"`})
	const keys = "cosmosdb keys list -n az-account -g az-c --query primaryMasterKey"
	before := c.text(t, keys)
	c.do(t, "cosmosdb keys regenerate -n az-account -g az-c --key-kind primary")
	if after := c.text(t, keys); before == after || len(after) != 88 {
		t.Errorf("the primary key was %d characters, is %d; want another one of 88", len(before), len(after))
	}
	c.steps(t, step{"cosmosdb list -g az-c", "[].name", `["az-account"]`})
	c.do(t, "cosmosdb delete -n az-account -g az-c -y")
	c.do(t, "group delete -n az-c -y")
}

func TestWebApp(t *testing.T) {
	c := administrator(t)
	c.do(t, "group create -n az-w -l westeurope")
	c.do(t, "appservice plan create -n az-plan -g az-w --is-linux --sku B1")
	c.steps(t,
		step{"webapp create -n az-web1 -g az-w -p az-plan --runtime PYTHON:3.12", "name", `"az-web1"`},
		step{"webapp config show -n az-web1 -g az-w", "linuxFxVersion", `"PYTHON|3.12"`},
		step{"webapp identity assign -n az-web1 -g az-w", "type", `"SystemAssigned"`},
		step{"webapp identity show -n az-web1 -g az-w", "length(principalId)", `36`},
		step{"webapp config appsettings set -n az-web1 -g az-w --settings A=1 B=2", "length(@) >= `2`", `true`},
		step{"webapp config appsettings list -n az-web1 -g az-w", "sort_by([?name==`A` || name==`B`], &name)[].value", `["1","2"]`},
		step{"webapp deployment list-publishing-profiles -n az-web1 -g az-w", "[].[publishMethod, userName]", `[["ZipDeploy","$az-web1"]]`},
		step{"webapp update -n az-web1 -g az-w --https-only true", "httpsOnly", `true`},
		step{"webapp list -g az-w", "[].name", `["az-web1"]`},
		step{"webapp stop -n az-web1 -g az-w", "", ""},
		step{"webapp show -n az-web1 -g az-w", "state", `"Stopped"`},
		step{"webapp start -n az-web1 -g az-w", "", ""},
	)
	c.do(t, "webapp delete -n az-web1 -g az-w --keep-empty-plan")
	c.do(t, "group delete -n az-w -y")
}
