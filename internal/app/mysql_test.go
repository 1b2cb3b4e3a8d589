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
	"github.com/bulkheadhq/bulkhead/internal/metrics"
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
	m := &monitored{t: t, clock: clock.NewFake(time.Now().UTC().Truncate(time.Minute))}
	cfg := Defaults()
	cfg.Data, cfg.clock = t.TempDir(), m.clock
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

// Each of the recommended rules fires once when what it watches goes on long enough, tells the webhook once, and resolves once.
func TestRecommendedRules_FireOnceAndResolve(t *testing.T) {
	t.Parallel()
	m := newMonitored(t)
	// Measured by nobody but the test: it is attached to where nothing is.
	server := m.group + "/providers/Microsoft.DBforMySQL/servers/db1"
	m.do("PUT", server, "2017-12-01", `{"location":"westeurope","identity":{"type":"SystemAssigned"},"sku":{"name":"GP_Gen5_2"},"properties":{"createMode":"Attach",
		"attach":{"host":"127.0.0.1","port":1,"login":"x","passwordSecretId":"https://nosuch.vault.azure.net/secrets/x"},"storageProfile":{"storageMB":102400}}}`)
	rules := m.recommend(server)
	if len(rules) != 8 {
		t.Fatalf("rules %v, want 8", rules)
	}
	measure := func(share, failed, cpu, memory, io, storage float64) func() {
		return func() {
			t.Helper()
			var samples []metrics.Sample
			for name, v := range map[string]float64{
				"active_connections_percent": share, "connections_failed": failed, "cpu_percent": cpu, "memory_percent": memory, "io_consumption_percent": io, "storage_percent": storage,
			} {
				s := metrics.Sample{Series: metrics.Series{Resource: server, Namespace: "Microsoft.DBforMySQL/servers", Name: name}, Time: m.clock.Now(), Cell: metrics.Of(v)}
				if name == "connections_failed" {
					s.Dimensions = []metrics.Dimension{{Name: "Reason", Value: "password"}}
				}
				samples = append(samples, s)
			}
			if refused, err := m.p.measured.Add(t.Context(), samples); err != nil || len(refused) > 0 {
				t.Fatal(err, refused)
			}
		}
	}
	quiet, busy := measure(10, 0, 20, 30, 5, 40), measure(85, 1, 100, 100, 95, 85)
	minutes := 0
	m.until("quiet hour", func() { quiet(); minutes++ }, func() bool { return minutes == 60 })
	if n := len(m.told("Fired")); n != 0 {
		t.Fatalf("%d rules fired in quiet", n)
	}
	m.until("all fired", busy, func() bool { return len(m.told("Fired")) == len(rules) })
	m.until("all resolved", quiet, func() bool { return len(m.told("Resolved")) == len(rules) })
	minutes = 0
	m.until("another quiet hour", func() { quiet(); minutes++ }, func() bool { return minutes == 60 })
	for _, condition := range []string{"Fired", "Resolved"} {
		for rule, all := range m.told(condition) {
			if len(all) != 1 {
				t.Errorf("%s was told %d times of %s, want once", rule, len(all), condition)
			}
		}
	}
	for rule, want := range map[string]string{
		"db1-active-connections": "GP_Gen5_4 allows 625",
		"db1-cpu-95":             "GP_Gen5_2 has 2 vCores and 10 GB of memory",
		"db1-io":                 "200 GB give 600",
		"db1-storage":            "its 100 GB",
	} {
		fired := m.told("Fired")[rule]
		if len(fired) != 1 || !strings.Contains(fired[0].Body, want) {
			t.Errorf("what %s told doesn't say %q: %v", rule, want, fired)
		}
	}
}

// Wrong passwords against a real server raise the rule of failed connections, with the reason in what to check.
func TestRecommendedRules_FailedConnectionsOfARealServer(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"/usr/sbin/mariadbd", "mariadb-install-db"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("MariaDB is not installed (Debian's package mariadb-server-core)")
		}
	}
	m := newMonitored(t)
	server := m.group + "/providers/Microsoft.DBforMySQL/servers/db1"
	m.do("PUT", server, "2017-12-01", `{"location":"westeurope","sku":{"name":"B_Gen5_1"},"properties":{"administratorLogin":"ada","administratorLoginPassword":"Passw0rd!x"}}`)
	m.do("PUT", server+"/firewallRules/here", "2017-12-01", `{"properties":{"startIpAddress":"0.0.0.0","endIpAddress":"0.0.0.0"}}`)
	if rules := m.recommend(server); len(rules) != 7 { // Basic has no IOPS to watch
		t.Fatalf("rules %v, want 7", rules)
	}
	var endpoint string
	for end := time.Now().Add(90 * time.Second); endpoint == "" && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		props, _ := m.do("GET", server, "2017-12-01", "")["properties"].(map[string]any)
		if props["userVisibleState"] == "Ready" {
			endpoint = fmt.Sprint(props["bulkhead"].(map[string]any)["endpoint"])
		}
	}
	look := func() { // a change of the resource makes the server be measured at once
		m.do("PATCH", server, "2017-12-01", fmt.Sprintf(`{"tags":{"at":%q}}`, m.clock.Now()))
	}
	minutes := 0
	m.until("quiet", func() { look(); minutes++ }, func() bool { return minutes == 10 })
	for range 12 {
		cfg := driver.NewConfig()
		cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.Logger = "ada", "wrong", "tcp", endpoint, &driver.NopLogger{}
		cfg.TLS = &tls.Config{InsecureSkipVerify: true}
		connector, err := driver.NewConnector(cfg)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
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
