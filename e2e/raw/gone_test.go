package raw

import (
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// A deleted application is locked out at once, though its tokens have not expired: from the control plane, from vaults, and from Graph.
func TestDeletedApplication(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	way := p.SuffixWay(t)
	app := p.CreateApp(t, "", harness.Name("app-"))
	group := p.PutGroup(t)
	vault := p.PutVault(t, group, "", harness.Policy{ObjectID: app.Principal, Secrets: harness.All})
	p.ARM(t, "PUT", group+"/providers/Microsoft.Authorization/roleAssignments/11111111-2222-3333-4444-666666666666?api-version=2022-04-01", map[string]any{
		"properties": map[string]any{
			"principalId":      app.Principal,
			"roleDefinitionId": "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
		},
	})
	arm, data := harness.Bearer(way.AppToken(t, app, harness.ARMResource)), harness.Bearer(way.AppToken(t, app, way.VaultAudience()))
	groupURL, secretURL := way.ARM()+group+"?api-version=2021-04-01", way.Vault(vault)+"/secrets/s1?api-version=7.4"
	for _, c := range []struct {
		what string
		a    harness.Answer
	}{
		{"the control plane", way.Do(t, "GET", groupURL, arm, nil)},
		{"the vault", way.Do(t, "PUT", secretURL, data, map[string]any{"value": "x"})},
	} {
		if c.a.Status != 200 {
			t.Fatalf("%s before: %d %s", c.what, c.a.Status, c.a.Body)
		}
	}
	admin := harness.Bearer(p.AdminToken(t, "https://graph.microsoft.com"))
	if a := way.Do(t, "DELETE", way.Graph()+"/v1.0/applications/"+app.ObjectID, admin, nil); a.Status != 204 {
		t.Fatalf("delete the application: %d %s", a.Status, a.Body)
	}
	for _, c := range []struct {
		what, code string
		a          harness.Answer
	}{
		{"the control plane", "InvalidAuthenticationToken", way.Do(t, "GET", groupURL, arm, nil)},
		{"the vault", "Unauthorized", way.Do(t, "GET", secretURL, data, nil)},
	} {
		if c.a.Status != 401 || !strings.Contains(string(c.a.Body), c.code) || !strings.Contains(string(c.a.Body), "deleted or disabled") || c.a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s after: %d %s", c.what, c.a.Status, c.a.Body)
		}
	}
}
