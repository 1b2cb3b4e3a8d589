package cosmos

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/bulkheadhq/bulkhead/internal/wire/wiretest"
)

const (
	otherTenant = "22222222-2222-2222-2222-222222222222"
	groupID     = "00000000-0000-0000-0000-0000000000c1"
	armAudience = "https://management.azure.com/"
)

// persons are who calls in tests of both planes: a token is a name, with ":" before it one for Cosmos DB.
var persons = map[string]authn.Principal{
	"owner":   {Kind: authn.ServicePrincipal, TenantID: tenant, ObjectID: "00000000-0000-0000-0000-0000000000a1", AppID: "owner"},
	"nobody":  {Kind: authn.ServicePrincipal, TenantID: tenant, ObjectID: "00000000-0000-0000-0000-0000000000a2", AppID: "nobody"},
	"app":     {Kind: authn.ServicePrincipal, TenantID: tenant, ObjectID: "00000000-0000-0000-0000-0000000000a3", AppID: "app"},
	"member":  {Kind: authn.User, TenantID: tenant, ObjectID: "00000000-0000-0000-0000-0000000000a4", Groups: []string{groupID}},
	"foreign": {Kind: authn.ServicePrincipal, TenantID: otherTenant, ObjectID: "00000000-0000-0000-0000-0000000000b1", AppID: "foreign"},
}

type census struct{}

func (census) Verify(_ context.Context, raw string) (*authn.Principal, error) {
	name, data := strings.CutPrefix(raw, ":")
	p, ok := persons[name]
	if !ok {
		return nil, &authn.VerifyError{Reason: authn.BadSignature}
	}
	if p.Audience = armAudience; data {
		p.Audience = "https://cosmos.azure.com"
	}
	return &p, nil
}

func (census) EnsureManagedIdentity(context.Context, arm.ManagedIdentity) error { return nil }
func (census) RemoveServicePrincipal(_ context.Context, _, _ string) error      { return nil }
func (census) FindPrincipal(_ context.Context, id string) (string, authn.Kind, bool, error) {
	if id == groupID {
		return tenant, authn.Group, true, nil
	}
	for _, p := range persons {
		if p.ObjectID == id {
			return p.TenantID, p.Kind, true, nil
		}
	}
	return "", "", false, nil
}

type lateOutbox struct{ *outbox.Drainer }

// controlled is the service behind the real control plane, with the account acct of the group rg.
type controlled struct {
	*platform
	account string // path of it
}

func newControlled(t *testing.T) *controlled {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	at, _ := time.Parse(time.RFC3339, start)
	p := &platform{t: t, store: st, sealer: sealer, clock: clock.NewFake(at)}
	log, box := slog.New(slog.DiscardHandler), &lateOutbox{}
	p.names, p.audit = names.New(st, p.clock), audit.NewLog(st, p.clock, log)
	plane := arm.New(arm.Deps{
		Store: st, Clock: p.clock, Log: log, Names: p.names, Outbox: box, Verifier: census{}, Audit: p.audit, Directory: census{},
		TenantExists: func(context.Context, string) (bool, error) { return true, nil },
	})
	p.s = New(Deps{
		Store: st, Sealer: sealer, Clock: p.clock, Reader: plane, Names: p.names, Verifier: census{}, Audit: p.audit, Outbox: box,
		Principals: census{}, SignedIn: plane.Authenticator(), Access: plane, Scripts: scripts.NewEngine(),
	})
	p.check(plane.Register(p.s.Types()...))
	handlers := plane.OutboxHandlers()
	maps.Copy(handlers, p.audit.OutboxHandlers())
	maps.Copy(handlers, p.s.OutboxHandlers())
	box.Drainer = outbox.NewDrainer(st, log, handlers).WithClock(p.clock)
	if p.mux, err = wire.NewMux([]wire.Service{plane.Service(), p.s.Service()}, wire.Options{Clock: p.clock, Audit: p.audit}); err != nil {
		t.Fatal(err)
	}
	sub, err := plane.CreateSubscription(t.Context(), tenant, "Sub", persons["owner"].ObjectID)
	p.check(err)
	c := &controlled{p, "/subscriptions/" + sub + "/resourceGroups/rg/providers/Microsoft.DocumentDB/databaseAccounts/acct"}
	c.arm("owner", "PUT", "/subscriptions/"+sub+"/resourceGroups/rg", `{"location":"westus"}`, 201)
	c.arm("owner", "PUT", c.account, `{"location":"West US","properties":{}}`, 200)
	c.readKeys()
	return c
}

// arm sends a request to the control plane: a path that does not begin at a subscription or provider is below the account.
func (c *controlled) arm(as, method, path, body string, status int, version ...string) map[string]any {
	c.t.Helper()
	if !strings.HasPrefix(path, "/subscriptions/") && !strings.HasPrefix(path, "/providers/") {
		path = c.account + path
	}
	v := "2023-04-15"
	if strings.Contains(path, "/Microsoft.Authorization/locks") {
		v = "2016-09-01"
	} else if strings.Contains(path, "/Microsoft.Authorization/") {
		v = "2022-04-01"
	}
	if len(version) > 0 {
		v = version[0]
	}
	r := httptest.NewRequest(method, "https://management.azure.com"+path+"?api-version="+v, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+as)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.mux.ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Result().Body)
	if w.Code != status {
		c.t.Fatalf("%s %s as %s: %d, want %d: %s", method, path, as, w.Code, status, b)
	}
	var out map[string]any
	if len(b) > 0 {
		if err := json.Unmarshal(b, &out); err != nil {
			c.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return out
}

// readKeys takes the account's keys from the control plane.
func (c *controlled) readKeys() {
	c.t.Helper()
	v := c.arm("owner", "POST", "/listKeys", "", 200)
	c.keys = &accountKeys{}
	for i, name := range []string{"primaryMasterKey", "secondaryMasterKey", "primaryReadonlyMasterKey", "secondaryReadonlyMasterKey"} {
		c.keys.Keys[i] = v[name].(string)
	}
}

// as sends a request to the data plane with a person's token.
func (c *controlled) as(name, method, path, body string, headers ...string) answer {
	c.t.Helper()
	r := c.request(method, path, body, headers...)
	r.Header.Set("authorization", url.QueryEscape("type=aad&ver=1.0&sig=:"+name))
	return c.serve(r)
}

// sql is a dig into a map of maps.
func dig(v any, path ...string) any {
	for _, k := range path {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

// TestSQLResources: databases, containers and throughput made on the control plane are those of the data plane, and the other way.
func TestSQLResources(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	db := c.arm("owner", "PUT", "/sqlDatabases/db", `{"properties":{"resource":{"id":"db"},"options":{"throughput":500}}}`, 200)
	rid := dig(db, "properties", "resource", "_rid")
	if rid == nil || rid != c.want(c.do("GET", "/dbs/db", ""), 200).json(t)["_rid"] {
		t.Errorf("database %v", db)
	}
	c.arm("owner", "PUT", "/sqlDatabases/db", `{"properties":{"resource":{"id":"db"}}}`, 200)
	for _, bad := range []string{`{}`, `{"properties":{"resource":{"id":"other"}}}`, `{"properties":{"resource":{"id":"db"},"options":{"throughput":1}}}`, `{"properties":{"resource":{"id":"db"},"options":{"throughput":"many"}}}`, `{"properties":{"resource":7}}`, `{"properties":{"resource":{"id":"db","createMode":"Restore"}}}`} {
		c.arm("owner", "PUT", "/sqlDatabases/db", bad, 400)
	}
	const con = "/sqlDatabases/db/containers/c"
	c.arm("owner", "PUT", "/sqlDatabases/none/containers/c", `{"properties":{"resource":{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash"}}}}`, 404)
	c.arm("owner", "PUT", con, `{"properties":{"resource":{"id":"c"}}}`, 400)
	made := c.arm("owner", "PUT", con, `{"properties":{"resource":{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash"}},"options":{"autoscaleSettings":{"maxThroughput":"2000"}}}}`, 200)
	if got := dig(made, "properties", "resource", "_rid"); got == nil || got != c.want(c.do("GET", "/dbs/db/colls/c", ""), 200).json(t)["_rid"] || made["id"] != c.account+con {
		t.Errorf("container %v", made)
	}
	c.want(c.item("POST", "", `["a"]`, `{"id":"1","pk":"a"}`), 201)
	c.arm("owner", "PUT", con, `{"properties":{"resource":{"id":"c","partitionKey":{"paths":["/other"],"kind":"Hash"}}}}`, 400)
	changed := c.arm("owner", "PUT", con, `{"properties":{"resource":{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash"},"defaultTtl":90}}}`, 200)
	if dig(changed, "properties", "resource", "defaultTtl") != 90.0 || c.want(c.do("GET", "/dbs/db/colls/c", ""), 200).json(t)["defaultTtl"] != 90.0 {
		t.Errorf("changed %v", changed)
	}
	c.want(c.item("GET", "/1", `["a"]`, ""), 200)
	// Throughput.
	if v := dig(c.arm("owner", "GET", "/sqlDatabases/db/throughputSettings/default", "", 200), "properties", "resource", "throughput"); v != 500.0 {
		t.Errorf("database's throughput %v", v)
	}
	const settings = con + "/throughputSettings/default"
	if v := dig(c.arm("owner", "GET", settings, "", 200), "properties", "resource", "autoscaleSettings", "maxThroughput"); v != 2000.0 {
		t.Errorf("container's throughput %v", v)
	}
	if v := dig(c.arm("owner", "PUT", settings, `{"properties":{"resource":{"autoscaleSettings":{"maxThroughput":5000}}}}`, 200), "properties", "resource", "autoscaleSettings", "maxThroughput"); v != 5000.0 {
		t.Errorf("changed to %v", v)
	}
	c.arm("owner", "PUT", settings, `{"properties":{"resource":{"throughput":500}}}`, 400)
	c.arm("owner", "PUT", settings, `{"properties":{"resource":{}}}`, 400)
	c.arm("owner", "POST", settings+"/migrateToAutoscale", "", 400)
	if v := dig(c.arm("owner", "POST", settings+"/migrateToManualThroughput", "", 200), "properties", "resource", "throughput"); v != 5000.0 {
		t.Errorf("migrated to %v", v)
	}
	offer := c.want(c.do("POST", "/offers", `{"query":"SELECT * FROM r WHERE r.content.offerThroughput = 5000"}`, "x-ms-documentdb-isquery", "true", "content-type", "application/query+json"), 200).json(t)
	if offer["_count"] != 1.0 {
		t.Errorf("offer on the data plane %v", offer)
	}
	c.arm("owner", "GET", con+"/throughputSettings/other", "", 404)
	c.arm("owner", "DELETE", settings, "", 405)
	// What the data plane made.
	c.want(c.do("POST", "/dbs", `{"id":"db2"}`), 201)
	c.want(c.do("POST", "/dbs/db2/colls", `{"id":"c2","partitionKey":{"paths":["/pk"],"kind":"Hash","version":2}}`), 201)
	if l := c.arm("owner", "GET", "/sqlDatabases", "", 200)["value"].([]any); len(l) != 2 {
		t.Errorf("databases %v", l)
	}
	if l := c.arm("owner", "GET", "/sqlDatabases/db2/containers", "", 200)["value"].([]any); len(l) != 1 || dig(l[0], "name") != "c2" {
		t.Errorf("containers %v", l)
	}
	c.arm("owner", "GET", "/sqlDatabases/none/containers", "", 404)
	c.arm("owner", "GET", "/sqlDatabases/db2/throughputSettings/default", "", 404)
	c.arm("owner", "PUT", "/sqlDatabases/db2/throughputSettings/default", `{"properties":{"resource":{"throughput":500}}}`, 404)
	// Roles and locks.
	c.arm("nobody", "GET", "/sqlDatabases/db", "", 403)
	c.arm("nobody", "PUT", "/sqlDatabases/db", `{"properties":{"resource":{"id":"db"}}}`, 403)
	lock := c.account + "/providers/Microsoft.Authorization/locks/l"
	c.arm("owner", "PUT", lock, `{"properties":{"level":"ReadOnly"}}`, 201)
	c.arm("owner", "PUT", con, `{"properties":{"resource":{"id":"c","partitionKey":{"paths":["/pk"],"kind":"Hash"}}}}`, 409)
	c.arm("owner", "POST", settings+"/migrateToAutoscale", "", 409)
	c.arm("owner", "DELETE", con, "", 409)
	c.arm("owner", "GET", con, "", 200)
	c.arm("owner", "DELETE", lock, "", 200)
	lock = c.account + "/sqlDatabases/db2/providers/Microsoft.Authorization/locks/l"
	c.arm("owner", "PUT", lock, `{"properties":{"level":"CanNotDelete"}}`, 201)
	c.arm("owner", "DELETE", "/sqlDatabases/db2", "", 409)
	c.arm("owner", "DELETE", "/sqlDatabases/db2/containers/c2", "", 409)
	c.arm("owner", "DELETE", lock, "", 200)
	c.arm("owner", "DELETE", con, "", 204)
	c.arm("owner", "DELETE", con, "", 204)
	c.want(c.do("GET", "/dbs/db/colls/c", ""), 404)
	c.arm("owner", "DELETE", "/sqlDatabases/db2", "", 204)
	c.want(c.do("GET", "/dbs/db2", ""), 404)
	c.arm("owner", "DELETE", c.account, "", 204)
	c.arm("owner", "GET", "/sqlDatabases/db", "", 404)
}

func TestAccountNames(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	c.arm("owner", "HEAD", "/providers/Microsoft.DocumentDB/databaseAccountNames/acct", "", 200)
	for name, want := range map[string]int{"acct": 200, "ACCT": 200, "free": 404} {
		r := httptest.NewRequest(http.MethodHead, "https://management.azure.com/providers/Microsoft.DocumentDB/databaseAccountNames/"+name+"?api-version=2021-10-15", nil)
		w := httptest.NewRecorder()
		c.mux.ServeHTTP(w, r)
		if w.Code != 401 {
			t.Errorf("a stranger asks for %s: %d", name, w.Code)
		}
		r.Header.Set("Authorization", "Bearer nobody")
		w = httptest.NewRecorder()
		c.mux.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", name, w.Code, want)
		}
	}
	for body, want := range map[string]int{
		`{"failoverPolicies":[{"locationName":"West US","failoverPriority":0}]}`: 204, `{"failoverPolicies":[{"locationName":"westus","failoverPriority":0}]}`: 204,
		`{"failoverPolicies":[{"locationName":"East US","failoverPriority":0}]}`: 400, `{"failoverPolicies":[]}`: 400, `{}`: 400,
		`{"failoverPolicies":[{"locationName":"West US","failoverPriority":1}]}`: 400,
	} {
		c.arm("owner", "POST", "/failoverPriorityChange", body, want)
	}
}

// TestIPRangeFilter: set at one api-version, it shows at another, and counts.
func TestIPRangeFilter(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	for _, tt := range []struct {
		method, version, properties string
		old                         string
		rules                       int
		status                      int // of a caller from 192.0.2.7
	}{
		{"PUT", "2015-04-08", `"ipRangeFilter":"198.51.100.1,192.0.2.0/24"`, "198.51.100.1,192.0.2.0/24", 2, 200},
		{"PUT", "2015-04-08", `"ipRangeFilter":"198.51.100.1"`, "198.51.100.1", 1, 403},
		{"PUT", "2015-04-08", `"ipRangeFilter":""`, "", 0, 200},
		{"PATCH", "2023-04-15", `"ipRules":[{"ipAddressOrRange":"192.0.2.7"}]`, "192.0.2.7", 1, 200},
		{"PATCH", "2015-04-08", `"ipRangeFilter":"203.0.113.0/24, 192.0.2.6/31"`, "203.0.113.0/24,192.0.2.6/31", 2, 200},
		{"PATCH", "2023-04-15", `"ipRules":[{"ipAddressOrRange":"192.0.2.8"}]`, "192.0.2.8", 1, 403},
		{"PATCH", "2023-04-15", `"ipRules":[]`, "", 0, 200},
		{"PUT", "2023-04-15", `"ipRules":[{"ipAddressOrRange":"192.0.2.6/30"}]`, "192.0.2.6/30", 1, 200},
	} {
		c.arm("owner", tt.method, "", `{"location":"West US","properties":{`+tt.properties+`}}`, 200, tt.version)
		if got := dig(c.arm("owner", "GET", "", "", 200, "2015-04-08"), "properties", "ipRangeFilter"); got != tt.old {
			t.Errorf("%s %s: 2015 shows %v, want %q", tt.method, tt.properties, got, tt.old)
		}
		if got, _ := dig(c.arm("owner", "GET", "", "", 200, "2023-04-15"), "properties", "ipRules").([]any); len(got) != tt.rules {
			t.Errorf("%s %s: 2023 shows %v, want %d rules", tt.method, tt.properties, got, tt.rules)
		}
		a := c.do("GET", "/", "")
		if a.status != tt.status || a.status == 403 && !strings.Contains(a.body, "192.0.2.7") {
			t.Errorf("%s %s: %d %s", tt.method, tt.properties, a.status, a.body)
		}
	}
}

func TestControlRoutes(t *testing.T) {
	t.Parallel()
	c := newControlled(t)
	wiretest.CheckRoutes(t, c.mux, c.s.controlRoutes(), wiretest.Check{
		Params: map[string]string{"name": "acct"}, Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer nobody") },
	})
}
