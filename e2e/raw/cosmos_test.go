package raw

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// signed are the headers of a request signed with an account key, at a time.
func signed(t *testing.T, key, method, kind, link string, at time.Time) http.Header {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	date := at.UTC().Format(http.TimeFormat)
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(strings.ToLower(method) + "\n" + kind + "\n" + link + "\n" + strings.ToLower(date) + "\n\n"))
	return http.Header{
		"Authorization": {url.QueryEscape("type=master&ver=1.0&sig=" + base64.StdEncoding.EncodeToString(mac.Sum(nil)))},
		"X-Ms-Date":     {date}, "X-Ms-Version": {"2018-12-31"},
	}
}

func TestCosmos(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	group := p.PutGroup(t)
	account, other := p.PutAccount(t, group), p.PutAccount(t, group)
	key, readOnly, foreign := p.Key(t, group, account, "primaryMasterKey"), p.Key(t, group, account, "primaryReadonlyMasterKey"), p.Key(t, group, other, "primaryMasterKey")
	now := time.Now()
	for _, way := range p.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			base, db := way.Account(account), harness.Name("db-")
			create := func(name, key, body string, at time.Time, status int, code string) request {
				return request{name: name, method: "POST", url: base + "/dbs", header: signed(t, key, "POST", "dbs", "", at), body: body, status: status, code: code, hides: key}
			}
			token := signed(t, key, "GET", "dbs", "", now)
			token["Authorization"] = []string{url.QueryEscape("type=aad&ver=1.0&sig=" + p.AdminToken(t, harness.ARMResource))}
			half := signed(t, key, "GET", "dbs", "", now)
			half["Authorization"] = []string{"type%3Dmaster"}
			verb := signed(t, key, "GET", "dbs", "", now)
			run(t, way, cosmos, []request{
				{name: "no key", method: "GET", url: base + "/dbs", header: http.Header{"X-Ms-Date": token["X-Ms-Date"], "X-Ms-Version": token["X-Ms-Version"]}, status: 401, code: "Unauthorized"},
				{name: "half a signature", method: "GET", url: base + "/dbs", header: half, status: 401, code: "Unauthorized", hides: key},
				{name: "ARM's token", method: "GET", url: base + "/dbs", header: token, status: 401, code: "Unauthorized"},
				{name: "signature of another verb", method: "POST", url: base + "/dbs", header: verb, body: `{"id":"a"}`, status: 401, code: "Unauthorized"},
				create("key of another account", foreign, `{"id":"a"}`, now, 401, "Unauthorized"),
				create("signed long ago", key, `{"id":"a"}`, now.Add(-time.Hour), 403, "Forbidden"),
				create("signed in the future", key, `{"id":"a"}`, now.Add(time.Hour), 403, "Forbidden"),
				create("read-only key", readOnly, `{"id":"a"}`, now, 403, "Forbidden"),
				{name: "read with the read-only key", method: "GET", url: base + "/dbs", header: signed(t, readOnly, "GET", "dbs", "", now), status: 200, says: `"Databases":[]`},
				create("malformed JSON", key, `{"id":`, now, 400, "BadRequest"),
				create("no id", key, `{}`, now, 400, "BadRequest"),
				create("10 MB", key, `{"id":"`+strings.Repeat("a", 10<<20)+`"}`, now, 413, "RequestEntityTooLarge"),
				create("created", key, `{"id":"`+db+`"}`, now, 201, ""),
				create("created again", key, `{"id":"`+db+`"}`, now, 409, "Conflict"),
				{name: "final slash", method: "GET", url: base + "/dbs/" + db + "/", header: signed(t, key, "GET", "dbs", "dbs/"+db, now), status: 200},
				{name: "double slash", method: "GET", url: base + "//dbs/" + db, header: signed(t, key, "GET", "dbs", "dbs/"+db, now), status: 200},
				{name: "no such database", method: "GET", url: base + "/dbs/none", header: signed(t, key, "GET", "dbs", "dbs/none", now), status: 404, code: "NotFound"},
				{name: "deleted", method: "DELETE", url: base + "/dbs/" + db, header: signed(t, key, "DELETE", "dbs", "dbs/"+db, now), status: 204},
			})
		})
	}
}
