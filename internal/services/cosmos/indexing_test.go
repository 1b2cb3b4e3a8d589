package cosmos

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
)

// withDocuments makes a container with n documents in two logical partitions.
func withDocuments(t testing.TB, policy string, n int) *platform {
	t.Helper()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"indexingPolicy":`+policy+`}`), 201)
	for i := range n {
		pk := string(rune('a' + i%2))
		p.want(p.item("POST", "", `["`+pk+`"]`, fmt.Sprintf(`{"id":"%d","pk":%q,"n":%d,"mod":%d,"name":"name %d"}`, i, pk, i, i%10, i)), 201)
	}
	return p
}

const indexAll = `{"includedPaths":[{"path":"/*"}]}`

// inA sends a query of logical partition a with metrics, and gives the rows, the number of documents read, and the index metrics.
func (p *platform) inA(text string) (rows []any, read int, used string) {
	p.t.Helper()
	a := p.want(p.query(text, "x-ms-documentdb-partitionkey", `["a"]`, "x-ms-documentdb-populatequerymetrics", "true", "x-ms-cosmos-populateindexmetrics-v2", "true"), 200)
	metrics := a.header.Get("x-ms-documentdb-query-metrics")
	_, rest, _ := strings.Cut(metrics, "retrievedDocumentCount=")
	count, _, _ := strings.Cut(rest, ";")
	read, err := strconv.Atoi(count)
	p.check(err)
	return a.json(p.t)["Documents"].([]any), read, a.header.Get("x-ms-cosmos-index-utilization")
}

// TestIndex_Reads: the index spares reading documents.
func TestIndex_Reads(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, indexAll, 400)
	p.s.items.Tuning = index.Tuning{Small: 10}
	for _, tt := range []struct {
		query      string
		rows, read int
		used       string
	}{
		{"SELECT c.id FROM c WHERE c.name = 'name 40'", 1, 1, "/name/?"},
		{"SELECT c.id FROM c WHERE c.name = 'name 41'", 0, 0, "/name/?"}, // is in the other logical partition
		{"SELECT c.id FROM c WHERE c.mod = 4", 40, 40, "/mod/?"},
		{"SELECT c.id FROM c WHERE c.mod = 4 AND c.name = 'name 14'", 1, 1, "/name/?"},
		{"SELECT c.id FROM c WHERE c.n >= 10 AND c.n < 20", 5, 5, "/n/?"},
		{"SELECT c.id FROM c WHERE c.n IN (2, 4, 5, 'x')", 2, 2, "/n/?"},
		{"SELECT c.id FROM c WHERE STARTSWITH(c.name, 'name 3') AND c.mod = 8", 11, 40, "/mod/?"},
		{"SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n DESC", 3, 3, "/n/?"},
		{"SELECT TOP 3 VALUE c.n FROM c WHERE c.n > 100 ORDER BY c.n", 3, 3, "/n/?"},
		{"SELECT VALUE COUNT(1) FROM c WHERE c.mod = 4", 1, 0, "/mod/?"},
		{"SELECT VALUE COUNT(1) FROM c WHERE c.n < 100", 1, 0, "/n/?"},
		{"SELECT c.id FROM c WHERE c.n != 3 AND CONTAINS(c.name, 'name 39')", 5, 5, "/name/?"},
		{"SELECT c.id FROM c WHERE REGEXMATCH(c.name, '39.$') OR IS_ARRAY(c.name)", 5, 5, "/name/?"},
		{"SELECT c.id FROM c WHERE NOT IS_DEFINED(c.name)", 0, 0, "/name/?"},
		{"SELECT c.id FROM c WHERE c.n + 0 = 4", 1, 200, ""},
	} {
		rows, read, used := p.inA(tt.query)
		if len(rows) != tt.rows || read != tt.read {
			t.Errorf("%s: %d rows, %d documents read, want %d, %d", tt.query, len(rows), read, tt.rows, tt.read)
		}
		var m struct {
			Utilized struct{ SingleIndexes []struct{ IndexSpec string } }
		}
		p.check(json.Unmarshal([]byte(used), &m))
		got := ""
		for _, s := range m.Utilized.SingleIndexes {
			got += s.IndexSpec
		}
		if got != tt.used && !strings.Contains(got, tt.used) || tt.used == "" && got != "" {
			t.Errorf("%s: used %q, want %q", tt.query, got, tt.used)
		}
	}
}

func TestIndex_OrderRefused(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, `{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/name/?"}],"compositeIndexes":[[{"path":"/mod"},{"path":"/n","order":"descending"}]]}`, 20)
	for query, want := range map[string]string{
		"SELECT * FROM c ORDER BY c.name":                "The index path corresponding to the specified order-by item is excluded.",
		"SELECT * FROM c ORDER BY c.mod, c.n":            "The order by query does not have a corresponding composite index that it can be served from.",
		"SELECT * FROM c ORDER BY c.n DESC, c.mod":       "The order by query does not have a corresponding composite index that it can be served from.",
		"SELECT * FROM c ORDER BY c.mod, c.n DESC":       "",
		"SELECT * FROM c ORDER BY c.mod DESC, c.n":       "",
		"SELECT * FROM c ORDER BY c.n":                   "",
		"SELECT * FROM c ORDER BY c.missing":             "",
		"SELECT * FROM c ORDER BY c._ts DESC":            "",
		"SELECT * FROM c WHERE c.name = 'name 2'":        "",
		"SELECT VALUE COUNT(1) FROM c WHERE c.name != 7": "",
	} {
		a := p.query(query, "x-ms-documentdb-partitionkey", `["a"]`)
		if want == "" {
			p.want(a, 200)
		} else if p.wantFault(a, 400, "BadRequest", ""); !strings.Contains(a.body, want) {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

// TestIndex_Metrics pins the first form of index metrics.
func TestIndex_Metrics(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, `{"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/name/?"}]}`, 4)
	a := p.want(p.query("SELECT * FROM c WHERE c.n = 2 AND c.name = 'name 2'", "x-ms-documentdb-partitionkey", `["a"]`, "x-ms-cosmos-populateindexmetrics", "true"), 200)
	b, err := base64.StdEncoding.DecodeString(a.header.Get("x-ms-cosmos-index-utilization"))
	p.check(err)
	const want = `{"UtilizedSingleIndexes":[{"FilterExpression":"","IndexSpec":"/n/?","FilterPreciseSet":true,"IndexPreciseSet":true,"IndexImpactScore":"High"}],` +
		`"PotentialSingleIndexes":[{"FilterExpression":"","IndexSpec":"/name/?","FilterPreciseSet":true,"IndexPreciseSet":true,"IndexImpactScore":"High"}],` +
		`"UtilizedCompositeIndexes":[],"PotentialCompositeIndexes":[]}`
	if string(b) != want {
		t.Errorf("got %s", b)
	}
}

// TestIndex_MetricsOfWays: metrics tell terms that are walked, of which most are no part of the answer, and composite indexes that serve a filter.
func TestIndex_MetricsOfWays(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, `{"includedPaths":[{"path":"/*"}],"compositeIndexes":[[{"path":"/mod"},{"path":"/n","order":"descending"}]]}`, 400)
	p.s.items.Tuning = index.Tuning{Small: 10}
	for query, want := range map[string]string{
		"SELECT * FROM c WHERE ENDSWITH(c.name, '99')": `{"UtilizedSingleIndexes":[{"FilterExpression":"","IndexSpec":"/name/?","FilterPreciseSet":false,"IndexPreciseSet":false,"IndexImpactScore":"High"}],` +
			`"PotentialSingleIndexes":[],"UtilizedCompositeIndexes":[],"PotentialCompositeIndexes":[]}`,
		"SELECT * FROM c WHERE c.mod = 2 AND c.n > 300": `{"UtilizedSingleIndexes":[],"PotentialSingleIndexes":[],` +
			`"UtilizedCompositeIndexes":[{"IndexSpecs":["/mod ASC","/n DESC"],"IndexPreciseSet":false,"IndexImpactScore":"High"}],"PotentialCompositeIndexes":[]}`,
	} {
		a := p.want(p.query(query, "x-ms-documentdb-partitionkey", `["a"]`, "x-ms-cosmos-populateindexmetrics", "true"), 200)
		b, err := base64.StdEncoding.DecodeString(a.header.Get("x-ms-cosmos-index-utilization"))
		p.check(err)
		if string(b) != want {
			t.Errorf("%s: got %s", query, b)
		}
	}
}

// TestIndex_LazyProgress: a container tells how far its index is; one in lazy mode also under that mode's name.
func TestIndex_LazyProgress(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	for mode, want := range map[string]string{"consistent": "", "lazy": "100", "none": ""} {
		p.want(p.do("POST", "/dbs/db/colls", `{"id":"`+mode+`","partitionKey":{"paths":["/pk"],"kind":"Hash"},"indexingPolicy":{"automatic":false,"indexingMode":"`+mode+`"}}`), 201)
		h := p.want(p.do("GET", "/dbs/db/colls/"+mode, "", "x-ms-documentdb-populatequotainfo", "true"), 200).header
		if got := h.Get("x-ms-documentdb-collection-lazy-indexing-progress"); got != want {
			t.Errorf("%s: lazy progress %q, want %q", mode, got, want)
		}
		if got := h.Get("x-ms-documentdb-collection-index-transformation-progress"); got != "100" {
			t.Errorf("%s: progress %q", mode, got)
		}
	}
}

// TestIndex_PolicyChange: while a changed policy is carried out, and after it, queries answer the same; the container tells the progress.
func TestIndex_PolicyChange(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, `{"includedPaths":[{"path":"/n/?"}],"excludedPaths":[{"path":"/*"}]}`, 700)
	p.s.items.Tuning = index.Tuning{Small: 10}
	progress := func(want string) {
		t.Helper()
		a := p.want(p.do("GET", "/dbs/db/colls/c", "", "x-ms-documentdb-populatequotainfo", "true"), 200)
		if got := a.header.Get("x-ms-documentdb-collection-index-transformation-progress"); got != want {
			t.Errorf("progress %s, want %s", got, want)
		}
	}
	check := func(read int) {
		t.Helper()
		rows, got, _ := p.inA("SELECT * FROM c WHERE c.mod = 4")
		if len(rows) != 70 || got != read {
			t.Errorf("%d rows, %d documents read, want 70 and %d", len(rows), got, read)
		}
		if rows, _, _ := p.inA("SELECT TOP 5 VALUE c.n FROM c ORDER BY c.n DESC"); fmt.Sprint(rows) != "[698 696 694 692 690]" {
			t.Errorf("in order: %v", rows)
		}
	}
	progress("100")
	check(350)
	p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"indexingPolicy":`+indexAll+`}`), 200)
	progress("0")
	check(350)
	p.want(p.item("POST", "", `["a"]`, `{"id":"new","pk":"a","mod":5}`), 201)
	p.check(p.s.catalog.Reindex(context.Background()))
	progress("100")
	check(70)
	p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"indexingPolicy":{"indexingMode":"none"}}`), 200)
	p.check(p.s.catalog.Reindex(context.Background()))
	if rows, read, _ := p.inA("SELECT * FROM c WHERE c.mod = 4"); len(rows) != 70 || read != 351 {
		t.Errorf("without index: %d rows, %d documents read", len(rows), read)
	}
}

// TestIndex_Directive: a document that is not indexed is found all the same.
func TestIndex_Directive(t *testing.T) {
	t.Parallel()
	p := withDocuments(t, `{"automatic":false,"includedPaths":[{"path":"/*"}]}`, 0)
	p.s.items.Tuning = index.Tuning{Small: 1}
	for i, directive := range []string{"Include", "Exclude", "Default", ""} {
		p.want(p.item("POST", "", `["a"]`, fmt.Sprintf(`{"id":"%d","pk":"a","n":1}`, i), "x-ms-indexing-directive", directive), 201)
	}
	p.wantFault(p.item("POST", "", `["a"]`, `{"id":"x","pk":"a"}`, "x-ms-indexing-directive", "Sometimes"), 400, "BadRequest", "")
	for query, want := range map[string]int{"c.n = 1": 4, "c.n = 2": 0, "c.n > 0": 4} {
		if rows, _, _ := p.inA("SELECT c.id FROM c WHERE " + query); len(rows) != want {
			t.Errorf("%s: %d rows, want %d", query, len(rows), want)
		}
	}
	if rows, read, _ := p.inA("SELECT c.id FROM c WHERE c.n = 2"); len(rows) != 0 || read != 3 {
		t.Errorf("%d rows, %d documents read, want the 3 that are not indexed", len(rows), read)
	}
}

// TestIndex_Split: the children of a range have the index of its documents, under the newest policy, even if that was just changing.
func TestIndex_Split(t *testing.T) {
	t.Parallel()
	for _, changing := range []bool{false, true} {
		policy := indexAll
		if changing {
			policy = `{"includedPaths":[{"path":"/n/?"}],"excludedPaths":[{"path":"/*"}]}`
		}
		p := withDocuments(t, policy, 300)
		p.s.items.Tuning = index.Tuning{Small: 10}
		if changing {
			p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"indexingPolicy":`+indexAll+`}`), 200)
		}
		p.split("0")
		for i := range 20 {
			p.want(p.item("POST", "", `["a"]`, fmt.Sprintf(`{"id":"%d","pk":"a","n":%d,"mod":4}`, i*2, i), "x-ms-documentdb-is-upsert", "true"), 200)
		}
		rows, read, _ := p.inA("SELECT c.id FROM c WHERE c.mod = 4")
		if len(rows) != 46 || read != 46 {
			t.Errorf("changing %v: %d rows, %d documents read, want 46", changing, len(rows), read)
		}
		if rows, read, _ := p.inA("SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n DESC"); fmt.Sprint(rows) != "[298 296 294]" || read != 3 {
			t.Errorf("changing %v, in order: %v, %d documents read", changing, rows, read)
		}
		a := p.want(p.query("SELECT c.id FROM c WHERE c.mod = 4", "x-ms-documentdb-query-enablecrosspartition", "true", "x-ms-documentdb-populatequerymetrics", "true"), 200)
		if got := len(a.json(t)["Documents"].([]any)); got != 46 {
			t.Errorf("changing %v, over both ranges: %d rows", changing, got)
		}
		a = p.want(p.do("GET", "/dbs/db/colls/c", ""), 200)
		if got := a.header.Get("x-ms-documentdb-collection-index-transformation-progress"); got != "100" {
			t.Errorf("changing %v: progress %s", changing, got)
		}
	}
}
