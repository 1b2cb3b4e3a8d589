package az

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	c.set("$SUB", c.p.Run.SubscriptionID, "$RG", harness.Name("rg-"))
	c.steps(t,
		step{"group create -n $RG -l westeurope", "", ""},
		step{"network nsg create -g $RG -n g1", "NewNSG.defaultSecurityRules[].name", `["AllowVnetInBound","AllowAzureLoadBalancerInBound","DenyAllInBound","AllowVnetOutBound","AllowInternetOutBound","DenyAllOutBound"]`},
		step{
			"network nsg rule create -g $RG --nsg-name g1 -n web --priority 100 --access Allow --protocol Tcp --source-address-prefixes Internet --destination-port-ranges 80 443",
			"[access, direction, destinationPortRanges, sourceAddressPrefix]", `["Allow","Inbound",["80","443"],"Internet"]`,
		},
		step{"network nsg rule update -g $RG --nsg-name g1 -n web --priority 200 --source-address-prefixes 10.0.0.0/8 192.0.2.0/24", "[priority, sourceAddressPrefixes]", `[200,["10.0.0.0/8","192.0.2.0/24"]]`},
		step{"network nsg rule list -g $RG --nsg-name g1 --include-default", "length(@)", `7`},
		step{"network nsg rule show -g $RG --nsg-name g1 -n web", "provisioningState", `"Succeeded"`},

		step{"network vnet create -g $RG -n v1 --address-prefixes 10.1.0.0/16 --subnet-name s1 --subnet-prefixes 10.1.1.0/24", "newVNet.subnets[].[name, addressPrefix]", `[["s1","10.1.1.0/24"]]`},
		step{
			"network vnet subnet create -g $RG --vnet-name v1 -n s2 --address-prefixes 10.1.2.0/24 --service-endpoints Microsoft.AzureCosmosDB Microsoft.KeyVault --network-security-group g1",
			"serviceEndpoints[].service", `["Microsoft.AzureCosmosDB","Microsoft.KeyVault"]`,
		},
		step{"network vnet subnet list -g $RG --vnet-name v1", "[].name", `["s1","s2"]`},
		step{"network vnet subnet update -g $RG --vnet-name v1 -n s1 --service-endpoints Microsoft.Web --delegations Microsoft.Web/serverFarms", "[serviceEndpoints[].service, delegations[].serviceName]", `[["Microsoft.Web"],["Microsoft.Web/serverFarms"]]`},
		step{"network vnet update -g $RG -n v1 --address-prefixes 10.1.0.0/16 10.2.0.0/16 --dns-servers 10.1.0.9", "[addressSpace.addressPrefixes, dhcpOptions.dnsServers, subnets[].name]", `[["10.1.0.0/16","10.2.0.0/16"],["10.1.0.9"],["s1","s2"]]`},
		step{"network vnet list -g $RG", "[].name", `["v1"]`},
		step{"network vnet show -g $RG -n v1 ", "subnets[1].networkSecurityGroup.id", `"/subscriptions/$SUB/resourceGroups/$RG/providers/Microsoft.Network/networkSecurityGroups/g1"`},
		step{"network nic create -g $RG -n n1 --vnet-name v1 --subnet s2", "NewNIC.ipConfigurations[0].privateIPAddress", `"10.1.2.4"`},
		step{"network nic list-effective-nsg -g $RG -n n1", "value[].effectiveSecurityRules[0].[name, priority]", `[["securityRules/web",200]]`},
		step{"network vnet list-endpoint-services -l westeurope", "[0].name", `"Microsoft.AzureCosmosDB"`},
		step{"network vnet check-ip-address -g $RG -n v1 --ip-address 10.1.2.4", "available", `false`},
	)
	c.fails(t, "network nsg delete -g $RG -n g1", "InUseNetworkSecurityGroupCannotBeDeleted")
	c.fails(t, "network vnet subnet delete -g $RG --vnet-name v1 -n s2", "InUseSubnetCannotBeDeleted")
	c.fails(t, "network vnet subnet create -g $RG --vnet-name v1 -n s3 --address-prefixes 10.1.2.128/25", "NetcfgSubnetRangesOverlap")
	c.fails(t, "network nsg rule create -g $RG --nsg-name g1 -n other --priority 200 --access Deny", "SecurityRuleConflict")
	c.do(t, "network nic delete -g $RG -n n1")
	c.steps(t,
		step{"network vnet subnet update -g $RG --vnet-name v1 -n s2 --remove networkSecurityGroup", "[networkSecurityGroup]", `[null]`},
		step{"network nsg rule delete -g $RG --nsg-name g1 -n web", "", ""},
		step{"network nsg delete -g $RG -n g1", "", ""},
		step{"network vnet subnet delete -g $RG --vnet-name v1 -n s2", "", ""},
		step{"network vnet delete -g $RG -n v1", "", ""},
		step{"resource list -g $RG", "[].name", `[]`},
	)
}

// Network rules of a vault and an account, by az's own commands.
func TestNetworkRules(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	c.set("$SUB", c.p.Run.SubscriptionID, "$RG", harness.Name("rg-"), "$VAULT", harness.Name("kv"), "$DB", harness.Name("db"), "$TENANT", c.p.Run.TenantID, "$WEB", harness.Name("web-"))
	const subnet = "/subscriptions/$SUB/resourceGroups/$RG/providers/Microsoft.Network/virtualNetworks/v1/subnets/"
	c.steps(t,
		step{"group create -n $RG -l westeurope", "", ""},
		step{"network vnet create -g $RG -n v1 --address-prefixes 10.1.0.0/16 --subnet-name s1 --subnet-prefixes 10.1.1.0/24", "", ""},
		step{"network vnet subnet update -g $RG --vnet-name v1 -n s1 --service-endpoints Microsoft.AzureCosmosDB Microsoft.KeyVault", "", ""},
		step{"network vnet subnet create -g $RG --vnet-name v1 -n bare --address-prefixes 10.1.2.0/24", "", ""},

		step{"keyvault create -g $RG -n $VAULT --enable-rbac-authorization false --default-action Deny", "properties.networkAcls.defaultAction", `"Deny"`},
		step{"keyvault network-rule add -g $RG -n $VAULT --vnet-name v1 --subnet s1", "length(properties.networkAcls.virtualNetworkRules)", `1`},
		step{"keyvault network-rule add -g $RG -n $VAULT --ip-address 192.0.2.0/24", "properties.networkAcls.ipRules[].value", `["192.0.2.0/24"]`},
	)
	c.fails(t, "keyvault network-rule add -g $RG -n $VAULT --vnet-name v1 --subnet bare", "SubnetsHaveNoServiceEndpointsConfigured")
	c.steps(t,
		step{"keyvault network-rule list -g $RG -n $VAULT", "[length(virtualNetworkRules), length(ipRules)]", `[1,1]`},
		step{"keyvault network-rule remove -g $RG -n $VAULT --vnet-name v1 --subnet s1", "properties.networkAcls.virtualNetworkRules", `[]`},

		step{"cosmosdb create -g $RG -n $DB --enable-virtual-network true --virtual-network-rules " + subnet + "s1", "[isVirtualNetworkFilterEnabled, virtualNetworkRules[].id]", `[true,["` + subnet + `s1"]]`},
		step{"cosmosdb network-rule add -g $RG -n $DB --vnet-name v1 --subnet bare --ignore-missing-endpoint true", "virtualNetworkRules[].ignoreMissingVnetServiceEndpoint", `[false,true]`},
		step{"cosmosdb network-rule list -g $RG -n $DB", "[].id", `["` + subnet + `s1","` + subnet + `bare"]`},
		step{"cosmosdb network-rule remove -g $RG -n $DB --vnet-name v1 --subnet bare", "length(virtualNetworkRules)", `1`},
	)
	c.fails(t, "cosmosdb network-rule add -g $RG -n $DB --vnet-name v1 --subnet bare", "SubnetsHaveNoServiceEndpointsConfigured")
	c.steps(t,
		step{"appservice plan create -g $RG -n plan --is-linux --sku B1", "", ""},
		step{"webapp create -g $RG -n $WEB -p plan --runtime PYTHON:3.12", "", ""},
		step{"webapp config access-restriction add -g $RG -n $WEB --rule-name net --action Allow --priority 100 --vnet-name v1 --subnet bare", "[].vnetSubnetResourceId", `["` + subnet + `bare"]`},
		step{"network vnet subnet show -g $RG --vnet-name v1 -n bare", "serviceEndpoints[].service", `["Microsoft.Web"]`}, // az has added it
	)
	c.do(t, "group delete -n $RG --yes")
}
