package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
)

// monitored is a whole platform under a clock that the test moves, with a receiver of webhooks.
type monitored struct {
	t     *testing.T
	p     *Platform
	clock *clock.Fake
	group string
	hooks *httptest.Server

	mu  sync.Mutex
	got []essentials
}

// essentials are what a webhook told.
type essentials struct {
	Rule, Condition, Body string
	ID                    string
}

func newMonitored(t *testing.T) *monitored {
	t.Helper()
	return newMonitoredIn(t, t.TempDir())
}

// newMonitoredIn is newMonitored with its data in that folder.
func newMonitoredIn(t *testing.T, dir string) *monitored {
	t.Helper()
	m := &monitored{t: t, clock: clock.NewFake(time.Now().UTC().Truncate(time.Minute))}
	cfg := Defaults()
	cfg.Data, cfg.clock = dir, m.clock
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if m.p, err = Open(t.Context(), cfg, log, Addresses{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.p.Close() })
	m.hooks = httptest.NewServer(http.HandlerFunc(m.take))
	t.Cleanup(m.hooks.Close)
	ctx, cancel := context.WithCancelCause(context.Background())
	var wg sync.WaitGroup
	m.p.start(ctx, &wg, cancel)
	t.Cleanup(func() { cancel(nil); wg.Wait() })
	m.group = "/subscriptions/" + m.p.install.SubscriptionID + "/resourceGroups/rg1"
	m.do("PUT", m.group, "2021-04-01", `{"location":"westeurope"}`)
	m.do("PUT", m.group+"/providers/Microsoft.Insights/actionGroups/ag1", "2023-01-01", `{"location":"Global","properties":{"groupShortName":"ag1","enabled":true,
		"webhookReceivers":[{"name":"hook","serviceUri":"`+m.hooks.URL+`","useCommonAlertSchema":true}]}}`)
	return m
}

func (m *monitored) take(_ http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	_, _ = b.ReadFrom(r.Body)
	var body struct {
		Data struct {
			Essentials struct{ AlertID, AlertRule, MonitorCondition string }
		}
	}
	_ = json.Unmarshal(b.Bytes(), &body)
	m.mu.Lock()
	defer m.mu.Unlock()
	e := body.Data.Essentials
	m.got = append(m.got, essentials{e.AlertRule, e.MonitorCondition, b.String(), e.AlertID})
}

// told is what was told of a condition, by rule.
func (m *monitored) told(condition string) map[string][]essentials {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][]essentials{}
	for _, e := range m.got {
		if e.Condition == condition {
			rule := e.Rule[strings.LastIndexByte(e.Rule, '/')+1:]
			out[rule] = append(out[rule], e)
		}
	}
	return out
}

// do sends a request to Resource Manager as the administrator, whose token is good at the clock's time.
func (m *monitored) do(method, path, version, body string) map[string]any {
	m.t.Helper()
	token, err := m.p.tokens.Issue(m.t.Context(), authn.Claims{Version: "1.0", Audience: "https://management.azure.com/", Principal: authn.Principal{
		Kind: authn.ServicePrincipal, TenantID: m.p.install.TenantID, ObjectID: m.p.install.ObjectID, AppID: m.p.install.AppID, ClientAuth: "1",
	}})
	if err != nil {
		m.t.Fatal(err)
	}
	r := httptest.NewRequest(method, "https://management.azure.com"+path+"?api-version="+version, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token.Raw)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	m.p.mux.ServeHTTP(w, r)
	if w.Code/100 != 2 {
		m.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			m.t.Fatal(err)
		}
	}
	return out
}

// recommend makes the rules as `bulkhead mysql recommend` does, and gives their names.
func (m *monitored) recommend(server string) []string {
	m.t.Helper()
	var names []string
	list, _ := m.do("GET", server+"/recommendations", "2017-12-01", "")["value"].([]any)
	for _, one := range list {
		r, _ := one.(map[string]any)
		props, _ := r["properties"].(map[string]any)
		props["actions"] = []any{map[string]any{"actionGroupId": m.group + "/providers/Microsoft.Insights/actionGroups/ag1"}}
		body, err := json.Marshal(map[string]any{"location": "global", "properties": props})
		if err != nil {
			m.t.Fatal(err)
		}
		name := fmt.Sprint(r["name"])
		m.do("PUT", m.group+"/providers/Microsoft.Insights/metricAlerts/"+name, "2018-03-01", string(body))
		names = append(names, name)
	}
	return names
}

// until lets minutes pass, each with what one does, until ok. 10 hours are the most.
func (m *monitored) until(what string, one func(), ok func() bool) {
	m.t.Helper()
	for range 600 {
		if ok() {
			return
		}
		one()
		m.clock.Advance(time.Minute)
		time.Sleep(20 * time.Millisecond) // the engine looks at the clock more often than each second
	}
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	m.t.Fatalf("not within 10 hours: %s; told fired %d, resolved %d", what, len(m.told("Fired")), len(m.told("Resolved")))
}

func needMariaDB(t *testing.T) {
	t.Helper()
	for _, program := range []string{"/usr/sbin/mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("MariaDB is not installed (Debian's package mariadb-server-core)")
		}
	}
}

// putServer makes the server db1, a real one, which this machine may connect to.
func (m *monitored) putServer(sku string) (server string) {
	m.t.Helper()
	server = m.group + "/providers/Microsoft.DBforMySQL/servers/db1"
	m.do("PUT", server, "2017-12-01", `{"location":"westeurope","sku":{"name":"`+sku+`"},"properties":{"administratorLogin":"ada","administratorLoginPassword":"Passw0rd!x"}}`)
	m.do("PUT", server+"/firewallRules/here", "2017-12-01", `{"properties":{"startIpAddress":"0.0.0.0","endIpAddress":"0.0.0.0"}}`)
	return server
}

// ready waits for a server and gives its address.
func (m *monitored) ready(server string) (endpoint string) {
	m.t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if props := m.properties(server); props["userVisibleState"] == "Ready" {
			return fmt.Sprint(props["bulkhead"].(map[string]any)["endpoint"])
		}
	}
	m.t.Fatal("the server is not ready within 90 s")
	return ""
}

func (m *monitored) properties(server string) map[string]any {
	m.t.Helper()
	props, _ := m.do("GET", server, "2017-12-01", "")["properties"].(map[string]any)
	return props
}

// look makes a server be measured at once: any change of the resource does.
func (m *monitored) look(server string) {
	m.t.Helper()
	m.do("PATCH", server, "2017-12-01", fmt.Sprintf(`{"tags":{"at":%q}}`, m.clock.Now()))
}

// open is one connection to a server, not yet made. It ends with the test.
func (m *monitored) open(endpoint, password string) *sql.DB {
	m.t.Helper()
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.Logger = "ada", password, "tcp", endpoint, &driver.NopLogger{}
	cfg.TLS = &tls.Config{InsecureSkipVerify: true}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	m.t.Cleanup(func() { db.Close() })
	return db
}

// Wrong passwords against a real server raise the rule of failed connections, with the reason in what to check.
func TestRecommendedRules_FailedConnectionsOfARealServer(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	m := newMonitored(t)
	server := m.putServer("B_Gen5_1")
	if rules := m.recommend(server); len(rules) != 7 { // Basic has no IOPS to watch
		t.Fatalf("rules %v, want 7", rules)
	}
	endpoint := m.ready(server)
	look := func() { m.look(server) }
	minutes := 0
	m.until("quiet", func() { look(); minutes++ }, func() bool { return minutes == 10 })
	for range 12 {
		db := m.open(endpoint, "wrong")
		if err := db.PingContext(t.Context()); err == nil || !strings.Contains(err.Error(), "1045") {
			t.Errorf("wrong password: %v, want error 1045", err)
		}
		db.Close()
	}
	const rule = "db1-failed-connections"
	m.until("fired", look, func() bool { return len(m.told("Fired")[rule]) > 0 })
	m.until("resolved", look, func() bool { return len(m.told("Resolved")[rule]) > 0 })
	fired := m.told("Fired")[rule]
	if len(fired) != 1 || !strings.Contains(fired[0].Body, "12 password") || !strings.Contains(fired[0].Body, `"metricValue":12`) {
		t.Errorf("fired %v, want once, with the 12 failures and their reason", fired)
	}
}
