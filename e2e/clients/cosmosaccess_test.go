package clients

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// Resource tokens and data-plane roles with azure-cosmos for Python.
func TestCosmosAccess_Python(t *testing.T) {
	p := platform(t)
	c := python(t, "access.py")
	way := p.ProxyWay(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	app := p.CreateApp(t, "", harness.Name("app-"))
	base := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account
	p.ARM(t, "PUT", base+"/sqlRoleAssignments/30000000-0000-0000-0000-0000000000c1?api-version=2023-04-15", map[string]any{"properties": map[string]any{
		"roleDefinitionId": base + "/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002", "scope": base, "principalId": app.Principal,
	}})
	prints(t, p, c, `{"permissions":["ada","reads"],"read":[200,200,1,403,403],"key":[200,403,1,200,403],"again":[200,200,2,403,403],"gone":403,"aad":[200,200,2,200,200]}`, []string{
		"ENDPOINT=" + way.Account(account) + "/", "KEY=" + p.Key(t, group, account, "primaryMasterKey"),
		"TENANT=" + app.TenantID, "APP=" + app.AppID, "SECRET=" + app.Secret.SecretText,
	})
}
