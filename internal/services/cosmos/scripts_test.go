package cosmos

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// script creates a script; extra are further members.
func (p *platform) script(kind, id, body string, extra ...string) {
	p.t.Helper()
	text, err := json.Marshal(body)
	p.check(err)
	p.want(p.do("POST", "/dbs/db/colls/c/"+kind, `{"id":"`+id+`","body":`+string(text)+strings.Join(extra, "")+`}`), 201)
}

func (p *platform) execute(id, pk, args string, headers ...string) answer {
	p.t.Helper()
	return p.do("POST", "/dbs/db/colls/c/sprocs/"+id, args, append([]string{"x-ms-documentdb-partitionkey", pk}, headers...)...)
}

func TestScripts_Resources(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct{ feed, extra, nibble string }{
		"sprocs":   {"StoredProcedures", "", "8"},
		"triggers": {"Triggers", `,"triggerType":"pre","triggerOperation":"all"`, "7"},
		"udfs":     {"UserDefinedFunctions", "", "6"},
	} {
		p := withContainer(t)
		path := "/dbs/db/colls/c/" + kind
		made := p.want(p.do("POST", path, `{"id":"sample one","body":"function () { const x = 10; }"`+c.extra+`}`), 201)
		m := made.json(t)
		self, _ := m["_self"].(string)
		if m["id"] != "sample one" || m["body"] != "function () { const x = 10; }" || !strings.Contains(self, "/"+kind+"/") || m["_ts"] == nil || made.header.Get("Etag") != m["_etag"] {
			t.Errorf("%s: created %s with etag %s", kind, made.body, made.header.Get("Etag"))
		}
		if kind == "triggers" && (m["triggerType"] != "Pre" || m["triggerOperation"] != "All") {
			t.Errorf("a trigger: %s", made.body)
		}
		p.wantFault(p.do("POST", path, `{"id":"sample one","body":"function () {}"`+c.extra+`}`), 409, "Conflict", "")
		if got := p.want(p.do("POST", path, `{"id":"sample one","body":"function () { }"`+c.extra+`}`, "x-ms-documentdb-is-upsert", "True"), 200).json(t); got["_rid"] != m["_rid"] {
			t.Errorf("an upsert made %v of %v", got["_rid"], m["_rid"])
		}
		one := path + "/sample%20one"
		read := p.want(p.do("GET", one, ""), 200)
		if byRID := p.want(p.do("GET", "/"+strings.TrimSuffix(self, "/"), ""), 200); byRID.body != read.body {
			t.Errorf("by resource id: %s, by name %s", byRID.body, read.body)
		}
		p.want(p.do("GET", one, "", "if-none-match", read.header.Get("Etag")), 304)
		p.wantFault(p.do("PUT", one, `{"id":"sample one","body":"function () {}"`+c.extra+`}`, "if-match", `"other"`), 412, "PreconditionFailed", "")
		p.wantFault(p.do("PUT", one, `{"id":"renamed","body":"function () {}"`+c.extra+`}`), 400, "BadRequest", "")
		if got := p.want(p.do("PUT", one, `{"id":"sample one","body":"x => x"`+c.extra+`}`), 200).json(t); got["body"] != "x => x" || got["_rid"] != m["_rid"] {
			t.Errorf("replaced: %v", got)
		}
		list := p.want(p.do("GET", path, ""), 200).json(t)
		if rows, _ := list[c.feed].([]any); len(rows) != 1 || list["_count"] != 1.0 {
			t.Errorf("%s: list %v", kind, list)
		}
		q := p.want(p.do("POST", path, `{"query":"SELECT VALUE r.id FROM root r WHERE r.id=@id","parameters":[{"name":"@id","value":"sample one"}]}`, "content-type", "application/query+json"), 200).json(t)
		if rows, _ := q[c.feed].([]any); len(rows) != 1 || rows[0] != "sample one" {
			t.Errorf("%s: query %v", kind, q)
		}
		for _, bad := range []string{`{"id":"x"` + c.extra + `}`, `{"body":"function(){}"` + c.extra + `}`, `{"id":"a/b","body":"function(){}"` + c.extra + `}`, `{"id":"x","body":5` + c.extra + `}`} {
			p.wantFault(p.do("POST", path, bad), 400, "BadRequest", "")
		}
		broken := p.wantFault(p.do("POST", path, `{"id":"x","body":"function () { return"`+c.extra+`}`), 400, "BadRequest", "65535")
		if !strings.Contains(broken.body, "SyntaxError") {
			t.Errorf("a body that does not compile: %s", broken.body)
		}
		p.want(p.send(p.keys.Keys[2], "GET", one, ""), 200)
		p.wantFault(p.send(p.keys.Keys[2], "DELETE", one, ""), 403, "Forbidden", "")
		p.want(p.do("DELETE", one, ""), 204)
		p.wantFault(p.do("GET", one, ""), 404, "NotFound", "")
		p.wantFault(p.do("DELETE", one, ""), 404, "NotFound", "")

		// With its container it goes for good.
		p.want(p.do("POST", path, `{"id":"s","body":"function () {}"`+c.extra+`}`), 201)
		p.want(p.do("DELETE", "/dbs/db/colls/c", ""), 204)
		p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
		p.wantFault(p.do("GET", path+"/s", ""), 404, "NotFound", "")
	}
	p := withContainer(t)
	for _, bad := range []string{`"triggerType":"Mid","triggerOperation":"All"`, `"triggerType":"Pre","triggerOperation":"Read"`, `"triggerType":"Pre"`} {
		p.wantFault(p.do("POST", "/dbs/db/colls/c/triggers", `{"id":"x","body":"function () {}",`+bad+`}`), 400, "BadRequest", "")
	}
}

func TestProcedure(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","n":1}`), 201)
	p.want(p.item("POST", "", `["b"]`, `{"id":"9","pk":"b","n":9}`), 201)
	for i, c := range []struct{ body, args, want string }{
		{`function (a, b) { getContext().getResponse().setBody(a + b) }`, `[1, 2]`, `3`},
		{`function () {}`, ``, `""`},
		{`function () { __.queryDocuments(__.getSelfLink(), "SELECT VALUE c.n FROM c ORDER BY c.n", function (e, rows) { if (e) throw e; __.response.setBody(rows) }) }`, `[]`, `[1]`},
		{`function () { __.queryDocuments(__.getAltLink(), {query: "SELECT VALUE COUNT(1) FROM c WHERE c.n = @n", parameters: [{name: "@n", value: 1}]}, function (e, rows) { if (e) throw e; __.response.setBody(rows) }) }`, `[]`, `[1]`},
		{`function () { __.readDocument(__.getAltLink() + "/docs/9", function (e) { __.response.setBody(e.number) }) }`, `[]`, `404`},
		{`function () { __.readDocument(__.getAltLink() + "/docs/1", function (e, d, o) { __.readDocument(d._self, {ifNoneMatch: d._etag}, function (e2, d2, o2) { __.response.setBody([d.n, o.etag === d._etag, d2 === undefined, o2.notModified]) }) }) }`, `[]`, `[1,true,true,true]`},
		// A script sees what it wrote, in reads and queries.
		{`function () {
			var self = __.getSelfLink();
			__.createDocument(self, {id: "2", pk: "a", n: 2}, function (e, made) {
				if (e) throw e;
				made.n = 5;
				__.replaceDocument(made._self, made, {etag: made._etag}, function (e, again) {
					if (e) throw e;
					__.replaceDocument(made._self, made, {etag: made._etag}, function (e) {
						__.queryDocuments(self, "SELECT VALUE c.n FROM c", function (e2, rows) {
							__.upsertDocument(self, {id: "3", pk: "a"}, function (e3, up) {
								__.deleteDocument(made._self, function (e4) {
									__.readDocuments(self, {}, function (e5, all) {
										__.response.setBody([e.number, rows, again._rid === made._rid, all.map(function (d) { return d.id })])
									})
								})
							})
						})
					})
				})
			})
		}`, `[]`, `[412,[1,5],true,["1","3"]]`},
		{`function () { __.createDocument(__.getSelfLink(), {id: "x", pk: "other"}, function (e) { __.response.setBody([e.number, e.body.indexOf("Requests originating from scripts")]) }) }`, `[]`, `[400,0]`},
		{`function () { try { __.readDocument("dbs/db/colls/other/docs/1") } catch (e) { __.response.setBody(e.number) } }`, `[]`, `400`},
		{`function () { __.readDocuments(__.getSelfLink(), {pageSize: 1}, function (e, rows, o) { __.readDocuments(__.getSelfLink(), {pageSize: 1, continuation: o.continuation}, function (e, more, o2) { __.response.setBody([rows[0].id, more[0].id, o2.continuation]) }) }) }`, `[]`, `["1","3",null]`},
		{`function () { __.queryDocuments(__.getSelfLink(), "SELECT VALUE c.id FROM c", {pageSize: 1}, function (e, rows, o) { __.queryDocuments(__.getSelfLink(), "SELECT VALUE c.id FROM c", {continuation: o.continuation}, function (e, more, o2) { __.response.setBody([rows, more, o2]) }) }) }`, `[]`, `[["1"],["3"],{}]`},
		{`function () { __.queryDocuments(__.getSelfLink(), "SELECT WHAT", function (e) { __.response.setBody(e.number) }) }`, `[]`, `400`},
		{`function () { __.chain().filter(function (d) { return d.n === 1 }).pluck("id").value(function (e, rows) { __.response.setBody(rows) }) }`, `[]`, `["1"]`},
	} {
		id := fmt.Sprintf("p%d", i)
		p.script("sprocs", id, c.body)
		got := p.want(p.execute(id, `["a"]`, c.args), 200)
		if got.body != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.body, got.body, c.want)
		}
		if got.header.Get("X-Ms-Session-Token") == "" {
			t.Errorf("%s: no session token", id)
		}
	}
	p.want(p.item("GET", "/3", `["a"]`, ""), 200)
	p.want(p.item("GET", "/2", `["a"]`, ""), 404)

	p.wantFault(p.execute("none", `["a"]`, `[]`), 404, "NotFound", "")
	p.wantFault(p.execute("p0", `["a"]`, `{}`), 400, "BadRequest", "")
	p.wantFault(p.do("POST", "/dbs/db/colls/c/sprocs/p0", `[]`), 400, "BadRequest", "1000")
	p.wantFault(p.send(p.keys.Keys[2], "POST", "/dbs/db/colls/c/sprocs/p0", `[]`, "x-ms-documentdb-partitionkey", `["a"]`), 403, "Forbidden", "")
}

// TestProcedure_Atomic: whatever ends a script by its own fault, nothing of it stays.
func TestProcedure_Atomic(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a","v":"before"}`), 201)
	write := `__.createDocument(__.getSelfLink(), {id: "new", pk: "a"}); __.upsertDocument(__.getSelfLink(), {id: "1", pk: "a", v: "after"}); __.deleteDocument(__.getAltLink() + "/docs/1");`
	for i, c := range []struct{ body, sub, says string }{
		{`function () { ` + write + ` throw new Error("out of it") }`, "400", "Exception = Error: out of it\r\nStack trace: Error: out of it\n   at Anonymous function (p0.js:1:"},
		{`function () { ` + write + ` throw new Error(499, "numbered") }`, "499", `Exception = Error: numbered`},
		{`function () { ` + write + ` throw "text" }`, "400", `Exception = text`},
		{`function () { ` + write + ` __.createDocument(__.getSelfLink(), {id: "new", pk: "a"}) }`, "409", `already exists`},
		{`function () { ` + write + ` getContext().abort(new Error("aborted")) }`, "400", `Exception = Error: aborted`},
		{`function () { ` + write + ` __.readDocument(__.getAltLink() + "/docs/none", function (e) { if (e) throw e }) }`, "404", `does not exist`},
	} {
		id := fmt.Sprintf("p%d", i)
		p.script("sprocs", id, c.body)
		got := p.wantFault(p.execute(id, `["a"]`, `[]`), 400, "BadRequest", c.sub)
		message, _ := got.json(t)["message"].(string)
		var errs struct{ Errors []string }
		_, in, _ := strings.Cut(message, "{")
		in, _, _ = strings.Cut("{"+in, "\r\nActivityId")
		if json.Unmarshal([]byte(in), &errs) != nil || len(errs.Errors) != 1 || !strings.HasPrefix(errs.Errors[0], "Encountered exception while executing function. ") || !strings.Contains(errs.Errors[0], c.says) {
			t.Errorf("%s: got %q, want %q in it", c.body, message, c.says)
		}
		if got := p.want(p.item("GET", "/1", `["a"]`, ""), 200).json(t); got["v"] != "before" {
			t.Errorf("%s: the document is %v", c.body, got)
		}
		p.want(p.item("GET", "/new", `["a"]`, ""), 404)
	}
}

// TestProcedure_BulkImport is the samples' pattern: a script says how far it came, and the client calls again with the rest.
func TestProcedure_BulkImport(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.script("sprocs", "bulk", `function (docs) {
		var count = 0, link = __.getSelfLink();
		if (!docs.length) { __.response.setBody(0); return }
		create(docs[0]);
		function create(doc) { if (!__.createDocument(link, doc, done)) __.response.setBody(count) }
		function done(err) {
			if (err) throw err;
			if (++count >= docs.length) __.response.setBody(count); else create(docs[count]);
		}
	}`)
	const total = 3000
	docs := make([]string, total)
	for i := range docs {
		docs[i] = fmt.Sprintf(`{"id":"d%d","pk":"a"}`, i)
	}
	calls := 0
	for done := 0; done < total; calls++ {
		got := p.want(p.execute("bulk", `["a"]`, `[[`+strings.Join(docs[done:], ",")+`]]`), 200)
		var n int
		if json.Unmarshal([]byte(got.body), &n) != nil || n == 0 {
			t.Fatalf("the script made %s documents", got.body)
		}
		done += n
	}
	if calls < 2 {
		t.Errorf("%d calls made %d documents: none was refused", calls, total)
	}
	got := p.query("SELECT VALUE COUNT(1) FROM c", "x-ms-documentdb-partitionkey", `["a"]`).json(t)
	if rows, _ := got["Documents"].([]any); len(rows) != 1 || rows[0] != float64(total) {
		t.Errorf("got %v, want %d documents", got, total)
	}
}

// TestProcedure_Index: a script's query reads what it asks for, not the whole logical partition; what a script says is not to be indexed is read by all.
func TestProcedure_Index(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.script("sprocs", "fill", `function (n, action) {
		for (var i = 0; i < n; i++) __.createDocument(__.getSelfLink(), {id: action + i, pk: "a", n: i, text: "some text that is there to be read"}, {indexAction: action}, function (e) { if (e) throw e });
	}`)
	p.script("sprocs", "ask", `function (q) { __.queryDocuments(__.getSelfLink(), q, function (e, rows) { if (e) throw e; __.response.setBody(rows) }) }`)
	charge := func(q string) float64 {
		t.Helper()
		a := p.want(p.execute("ask", `["a"]`, `["`+q+`"]`), 200)
		if a.body != "[7]" {
			t.Errorf("%s: %s", q, a.body)
		}
		c, _ := strconv.ParseFloat(a.header.Get("X-Ms-Request-Charge"), 64)
		return c
	}
	p.want(p.execute("fill", `["a"]`, `[500, "default"]`), 200)
	by, all := charge("SELECT VALUE c.n FROM c WHERE c.n = 7"), charge("SELECT VALUE c.n FROM c WHERE c.n + 0 = 7")
	if by >= all/3 {
		t.Errorf("by the index %v RU, by all documents %v", by, all)
	}
	p.want(p.execute("fill", `["a"]`, `[7, "exclude"]`), 200)
	if more := charge("SELECT VALUE c.n FROM c WHERE c.n = 7"); more <= by || more >= all {
		t.Errorf("with 7 documents that are not indexed %v RU, without %v", more, by)
	}
	p.wantFault(p.execute("fill", `["a"]`, `[1, "perhaps"]`), 400, "BadRequest", "400")
}

// TestProcedure_Concurrent: scripts that raise one counter at the same time lose none; those that gave up say so by 449.
func TestProcedure_Concurrent(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"n","pk":"a","v":0}`), 201)
	p.script("sprocs", "raise", `function () { __.readDocument(__.getAltLink() + "/docs/n", function (e, d) { if (e) throw e; d.v++; __.replaceDocument(d._self, d) }) }`)
	var wg sync.WaitGroup
	var mu sync.Mutex
	raised := 0
	for range 4 {
		wg.Go(func() {
			for range 15 {
				got := p.execute("raise", `["a"]`, `[]`)
				if got.status != 200 && got.status != 449 {
					t.Errorf("status %d: %s", got.status, got.body)
				}
				if got.status == 200 {
					mu.Lock()
					raised++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if got := p.want(p.item("GET", "/n", `["a"]`, ""), 200).json(t); got["v"] != float64(raised) || raised < 15 {
		t.Errorf("the counter is %v after %d successful calls", got["v"], raised)
	}
}

func TestProcedure_Log(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.script("sprocs", "s", `function (fail) { console.log("The value of %s is %s.", "x", 1); if (fail) throw new Error("after") }`)
	const header = "X-Ms-Documentdb-Script-Log-Results"
	if got := p.want(p.execute("s", `["a"]`, `[]`), 200).header.Get(header); got != "" {
		t.Errorf("not asked for: %q", got)
	}
	for _, args := range []string{`[]`, `[true]`} {
		got, err := url.PathUnescape(p.execute("s", `["a"]`, args, "x-ms-documentdb-script-enable-logging", "true").header.Get(header))
		if err != nil || got != "The value of x is 1." {
			t.Errorf("%s: got %q, %v", args, got, err)
		}
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	trigger := func(id, kind, operation, body string) {
		p.script("triggers", id, body, `,"triggerType":"`+kind+`","triggerOperation":"`+operation+`"`)
	}
	trigger("stamp", "Pre", "All", `function () { var d = __.request.getBody(); d.by = __.request.getOperationType(); getContext().getRequest().setBody(d) }`)
	trigger("upper", "Pre", "Create", `function () { var d = __.request.getBody(); d.id = d.id.toUpperCase() + "t1"; }`)
	trigger("onDelete", "Pre", "Delete", `function () { if (__.request.getBody().keep) throw new Error(403, "keep it") }`)
	trigger("count", "Post", "All", `function () {
		var id = __.response.getBody().id;
		__.readDocument(__.getAltLink() + "/docs/meta", function (e, m) {
			if (e && e.number !== 404) throw e;
			m = m || {id: "meta", pk: "a", seen: []};
			m.seen.push(id);
			__.upsertDocument(__.getSelfLink(), m);
		})
	}`)
	trigger("refuse", "Post", "All", `function () { throw new Error("refused") }`)
	trigger("answer", "Post", "All", `function () { getContext().getResponse().setBody({other: getContext().getResponse().getBody().id}) }`)
	trigger("noResponse", "Pre", "All", `function () { if (getContext().getResponse) throw new Error("there is one") }`)
	pre := func(ids string) []string { return []string{"x-ms-documentdb-pre-trigger-include", ids} }
	post := func(ids string) []string { return []string{"x-ms-documentdb-post-trigger-include", ids} }

	if got := p.want(p.item("POST", "", `["a"]`, `{"id":"doc","pk":"a"}`, pre("upper, stamp,noResponse")...), 201).json(t); got["id"] != "DOCt1" || got["by"] != "Create" {
		t.Errorf("pre-triggers: %v", got)
	}
	p.want(p.item("POST", "", `["a"]`, `{"id":"one","pk":"a"}`, append(pre("stamp"), post("count")...)...), 201)
	p.want(p.item("POST", "", `["a"]`, `{"id":"one","pk":"a","v":2}`, append(append(pre("stamp"), post("count")...), "x-ms-documentdb-is-upsert", "True")...), 200)
	replaced := p.want(p.item("PUT", "/one", `["a"]`, `{"id":"one","pk":"a","v":3}`, append(pre("stamp"), post("count")...)...), 200)
	if got := replaced.json(t); got["by"] != "Replace" || replaced.header.Get("Etag") != got["_etag"] {
		t.Errorf("a replacement: %v", got)
	}
	if got := p.want(p.item("GET", "/meta", `["a"]`, ""), 200).json(t); fmt.Sprint(got["seen"]) != "[one one one]" {
		t.Errorf("the post-trigger wrote %v", got)
	}
	if got := p.want(p.item("POST", "", `["a"]`, `{"id":"two","pk":"a"}`, post("answer")...), 201); got.body != `{"other":"two"}` {
		t.Errorf("a post-trigger's answer: %s", got.body)
	}
	p.wantFault(p.item("POST", "", `["a"]`, `{"id":"three","pk":"a"}`, post("count,refuse")...), 400, "BadRequest", "400")
	p.want(p.item("GET", "/three", `["a"]`, ""), 404)
	if got := p.want(p.item("GET", "/meta", `["a"]`, ""), 200).json(t); len(got["seen"].([]any)) != 3 {
		t.Errorf("a refused write left %v", got)
	}
	p.want(p.item("POST", "", `["a"]`, `{"id":"kept","pk":"a","keep":true}`), 201)
	p.wantFault(p.item("DELETE", "/kept", `["a"]`, "", pre("onDelete")...), 400, "BadRequest", "403")
	p.want(p.item("DELETE", "/one", `["a"]`, "", pre("onDelete")...), 204)
	p.want(p.item("GET", "/one", `["a"]`, ""), 404)

	for name, headers := range map[string][]string{
		"wrong operation": pre("onDelete"), "a post-trigger before": pre("count"), "a pre-trigger after": post("stamp"), "absent": pre("none"),
	} {
		if got := p.item("POST", "", `["a"]`, `{"id":"four","pk":"a"}`, headers...); got.status != 400 {
			t.Errorf("%s: status %d, want 400", name, got.status)
		}
	}
	p.want(p.item("GET", "/four", `["a"]`, ""), 404)
	p.wantFault(p.item("POST", "", `["a"]`, `[{"operationType":"Create","resourceBody":{"id":"x","pk":"a"}}]`,
		append(pre("stamp"), "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True")...), 400, "BadRequest", "")
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for i := range 5 {
		p.want(p.item("POST", "", `["a"]`, fmt.Sprintf(`{"id":"%d","pk":"a","n":%d,"tags":["x","y"]}`, i, i)), 201)
	}
	p.script("udfs", "tax", `function tax(income) { if (income === undefined) throw "no input"; return income < 2 ? income * 0.1 : income * 0.4 }`)
	p.script("udfs", "pick", `function (doc, i) { return {id: doc.id, tag: doc.tags[i]} }`)
	p.script("udfs", "nothing", `function () {}`)
	p.script("udfs", "loop", `function () { while (true) {} }`)
	pk := []string{"x-ms-documentdb-partitionkey", `["a"]`}
	for text, want := range map[string]string{
		`SELECT VALUE udf.tax(c.n) FROM c WHERE udf.tax(c.n) > 0.05 ORDER BY c.n`: `[0.1,0.8,1.2000000000000002,1.6]`,
		`SELECT VALUE udf.pick(c, 1) FROM c WHERE c.n = 3`:                        `[{"id":"3","tag":"y"}]`,
		`SELECT c.id, udf.nothing() AS x FROM c WHERE c.n = 1`:                    `[{"id":"1"}]`,
		`SELECT VALUE SUM(udf.tax(c.n)) FROM c`:                                   `[3.7]`,
	} {
		got := p.want(p.query(text, pk...), 200).json(t)
		if b, _ := json.Marshal(got["Documents"]); string(b) != want {
			t.Errorf("%s: got %s, want %s", text, b, want)
		}
	}
	if got := p.wantFault(p.query(`SELECT VALUE udf.tax(c.none) FROM c`, pk...), 400, "BadRequest", "400"); !strings.Contains(got.body, "no input") {
		t.Errorf("an exception: %s", got.body)
	}
	if got := p.wantFault(p.query(`SELECT VALUE udf.absent(c) FROM c`, pk...), 400, "BadRequest", ""); !strings.Contains(got.body, "udf.absent") {
		t.Errorf("an unknown function: %s", got.body)
	}
	begin := time.Now()
	p.wantFault(p.query(`SELECT VALUE udf.loop() FROM c`, pk...), 408, "RequestTimeout", "")
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("an endless function took %v", took)
	}
	p.script("sprocs", "uses", `function () { __.queryDocuments(__.getSelfLink(), "SELECT VALUE udf.tax(c.n) FROM c WHERE c.n = 1", function (e, rows) { if (e) throw e; __.response.setBody(rows) }) }`)
	if got := p.want(p.execute("uses", `["a"]`, `[]`), 200); got.body != `[0.1]` {
		t.Errorf("a function in a script's query: %s", got.body)
	}
}
