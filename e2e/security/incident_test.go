package security

import (
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/security/armsecurity"
)

// The intrusion that an agent reported, over two sessions, is one incident that has all its alerts; the graph leads from it to the addresses of the sign-ins.
func TestIncident(t *testing.T) {
	group := intruded(t)
	eachWay(t, func(t *testing.T, f *armsecurity.ClientFactory) {
		var incidents, members []*armsecurity.Alert
		for _, a := range all(t, f.NewAlertsClient().NewListByResourceGroupPager(group, nil), func(p armsecurity.AlertsClientListByResourceGroupResponse) []*armsecurity.Alert { return p.Value }) {
			switch {
			case *a.Properties.IsIncident:
				incidents = append(incidents, a)
			case a.Properties.CorrelationKey != nil:
				members = append(members, a)
			default:
				t.Errorf("%s is in no incident", *a.Properties.AlertDisplayName)
			}
		}
		if len(incidents) != 1 || len(members) < 14 {
			t.Fatalf("%d incidents, %d alerts in one", len(incidents), len(members))
		}
		in := incidents[0]
		refs := map[any]bool{}
		for _, e := range in.Properties.Entities {
			if *e.Type == "security-alert" {
				refs[e.AdditionalProperties["systemAlertId"]] = true
			}
		}
		for _, m := range members {
			if *m.Properties.CorrelationKey != *in.Name || !refs[*m.Name] {
				t.Errorf("%s is in %s, which has it: %t", *m.Properties.AlertDisplayName, *m.Properties.CorrelationKey, refs[*m.Name])
			}
		}
		if *in.Properties.Severity != armsecurity.AlertSeverityHigh || !strings.Contains(string(*in.Properties.Intent), "CredentialAccess") || !strings.Contains(*in.Properties.Description, "203.0.0.0/16") {
			t.Errorf("the incident is %+v", in.Properties)
		}
		a := shared.Platform(t).TryARM(t, http.MethodGet, *members[0].ID+"/investigation?api-version=2022-01-01&depth=1&focus=ip%3A203.0.114.91", nil)
		path, _ := a.JSON()["path"].([]any)
		if a.Status != http.StatusOK || len(path) < 3 || path[0] != "incident:"+*in.Name || path[len(path)-1] != "ip:203.0.114.91" {
			t.Errorf("the investigation: %d, path %v", a.Status, path)
		}
	})
}
