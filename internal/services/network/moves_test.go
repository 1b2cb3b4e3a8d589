package network

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
)

// moved asks for resources of rg1 to be moved to a group.
func moved(target string, resources ...string) string {
	b, _ := json.Marshal(map[string]any{"resources": resources, "targetResourceGroup": target})
	return string(b)
}

// wired is a plane with a network v1 whose subnet s1 has the group g1, and an interface n1 in it that has g1, too.
func wired(t *testing.T) (p *plane, v, g, n string) {
	p = newPlane(t)
	v, g, n = p.id("virtualNetworks/v1"), p.id("networkSecurityGroups/g1"), p.id("networkInterfaces/n1")
	p.ok("owner", "PUT", g, `{"location":"westeurope"}`, 201)
	p.ok("owner", "PUT", v, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[
		{"name":"s1","properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"`+g+`"},"serviceEndpoints":[{"service":"Microsoft.KeyVault"}]}},
		{"name":"s2","properties":{"addressPrefix":"10.0.2.0/24"}}]}}`, 201)
	p.ok("owner", "PUT", n, `{"location":"westeurope","properties":{"networkSecurityGroup":{"id":"`+g+`"},"ipConfigurations":[{"name":"a","properties":{"subnet":{"id":"`+v+`/subnets/s1"}}},
		{"name":"b","properties":{"subnet":{"id":"`+v+`/subnets/s1"}}}]}}`, 201)
	return p, v, g, n
}

// whole makes sure that the three refer to each other under their ids, whichever these are.
func (p *plane) whole(v, g, n string) {
	p.t.Helper()
	p.want(p.ok("owner", "GET", v, "", 200), g, "properties", "subnets", 0, "properties", "networkSecurityGroup", "id")
	nic := p.ok("owner", "GET", n, "", 200)
	p.want(nic, g, "properties", "networkSecurityGroup", "id")
	p.want(nic, v+"/subnets/s1", "properties", "ipConfigurations", 0, "properties", "subnet", "id")
	group := p.ok("owner", "GET", g, "", 200)
	p.want(group, v+"/subnets/s1", "properties", "subnets", 0, "id")
	p.want(group, n, "properties", "networkInterfaces", 0, "id")
	s, err := p.s.Subnet(p.t.Context(), v+"/subnets/s1")
	if err != nil || s == nil || s.ID != v+"/subnets/s1" || s.Group == nil || !s.Reaches("Microsoft.KeyVault") {
		p.t.Errorf("the subnet is %+v, %v", s, err)
	}
	sub := v[len("/subscriptions/"):][:36]
	if inside, err := p.s.Inside(p.t.Context(), sub, "Microsoft.KeyVault", netip.MustParseAddr("10.0.1.9")); err != nil || !inside {
		p.t.Errorf("an address of the subnet is inside: %v, %v", inside, err)
	}
	// What is used is still known to be.
	p.refused("owner", "DELETE", g, "", 400, "InUseNetworkSecurityGroupCannotBeDeleted", "in use by")
	p.refused("owner", "DELETE", v+"/subnets/s1", "", 400, "InUseSubnetCannotBeDeleted", n)
	p.want(p.ok("owner", "GET", v+"/CheckIPAddressAvailability"+version+"&ipAddress=10.0.1.4", "", 200), false, "available")
	p.want(p.ok("owner", "GET", v+"/CheckIPAddressAvailability"+version+"&ipAddress=10.0.1.6", "", 200), true, "available")
}

func TestMove_WithinSubscription(t *testing.T) {
	t.Parallel()
	p, v, g, n := wired(t)
	p.whole(v, g, n)
	p.group("rg2")
	there := func(id string) string { return strings.Replace(id, "/rg1/", "/rg2/", 1) }
	// One after the other, each leaves the rest behind; then they come back together.
	p.ok("owner", "POST", p.rg("rg1")+"/moveResources", moved(p.rg("rg2"), g), 204)
	p.whole(v, there(g), n)
	p.ok("owner", "POST", p.rg("rg1")+"/moveResources", moved(p.rg("rg2"), v), 204)
	p.whole(there(v), there(g), n)
	p.refused("owner", "GET", v+"/subnets/s1", "", 404, "ParentResourceNotFound", "v1")
	p.ok("owner", "POST", p.rg("rg1")+"/moveResources", moved(p.rg("rg2"), n), 204)
	p.whole(there(v), there(g), there(n))
	p.ok("owner", "POST", p.rg("rg2")+"/moveResources", moved(p.rg("rg1"), there(n), there(v), there(g)), 204)
	p.whole(v, g, n)
	p.ok("owner", "DELETE", n, "", 200)
	p.ok("owner", "DELETE", v, "", 200)
	p.ok("owner", "DELETE", g, "", 200)
}

func TestMove_AcrossSubscriptions(t *testing.T) {
	t.Parallel()
	p, v, g, n := wired(t)
	from, source := p.rg("rg1"), p.sub
	p.sub = p.subscription(tenantID, "owner")
	into := p.rg("rg9")
	p.group("rg9")
	const code = "ResourceMoveProviderValidationFailed"
	for name, what := range map[string]struct {
		resources []string
		says      string
	}{
		"a network without its interface": {[]string{v, g}, n},
		"a network without its group":     {[]string{v, n}, g},
		"a group without its users":       {[]string{g}, "which uses it"},
		"an interface alone":              {[]string{n}, "which it uses"},
	} {
		t.Log(name)
		p.refused("owner", "POST", from+"/validateMoveResources", moved(into, what.resources...), 409, code, what.says)
		p.refused("owner", "POST", from+"/moveResources", moved(into, what.resources...), 409, code, what.says)
	}
	p.s.deps.Referring = func(_ context.Context, id string) ([]string, error) {
		if id != v {
			t.Errorf("asked who refers to %s", id)
		}
		return []string{"/x/vaults/kv1"}, nil
	}
	p.refused("owner", "POST", from+"/moveResources", moved(into, v, g, n), 409, code, "/x/vaults/kv1")
	p.s.deps.Referring = nil
	p.whole(v, g, n)
	p.ok("owner", "POST", from+"/moveResources", moved(into, v, g, n), 204)
	there := func(id string) string { return into + strings.TrimPrefix(id, from) }
	p.whole(there(v), there(g), there(n))
	if inside, err := p.s.Inside(t.Context(), source, "Microsoft.KeyVault", netip.MustParseAddr("10.0.1.9")); err != nil || inside {
		t.Errorf("the source still has the network: %v, %v", inside, err)
	}
	p.ok("owner", "DELETE", there(n), "", 200)
	p.ok("owner", "DELETE", there(v), "", 200)
	p.ok("owner", "DELETE", there(g), "", 200)
}
