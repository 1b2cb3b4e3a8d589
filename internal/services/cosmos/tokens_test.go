package cosmos

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// with sends a request with a resource token, as it came, percent-encoded by the client.
func (p *platform) with(token, method, path, body string, headers ...string) answer {
	p.t.Helper()
	r := p.request(method, path, body, headers...)
	r.Header.Set("authorization", url.QueryEscape(token))
	return p.serve(r)
}

// permit makes a permission of user u and gives its token.
func (p *platform) permit(name, mode, resource, key string, headers ...string) string {
	p.t.Helper()
	body := `{"id":"` + name + `","permissionMode":"` + mode + `","resource":"` + resource + `"`
	if key != "" {
		body += `,"resourcePartitionKey":` + key
	}
	a := p.want(p.do("POST", "/dbs/db/users/u/permissions", body+"}", append([]string{"x-ms-documentdb-is-upsert", "true"}, headers...)...), 201)
	token, _ := a.json(p.t)["_token"].(string)
	if !strings.HasPrefix(token, "type=resource&ver=1&sig=") || strings.Count(token, ";") != 2 {
		p.t.Fatalf("token %q", token)
	}
	return token
}

func withUser(t testing.TB) *platform {
	t.Helper()
	p := withContainer(t)
	p.want(p.do("POST", "/dbs/db/users", `{"id":"u"}`), 201)
	return p
}

func TestUsers(t *testing.T) {
	t.Parallel()
	p := withUser(t)
	made := p.want(p.do("GET", "/dbs/db/users/u", ""), 200).json(t)
	rid, etag := made["_rid"].(string), made["_etag"].(string)
	if made["_self"] != "dbs/AAAAAQ==/users/"+rid+"/" || made["_permissions"] != "permissions/" {
		t.Errorf("user %v", made)
	}
	p.wantFault(p.do("POST", "/dbs/db/users", `{"id":"u"}`), 409, "Conflict", "")
	p.wantFault(p.do("POST", "/dbs/none/users", `{"id":"u"}`), 404, "NotFound", "1003")
	p.wantFault(p.do("GET", "/dbs/db/users/none", ""), 404, "NotFound", "")
	p.want(p.do("POST", "/dbs/db/users", `{"id":"u"}`, "x-ms-documentdb-is-upsert", "true"), 200)
	p.want(p.do("POST", "/dbs/db/users", `{"id":"v"}`, "x-ms-documentdb-is-upsert", "true"), 201)
	if got := p.want(p.do("GET", "/dbs/AAAAAQ==/users/"+rid, ""), 200).json(t)["id"]; got != "u" {
		t.Errorf("by resource id: %v", got)
	}
	list := p.want(p.do("GET", "/dbs/db/users", ""), 200).json(t)
	if list["_count"] != 2.0 || len(list["Users"].([]any)) != 2 {
		t.Errorf("list %v", list)
	}
	q := p.want(p.do("POST", "/dbs/db/users", `{"query":"SELECT * FROM root r WHERE r.id = 'v'"}`, "x-ms-documentdb-isquery", "true", "content-type", "application/query+json"), 200).json(t)
	if q["_count"] != 1.0 {
		t.Errorf("query %v", q)
	}
	p.wantFault(p.do("PUT", "/dbs/db/users/u", `{"id":"v"}`), 409, "Conflict", "")
	p.wantFault(p.do("PUT", "/dbs/db/users/u", `{"id":"w"}`, "if-match", etag), 412, "PreconditionFailed", "") // the upsert changed it
	p.permit("p", "Read", "dbs/db/colls/c", "")
	if got := p.want(p.do("PUT", "/dbs/db/users/u", `{"id":"w"}`), 200).json(t); got["id"] != "w" || got["_rid"] != rid {
		t.Errorf("renamed %v", got)
	}
	p.want(p.do("GET", "/dbs/db/users/w/permissions/p", ""), 200)
	p.want(p.do("DELETE", "/dbs/db/users/w", ""), 204)
	p.wantFault(p.do("GET", "/dbs/db/users/w", ""), 404, "NotFound", "")
	// A user made anew has none of its permissions.
	p.want(p.do("POST", "/dbs/db/users", `{"id":"w"}`), 201)
	if list := p.want(p.do("GET", "/dbs/db/users/w/permissions", ""), 200).json(t); list["_count"] != 0.0 {
		t.Errorf("permissions of a new user: %v", list)
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	p := withUser(t)
	const path = "/dbs/db/users/u/permissions"
	made := p.want(p.do("POST", path, `{"id":"p","permissionMode":"all","resource":"dbs/db/colls/c/","resourcePartitionKey":["a"]}`), 201).json(t)
	if made["permissionMode"] != "all" || made["resource"] != "dbs/db/colls/c/" || made["resourcePartitionKey"].([]any)[0] != "a" || made["_token"] == "" {
		t.Errorf("permission %v", made)
	}
	rid := made["_rid"].(string)
	for _, ref := range []string{"p", rid} {
		if got := p.want(p.do("GET", path+"/"+ref, ""), 200).json(t); got["_rid"] != rid || !strings.HasSuffix(got["_self"].(string), "/permissions/"+rid+"/") {
			t.Errorf("%s: %v", ref, got)
		}
	}
	for _, bad := range []string{
		`{"id":"q","permissionMode":"Write","resource":"dbs/db/colls/c"}`, `{"id":"q","permissionMode":"All"}`, `{"id":"q","permissionMode":"All","resource":"dbs/db"}`,
		`{"permissionMode":"All","resource":"dbs/db/colls/c"}`, `{"id":"q","permissionMode":"All","resource":"dbs/db/colls/c/other/x"}`, `{"id":"q","permissionMode":"All","resource":"dbs/db/colls/c/docs"}`,
		`{"id":"q","permissionMode":"All","resource":"dbs/db/colls/c","resourcePartitionKey":[{"x":1}]}`, `{"id":"q","permissionMode":"All","resource":"dbs/db/colls/c","resourcePartitionKey":["a","b"]}`,
		`{"id":"q","permissionMode":"All","resource":"dbs/db/colls/c","resourcePartitionKey":[]}`, `{`,
	} {
		p.wantFault(p.do("POST", path, bad), 400, "BadRequest", "")
	}
	p.want(p.do("POST", path, `{"id":"q","permissionMode":"All","resource":"dbs/db/colls/none"}`), 404)
	p.want(p.do("POST", path, `{"id":"q","permissionMode":"All","resource":"dbs/none/colls/c"}`), 404)
	p.want(p.do("POST", "/dbs", `{"id":"db2"}`), 201)
	p.want(p.do("POST", "/dbs/db2/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	p.wantFault(p.do("POST", path, `{"id":"q","permissionMode":"All","resource":"dbs/db2/colls/c"}`), 400, "BadRequest", "")
	for header, status := range map[string]int{"9": 400, "10": 200, "18000": 200, "18001": 400, "x": 400, "-1": 400} {
		p.want(p.do("GET", path+"/p", "", "x-ms-documentdb-expiry-seconds", header), status)
		if status == 400 {
			p.want(p.do("POST", path, `{"id":"never","permissionMode":"All","resource":"dbs/db/colls/c"}`, "x-ms-documentdb-expiry-seconds", header), 400)
		}
	}
	p.want(p.do("GET", path+"/never", ""), 404)
	p.want(p.do("PUT", path+"/p", `{"id":"p2","permissionMode":"Read","resource":"dbs/db/colls/c","resourcePartitionKey":"a"}`), 200)
	p.want(p.do("GET", path+"/p", ""), 404)
	if got := p.want(p.do("GET", path+"/p2", ""), 200).json(t); got["permissionMode"] != "Read" || got["_rid"] != rid || got["resourcePartitionKey"].([]any)[0] != "a" {
		t.Errorf("replaced %v", got)
	}
	list := p.want(p.do("GET", path, ""), 200).json(t)
	if list["_count"] != 1.0 || list["Permissions"].([]any)[0].(map[string]any)["_token"] == nil {
		t.Errorf("list %v", list)
	}
	isQuery := []string{"x-ms-documentdb-isquery", "true", "content-type", "application/query+json"}
	if q := p.want(p.do("POST", path, `{"query":"SELECT * FROM r WHERE r.permissionMode = 'Read'"}`, isQuery...), 200).json(t); q["_count"] != 1.0 {
		t.Errorf("query %v", q)
	}
	// Read-only keys can't get at tokens: with one of mode All they would write.
	for _, key := range []gateway.KeyName{gateway.PrimaryReadOnly, gateway.SecondaryReadOnly} {
		p.wantFault(p.send(p.keys.Keys[key], "GET", path, ""), 403, "Forbidden", "")
		p.wantFault(p.send(p.keys.Keys[key], "GET", path+"/p2", ""), 403, "Forbidden", "")
		p.wantFault(p.send(p.keys.Keys[key], "POST", path, `{"query":"SELECT * FROM r"}`, isQuery...), 403, "Forbidden", "")
		p.want(p.send(p.keys.Keys[key], "GET", "/dbs/db/users/u", ""), 200)
	}
	p.want(p.do("DELETE", path+"/"+rid, ""), 204)
	p.want(p.do("DELETE", path+"/p2", ""), 404)
	p.want(p.do("DELETE", "/dbs/db", ""), 204)
	p.want(p.do("POST", "/dbs", `{"id":"db"}`), 201)
	if list := p.want(p.do("GET", "/dbs/db/users", ""), 200).json(t); list["_count"] != 0.0 {
		t.Errorf("users of a new database: %v", list)
	}
}

// tokenCase is a request, and what a token answers it.
type tokenCase struct {
	method, path, body string
	headers            []string
	status             int
}

func (p *platform) tokenCases(name, token string, cases []tokenCase) {
	p.t.Helper()
	for _, c := range cases {
		if a := p.with(token, c.method, c.path, c.body, c.headers...); a.status != c.status {
			p.t.Errorf("%s: %s %v: %d, want %d: %s", name, a.req, c.headers, a.status, c.status, a.body)
		} else if c.status == 403 && !strings.Contains(a.body, "Insufficient permissions provided in the authorization header") {
			p.t.Errorf("%s: %s: %s", name, a.req, a.body)
		}
	}
}

func TestResourceToken_Reach(t *testing.T) {
	t.Parallel()
	p := withUser(t)
	p.want(p.do("POST", "/dbs/db/colls", `{"id":"other","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	doc := p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201).json(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"2","pk":"a"}`), 201)
	p.want(p.item("POST", "", `["b"]`, `{"id":"1","pk":"b"}`), 201)
	coll := p.want(p.do("GET", "/dbs/db/colls/c", ""), 200).json(t)
	const docs = "/dbs/db/colls/c/docs"
	ridDocs := "/dbs/AAAAAQ==/colls/" + coll["_rid"].(string) + "/docs"
	a, b := []string{"x-ms-documentdb-partitionkey", `["a"]`}, []string{"x-ms-documentdb-partitionkey", `["b"]`}
	query := []string{"x-ms-documentdb-isquery", "true", "content-type", "application/query+json", "x-ms-documentdb-query-enablecrosspartition", "true"}
	all := `{"query":"SELECT * FROM c"}`
	plan := append([]string{"x-ms-cosmos-is-query-plan-request", "True"}, query...)
	upsert := []string{"x-ms-documentdb-is-upsert", "true"}
	atomic := []string{"x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"}
	bulk := []string{"x-ms-cosmos-is-batch-request", "True"}
	join := func(l ...[]string) (out []string) {
		for _, x := range l {
			out = append(out, x...)
		}
		return out
	}
	metadata := []tokenCase{
		{"GET", "/", "", nil, 200},
		{"GET", "/dbs/db/colls/c", "", nil, 200},
		{"HEAD", "/dbs/db/colls/c", "", nil, 200},
		{"GET", "/dbs/db/colls/c/pkranges", "", nil, 200},
		{"GET", "/dbs", "", nil, 403},
		{"POST", "/dbs", `{"id":"x"}`, nil, 403},
		{"GET", "/dbs/db/colls", "", nil, 403},
		{"GET", "/dbs/db/colls/other", "", nil, 403},
		{"GET", "/dbs/db/colls/none", "", nil, 403},
		{"GET", "/dbs/db/colls/other/docs", "", nil, 403},
		{"GET", "/dbs/db/users/u/permissions", "", nil, 403},
		{"GET", "/dbs/db/users", "", nil, 403},
		{"GET", "/offers", "", nil, 403},
		{"POST", "/dbs/db/colls", `{"id":"y","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, nil, 403},
	}
	p.tokenCases("container, Read", p.permit("r", "Read", "dbs/db/colls/c", ""), append([]tokenCase{
		{"GET", docs + "/1", "", a, 200},
		{"GET", ridDocs + "/1", "", a, 200},
		{"GET", docs, "", nil, 200},
		{"POST", docs, all, query, 200},
		{"POST", docs, all, plan, 200},
		{"POST", docs, `{"id":"9","pk":"a"}`, a, 403},
		{"POST", docs, `{"id":"1","pk":"a"}`, join(a, upsert), 403},
		{"PUT", docs + "/1", `{"id":"1","pk":"a"}`, a, 403},
		{"PATCH", docs + "/1", `[{"op":"set","path":"/v","value":1}]`, a, 403},
		{"DELETE", docs + "/1", "", a, 403},
		{"POST", docs, `[{"operationType":"Read","id":"1"}]`, join(a, atomic), 403},
		{"PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, nil, 403},
		{"DELETE", "/dbs/db/colls/c", "", nil, 403},
		{"POST", "/dbs/db/colls/c/sprocs/none", `[]`, join(query, a), 403},
	}, metadata...))
	p.tokenCases("container, All", p.permit("w", "All", "/dbs/AAAAAQ==/colls/"+coll["_rid"].(string)+"/", ""), append([]tokenCase{
		{"POST", docs, `{"id":"9","pk":"a"}`, a, 201},
		{"POST", docs, `{"id":"9","pk":"a"}`, join(a, upsert), 200},
		{"PUT", docs + "/9", `{"id":"9","pk":"a"}`, a, 200},
		{"PATCH", docs + "/9", `[{"op":"set","path":"/v","value":1}]`, a, 200},
		{"POST", docs, `[{"operationType":"Read","id":"9"}]`, join(a, atomic), 200},
		{"POST", docs, `[{"operationType":"Read","id":"9","partitionKey":"[\"a\"]"}]`, bulk, 200},
		{"DELETE", docs + "/9", "", a, 204},
		{"POST", docs, all, query, 200},
		{"PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, nil, 200},
	}, metadata...))
	p.tokenCases("container, All, one partition key", p.permit("k", "All", "dbs/db/colls/c", `["a"]`), append([]tokenCase{
		{"POST", docs, `{"id":"9","pk":"a"}`, a, 201},
		{"POST", docs, `{"id":"9","pk":"b"}`, b, 403},
		{"POST", docs, `{"id":"9","pk":"b"}`, a, 400}, // the document's own key counts
		{"POST", docs, `{"id":"9","pk":"a"}`, nil, 403},
		{"GET", docs + "/1", "", a, 200},
		{"GET", docs + "/1", "", b, 403},
		{"GET", docs, "", a, 200},
		{"GET", docs, "", b, 403},
		{"GET", docs, "", nil, 403},
		{"GET", docs, "", []string{"x-ms-documentdb-partitionkeyrangeid", "0"}, 403},
		{"GET", docs, "", []string{"x-ms-documentdb-partitionkey", "[]"}, 403},
		{"GET", docs, "", []string{"x-ms-documentdb-partitionkey", "nonsense"}, 403},
		{"POST", docs, all, query, 403},
		{"POST", docs, all, join(query, a), 200},
		{"POST", docs, all, join(query, b), 403},
		{"POST", docs, all, plan, 200},
		{"POST", docs, `[{"operationType":"Delete","id":"9"}]`, join(b, atomic), 403},
		{"POST", docs, `[{"operationType":"Read","id":"9"}]`, join(a, atomic), 200},
		{"POST", docs, `[{"operationType":"Read","id":"9","partitionKey":"[\"a\"]"}]`, bulk, 200},
		{"POST", docs, `[{"operationType":"Read","id":"9","partitionKey":"[\"a\"]"},{"operationType":"Read","id":"1","partitionKey":"[\"b\"]"}]`, bulk, 403},
		{"POST", docs, `[{"operationType":"Read","id":"9","partitionKey":"[\"b\"]"}]`, join(a, bulk), 403},
		{"DELETE", docs + "/9", "", a, 204},
		{"PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, nil, 403},
		{"DELETE", "/dbs/db/colls/c", "", nil, 403},
	}, metadata...))
	one := []tokenCase{
		{"GET", docs + "/1", "", a, 200},
		{"GET", docs + "/" + doc["_rid"].(string), "", a, 200},
		{"PUT", docs + "/1", `{"id":"1","pk":"a"}`, a, 200},
		{"GET", docs + "/1", "", b, 403},
		{"GET", docs + "/1", "", nil, 403},
		{"GET", docs + "/2", "", a, 403},
		{"GET", docs, "", a, 403},
		{"POST", docs, all, join(query, a), 403},
		{"POST", docs, `{"id":"1","pk":"a"}`, join(a, upsert), 403},
		{"DELETE", "/dbs/db/colls/c", "", nil, 403},
	}
	byName := p.permit("d", "All", "dbs/db/colls/c/docs/1", `["a"]`)
	p.tokenCases("document by name", byName, append(one, metadata...))
	// Without a partition key it can't be told which document is meant: by that name in any partition, and by that name only.
	p.tokenCases("document by name, no key", p.permit("dn", "Read", "dbs/db/colls/c/docs/1", ""), []tokenCase{
		{"GET", docs + "/1", "", a, 200},
		{"GET", docs + "/1", "", b, 200},
		{"GET", docs + "/2", "", a, 403},
		{"GET", docs + "/" + doc["_rid"].(string), "", a, 403},
		{"PUT", docs + "/1", `{"id":"1","pk":"a"}`, a, 403},
	})
	p.tokenCases("document by resource id", p.permit("di", "Read", strings.Trim(doc["_self"].(string), "/"), ""), []tokenCase{
		{"GET", docs + "/" + doc["_rid"].(string), "", a, 200},
		{"GET", docs + "/1", "", a, 200},
		{"GET", docs + "/1", "", b, 403},
		{"GET", docs + "/2", "", a, 403},
	})
	// A document made anew under the old id is another one.
	p.want(p.item("DELETE", "/1", `["a"]`, ""), 204)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	p.tokenCases("document made anew", byName, []tokenCase{{"GET", docs + "/1", "", a, 403}})
	// The whole container may go with a token for all of it.
	p.tokenCases("container, All", p.permit("w2", "All", "dbs/db/colls/c", ""), []tokenCase{{"DELETE", "/dbs/db/colls/c", "", nil, 204}})
}

func TestResourceToken_Ends(t *testing.T) {
	t.Parallel()
	const docs = "/dbs/db/colls/c/docs"
	path := "/dbs/db/users/u/permissions/p"
	ctx := context.Background()
	for name, tt := range map[string]struct {
		end    func(p *platform)
		status int
		text   string
	}{
		"nothing":         {func(*platform) {}, 200, ""},
		"59 minutes":      {func(p *platform) { p.clock.Advance(59 * time.Minute) }, 200, ""},
		"an hour":         {func(p *platform) { p.clock.Advance(time.Hour) }, 403, "not valid at the current time"},
		"permission gone": {func(p *platform) { p.want(p.do("DELETE", path, ""), 204) }, 403, "deleted or replaced"},
		"permission anew": {func(p *platform) { p.want(p.do("DELETE", path, ""), 204); p.permit("p", "All", "dbs/db/colls/c", "") }, 403, "deleted or replaced"},
		"permission put": {func(p *platform) {
			p.want(p.do("PUT", path, `{"id":"p","permissionMode":"All","resource":"dbs/db/colls/c"}`), 200)
		}, 403, "deleted or replaced"},
		"permission read": {func(p *platform) { p.want(p.do("GET", path, ""), 200) }, 200, ""},
		"user gone":       {func(p *platform) { p.want(p.do("DELETE", "/dbs/db/users/u", ""), 204) }, 403, "deleted or replaced"},
		"user renamed":    {func(p *platform) { p.want(p.do("PUT", "/dbs/db/users/u", `{"id":"v"}`), 200) }, 200, ""},
		"container changed": {func(p *platform) {
			p.want(p.do("PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 200)
		}, 200, ""},
		"container anew": {func(p *platform) {
			p.want(p.do("DELETE", "/dbs/db/colls/c", ""), 204)
			p.want(p.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
		}, 403, "deleted or replaced"},
		"database gone":      {func(p *platform) { p.want(p.do("DELETE", "/dbs/db", ""), 204) }, 403, "deleted or replaced"},
		"primary key anew":   {func(p *platform) { p.regenerate(ctx, gateway.Primary) }, 401, "regenerated"},
		"secondary key anew": {func(p *platform) { p.regenerate(ctx, gateway.Secondary) }, 200, ""},
		"local auth off": {func(p *platform) {
			p.check(p.put("acct", `{"location":"West US","properties":{"disableLocalAuth":true}}`))
		}, 401, "Local Authorization is disabled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := withUser(t)
			token := p.permit("p", "All", "dbs/db/colls/c", "")
			p.want(p.with(token, "GET", docs, ""), 200)
			tt.end(p)
			if a := p.with(token, "GET", docs, ""); a.status != tt.status || !strings.Contains(a.body, tt.text) {
				t.Errorf("%d %s, want %d %q", a.status, a.body, tt.status, tt.text)
			}
		})
	}
}

func (p *platform) regenerate(ctx context.Context, which gateway.KeyName) {
	p.t.Helper()
	p.check(p.s.replaceKey(ctx, subscriptionShard(subscription), p.account().GUID, which, masterkey.Generate(), p.clock.Now(), func(fn func(store.Tx) error) error {
		_, err := p.store.Update(ctx, subscriptionShard(subscription), fn)
		return err
	}))
	p.loadKeys()
}

// TestResourceToken_Forged: whatever is changed of a token, it opens nothing.
func TestResourceToken_Forged(t *testing.T) {
	t.Parallel()
	p := withUser(t)
	token := p.permit("p", "Read", "dbs/db/colls/c", "")
	short := p.permit("s", "Read", "dbs/db/colls/c", "", "x-ms-documentdb-expiry-seconds", "10")
	p.want(p.with(token, "GET", "/", ""), 200)
	p.want(p.with(strings.Replace(token, "ver=1&", "ver=1.0&", 1), "GET", "/", ""), 200)
	sig := strings.TrimPrefix(token, "type=resource&ver=1&sig=")
	parts := strings.Split(sig, ";")
	raw, err := base64.StdEncoding.DecodeString(parts[1])
	p.check(err)
	other := strings.Split(p.permit("q", "All", "dbs/db/colls/c", ""), ";")
	later := base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"x":1`, `"x":9`, 1)))
	if later == parts[1] {
		t.Fatalf("payload %s", raw)
	}
	const head = "type=resource&ver=1&sig="
	for _, forged := range []string{
		head, head + ";;", head + parts[0] + ";" + later + ";", head + parts[0] + ";" + other[1] + ";", head + ";" + parts[1] + ";", head + parts[0] + ";" + parts[1], head + parts[0] + ";" + parts[1] + ";;",
		head + parts[1] + ";" + parts[0] + ";", head + parts[0] + ";" + base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"k":0`, `"k":2`, 1))) + ";",
		head + parts[0] + ";" + base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"k":0`, `"k":-1`, 1))) + ";",
		head + parts[0] + ";" + base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(raw), `"k":0`, `"k":99`, 1))) + ";",
		head + parts[0] + ";" + base64.StdEncoding.EncodeToString([]byte("null")) + ";",
	} {
		p.wantFault(p.with(forged, "GET", "/", ""), 401, "Unauthorized", "")
	}
	p.clock.Advance(11 * time.Second)
	p.want(p.with(token, "GET", "/", ""), 200)
	p.wantFault(p.with(short, "GET", "/", ""), 403, "Forbidden", "")
	// It is one account's.
	p.check(p.put("acct2", `{"location":"West US","properties":{}}`))
	r := p.request("GET", "/", "")
	r.Host = "acct2.documents.azure.com"
	r.Header.Set("authorization", url.QueryEscape(token))
	p.wantFault(p.serve(r), 401, "Unauthorized", "")
}

// FuzzResourceToken: whatever stands in place of a token, it is refused, and no answer is a 500.
func FuzzResourceToken(f *testing.F) {
	p := withUser(f)
	token := p.permit("p", "All", "dbs/db/colls/c", "")
	f.Add(strings.TrimPrefix(token, "type=resource&ver=1&sig="))
	f.Add(";;")
	f.Add("AAAA;eyJwIjoiQUFBQUFRPT0iLCJrIjo5fQ==;")
	f.Fuzz(func(t *testing.T, sig string) {
		p.t = t
		if a := p.with("type=resource&ver=1&sig="+sig, "GET", "/", ""); a.status != 401 && !(a.status == 200 && "type=resource&ver=1&sig="+sig == token) {
			t.Errorf("%q: %d %s", sig, a.status, a.body)
		}
	})
}

// FuzzScope: a scope that is accepted is the account or a part of it.
func FuzzScope(f *testing.F) {
	const account = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/acct"
	f.Add("/")
	f.Add(account + "/dbs/a/colls/b")
	f.Add(account + "2/dbs/a")
	f.Fuzz(func(t *testing.T, text string) {
		scope, err := parseScope(account, text)
		if err != nil {
			return
		}
		if again, err := parseScope(account, fullScope(account, scope)); err != nil || again != scope {
			t.Errorf("%q: %q, then %q, %v", text, scope, again, err)
		}
	})
}
