package cosmos

import (
	"fmt"
	"strings"
	"testing"
)

const (
	readerRole      = "00000000-0000-0000-0000-000000000001"
	contributorRole = "00000000-0000-0000-0000-000000000002"
)

func guid(n int) string { return fmt.Sprintf("10000000-0000-0000-0000-%012d", n) }

// assign gives a person a data-plane role.
func (c *controlled) assign(n int, role, scope, principal string, status int) map[string]any {
	c.t.Helper()
	if p, ok := persons[principal]; ok {
		principal = p.ObjectID
	}
	return c.arm("owner", "PUT", "/sqlRoleAssignments/"+guid(n), fmt.Sprintf(`{"properties":{"roleDefinitionId":"%s/sqlRoleDefinitions/%s","scope":"%s","principalId":"%s"}}`,
		c.account, role, scope, principal), status)
}

func (c *controlled) define(n int, name, scopes, actions string, status int) map[string]any {
	c.t.Helper()
	return c.arm("owner", "PUT", "/sqlRoleDefinitions/"+guid(n), `{"properties":{"roleName":"`+name+`","type":"CustomRole","assignableScopes":[`+scopes+`],"permissions":[{"dataActions":[`+actions+`]}]}}`, status)
}

func TestRoleResources(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	const actions = `"Microsoft.DocumentDB/databaseAccounts/readMetadata","Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/*"`
	made := c.define(1, "writer", `"/dbs/db","`+c.account+`/dbs/db2/colls/c"`, actions, 200)
	scopes, _ := dig(made, "properties", "assignableScopes").([]any)
	if made["id"] != c.account+"/sqlRoleDefinitions/"+guid(1) || fmt.Sprint(scopes) != fmt.Sprint([]any{c.account + "/dbs/db", c.account + "/dbs/db2/colls/c"}) || dig(made, "properties", "type") != "CustomRole" {
		t.Errorf("made %v", made)
	}
	if got := c.arm("owner", "GET", "/sqlRoleDefinitions/"+readerRole, "", 200); dig(got, "properties", "roleName") != "Cosmos DB Built-in Data Reader" || dig(got, "properties", "type") != "BuiltInRole" {
		t.Errorf("built in %v", got)
	}
	if l := c.arm("owner", "GET", "/sqlRoleDefinitions", "", 200)["value"].([]any); len(l) != 3 {
		t.Errorf("list %v", l)
	}
	c.define(2, "writer", `"/"`, actions, 409)
	c.define(2, "Cosmos DB Built-in Data Reader", `"/"`, actions, 409)
	c.define(2, "", `"/"`, actions, 400)
	c.define(2, "x", ``, actions, 400)
	c.define(2, "x", `"/"`, ``, 400)
	c.define(2, "x", `"/"`, `"Microsoft.DocumentDB/databaseAccounts/listKeys/action"`, 400)
	c.define(2, "x", `"/other/x"`, actions, 400)
	c.define(2, "x", `"/subscriptions/`+subscription+`"`, actions, 400)
	c.arm("owner", "PUT", "/sqlRoleDefinitions/"+readerRole, `{"properties":{"roleName":"x","assignableScopes":["/"],"permissions":[{"dataActions":[`+actions+`]}]}}`, 400)
	c.arm("owner", "DELETE", "/sqlRoleDefinitions/"+readerRole, "", 400)
	c.arm("owner", "PUT", "/sqlRoleDefinitions/name", `{"properties":{}}`, 400)

	c.assign(1, guid(1), "/dbs/db", "app", 200)
	got := c.arm("owner", "GET", "/sqlRoleAssignments/"+guid(1), "", 200)
	if dig(got, "properties", "scope") != c.account+"/dbs/db" || dig(got, "properties", "roleDefinitionId") != c.account+"/sqlRoleDefinitions/"+guid(1) || dig(got, "properties", "principalId") != persons["app"].ObjectID {
		t.Errorf("assignment %v", got)
	}
	c.assign(2, guid(1), "/", "app", 400) // not assignable there
	c.assign(2, guid(1), "/dbs/db2", "app", 400)
	c.assign(2, guid(1), "/dbs/db/colls/c", "app", 200)
	c.assign(3, guid(9), "/", "app", 400)
	c.assign(3, readerRole, "/", "nonsense", 400)
	c.assign(3, readerRole, "/", guid(77), 400)
	c.assign(3, readerRole, "/", "foreign", 400)
	c.assign(3, readerRole, "/dbs", "app", 400)
	c.assign(3, readerRole, "", "app", 400)
	c.assign(3, readerRole, "/", groupID, 200)
	if l := c.arm("owner", "GET", "/sqlRoleAssignments", "", 200)["value"].([]any); len(l) != 3 {
		t.Errorf("list %v", l)
	}
	c.arm("owner", "DELETE", "/sqlRoleDefinitions/"+guid(1), "", 400) // in use
	c.arm("owner", "DELETE", "/sqlRoleAssignments/"+guid(1), "", 200)
	c.arm("owner", "DELETE", "/sqlRoleAssignments/"+guid(1), "", 204)
	c.arm("owner", "DELETE", "/sqlRoleAssignments/"+guid(2), "", 200)
	c.arm("owner", "DELETE", "/sqlRoleDefinitions/"+guid(1), "", 200)
	c.arm("owner", "GET", "/sqlRoleDefinitions/"+guid(1), "", 404)
	// Who may not on the control plane may not here.
	c.arm("nobody", "GET", "/sqlRoleDefinitions", "", 403)
	c.arm("nobody", "PUT", "/sqlRoleAssignments/"+guid(5), `{"properties":{"roleDefinitionId":"`+contributorRole+`","scope":"/","principalId":"`+persons["nobody"].ObjectID+`"}}`, 403)
	lock := c.account + "/providers/Microsoft.Authorization/locks/l"
	c.arm("owner", "PUT", lock, `{"properties":{"level":"ReadOnly"}}`, 201)
	c.assign(6, readerRole, "/", "app", 409)
	c.arm("owner", "DELETE", lock, "", 200)
	// An account made anew has no roles of the old one, and what is assigned goes with it.
	c.define(3, "left", `"/"`, actions, 200)
	c.assign(7, guid(3), "/", "app", 200)
	c.arm("owner", "DELETE", "", "", 204)
	c.arm("owner", "PUT", "", `{"location":"West US","properties":{}}`, 200)
	if l := c.arm("owner", "GET", "/sqlRoleAssignments", "", 200)["value"].([]any); len(l) != 0 {
		t.Errorf("assignments of a new account %v", l)
	}
}

// dataOperations are operations of the data plane with the data action each needs and where; scope "-": no role gives it.
var dataOperations = []struct {
	name, method, path, body string
	headers                  []string
	action, scope            string
}{
	{"read account", "GET", "/", "", nil, "readMetadata", ""},
	{"list databases", "GET", "/dbs", "", nil, "readMetadata", ""},
	{"read database", "GET", "/dbs/db", "", nil, "readMetadata", "dbs/db"},
	{"list containers", "GET", "/dbs/db/colls", "", nil, "readMetadata", "dbs/db"},
	{"read container", "GET", "/dbs/db/colls/c", "", nil, "readMetadata", "dbs/db/colls/c"},
	{"ranges", "GET", "/dbs/db/colls/c/pkranges", "", nil, "readMetadata", "dbs/db/colls/c"},
	{"read item", "GET", "/dbs/db/colls/c/docs/1", "", pkA, "items/read", "dbs/db/colls/c"},
	{"list items", "GET", "/dbs/db/colls/c/docs", "", nil, "executeQuery", "dbs/db/colls/c"},
	{"query", "POST", "/dbs/db/colls/c/docs", `{"query":"SELECT * FROM c"}`, isQueryA, "executeQuery", "dbs/db/colls/c"},
	{"query plan", "POST", "/dbs/db/colls/c/docs", `{"query":"SELECT * FROM c"}`, append([]string{"x-ms-cosmos-is-query-plan-request", "True"}, isQueryA...), "executeQuery", "dbs/db/colls/c"},
	{"change feed", "GET", "/dbs/db/colls/c/docs", "", []string{"a-im", "Incremental Feed"}, "readChangeFeed", "dbs/db/colls/c"},
	{"create", "POST", "/dbs/db/colls/c/docs", `{"id":"1","pk":"a"}`, pkA, "items/create", "dbs/db/colls/c"},
	{"upsert", "POST", "/dbs/db/colls/c/docs", `{"id":"1","pk":"a"}`, append([]string{"x-ms-documentdb-is-upsert", "true"}, pkA...), "items/upsert", "dbs/db/colls/c"},
	{"replace", "PUT", "/dbs/db/colls/c/docs/1", `{"id":"1","pk":"a"}`, pkA, "items/replace", "dbs/db/colls/c"},
	{"patch", "PATCH", "/dbs/db/colls/c/docs/1", `[{"op":"set","path":"/v","value":1}]`, pkA, "items/replace", "dbs/db/colls/c"},
	{"delete", "DELETE", "/dbs/db/colls/c/docs/none", "", pkA, "items/delete", "dbs/db/colls/c"},
	{"batch, create", "POST", "/dbs/db/colls/c/docs", `[{"operationType":"Create","resourceBody":{"id":"1","pk":"a"}}]`, batchA, "items/create", "dbs/db/colls/c"},
	{"batch, read", "POST", "/dbs/db/colls/c/docs", `[{"operationType":"Read","id":"1"}]`, batchA, "items/read", "dbs/db/colls/c"},
	{"bulk, delete", "POST", "/dbs/db/colls/c/docs", `[{"operationType":"Delete","id":"none","partitionKey":"[\"a\"]"}]`, []string{"x-ms-cosmos-is-batch-request", "True"}, "items/delete", "dbs/db/colls/c"},
	{"execute procedure", "POST", "/dbs/db/colls/c/sprocs/none", `[]`, pkA, "executeStoredProcedure", "dbs/db/colls/c"},
	{"execute procedure as a query", "POST", "/dbs/db/colls/c/sprocs/none", `[]`, isQueryA, "executeStoredProcedure", "dbs/db/colls/c"},
	{"list conflicts", "GET", "/dbs/db/colls/c/conflicts", "", nil, "manageConflicts", "dbs/db/colls/c"},
	{"create database", "POST", "/dbs", `{"id":"x"}`, nil, "-", "-"},
	{"delete database", "DELETE", "/dbs/none", "", nil, "-", "-"},
	{"create container", "POST", "/dbs/db/colls", `{"id":"x","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, nil, "-", "-"},
	{"replace container", "PUT", "/dbs/db/colls/c", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`, nil, "-", "-"},
	{"list offers", "GET", "/offers", "", nil, "-", "-"},
	{"list users", "GET", "/dbs/db/users", "", nil, "-", "-"},
	{"create user", "POST", "/dbs/db/users", `{"id":"u"}`, nil, "-", "-"},
	{"create procedure", "POST", "/dbs/db/colls/c/sprocs", `{"id":"s","body":"function(){}"}`, nil, "-", "-"},
	{"read procedure", "GET", "/dbs/db/colls/c/sprocs/none", "", nil, "-", "-"},
}

var (
	pkA      = []string{"x-ms-documentdb-partitionkey", `["a"]`}
	isQueryA = []string{"x-ms-documentdb-partitionkey", `["a"]`, "x-ms-documentdb-isquery", "true", "content-type", "application/query+json"}
	batchA   = []string{"x-ms-documentdb-partitionkey", `["a"]`, "x-ms-cosmos-is-batch-request", "True", "x-ms-cosmos-batch-atomic", "True"}
)

// withItem makes database db, container c and item 1 of partition a.
func (c *controlled) withItem() *controlled {
	c.t.Helper()
	c.want(c.do("POST", "/dbs", `{"id":"db"}`), 201)
	c.want(c.do("POST", "/dbs/db/colls", `{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	c.want(c.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	return c
}

// TestRoles_EachAction: with exactly one data action at exactly one scope a principal does the operations that need it, and no others.
func TestRoles_EachAction(t *testing.T) {
	t.Parallel()
	c := newControlled(t).withItem()
	const account, container = "Microsoft.DocumentDB/databaseAccounts/", "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/"
	whole := func(action string) string {
		if action == "readMetadata" {
			return account + action
		}
		return container + action
	}
	actions := []string{"", "readMetadata", "items/read", "items/create", "items/upsert", "items/replace", "items/delete", "executeQuery", "readChangeFeed", "executeStoredProcedure", "manageConflicts", "items/*", "*"}
	for i, granted := range actions {
		for j, scope := range []string{"", "dbs/db", "dbs/db/colls/c", "dbs/db/colls/other", "dbs/d"} {
			if granted != "" {
				if j == 0 {
					c.define(i, "only "+granted, `"/"`, `"`+whole(granted)+`"`, 200)
				}
				c.assign(1, guid(i), "/"+scope, "app", 200)
			} else if j > 0 {
				continue
			}
			for _, op := range dataOperations {
				allowed := op.action == granted || granted == "items/*" && strings.HasPrefix(op.action, "items/") || granted == "*" && op.action != "readMetadata" && op.action != "-"
				allowed = allowed && scopeWithin(op.scope, scope)
				if op.name == "read account" && granted == "readMetadata" {
					allowed = true // for whoever may find his way in any part of it
				}
				a := c.as("app", op.method, op.path, op.body, op.headers...)
				where := fmt.Sprintf("%q at %q: %s: %d/%s %s", granted, scope, op.name, a.status, a.header.Get("X-Ms-Substatus"), a.body)
				if allowed {
					if a.status == 401 || a.status == 403 {
						t.Error("refused", where)
					}
					continue
				}
				sub, text := "5302", "Request blocked by Auth acct : Request is blocked because principal ["+persons["app"].ObjectID+"] does not have required RBAC permissions to perform action ["+whole(op.action)+"] on resource ["
				switch op.action {
				case "readMetadata":
					sub = "5301"
				case "-":
					sub, text = "5300", "Request blocked by Auth acct : The given request ["+op.method+" "+op.path+"] cannot be authorized by AAD token in data plane."
				}
				if a.status != 403 || a.header.Get("X-Ms-Substatus") != sub || !strings.Contains(a.body, text) {
					t.Error("not refused as wanted", where)
				}
			}
		}
		if granted != "" {
			c.arm("owner", "DELETE", "/sqlRoleAssignments/"+guid(1), "", 200)
		}
	}
}

func TestRoles_Principals(t *testing.T) {
	t.Parallel()
	c := newControlled(t).withItem()
	read := func(who string) answer { return c.as(who, "GET", "/dbs/db/colls/c/docs/1", "", pkA...) }
	rid := c.want(c.do("GET", "/dbs/db/colls/c", ""), 200).json(t)["_rid"].(string)
	byRID := func(who string) answer { return c.as(who, "GET", "/dbs/AAAAAQ==/colls/"+rid+"/docs/1", "", pkA...) }
	c.wantFault(read("app"), 403, "Forbidden", "5302")
	c.wantFault(byRID("app"), 403, "Forbidden", "5303")
	c.assign(1, readerRole, "/dbs/db/colls/c", "app", 200)
	c.want(read("app"), 200)
	c.want(byRID("app"), 200)
	// A scope's name is the whole one: c is not other, nor C.
	c.want(c.do("POST", "/dbs/db/colls", `{"id":"cc","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	c.want(c.as("app", "GET", "/dbs/db/colls/cc/docs/1", "", pkA...), 403)
	c.want(c.as("app", "GET", "/dbs/db/colls/C/docs/1", "", pkA...), 403)
	c.want(c.as("app", "GET", "/dbs/db/colls/none/docs/1", "", pkA...), 403) // not told whether it exists
	c.wantFault(c.as("app", "PUT", "/dbs/db/colls/c/docs/1", `{"id":"1","pk":"a"}`, pkA...), 403, "Forbidden", "5302")
	// By group.
	c.want(read("member"), 403)
	c.assign(2, contributorRole, "/", groupID, 200)
	c.want(read("member"), 200)
	c.want(c.as("member", "PUT", "/dbs/db/colls/c/docs/1", `{"id":"1","pk":"a"}`, pkA...), 200)
	// Revoked at the next call; and so is a role's action.
	c.arm("owner", "DELETE", "/sqlRoleAssignments/"+guid(2), "", 200)
	c.want(read("member"), 403)
	const items = `"Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/read"`
	c.define(5, "reads", `"/"`, items, 200)
	c.assign(5, guid(5), "/", "nobody", 200)
	c.want(read("nobody"), 200)
	c.define(5, "reads", `"/"`, strings.Replace(items, "items/read", "items/delete", 1), 200)
	c.want(read("nobody"), 403)
	c.arm("owner", "PUT", "/sqlRoleDefinitions/"+guid(5), `{"properties":{"roleName":"reads","assignableScopes":["/"],"permissions":[{"dataActions":["Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items/*"],"notDataActions":[`+items+`]}]}}`, 200)
	c.want(read("nobody"), 403)
	// The control plane's owner has no data without a data-plane role.
	c.want(read("owner"), 403)
	c.wantFault(read("foreign"), 401, "Unauthorized", "5007")
	c.wantFault(read("unknown"), 401, "Unauthorized", "")
	// Local authentication off: roles go on.
	c.arm("owner", "PATCH", "", `{"properties":{"disableLocalAuth":true}}`, 200)
	c.want(read("app"), 200)
	c.wantFault(c.do("GET", "/", ""), 401, "Unauthorized", "5202")
}
