package clients

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestCosmosCredentials: what keys that only read, and applications that DefaultAzureCredential finds under `bulkhead exec`, may do by Python's and Node's clients.
func TestCosmosCredentials(t *testing.T) {
	p := platform(t)
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	way := p.SuffixWay(t)
	primary := p.Key(t, group, account, "primaryMasterKey")
	c := harness.PutContainer(t, way.Cosmos(t, account, primary, way.ClientOptions()))
	base := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account
	role := func(which, scope string) harness.App {
		app := p.CreateApp(t, "", harness.Name("app-"))
		p.ARM(t, "PUT", base+"/sqlRoleAssignments/"+uuid.NewString()+"?api-version=2023-04-15", map[string]any{"properties": map[string]any{
			"roleDefinitionId": base + "/sqlRoleDefinitions/00000000-0000-0000-0000-00000000000" + which, "scope": base + scope, "principalId": app.Principal,
		}})
		return app
	}
	const (
		all      = `{"read":200,"query":1,"feed":1,"upsert":200,"patch":200,"delete":404,"container":200,"database":200,"throughput":200}`
		reads    = `{"read":200,"query":1,"feed":1,"upsert":403,"patch":403,"delete":403,"container":200,"database":403,"throughput":403}`
		works    = `{"read":200,"query":1,"feed":1,"upsert":200,"patch":200,"delete":404,"container":200,"database":403,"throughput":403}`
		readOnly = `{"read":200,"query":1,"feed":1,"upsert":403,"patch":403,"delete":403,"container":200,"database":403,"throughput":200}`
		nothing  = `{"read":403,"query":403,"feed":403,"upsert":403,"patch":403,"delete":403,"container":403,"database":403,"throughput":403}`
	)
	cases := []struct {
		name, key string
		app       harness.App
		want      string
	}{
		{"read-only key", p.Key(t, group, account, "primaryReadonlyMasterKey"), harness.App{}, readOnly},
		{"second read-only key", p.Key(t, group, account, "secondaryReadonlyMasterKey"), harness.App{}, readOnly},
		{"reader", "", role("1", ""), reads},
		{"contributor of the container", "", role("2", "/dbs/d/colls/c"), works},
		{"contributor of another container", "", role("2", "/dbs/d/colls/other"), nothing},
		{"primary key", primary, harness.App{}, all},
	}
	for _, program := range []client{python(t, "worker.py"), node(t, "worker.mjs")} {
		for _, tt := range cases {
			t.Run(program.name+"/"+tt.name, func(t *testing.T) {
				if _, err := c.UpsertItem(t.Context(), azcosmos.NewPartitionKeyString("p"), []byte(`{"id":"1","pk":"p"}`), nil); err != nil {
					t.Fatal(err)
				}
				args := []string{"exec"}
				if strings.HasSuffix(program.name, ".mjs") {
					args = append(args, "--isolate") // @azure/cosmos knows no proxy
				}
				if tt.app.AppID != "" {
					args = append(args, "--as", tt.app.AppID)
				}
				cmd := p.Command(slices.Concat(args, []string{"--", "env", "ENDPOINT=https://" + account + ".documents.azure.com:443/", "KEY=" + tt.key}, program.env, program.command)...)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				if err != nil && strings.Contains(stderr.String(), "does not allow the namespaces") {
					t.Skip(stderr.String())
				}
				var got, want map[string]any
				if err != nil || json.Unmarshal(out, &got) != nil {
					t.Fatalf("%v: printed %s%s", err, out, stderr.String())
				}
				if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("-want +got\n%s", d)
				}
			})
			if tt.name == "primary key" {
				// The database that it made goes, for the next client.
				db, err := way.Cosmos(t, account, primary, way.ClientOptions()).NewDatabase("more")
				if err == nil {
					_, err = db.Delete(t.Context(), nil)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
