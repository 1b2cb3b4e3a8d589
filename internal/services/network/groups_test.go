package network

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

const networkContributor = "4d97b98b-1d4f-4787-a291-c67834d212e7"

func ruleBody(name, direction, access string, priority int, from, to string) string {
	return fmt.Sprintf(`{"name":%q,"properties":{"direction":%q,"access":%q,"priority":%d,"protocol":"tcp","sourcePortRange":"*","destinationPortRanges":["443","8000-8080"],
		"sourceAddressPrefix":%s,"destinationAddressPrefix":%s}}`, name, direction, access, priority, from, to)
}

func TestGroup_Shapes(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	g := p.id("networkSecurityGroups/g1")
	out := p.ok("owner", "PUT", g, `{"location":"westeurope","properties":{"securityRules":[`+ruleBody("r1", "inbound", "allow", 200, `"*"`, `"VirtualNetwork"`)+`]}}`, 201)
	p.want(out, map[string]any{
		"provisioningState": "Succeeded", "direction": "Inbound", "access": "Allow", "priority": 200, "protocol": "Tcp", "sourcePortRange": "*", "sourcePortRanges": []string{},
		"destinationPortRanges": []string{"443", "8000-8080"}, "sourceAddressPrefix": "*", "sourceAddressPrefixes": []string{}, "destinationAddressPrefix": "VirtualNetwork",
		"destinationAddressPrefixes": []string{},
	}, "properties", "securityRules", 0, "properties")
	p.want(out, g+"/securityRules/r1", "properties", "securityRules", 0, "id")
	var defaults []string
	for _, d := range at(out, "properties", "defaultSecurityRules").([]any) {
		defaults = append(defaults, fmt.Sprint(at(d, "name"), " ", at(d, "properties", "priority"), " ", at(d, "properties", "sourceAddressPrefix"), ">", at(d, "properties", "destinationAddressPrefix")))
	}
	want := "AllowVnetInBound 65000 VirtualNetwork>VirtualNetwork, AllowAzureLoadBalancerInBound 65001 AzureLoadBalancer>*, DenyAllInBound 65500 *>*, " +
		"AllowVnetOutBound 65000 VirtualNetwork>VirtualNetwork, AllowInternetOutBound 65001 *>Internet, DenyAllOutBound 65500 *>*"
	if got := strings.Join(defaults, ", "); got != want {
		t.Errorf("the default rules are %s, want %s", got, want)
	}
	p.want(p.ok("owner", "GET", g+"/defaultSecurityRules", "", 200), "DenyAllInBound", "value", 2, "name")
	p.want(p.ok("owner", "GET", g+"/defaultSecurityRules/denyallinbound", "", 200), 65500, "properties", "priority")
	p.refused("owner", "GET", g+"/defaultSecurityRules/nope", "", 404, "NotFound", "nope")

	r := g + "/securityRules/r2"
	body := `{"properties":{"direction":"Outbound","access":"Deny","priority":200,"protocol":"*","sourcePortRange":"*","destinationPortRange":"*","sourceAddressPrefixes":["10.0.0.0/8","192.0.2.1"],"destinationAddressPrefix":"Internet"}}`
	p.ok("owner", "PUT", r, body, 201) // the same priority in the other direction
	p.ok("owner", "PUT", r, strings.Replace(body, "Deny", "Allow", 1), 200)
	out = p.ok("owner", "GET", g+"/securityRules/R2", "", 200)
	p.want(out, "Allow", "properties", "access")
	p.want(out, r, "id")
	p.want(p.ok("owner", "GET", g+"/securityRules", "", 200), "r2", "value", 1, "name")
	p.ok("owner", "DELETE", r, "", 200)
	p.refused("owner", "GET", r, "", 404, "ResourceNotFound", "r2")
	p.want(p.ok("owner", "PATCH", g, `{"tags":{"x":"y"}}`, 200), "r1", "properties", "securityRules", 0, "name")
	p.want(p.ok("owner", "PUT", g, `{"location":"westeurope"}`, 200), []any{}, "properties", "securityRules")
	p.ok("owner", "DELETE", g, "", 200)
}

func TestRule_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	g := p.id("networkSecurityGroups/g1")
	p.ok("owner", "PUT", g, `{"location":"westeurope","properties":{"securityRules":[`+ruleBody("r1", "Inbound", "Allow", 200, `"*"`, `"*"`)+`]}}`, 201)
	good := map[string]string{
		"direction": `"Inbound"`, "access": `"Allow"`, "priority": "300", "protocol": `"*"`, "sourcePortRange": `"*"`, "destinationPortRange": `"80"`,
		"sourceAddressPrefix": `"*"`, "destinationAddressPrefix": `"*"`,
	}
	for _, c := range []struct {
		name, property, value, code, says string
		status                            int
	}{
		{"taken", "priority", "200", "SecurityRuleConflict", "r1", 400},
		{"low", "priority", "99", "SecurityRuleInvalidPriority", "100-4096", 400},
		{"high", "priority", "4097", "SecurityRuleInvalidPriority", "4097", 400},
		{"direction", "direction", `"Up"`, "SecurityRuleInvalidDirection", "Up", 400},
		{"access", "access", `""`, "SecurityRuleInvalidAccess", "Deny", 400},
		{"protocol", "protocol", `"gopher"`, "SecurityRuleInvalidProtocol", "gopher", 400},
		{"ports", "destinationPortRange", `"90-80"`, "SecurityRuleInvalidDestinationPortRange", "90-80", 400},
		{"source ports", "sourcePortRange", `"x"`, "SecurityRuleInvalidSourcePortRange", "x", 400},
		{"tag", "sourceAddressPrefix", `"Nowhere"`, "SecurityRuleInvalidSourceAddressPrefix", "Nowhere", 400},
		{"range", "destinationAddressPrefix", `"10.0.0.0/64"`, "SecurityRuleInvalidDestinationAddressPrefix", "10.0.0.0/64", 400},
		{"nothing", "destinationAddressPrefix", `""`, "SecurityRuleParameterNotSpecified", "DestinationAddressPrefix", 400},
		{"application groups", "sourceApplicationSecurityGroups", `[{"id":"x"}]`, "NotImplemented", "Application security groups", 501},
		{"type", "priority", `"many"`, "InvalidRequestContent", "priority", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			var props []string
			for k, v := range good {
				if k != c.property {
					props = append(props, fmt.Sprintf("%q:%s", k, v))
				}
			}
			props = append(props, fmt.Sprintf("%q:%s", c.property, c.value))
			p.refused("owner", "PUT", g+"/securityRules/r2", `{"properties":{`+strings.Join(props, ",")+`}}`, c.status, c.code, c.says)
		})
	}
	p.t = t
	list := p.ok("owner", "GET", g+"/securityRules", "", 200)
	p.want(list, "r1", "value", 0, "name")
	p.want(list, nil, "value", 1) // nothing of what was refused is there
}

// Nothing that is in use is deleted, except together with what uses it.
func TestInUse(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	g, v, n := p.id("networkSecurityGroups/g1"), p.id("virtualNetworks/v1"), p.id("networkInterfaces/n1")
	p.ok("owner", "PUT", g, `{"location":"westeurope"}`, 201)
	withGroup := `{"properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"` + strings.ToUpper(g) + `"}}}`
	p.ok("owner", "PUT", v, twoSubnets, 201)
	p.want(p.ok("owner", "PUT", v+"/subnets/s1", withGroup, 200), g, "properties", "networkSecurityGroup", "id")
	p.want(p.ok("owner", "GET", g, "", 200), v+"/subnets/s1", "properties", "subnets", 0, "id")
	p.refused("owner", "DELETE", g, "", 400, "InUseNetworkSecurityGroupCannotBeDeleted", v+"/subnets/s1")

	nic := `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"` + v + `/subnets/s1"}}}],"networkSecurityGroup":{"id":"` + g + `"}}}`
	out := p.ok("owner", "PUT", n, nic, 201)
	p.want(out, "10.0.1.4", "properties", "ipConfigurations", 0, "properties", "privateIPAddress")
	p.want(p.ok("owner", "GET", g, "", 200), n, "properties", "networkInterfaces", 0, "id")
	p.want(p.ok("owner", "GET", v+"/subnets/s1", "", 200), n, "properties", "ipConfigurations", 0, "id")
	p.refused("owner", "DELETE", v+"/subnets/s1", "", 400, "InUseSubnetCannotBeDeleted", n)
	p.refused("owner", "DELETE", v, "", 400, "InUseSubnetCannotBeDeleted", n)
	p.refused("owner", "PUT", v, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[]}}`, 400, "InUseSubnetCannotBeDeleted", n)
	p.refused("owner", "PUT", v+"/subnets/s1", `{"properties":{"addressPrefix":"10.0.7.0/24"}}`, 400, "InUsePrefixCannotBeDeleted", n)
	p.ok("owner", "PUT", v+"/subnets/s1", `{"properties":{"addressPrefix":"10.0.1.0/24"}}`, 200) // the group goes, the interface stays
	p.refused("owner", "DELETE", g, "", 400, "InUseNetworkSecurityGroupCannotBeDeleted", n)

	// Addresses: given once, kept, released.
	p.ok("owner", "PUT", v+"/subnets/s1", withGroup, 200)
	second := strings.Replace(nic, `"subnet":`, `"privateIPAllocationMethod":"Static","privateIPAddress":"10.0.1.4","subnet":`, 1)
	p.refused("owner", "PUT", p.id("networkInterfaces/n2"), second, 400, "PrivateIPAddressIsAllocated", "10.0.1.4")
	p.refused("owner", "PUT", p.id("networkInterfaces/n2"), strings.Replace(second, "10.0.1.4", "10.0.1.3", 1), 400, "PrivateIPAddressNotInSubnet", "10.0.1.3")
	p.refused("owner", "PUT", p.id("networkInterfaces/n2"), strings.Replace(second, "10.0.1.4", "10.0.2.9", 1), 400, "PrivateIPAddressNotInSubnet", "10.0.2.9")
	p.want(p.ok("owner", "PUT", p.id("networkInterfaces/n2"), nic, 201), "10.0.1.5", "properties", "ipConfigurations", 0, "properties", "privateIPAddress")
	p.want(p.ok("owner", "PUT", n, nic, 200), "10.0.1.4", "properties", "ipConfigurations", 0, "properties", "privateIPAddress")
	p.want(p.ok("owner", "GET", v+"/CheckIPAddressAvailability?api-version=2024-05-01&ipAddress=10.0.1.5", "", 200), false, "available")
	p.want(p.ok("owner", "GET", v+"/CheckIPAddressAvailability?api-version=2024-05-01&ipAddress=10.0.1.6", "", 200), true, "available")
	p.ok("owner", "DELETE", n, "", 200)
	p.want(p.ok("owner", "PUT", p.id("networkInterfaces/n3"), nic, 201), "10.0.1.4", "properties", "ipConfigurations", 0, "properties", "privateIPAddress")

	// A group goes with all that is in it, whatever uses what.
	p.ok("owner", "DELETE", p.rg("rg1")+"?api-version=2021-04-01", "", 200)
	p.refused("owner", "GET", g, "", 404, "ResourceGroupNotFound", "rg1")
}

// What another resource group uses stays, and its own group with it.
func TestInUse_AcrossGroups(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.group("rg2")
	g, v := p.rg("rg2")+"/providers/Microsoft.Network/networkSecurityGroups/g1", p.id("virtualNetworks/v1")
	p.ok("owner", "PUT", g, `{"location":"westeurope"}`, 201)
	p.ok("owner", "PUT", v, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s1","properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"`+g+`"}}}]}}`, 201)
	status, out := p.do("owner", "DELETE", p.rg("rg2")+"?api-version=2021-04-01", "")
	if status < 400 || !strings.Contains(fmt.Sprint(out), v+"/subnets/s1") {
		t.Errorf("deleting the group: %d %v, want it to name the subnet", status, out)
	}
	p.ok("owner", "GET", g, "", 200)
	p.refused("owner", "PUT", p.id("virtualNetworks/v2"), `{"location":"northeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s1","properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"`+g+`"}}}]}}`,
		400, "InvalidResourceReference", "same region")
	p.ok("owner", "DELETE", p.rg("rg1")+"?api-version=2021-04-01", "", 200)
	p.ok("owner", "DELETE", p.rg("rg2")+"?api-version=2021-04-01", "", 200)
}

func TestLinkedPermissions(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	g, v := p.id("networkSecurityGroups/g1"), p.id("virtualNetworks/v1")
	p.ok("owner", "PUT", g, `{"location":"westeurope"}`, 201)
	p.ok("owner", "PUT", v, twoSubnets, 201)
	p.group("rg2")
	p.assign(p.rg("rg2"), contrib, "other")
	mine := p.rg("rg2") + "/providers/Microsoft.Network/"
	network := `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"s","properties":{"addressPrefix":"10.0.0.0/24","networkSecurityGroup":{"id":"` + g + `"}}}]}}`
	nic := `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"` + v + `/subnets/s1"}}}]}}`
	p.refused("other", "PUT", mine+"virtualNetworks/v2", network, 403, "LinkedAuthorizationFailed", "networkSecurityGroups/join/action")
	p.refused("other", "PUT", mine+"networkInterfaces/n2", nic, 403, "LinkedAuthorizationFailed", "subnets/join/action")
	p.assign(g, networkContributor, "other")
	p.assign(v+"/subnets/s1", networkContributor, "other")
	p.ok("other", "PUT", mine+"virtualNetworks/v2", network, 201)
	p.ok("other", "PUT", mine+"networkInterfaces/n2", nic, 201)
}

func TestFlowVerify(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	g, own, v, n, w := p.id("networkSecurityGroups/g1"), p.id("networkSecurityGroups/g2"), p.id("virtualNetworks/v1"), p.id("networkInterfaces/n1"), p.id("networkWatchers/w1")
	p.ok("owner", "PUT", g, `{"location":"westeurope","properties":{"securityRules":[`+
		ruleBody("web", "Inbound", "Allow", 100, `"Internet"`, `"*"`)+","+ruleBody("no-office", "Inbound", "Deny", 101, `"198.51.100.0/24"`, `"*"`)+`]}}`, 201)
	p.ok("owner", "PUT", own, `{"location":"westeurope","properties":{"securityRules":[`+
		ruleBody("only-443", "Inbound", "Allow", 100, `"203.0.113.0/24"`, `"10.0.1.4"`)+","+ruleBody("no-net", "Outbound", "Deny", 100, `"*"`, `"Internet"`)+`]}}`, 201)
	p.ok("owner", "PUT", v, twoSubnets, 201)
	p.ok("owner", "PUT", v+"/subnets/s1", `{"properties":{"addressPrefix":"10.0.1.0/24","networkSecurityGroup":{"id":"`+g+`"}}}`, 200)
	p.ok("owner", "PUT", n, `{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":"`+v+`/subnets/s1"}}}],"networkSecurityGroup":{"id":"`+own+`"}}}`, 201)
	p.ok("owner", "PUT", w, `{"location":"westeurope"}`, 201)
	ask := func(direction, remote, port string) string {
		return `{"targetResourceId":"` + n + `","direction":"` + direction + `","protocol":"TCP","localIPAddress":"10.0.1.4","localPort":"` + port + `","remoteIPAddress":"` + remote + `","remotePort":"443"}`
	}
	for _, c := range []struct{ direction, remote, port, want string }{
		{"Inbound", "203.0.113.7", "443", "Allow securityRules/only-443"},            // both let it in
		{"Inbound", "203.0.113.7", "22", "Deny defaultSecurityRules/DenyAllInBound"}, // the subnet's does not
		{"Inbound", "8.8.8.8", "443", "Deny defaultSecurityRules/DenyAllInBound"},    // the interface's does not
		{"Inbound", "10.0.2.9", "22", "Allow defaultSecurityRules/AllowVnetInBound"},
		{"Outbound", "8.8.8.8", "5000", "Deny securityRules/no-net"},
		{"Outbound", "10.0.2.9", "5000", "Allow defaultSecurityRules/AllowVnetOutBound"},
	} {
		out := p.ok("owner", "POST", w+"/ipFlowVerify", ask(c.direction, c.remote, c.port), 200)
		if got := fmt.Sprint(out["access"], " ", out["ruleName"]); got != c.want {
			t.Errorf("%s %s:%s: got %s, want %s", c.direction, c.remote, c.port, got, c.want)
		}
	}
	for name, body := range map[string]string{
		"direction": ask("Sideways", "8.8.8.8", "1"), "remoteIPAddress": ask("Inbound", "x", "1"), "localPort": ask("Inbound", "8.8.8.8", "*"),
		"10.0.1.9": strings.Replace(ask("Inbound", "8.8.8.8", "1"), "10.0.1.4", "10.0.1.9", 1), "UDP": strings.Replace(ask("Inbound", "8.8.8.8", "1"), "TCP", "GRE", 1),
	} {
		p.refused("owner", "POST", w+"/ipFlowVerify", body, 400, "InvalidParameter", name)
	}
	p.refused("owner", "POST", w+"/ipFlowVerify", strings.Replace(ask("Inbound", "8.8.8.8", "1"), n, v, 1), 501, "NotImplemented", "network interfaces")
	p.assign(w, networkContributor, "other")
	p.refused("other", "POST", w+"/ipFlowVerify", ask("Inbound", "8.8.8.8", "1"), 403, "LinkedAuthorizationFailed", "networkInterfaces/read")
	effective := p.ok("owner", "POST", n+"/effectiveNetworkSecurityGroups", "", 200)
	p.want(effective, v+"/subnets/s1", "value", 0, "association", "subnet", "id")
	p.want(effective, n, "value", 1, "association", "networkInterface", "id")
	var order []string
	for _, r := range at(effective, "value", 0, "effectiveSecurityRules").([]any) {
		order = append(order, fmt.Sprint(at(r, "name"), " ", at(r, "protocol"), " ", at(r, "sourceAddressPrefixes")))
	}
	if got, want := strings.Join(order[:4], ", "), "securityRules/web Tcp [Internet], securityRules/no-office Tcp [198.51.100.0/24], defaultSecurityRules/AllowVnetInBound All [VirtualNetwork], "+
		"defaultSecurityRules/AllowVnetOutBound All [VirtualNetwork]"; got != want || len(order) != 8 {
		t.Errorf("the effective rules are %s of %d, want %s of 8", got, len(order), want)
	}
	// A rule that changes decides from then on.
	p.ok("owner", "DELETE", own+"/securityRules/no-net", "", 200)
	if out := p.ok("owner", "POST", w+"/ipFlowVerify", ask("Outbound", "8.8.8.8", "5000"), 200); out["access"] != "Allow" {
		t.Errorf("after the rule is gone: %v", out)
	}
}

// Referring to something and deleting it at once: never is something gone that is referred to.
func TestInUse_Concurrent(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	v := p.id("virtualNetworks/v1")
	p.ok("owner", "PUT", v, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`, 201)
	both := func(first, second func()) {
		var wg sync.WaitGroup
		wg.Go(first)
		wg.Go(second)
		wg.Wait()
	}
	refused := 0
	for i := range 25 {
		g, sub, n := p.id(fmt.Sprintf("networkSecurityGroups/g%d", i)), fmt.Sprintf("%s/subnets/s%d", v, i), p.id(fmt.Sprintf("networkInterfaces/n%d", i))
		p.ok("owner", "PUT", g, `{"location":"westeurope"}`, 201)
		var associated, deleted int
		both(func() {
			associated, _ = p.do("owner", "PUT", sub, fmt.Sprintf(`{"properties":{"addressPrefix":"10.0.%d.0/24","networkSecurityGroup":{"id":%q}}}`, i, g))
		}, func() { deleted, _ = p.do("owner", "DELETE", g, "") })
		if (associated == 201) == (deleted == 200) {
			t.Fatalf("a subnet was given a group: %d, while that was deleted: %d", associated, deleted)
		}
		p.do("owner", "PUT", sub, fmt.Sprintf(`{"properties":{"addressPrefix":"10.0.%d.0/24"}}`, i))
		both(func() {
			associated, _ = p.do("owner", "PUT", n, fmt.Sprintf(`{"location":"westeurope","properties":{"ipConfigurations":[{"name":"c","properties":{"subnet":{"id":%q}}}]}}`, sub))
		}, func() { deleted, _ = p.do("owner", "DELETE", sub, "") })
		if (associated == 201) == (deleted == 200) {
			t.Fatalf("an interface was put into a subnet: %d, while that was deleted: %d", associated, deleted)
		}
		if deleted != 200 {
			refused++
		}
	}
	t.Logf("%d of 25 subnets were in use when they should go", refused)
}
