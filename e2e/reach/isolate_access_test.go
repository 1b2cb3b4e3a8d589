package reach

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// Resource tokens, permission feeds and data-plane roles of @azure/cosmos.
func TestIsolate_NodeCosmosAccess(t *testing.T) {
	eachUser(t, func(t *testing.T, p *harness.Platform, user int) {
		modules := harness.Installed(t, "node")
		usable(t, user, "node", "--check", filepath.Join(modules, "node_modules", "@azure", "cosmos", "dist", "commonjs", "index.js"))
		group := p.PutGroup(t)
		account := p.PutAccount(t, group)
		app := p.CreateApp(t, "", harness.Name("app-"))
		base := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account
		p.ARM(t, "PUT", base+"/sqlRoleAssignments/30000000-0000-0000-0000-0000000000b1?api-version=2023-04-15", map[string]any{"properties": map[string]any{
			"roleDefinitionId": base + "/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002", "scope": base, "principalId": app.Principal,
		}})
		out, err := isolated(p, "", []string{
			"NODE_MODULES=" + modules, "ENDPOINT=https://" + account + ".documents.azure.com:443/", "KEY=" + p.Key(t, group, account, "primaryMasterKey"),
			"TENANT=" + app.TenantID, "APP=" + app.AppID, "SECRET=" + app.Secret.SecretText,
		}, "node", script(t, "node/access.mjs"))
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("printed %q: %v", out, err)
		}
		// Of a path that it has no token for, the client sends none: 401.
		_ = json.Unmarshal([]byte(`{"listed":["ada","reads"],"readToken":[200,200,200,1,403,403,401],"keyToken":[200,200,403,1,201,403,401],"feed":[200,200,200,2,403,403,401],"gone":403,
			"aad":[200,200,200,2,200,201,403]}`), &want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	})
}
