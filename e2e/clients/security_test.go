package clients

import (
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// TestSecurity: @azure/arm-security reads and decides about the alerts of a real intrusion, by a role that is made for it.
func TestSecurity(t *testing.T) {
	w := newWorld(t)
	const securityAdmin = "fb1c8493-542b-48eb-b624-b4c8fea62acd"
	subscription := "/subscriptions/" + w.p.Run.SubscriptionID
	w.p.ARM(t, "PUT", subscription+"/providers/Microsoft.Authorization/roleAssignments/"+uuid.NewString()+"?api-version=2022-04-01", map[string]any{
		"properties": map[string]any{
			"roleDefinitionId": subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + securityAdmin, "principalId": w.app.Principal, "principalType": "ServicePrincipal",
		},
	})
	group, _ := w.p.Intrude(t)
	for _, way := range w.p.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			c := node(t, "security.mjs")
			c.env = append(c.env, "SUBSCRIPTION="+w.p.Run.SubscriptionID, "GROUP="+path.Base(group), "ARM="+way.ARM())
			want := map[string]any{
				"enough": true, "sameByRegion": true, "inSubscription": true, "alert": []any{"Medium", "CommandAndControl", true, 2018., false}, "about": "AzureResource true",
				"domain": true, "states": []any{"Dismissed", "Resolved", "Active"}, "none": 404.,
				"rule": []any{"node", "Disabled", []any{"192.0.2.1"}, true}, "rules": []any{"node"}, "ofType": 0., "noRule": 404., "sample": true,
			}
			if d := cmp.Diff(want, w.seen(t, c, way)); d != "" {
				t.Errorf("-want +seen\n%s", d)
			}
		})
	}
}
