package cosmos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
)

// withRules is withContainer with properties of the container besides its key.
func withRules(t testing.TB, properties string) *platform {
	t.Helper()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},`+properties+`}`), 201)
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
	p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"defaultTtl":5}`), 200)
	p.want(p.item("GET", "/1", `["a"]`, ""), 404)
	p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"defaultTtl":-1}`), 200)
	p.want(p.item("GET", "/1", `["a"]`, ""), 200)
	p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 200)
	p.want(p.item("POST", "", `["a"]`, `{"id":"5","pk":"a","ttl":1}`), 201)
	p.wantFault(p.item("POST", "", `["a"]`, `{"id":"6","pk":"a","ttl":-10}`), 400, "BadRequest", "")
	p.clock.Advance(time.Hour)
	p.want(p.item("GET", "/5", `["a"]`, ""), 200)
	if n, err := p.s.Expire(context.Background()); n != 0 || err != nil {
		t.Errorf("%d removed while it is off, %v", n, err)
	}
	for _, bad := range []string{"0", "-2", `"x"`, "1.5", "2147483648", "true"} {
		p.wantFault(p.do("POST", "/dbs/db/colls", `{"id":"x","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"defaultTtl":`+bad+`}`), 400, "BadRequest", "")
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

	p.wantFault(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"uniqueKeyPolicy":{"uniqueKeys":[{"paths":["/other"]}]}}`), 400, "BadRequest", "")
	r := p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 200).json(t)
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
		p.wantFault(p.do("POST", "/dbs/db/colls", `{"id":"x","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"uniqueKeyPolicy":{"uniqueKeys":[`+bad+`]}}`), 400, "BadRequest", "")
	}
}

// A split takes times to live and unique values along, also those that change hands while documents are copied.
func TestSplit_KeepsRules(t *testing.T) {
	t.Parallel()
	p := withRules(t, `"defaultTtl":30,"uniqueKeyPolicy":{"uniqueKeys":[{"paths":["/mail"]}]}`)
	const n = 80
	pk := func(i int) string { return fmt.Sprintf(`["k%d"]`, i) }
	write := func(method, path string, i int, id, mail string, status int) {
		t.Helper()
		p.want(p.item(method, path, pk(i), fmt.Sprintf(`{"id":%q,"pk":"k%d","mail":%q,"ttl":%d}`, id, i, mail, 60), "x-ms-documentdb-is-upsert", "true"), status)
	}
	for i := range n {
		write("POST", "", i, "a", "x", 201)
		write("POST", "", i, "b", "y", 201)
		p.want(p.item("POST", "", pk(i), fmt.Sprintf(`{"id":"c","pk":"k%d"}`, i)), 201)
	}
	steps := 0
	p.s.catalog.Step = func(step string) error {
		if step == catalog.StepCopy {
			if steps++; steps == 2 { // some were copied: their values change hands
				for i := range n {
					write("PUT", "/a", i, "a", "z", 200)
					write("PUT", "/b", i, "b", "x", 200)
					write("PUT", "/a", i, "a", "y", 200)
				}
				p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"defaultTtl":20}`), 200)
			}
		}
		return nil
	}
	p.split("0")
	p.s.catalog.Step = nil
	if steps < 4 || len(p.ranges()) != 2 {
		t.Fatalf("%d steps of copying, %d ranges", steps, len(p.ranges()))
	}
	for i := range n {
		write("POST", "", i, "d", "x", 409)
		write("POST", "", i, "d", "y", 409)
		write("POST", "", i, "d", "z", 201)
	}
	p.clock.Advance(20 * time.Second) // the new default
	if got := len(p.allKeys()); got != 3*n {
		t.Errorf("%d documents, want %d: a, b and d of each key", got, 3*n)
	}
	removed, err := p.s.Expire(context.Background())
	if err != nil || removed != n {
		t.Errorf("%d removed, want %d, %v", removed, n, err)
	}
	p.clock.Advance(40 * time.Second)
	if got := len(p.allKeys()); got != 0 {
		t.Errorf("%d documents left", got)
	}
	if removed, err = p.s.Expire(context.Background()); err != nil || removed != 3*n {
		t.Errorf("%d removed, want %d, %v", removed, 3*n, err)
	}
	usage := p.want(p.do("GET", "/dbs/db/colls/c", "", "x-ms-documentdb-populatequotainfo", "true"), 200).header.Get("X-Ms-Resource-Usage")
	if !strings.Contains(usage, "documentsCount=0;") {
		t.Errorf("usage %s", usage)
	}
	for i := range n {
		write("POST", "", i, "e", "x", 201)
	}
}

// allKeys lists the documents of all ranges by partition key and id.
func (p *platform) allKeys() (out []string) {
	p.t.Helper()
	next := ""
	for {
		a := p.want(p.do("GET", "/dbs/db/colls/c/docs", "", "x-ms-max-item-count", "50", "x-ms-continuation", next), 200)
		for _, d := range a.json(p.t)["Documents"].([]any) {
			out = append(out, fmt.Sprint(d.(map[string]any)["pk"], "/", d.(map[string]any)["id"]))
		}
		if next = a.header.Get("X-Ms-Continuation"); next == "" {
			return out
		}
	}
}
