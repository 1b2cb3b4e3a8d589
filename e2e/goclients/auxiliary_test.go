package goclients

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/google/uuid"
)

// owner is the built-in role's id, the same everywhere.
const owner = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"

// TestAuxiliaryTenants: an application of two tenants is one principal in each. What the one may do in the group its resources move to counts only when the client
// sends that tenant's token besides.
func TestAuxiliaryTenants(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		home := p.CreateTenant(t, harness.Name("Publisher "))
		admin := p.CreateApp(t, home, harness.Name("admin-"), "--administrator")
		app := p.CreateApp(t, home, harness.Name("mover-"))
		const graph = "https://graph.microsoft.com"
		change := w.Do(t, "PATCH", w.Graph()+"/v1.0/applications/"+app.ObjectID, harness.Bearer(w.AppToken(t, admin, graph)), map[string]any{"signInAudience": "AzureADMultipleOrgs"})
		if change.Status != http.StatusNoContent {
			t.Fatalf("make the application one of every tenant: %d %s", change.Status, change.Body)
		}
		guest := w.Do(t, "POST", w.Graph()+"/v1.0/servicePrincipals", harness.Bearer(p.AdminToken(t, graph)), map[string]any{"appId": app.AppID})
		if guest.Status != http.StatusCreated {
			t.Fatalf("make its principal in the platform's first tenant: %d %s", guest.Status, guest.Body)
		}
		from, target := p.PutGroup(t), p.PutGroup(t)
		for group, principal := range map[string]any{from: guest.JSON()["id"], target: app.Principal} {
			p.ARM(t, "PUT", group+"/providers/Microsoft.Authorization/roleAssignments/"+uuid.NewString()+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
				"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + owner,
				"principalId":      principal, "principalType": "ServicePrincipal",
			}})
		}
		id := from + "/providers/Microsoft.KeyVault/vaults/" + p.PutVault(t, from, "")
		cred, err := azidentity.NewClientSecretCredential(p.Run.TenantID, app.AppID, app.Secret.SecretText, &azidentity.ClientSecretCredentialOptions{
			ClientOptions: w.ClientOptions(), DisableInstanceDiscovery: !w.Public, AdditionallyAllowedTenants: []string{home},
		})
		if err != nil {
			t.Fatal(err)
		}
		validate := func(auxiliary ...string) error {
			o := w.ARMOptions()
			o.AuxiliaryTenants = auxiliary
			c, err := armresources.NewClient(p.Run.SubscriptionID, cred, o)
			if err != nil {
				t.Fatal(err)
			}
			poller, err := c.BeginValidateMoveResources(t.Context(), groupName(from), armresources.MoveInfo{Resources: []*string{to.Ptr(id)}, TargetResourceGroup: to.Ptr(target)}, nil)
			if err != nil {
				return err
			}
			_, err = poller.PollUntilDone(t.Context(), nil)
			return err
		}
		wantStatus(t, "without the other tenant's token", validate(), http.StatusForbidden, "LinkedAuthorizationFailed")
		if err := validate(home); err != nil {
			t.Errorf("with the other tenant's token: %v", err)
		}
		// It is no way around the main token: what that may not do stays refused.
		o := w.ARMOptions()
		o.AuxiliaryTenants = []string{home}
		groups, err := armresources.NewResourceGroupsClient(p.Run.SubscriptionID, cred, o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = groups.Get(t.Context(), groupName(target), nil)
		wantStatus(t, "a group only the auxiliary principal may read", err, http.StatusForbidden, "AuthorizationFailed")
	})
}
