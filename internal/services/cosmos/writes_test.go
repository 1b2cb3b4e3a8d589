package cosmos

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
)

// Whatever 16 writers add at once is there in the end, through patches alone and in batches.
func TestPatch_NoLostUpdate(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","n":0}`), 201)
	const writers, each = 16, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				method, path, body := "PATCH", "/dbs/db/colls/c/docs/1", `[{"op":"incr","path":"/n","value":1}]`
				headers := []string{"x-ms-documentdb-partitionkey", `["a"]`}
				if w%4 == 0 {
					method, path, body = "POST", "/dbs/db/colls/c/docs", `[{"operationType":"Patch","id":"1","resourceBody":`+body+`}]`
					headers = append(headers, "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True")
				}
				r := p.sign(p.keys.Keys[gateway.Primary], p.request(method, path, body, headers...))
				rec := httptest.NewRecorder()
				p.mux.ServeHTTP(rec, r)
				if rec.Code != 200 {
					t.Errorf("%s: %d %s", method, rec.Code, rec.Body)
				}
			}
		})
	}
	wg.Wait()
	if got := p.want(p.item("GET", "/1", `["a"]`, ""), 200).json(t)["n"]; got != float64(writers*each) {
		t.Errorf("%v, want %d", got, writers*each)
	}
}

func TestPatch_Rules(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	const before = `{"id":"1","pk":"a","n":1,"s":"x","list":[1,2,3],"o":{"x":1,"list":[{"y":1}]},"null":null,"a/b":1,"c~d":1,"ttl":5}`
	rid := ""
	reset := func() {
		a := p.item("POST", "", `["a"]`, before, "x-ms-documentdb-is-upsert", "true")
		rid, _ = a.json(t)["_rid"].(string)
	}
	for _, tt := range []struct {
		ops  string
		want string // what changed; "" for 400
	}{
		{`{"op":"add","path":"/new","value":{"a":[]}}`, `"new":{"a":[]}`},
		{`{"op":"add","path":"/s","value":1}`, `"s":1`},
		{`{"op":"add","path":"/list/0","value":0}`, `"list":[0,1,2,3]`},
		{`{"op":"add","path":"/list/3","value":4}`, `"list":[1,2,3,4]`},
		{`{"op":"add","path":"/list/-","value":4}`, `"list":[1,2,3,4]`},
		{`{"op":"add","path":"/list/4","value":4}`, ""},
		{`{"op":"add","path":"/list/01","value":4}`, ""},
		{`{"op":"add","path":"/list/-1","value":4}`, ""},
		{`{"op":"add","path":"/list/x","value":4}`, ""},
		{`{"op":"add","path":"/none/x","value":4}`, ""},
		{`{"op":"add","path":"/s/x","value":4}`, ""},
		{`{"op":"add","path":"/null/x","value":4}`, ""},
		{`{"op":"add","path":"/o/list/0/z","value":null}`, `"o":{"x":1,"list":[{"y":1,"z":null}]}`},
		{`{"op":"add","path":"/a~1b","value":2}`, `"a/b":2`},
		{`{"op":"add","path":"/c~0d","value":2}`, `"c~d":2`},
		{`{"op":"set","path":"/list/0","value":0}`, `"list":[0,2,3]`},
		{`{"op":"set","path":"/new","value":"x"}`, `"new":"x"`},
		{`{"op":"set","path":"/list/4","value":0}`, ""},
		{`{"op":"set","path":"/ttl","value":-1}`, `"ttl":-1`},
		{`{"op":"replace","path":"/s","value":null}`, `"s":null`},
		{`{"op":"replace","path":"/list/2","value":9}`, `"list":[1,2,9]`},
		{`{"op":"replace","path":"/list/3","value":9}`, ""},
		{`{"op":"replace","path":"/list/-","value":9}`, ""},
		{`{"op":"replace","path":"/new","value":9}`, ""},
		{`{"op":"remove","path":"/list/1"}`, `"list":[1,3]`},
		{`{"op":"remove","path":"/list/3"}`, ""},
		{`{"op":"remove","path":"/list/-"}`, ""},
		{`{"op":"remove","path":"/new"}`, ""},
		{`{"op":"incr","path":"/n","value":-3}`, `"n":-2`},
		{`{"op":"incr","path":"/n","value":0.5}`, `"n":1.5`},
		{`{"op":"incr","path":"/new","value":7}`, `"new":7`},
		{`{"op":"incr","path":"/list/0","value":7}`, `"list":[8,2,3]`},
		{`{"op":"incr","path":"/list/3","value":7}`, ""},
		{`{"op":"incr","path":"/s","value":1}`, ""},
		{`{"op":"incr","path":"/null","value":1}`, ""},
		{`{"op":"incr","path":"/n","value":"1"}`, ""},
		{`{"op":"incr","path":"/n"}`, ""},
		{`{"op":"incr","path":"/n","value":1e308},{"op":"incr","path":"/n","value":1.7e308}`, ""},
		{`{"op":"move","from":"/s","path":"/list/0"}`, `"list":["x",1,2,3]`},
		{`{"op":"move","from":"/list/0","path":"/s"}`, `"s":1`},
		{`{"op":"move","from":"/o/list","path":"/o/more"}`, `"o":{"x":1,"more":[{"y":1}]}`},
		{`{"op":"move","from":"/s","path":"/s"}`, `"s":"x"`},
		{`{"op":"move","from":"/o","path":"/o/x"}`, ""},
		{`{"op":"move","from":"/o","path":"/o/x/y"}`, ""},
		{`{"op":"move","from":"/o","path":"/other"}`, `"other":{"x":1`},
		{`{"op":"move","from":"/new","path":"/s"}`, ""},
		{`{"op":"move","path":"/s"}`, ""},
		{`{"op":"set","path":"/id","value":"1"}`, ""},
		{`{"op":"move","from":"/pk","path":"/x"}`, ""},
		{`{"op":"remove","path":"/pk"}`, ""},
		{`{"op":"set","path":"/_rid","value":1}`, ""},
		{`{"op":"set","path":"/_ts/x","value":1}`, ""},
		{`{"op":"move","from":"/_etag","path":"/x"}`, ""},
		{`{"op":"set","path":"/_mine","value":1}`, `"_mine":1`},
		{`{"op":"set","path":"/","value":1}`, ""},
		{`{"op":"set","path":"","value":1}`, ""},
		{`{"op":"set","path":"s","value":1}`, ""},
		{`{"op":"set","path":"/s"}`, ""},
		{`{"op":"swap","path":"/s","value":1}`, ""},
		{`{"op":"set","path":"/s","value":1},{"op":"remove","path":"/s"},{"op":"add","path":"/s","value":2}`, `"s":2`},
		{`{"op":"set","path":"/s","value":"changed"},{"op":"remove","path":"/none"}`, ""},
		{strings.Repeat(`{"op":"incr","path":"/n","value":1},`, 9) + `{"op":"incr","path":"/n","value":1}`, `"n":11`},
		{strings.Repeat(`{"op":"incr","path":"/n","value":1},`, 10) + `{"op":"incr","path":"/n","value":1}`, ""},
	} {
		reset()
		a := p.item("PATCH", "/1", `["a"]`, `{"operations":[`+tt.ops+`]}`)
		now := p.want(p.item("GET", "/1", `["a"]`, ""), 200).body
		switch {
		case tt.want == "" && (a.status != 400 || !strings.HasPrefix(now, strings.TrimSuffix(before, "}"))):
			t.Errorf("%s: %d %s; now %s", tt.ops, a.status, a.body, now)
		case tt.want != "" && (a.status != 200 || !strings.Contains(now, tt.want)):
			t.Errorf("%s: %d; now %s, want %s", tt.ops, a.status, now, tt.want)
		}
	}
	reset()
	p.want(p.item("PATCH", "/"+rid, `["a"]`, `[{"op":"set","path":"/from_rid","value":"rid"}]`), 200)
	p.want(p.item("PATCH", "/1", `["a"]`, `[{"op":"add","path":"/big","value":"`+strings.Repeat("x", 2<<20-100)+`"}]`), 413)
	for _, bad := range []string{`{}`, `{"operations":{}}`, `[]`, `7`, `{"condition":"where","operations":[{"op":"set","path":"/x","value":1}]}`} {
		p.wantFault(p.item("PATCH", "/1", `["a"]`, bad), 400, "BadRequest", "")
	}
	a := p.want(p.item("PATCH", "/1", `["a"]`, `{"condition":"FROM c WHERE c.from_rid = 'rid' AND IS_ARRAY(c.list)","operations":[{"op":"set","path":"/x","value":1}]}`, "prefer", "return=minimal"), 200)
	if a.body != "" || a.header.Get("Etag") == "" {
		t.Errorf("minimal: %q %q", a.body, a.header.Get("Etag"))
	}
}

// What a client says of etags counts for every verb.
func TestPreconditions(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	text := `{"id":"1","pk":"a"}`
	set := `[{"op":"set","path":"/x","value":1}]`
	etag := p.want(p.item("POST", "", `["a"]`, text), 201).header.Get("Etag")
	upsert := []string{"x-ms-documentdb-is-upsert", "True"}
	for _, tt := range []struct {
		method, path, body string
		headers            []string
		status             int
	}{
		{"PUT", "/1", text, []string{"if-match", `"x"`}, 412},
		{"PUT", "/1", text, []string{"if-none-match", "*"}, 412},
		{"PATCH", "/1", set, []string{"if-match", `"x"`}, 412},
		{"PATCH", "/1", set, []string{"if-none-match", "*"}, 412},
		{"DELETE", "/1", "", []string{"if-match", `"x"`}, 412},
		{"DELETE", "/1", "", []string{"if-none-match", etag}, 412},
		{"POST", "", text, append([]string{"if-match", `"x"`}, upsert...), 412},
		{"POST", "", text, append([]string{"if-none-match", "*"}, upsert...), 412},
		{"POST", "", text, append([]string{"if-none-match", etag}, upsert...), 412},
		{"GET", "/1", "", []string{"if-none-match", "*"}, 304},
		{"GET", "/1", "", []string{"if-none-match", etag}, 304},
		{"GET", "/1", "", []string{"if-none-match", `"x"`}, 200},
		{"HEAD", "/1", "", nil, 200},
		{"HEAD", "/2", "", nil, 404},
		{"PUT", "/1", text, []string{"if-match", "*"}, 200},
		{"PATCH", "/1", set, []string{"if-none-match", `"x"`}, 200},
		{"POST", "", text, append([]string{"if-none-match", `"x"`}, upsert...), 200},
		{"PUT", "/1", text, []string{"x-ms-indexing-directive", "Exclude"}, 200},
		{"PUT", "/1", text, []string{"x-ms-indexing-directive", "maybe"}, 400},
	} {
		a := p.item(tt.method, tt.path, `["a"]`, tt.body, tt.headers...)
		if a.status != tt.status {
			t.Errorf("%s %v: %d %s, want %d", tt.method, tt.headers, a.status, a.body, tt.status)
		}
		if a.header.Get("X-Ms-Request-Charge") == "" {
			t.Errorf("%s %v: no charge", tt.method, tt.headers)
		}
		if tt.method == "HEAD" && a.body != "" {
			t.Errorf("HEAD has a body: %s", a.body)
		}
	}
	for _, a := range []answer{
		p.item("POST", "", `["a"]`, `{"id":"2","pk":"a"}`, "prefer", "return=minimal"), p.item("PUT", "/2", `["a"]`, `{"id":"2","pk":"a"}`, "prefer", "return=minimal"),
		p.item("POST", "", `["a"]`, `{"id":"2","pk":"a"}`, append([]string{"prefer", "return=minimal"}, upsert...)...),
	} {
		if a.status/100 != 2 || a.body != "" || a.header.Get("Etag") == "" {
			t.Errorf("%s: %d %q %q", a.req, a.status, a.body, a.header.Get("Etag"))
		}
	}
	p.wantFault(p.item("POST", "", `["a"]`, `{"id":"3","pk":"a","x":"`+strings.Repeat("x", 2<<20)+`"}`), 413, "RequestEntityTooLarge", "")
}

type result struct {
	Status int             `json:"statusCode"`
	Charge float64         `json:"requestCharge"`
	ETag   string          `json:"eTag"`
	Retry  int             `json:"retryAfterMilliseconds"`
	Body   json.RawMessage `json:"resourceBody"`
}

func (p *platform) batch(pk, ops string, status int, headers ...string) (rs []result, charge string, statuses []int) {
	p.t.Helper()
	a := p.want(p.item("POST", "", pk, ops, append([]string{"x-ms-cosmos-is-batch-request", "True"}, headers...)...), status)
	if status == 200 || status == 207 {
		p.check(json.Unmarshal([]byte(a.body), &rs))
	}
	for _, r := range rs {
		statuses = append(statuses, r.Status)
	}
	return rs, a.header.Get("X-Ms-Request-Charge"), statuses
}

var allOrNone = []string{"x-ms-cosmos-batch-atomic", "True"}

func TestBatch_Rules(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	rs, charge, _ := p.batch(`["a"]`, `[{"operationType":"Create","resourceBody":{"id":"1","pk":"a","n":1}},{"operationType":"Create","resourceBody":{"id":"2","pk":"a"}}]`, 200, allOrNone...)
	if want := fmt.Sprintf("%.1f", rs[0].Charge+rs[1].Charge); charge != want || rs[0].Charge <= 0 {
		t.Errorf("charge %s of the batch, %s of its operations", charge, want)
	}
	etag := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	for _, tt := range []struct {
		name, ops string
		want      []int
	}{
		{"etags that fit", `[{"operationType":"Replace","id":"1","ifMatch":` + etag(rs[0].ETag) + `,"resourceBody":{"id":"1","pk":"a","n":1}},{"operationType":"Delete","id":"2","ifMatch":` + etag(rs[1].ETag) + `}]`, []int{200, 204}},
		{"an old etag", `[{"operationType":"Create","resourceBody":{"id":"2","pk":"a"}},{"operationType":"Replace","id":"1","ifMatch":` + etag(rs[0].ETag) + `,"resourceBody":{"id":"1","pk":"a"}}]`, []int{424, 412}},
		{"upsert only to create", `[{"operationType":"Upsert","ifNoneMatch":"*","resourceBody":{"id":"1","pk":"a"}}]`, []int{412}},
		{"read of the unchanged", `[{"operationType":"Read","id":"1","ifNoneMatch":"*"},{"operationType":"Read","id":"1"}]`, []int{304, 200}},
		{"condition holds", `[{"operationType":"Patch","id":"1","resourceBody":{"condition":"from c where c.n = 1","operations":[{"op":"incr","path":"/n","value":1}]}}]`, []int{200}},
		{"condition fails", `[{"operationType":"Upsert","resourceBody":{"id":"9","pk":"a"}},{"operationType":"Patch","id":"1","resourceBody":{"condition":"from c where c.n = 1","operations":[{"op":"incr","path":"/n","value":1}]}}]`, []int{424, 412}},
		{"patch fails", `[{"operationType":"Patch","id":"1","resourceBody":[{"op":"set","path":"/n","value":7}]},{"operationType":"Patch","id":"1","resourceBody":[{"op":"remove","path":"/none"}]}]`, []int{424, 400}},
		{"patch of the key", `[{"operationType":"Patch","id":"1","resourceBody":[{"op":"set","path":"/pk","value":"a"}]}]`, []int{400}},
		{"another key", `[{"operationType":"Create","resourceBody":{"id":"5","pk":"b"}}]`, []int{400}},
		{"unknown", `[{"operationType":"Rename","id":"1"}]`, []int{400}},
		{"no id", `[{"operationType":"Delete"}]`, []int{400}},
	} {
		status := 200
		for _, s := range tt.want {
			if s >= 300 {
				status = 207
			}
		}
		rs, _, got := p.batch(`["a"]`, tt.ops, status, allOrNone...)
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
		for _, r := range rs {
			if r.Status == 304 && (r.Body != nil || r.ETag == "") {
				t.Errorf("%s: %+v", tt.name, r)
			}
		}
	}
	if got := p.want(p.item("GET", "/1", `["a"]`, ""), 200).json(t)["n"]; got != 2.0 {
		t.Errorf("n is %v: a failed batch left something", got)
	}
	for _, id := range []string{"2", "5", "9"} {
		p.want(p.item("GET", "/"+id, `["a"]`, ""), 404)
	}
	many := func(n int) string {
		ops := make([]string, n)
		for i := range ops {
			ops[i] = fmt.Sprintf(`{"operationType":"Upsert","resourceBody":{"id":"m%d","pk":"a"}}`, i)
		}
		return "[" + strings.Join(ops, ",") + "]"
	}
	p.batch(`["a"]`, many(101), 400, allOrNone...)
	if _, _, got := p.batch(`["a"]`, many(100), 200, allOrNone...); len(got) != 100 {
		t.Errorf("%d results", len(got))
	}
	p.batch(`["a"]`, `[{"operationType":"Create","resourceBody":{"id":"b","pk":"a","x":"`+strings.Repeat("x", 2<<20)+`"}}]`, 413, allOrNone...)
	p.batch(`["a"]`, `{}`, 400, allOrNone...)
	p.batch(`["a"]`, `[{"operationType":"Read","id":"1","partitionKey":"[\"a\"]"}]`, 200, allOrNone...)
	p.batch(`["a"]`, `[{"operationType":"Read","id":"1"},{"operationType":"Read","id":"1","partitionKey":"[\"b\"]"}]`, 400, allOrNone...)
	rs, _, _ = p.batch(`["a"]`, `[{"operationType":"Upsert","resourceBody":{"id":"1","pk":"a"}},{"operationType":"Read","id":"1"}]`, 200, append(allOrNone, "prefer", "return=minimal")...)
	if rs[0].Body != nil || rs[1].Body == nil {
		t.Errorf("minimal: %+v", rs)
	}
	rs, _, _ = p.batch(`["a"]`, `[{"operationType":"Upsert","minimalReturnPreference":true,"resourceBody":{"id":"1","pk":"a"}},{"operationType":"Upsert","resourceBody":{"id":"1","pk":"a"}}]`, 200, allOrNone...)
	if rs[0].Body != nil || rs[1].Body == nil {
		t.Errorf("one of two minimal: %+v", rs)
	}
	// Reads that come too early for their session.
	session := append(allOrNone, "x-ms-session-token", "0:-1#999999")
	p.wantFault(p.item("POST", "", `["a"]`, `[{"operationType":"Read","id":"1"}]`, append(session, "x-ms-cosmos-is-batch-request", "True")...), 404, "NotFound", "1002")
	p.batch(`["a"]`, `[{"operationType":"Read","id":"1"},{"operationType":"Upsert","resourceBody":{"id":"1","pk":"a"}}]`, 200, session...)
}

func TestBulk(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	const ops = `[{"operationType":"Create","partitionKey":"[\"a\"]","resourceBody":{"id":"1","pk":"a"}},
		{"operationType":"Create","partitionKey":"[\"a\"]","resourceBody":{"id":"1","pk":"a"}},
		{"operationType":"Upsert","partitionKey":"[\"b\"]","resourceBody":{"id":"2","pk":"b","n":1}},
		{"operationType":"Patch","id":"2","partitionKey":"[\"b\"]","resourceBody":{"operations":[{"op":"incr","path":"/n","value":1}]}},
		{"operationType":"Read","id":"2","partitionKey":"[\"b\"]"},
		{"operationType":"Delete","id":"1","partitionKey":"[\"a\"]"},
		{"operationType":"Create","partitionKey":"[{}]","resourceBody":{"id":"3"}},
		{"operationType":"Create","partitionKey":"no","resourceBody":{"id":"4"}}]`
	bulk := []string{"x-ms-cosmos-batch-atomic", "False", "x-ms-documentdb-partitionkeyrangeid", "0", "x-ms-cosmos-batch-continue-on-error"}
	rs, _, got := p.batch(`["ignored"]`, ops, 207, append(bulk, "True")...)
	if d := cmp.Diff([]int{201, 409, 201, 200, 200, 204, 201, 400}, got); d != "" {
		t.Error(d)
	}
	if !strings.Contains(string(rs[4].Body), `"n":2`) {
		t.Errorf("read: %s", rs[4].Body)
	}
	p.want(p.item("DELETE", "/2", `["b"]`, ""), 204)
	_, _, got = p.batch(`["ignored"]`, ops, 207, append(bulk, "False")...)
	if d := cmp.Diff([]int{201, 409, 424, 424, 424, 424, 424, 424}, got); d != "" {
		t.Error(d)
	}
	p.want(p.item("GET", "/2", `["b"]`, ""), 404)

	// Operations are throttled one by one.
	p.check(p.tagged("strict"))
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`{"operationType":"Upsert","partitionKey":"[\"a\"]","resourceBody":{"id":"m%d","pk":"a"}}`, i))
	}
	rs, _, got = p.batch(`["a"]`, "["+strings.Join(many, ",")+"]", 207, append(bulk, "True")...)
	if got[0] != 201 || got[99] != 429 || rs[99].Retry <= 0 {
		t.Errorf("throttled: %v, %+v", got, rs[99])
	}
}

// Operations of one bulk request go each to its own range, whose throughput is its own.
func TestBulk_SeveralRanges(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, "x-ms-offer-throughput", "18000"), 201)
	p.check(p.tagged("strict"))
	var ops []string
	for i := range 60 {
		ops = append(ops, fmt.Sprintf(`{"operationType":"Create","partitionKey":"[%d]","resourceBody":{"id":"1","pk":%d}}`, i, i))
	}
	_, _, got := p.batch(`[0]`, "["+strings.Join(ops, ",")+"]", 200, "x-ms-cosmos-batch-continue-on-error", "True")
	if len(got) != 60 {
		t.Fatalf("%d results", len(got))
	}
	counts := map[string]float64{}
	for _, id := range []string{"0", "1", "2"} {
		counts[id] = p.want(p.do("GET", "/dbs/db/colls/c/docs", "", "x-ms-documentdb-partitionkeyrangeid", id), 200).json(t)["_count"].(float64)
	}
	if len(counts) != 3 || counts["0"]*counts["1"]*counts["2"] == 0 || counts["0"]+counts["1"]+counts["2"] != 60 {
		t.Errorf("documents by range: %v", counts)
	}
	// One range is used up: the others still work.
	work := p.item("GET", "/1", `[0]`, "").header.Get("X-Ms-Documentdb-Partitionkeyrangeid")
	for range 10_000 {
		if p.item("GET", "/1", `[0]`, "").status == 429 {
			break
		}
	}
	admitted := 0
	for i := range 60 {
		a := p.item("GET", "/1", fmt.Sprintf("[%d]", i), "")
		if a.status == 200 && a.header.Get("X-Ms-Documentdb-Partitionkeyrangeid") == work {
			t.Errorf("key %d of range %s was read", i, work)
		}
		if a.status == 200 {
			admitted++
		}
	}
	if float64(admitted) != 60-counts[work] {
		t.Errorf("%d of 60 keys were read, range %s of %v is used up", admitted, work, counts)
	}
	// What needs all ranges is refused.
	p.want(p.do("GET", "/dbs/db/colls/c/docs", ""), 429)
}
