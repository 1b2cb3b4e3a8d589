package network

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// done waits for a long-running operation.
func done[T any](t *testing.T, what string) func(*runtime.Poller[T], error) T {
	return func(p *runtime.Poller[T], err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		out, err := p.PollUntilDone(t.Context(), nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return out
	}
}

// fails wants an answer with that status and code.
func fails(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	var re *azcore.ResponseError
	if !errors.As(err, &re) || re.StatusCode != status || re.ErrorCode != code {
		t.Errorf("%s: got %v, want %d %s", what, err, status, code)
	}
}

// The Azure SDK for Go's own clients, by both ways in. This needs no namespaces.
func TestARMNetwork(t *testing.T) {
	p := shared.Platform(t)
	for _, w := range p.Ways(t) {
		t.Run(w.Name, func(t *testing.T) {
			env := p.Env(t, "")
			f, err := armnetwork.NewClientFactory(p.Run.SubscriptionID, w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), w.ARMOptions())
			if err != nil {
				t.Fatal(err)
			}
			id := p.PutGroup(t)
			networkClients(t, f, id[strings.LastIndexByte(id, '/')+1:])
		})
	}
}

func networkClients(t *testing.T, f *armnetwork.ClientFactory, group string) {
	ctx := t.Context()
	groups, rules, networks, subnets := f.NewSecurityGroupsClient(), f.NewSecurityRulesClient(), f.NewVirtualNetworksClient(), f.NewSubnetsClient()
	nsg := done[armnetwork.SecurityGroupsClientCreateOrUpdateResponse](t, "put a group")(groups.BeginCreateOrUpdate(ctx, group, "g1", armnetwork.SecurityGroup{Location: to.Ptr("westeurope")}, nil))
	if n := len(nsg.Properties.DefaultSecurityRules); n != 6 {
		t.Errorf("the group has %d default rules, want 6", n)
	}
	made := done[armnetwork.SecurityRulesClientCreateOrUpdateResponse](t, "put a rule")(rules.BeginCreateOrUpdate(ctx, group, "g1", "ssh", armnetwork.SecurityRule{Properties: &armnetwork.SecurityRulePropertiesFormat{
		Access: to.Ptr(armnetwork.SecurityRuleAccessAllow), Direction: to.Ptr(armnetwork.SecurityRuleDirectionInbound), Priority: to.Ptr[int32](100), Protocol: to.Ptr(armnetwork.SecurityRuleProtocolTCP),
		SourceAddressPrefix: to.Ptr("203.0.113.0/24"), SourcePortRange: to.Ptr("*"), DestinationAddressPrefix: to.Ptr("*"), DestinationPortRange: to.Ptr("22"),
	}}, nil))
	if *made.Properties.ProvisioningState != armnetwork.ProvisioningStateSucceeded || *made.Name != "ssh" {
		t.Errorf("the rule is %+v", made.Properties)
	}
	v := done[armnetwork.VirtualNetworksClientCreateOrUpdateResponse](t, "put a network")(networks.BeginCreateOrUpdate(ctx, group, "v1", armnetwork.VirtualNetwork{
		Location: to.Ptr("westeurope"), Properties: &armnetwork.VirtualNetworkPropertiesFormat{
			AddressSpace: &armnetwork.AddressSpace{AddressPrefixes: []*string{to.Ptr("10.0.0.0/16")}},
			Subnets: []*armnetwork.Subnet{{Name: to.Ptr("s1"), Properties: &armnetwork.SubnetPropertiesFormat{
				AddressPrefix: to.Ptr("10.0.1.0/24"), NetworkSecurityGroup: &armnetwork.SecurityGroup{ID: nsg.ID},
				ServiceEndpoints: []*armnetwork.ServiceEndpointPropertiesFormat{{Service: to.Ptr("Microsoft.KeyVault")}},
			}}},
		},
	}, nil))
	sub, err := subnets.Get(ctx, group, "v1", "s1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if *sub.ID != *v.Properties.Subnets[0].ID || *sub.Etag != *v.Etag || *sub.Properties.NetworkSecurityGroup.ID != *nsg.ID {
		t.Errorf("the subnet is %+v of %s", sub.Subnet, *v.Etag)
	}
	nic := done[armnetwork.InterfacesClientCreateOrUpdateResponse](t, "put an interface")(f.NewInterfacesClient().BeginCreateOrUpdate(ctx, group, "n1", armnetwork.Interface{
		Location: to.Ptr("westeurope"), Properties: &armnetwork.InterfacePropertiesFormat{IPConfigurations: []*armnetwork.InterfaceIPConfiguration{{
			Name: to.Ptr("c"), Properties: &armnetwork.InterfaceIPConfigurationPropertiesFormat{Subnet: &armnetwork.Subnet{ID: sub.ID}},
		}}},
	}, nil))
	address := nic.Properties.IPConfigurations[0].Properties.PrivateIPAddress
	watchers := f.NewWatchersClient()
	if _, err := watchers.CreateOrUpdate(ctx, group, "w1", armnetwork.Watcher{Location: to.Ptr("westeurope")}, nil); err != nil {
		t.Fatal(err)
	}
	for remote, want := range map[string]string{"203.0.113.9": "Allow securityRules/ssh", "198.51.100.9": "Deny defaultSecurityRules/DenyAllInBound"} {
		got := done[armnetwork.WatchersClientVerifyIPFlowResponse](t, "verify a flow")(watchers.BeginVerifyIPFlow(ctx, group, "w1", armnetwork.VerificationIPFlowParameters{
			TargetResourceID: nic.ID, Direction: to.Ptr(armnetwork.DirectionInbound), Protocol: to.Ptr(armnetwork.IPFlowProtocolTCP),
			LocalIPAddress: address, LocalPort: to.Ptr("22"), RemoteIPAddress: to.Ptr(remote), RemotePort: to.Ptr("50000"),
		}, nil))
		if text := string(*got.Access) + " " + *got.RuleName; text != want {
			t.Errorf("ssh from %s: got %s, want %s", remote, text, want)
		}
	}
	_, err = groups.BeginDelete(ctx, group, "g1", nil)
	fails(t, "delete a group in use", err, http.StatusBadRequest, "InUseNetworkSecurityGroupCannotBeDeleted")
	_, err = subnets.BeginDelete(ctx, group, "v1", "s1", nil)
	fails(t, "delete a subnet in use", err, http.StatusBadRequest, "InUseSubnetCannotBeDeleted")
	done[armnetwork.InterfacesClientDeleteResponse](t, "delete the interface")(f.NewInterfacesClient().BeginDelete(ctx, group, "n1", nil))
	done[armnetwork.SubnetsClientDeleteResponse](t, "delete the subnet")(subnets.BeginDelete(ctx, group, "v1", "s1", nil))
	done[armnetwork.SecurityGroupsClientDeleteResponse](t, "delete the group")(groups.BeginDelete(ctx, group, "g1", nil))
	if _, err := subnets.Get(ctx, group, "v1", "s1", nil); err == nil {
		t.Error("the deleted subnet is still there")
	}
}
