package cosmos

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// TestKeys_Matrix: each of the four keys reads, queries and writes, before and after each is regenerated.
func TestKeys_Matrix(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	pk := []string{"x-ms-documentdb-partitionkey", `["a"]`}
	isQuery := append([]string{"content-type", "application/query+json"}, pk...)
	check := func(when string, key string, which gateway.KeyName, alive bool) {
		t.Helper()
		for _, tt := range []struct {
			method, path, body string
			headers            []string
			writes             bool
			status             int
		}{
			{"GET", "/", "", nil, false, 200},
			{"GET", "/dbs/db/colls/c/docs/1", "", pk, false, 200},
			{"GET", "/dbs/db/colls/c/docs", "", nil, false, 200},
			{"HEAD", "/dbs/db/colls/c", "", nil, false, 200},
			{"GET", "/dbs/db/colls/c/pkranges", "", nil, false, 200},
			{"GET", "/offers", "", nil, false, 200},
			{"POST", "/dbs/db/colls/c/docs", `{"query":"SELECT * FROM c"}`, isQuery, false, 200},
			{"POST", "/dbs/db/colls/c/docs", `{"query":"SELECT * FROM c"}`, append([]string{"x-ms-cosmos-is-query-plan-request", "True"}, pk...), false, 200},
			{"POST", "/dbs", `{"query":"SELECT * FROM r"}`, isQuery, false, 200},
			{"POST", "/dbs/db/colls/c/docs", `{"id":"1","pk":"a"}`, append([]string{"x-ms-documentdb-is-upsert", "true"}, pk...), true, 200},
			{"POST", "/dbs/db/colls/c/docs", `{"id":"1","pk":"a"}`, append([]string{"x-ms-documentdb-isquery", "false"}, pk...), true, 409},
			{"PUT", "/dbs/db/colls/c/docs/1", `{"id":"1","pk":"a"}`, pk, true, 200},
			{"PATCH", "/dbs/db/colls/c/docs/1", `[{"op":"set","path":"/v","value":1}]`, pk, true, 200},
			{"DELETE", "/dbs/db/colls/c/docs/none", "", pk, true, 404},
			{"POST", "/dbs/db/colls/c/docs", `[{"operationType":"Read","id":"1"}]`, append([]string{"x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"}, pk...), true, 200},
			{"POST", "/dbs", `{"id":"db"}`, nil, true, 409},
			{"POST", "/dbs/db/colls/c/sprocs/none", `[]`, isQuery, true, 0}, // runs a procedure, whatever the headers say
			{"DELETE", "/dbs/none", "", nil, true, 404},
			{"PUT", "/offers/none", `{}`, nil, true, 400},
		} {
			want, sub := tt.status, ""
			switch {
			case !alive:
				want = 401
			case which.ReadOnly() && tt.writes:
				want = 403
			}
			if tt.status == 404 && want == 404 && strings.HasPrefix(tt.path, "/dbs/none") {
				sub = "1003"
			}
			a := p.send(key, tt.method, tt.path, tt.body, tt.headers...)
			if want == 400 && a.status == 404 || want == 0 && a.status != 401 && a.status != 403 {
				continue // an unknown offer, or a procedure that is not there
			}
			if a.status != want || a.header.Get("X-Ms-Substatus") != sub {
				t.Errorf("%s, %v, %s %v: %d/%q, want %d/%q: %s", when, which, a.req, tt.headers, a.status, a.header.Get("X-Ms-Substatus"), want, sub, a.body)
			}
		}
	}
	guid := p.account().GUID
	for which := range gateway.KeyCount {
		check("at first", p.keys.Keys[which], which, true)
	}
	for which := range gateway.KeyCount {
		old := p.keys.Keys
		p.check(p.s.replaceKey(context.Background(), subscriptionShard(subscription), guid, which, p.clock.Now(), func(fn func(store.Tx) error) error {
			_, err := p.store.Update(context.Background(), subscriptionShard(subscription), fn)
			return err
		}))
		p.loadKeys()
		for other := range gateway.KeyCount {
			if (old[other] != p.keys.Keys[other]) != (other == which) {
				t.Errorf("regenerating the %v changed the %v", which, other)
			}
		}
		check("regenerated, old", old[which], which, false)
		check("regenerated, new", p.keys.Keys[which], which, true)
	}
}

func (p *platform) account() *gateway.Account {
	p.t.Helper()
	a, err := p.s.accounts.Account(context.Background(), "acct")
	p.check(err)
	if a == nil {
		p.t.Fatal("no account")
	}
	return a
}

func TestAuthorization_Refusals(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	key := p.keys.Keys[gateway.Primary]
	get := func(change func(r *http.Request)) answer {
		r := p.sign(key, p.request("GET", "/dbs/db", ""))
		change(r)
		return p.serve(r)
	}
	for name, tt := range map[string]struct {
		change func(r *http.Request)
		status int
		code   string
		text   string
	}{
		"as it is":  {func(*http.Request) {}, 200, "", ""},
		"none":      {func(r *http.Request) { r.Header.Del("authorization") }, 401, "Unauthorized", "Required Header authorization is missing"},
		"malformed": {func(r *http.Request) { r.Header.Set("authorization", "Bearer x") }, 401, "Unauthorized", "malformed"},
		"no date":   {func(r *http.Request) { r.Header.Del("x-ms-date") }, 401, "Unauthorized", "x-ms-date"},
		"bad date":  {func(r *http.Request) { r.Header.Set("x-ms-date", "yesterday") }, 401, "Unauthorized", "RFC 1123"},
		"other date": {func(r *http.Request) {
			r.Header.Set("x-ms-date", p.clock.Now().Add(time.Minute).Format(http.TimeFormat))
		}, 401, "Unauthorized", "payload to sign: 'get\ndbs\ndbs/db\nsun, 01 mar"},
		"other verb": {func(r *http.Request) { r.Method = "DELETE" }, 401, "Unauthorized", "payload to sign: 'delete"},
		"other path": {func(r *http.Request) { r.URL.Path = "/dbs/dc" }, 401, "Unauthorized", "dbs/dc"},
		"other case": {func(r *http.Request) { r.URL.Path = "/dbs/DB" }, 401, "Unauthorized", "dbs/DB"},
		"other version": {func(r *http.Request) {
			r.Header.Set("authorization", strings.Replace(r.Header.Get("authorization"), "1.0", "2.0", 1))
		}, 401, "Unauthorized", "version"},
		"resource token": {func(r *http.Request) { r.Header.Set("authorization", "type=resource&ver=1.0&sig=x;y;") }, 401, "Unauthorized", "resource token"},
		"bad token":      {func(r *http.Request) { r.Header.Set("authorization", url.QueryEscape("type=aad&ver=1.0&sig=bad")) }, 401, "Unauthorized", "signature"},
		"other audience": {func(r *http.Request) {
			r.Header.Set("authorization", url.QueryEscape("type=aad&ver=1.0&sig=https://vault.azure.net"))
		}, 401, "Unauthorized", "audience"},
		"token, no role": {func(r *http.Request) {
			r.Header.Set("authorization", url.QueryEscape("type=aad&ver=1.0&sig=https://"+host))
		}, 403, "Forbidden", "does not have required RBAC permissions to perform action [Microsoft.DocumentDB/databaseAccounts/readMetadata] on resource [dbs/db]"},
		"token for all": {func(r *http.Request) {
			r.Header.Set("authorization", url.QueryEscape("type=aad&ver=1.0&sig=https://cosmos.azure.com/"))
		}, 403, "Forbidden", "does not have required RBAC permissions to perform action [Microsoft.DocumentDB/databaseAccounts/readMetadata] on resource [dbs/db]"},
		"no such account": {func(r *http.Request) { r.Host = "other.documents.azure.com" }, 403, "Forbidden", "does not exist"},
	} {
		a := get(tt.change)
		p.want(a, tt.status)
		if tt.code != "" && (a.json(t)["code"] != tt.code || !strings.Contains(a.json(t)["message"].(string), tt.text)) {
			t.Errorf("%s: %s, want %s with %q", name, a.body, tt.code, tt.text)
		}
		if strings.Contains(a.body, key[:12]) {
			t.Errorf("%s: the answer holds the key", name)
		}
	}
	// A key of another account.
	p.want(p.send(masterkey.Generate(), "GET", "/dbs/db", ""), 401)
	// Time.
	for d, want := range map[time.Duration]int{14 * time.Minute: 200, -14 * time.Minute: 200, 16 * time.Minute: 403, -16 * time.Minute: 403} {
		a := p.serve(p.sign(key, p.request("GET", "/dbs/db", "", "x-ms-date", p.clock.Now().Add(d).Format(http.TimeFormat))))
		if a.status != want || want == 403 && !strings.Contains(a.body, "not valid at the current time") {
			t.Errorf("%v off: %d %s", d, a.status, a.body)
		}
	}
	// The date header in place of x-ms-date, and links that other clients sign.
	k, err := masterkey.NewKey(key)
	p.check(err)
	r := p.request("GET", "/dbs/db", "", "date", p.clock.Now().Format(http.TimeFormat))
	r.Header.Del("x-ms-date")
	p.want(p.serve(p.signAs(k, r, "dbs", "dbs/db")), 200)
	rid := p.want(p.do("GET", "/dbs/db", ""), 200).json(t)["_rid"].(string)
	p.want(p.serve(p.signAs(k, p.request("GET", "/dbs/"+rid, ""), "dbs", strings.ToLower(rid))), 200)
	p.want(p.serve(p.signAs(k, p.request("GET", "/dbs/"+rid+"/colls", ""), "colls", strings.ToLower(rid))), 200)
	p.want(p.serve(p.signAs(k, p.request("GET", "//dbs//db/", ""), "dbs", "dbs/db")), 200)
	lower := p.sign(key, p.request("GET", "/dbs/db", ""))
	lower.Header.Set("authorization", strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d").Replace(lower.Header.Get("authorization")))
	p.want(p.serve(lower), 200)
}

func TestFirewall(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	for _, tt := range []struct {
		properties, from, process string
		status                    int
	}{
		{`{}`, "192.0.2.7", "", 200},
		{`{"ipRules":[{"ipAddressOrRange":"192.0.2.7"}]}`, "192.0.2.7", "", 200},
		{`{"ipRules":[{"ipAddressOrRange":"192.0.2.0/24"},{"ipAddressOrRange":"2001:db8::/32"}]}`, "192.0.2.200", "", 200},
		{`{"ipRules":[{"ipAddressOrRange":"192.0.2.0/24"},{"ipAddressOrRange":"2001:db8::/32"}]}`, "2001:db8::7", "", 200},
		{`{"ipRules":[{"ipAddressOrRange":"192.0.2.0/24"}]}`, "192.0.3.1", "", 403},
		{`{"ipRules":[{"ipAddressOrRange":"192.0.2.0/24"}]}`, "::ffff:192.0.2.9", "", 200},
		{`{"ipRangeFilter":"198.51.100.0/24, 192.0.2.7"}`, "192.0.2.7", "", 200},
		{`{"ipRangeFilter":"198.51.100.0/24, 192.0.2.7"}`, "192.0.2.8", "", 403},
		{`{"isVirtualNetworkFilterEnabled":true}`, "192.0.2.7", "", 403},
		{`{"ipRules":[{"ipAddressOrRange":"0.0.0.0"}]}`, "192.0.2.7", "", 403},
		{`{"ipRules":[{"ipAddressOrRange":"0.0.0.0"}]}`, "127.0.0.1", "/subscriptions/s/site", 200},
		{`{"ipRules":[{"ipAddressOrRange":"192.0.2.7"}]}`, "127.0.0.1", "/subscriptions/s/site", 403},
		{`{"publicNetworkAccess":"disabled"}`, "192.0.2.7", "", 403},
	} {
		p.check(p.put("acct", `{"location":"West US","properties":`+tt.properties+`}`))
		r := p.sign(p.keys.Keys[gateway.Primary], p.request("GET", "/dbs/db", ""))
		r.RemoteAddr = tt.from + ":9"
		if strings.Contains(tt.from, ":") {
			r.RemoteAddr = "[" + tt.from + "]:9"
		}
		p.process = tt.process
		a := p.serve(r)
		if a.status != tt.status || tt.status == 403 && !strings.Contains(a.body, "Request originated from IP "+strings.TrimPrefix(tt.from, "::ffff:")) {
			t.Errorf("%s from %s: %d %s", tt.properties, tt.from, a.status, a.body)
		}
	}
}

func TestAccount_Switches(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	p.check(p.put("acct", `{"location":"West US","properties":{"disableLocalAuth":true}}`))
	p.wantFault(p.do("GET", "/dbs/db", ""), 401, "Unauthorized", "5202")
	p.check(p.put("acct", `{"location":"West US","properties":{"disableKeyBasedMetadataWriteAccess":true}}`))
	p.want(p.do("GET", "/dbs/db", ""), 200)
	p.wantFault(p.do("POST", "/dbs", `{"id":"x"}`), 403, "Forbidden", "5300")
	p.wantFault(p.do("DELETE", "/dbs/db/colls/c", ""), 403, "Forbidden", "5300")
	p.wantFault(p.do("POST", "/dbs/db/colls/c/sprocs", `{"id":"s","body":"function(){}"}`), 403, "Forbidden", "5300")
	if a := p.do("POST", "/dbs/db/colls/c/sprocs/s", "[]", pkA...); a.status == 403 {
		t.Errorf("execution of a stored procedure is not metadata: %s", a.body)
	}
	p.want(p.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	for _, bad := range []string{
		`{"virtualNetworkRules":[{"id":"/subscriptions/x"}]}`, `{"locations":[{"locationName":"a"},{"locationName":"b","failoverPriority":1}]}`, `{"enableMultipleWriteLocations":true}`,
		`{"cors":[{"allowedOrigins":"https://a.example/x"}]}`, `{"cors":[{}]}`, `{"cors":[{"allowedOrigins":"*"},{"allowedOrigins":"*"}]}`, `{"cors":[{"allowedOrigins":"*","maxAgeInSeconds":-1}]}`, `{"keyVaultKeyUri":"https://kv"}`, `{"capabilities":[{"name":"EnableMongo"}]}`, `{"createMode":"Restore"}`, `{"consistencyPolicy":{"defaultConsistencyLevel":"Wild"}}`,
		`{"ipRules":[{"ipAddressOrRange":"x"}]}`, `{"ipRangeFilter":"1.2.3.4/99"}`, `{"publicNetworkAccess":"Maybe"}`, `{"databaseAccountOfferType":"Gold"}`, `{"ipRules":7}`, `{"capacity":{"totalThroughputLimit":1000}}`,
		`{"capabilities":[{"name":"EnableServerless"}]}`,
	} {
		if err := p.put("acct", `{"location":"West US","properties":`+bad+`}`); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	for _, bad := range []string{"ab", "UPPER", "a_b", "-ab", "ab-", "a--b", strings.Repeat("a", 51)} {
		if err := p.put(bad, `{"location":"West US"}`); err == nil {
			t.Errorf("the name %q was accepted", bad)
		}
	}
	if err := p.put("mongo", `{"location":"West US","kind":"MongoDB"}`); err == nil {
		t.Error("a MongoDB account was accepted")
	}
}

// TestRender: what a read of the account shows, old and new.
func TestRender(t *testing.T) {
	t.Parallel()
	p := withAccount(t)
	p.check(p.put("acct", `{"location":"West US","properties":{"ipRules":[{"ipAddressOrRange":"1.2.3.4"},{"ipAddressOrRange":"5.6.7.0/24"}]}}`))
	c := p.call("acct", "")
	for version, want := range map[string]string{"2015-04-08": `"ipRangeFilter":"1.2.3.4,5.6.7.0/24"`, "2023-04-15": `"ipRules":[{"ipAddressOrRange":"1.2.3.4"},{"ipAddressOrRange":"5.6.7.0/24"}]`} {
		c.Version = version
		raw, err := p.s.render(context.Background(), c, c.Old)
		p.check(err)
		s := string(raw)
		for _, want := range []string{want, `"documentEndpoint":"https://acct.documents.azure.com:443/"`, `"provisioningState":"Succeeded"`, `"defaultConsistencyLevel":"Session"`, `"locationName":"West US"`} {
			if !strings.Contains(s, want) {
				t.Errorf("%s lacks %s: %s", version, want, s)
			}
		}
		if strings.Contains(s, "ipRules") && strings.Contains(s, "ipRangeFilter") {
			t.Errorf("%s has both forms: %s", version, s)
		}
	}
	for _, fn := range []func() (any, error){
		func() (any, error) { return p.s.listKeys(context.Background(), c) },
		func() (any, error) { return p.s.readOnlyKeys(context.Background(), c) },
		func() (any, error) { return p.s.connectionStrings(context.Background(), c) },
	} {
		v, err := fn()
		p.check(err)
		s := fmt.Sprintf("%+v", v)
		if !strings.Contains(s, p.keys.Keys[gateway.SecondaryReadOnly]) {
			t.Errorf("lacks the secondary read-only key: %T", v)
		}
		if _, restricted := v.(readKeys); restricted == strings.Contains(s, p.keys.Keys[gateway.Primary]) {
			t.Errorf("%T and the primary key", v)
		}
	}
}

// TestKeys_NotInClear looks for the keys in all that is stored.
func TestKeys_NotInClear(t *testing.T) {
	t.Parallel()
	p := withContainer(t)
	ctx := context.Background()
	shards, err := p.store.Shards(ctx, "", "", 0)
	p.check(err)
	seen := 0
	for _, shard := range shards {
		p.check(p.store.View(ctx, shard, func(sn store.Snapshot) error {
			return sn.Scan(store.Range{}, func(k, v []byte) bool {
				seen++
				for _, key := range p.keys.Keys {
					if bytes.Contains(v, []byte(key[:20])) || bytes.Contains(k, []byte(key[:20])) {
						t.Errorf("%s %q holds a key in clear", shard, k)
					}
				}
				return true
			})
		}))
	}
	if seen < 8 || fmt.Sprint(p.keys, *p.keys) != "[redacted] [redacted]" {
		t.Errorf("%d rows; keys print as %v", seen, p.keys)
	}
}
