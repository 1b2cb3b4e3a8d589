package network

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// credential signs a request to a link of the account.
type credential func(t *testing.T, method, kind, link string) (authorization, date string)

func byKey(key string) credential {
	return func(t *testing.T, method, kind, link string) (string, string) {
		t.Helper()
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		date := time.Now().UTC().Format(http.TimeFormat)
		mac := hmac.New(sha256.New, raw)
		mac.Write([]byte(strings.ToLower(method) + "\n" + kind + "\n" + link + "\n" + strings.ToLower(date) + "\n\n"))
		return "type=master&ver=1.0&sig=" + base64.StdEncoding.EncodeToString(mac.Sum(nil)), date
	}
}

func byToken(text string) credential {
	return func(*testing.T, string, string, string) (string, string) {
		return text, time.Now().UTC().Format(http.TimeFormat)
	}
}

// account is what the matrix is about.
type account struct {
	w        *world
	name, id string
	primary  string // key
}

// call sends a request with a credential from a place.
func (a *account) call(t *testing.T, way harness.Way, c credential, method, path, kind, link, body string) harness.Answer {
	t.Helper()
	authorization, date := c(t, method, kind, link)
	h := http.Header{"Authorization": {url.QueryEscape(authorization)}, "X-Ms-Date": {date}, "X-Ms-Version": {"2018-12-31"}}
	if kind == "docs" {
		h["X-Ms-Documentdb-Partitionkey"], h["X-Ms-Documentdb-Is-Upsert"] = []string{`["p"]`}, []string{"true"}
	}
	if body == "" {
		return way.Do(t, method, way.Account(a.name)+path, h, nil)
	}
	return way.Do(t, method, way.Account(a.name)+path, h, body)
}

func (a *account) read(t *testing.T, way harness.Way, c credential) harness.Answer {
	t.Helper()
	return a.call(t, way, c, "GET", "/dbs/d/colls/c/docs/1", "docs", "dbs/d/colls/c/docs/1", "")
}

func (a *account) write(t *testing.T, way harness.Way, c credential) harness.Answer {
	t.Helper()
	return a.call(t, way, c, "POST", "/dbs/d/colls/c/docs", "docs", "dbs/d/colls/c", `{"id":"2","pk":"p"}`)
}

// permission makes a permission of user u and gives its token.
func (a *account) permission(t *testing.T, way harness.Way, name, resource string) string {
	t.Helper()
	out := a.call(t, way, byKey(a.primary), "POST", "/dbs/d/users/u/permissions", "permissions", "dbs/d/users/u", `{"id":"`+name+`","permissionMode":"Read","resource":"`+resource+`"}`)
	token, _ := out.JSON()["_token"].(string)
	if token == "" {
		t.Fatalf("permission %s: %d %s", name, out.Status, out.Body)
	}
	return token
}

// role gives an application a built-in data-plane role at a scope of the account and returns it as a credential.
func (a *account) role(t *testing.T, n int, role, scope string) credential {
	t.Helper()
	app := a.w.p.CreateApp(t, "", harness.Name("app-"))
	if role != "" {
		a.w.p.ARM(t, "PUT", fmt.Sprintf("%s/sqlRoleAssignments/10000000-0000-0000-0000-%012d%s", a.id, n, accountVersion), map[string]any{"properties": map[string]any{
			"roleDefinitionId": a.id + "/sqlRoleDefinitions/" + role, "scope": a.id + scope, "principalId": app.Principal,
		}})
	}
	return byToken("type=aad&ver=1.0&sig=" + a.w.p.SuffixWay(t).AppToken(t, app, "https://cosmos.azure.com"))
}

// Who may do what from where: networks, times credentials, times reads and writes.
func TestAccessMatrix(t *testing.T) {
	w := newWorld(t)
	a := &account{w: w}
	a.name, a.id, a.primary = w.putAccount(t)
	in, out := w.way(t, w.in), w.way(t, w.out)
	keys := w.p.ARM(t, "POST", a.id+"/listKeys"+accountVersion, nil)
	key := func(which string) credential { return byKey(keys[which].(string)) }
	old := key("secondaryMasterKey")
	w.p.ARM(t, "POST", a.id+"/regenerateKey"+accountVersion, map[string]any{"keyKind": "secondary"})
	keys = w.p.ARM(t, "POST", a.id+"/listKeys"+accountVersion, nil)
	if got := a.call(t, out, key("primaryMasterKey"), "POST", "/dbs/d/users", "users", "dbs/d", `{"id":"u"}`); got.Status != 201 {
		t.Fatalf("make a user: %d %s", got.Status, got.Body)
	}
	if got := a.call(t, out, key("primaryMasterKey"), "POST", "/dbs/d/colls", "colls", "dbs/d", `{"id":"c2","partitionKey":{"paths":["/pk"]}}`); got.Status != 201 {
		t.Fatalf("make a container: %d %s", got.Status, got.Body)
	}
	const reader, contributor = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
	type row struct {
		name        string
		by          credential
		local       bool // a key or what a key vouches for
		read, write int
	}
	rows := []row{
		{"primary key", key("primaryMasterKey"), true, 200, 201},
		{"secondary key", key("secondaryMasterKey"), true, 200, 201},
		{"primary read-only key", key("primaryReadonlyMasterKey"), true, 200, 403},
		{"secondary read-only key", key("secondaryReadonlyMasterKey"), true, 200, 403},
		{"the key before its regeneration", old, true, 401, 401},
		{"resource token", byToken(a.permission(t, out, "here", "dbs/d/colls/c")), true, 200, 403},
		{"resource token of another container", byToken(a.permission(t, out, "there", "dbs/d/colls/c2")), true, 403, 403},
		{"role of a reader", a.role(t, 1, reader, ""), false, 200, 403},
		{"role of a contributor of the container", a.role(t, 2, contributor, "/dbs/d/colls/c"), false, 200, 201},
		{"role of a contributor of the database", a.role(t, 4, contributor, "/dbs/d"), false, 200, 201},
		{"role at another container", a.role(t, 3, contributor, "/dbs/d/colls/c2"), false, 403, 403},
		{"no role", a.role(t, 0, "", ""), false, 403, 403},
	}
	check := func(t *testing.T, admits map[string]bool, localAuth bool) {
		t.Helper()
		for _, from := range []struct {
			name string
			way  harness.Way
		}{{"in", in}, {"out", out}} {
			for _, r := range rows {
				read, write := r.read, r.write
				switch {
				case !admits[from.name]:
					read, write = 403, 403
				case r.local && !localAuth:
					read, write = 401, 401
				}
				gotRead, gotWrite := a.read(t, from.way, r.by), a.write(t, from.way, r.by)
				if write == 201 && gotWrite.Status == 200 { // an upsert of what is there
					gotWrite.Status = 201
				}
				if gotRead.Status != read || gotWrite.Status != write {
					t.Errorf("%s, %s: read %d, write %d, want %d and %d; %s %s", from.name, r.name, gotRead.Status, gotWrite.Status, read, write, gotRead.Body, gotWrite.Body)
				}
				if !admits[from.name] && !strings.Contains(string(gotRead.Body), "firewall settings") {
					t.Errorf("%s, %s: %s, want the firewall's words", from.name, r.name, gotRead.Body)
				}
			}
		}
	}
	state := func(name string, properties map[string]any, version string, admits ...string) {
		t.Run(name, func(t *testing.T) {
			if properties != nil {
				w.p.ARM(t, "PATCH", a.id+"?api-version="+version, map[string]any{"properties": properties})
			}
			m := map[string]bool{}
			for _, n := range admits {
				m[n] = true
			}
			check(t, m, name != "local auth disabled")
		})
	}
	const now, then = "2024-05-15", "2015-04-08"
	state("no rules", nil, "", "in", "out")
	state("ipRangeFilter of 2015", map[string]any{"ipRangeFilter": "10.213.2.0/24, 192.0.2.1"}, then, "out")
	state("ipRules of today", map[string]any{"ipRules": []any{map[string]any{"ipAddressOrRange": client}}}, now, "in")
	t.Run("az", func(t *testing.T) {
		w.az(t, "cosmosdb", "update", "--ids", a.id, "--ip-range-filter", other)
		check(t, map[string]bool{"out": true}, true)
	})
	rule := []any{map[string]any{"id": w.vnet + "/subnets/s1"}}
	state("no list by a REST version between", map[string]any{"ipRangeFilter": ""}, "2019-12-12", "in", "out")
	state("ipRangeFilter of 2019", map[string]any{"ipRangeFilter": other + "/32"}, "2019-12-12", "out")
	state("subnet and list", map[string]any{"isVirtualNetworkFilterEnabled": true, "virtualNetworkRules": rule}, now, "in", "out")
	state("subnet", map[string]any{"ipRules": []any{}}, now, "in")
	state("local auth disabled", map[string]any{"disableLocalAuth": true}, now, "in")
	state("nobody", map[string]any{"virtualNetworkRules": []any{}, "disableLocalAuth": false}, now)
	state("no rules again", map[string]any{"isVirtualNetworkFilterEnabled": false}, now, "in", "out")
}

// az runs Azure's command line as the administrator in the platform's namespace; without one the test is skipped.
func (w *world) az(t *testing.T, args ...string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	az := filepath.Join(root, ".test", "az", "bin", "az")
	if _, err := os.Stat(az); err != nil {
		t.Skip("az is not installed (scripts/clients does that): ", err)
	}
	env := w.p.Env(t, "")
	home := t.TempDir()
	for _, command := range [][]string{{"login", "--service-principal", "-u", env["AZURE_CLIENT_ID"], "-p", env["AZURE_CLIENT_SECRET"], "--tenant", env["AZURE_TENANT_ID"]}, args} {
		w.p.Exec(t, "", nil, append([]string{"env", "AZURE_CONFIG_DIR=" + home, "HOME=" + home, "AZURE_CORE_COLLECT_TELEMETRY=0", az}, command...)...)
	}
}
