package cosmos

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSQLScripts: scripts made on the control plane are those of the data plane, and the other way.
func TestSQLScripts(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	c.want(c.do("POST", "/dbs", `{"id":"db"}`), 201)
	c.want(c.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"]}}`), 201)
	const con = "/sqlDatabases/db/containers/c"
	for segment, tt := range map[string]struct{ plane, extra string }{
		"storedProcedures":     {"sprocs", ""},
		"triggers":             {"triggers", `,"triggerType":"pre","triggerOperation":"All"`},
		"userDefinedFunctions": {"udfs", ""},
	} {
		one := con + "/" + segment + "/s"
		body := func(id, text string) string {
			return `{"properties":{"resource":{"id":"` + id + `","body":"` + text + `"` + tt.extra + `},"options":{}}}`
		}
		c.arm("owner", "GET", one, "", 404)
		made := c.arm("owner", "PUT", one, body("s", "function () {}"), 200)
		shown := c.want(c.do("GET", "/dbs/db/colls/c/"+tt.plane+"/s", ""), 200).json(t)
		if d := cmp.Diff(any(shown), dig(made, "properties", "resource")); d != "" || made["id"] != c.account+one || made["type"] != "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/"+segment {
			t.Errorf("%s: %s %v", segment, d, made)
		}
		if segment == "triggers" && shown["triggerType"] != "Pre" {
			t.Errorf("trigger %v", shown)
		}
		again := c.arm("owner", "PUT", one, body("s", "function (x) { return x }"), 200)
		if dig(again, "properties", "resource", "body") != "function (x) { return x }" || dig(again, "properties", "resource", "_rid") != dig(made, "properties", "resource", "_rid") {
			t.Errorf("%s: replaced %v", segment, again)
		}
		if d := cmp.Diff(again["properties"], c.arm("owner", "GET", one, "", 200)["properties"]); d != "" {
			t.Errorf("%s: %s", segment, d)
		}
		c.want(c.do("POST", "/dbs/db/colls/c/"+tt.plane, `{"id":"t","body":"function () {}"`+tt.extra+`}`), 201)
		list, _ := c.arm("owner", "GET", con+"/"+segment, "", 200)["value"].([]any)
		if len(list) != 2 || dig(list[0], "name") != "s" || dig(list[1], "id") != c.account+con+"/"+segment+"/t" {
			t.Errorf("%s: list %v", segment, list)
		}
		for _, bad := range []string{`{}`, body("other", "function () {}"), body("s", "function () {"), `{"properties":{"resource":{"id":"s"` + tt.extra + `}}}`, `{"properties":{"resource":{"id":"s","body":5` + tt.extra + `}}}`, `{"properties":{"resource":{"id":"s","body":"function () {}"` + tt.extra + `},"options":{"throughput":400}}}`} {
			c.arm("owner", "PUT", one, bad, 400)
		}
		c.arm("owner", "PUT", "/sqlDatabases/db/containers/none/"+segment+"/s", body("s", "function () {}"), 404)
		c.arm("owner", "GET", "/sqlDatabases/db/containers/none/"+segment, "", 404)
		c.arm("nobody", "GET", one, "", 403)
		c.arm("nobody", "PUT", one, body("s", "function () {}"), 403)
		lock := c.account + con + "/providers/Microsoft.Authorization/locks/l"
		c.arm("owner", "PUT", lock, `{"properties":{"level":"ReadOnly"}}`, 201)
		c.arm("owner", "PUT", one, body("s", "function () {}"), 409)
		c.arm("owner", "DELETE", one, "", 409)
		c.arm("owner", "DELETE", lock, "", 200)
		c.arm("owner", "DELETE", one, "", 204)
		c.arm("owner", "DELETE", one, "", 204)
		c.want(c.do("GET", "/dbs/db/colls/c/"+tt.plane+"/s", ""), 404)
		c.want(c.do("GET", "/dbs/db/colls/c/"+tt.plane+"/t", ""), 200)
	}
	c.arm("owner", "PUT", con+"/triggers/x", `{"properties":{"resource":{"id":"x","body":"function () {}","triggerType":"During","triggerOperation":"All"}}}`, 400)
}
