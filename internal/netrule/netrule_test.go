package netrule_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

func TestParsePrefix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want, want4 string }{
		{"10.1.2.3", "10.1.2.3/32", "10.1.2.3/32"},
		{"10.1.2.3/8", "10.0.0.0/8", "10.0.0.0/8"},
		{"0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"},
		{"::1", "::1/128", ""},
		{"2001:db8::5/32", "2001:db8::/32", ""},
		{"::ffff:10.1.2.3", "10.1.2.3/32", "10.1.2.3/32"},
		{"::ffff:10.1.2.3/104", "10.0.0.0/8", "10.0.0.0/8"},
		{"::ffff:10.1.2.3/95", "", ""},
		{"fe80::1%eth0", "", ""},
		{"10.1.2.3/33", "", ""},
		{"10.1.2", "", ""},
		{"010.1.2.3", "", ""},
		{"", "", ""},
		{" 10.0.0.1", "", ""},
		{"host", "", ""},
	} {
		check := func(parse func(string) (netip.Prefix, error), want string) {
			p, err := parse(c.text)
			if want == "" {
				if err == nil {
					t.Errorf("%q: got %s, want an error", c.text, p)
				}
			} else if err != nil || p.String() != want {
				t.Errorf("%q: got %s, %v, want %s", c.text, p, err, want)
			}
		}
		check(netrule.ParsePrefix, c.want)
		check(netrule.ParsePrefix4, c.want4)
	}
}

func prefixes(t *testing.T, texts ...string) netrule.Prefixes {
	t.Helper()
	var out netrule.Prefixes
	for _, text := range texts {
		p, err := netrule.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	list := prefixes(t, "10.1.0.0/16", "192.0.2.7", "2001:db8::/32")
	for addr, want := range map[string]bool{
		"10.1.255.255": true, "10.2.0.0": false, "192.0.2.7": true, "192.0.2.8": false, "::ffff:10.1.2.3": true, "2001:db8::1": true, "2001:db9::1": false, "::a01:203": false,
	} {
		if got := list.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %v, want %v", addr, got, want)
		}
	}
	if list.Contains(netip.Addr{}) || netrule.Prefixes(nil).Contains(netip.MustParseAddr("10.1.0.1")) {
		t.Error("no address is in a list, and no list holds one")
	}
	for text, want := range map[string][2]bool{ // covers, overlaps
		"10.1.2.0/24": {true, true}, "10.0.0.0/8": {false, true}, "10.2.0.0/16": {false, false}, "10.1.0.0/16": {true, true}, "2001:db8:1::/64": {true, true}, "::/0": {false, true},
	} {
		p := netip.MustParsePrefix(text)
		if got := [2]bool{list.Covers(p), list.Overlaps(p)}; got != want {
			t.Errorf("%s: covers and overlaps are %v, want %v", text, got, want)
		}
	}
}

func TestParsePorts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]netrule.Ports{"*": {0, 65535}, "0": {0, 0}, "443": {443, 443}, "8000-8080": {8000, 8080}, "0-65535": {0, 65535}} {
		if got, err := netrule.ParsePorts(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", "80-", "-80", "81-80", "65536", "+1", "80-90-100", "http", " 80", "1-+2"} {
		if got, err := netrule.ParsePorts(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestParseMatch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]netrule.Match{
		"*": {Any: true}, "any": {Any: true}, "10.0.0.5": {Prefix: netip.MustParsePrefix("10.0.0.5/32")}, "10.0.0.5/24": {Prefix: netip.MustParsePrefix("10.0.0.0/24")},
		"VirtualNetwork": {Tag: "virtualnetwork"}, "INTERNET": {Tag: "internet"}, "AzureCosmosDB": {Tag: "azurecosmosdb"}, "AzureKeyVault.WestEurope": {Tag: "azurekeyvault.westeurope"},
	} {
		if got, err := netrule.ParseMatch(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "NoSuchTag", "Internet.WestEurope", "VirtualNetwork.x", "AzureKeyVault.", "10.0.0.0/40", strings.Repeat("x", 500)} {
		if got, err := netrule.ParseMatch(text); err == nil || len(err.Error()) > 200 {
			t.Errorf("%.20q: got %v, %v, want a short error", text, got, err)
		}
	}
}

// rule makes one from words: "Inbound Allow tcp source:ports>destination:ports".
func rule(t *testing.T, name string, priority int, words string) netrule.Rule {
	t.Helper()
	w := strings.Fields(words)
	r := netrule.Rule{Name: name, Priority: priority, Allow: w[1] == "Allow", Protocol: w[2]}
	if w[0] == "Outbound" {
		r.Direction = netrule.Outbound
	}
	from, to, _ := strings.Cut(w[3], ">")
	end := func(text string) ([]netrule.Match, []netrule.Ports) {
		addr, ports, _ := strings.Cut(text, ":")
		m, err := netrule.ParseMatch(addr)
		if err != nil {
			t.Fatal(err)
		}
		p, err := netrule.ParsePorts(ports)
		if err != nil {
			t.Fatal(err)
		}
		return []netrule.Match{m}, []netrule.Ports{p}
	}
	r.Sources, r.SourcePorts = end(from)
	r.Destinations, r.DestinationPorts = end(to)
	return r
}

func TestGroup_FirstMatchDecides(t *testing.T) {
	t.Parallel()
	g := netrule.NewGroup([]netrule.Rule{ // not in order
		rule(t, "deny-web", 300, "Inbound Deny tcp *:*>*:80"),
		rule(t, "allow-office", 200, "Inbound Allow tcp 198.51.100.0/24:*>10.0.1.4:80-443"),
		rule(t, "deny-one", 100, "Inbound Deny * 198.51.100.66:*>*:*"),
		rule(t, "allow-dns", 400, "Inbound Allow udp Internet:*>VirtualNetwork:53"),
		rule(t, "high-source", 500, "Inbound Allow tcp *:50000-60000>*:9000"),
		rule(t, "no-vault", 100, "Outbound Deny tcp *:*>AzureKeyVault:443"),
		rule(t, "west-cosmos", 200, "Outbound Allow tcp *:*>AzureCosmosDB.WestUS:443"),
		rule(t, "no-cloud", 300, "Outbound Deny * *:*>AzureCloud:*"),
	})
	local := prefixes(t, "10.0.0.0/16")
	peer := func(addr string, port uint16) netrule.Peer {
		return netrule.Peer{Addr: netip.MustParseAddr(addr), Port: port}
	}
	service := func(name, location string) netrule.Peer {
		return netrule.Peer{Port: 443, Tags: netrule.ServiceTags(name, location)}
	}
	me := peer("10.0.1.4", 40000)
	for _, c := range []struct {
		name     string
		flow     netrule.Flow
		want     string
		outbound bool
	}{
		{"lowest priority first", netrule.Flow{Protocol: "tcp", Source: peer("198.51.100.66", 1), Destination: peer("10.0.1.4", 80)}, "deny securityRules/deny-one", false},
		{"a range and a port in a range", netrule.Flow{Protocol: "tcp", Source: peer("198.51.100.7", 1), Destination: peer("10.0.1.4", 443)}, "allow securityRules/allow-office", false},
		{"another destination", netrule.Flow{Protocol: "tcp", Source: peer("198.51.100.7", 1), Destination: peer("10.0.1.5", 80)}, "deny securityRules/deny-web", false},
		{"another protocol", netrule.Flow{Protocol: "udp", Source: peer("198.51.100.7", 1), Destination: peer("10.0.1.4", 80)}, "deny defaultSecurityRules/DenyAllInBound", false},
		{"internet to the network", netrule.Flow{Protocol: "udp", Source: peer("8.8.8.8", 1), Destination: peer("10.0.9.9", 53)}, "allow securityRules/allow-dns", false},
		{"the network is not the internet", netrule.Flow{Protocol: "udp", Source: peer("10.0.0.9", 1), Destination: peer("10.0.9.9", 53)}, "allow defaultSecurityRules/AllowVnetInBound", false},
		{"a port of the source", netrule.Flow{Protocol: "tcp", Source: peer("8.8.8.8", 55000), Destination: peer("10.0.1.4", 9000)}, "allow securityRules/high-source", false},
		{"not that port", netrule.Flow{Protocol: "tcp", Source: peer("8.8.8.8", 49999), Destination: peer("10.0.1.4", 9000)}, "deny defaultSecurityRules/DenyAllInBound", false},
		{"the host is of the network", netrule.Flow{Protocol: "tcp", Source: peer("168.63.129.16", 1), Destination: peer("10.0.1.4", 22)}, "allow defaultSecurityRules/AllowVnetInBound", false},
		{"the load balancer", netrule.Flow{Protocol: "tcp", Source: peer("168.63.129.16", 1), Destination: peer("172.16.0.1", 22)}, "allow defaultSecurityRules/AllowAzureLoadBalancerInBound", false},
		{"a mapped address", netrule.Flow{Protocol: "tcp", Source: peer("::ffff:10.0.0.9", 1), Destination: peer("10.0.1.4", 22)}, "allow defaultSecurityRules/AllowVnetInBound", false},
		{"a service by its tag", netrule.Flow{Protocol: "tcp", Source: me, Destination: service("AzureKeyVault", "West Europe")}, "deny securityRules/no-vault", true},
		{"a service of a region", netrule.Flow{Protocol: "tcp", Source: me, Destination: service("AzureCosmosDB", "West US")}, "allow securityRules/west-cosmos", true},
		{"of another region", netrule.Flow{Protocol: "tcp", Source: me, Destination: service("AzureCosmosDB", "westeurope")}, "deny securityRules/no-cloud", true},
		{"an address", netrule.Flow{Protocol: "tcp", Source: me, Destination: peer("1.1.1.1", 443)}, "allow defaultSecurityRules/AllowInternetOutBound", true},
		{"within the network", netrule.Flow{Protocol: "tcp", Source: me, Destination: peer("10.0.7.7", 443)}, "allow defaultSecurityRules/AllowVnetOutBound", true},
	} {
		c.flow.LocalNetwork = local
		if c.outbound {
			c.flow.Direction = netrule.Outbound
		}
		allow, by := g.Decide(c.flow)
		got := map[bool]string{true: "allow ", false: "deny "}[allow] + by.String()
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if allow, by := (*netrule.Group)(nil).Decide(netrule.Flow{}); !allow || by != nil {
		t.Error("without a group everything is allowed")
	}
	if allow, _ := (&netrule.Group{}).Decide(netrule.Flow{Source: me, Destination: me, LocalNetwork: local}); allow {
		t.Error("a group that could not be read denies everything")
	}
	tagged := netrule.NewGroup([]netrule.Rule{rule(t, "closed", 100, "Outbound Deny * *:*>Internet:*")})
	if allow, by := tagged.Decide(netrule.Flow{Direction: netrule.Outbound, Protocol: "tcp", Source: me, Destination: service("AzureKeyVault", "x"), LocalNetwork: local}); allow || by.Name != "closed" {
		t.Error("a service is on the internet")
	}
}

func TestFirewall(t *testing.T) {
	t.Parallel()
	deny := netrule.NewGroup([]netrule.Rule{rule(t, "closed", 100, "Outbound Deny tcp *:*>AzureKeyVault:443")})
	subnets := map[string]*netrule.Subnet{
		"in":      {ID: "in", GUID: "1", Prefixes: prefixes(t, "10.0.1.0/24"), Network: prefixes(t, "10.0.0.0/16"), Services: []string{"microsoft.keyvault"}},
		"bare":    {ID: "bare", GUID: "2", Prefixes: prefixes(t, "10.0.2.0/24"), Services: []string{"microsoft.web"}},
		"guarded": {ID: "guarded", GUID: "3", Prefixes: prefixes(t, "10.0.3.0/24"), Services: []string{"microsoft.keyvault"}, Group: deny},
		"twin":    {ID: "twin", GUID: "5", Prefixes: prefixes(t, "10.0.3.0/25"), Services: []string{"microsoft.keyvault"}},
		"reborn":  {ID: "reborn", GUID: "4b", Prefixes: prefixes(t, "10.0.4.0/24"), Services: []string{"microsoft.keyvault"}},
	}
	lookup := func(_ context.Context, id string) (*netrule.Subnet, error) { return subnets[id], nil }
	f := netrule.Firewall{
		Service: "Microsoft.KeyVault", Tags: netrule.ServiceTags("AzureKeyVault", "westeurope"),
		Addresses: prefixes(t, "192.0.2.0/24", "10.0.2.7", "10.0.3.7"),
		Subnets:   []netrule.SubnetRule{{ID: "in", GUID: "1"}, {ID: "bare", GUID: "2"}, {ID: "guarded", GUID: "3"}, {ID: "reborn", GUID: "4"}, {ID: "gone", GUID: "9"}},
	}
	for _, c := range []struct {
		client string
		want   string
	}{
		{"10.0.1.77", "allowed in"},
		{"::ffff:10.0.1.77", "allowed in"},
		{"10.0.9.1", "refused"},
		{"10.0.2.1", "refused bare"}, // no endpoint
		{"10.0.2.7", "allowed bare"}, // without one its address counts
		{"10.0.3.1", "blocked guarded securityRules/closed"},
		{"10.0.3.7", "blocked guarded securityRules/closed"}, // whatever the list says
		{"10.0.4.1", "refused"},
		{"192.0.2.200", "allowed"},
		{"2001:db8::1", "refused"},
	} {
		v, err := f.Admit(t.Context(), netip.MustParseAddr(c.client), lookup)
		if err != nil {
			t.Fatal(err)
		}
		got := map[bool]string{true: "allowed", false: "refused"}[v.Allowed]
		if v.Blocked {
			got = "blocked"
		}
		if v.Subnet != nil {
			got += " " + v.Subnet.ID
		}
		if v.By != nil {
			got += " " + v.By.String()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.client, got, c.want)
		}
	}
	f.Subnets = append(f.Subnets, netrule.SubnetRule{ID: "twin", GUID: "5"})
	if v, _ := f.Admit(t.Context(), netip.MustParseAddr("10.0.3.1"), lookup); !v.Allowed || v.Subnet.ID != "twin" {
		t.Errorf("of two subnets with the client's address one lets it in: got %+v", v)
	}
	broken := errors.New("down")
	if v, err := f.Admit(t.Context(), netip.MustParseAddr("192.0.2.1"), func(context.Context, string) (*netrule.Subnet, error) { return nil, broken }); !errors.Is(err, broken) || v.Allowed {
		t.Errorf("a lookup that fails admits nobody: got %+v, %v", v, err)
	}
	if v, err := (&netrule.Firewall{Addresses: prefixes(t, "192.0.2.1")}).Admit(t.Context(), netip.MustParseAddr("192.0.2.1"), nil); err != nil || !v.Allowed {
		t.Errorf("a list alone needs no lookup: got %+v, %v", v, err)
	}
}

func TestServiceTags(t *testing.T) {
	t.Parallel()
	want := []string{"azurecosmosdb", "azurecosmosdb.westus2", "azurecloud", "azurecloud.westus2"}
	if diff := cmp.Diff(want, netrule.ServiceTags("AzureCosmosDB", "West US 2")); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8", "::ffff:1.2.3.4/100", "*", "Internet", "80-90", "AzureKeyVault.WestEurope", "1-", "fe80::1%1/64"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := netrule.ParsePrefix(s); err == nil {
			if again, err := netrule.ParsePrefix(p.String()); err != nil || again != p || p.Addr().Is4In6() {
				t.Errorf("%q: %s reads as %s, %v", s, p, again, err)
			}
		}
		if p, err := netrule.ParsePorts(s); err == nil && p.From > p.To {
			t.Errorf("%q: %v", s, p)
		}
		if m, err := netrule.ParseMatch(s); err == nil && m == (netrule.Match{}) {
			t.Errorf("%q matches nothing", s)
		}
	})
}
