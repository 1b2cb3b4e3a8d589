package cosmos

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocument_LifeCycle(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	text := `{"id":"1","pk":"a","n":1.50,"z":{"b":[1, 2],"a":null}}`
	a := p.want(p.item("POST", "", `["a"]`, text), 201)
	etag := a.header.Get("Etag")
	if len(etag) != 38 || a.header.Get("X-Ms-Session-Token") != "0:-1#2" {
		t.Errorf("etag %q, session %q", etag, a.header.Get("X-Ms-Session-Token"))
	}
	if !strings.HasPrefix(a.body, text[:len(text)-1]+`,"_rid":"`) {
		t.Errorf("the text changed: %s", a.body)
	}
	v := a.json(t)
	if v["_etag"] != etag || v["_ts"] != float64(p.clock.Now().Unix()) || v["_attachments"] != "attachments/" {
		t.Errorf("system properties: %v", v)
	}
	self, _ := v["_self"].(string)
	r := p.want(p.item("GET", "/1", `["a"]`, ""), 200)
	if r.body != a.body || r.header.Get("Etag") != etag || r.header.Get("X-Ms-Session-Token") != "0:-1#2" {
		t.Errorf("read %s\n%v", r.body, r.header)
	}
	p.want(p.item("GET", "/1", `["a"]`, "", "if-none-match", etag), 304)
	p.wantFault(p.item("GET", "/1", `["b"]`, ""), 404, "NotFound", "")
	p.wantFault(p.item("POST", "", `["a"]`, text), 409, "Conflict", "")

	// A client replaces what it read: system properties and all.
	changed := strings.Replace(a.body, `"n":1.50`, `"n":2`, 1)
	r = p.want(p.item("PUT", "/1", `["a"]`, changed, "if-match", etag), 200)
	if strings.Count(r.body, "_rid") != 1 || r.header.Get("Etag") == etag || r.json(t)["_rid"] != v["_rid"] || r.json(t)["n"] != 2.0 {
		t.Errorf("replaced: %s", r.body)
	}
	p.wantFault(p.item("PUT", "/1", `["a"]`, changed, "if-match", etag), 412, "PreconditionFailed", "")
	p.wantFault(p.item("DELETE", "/1", `["a"]`, "", "if-match", etag), 412, "PreconditionFailed", "")
	p.wantFault(p.item("PUT", "/2", `["a"]`, `{"id":"2","pk":"a"}`), 404, "NotFound", "")

	// By its own link, which names everything by resource id.
	p.want(p.do("GET", "/"+self, "", "x-ms-documentdb-partitionkey", `["a"]`), 200)

	// Renamed by a replacement, then deleted.
	p.want(p.item("PUT", "/1", `["a"]`, `{"id":"one","pk":"a"}`), 200)
	p.want(p.item("GET", "/1", `["a"]`, ""), 404)
	p.want(p.item("GET", "/one", `["a"]`, ""), 200)
	p.want(p.item("DELETE", "/one", `["a"]`, ""), 204)
	p.want(p.item("DELETE", "/one", `["a"]`, ""), 404)
	p.want(p.item("GET", "/one", `["a"]`, ""), 404)
}

func TestDocument_Upsert(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	up := []string{"x-ms-documentdb-is-upsert", "True"}
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","v":1}`, up...), 201)
	a := p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","v":2}`, up...), 200)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","v":3}`, append(up, "if-match", `"other"`)...), 412)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","v":3}`, append(up, "if-match", a.header.Get("Etag"))...), 200)
	if got := p.item("GET", "/1", `["a"]`, "").json(t)["v"]; got != 3.0 {
		t.Errorf("v = %v", got)
	}
}

func TestDocument_Minimal(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	min := []string{"prefer", "return=minimal"}
	for _, step := range []struct {
		method, path, body string
		status             int
	}{{"POST", "", `{"id":"1","pk":"a"}`, 201}, {"PUT", "/1", `{"id":"1","pk":"a","x":1}`, 200}, {"GET", "/1", "", 200}} {
		a := p.want(p.item(step.method, step.path, `["a"]`, step.body, min...), step.status)
		if (a.body == "") != (step.method != "GET") || a.header.Get("Etag") == "" {
			t.Errorf("%s: %q %v", step.method, a.body, a.header)
		}
	}
}

func TestDocument_PartitionKey(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for i, tt := range []struct {
		header, value string
		status        int
		sub           string
	}{
		{`["a"]`, `"a"`, 201, ""},
		{`["\u00e9"]`, `"é"`, 201, ""},
		{`[1]`, `1`, 201, ""},
		{`[1]`, `1.0`, 201, ""},
		{`[null]`, `null`, 201, ""},
		{`[true]`, `true`, 201, ""},
		{`[{}]`, ``, 201, ""},
		{`[]`, ``, 201, ""},
		{`["a"]`, `"b"`, 400, "1001"},
		{`["1"]`, `1`, 400, "1001"},
		{`[null]`, ``, 400, "1001"},
		{`[{}]`, `null`, 400, "1001"},
		{`["a","b"]`, `"a"`, 400, "1001"},
		{``, `"a"`, 400, "1000"},
		{`a`, `"a"`, 400, ""},
		{`[["a"]]`, `"a"`, 400, ""},
		{`["a"]`, `{"x":1}`, 400, "1001"},
		{`[{}]`, `{"x":1}`, 201, ""},
		{`[{}]`, `[]`, 201, ""},
	} {
		doc := fmt.Sprintf(`{"id":"d%d"`, i)
		if tt.value != "" {
			doc += `,"pk":` + tt.value
		}
		a := p.item("POST", "", tt.header, doc+"}")
		if a.status != tt.status || a.header.Get("X-Ms-Substatus") != tt.sub {
			t.Errorf("%s with %s: %d/%s, want %d/%s: %s", tt.header, tt.value, a.status, a.header.Get("X-Ms-Substatus"), tt.status, tt.sub, a.body)
		}
		if tt.status == 201 {
			p.want(p.item("GET", fmt.Sprintf("/d%d", i), tt.header, ""), 200)
		}
	}
}

func TestDocument_BadBodies(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for _, body := range []string{
		``, `[]`, `"x"`, `{"pk":"a"}`, `{"id":1,"pk":"a"}`, `{"id":"","pk":"a"}`, `{"id":"x","pk":"a"`, `{"id":"x","pk":"a"}}`, `{"id":"x","pk":"a",}`,
		`{"id":"x","pk":"a","n":01}`, `{"id":"x","pk":"a","n":nan}`, "{\"id\":\"x\",\"pk\":\"a\",\"s\":\"\n\"}", "{\"id\":\"x\",\"pk\":\"a\",\"s\":\"\xff\"}",
		`{"id":"` + strings.Repeat("x", 1024) + `","pk":"a"}`, `{"id":"x","pk":"a","d":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
	} {
		p.wantFault(p.item("POST", "", `["a"]`, body), 400, "BadRequest", "")
	}
	big := `{"id":"big","pk":"a","s":"` + strings.Repeat("x", 2<<20) + `"}`
	p.wantFault(p.item("POST", "", `["a"]`, big), 413, "RequestEntityTooLarge", "")
	p.wantFault(p.item("POST", "", `["a"]`, big+strings.Repeat(" ", 1<<20)), 413, "RequestEntityTooLarge", "")
	fits := `{"id":"big","pk":"a","s":"` + strings.Repeat("x", 2<<20-64) + `"}`
	p.want(p.item("POST", "", `["a"]`, fits), 201)
	p.want(p.item("GET", "/big", `["a"]`, ""), 200)
}

func TestDocument_IDs(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for _, id := range []string{
		"Test", "This is a test", " Test", "Test ", "Test  ", "WithAllowedSpecial,=.:~+-@()^${}[]!_Chars", "Ends%20", "%E9%B1%80", "What?", "a/b", `a\b`, "a#b", "With\rReturn",
		"With\tTab", "With\nFeed", "WithUnicode鱀", "+", "'\"", strings.Repeat("y", 1023), strings.Repeat("é", 500), "BQE1D3PdG4N4bzU9TKaCIM3qc0TVcZ2-Y3g=",
	} {
		text, _ := json.Marshal(map[string]string{"id": id, "pk": "a"})
		p.want(p.item("POST", "", `["a"]`, string(text)), 201)
		p.want(p.item("POST", "", `["a"]`, string(text)), 409)
		path := "/" + strings.ReplaceAll(url.PathEscape(id), "+", "%2B")
		if got := p.want(p.item("GET", path, `["a"]`, ""), 200).json(t)["id"]; got != id {
			t.Errorf("%q: read %q", id, got)
		}
		p.want(p.item("PUT", path, `["a"]`, string(text)), 200)
		p.want(p.item("DELETE", path, `["a"]`, ""), 204)
		p.want(p.item("GET", path, `["a"]`, ""), 404)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	for _, tt := range []struct {
		token  string
		status int
		sub    string
	}{
		{"0:-1#2", 200, ""},
		{"0:-1#1", 200, ""},
		{"0:2", 200, ""},
		{"0:1#2#3=1", 200, ""},
		{"7:-1#99", 200, ""},
		{"0:-1#3", 404, "1002"},
		{"0:3", 404, "1002"},
		{"1:-1#1,0:-1#3", 404, "1002"},
		{"x", 400, ""},
		{"0:-1#x", 400, ""},
		{"0:-1#-1", 400, ""},
	} {
		for _, a := range []answer{
			p.item("GET", "/1", `["a"]`, "", "x-ms-session-token", tt.token),
			p.item("GET", "", `["a"]`, "", "x-ms-session-token", tt.token),
			p.query("SELECT * FROM c", "x-ms-documentdb-partitionkey", `["a"]`, "x-ms-session-token", tt.token),
		} {
			if a.status != tt.status || a.header.Get("X-Ms-Substatus") != tt.sub {
				t.Errorf("%q: %d/%s, want %d/%s", tt.token, a.status, a.header.Get("X-Ms-Substatus"), tt.status, tt.sub)
			}
		}
	}
	p.want(p.item("GET", "/1", `["a"]`, "", "x-ms-consistency-level", "Eventual"), 200)
	p.wantFault(p.item("GET", "/1", `["a"]`, "", "x-ms-consistency-level", "Strong"), 400, "BadRequest", "")
}

// idsOf lists the documents' ids over all pages.
func (p *platform) idsOf(first func(headers ...string) answer, size int) (ids []string, pages int) {
	p.t.Helper()
	headers := []string{"x-ms-max-item-count", fmt.Sprint(size)}
	for {
		a := p.want(first(headers...), 200)
		var body struct {
			Documents []struct {
				ID string `json:"id"`
			}
			Count int `json:"_count"`
		}
		p.check(json.Unmarshal([]byte(a.body), &body))
		if body.Count != len(body.Documents) || size > 0 && body.Count > size {
			p.t.Fatalf("a page of %d documents says %d, at most %d", len(body.Documents), body.Count, size)
		}
		for _, d := range body.Documents {
			ids = append(ids, d.ID)
		}
		pages++
		next := a.header.Get("X-Ms-Continuation")
		if next == "" || pages > 1000 {
			return ids, pages
		}
		headers = []string{"x-ms-max-item-count", fmt.Sprint(size), "x-ms-continuation", next}
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	var all, ofB []string
	for i := range 30 {
		pk, id := string(rune('a'+i%2)), fmt.Sprintf("%02d", 29-i)
		p.want(p.item("POST", "", `["`+pk+`"]`, fmt.Sprintf(`{"id":%q,"pk":%q,"n":%d}`, id, pk, i)), 201)
		all = append(all, id)
		if pk == "b" {
			ofB = append(ofB, id)
		}
	}
	cross := []string{"x-ms-documentdb-query-enablecrosspartition", "true"}
	inB := []string{"x-ms-documentdb-partitionkey", `["b"]`}
	for name, tt := range map[string]struct {
		do   func(headers ...string) answer
		want []string
	}{
		"feed":          {func(h ...string) answer { return p.do("GET", "/dbs/db/colls/c/docs", "", h...) }, all},
		"feed of b":     {func(h ...string) answer { return p.item("GET", "", `["b"]`, "", h...) }, ofB},
		"query":         {func(h ...string) answer { return p.query("SELECT * FROM c", append(h, cross...)...) }, all},
		"query of b":    {func(h ...string) answer { return p.query("SELECT c.id FROM c", append(h, inB...)...) }, ofB},
		"pinned inline": {func(h ...string) answer { return p.query("SELECT * FROM c WHERE c.pk = 'b'", append(h, cross...)...) }, ofB},
		"filtered": {func(h ...string) answer {
			return p.query("SELECT * FROM c WHERE c.n >= 10 AND c.n < 20", append(h, cross...)...)
		}, all[10:20]},
		"none": {func(h ...string) answer { return p.query("SELECT * FROM c WHERE c.n = 99", append(h, cross...)...) }, nil},
	} {
		for _, size := range []int{1, 7, 30, 100, -1} {
			got, pages := p.idsOf(tt.do, size)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("%s by %d: %s", name, size, d)
			}
			if want := (len(tt.want) + size - 1) / size; size > 0 && len(tt.want) > 0 && pages != want && pages != want+1 {
				t.Errorf("%s by %d: %d pages, want %d", name, size, pages, want)
			}
		}
	}
	a := p.want(p.query("SELECT * FROM c", append(cross, "x-ms-max-item-count", "1")...), 200)
	token := a.header.Get("X-Ms-Continuation")
	for _, bad := range []string{"x", token[1:], token + "AAAA", "e30", strings.ToLower(token)} {
		p.wantFault(p.query("SELECT * FROM c", append(cross, "x-ms-continuation", bad)...), 400, "BadRequest", "")
	}
	p.wantFault(p.query("SELECT * FROM c WHERE true", append(cross, "x-ms-continuation", token)...), 400, "BadRequest", "")
	for _, bad := range []string{"0", "-2", "x"} {
		p.wantFault(p.query("SELECT * FROM c", append(cross, "x-ms-max-item-count", bad)...), 400, "BadRequest", "")
	}
}

func TestQuery_Rules(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","s":"x"}`), 201)
	p.want(p.item("POST", "", `["b"]`, `{"id":"2","pk":"b","s":"x"}`), 201)
	cross := []string{"x-ms-documentdb-query-enablecrosspartition", "true"}
	p.wantFault(p.query("SELECT * FROM c"), 400, "BadRequest", "1004")
	a := p.wantFault(p.query("SELECT * FROM c ORDER BY c.id", cross...), 400, "BadRequest", "1004")
	if !strings.Contains(a.body, "cross partition query can not be directly served by the gateway") {
		t.Errorf("text: %s", a.body)
	}
	p.want(p.query("SELECT * FROM c ORDER BY c.id", "x-ms-documentdb-partitionkey", `["a"]`), 200)
	p.want(p.query("SELECT * FROM c WHERE c.pk = 'a' ORDER BY c.id", cross...), 200)
	a = p.want(p.query("SELECT VALUE COUNT(1) FROM c", "x-ms-documentdb-partitionkeyrangeid", "0"), 200)
	if got := a.json(t)["Documents"]; !cmp.Equal(got, []any{2.0}) {
		t.Errorf("count: %v", got)
	}
	p.wantFault(p.query("SELECT * FROM c", "x-ms-documentdb-partitionkeyrangeid", "7"), 410, "Gone", "1002")
	p.wantFault(p.query("SELEC * FROM c", cross...), 400, "BadRequest", "")
	a = p.want(p.do("POST", "/dbs/db/colls/c/docs", `{"query":"SELECT VALUE c.id FROM c WHERE c.s = @s AND c.pk = @pk","parameters":[{"name":"@s","value":"x"},{"name":"@pk","value":"b"}]}`,
		"content-type", "application/query+json", "x-ms-documentdb-query", "True", "x-ms-documentdb-query-enablecrosspartition", "True", "x-ms-documentdb-populatequerymetrics", "true"), 200)
	if got := a.json(t)["Documents"]; !cmp.Equal(got, []any{"2"}) || !strings.Contains(a.header.Get("X-Ms-Documentdb-Query-Metrics"), "retrievedDocumentCount=1;") {
		t.Errorf("parameters: %v, %v", got, a.header)
	}
	plan := []string{"x-ms-cosmos-is-query-plan-request", "True"}
	a = p.want(p.query("SELECT * FROM c", plan...), 200)
	if a.json(t)["partitionedQueryExecutionInfoVersion"] != 2.0 {
		t.Errorf("plan: %s", a.body)
	}
}

func TestHierarchicalKey(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/t","/u"],"kind":"MultiHash","version":2}}`), 201)
	for _, k := range [][2]string{{"1", "a"}, {"1", "b"}, {"2", "a"}} {
		p.want(p.item("POST", "", fmt.Sprintf(`[%q,%q]`, k[0], k[1]), fmt.Sprintf(`{"id":"%s%s","t":%q,"u":%q}`, k[0], k[1], k[0], k[1])), 201)
	}
	p.want(p.item("GET", "/1a", `["1","a"]`, ""), 200)
	p.wantFault(p.item("GET", "/1a", `["1"]`, ""), 400, "BadRequest", "1001")
	prefix, _ := p.idsOf(func(h ...string) answer { return p.item("GET", "", `["1"]`, "", h...) }, 1)
	if len(prefix) != 2 || prefix[0] == prefix[1] {
		t.Errorf("by prefix: %v", prefix)
	}
	one, _ := p.idsOf(func(h ...string) answer {
		return p.query("SELECT * FROM c", append(h, "x-ms-documentdb-partitionkey", `["2","a"]`)...)
	}, 1)
	if !cmp.Equal(one, []string{"2a"}) {
		t.Errorf("by whole key: %v", one)
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	atomic := []string{"x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"}
	results := func(a answer) []map[string]any {
		var v []map[string]any
		p.check(json.Unmarshal([]byte(a.body), &v))
		return v
	}
	statuses := func(rs []map[string]any) (out []float64) {
		for _, r := range rs {
			out = append(out, r["statusCode"].(float64))
		}
		return out
	}
	rs := results(p.want(p.item("POST", "", `["a"]`, `[{"operationType":"Create","resourceBody":{"id":"1","pk":"a"}},
		{"operationType":"Upsert","resourceBody":{"id":"2","pk":"a","v":1}},{"operationType":"Replace","id":"1","resourceBody":{"id":"1","pk":"a","v":2}},
		{"operationType":"Read","id":"1"},{"operationType":"Delete","id":"2"}]`, atomic...), 200))
	if d := cmp.Diff([]float64{201, 201, 200, 200, 204}, statuses(rs)); d != "" {
		t.Error(d)
	}
	if got := rs[3]["resourceBody"].(map[string]any)["v"]; got != 2.0 || rs[0]["eTag"] == rs[2]["eTag"] {
		t.Errorf("read in the batch: %v", rs[3])
	}
	// One fails: nothing happened.
	rs = results(p.want(p.item("POST", "", `["a"]`, `[{"operationType":"Create","resourceBody":{"id":"3","pk":"a"}},{"operationType":"Create","resourceBody":{"id":"1","pk":"a"}},
		{"operationType":"Delete","id":"1"}]`, atomic...), 207))
	if d := cmp.Diff([]float64{424, 409, 424}, statuses(rs)); d != "" {
		t.Error(d)
	}
	p.want(p.item("GET", "/3", `["a"]`, ""), 404)
	p.want(p.item("GET", "/1", `["a"]`, ""), 200)
	rs = results(p.want(p.item("POST", "", `["a"]`, `[{"operationType":"Create","resourceBody":{"id":"3","pk":"b"}}]`, atomic...), 207))
	if d := cmp.Diff([]float64{400}, statuses(rs)); d != "" {
		t.Error(d)
	}
	// Not atomic: each for itself.
	rs = results(p.want(p.do("POST", "/dbs/db/colls/c/docs", `[{"operationType":"Create","partitionKey":"[\"a\"]","resourceBody":{"id":"1","pk":"a"}},
		{"operationType":"Create","partitionKey":"[\"b\"]","resourceBody":{"id":"1","pk":"b"}}]`, "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "False"), 207))
	if d := cmp.Diff([]float64{409, 201}, statuses(rs)); d != "" {
		t.Error(d)
	}
	p.wantFault(p.item("POST", "", `["a"]`, `[]`, atomic...), 400, "BadRequest", "")
	// A patch sees what the batch did before it.
	rs = results(p.want(p.item("POST", "", `["a"]`, `[{"operationType":"Patch","id":"1","resourceBody":{"operations":[{"op":"incr","path":"/v","value":5}]}},
		{"operationType":"Patch","id":"1","resourceBody":{"operations":[{"op":"incr","path":"/v","value":1}]}},{"operationType":"Read","id":"1"}]`, atomic...), 200))
	if got := rs[2]["resourceBody"].(map[string]any)["v"]; got != 8.0 {
		t.Errorf("patched in the batch: %v", rs)
	}
	rs = results(p.want(p.item("POST", "", `["a"]`, `[{"operationType":"Delete","id":"1"},{"operationType":"Patch","id":"1","resourceBody":{"operations":[{"op":"set","path":"/v","value":5}]}}]`, atomic...), 207))
	if d := cmp.Diff([]float64{424, 404}, statuses(rs)); d != "" {
		t.Error(d)
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","n":9007199254740993,"f":1.5,"list":[1,2,3],"o":{"x":"y"}}`), 201)
	patch := func(ops string, headers ...string) answer {
		return p.item("PATCH", "/1", `["a"]`, `{"operations":`+ops+`}`, headers...)
	}
	a := p.want(patch(`[{"op":"add","path":"/list/1","value":"new"},{"op":"incr","path":"/n","value":2},{"op":"incr","path":"/f","value":0.25},{"op":"set","path":"/o/z","value":[1.0]},
		{"op":"remove","path":"/o/x"},{"op":"replace","path":"/list/0","value":null},{"op":"move","from":"/f","path":"/g"},{"op":"add","path":"/list/-","value":4}]`), 200)
	for _, want := range []string{`"list":[null,"new",2,3,4]`, `"n":9007199254740995`, `"g":1.75`, `"o":{"z":[1.0]}`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("lacks %s: %s", want, a.body)
		}
	}
	for _, bad := range []string{
		`[]`, `[{"op":"zap","path":"/n","value":1}]`, `[{"op":"remove","path":"/none"}]`, `[{"op":"replace","path":"/none","value":1}]`, `[{"op":"incr","path":"/o","value":1}]`,
		`[{"op":"set","path":"n","value":1}]`, `[{"op":"set","path":"/a/b/c","value":1}]`, `[{"op":"set","path":"/n"}]`, `[{"op":"set","path":"/list/9","value":1}]`,
		`[{"op":"set","path":"/id","value":"2"}]`, `[{"op":"set","path":"/pk","value":"b"}]`, `[{"op":"set","path":"/_ts","value":1}]`, `[{"op":"move","from":"/o","path":"/o/z"}]`,
	} {
		if got := patch(bad); got.status != 400 {
			t.Errorf("%s: %d %s", bad, got.status, got.body)
		}
	}
	p.want(p.item("PATCH", "/1", `["a"]`, `[{"op":"set","path":"/bare","value":true}]`), 200)
	p.want(p.item("PATCH", "/1", `["a"]`, `{"condition":"from c where c.bare","operations":[{"op":"set","path":"/c","value":1}]}`), 200)
	p.want(p.item("PATCH", "/1", `["a"]`, `{"condition":"from c where c.c = 2","operations":[{"op":"set","path":"/c","value":1}]}`), 412)
	p.want(patch(`[{"op":"set","path":"/c","value":1}]`, "if-match", `"x"`), 412)
	p.want(p.item("PATCH", "/2", `["a"]`, `[{"op":"set","path":"/c","value":1}]`), 404)
}
