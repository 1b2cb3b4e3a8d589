package network

import (
	"encoding/json"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

// What a network is accepted as can be compiled, and is accepted again.
func FuzzNetwork(f *testing.F) {
	f.Add(`{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s1","properties":{"addressPrefix":"10.0.1.0/24","serviceEndpoints":[{"service":"microsoft.keyvault"}]}}]}`)
	f.Add(`{"addressSpace":{"addressPrefixes":["fd00::/48","10.0.0.0/8"]},"subnets":[{"name":"s","properties":{"addressPrefixes":["fd00::/64","10.0.0.0/29"]}}]}`)
	f.Add(`{"addressSpace":{"addressPrefixes":["10.0.0.0/8"]},"dhcpOptions":{"dnsServers":["::1"]},"flowTimeoutInMinutes":4}`)
	f.Fuzz(func(t *testing.T, body string) {
		var n network
		if json.Unmarshal([]byte(body), &n) != nil {
			return
		}
		for i := range n.Subnets {
			if n.Subnets[i].Properties.settle(n.Subnets[i].Name, "westeurope") != nil {
				return
			}
		}
		if n.check("v", "/id") != nil {
			return
		}
		props, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		subnets, err := compileNetwork(&arm.Resource{ID: "/id", Properties: props})
		if err != nil || len(subnets) != len(n.Subnets) {
			t.Fatalf("%s: %d subnets of %d, %v", props, len(subnets), len(n.Subnets), err)
		}
		for _, s := range subnets {
			for _, p := range s.subnet.Prefixes {
				if !s.subnet.Network.Covers(p) {
					t.Fatalf("%s: %s is outside of its network", props, p)
				}
			}
		}
		if err := n.check("v", "/id"); err != nil {
			t.Fatalf("%s is not accepted again: %v", props, err)
		}
	})
}

// What rules are accepted as can be compiled, and decides every flow by some rule.
func FuzzRules(f *testing.F) {
	f.Add(`[` + ruleBody("r", "Inbound", "Allow", 100, `"10.0.0.0/8"`, `"Internet"`) + `]`)
	f.Add(`[{"name":"a","properties":{"direction":"outbound","access":"deny","priority":4096,"protocol":"*","sourceAddressPrefixes":["*","AzureCloud.x"],"sourcePortRanges":["0-65535"],"destinationAddressPrefix":"::/0","destinationPortRange":"22"}}]`)
	f.Fuzz(func(t *testing.T, body string) {
		var g group
		if json.Unmarshal([]byte(body), &g.Rules) != nil || g.check("/id") != nil {
			return
		}
		props, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := compileGroup(&arm.Resource{Properties: props})
		if err != nil {
			t.Fatalf("%s: %v", props, err)
		}
		for _, d := range []netrule.Direction{netrule.Inbound, netrule.Outbound} {
			if _, by := compiled.Decide(netrule.Flow{Direction: d, Protocol: "tcp"}); by == nil {
				t.Fatalf("%s: no rule decides %s", props, d)
			}
		}
	})
}
