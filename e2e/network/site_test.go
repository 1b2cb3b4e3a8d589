package network

import (
	"net/http"
	"strings"
	"testing"
)

// A site that is open to one subnet; it has no code, so those who reach it get another answer than 403.
func TestSite(t *testing.T) {
	w := newWorld(t)
	site := w.p.PutSite(t, w.group, "", nil)
	s1 := w.vnet + "/subnets/s1"
	reached := func(what string, at place, want bool) {
		t.Helper()
		way := w.way(t, at)
		a := way.Do(t, "GET", way.Site(site.Name)+"/", http.Header{}, nil)
		if forbidden := a.Status == 403 && strings.Contains(string(a.Body), "Ip Forbidden"); forbidden == want {
			t.Errorf("%s: %d %s, want it to be reached: %v", what, a.Status, a.Body, want)
		}
	}
	restrict := func(list ...any) {
		w.p.ARM(t, "PATCH", site.ID+"/config/web?api-version=2022-03-01", map[string]any{"properties": map[string]any{"ipSecurityRestrictions": list}})
	}
	reached("without restrictions", w.out, true)
	restrict(map[string]any{"name": "net", "priority": 100, "action": "Allow", "vnetSubnetResourceId": s1})
	reached("in a subnet without the endpoint", w.in, false)
	w.putSubnet(t, s1, "10.213.1.0/24", "", "Microsoft.Web")
	reached("in the subnet", w.in, true)
	reached("outside of it", w.out, false)
	restrict(map[string]any{"priority": 100, "action": "Deny", "vnetSubnetResourceId": s1}, map[string]any{"priority": 200, "action": "Allow", "ipAddress": "Any"})
	reached("in the subnet that is denied", w.in, false)
	reached("everybody else", w.out, true)
	w.p.ARM(t, "DELETE", s1+networkVersion, nil)
	reached("the subnet is gone", w.in, true)
}
