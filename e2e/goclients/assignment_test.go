package goclients

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestAssignmentRequired: an API that demands assignment refuses an application's token until the application is assigned to it.
func TestAssignmentRequired(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		uri := "api://" + harness.Name("orders-")
		api, caller := p.CreateApp(t, "", harness.Name("api-"), "--identifier-uri", uri), p.CreateApp(t, "", harness.Name("caller-"))
		graph := func(method, path string, status int, body any) {
			t.Helper()
			a := w.Do(t, method, w.Graph()+"/v1.0/servicePrincipals/"+path, harness.Bearer(p.AdminToken(t, "https://graph.microsoft.com")), body)
			if a.Status != status {
				t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
			}
		}
		token := func() error {
			_, err := secretCredential(t, w, caller).GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{uri + "/.default"}})
			return err
		}
		if err := token(); err != nil {
			t.Fatalf("before assignment is demanded: %v", err)
		}
		graph("PATCH", api.Principal, http.StatusNoContent, map[string]any{"appRoleAssignmentRequired": true})
		wantAuthError(t, token(), "AADSTS501051")
		graph("POST", api.Principal+"/appRoleAssignedTo", http.StatusCreated, map[string]any{
			"principalId": caller.Principal, "resourceId": api.Principal, "appRoleId": "00000000-0000-0000-0000-000000000000",
		})
		if err := token(); err != nil {
			t.Errorf("assigned: %v", err)
		}
	})
}
