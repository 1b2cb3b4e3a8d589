package cosmos

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

type anyone bool

func (a anyone) Check(context.Context, *authn.Principal, string, bool, string) (arm.Decision, error) {
	return arm.Decision{Allowed: bool(a)}, nil
}

const (
	subnetID  = "/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s1"
	subnetGID = "44444444-4444-4444-4444-444444444444"
)

// withSubnet makes the account acct and the subnet s1, 192.0.2.0/24.
func withSubnet(t *testing.T) (*platform, *netrule.Subnet) {
	t.Helper()
	p := withAccount(t)
	s := &netrule.Subnet{ID: subnetID, GUID: subnetGID, Prefixes: netrule.Prefixes{netip.MustParsePrefix("192.0.2.0/24")}, Services: []string{"microsoft.azurecosmosdb"}}
	lookup := func(_ context.Context, id string) (*netrule.Subnet, error) {
		if strings.EqualFold(id, subnetID) {
			return s, nil
		}
		return nil, nil
	}
	p.s.deps.Access, p.s.deps.Subnet, p.s.gateway.Subnet = anyone(true), lookup, lookup
	return p, s
}

// rules puts an account with these properties, as somebody.
func (p *platform) rules(properties string) error {
	c := p.call("acct", `{"location":"West US","properties":`+properties+`}`)
	c.Type, c.Principal = &p.s.Types()[0], &authn.Principal{ObjectID: "oid"}
	err := p.s.putAccount(context.Background(), c)
	if err == nil {
		p.arm.mu.Lock()
		p.arm.byID[strings.ToLower(c.New.ID)] = c.New
		p.arm.mu.Unlock()
	}
	return err
}

func TestNetworkRules(t *testing.T) {
	t.Parallel()
	p, s := withSubnet(t)
	from := func(addr string, want int, says string) {
		t.Helper()
		r := p.request("GET", "/", "")
		r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(addr), 1).String()
		if a := p.serve(p.sign(p.keys.Keys[0], r)); a.status != want || !strings.Contains(a.body, says) {
			t.Errorf("from %s: %d %s, want %d with %q", addr, a.status, a.body, want, says)
		}
	}
	rule := `"virtualNetworkRules":[{"id":"` + strings.ToUpper(subnetID) + `","bulkheadGuid":"theirs"}]`
	p.check(p.rules(`{"isVirtualNetworkFilterEnabled":true,` + rule + `}`))
	from("192.0.2.7", 200, "")
	from("::ffff:192.0.2.7", 200, "")
	from("198.51.100.1", 403, "IP 198.51.100.1 through public internet")
	s.Services = nil
	from("192.0.2.7", 403, "through public internet")
	s.Services, s.Group = []string{"microsoft.azurecosmosdb"}, netrule.NewGroup([]netrule.Rule{{
		Name: "r", Priority: 100, Direction: netrule.Outbound, Protocol: "*", Sources: []netrule.Match{{Any: true}}, SourcePorts: []netrule.Ports{{From: 0, To: 65535}},
		Destinations: []netrule.Match{{Tag: "azurecosmosdb.westus"}}, DestinationPorts: []netrule.Ports{{From: 443, To: 443}},
	}})
	from("192.0.2.7", 403, "securityRules/r")
	s.Group = nil

	// Another subnet of the name is not meant: neither by the rule that is there nor by one that is sent again.
	s.GUID = "another"
	from("192.0.2.7", 403, "through public internet")
	p.check(p.rules(`{"isVirtualNetworkFilterEnabled":true,` + rule + `}`))
	from("192.0.2.7", 403, "through public internet")
	p.check(p.rules(`{"isVirtualNetworkFilterEnabled":true}`))
	p.s.gateway.Inside = func(_ context.Context, sub, service string, client netip.Addr) (bool, error) {
		return sub == subscription && service == "Microsoft.AzureCosmosDB" && client == netip.MustParseAddr("192.0.2.8"), nil
	}
	from("192.0.2.8", 403, "client VNET through service endpoint. This is blocked by your Cosmos DB account firewall settings. Client address: 192.0.2.8")
	from("192.0.2.7", 403, "through public internet")
	p.check(p.rules(`{"isVirtualNetworkFilterEnabled":true,` + rule + `}`))
	from("192.0.2.7", 200, "")

	c := p.call("acct", "")
	shown, err := p.s.render(t.Context(), c, c.Old)
	if err != nil || strings.Contains(string(shown), "bulkheadGuid") || !strings.Contains(string(shown), `"virtualNetworkRules":[{"id":"`+subnetID+`","ignoreMissingVNetServiceEndpoint":false}]`) {
		t.Errorf("the account shows %s, %v", shown, err)
	}
	p.check(p.rules(`{"ipRules":[{"ipAddressOrRange":"198.51.100.1"}],` + rule + `}`)) // the filter is off: a rule that is kept counts for nothing
	from("198.51.100.1", 200, "")
	from("192.0.2.7", 403, "")
}

func TestNetworkRules_Refusals(t *testing.T) {
	t.Parallel()
	p, s := withSubnet(t)
	s.Services = nil
	rule := func(more string) string { return `{"virtualNetworkRules":[{"id":"` + subnetID + `"` + more + `}]}` }
	refused := func(properties string, kind fault.Kind, says string) {
		t.Helper()
		if err := p.rules(properties); !fault.Is(err, kind) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", properties, err, says)
		}
	}
	refused(rule(""), fault.Invalid, "Add Microsoft.AzureCosmosDB to subnet's ServiceEndpoints")
	refused(`{"virtualNetworkRules":[{"id":"x"}]}`, fault.Invalid, "InvalidResourceId")
	refused(`{"virtualNetworkRules":[{"id":"`+subnetID+`2"}]}`, fault.Invalid, "was not found")
	refused(`{"virtualNetworkRules":"x"}`, fault.Invalid, "virtualNetworkRules")
	p.s.deps.Access = anyone(false)
	refused(rule(`,"ignoreMissingVNetServiceEndpoint":true`), fault.Forbidden, "joinViaServiceEndpoint")
	p.s.deps.Access = nil
	refused(rule(""), fault.Invalid, "not supported")
}
