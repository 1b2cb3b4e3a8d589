package backgroundcheck

import (
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// refused wants a request to fail at a hop and to say so.
func (s *stage) refused(t *testing.T, c party, hop string, status int, says string) {
	t.Helper()
	e := errorOf(s.as(t, c, "GET", "/checks/demo-1", nil, status))
	message, _ := e["message"].(string)
	if e["hop"] != hop || !strings.Contains(message, says) {
		t.Errorf("refused with %v, want hop %s and %q in the message", e, hop, says)
	}
}

// testVaultClosed: without its policy in the vault the site reaches nobody's data from the next request on; with it, everything works again.
func (s *stage) testVaultClosed(t *testing.T) {
	s.as(t, s.contoso, "GET", "/checks/demo-1", nil, http.StatusOK)
	vaults, err := armkeyvault.NewVaultsClient(s.publisher.SubscriptionID, s.admin(t, s.publisher), s.way.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(s.service.Vault, "/")
	change := func(kind armkeyvault.AccessPolicyUpdateKind) {
		t.Helper()
		_, err := vaults.UpdateAccessPolicy(t.Context(), parts[4], parts[8], kind, armkeyvault.VaultAccessPolicyParameters{
			Properties: &armkeyvault.VaultAccessPolicyProperties{AccessPolicies: []*armkeyvault.AccessPolicyEntry{{
				TenantID: &s.publisher.TenantID, ObjectID: to.Ptr(s.siteIdentity(t)),
				Permissions: &armkeyvault.Permissions{Secrets: []*armkeyvault.SecretPermissions{to.Ptr(armkeyvault.SecretPermissionsGet)}},
			}}},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	change(armkeyvault.AccessPolicyUpdateKindRemove)
	s.refused(t, s.contoso, "vault", http.StatusBadGateway, "403 Forbidden")
	s.refused(t, s.fabrikam, "vault", http.StatusBadGateway, "403 Forbidden")
	change(armkeyvault.AccessPolicyUpdateKindAdd)
	s.as(t, s.contoso, "GET", "/checks/demo-1", nil, http.StatusOK)
}

// siteIdentity is the object id of the site's own identity.
func (s *stage) siteIdentity(t *testing.T) string {
	t.Helper()
	identity, _ := s.arm(t, s.publisher, "GET", s.service.Site+"?api-version=2022-03-01", nil, http.StatusOK)["identity"].(object)
	id, _ := identity["principalId"].(string)
	if id == "" {
		t.Fatal("the site has no identity")
	}
	return id
}

// arm calls Azure Resource Manager as a party's administrator.
func (s *stage) arm(t *testing.T, p party, method, path string, body any, want int) object {
	t.Helper()
	a := s.way.Do(t, method, s.way.ARM()+path, harness.Bearer(s.token(t, p.ClientID, harness.ARMResource)), body)
	if a.Status != want {
		t.Fatalf("%s %s: %d %s, want %d", method, path, a.Status, a.Body, want)
	}
	return a.JSON()
}

// testRoleRemoved: a customer takes the role on its account away, and alone is no longer served.
func (s *stage) testRoleRemoved(t *testing.T) {
	const version = "api-version=2022-04-01"
	list, _ := s.arm(t, s.contoso, "GET", s.contoso.Account+"/providers/Microsoft.Authorization/roleAssignments?$filter=atScope()&"+version, nil, 200)["value"].([]any)
	var id string
	var properties object
	for _, v := range list {
		p := v.(object)["properties"].(object)
		if strings.EqualFold(p["scope"].(string), s.contoso.Account) {
			id, properties = v.(object)["id"].(string), p
		}
	}
	if id == "" {
		t.Fatalf("no assignment on %s in %v", s.contoso.Account, list)
	}
	s.arm(t, s.contoso, "DELETE", id+"?"+version, nil, 200)
	s.refused(t, s.contoso, "management", http.StatusForbidden, "403 AuthorizationFailed")
	s.as(t, s.fabrikam, "GET", "/checks/same", nil, http.StatusOK)
	s.arm(t, s.contoso, "PUT", id+"?"+version, object{"properties": object{
		"roleDefinitionId": properties["roleDefinitionId"], "principalId": properties["principalId"],
	}}, 201)
	s.as(t, s.contoso, "GET", "/checks/demo-1", nil, http.StatusOK)
}

// testFirewall: the customer's account refuses the service's address. The keys still come, the documents do not.
func (s *stage) testFirewall(t *testing.T) {
	set := func(rules []*armcosmos.IPAddressOrRange) {
		t.Helper()
		poller, err := s.accounts(t, s.contoso).BeginUpdate(t.Context(), s.contoso.group(), s.contoso.account(), armcosmos.DatabaseAccountUpdateParameters{
			Properties: &armcosmos.DatabaseAccountUpdateProperties{IPRules: rules},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := poller.PollUntilDone(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	set([]*armcosmos.IPAddressOrRange{{IPAddressOrRange: to.Ptr("203.0.113.7")}})
	s.refused(t, s.contoso, "documents", http.StatusForbidden, "answered 403")
	set([]*armcosmos.IPAddressOrRange{})
	s.as(t, s.contoso, "GET", "/checks/demo-1", nil, http.StatusOK)
}

// testSiteDeleted: with the site go its identity's secret and its service principal.
func (s *stage) testSiteDeleted(t *testing.T) {
	principal := s.siteIdentity(t)
	endpoint, header := s.identityOf(t)
	direct := s.p.SuffixWay(t) // the endpoint is on loopback, past the proxy
	ask := func() harness.Answer {
		target := endpoint + "?api-version=2019-08-01&resource=https://vault.azure.net"
		return direct.Do(t, "GET", target, http.Header{"X-Identity-Header": {header}}, nil)
	}
	if a := ask(); a.Status != http.StatusOK {
		t.Fatalf("token before the deletion: %d %s", a.Status, a.Body)
	}
	if a := s.graph(t, s.publisher, "GET", "/servicePrincipals/"+principal, nil); a.Status != http.StatusOK {
		t.Fatalf("service principal before the deletion: %d %s", a.Status, a.Body)
	}
	s.arm(t, s.publisher, "DELETE", s.service.Site+"?api-version=2022-03-01", nil, http.StatusOK)
	if a := ask(); a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest {
		t.Errorf("token after the deletion: %d, want a refusal (400 or 401)", a.Status)
	}
	if a := s.graph(t, s.publisher, "GET", "/servicePrincipals/"+principal, nil); a.Status != http.StatusNotFound {
		t.Errorf("service principal after the deletion: %d %s, want 404", a.Status, a.Body)
	}
	if a := s.do(t, s.token(t, s.contoso.Callers[0], s.service.APIURI), "", "GET", "/checks/demo-1", nil); a.Status != http.StatusNotFound {
		t.Errorf("the service after the deletion: %d %s, want 404", a.Status, a.Body)
	}
}
