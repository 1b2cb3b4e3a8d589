package keyvault

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

func TestNetwork_Subnet(t *testing.T) {
	t.Parallel()
	const id = "/subscriptions/s/resourcegroups/rg/providers/microsoft.network/virtualnetworks/v/subnets/s1"
	p := newPlatform(t) // its clients are 10.1.2.3
	s := &netrule.Subnet{ID: id, GUID: "g", Prefixes: netrule.Prefixes{netip.MustParsePrefix("10.1.2.0/24")}, Services: []string{"microsoft.keyvault"}}
	p.s.deps.Subnet = func(_ context.Context, asked string) (*netrule.Subnet, error) {
		if asked == id {
			return s, nil
		}
		return nil, nil
	}
	rule := func(guid string) *networkACLs {
		return &networkACLs{DefaultAction: "Deny", Bypass: "None", VirtualNetworkRules: []subnetRule{{ID: id, GUID: guid}}}
	}
	p.vault("kv1", func(v *properties) { v.NetworkACLs = rule("g") })
	p.vault("stale", func(v *properties) { v.NetworkACLs = rule("another") })
	p.ok(200, alice, "PUT", "/secrets/s", `{"value":"v"}`)
	refused := func(url, says string) {
		t.Helper()
		a := p.as(alice, "GET", url, "")
		if a.status != 403 || a.errorCode() != "Forbidden/ForbiddenByFirewall" || !strings.Contains(a.message(), says) || !strings.Contains(a.message(), "Client address: 10.1.2.3\r\n") {
			t.Errorf("%s: %d %s, want %q", url, a.status, a.text, says)
		}
	}
	refused("https://stale.vault.azure.net/secrets/s", "bypass is set to None")
	s.Services = []string{"microsoft.web"}
	refused("/secrets/s", "is not authorized")
	s.Services, s.Group = []string{"microsoft.keyvault"}, &netrule.Group{}
	refused("/secrets/s", "network security group")
	s.Group, s.Prefixes = nil, netrule.Prefixes{netip.MustParsePrefix("10.1.3.0/24")}
	refused("/secrets/s", "is not authorized")
	s.Prefixes = append(s.Prefixes, netip.MustParsePrefix("10.1.2.3/32"))
	p.ok(200, alice, "GET", "/secrets/s", "")
	shown, _ := json.Marshal(rule("g").shown())
	if want := `{"bypass":"None","defaultAction":"Deny","ipRules":null,"virtualNetworkRules":[{"id":"` + id + `"}]}`; string(shown) != want {
		t.Errorf("the wire shows %s, want %s", shown, want)
	}
}
