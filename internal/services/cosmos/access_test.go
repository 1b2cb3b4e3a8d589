package cosmos

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
)

// TestAccessMatrix: every way to prove who calls, under every state of the account, by every kind of operation, through the wire. Subnets have a test of their own,
// with network namespaces (e2e).
func TestAccessMatrix(t *testing.T) {
	t.Parallel()
	const docs = "/dbs/db/colls/c/docs"
	pkB := []string{"x-ms-documentdb-partitionkey", `["b"]`}
	operations := []tokenCase{ // status: of whoever may do it
		{"GET", "/", "", nil, 200},
		{"GET", "/dbs/db/colls/c", "", nil, 200},
		{"GET", docs + "/1", "", pkA, 200},
		{"POST", docs, `{"query":"SELECT * FROM c"}`, isQueryA, 200},
		{"PUT", docs + "/1", `{"id":"1","pk":"a"}`, pkA, 200},
		{"PUT", docs + "/1", `{"id":"1","pk":"b"}`, pkB, 200},
		{"GET", "/dbs/db/colls/other/docs", "", nil, 200},
		{"POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, nil, 409},
		{"GET", "/dbs/db/users/u/permissions/p", "", nil, 200},
	}
	// What each credential does of them, in order: y yes, u 401, f 403.
	callers := []struct{ name, can string }{
		{"primary key", "yyyyyyyyy"},
		{"secondary key", "yyyyyyyyy"},
		{"primary read-only key", "yyyyffyff"},
		{"secondary read-only key", "yyyyffyff"},
		{"old primary key", "uuuuuuuuu"},
		{"other account's key", "uuuuuuuuu"},
		{"none", "uuuuuuuuu"},
		{"token, Read", "yyyyfffff"},
		{"token, All", "yyyyyyfff"},
		{"token, All of a", "yyyyyffff"},
		{"token, Read of item", "yyyffffff"},
		{"token of old key", "uuuuuuuuu"},
		{"reader", "yyyyffyff"},
		{"contributor of c", "yyyyyyfff"},
		{"no role", "fffffffff"},
		{"foreign", "uuuuuuuuu"},
		{"ARM owner", "fffffffff"},
	}
	states := []struct {
		name, properties, from string
		change                 func(caller string, can byte, op int) byte
	}{
		{"open", `{"ipRules":[]}`, "192.0.2.7", nil},
		{"inside the IP list", `{"ipRules":[{"ipAddressOrRange":"198.51.100.1"},{"ipAddressOrRange":"192.0.2.0/28"}]}`, "192.0.2.7", nil},
		{"outside the IP list", `{"ipRules":[{"ipAddressOrRange":"198.51.100.1"},{"ipAddressOrRange":"192.0.2.0/28"}]}`, "192.0.2.16", func(string, byte, int) byte { return 'f' }},
		{"Azure only", `{"ipRules":[{"ipAddressOrRange":"0.0.0.0"}]}`, "192.0.2.7", func(string, byte, int) byte { return 'f' }},
		{"public access off", `{"ipRules":[],"publicNetworkAccess":"Disabled"}`, "192.0.2.7", func(string, byte, int) byte { return 'f' }},
		{"local auth off", `{"publicNetworkAccess":"Enabled","disableLocalAuth":true}`, "192.0.2.7", func(caller string, can byte, _ int) byte {
			if strings.Contains(caller, "key") || strings.HasPrefix(caller, "token") {
				return 'u'
			}
			return can
		}},
		{"no metadata by keys", `{"disableLocalAuth":false,"disableKeyBasedMetadataWriteAccess":true}`, "192.0.2.7", func(caller string, can byte, op int) byte {
			if op == 7 && can == 'y' {
				return 'f'
			}
			return can
		}},
	}
	c := newControlled(t).withItem()
	c.want(c.item("POST", "", `["b"]`, `{"id":"1","pk":"b"}`), 201)
	c.want(c.do("POST", "/dbs/db/colls", `{"id":"other","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	c.want(c.do("POST", "/dbs/db/users", `{"id":"u"}`), 201)
	oldToken, oldKey := c.permit("p", "All", "dbs/db/colls/c", ""), c.keys.Keys[gateway.Primary]
	c.arm("owner", "POST", "/regenerateKey", `{"keyKind":"primary"}`, 200)
	c.readKeys()
	c.arm("owner", "PUT", strings.TrimSuffix(c.account, "acct")+"acct2", `{"location":"West US","properties":{}}`, 200)
	other := c.arm("owner", "POST", strings.TrimSuffix(c.account, "acct")+"acct2/listKeys", "", 200)["primaryMasterKey"].(string)
	c.assign(1, readerRole, "/", "app", 200)
	c.assign(2, contributorRole, "/dbs/db/colls/c", groupID, 200)
	keys := map[string]string{
		"primary key": c.keys.Keys[0], "secondary key": c.keys.Keys[1], "primary read-only key": c.keys.Keys[2], "secondary read-only key": c.keys.Keys[3],
		"old primary key": oldKey, "other account's key": other,
	}
	headers := map[string]string{
		"none": "", "token, Read": c.permit("r", "Read", "dbs/db/colls/c", ""), "token, All": c.permit("w", "All", "dbs/db/colls/c", ""),
		"token, All of a": c.permit("k", "All", "dbs/db/colls/c", `["a"]`), "token, Read of item": c.permit("i", "Read", "dbs/db/colls/c/docs/1", `["a"]`), "token of old key": oldToken,
		"reader": "type=aad&ver=1.0&sig=:app", "contributor of c": "type=aad&ver=1.0&sig=:member", "no role": "type=aad&ver=1.0&sig=:nobody", "foreign": "type=aad&ver=1.0&sig=:foreign",
		"ARM owner": "type=aad&ver=1.0&sig=:owner",
	}
	for _, state := range states {
		c.arm("owner", "PATCH", "", `{"properties":`+state.properties+`}`, 200)
		for _, caller := range callers {
			for i, op := range operations {
				want := caller.can[i]
				if state.change != nil {
					want = state.change(caller.name, want, i)
				}
				r := c.request(op.method, op.path, op.body, op.headers...)
				r.RemoteAddr = state.from + ":1"
				if key, ok := keys[caller.name]; ok {
					r = c.sign(key, r)
				} else if h := headers[caller.name]; h != "" {
					r.Header.Set("authorization", url.QueryEscape(h))
				}
				got := c.serve(r)
				if status := map[byte]int{'y': op.status, 'u': 401, 'f': 403}[want]; got.status != status {
					t.Errorf("%s, %s: %s: %d, want %d: %s", state.name, caller.name, got.req, got.status, status, got.body)
				}
				if got.status == 403 && state.from != "192.0.2.7" && !strings.Contains(got.body, state.from) {
					t.Errorf("%s, %s: %s does not name the client's address: %s", state.name, caller.name, got.req, got.body)
				}
			}
		}
	}
	if n := len(states) * len(callers) * len(operations); n < 1000 {
		t.Error(fmt.Sprint(n, " cells"))
	}
}
