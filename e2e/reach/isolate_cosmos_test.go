package reach

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// nodeCosmos runs a program with @azure/cosmos on an account of its own and compares what it prints. The package knows no proxy variable: no other way in
// serves it unchanged.
func nodeCosmos(t *testing.T, program, prints string) {
	t.Helper()
	eachUser(t, func(t *testing.T, p *harness.Platform, user int) {
		modules := harness.Installed(t, "node")
		usable(t, user, "node", "--check", filepath.Join(modules, "node_modules", "@azure", "cosmos", "dist", "commonjs", "index.js"))
		group := p.PutGroup(t)
		account := p.PutAccount(t, group)
		out, err := isolated(p, "", []string{
			"NODE_MODULES=" + modules, "ENDPOINT=https://" + account + ".documents.azure.com:443/", "KEY=" + p.Key(t, group, account, "primaryMasterKey"),
		}, "node", script(t, program))
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("printed %q: %v", out, err)
		}
		if err := json.Unmarshal([]byte(prints), &want); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	})
}

func TestIsolate_NodeCosmos(t *testing.T) {
	nodeCosmos(t, "node/items.mjs", `{"created":201,"read":12,"replaced":200,"totals":[13,30],"deleted":204,"gone":404,"proxies":[]}`)
}

// Patches, batches and bulk operations.
func TestIsolate_NodeCosmosRules(t *testing.T) {
	nodeCosmos(t, "node/rules.mjs", `{"total":15,"tags":["new"],"conditional":412,"conflict":409,"batch":[201,200,200],"read":7,"failedCode":207,"failed":[424,409],"gone":404,
		"bulk":[201,409,200,204],"created":90,"executed":245,"refused":5,"count":336}`)
}
