package cosmos

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

func TestAccountRead(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	v := p.want(p.do("GET", "/", ""), 200).json(t)
	at := v["writableLocations"].([]any)[0].(map[string]any)
	if at["databaseAccountEndpoint"] != "https://acct.documents.azure.com:443/" || at["name"] != "West US" || v["id"] != "acct" {
		t.Errorf("account: %v", v)
	}
	if v["userConsistencyPolicy"].(map[string]any)["defaultConsistencyLevel"] != "Session" || !strings.HasPrefix(v["queryEngineConfiguration"].(string), "{") {
		t.Errorf("account: %v", v)
	}
}

func TestDatabases(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	a := p.want(p.do("POST", "/dbs", `{"id":"db1"}`), 201)
	v := a.json(t)
	if v["id"] != "db1" || v["_colls"] != "colls/" || v["_users"] != "users/" || v["_etag"] != a.header.Get("Etag") {
		t.Errorf("created: %s", a.body)
	}
	p.wantFault(p.do("POST", "/dbs", `{"id":"db1"}`), 409, "Conflict", "")
	p.want(p.do("POST", "/dbs", `{"id":"DB1"}`), 201) // names compare by case
	p.want(p.do("GET", "/dbs/db1", ""), 200)
	p.want(p.do("GET", "/dbs/"+v["_rid"].(string), ""), 200)
	p.want(p.do("GET", "/dbs/db1", "", "if-none-match", a.header.Get("Etag")), 304)
	p.wantFault(p.do("GET", "/dbs/none", ""), 404, "NotFound", "1003")
	p.wantFault(p.do("GET", "/dbs/db1%2Fcolls", ""), 404, "NotFound", "1003")
	for _, bad := range []string{`{}`, `{"id":""}`, `{"id":"a/b"}`, `{"id":"a?b"}`, `{"id":"a#b"}`, `{"id":"a\\b"}`, `{"id":"a "}`, `{"id":7}`, `x`, `{"id":"` + strings.Repeat("x", 256) + `"}`} {
		p.wantFault(p.do("POST", "/dbs", bad), 400, "BadRequest", "")
	}
	list := p.want(p.do("GET", "/dbs", ""), 200).json(t)
	if list["_count"] != 2.0 || len(list["Databases"].([]any)) != 2 {
		t.Errorf("list: %v", list)
	}
	q := []string{"content-type", "application/query+json", "x-ms-documentdb-isquery", "True"}
	got := p.want(p.do("POST", "/dbs", `{"query":"SELECT * FROM root r WHERE r.id=@id","parameters":[{"name":"@id","value":"DB1"}]}`, q...), 200).json(t)
	if got["_count"] != 1.0 || got["Databases"].([]any)[0].(map[string]any)["id"] != "DB1" {
		t.Errorf("query: %v", got)
	}
	page := p.want(p.do("GET", "/dbs", "", "x-ms-max-item-count", "1"), 200)
	next := page.header.Get("X-Ms-Continuation")
	rest := p.want(p.do("GET", "/dbs", "", "x-ms-max-item-count", "1", "x-ms-continuation", next), 200)
	if next == "" || rest.header.Get("X-Ms-Continuation") != "" || rest.body == page.body {
		t.Errorf("pages: %s, %s", page.body, rest.body)
	}
	p.want(p.do("DELETE", "/dbs/db1", "", "if-match", `"x"`), 412)
	p.want(p.do("DELETE", "/dbs/db1", ""), 204)
	p.want(p.do("DELETE", "/dbs/db1", ""), 404)
	// A new one of that name is another one.
	if again := p.want(p.do("POST", "/dbs", `{"id":"db1"}`), 201).json(t); again["_rid"] == v["_rid"] {
		t.Error("a resource id was used again")
	}
}

func TestContainers(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	a := p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"version":2}}`), 201)
	v := a.json(t)
	delete(v, "_rid")
	delete(v, "_ts")
	delete(v, "_self")
	delete(v, "_etag")
	want := map[string]any{
		"id": "c", "partitionKey": map[string]any{"paths": []any{"/pk"}, "kind": "Hash", "version": 2.0},
		"indexingPolicy": map[string]any{
			"indexingMode": "consistent", "automatic": true, "includedPaths": []any{map[string]any{"path": "/*"}}, "excludedPaths": []any{map[string]any{"path": `/"_etag"/?`}},
		},
		"conflictResolutionPolicy": map[string]any{"mode": "LastWriterWins", "conflictResolutionPath": "/_ts", "conflictResolutionProcedure": ""},
		"geospatialConfig":         map[string]any{"type": "Geography"},
		"_docs":                    "docs/", "_sprocs": "sprocs/", "_triggers": "triggers/", "_udfs": "udfs/", "_conflicts": "conflicts/",
	}
	if d := cmp.Diff(want, v); d != "" {
		t.Error(d)
	}
	p.wantFault(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 409, "Conflict", "")
	p.wantFault(p.do("POST", "/dbs/none/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 404, "NotFound", "1003")
	p.wantFault(p.do("POST", "/dbs/db/colls", `{"id":"d"}`), 400, "BadRequest", "")
	for body, want := range map[string]any{`{"paths":["/pk"]}`: nil, `{"paths":["/pk"],"version":1}`: 1.0, `{"paths":["/pk","/id"],"kind":"MultiHash"}`: 2.0} {
		made := p.want(p.do("POST", "/dbs/db/colls", `{"id":"v","partitionKey":`+body+`}`), 201).json(t)
		if got := made["partitionKey"].(map[string]any)["version"]; got != want {
			t.Errorf("%s: version %v, want %v", body, got, want)
		}
		p.want(p.do("DELETE", "/dbs/db/colls/v", ""), 204)
	}
	old := p.want(p.do("POST", "/dbs/db/colls", `{"id":"old"}`, "x-ms-version", "2017-02-22"), 201).json(t)
	if old["partitionKey"].(map[string]any)["systemKey"] != true {
		t.Errorf("old container: %v", old)
	}
	p.want(p.do("POST", "/dbs/db/colls/old/docs", `{"id":"1"}`, "x-ms-version", "2017-02-22"), 201)
	p.want(p.do("GET", "/dbs/db/colls/old/docs/1", ""), 200)
	for _, tt := range []struct {
		body   string
		status int
		code   string
	}{
		{`{"id":"x","partitionKey":{"paths":["pk"]}}`, 400, "BadRequest"},
		{`{"id":"x","partitionKey":{"paths":[]}}`, 400, "BadRequest"},
		{`{"id":"x","partitionKey":{"paths":["/a"],"kind":"Range"}}`, 400, "BadRequest"},
		{`{"id":"x","partitionKey":{"paths":["/a"],"kind":"Hash","version":2},"indexingPolicy":{"indexingMode":"odd"}}`, 400, "BadRequest"},
		{`{"id":"x","partitionKey":{"paths":["/a"],"kind":"Hash","version":2},"computedProperties":[{"name":"n","query":"q"}]}`, 501, "NotImplemented"},
		{`[]`, 400, "BadRequest"},
		{`{"id":"a/b","partitionKey":{"paths":["/a"],"kind":"Hash","version":2}}`, 400, "BadRequest"},
	} {
		p.wantFault(p.do("POST", "/dbs/db/colls", tt.body), tt.status, tt.code, "")
	}
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"fine","partitionKey":{"paths":["/a"],"kind":"Hash","version":2},"uniqueKeyPolicy":{"uniqueKeys":[]},"defaultTtl":null}`), 201)
	p.wantFault(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/other"],"kind":"Hash","version":2}}`), 400, "BadRequest", "")
	p.wantFault(p.do("PUT", "/dbs/db/colls/c", `{"id":"d","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 400, "BadRequest", "")
	r := p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2},"indexingPolicy":{"indexingMode":"none"}}`), 200).json(t)
	if r["indexingPolicy"].(map[string]any)["automatic"] != false || r["partitionKey"].(map[string]any)["version"] != 2.0 {
		t.Errorf("replaced: %v", r)
	}
	q := []string{"content-type", "application/query+json", "x-ms-documentdb-isquery", "True"}
	got := p.want(p.do("POST", "/dbs/db/colls", `{"query":"SELECT * FROM r WHERE r.id = 'c'"}`, q...), 200).json(t)
	if got["_count"] != 1.0 || len(got["DocumentCollections"].([]any)) != 1 {
		t.Errorf("query: %v", got)
	}
	p.want(p.do("GET", "/dbs/db/colls", ""), 200)
}

func TestRanges(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	a := p.want(p.do("GET", "/dbs/db/colls/c/pkranges", "", "a-im", "Incremental Feed"), 200)
	ranges := a.json(t)["PartitionKeyRanges"].([]any)
	if r := ranges[0].(map[string]any); len(ranges) != 1 || r["id"] != "0" || r["minInclusive"] != "" || r["maxExclusive"] != "FF" {
		t.Errorf("ranges: %v", ranges)
	}
	p.want(p.do("GET", "/dbs/db/colls/c/pkranges", "", "a-im", "Incremental Feed", "if-none-match", a.header.Get("Etag")), 304)
}

func TestOffers(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	q := []string{"content-type", "application/query+json", "x-ms-documentdb-isquery", "True"}
	offer := func(rid any) map[string]any {
		t.Helper()
		got := p.want(p.do("POST", "/offers", `{"query":"SELECT * FROM c WHERE c.offerResourceId = '`+rid.(string)+`'"}`, q...), 200).json(t)["Offers"].([]any)
		if len(got) == 0 {
			return nil
		}
		return got[0].(map[string]any)
	}
	db := p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201).json(t)
	if offer(db["_rid"]) != nil {
		t.Error("a database without throughput has an offer")
	}
	c := p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, "x-ms-offer-throughput", "700"), 201).json(t)
	o := offer(c["_rid"])
	if o["content"].(map[string]any)["offerThroughput"] != 700.0 || o["resource"] != c["_self"] || o["offerVersion"] != "V2" {
		t.Errorf("offer: %v", o)
	}
	self := "/" + strings.TrimSuffix(o["_self"].(string), "/")
	p.want(p.do("GET", self, ""), 200)
	p.want(p.do("PUT", self, `{"content":{"offerThroughput":800}}`), 200)
	p.wantFault(p.do("PUT", self, `{"content":{"offerThroughput":810}}`), 400, "BadRequest", "")
	p.wantFault(p.do("PUT", self, `{"content":{"offerAutopilotSettings":{"maxThroughput":4000}}}`), 400, "BadRequest", "")
	if got := offer(c["_rid"])["content"].(map[string]any)["offerThroughput"]; got != 800.0 {
		t.Errorf("replaced: %v", got)
	}
	d := p.want(p.do("POST", "/dbs/db/colls", `{"id":"d","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201).json(t)
	if got := offer(d["_rid"])["content"].(map[string]any)["offerThroughput"]; got != 400.0 {
		t.Errorf("default: %v", got)
	}
	shared := p.want(p.do("POST", "/dbs", `{"id":"shared"}`, "x-ms-cosmos-offer-autopilot-settings", `{"maxThroughput":4000}`), 201).json(t)
	if got := offer(shared["_rid"])["content"].(map[string]any)["offerAutopilotSettings"]; !cmp.Equal(got, map[string]any{"maxThroughput": 4000.0}) {
		t.Errorf("autoscale: %v", got)
	}
	e := p.want(p.do("POST", "/dbs/shared/colls", `{"id":"e","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201).json(t)
	if offer(e["_rid"]) != nil {
		t.Error("a container that shares its database's throughput has an offer of its own")
	}
	for _, bad := range [][2]string{{"x-ms-offer-throughput", "399"}, {"x-ms-offer-throughput", "x"}, {"x-ms-offer-throughput", "450"}, {"x-ms-cosmos-offer-autopilot-settings", "{}"}} {
		p.wantFault(p.do("POST", "/dbs/db/colls", `{"id":"f","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, bad[:]...), 400, "BadRequest", "")
	}
	p.want(p.do("DELETE", "/dbs/db", ""), 204)
	if offer(c["_rid"]) != nil {
		t.Error("the offer outlived its container")
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for _, path := range []string{
		"/dbs/db/colls/c/docs/d/attachments/a",
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			p.wantFault(p.do(method, path, ""), 501, "NotImplemented", "")
			p.want(p.serve(p.request(method, path, "")), 401)
		}
	}
	p.wantFault(p.do("GET", "/nothing", ""), 404, "NotFound", "")
}

// TestDeletion: what goes with a container, a database, an account, and that nothing comes back.
func TestDeletion(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	ctx := context.Background()
	count := func() int {
		t.Helper()
		names, err := p.store.Shards(ctx, "range/", "", 0)
		p.check(err)
		return len(names)
	}
	_, con, err := p.s.catalog.Container(ctx, p.account().GUID, "db", "c")
	p.check(err)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	if count() != 1 {
		t.Fatalf("%d ranges", count())
	}
	p.want(p.do("DELETE", "/dbs/db/colls/c", ""), 204)
	if count() != 0 {
		t.Error("the range outlived its container")
	}
	p.wantFault(p.item("GET", "/1", `["a"]`, ""), 404, "NotFound", "1003")
	// A write that had found the container before its deletion must not revive the range.
	_, _, err = p.s.items.Apply(ctx, con.Items(con.Ranges[0]), p.clock.Now(), []items.Write{{Op: items.Create, EPK: "00", ID: "2", Doc: items.Document{ID: "2", Text: []byte(`{"id":"2"}`)}}})
	if err == nil || count() != 0 {
		t.Errorf("a late write: %v, %d ranges", err, count())
	}
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	p.want(p.item("GET", "/1", `["a"]`, ""), 404)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	p.want(p.do("DELETE", "/dbs/db", ""), 204)
	if count() != 0 {
		t.Error("a range outlived its database")
	}
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	acct := p.account()
	p.remove("acct")
	p.wantFault(p.do("GET", "/", ""), 403, "Forbidden", "1008")
	if names, _ := p.store.Shards(ctx, "account/", "", 0); count() != 0 || len(names) != 0 {
		t.Errorf("left of the account: %d ranges, %v", count(), names)
	}
	if _, err := p.s.catalog.CreateDatabase(ctx, acct.GUID, "late", nil, nil); err == nil {
		t.Error("a late database revived the account")
	}
	if names, _ := p.store.Shards(ctx, catalog.Shard(""), "", 0); len(names) != 0 {
		t.Errorf("accounts left: %v", names)
	}
}

// TestRestart: everything is there after the store was closed and opened again, continuation tokens too.
func TestRestart(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for _, id := range []string{"1", "2", "3"} {
		p.want(p.item("POST", "", `["a"]`, `{"id":"`+id+`","pk":"a"}`), 201)
	}
	first := p.want(p.item("GET", "", `["a"]`, "", "x-ms-max-item-count", "2"), 200)
	before := p.want(p.item("GET", "/1", `["a"]`, ""), 200)
	p.check(p.store.Close())
	again := openPlatformAt(t, "db", p.fs)
	again.arm, again.keys = p.arm, p.keys
	again.s.accounts.deps.Reader = p.arm
	if after := again.want(again.item("GET", "/1", `["a"]`, ""), 200); after.body != before.body || after.header.Get("X-Ms-Session-Token") != before.header.Get("X-Ms-Session-Token") {
		t.Errorf("before %s\nafter %s", before.body, after.body)
	}
	rest := again.want(again.item("GET", "", `["a"]`, "", "x-ms-max-item-count", "2", "x-ms-continuation", first.header.Get("X-Ms-Continuation")), 200)
	if rest.json(t)["_count"] != 1.0 {
		t.Errorf("the second page: %s", rest.body)
	}
}

// TestAudit: each request leaves one record: a write of metadata with its own commit, a refusal before its answer, the others when flushed.
func TestAudit(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	ctx := context.Background()
	story := "99999999-9999-9999-9999-999999999999"
	as := []string{"x-ms-correlation-request-id", story}
	want := func(n int, operation string, status int, allowedBy string) {
		t.Helper()
		recs, err := p.audit.Trace(ctx, story)
		p.check(err)
		if len(recs) != n {
			t.Fatalf("%d records, want %d: %+v", len(recs), n, recs)
		}
		for _, r := range recs {
			if r.Operation == operation && r.Status == status && r.AllowedBy == allowedBy && strings.Contains(r.Resource, "/databaseAccounts/acct") {
				return
			}
		}
		t.Errorf("no record of %s with %d by %q in %+v", operation, status, allowedBy, recs)
	}
	p.want(p.do("POST", "/dbs", `{"id":"new"}`, as...), 201)
	want(1, "CreateDatabase", 201, "primary key")
	p.want(p.send(p.keys.Keys[3], "DELETE", "/dbs/new", "", as...), 403)
	want(2, "DeleteDatabase", 403, "secondary read-only key")
	p.want(p.do("DELETE", "/dbs/new", "", as...), 204)
	want(3, "DeleteDatabase", 204, "primary key")
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`, as...), 201)
	p.check(p.audit.Flush(ctx))
	want(4, "CreateDocument", 201, "primary key")
}
