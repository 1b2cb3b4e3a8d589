package cosmos

import (
	"fmt"
	"testing"
)

// TestPartitionMerge: the control plane merges a container's ranges into as few as its throughput needs, if the account has that turned on.
func TestPartitionMerge(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	const con = "/sqlDatabases/db/containers/c"
	const preview = "2024-12-01-preview"
	c.arm("owner", "PUT", "/sqlDatabases/db", `{"properties":{"resource":{"id":"db"}}}`, 200)
	c.arm("owner", "PUT", con, `{"properties":{"resource":{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash"}},"options":{"throughput":40000}}}`, 200)
	for i := range 40 {
		c.want(c.item("POST", "", fmt.Sprintf(`["k%d"]`, i), fmt.Sprintf(`{"id":"%d","pk":"k%d"}`, i, i)), 201)
	}
	before := c.allDocs()
	infos := func(v map[string]any) []any {
		t.Helper()
		all, ok := v["physicalPartitionStorageInfoCollection"].([]any)
		if !ok {
			t.Fatalf("answered %v", v)
		}
		return all
	}
	c.arm("owner", "POST", con+"/partitionMerge", `{"isDryRun":false}`, 400, preview)
	account := c.arm("owner", "PATCH", "", `{"properties":{"enablePartitionMerge":true}}`, 200)
	if dig(account, "properties", "enablePartitionMerge") != true {
		t.Errorf("account %v", account)
	}
	if got := infos(c.arm("owner", "POST", con+"/partitionMerge", `{}`, 200, preview)); len(got) != 4 || len(c.ranges()) != 4 {
		t.Errorf("ranges that the throughput needs were merged: %v", got)
	}
	c.offer(15000)
	if got := infos(c.arm("owner", "POST", con+"/partitionMerge", `{"isDryRun":true}`, 200, preview)); len(got) != 2 || len(c.ranges()) != 4 {
		t.Errorf("dry run: %v, %d ranges", got, len(c.ranges()))
	}
	got := infos(c.arm("owner", "POST", con+"/partitionMerge", `{"isDryRun":false}`, 200, preview))
	rs := c.ranges()
	if len(got) != 2 || len(rs) != 2 || dig(got[0], "id") != rs[0].ID || dig(got[1], "id") != rs[1].ID {
		t.Errorf("%v, %+v", got, rs)
	}
	for _, bad := range []struct {
		as, path, body string
		status         int
	}{
		{"nobody", con, `{}`, 403}, {"owner", "/sqlDatabases/db/containers/none", `{}`, 404}, {"owner", con, `{"isDryRun":"yes"}`, 400},
	} {
		c.arm(bad.as, "POST", bad.path+"/partitionMerge", bad.body, bad.status, preview)
	}
	// Only so far as a range is not soon too big again.
	c.offer(400)
	c.s.items.Limits.Range = 8000
	if got := infos(c.arm("owner", "POST", con+"/partitionMerge", `{}`, 200, preview)); len(got) != 2 {
		t.Errorf("merged to %v", got)
	}
	c.s.items.Limits.Range = 1 << 30
	if got := infos(c.arm("owner", "POST", con+"/partitionMerge", `{}`, 200, preview)); len(got) != 1 || len(c.ranges()) != 1 {
		t.Errorf("merged to %v", got)
	}
	if got := c.allDocs(); len(got) != len(before) {
		t.Errorf("%d documents of %d", len(got), len(before))
	}
}
