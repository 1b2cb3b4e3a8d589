package cosmos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// withRules is withContainer with properties of the container besides its key.
func withRules(t testing.TB, properties string) *platform {
	t.Helper()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"]},`+properties+`}`), 201)
	return p
}

func TestTTL(t *testing.T) {
	t.Parallel()
	p := withRules(t, `"defaultTtl":30`)
	if got := p.want(p.do("GET", "/dbs/db/colls/c", ""), 200).json(t)["defaultTtl"]; got != 30.0 {
		t.Errorf("defaultTtl: %v", got)
	}
	for _, text := range []string{`{"id":"1","pk":"a"}`, `{"id":"2","pk":"a","ttl":10}`, `{"id":"3","pk":"a","ttl":-1}`} {
		p.want(p.item("POST", "", `["a"]`, text), 201)
	}
	for _, bad := range []string{"0", "-2", `"10"`, "1.5", "2147483648"} {
		p.wantFault(p.item("POST", "", `["a"]`, `{"id":"4","pk":"a","ttl":`+bad+`}`), 400, "BadRequest", "")
		p.wantFault(p.item("PUT", "/1", `["a"]`, `{"id":"1","pk":"a","ttl":`+bad+`}`), 400, "BadRequest", "")
	}
	p.wantFault(p.item("PATCH", "/1", `["a"]`, `[{"op":"set","path":"/ttl","value":0}]`), 400, "BadRequest", "")

	p.clock.Advance(10 * time.Second)
	p.wantFault(p.item("GET", "/2", `["a"]`, ""), 404, "NotFound", "")
	p.wantFault(p.item("PUT", "/2", `["a"]`, `{"id":"2","pk":"a"}`), 404, "NotFound", "")
	p.wantFault(p.item("PATCH", "/2", `["a"]`, `[{"op":"set","path":"/x","value":0}]`), 404, "NotFound", "")
	p.wantFault(p.item("DELETE", "/2", `["a"]`, ""), 404, "NotFound", "")
	got := p.want(p.query("SELECT VALUE c.id FROM c", "x-ms-documentdb-partitionkey", `["a"]`), 200).json(t)["Documents"]
	if !cmp.Equal(got, []any{"1", "3"}) {
		t.Errorf("query: %v", got)
	}
	if got := p.want(p.do("GET", "/dbs/db/colls/c/docs", ""), 200).json(t)["_count"]; got != 2.0 {
		t.Errorf("feed: %v documents", got)
	}
	batch := p.want(p.item("POST", "", `["a"]`, `[{"operationType":"Read","id":"2"}]`, "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"), 207)
	if !strings.Contains(batch.body, `"statusCode":404`) {
		t.Errorf("batch: %s", batch.body)
	}
	a := p.want(p.item("POST", "", `["a"]`, `{"id":"2","pk":"a","ttl":5}`), 201)
	p.wantFault(p.item("POST", "", `["a"]`, `{"id":"2","pk":"a"}`), 409, "Conflict", "")
	if got := a.json(t)["_ts"]; got != float64(p.clock.Now().Unix()) {
		t.Errorf("_ts %v", got)
	}

	// Written again, a document lives from then on.
	p.clock.Advance(19 * time.Second)
	p.want(p.item("PATCH", "/1", `["a"]`, `[{"op":"set","path":"/x","value":1}]`), 200)
	p.clock.Advance(29 * time.Second)
	p.want(p.item("GET", "/1", `["a"]`, ""), 200)
	if n, err := p.s.Expire(context.Background()); n != 1 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}

	// The container's default counts for what is there already.
	p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"]},"defaultTtl":5}`), 200)
	p.want(p.item("GET", "/1", `["a"]`, ""), 404)
	p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"]},"defaultTtl":-1}`), 200)
	p.want(p.item("GET", "/1", `["a"]`, ""), 200)
	p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"]}}`), 200)
	p.want(p.item("POST", "", `["a"]`, `{"id":"5","pk":"a","ttl":1}`), 201)
	p.want(p.item("POST", "", `["a"]`, `{"id":"6","pk":"a","ttl":"off"}`), 201)
	p.clock.Advance(time.Hour)
	p.want(p.item("GET", "/5", `["a"]`, ""), 200)
	if n, err := p.s.Expire(context.Background()); n != 0 || err != nil {
		t.Errorf("%d removed while it is off, %v", n, err)
	}
	for _, bad := range []string{"0", "-2", `"x"`, "1.5", "2147483648", "true"} {
		p.wantFault(p.do("POST", "/dbs/db/colls", `{"id":"x","partitionKey":{"paths":["/pk"]},"defaultTtl":`+bad+`}`), 400, "BadRequest", "")
	}
}

func TestUniqueKeys(t *testing.T) {
	t.Parallel()
	p := withRules(t, `"uniqueKeyPolicy":{"uniqueKeys":[{"paths":["/mail"]},{"paths":["/name/first","/name/last"]}]}`)
	policy := p.want(p.do("GET", "/dbs/db/colls/c", ""), 200).json(t)["uniqueKeyPolicy"]
	if d := cmp.Diff(map[string]any{"uniqueKeys": []any{map[string]any{"paths": []any{"/mail"}}, map[string]any{"paths": []any{"/name/first", "/name/last"}}}}, policy); d != "" {
		t.Error(d)
	}
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","mail":"x","name":{"first":"A","last":"B"}}`), 201)
	a := p.wantFault(p.item("POST", "", `["a"]`, `{"id":"2","pk":"a","mail":"x"}`), 409, "Conflict", "")
	if !strings.Contains(a.body, "Unique index constraint violation") {
		t.Errorf("text: %s", a.body)
	}
	p.want(p.item("POST", "", `["b"]`, `{"id":"2","pk":"b","mail":"x"}`), 201)
	p.want(p.item("POST", "", `["a"]`, `{"id":"2","pk":"a","mail":"y"}`), 201)
	for name, a := range map[string]answer{
		"replace": p.item("PUT", "/2", `["a"]`, `{"id":"2","pk":"a","mail":"x"}`),
		"upsert":  p.item("POST", "", `["a"]`, `{"id":"2","pk":"a","mail":"y","name":{"last":"B","first":"A"}}`, "x-ms-documentdb-is-upsert", "true"),
		"patch":   p.item("PATCH", "/2", `["a"]`, `[{"op":"set","path":"/mail","value":"x"}]`),
		"missing": p.item("POST", "", `["a"]`, `{"id":"3","pk":"a","mail":"z"}`),
	} {
		if a.status != 409 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	batch := p.want(p.item("POST", "", `["a"]`, `[{"operationType":"Create","resourceBody":{"id":"7","pk":"a","mail":"7","name":{"first":7}}},
		{"operationType":"Create","resourceBody":{"id":"8","pk":"a","mail":"7","name":{"first":8}}}]`, "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"), 207)
	if !strings.Contains(batch.body, `{"statusCode":424,"requestCharge":0},{"statusCode":409`) {
		t.Errorf("batch: %s", batch.body)
	}
	p.want(p.item("GET", "/7", `["a"]`, ""), 404)
	p.want(p.item("PATCH", "/1", `["a"]`, `[{"op":"remove","path":"/mail"}]`), 200)
	p.want(p.item("PATCH", "/2", `["a"]`, `[{"op":"set","path":"/mail","value":"x"}]`), 200)

	p.wantFault(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"]},"uniqueKeyPolicy":{"uniqueKeys":[{"paths":["/other"]}]}}`), 400, "BadRequest", "")
	r := p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"]}}`), 200).json(t)
	if d := cmp.Diff(policy, r["uniqueKeyPolicy"]); d != "" {
		t.Error(d)
	}
	var many, paths []string
	for i := range 17 {
		paths = append(paths, fmt.Sprintf(`"/p%d"`, i))
		many = append(many, fmt.Sprintf(`{"paths":["/p%d"]}`, i))
	}
	for _, bad := range []string{
		`{"paths":[]}`, `{"paths":["mail"]}`, `{"paths":["/a/*"]}`, `{"paths":["/a/[]/b"]}`, `{"paths":["/a","/a"]}`, `{"paths":["/"]}`, `{"paths":[` + strings.Join(paths, ",") + `]}`,
		strings.Join(many[:11], ","), `7`,
	} {
		p.wantFault(p.do("POST", "/dbs/db/colls", `{"id":"x","partitionKey":{"paths":["/pk"]},"uniqueKeyPolicy":{"uniqueKeys":[`+bad+`]}}`), 400, "BadRequest", "")
	}
}
