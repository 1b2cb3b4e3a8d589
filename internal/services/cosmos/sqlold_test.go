package cosmos

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSQLResources_OldPaths: what 2015 calls apis/sql/databases are the databases and containers of today, in a flat form.
func TestSQLResources_OldPaths(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	old := func(as, method, path, body string, status int) map[string]any {
		t.Helper()
		return c.arm(as, method, path, body, status, "2015-04-08")
	}
	const db, con = "/apis/sql/databases/db", "/apis/sql/databases/db/containers/c"
	made := old("owner", "PUT", db, `{"properties":{"resource":{"id":"db"},"options":{"Throughput":"500"}}}`, 200)
	if made["id"] != c.account+db || made["type"] != "Microsoft.DocumentDB/databaseAccounts/apis/databases" {
		t.Errorf("database %v", made)
	}
	if d := cmp.Diff(any(c.want(c.do("GET", "/dbs/db", ""), 200).json(t)), made["properties"]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(made["properties"], dig(c.arm("owner", "GET", "/sqlDatabases/db", "", 200), "properties", "resource")); d != "" {
		t.Error(d)
	}
	const spec = `{"properties":{"resource":{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash"},"defaultTtl":100},"options":{}}}`
	old("owner", "PUT", "/apis/sql/databases/none/containers/c", spec, 404)
	old("owner", "PUT", con, `{"properties":{"resource":{"id":"other","partitionKey":{"paths":["/pk"]}}}}`, 400)
	made = old("owner", "PUT", con, spec, 200)
	if made["id"] != c.account+con || dig(made, "properties", "defaultTtl") != 100.0 || dig(made, "properties", "_docs") != "docs/" {
		t.Errorf("container %v", made)
	}
	if d := cmp.Diff(made, old("owner", "GET", con, "", 200)); d != "" {
		t.Error(d)
	}
	for path, id := range map[string]string{"/apis/sql/databases": c.account + db, db + "/containers": c.account + con, db + "/settings": c.account + db + "/settings/throughput"} {
		if l := old("owner", "GET", path, "", 200)["value"].([]any); len(l) != 1 || dig(l[0], "id") != id {
			t.Errorf("%s: %v", path, l)
		}
	}
	// Throughput.
	if got := old("owner", "GET", db+"/settings/throughput", "", 200); dig(got, "properties", "throughput") != 500.0 || got["name"] != "throughput" {
		t.Errorf("throughput %v", got)
	}
	if got := old("owner", "PUT", db+"/settings/throughput", `{"properties":{"resource":{"throughput":600}}}`, 200); dig(got, "properties", "throughput") != 600.0 {
		t.Errorf("throughput %v", got)
	}
	old("owner", "GET", con+"/settings/throughput", "", 404)
	old("owner", "GET", db+"/settings/other", "", 404)
	old("owner", "DELETE", db+"/settings/throughput", "", 405)
	// Other APIs, and what is not there.
	old("owner", "GET", "/apis/mongodb/databases", "", 400)
	old("owner", "GET", "/apis/mongodb/databases/db", "", 404)
	old("owner", "PUT", "/apis/mongodb/databases/db", `{"properties":{"resource":{"id":"db"}}}`, 400)
	old("owner", "DELETE", "/apis/mongodb/databases/db", "", 204)
	old("owner", "GET", "/apis/sql/databases/none", "", 404)
	old("owner", "GET", "/apis/sql", "", 200)
	old("owner", "GET", "/apis/table", "", 404)
	old("owner", "PUT", "/apis/sql", `{}`, 405)
	old("owner", "DELETE", "/apis/sql", "", 405)
	if l := old("owner", "GET", "/apis", "", 200)["value"].([]any); len(l) != 1 || dig(l[0], "name") != "sql" {
		t.Errorf("apis %v", l)
	}
	// The old path is no way around a lock at today's.
	old("nobody", "GET", con, "", 403)
	old("nobody", "DELETE", con, "", 403)
	lock := c.account + "/sqlDatabases/db/providers/Microsoft.Authorization/locks/l"
	c.arm("owner", "PUT", lock, `{"properties":{"level":"ReadOnly"}}`, 201)
	old("owner", "PUT", con, spec, 409)
	old("owner", "DELETE", con, "", 409)
	old("owner", "DELETE", db, "", 409)
	c.arm("owner", "DELETE", lock, "", 200)
	lock = c.account + "/sqlDatabases/db/containers/c/providers/Microsoft.Authorization/locks/l"
	c.arm("owner", "PUT", lock, `{"properties":{"level":"CanNotDelete"}}`, 201)
	old("owner", "PUT", con, spec, 200)
	old("owner", "DELETE", con, "", 409)
	old("owner", "DELETE", db, "", 409)
	c.arm("owner", "DELETE", lock, "", 200)
	old("owner", "DELETE", con, "", 204)
	c.want(c.do("GET", "/dbs/db/colls/c", ""), 404)
	old("owner", "DELETE", db, "", 204)
	old("owner", "DELETE", db, "", 204)
	c.want(c.do("GET", "/dbs/db", ""), 404)
}
