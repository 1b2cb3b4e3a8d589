package goclients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestCosmosExport: what the command line exports, it imports into another container, with the same content.
func TestCosmosExport(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		group := p.PutGroup(t)
		account := p.PutAccount(t, group)
		client := cosmosClient(t, w, account, p.Key(t, group, account, "primaryMasterKey"))
		people := newContainer(t, client)
		ctx := t.Context()
		for i := range 30 {
			body, _ := json.Marshal(person{ID: fmt.Sprint(i), Customer: fmt.Sprint("c", i%7), Name: "ü\n", Age: i})
			must(people.CreateItem(ctx, azcosmos.NewPartitionKeyString(fmt.Sprint("c", i%7)), body, nil))(t, "create")
		}
		p.Output(t, "cosmos", "split", account, "app", "people", "0")
		file := filepath.Join(t.TempDir(), "people.jsonl")
		lines := p.Output(t, "cosmos", "export", account, "app", "people")
		if n := bytes.Count(lines, []byte("\n")); n != 30 {
			t.Fatalf("%d lines", n)
		}
		if err := os.WriteFile(file, lines, 0o644); err != nil {
			t.Fatal(err)
		}
		db := must(client.NewDatabase("app"))(t, "database")
		must(db.CreateContainer(ctx, azcosmos.ContainerProperties{ID: "copy", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/customer"}}}, nil))(t, "create container")
		cmd := p.Command("cosmos", "import", account, "app", "copy")
		cmd.Stdin = bytes.NewReader(lines)
		out, err := cmd.Output()
		var result struct{ Created, Replaced, FailedCount int }
		if err != nil || json.Unmarshal(out, &result) != nil || result.Created != 30 || result.FailedCount != 0 {
			t.Fatalf("import: %v %s", err, out)
		}
		copied := must(db.NewContainer("copy"))(t, "container")
		item := must(copied.ReadItem(ctx, azcosmos.NewPartitionKeyString("c3"), "17", nil))(t, "read")
		var got person
		if err := json.Unmarshal(item.Value, &got); err != nil || got != (person{"17", "c3", "ü\n", 17}) {
			t.Errorf("copied: %+v %v", got, err)
		}
		if out, err := p.Command("cosmos", "export", account, "app", "none").CombinedOutput(); err == nil || !bytes.Contains(out, []byte("has no container 'none'")) {
			t.Errorf("export of none: %v %s", err, out)
		}
	})
}
