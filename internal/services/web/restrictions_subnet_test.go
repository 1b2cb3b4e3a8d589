package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

const subnetID = groupID + "/providers/Microsoft.Network/virtualNetworks/v1/subnets/s1"

func TestAccessRules_Subnet(t *testing.T) {
	t.Parallel()
	s := &netrule.Subnet{ID: subnetID, GUID: "g", Prefixes: netrule.Prefixes{netip.MustParsePrefix("10.0.1.0/24")}, Services: []string{"microsoft.web"}}
	var broken error
	lookup := func(context.Context, string) (*netrule.Subnet, error) { return s, broken }
	rules := func(list string) accessRules {
		t.Helper()
		a, err := webConfig{Values: map[string]jsonRaw{"ipSecurityRestrictions": jsonRaw(list)}}.restrictions(false)
		if err != nil {
			t.Fatal(err)
		}
		a.locate("West Europe")
		return a
	}
	subnet := `{"vnetSubnetResourceId":"` + subnetID + `","bulkheadGuid":"g","priority":100}`
	only, but := rules(`[`+subnet+`]`), rules(`[`+strings.Replace(subnet, `"priority"`, `"action":"Deny","priority"`, 1)+`,{"ipAddress":"Any","priority":200}]`)
	want := func(a accessRules, addr string, want bool) {
		t.Helper()
		if got, err := a.allows(t.Context(), netip.MustParseAddr(addr), lookup); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", addr, got, err, want)
		}
	}
	want(only, "10.0.1.9", true)
	want(only, "10.0.2.9", false)
	want(but, "10.0.1.9", false)
	want(but, "10.0.2.9", true)
	s.GUID = "another"
	want(only, "10.0.1.9", false)
	s.GUID, s.Services = "g", nil
	want(only, "10.0.1.9", false)
	s.Services = []string{"microsoft.web"}
	s.Group = netrule.NewGroup([]netrule.Rule{{
		Name: "r", Priority: 100, Direction: netrule.Outbound, Protocol: "tcp", Sources: []netrule.Match{{Any: true}}, SourcePorts: []netrule.Ports{{From: 0, To: 65535}},
		Destinations: []netrule.Match{{Tag: "appservice.westeurope"}}, DestinationPorts: []netrule.Ports{{From: 443, To: 443}},
	}})
	want(only, "10.0.1.9", false)
	broken = errors.New("down")
	if got, err := but.allows(t.Context(), netip.MustParseAddr("10.0.2.9"), lookup); got || !errors.Is(err, broken) {
		t.Errorf("a lookup that fails: got %v, %v", got, err)
	}
}

func TestRestrictions_Subnet(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.put("sites/web1", `{"location":"westeurope","properties":{"serverFarmId":"`+planID+`"}}`)
	body := func(rule string) string {
		return `{"properties":{"ipSecurityRestrictions":[` + rule + `,{"ipAddress":"203.0.113.9","priority":300}]}}`
	}
	rule := `{"name":"net","priority":100,"vnetSubnetResourceId":"` + strings.ToUpper(subnetID) + `","bulkheadGuid":"theirs"}`
	refused := func(rule, says string) {
		t.Helper()
		if _, err := p.tryPut("sites/web1/config/web", body(rule)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", rule, err, says)
		}
	}
	refused(rule, "not implemented") // no networks here
	guid := "g"
	p.web.deps.Subnet = func(_ context.Context, id string) (*netrule.Subnet, error) {
		if !strings.EqualFold(id, subnetID) {
			return nil, nil
		}
		return &netrule.Subnet{ID: subnetID, GUID: guid, Prefixes: netrule.Prefixes{netip.MustParsePrefix("203.0.113.0/24")}, Services: []string{"microsoft.web"}}, nil
	}
	refused(rule, "joinViaServiceEndpoint")
	p.joins = true
	refused(strings.Replace(rule, "S1\"", "S2\"", 1), "was not found")
	refused(strings.Replace(rule, `"priority"`, `"ipAddress":"10.0.0.1","priority"`, 1), "one of them")
	out := p.put("sites/web1/config/web", body(rule))
	shown, _ := json.Marshal(out)
	if strings.Contains(string(shown), "bulkheadGuid") || !strings.Contains(string(shown), `"vnetSubnetResourceId":"`+subnetID+`"`) {
		t.Errorf("the configuration shows %s", shown)
	}
	reach := func(want bool) {
		t.Helper()
		w := p.do("GET", "https://web1.azurewebsites.net/", nil) // from 203.0.113.0/24
		if refused := strings.Contains(w.Body.String(), "Ip Forbidden"); refused == want {
			t.Errorf("reached %v, want %v: %d %s", !refused, want, w.Code, w.Body)
		}
	}
	reach(true)
	network, _, _ := strings.Cut(subnetID, "/subnets/")
	for id, want := range map[string]int{network: 1, strings.ToUpper(network): 1, network[:len(network)-1]: 0, network + "2": 0} {
		if users, err := p.web.SubnetUsers(t.Context(), id); err != nil || len(users) != want || want == 1 && !strings.HasSuffix(users[0], "/sites/web1") {
			t.Errorf("the users of the subnets of %s are %v, %v", id, users, err)
		}
	}
	guid = "another"
	reach(false)
	p.put("sites/web1/config/web", body(rule)) // what it has stays as it is
	reach(false)
	p.put("sites/web1/config/web", `{"properties":{"ipSecurityRestrictions":[{"ipAddress":"198.51.100.1"}]}}`)
	p.put("sites/web1/config/web", body(rule))
	reach(true)
}
