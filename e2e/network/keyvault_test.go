package network

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const vaultVersion = "?api-version=2022-07-01"

// acls sets the vault's network rules.
func (w *world) acls(t *testing.T, vault, action, bypass string, subnets ...string) {
	t.Helper()
	list := []any{}
	for _, s := range subnets {
		list = append(list, map[string]any{"id": s})
	}
	out := w.p.ARM(t, "PATCH", vault+vaultVersion, map[string]any{"properties": map[string]any{
		"networkAcls": map[string]any{"defaultAction": action, "bypass": bypass, "ipRules": []any{}, "virtualNetworkRules": list},
	}})
	props, _ := out["properties"].(map[string]any)
	shown, _ := props["networkAcls"].(map[string]any)
	if got, _ := shown["virtualNetworkRules"].([]any); len(got) != len(subnets) {
		t.Fatalf("the vault has the rules %v, want %v", got, subnets)
	}
}

func TestKeyVault(t *testing.T) {
	w := newWorld(t)
	app := w.p.CreateApp(t, "", harness.Name("app-"))
	name := w.p.PutVault(t, w.group, "", harness.Policy{ObjectID: app.Principal, Secrets: harness.All})
	vault := w.group + "/providers/Microsoft.KeyVault/vaults/" + name
	way := w.way(t, w.out)
	c, err := azsecrets.NewClient(way.Vault(name), way.Credential(t, app.TenantID, app.AppID, app.Secret.SecretText), &azsecrets.ClientOptions{ClientOptions: way.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetSecret(t.Context(), "s", azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil); err != nil {
		t.Fatal(err)
	}
	inside, outside := readSecret(t, w.way(t, w.in), name, app), readSecret(t, way, name, app)
	s1 := w.vnet + "/subnets/s1"

	w.acls(t, vault, "Deny", "AzureServices", s1)
	passes(t, "in the subnet", inside)
	refused(t, "outside of it", outside, "ForbiddenByFirewall", "Client address: "+other, "caller is not a trusted service")
	w.acls(t, vault, "Deny", "None")
	refused(t, "the rule is gone", inside, "Client address: "+client, "bypass is set to None")
	w.acls(t, vault, "Allow", "None", s1)
	passes(t, "rules don't count while the default is to allow", outside)
	w.acls(t, vault, "Deny", "AzureServices", s1)
	passes(t, "in the subnet again", inside)

	w.putSubnet(t, s1, "10.213.1.0/24", "", "Microsoft.AzureCosmosDB")
	refused(t, "another service's endpoint is not Key Vault's", inside, "Client address: "+client)
	w.putSubnet(t, s1, "10.213.1.0/24", w.denyRule(t, "no-vault", "AzureKeyVault"), "Microsoft.KeyVault")
	refused(t, "the subnet's group denies it", inside, "network security group", "securityRules/closed")
	w.putSubnet(t, s1, "10.213.1.0/24", w.denyRule(t, "no-storage", "Storage"), "Microsoft.KeyVault")
	passes(t, "a group that denies something else", inside)
	w.putSubnet(t, s1, "10.213.1.0/24", w.denyRule(t, "no-internet", "Internet"), "Microsoft.KeyVault")
	refused(t, "the vault is on the internet, too", inside, "securityRules/closed")

	w.putSubnet(t, w.vnet+"/subnets/bare", "10.213.2.0/24", "")
	for body, says := range map[string]string{
		`{"id":"` + w.vnet + `/subnets/bare"}`:                                         "SubnetsHaveNoServiceEndpointsConfigured",
		`{"id":"` + w.vnet + `/subnets/none"}`:                                         "InvalidResourceReference",
		`{"id":"` + w.vnet + `"}`:                                                      "InvalidResourceId",
		`{"id":"` + w.vnet + `/subnets/none","ignoreMissingVnetServiceEndpoint":true}`: "InvalidResourceReference",
		`{"id":"/subscriptions/` + w.p.Run.TenantID + `/resourceGroups/x/providers/Microsoft.Network/virtualNetworks/v/subnets/s"}`: "LinkedAuthorizationFailed",
	} {
		a := w.p.TryARM(t, "PATCH", vault+vaultVersion, `{"properties":{"networkAcls":{"virtualNetworkRules":[`+body+`]}}}`)
		if a.Status/100 != 4 || !strings.Contains(string(a.Body), says) {
			t.Errorf("the rule %s: %d %s, want %s", body, a.Status, a.Body, says)
		}
	}
	w.p.ARM(t, "PATCH", vault+vaultVersion, map[string]any{"properties": map[string]any{
		"networkAcls": map[string]any{"virtualNetworkRules": []any{map[string]any{"id": w.vnet + "/subnets/bare", "ignoreMissingVnetServiceEndpoint": true}}},
	}})
	refused(t, "a rule made before the endpoint", outside, "Client address: "+other)
	w.putSubnet(t, w.vnet+"/subnets/bare", "10.213.2.0/24", "", "Microsoft.KeyVault")
	passes(t, "admits with the endpoint", outside)
}
