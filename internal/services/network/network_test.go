package network

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

const twoSubnets = `{"location":"westeurope","tags":{"a":"b"},"properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","fd00:1::/48"]},"subnets":[
	{"name":"s1","properties":{"addressPrefix":"10.0.1.0/24","serviceEndpoints":[{"service":"microsoft.keyvault"},{"service":"Microsoft.Storage"}]}},
	{"name":"s2","properties":{"addressPrefixes":["10.0.2.0/24","fd00:1:0:2::/64"],"delegations":[{"name":"d","properties":{"serviceName":"Microsoft.Web/serverFarms"}}]}}]}}`

func TestNetwork_Shapes(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	v := p.id("virtualNetworks/v1")
	out := p.ok("owner", "PUT", v, twoSubnets, 201)
	p.want(out, "Succeeded", "properties", "provisioningState")
	p.want(out, []string{"10.0.0.0/16", "fd00:1::/48"}, "properties", "addressSpace", "addressPrefixes")
	p.want(out, v+"/subnets/s1", "properties", "subnets", 0, "id")
	p.want(out, out["etag"], "properties", "subnets", 0, "etag")
	p.want(out, []map[string]any{
		{"provisioningState": "Succeeded", "service": "Microsoft.KeyVault", "locations": []string{"*"}},
		{"provisioningState": "Succeeded", "service": "Microsoft.Storage", "locations": []string{"westeurope"}},
	}, "properties", "subnets", 0, "properties", "serviceEndpoints")
	if text := fmt.Sprint(out); strings.Contains(text, "bulkheadGuid") {
		t.Errorf("what is not for the wire is on it: %s", text)
	}

	sub := p.ok("owner", "GET", v+"/subnets/S2", "", 200)
	p.want(sub, v+"/subnets/s2", "id")
	p.want(sub, "s2", "name")
	p.want(sub, []string{"10.0.2.0/24", "fd00:1:0:2::/64"}, "properties", "addressPrefixes")
	p.want(sub, "Microsoft.Web/serverFarms", "properties", "delegations", 0, "properties", "serviceName")
	p.want(sub, "Disabled", "properties", "privateEndpointNetworkPolicies")

	p.ok("owner", "PUT", v+"/subnets/s3", `{"properties":{"addressPrefix":"10.0.3.0/24"}}`, 201)
	p.ok("owner", "PUT", v+"/subnets/S3", `{"properties":{"addressPrefix":"10.0.3.0/25","serviceEndpoints":[{"service":"Microsoft.Web"}]}}`, 200)
	list := p.ok("owner", "GET", v+"/subnets", "", 200)
	var names []string
	for _, x := range list["value"].([]any) {
		names = append(names, at(x, "name").(string)+" "+fmt.Sprint(at(x, "properties", "addressPrefix")))
	}
	if got, want := strings.Join(names, ", "), "s1 10.0.1.0/24, s2 <nil>, s3 10.0.3.0/25"; got != want {
		t.Errorf("the subnets are %s, want %s", got, want)
	}
	after := p.ok("owner", "GET", v, "", 200)
	if after["etag"] == out["etag"] || at(after, "properties", "subnets", 2, "etag") != after["etag"] {
		t.Errorf("one etag covers a network and its subnets, and changes with either: %v, was %v", after["etag"], out["etag"])
	}

	// Without subnets in the body they stay; an empty list removes them.
	out = p.ok("owner", "PUT", v, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","fd00:1::/48"]},"dhcpOptions":{"dnsServers":["10.0.0.9"]}}}`, 200)
	p.want(out, "s3", "properties", "subnets", 2, "name")
	p.want(out, "10.0.0.9", "properties", "dhcpOptions", "dnsServers", 0)
	out = p.ok("owner", "PATCH", v, `{"tags":{"c":"d"}}`, 200)
	p.want(out, map[string]any{"c": "d"}, "tags")
	p.want(out, "s3", "properties", "subnets", 2, "name")
	p.ok("owner", "DELETE", v+"/subnets/s3", "", 200)
	p.ok("owner", "DELETE", v+"/subnets/s3", "", 204)
	p.refused("owner", "GET", v+"/subnets/s3", "", 404, "ResourceNotFound", "s3")
	out = p.ok("owner", "PUT", v, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[]}}`, 200)
	p.want(out, []any{}, "properties", "subnets")
	p.want(p.ok("owner", "GET", "/subscriptions/"+p.sub+"/providers/Microsoft.Network/virtualNetworks", "", 200), "v1", "value", 0, "name")
	p.ok("owner", "DELETE", v, "", 200)
	p.refused("owner", "GET", v+"/subnets", "", 404, "ParentResourceNotFound", "v1")
	p.want(p.ok("owner", "GET", "/subscriptions/"+p.sub+"/providers/Microsoft.Network/locations/westeurope/virtualNetworkAvailableEndpointServices", "", 200), "Microsoft.AzureCosmosDB", "value", 0, "name")
}

func TestNetwork_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	v := p.id("virtualNetworks/v1")
	space := func(rest string) string {
		return `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}` + rest + `}}`
	}
	sub := func(props string) string { return space(`,"subnets":[{"name":"s1","properties":{` + props + `}}]`) }
	for _, c := range []struct {
		name, body, code, says string
		status                 int
	}{
		{"no space", `{"location":"westeurope","properties":{}}`, "InvalidRequestFormat", "addressSpace", 400},
		{"no range", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0"]}}}`, "InvalidAddressPrefixFormat", "10.0.0.0", 400},
		{"host bits", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.1/16"]}}}`, "InvalidCIDRNotation", "10.0.0.0/16", 400},
		{"loopback", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["127.0.0.0/16"]}}}`, "AddressPrefixNotAllowed", "127.0.0.0/16", 400},
		{"everything", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["0.0.0.0/0"]}}}`, "AddressPrefixNotAllowed", "127.0.0.0/8", 400},
		{"link-local", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["fe80::/64"]}}}`, "AddressPrefixNotAllowed", "fe80::/10", 400},
		{"overlapping space", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","10.0.128.0/20"]}}}`, "AddressPrefixesOverlap", "10.0.128.0/20", 400},
		{"wrong type", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":"x"}}}`, "InvalidRequestContent", "addressPrefixes", 400},
		{"peering", space(`,"virtualNetworkPeerings":[{"name":"p"}]`), "NotImplemented", "Peerings", 501},
		{"dns", space(`,"dhcpOptions":{"dnsServers":["x"]}`), "InvalidIPAddress", "x", 400},
		{"outside", sub(`"addressPrefix":"10.1.0.0/24"`), "NetcfgSubnetRangeOutsideVnet", "'s1'", 400},
		{"larger than the space", sub(`"addressPrefix":"10.0.0.0/15"`), "NetcfgSubnetRangeOutsideVnet", "'s1'", 400},
		{"too small", sub(`"addressPrefix":"10.0.0.0/30"`), "NetcfgInvalidSubnet", "/29", 400},
		{"no prefix", sub(``), "InvalidRequestFormat", "addressPrefix", 400},
		{"own overlap", sub(`"addressPrefixes":["10.0.0.0/24","10.0.0.128/25"]`), "NetcfgSubnetRangesOverlap", "'s1'", 400},
		{"unknown endpoint", sub(`"addressPrefix":"10.0.0.0/24","serviceEndpoints":[{"service":"Microsoft.Nope"}]`), "SubnetHasInvalidServiceEndpoint", "Microsoft.Nope", 400},
		{"endpoint twice", sub(`"addressPrefix":"10.0.0.0/24","serviceEndpoints":[{"service":"Microsoft.Web"},{"service":"microsoft.web"}]`), "InvalidRequestFormat", "twice", 400},
		{"route table", sub(`"addressPrefix":"10.0.0.0/24","routeTable":{"id":"x"}`), "NotImplemented", "Route tables", 501},
		{"policies", sub(`"addressPrefix":"10.0.0.0/24","privateEndpointNetworkPolicies":"Perhaps"`), "InvalidRequestFormat", "Perhaps", 400},
		{"no such group", sub(`"addressPrefix":"10.0.0.0/24","networkSecurityGroup":{"id":"` + p.id("networkSecurityGroups/nope") + `"}`), "InvalidResourceReference", "nope", 400},
		{"not a group", sub(`"addressPrefix":"10.0.0.0/24","networkSecurityGroup":{"id":"` + v + `"}`), "InvalidResourceReference", "networkSecurityGroups", 400},
		{"two of a name", space(`,"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.1.0/24"}},{"name":"S","properties":{"addressPrefix":"10.0.2.0/24"}}]`), "DuplicateResourceName", "S", 400},
		{"overlap", space(`,"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.1.0/24"}},{"name":"u","properties":{"addressPrefix":"10.0.0.0/20"}}]`), "NetcfgSubnetRangesOverlap", "'u'", 400},
		{"name of a subnet", space(`,"subnets":[{"name":"-s","properties":{"addressPrefix":"10.0.1.0/24"}}]`), "InvalidResourceName", "-s", 400},
	} {
		t.Run(c.name, func(t *testing.T) { p.t = t; p.refused("owner", "PUT", v, c.body, c.status, c.code, c.says) })
	}
	p.t = t
	p.refused("owner", "PUT", p.id("virtualNetworks/v-"), space(""), 400, "InvalidResourceName", "v-")
	p.ok("owner", "PUT", v, sub(`"addressPrefix":"10.0.1.0/24"`), 201)
	p.refused("owner", "PUT", v+"/subnets/s2", `{"properties":{"addressPrefix":"10.0.1.128/25"}}`, 400, "NetcfgSubnetRangesOverlap", "'s2'")
	p.refused("owner", "PUT", v+"/subnets/s2", `{"properties":{"addressPrefix":"10.0.2.0/24","natGateway":{"id":"x"}}}`, 501, "NotImplemented", "NAT gateways")
	p.refused("owner", "PUT", p.id("virtualNetworks/none/subnets/s"), `{"properties":{"addressPrefix":"10.0.2.0/24"}}`, 404, "ParentResourceNotFound", "none")
	p.refused("owner", "PUT", v, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.9.0.0/16"]}}}`, 400, "NetcfgSubnetRangeOutsideVnet", "'s1'")
	// A stranger learns nothing, and changes nothing.
	p.refused("other", "PUT", v+"/subnets/s2", `{"properties":{"addressPrefix":"10.0.2.0/24"}}`, 403, "AuthorizationFailed", "virtualNetworks/subnets/write")
}

// Etags and locks hold for parts as for anything else.
func TestSubnet_ConditionsAndLocks(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	v := p.id("virtualNetworks/v1")
	first := p.ok("owner", "PUT", v, twoSubnets, 201)["etag"].(string)
	body := `{"properties":{"addressPrefix":"10.0.1.0/24"}}`
	second := p.ok("owner", "PUT", v+"/subnets/s1", body, 200, "If-Match", `W/"`+first+`"`)["etag"].(string)
	p.ok("owner", "PUT", v+"/subnets/s1", body, 412, "If-Match", `"`+first+`"`)
	p.ok("owner", "DELETE", v+"/subnets/s1", "", 412, "If-Match", first)
	p.ok("owner", "PUT", v, twoSubnets, 412, "If-Match", first)
	p.ok("owner", "PUT", v+"/subnets/s2", `{"properties":{"addressPrefix":"10.0.2.0/24"}}`, 412, "If-None-Match", "*")
	p.ok("owner", "PUT", v, twoSubnets, 200, "If-Match", second)

	lock := v + "/providers/Microsoft.Authorization/locks/l?api-version=2016-09-01"
	p.ok("owner", "PUT", lock, `{"properties":{"level":"CanNotDelete"}}`, 201)
	p.refused("owner", "DELETE", v+"/subnets/s1", "", 409, "ScopeLocked", v)
	p.refused("owner", "DELETE", v, "", 409, "ScopeLocked", v)
	p.ok("owner", "PUT", v+"/subnets/s1", body, 200)
	p.ok("owner", "PUT", lock, `{"properties":{"level":"ReadOnly"}}`, 200)
	p.refused("owner", "PUT", v+"/subnets/s1", body, 409, "ScopeLocked", v)
	p.ok("owner", "GET", v+"/subnets/s1", "", 200)
	p.ok("owner", "DELETE", lock, "", 200)
	p.ok("owner", "DELETE", v, "", 200)
}

// A lock at a part is not got round by way of the whole.
func TestParts_Locked(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	v, g := p.id("virtualNetworks/v1"), p.id("networkSecurityGroups/g1")
	rule, other := ruleBody("r1", "Inbound", "Allow", 200, `"*"`, `"*"`), ruleBody("r1", "Inbound", "Deny", 200, `"*"`, `"*"`)
	groupOf := func(rules string) string {
		return `{"location":"westeurope","properties":{"securityRules":[` + rules + `]}}`
	}
	p.ok("owner", "PUT", v, twoSubnets, 201)
	p.ok("owner", "PUT", g, groupOf(rule), 201)
	lock := func(part, level string, status int) string {
		path := part + "/providers/Microsoft.Authorization/locks/l?api-version=2016-09-01"
		p.ok("owner", "PUT", path, `{"properties":{"level":"`+level+`"}}`, status)
		return path
	}
	without := strings.Replace(twoSubnets, `{"name":"s1"`, `{"name":"s9"`, 1)
	changed := strings.Replace(twoSubnets, `"addressPrefix":"10.0.1.0/24"`, `"addressPrefix":"10.0.1.0/25"`, 1)
	lock(v+"/subnets/s1", "CanNotDelete", 201)
	lock(g+"/securityRules/r1", "CanNotDelete", 201)
	p.refused("owner", "PUT", v, without, 409, "ScopeLocked", v+"/subnets/s1")
	p.refused("owner", "PUT", g, groupOf(""), 409, "ScopeLocked", g+"/securityRules/r1")
	p.ok("owner", "PUT", v, changed, 200)
	p.ok("owner", "PUT", v, twoSubnets, 200)
	p.ok("owner", "PUT", g, groupOf(other), 200)
	p.ok("owner", "PUT", g, groupOf(rule), 200)
	onSubnet, onRule := lock(v+"/subnets/s1", "ReadOnly", 200), lock(g+"/securityRules/r1", "ReadOnly", 200)
	p.refused("owner", "PUT", v, changed, 409, "ScopeLocked", v+"/subnets/s1")
	p.refused("owner", "PUT", g, groupOf(other), 409, "ScopeLocked", g+"/securityRules/r1")
	p.refused("owner", "DELETE", v, "", 409, "ScopeLocked", v+"/subnets/s1")
	p.ok("owner", "PUT", v, twoSubnets, 200) // nothing of it changes
	p.ok("owner", "PUT", g, groupOf(rule), 200)
	p.ok("owner", "PUT", v+"/subnets/s3", `{"properties":{"addressPrefix":"10.0.3.0/24"}}`, 201)
	p.ok("owner", "DELETE", onSubnet, "", 200)
	p.ok("owner", "DELETE", onRule, "", 200)
	p.ok("owner", "PUT", v, without, 200)
	p.ok("owner", "PUT", g, groupOf(""), 200)
}

// Bodies within the size limit, but of more than there may be.
func TestBounds(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	many := func(n int, form string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, form, i/32, i%32*8)
		}
		return b.String()
	}
	p.refused("owner", "PUT", p.id("virtualNetworks/v1"), `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/8"]},"subnets":[{"name":"s","properties":{"addressPrefixes":[`+
		many(4000, `"10.1.%d.%d/29"`)+`]}}]}}`, 400, "InvalidRequestFormat", "3000")
	p.refused("owner", "PUT", p.id("networkSecurityGroups/g1"), `{"location":"westeurope","properties":{"securityRules":[{"name":"r","properties":{"direction":"Inbound","access":"Allow","priority":100,"protocol":"*",
		"sourceAddressPrefixes":[`+many(4001, `"10.1.%d.%d"`)+`],"sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"*"}}]}}`, 400, "SecurityRuleLimitReached", "4000")
}

// What was assigned at a subnet does not outlive it: another one takes its name, not its roles.
func TestSubnet_RolesEndWithIt(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	v := p.id("virtualNetworks/v1")
	for _, remove := range []func(){
		func() { p.ok("owner", "DELETE", v+"/subnets/s1", "", 200) },
		func() {
			p.ok("owner", "PUT", v, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","fd00:1::/48"]},"subnets":[]}}`, 200)
		},
		func() { p.ok("owner", "DELETE", v, "", 200) },
	} {
		p.do("owner", "PUT", v, twoSubnets)
		p.assign(v+"/subnets/s1", reader, "other")
		p.ok("other", "GET", v+"/subnets/s1", "", 200)
		p.refused("other", "GET", v+"/subnets/s2", "", 403, "AuthorizationFailed", "subnets/read")
		remove()
		p.do("owner", "PUT", v, twoSubnets)
		p.refused("other", "GET", v+"/subnets/s1", "", 403, "AuthorizationFailed", "subnets/read")
	}
}

// Writers of one network's subnets at once: none is lost, and no two overlap.
func TestSubnet_Concurrent(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	v := p.id("virtualNetworks/v1")
	p.ok("owner", "PUT", v, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`, 201)
	var wg sync.WaitGroup
	status := make([]int, 12)
	for i := range status {
		wg.Go(func() {
			body := fmt.Sprintf(`{"properties":{"addressPrefix":"10.0.%d.0/24"}}`, i/2) // two want each range
			for {
				status[i], _ = p.do("owner", "PUT", fmt.Sprintf("%s/subnets/s%d", v, i), body)
				if status[i] != 409 { // AnotherOperationInProgress: too many at once
					return
				}
			}
		})
	}
	wg.Wait()
	made := 0
	for i := 0; i < len(status); i += 2 {
		if a, b := status[i], status[i+1]; a+b != 201+400 {
			t.Errorf("subnets %d and %d of one range answered %d and %d, want one 201 and one 400", i, i+1, a, b)
		}
		made++
	}
	if n := len(p.ok("owner", "GET", v+"/subnets", "", 200)["value"].([]any)); n != made {
		t.Errorf("there are %d subnets, want %d", n, made)
	}
}

func TestSubnet_Lookup(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	v, g := p.id("virtualNetworks/v1"), p.id("networkSecurityGroups/g1")
	ctx := t.Context()
	none := func(id string) {
		t.Helper()
		if s, err := p.s.Subnet(ctx, id); s != nil || err != nil {
			t.Errorf("%s: got %v, %v, want nothing", id, s, err)
		}
	}
	none(v + "/subnets/s1")
	p.ok("owner", "PUT", v, twoSubnets, 201)
	s1, err := p.s.Subnet(ctx, strings.ToUpper(v)+"/SUBNETS/S1")
	if err != nil || s1 == nil {
		t.Fatalf("got %v, %v", s1, err)
	}
	if s1.ID != v+"/subnets/s1" || !s1.Reaches("Microsoft.KeyVault") || s1.Reaches("Microsoft.AzureCosmosDB") || s1.Group != nil ||
		!s1.Prefixes.Contains(netip.MustParseAddr("10.0.1.9")) || s1.Prefixes.Contains(netip.MustParseAddr("10.0.2.9")) || !s1.Network.Contains(netip.MustParseAddr("10.0.200.1")) {
		t.Errorf("got %+v", s1)
	}
	for addr, want := range map[string]bool{"10.0.1.9": true, "10.0.2.9": false, "192.0.2.1": false} {
		if got, err := p.s.Inside(ctx, p.sub, "Microsoft.KeyVault", netip.MustParseAddr(addr)); err != nil || got != want {
			t.Errorf("%s is inside: got %v, %v, want %v", addr, got, err, want)
		}
	}
	for _, id := range []string{v, v + "/subnets", v + "/subnets/none", "x", "", p.id("virtualNetworks/none/subnets/s1")} {
		none(id)
	}
	p.ok("owner", "PUT", g, `{"location":"westeurope","properties":{"securityRules":[`+ruleBody("r1", "Outbound", "Deny", 100, `"*"`, `"AzureKeyVault"`)+`]}}`, 201)
	p.ok("owner", "PUT", v+"/subnets/s1", `{"properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"`+g+`"}}}`, 200)
	now, _ := p.s.Subnet(ctx, v+"/subnets/s1")
	if now.GUID != s1.GUID || now.Group == nil || now.Reaches("Microsoft.KeyVault") {
		t.Errorf("after the change: %+v", now)
	}
	p.ok("owner", "DELETE", v+"/subnets/s1", "", 200)
	none(v + "/subnets/s1")
	p.ok("owner", "PUT", v+"/subnets/s1", `{"properties":{"addressPrefix":"10.0.1.0/24"}}`, 201)
	if again, _ := p.s.Subnet(ctx, v+"/subnets/s1"); again == nil || again.GUID == s1.GUID {
		t.Errorf("a subnet made anew is another: got %+v", again)
	}
	p.ok("owner", "DELETE", v, "", 200)
	if got, err := p.s.Inside(ctx, p.sub, "Microsoft.Storage", netip.MustParseAddr("10.0.1.9")); err != nil || got {
		t.Errorf("a network that is gone has nobody inside: got %v, %v", got, err)
	}
}
