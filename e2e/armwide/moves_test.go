package armwide

import (
	"net/http"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestMoveNetwork: rules of a vault, an account and a site that name a network's subnet keep the network where it is, each by its name; without them it moves.
func TestMoveNetwork(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	from, into := p.PutGroup(t), p.PutGroup(t)
	const version = "?api-version=2024-05-01"
	network := from + "/providers/Microsoft.Network/virtualNetworks/v1"
	subnet := network + "/subnets/s1"
	p.ARM(t, "PUT", network+version, map[string]any{"location": "westeurope", "properties": map[string]any{
		"addressSpace": map[string]any{"addressPrefixes": []string{"10.0.0.0/16"}},
		"subnets": []any{map[string]any{"name": "s1", "properties": map[string]any{
			"addressPrefix":    "10.0.1.0/24",
			"serviceEndpoints": []any{map[string]any{"service": "Microsoft.KeyVault"}, map[string]any{"service": "Microsoft.AzureCosmosDB"}},
		}}},
	}})
	vaults := p.PutGroup(t)
	vault := vaults + "/providers/Microsoft.KeyVault/vaults/" + p.PutVault(t, vaults, "")
	account := vaults + "/providers/Microsoft.DocumentDB/databaseAccounts/" + p.PutAccount(t, vaults)
	site := p.PutSite(t, vaults, "", nil).ID
	patch := func(id, version string, properties map[string]any) {
		t.Helper()
		p.ARM(t, "PATCH", id+version, map[string]any{"properties": properties})
	}
	named := []any{map[string]any{"id": subnet}}
	body := map[string]any{"resources": []string{network}, "targetResourceGroup": into}
	move := func(verb string) harness.Answer {
		return p.TryARM(t, "POST", from+"/"+verb+"?api-version=2021-04-01", body)
	}
	for id, rules := range map[string]func(on bool){
		vault: func(on bool) {
			acls := map[string]any{"bypass": "None", "defaultAction": "Deny", "virtualNetworkRules": []any{}}
			if on {
				acls["virtualNetworkRules"] = named
			}
			patch(vault, "?api-version=2022-07-01", map[string]any{"networkAcls": acls})
		},
		account: func(on bool) {
			list := []any{}
			if on {
				list = named
			}
			patch(account, "?api-version=2021-10-15", map[string]any{"isVirtualNetworkFilterEnabled": true, "virtualNetworkRules": list})
		},
		site: func(on bool) {
			list := []any{}
			if on {
				list = []any{map[string]any{"vnetSubnetResourceId": subnet, "action": "Allow", "priority": 100, "name": "in"}}
			}
			p.ARM(t, "PUT", site+"/config/web?api-version=2022-03-01", map[string]any{"properties": map[string]any{"ipSecurityRestrictions": list}})
		},
	} {
		rules(true)
		for _, verb := range []string{"validateMoveResources", "moveResources"} {
			if a := move(verb); a.Status != http.StatusConflict || !strings.Contains(string(a.Body), id) || !strings.Contains(string(a.Body), "CannotMoveResourceDueToReference") {
				t.Errorf("%s with a rule of %s: %d %s", verb, id, a.Status, a.Body)
			}
		}
		rules(false)
	}
	if a := move("moveResources"); a.Status != http.StatusNoContent {
		t.Fatalf("without rules: %d %s", a.Status, a.Body)
	}
	p.ARM(t, "GET", into+"/providers/Microsoft.Network/virtualNetworks/v1/subnets/s1"+version, nil)
	if a := p.TryARM(t, "GET", subnet+version, nil); a.Status != http.StatusNotFound {
		t.Errorf("where it was: %d", a.Status)
	}
}
