package mysql

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// needSysbench skips where there is no load to be had.
func needSysbench(t *testing.T) {
	t.Helper()
	needMariaDB(t)
	if _, err := exec.LookPath("sysbench"); err != nil {
		t.Skip("sysbench is not installed (Debian's package sysbench)")
	}
}

// newServer makes a server that this machine may connect to, and returns its id and properties once it is ready.
func newServer(t *testing.T, p *harness.Platform, group, name, sku string) (server string, props map[string]any) {
	t.Helper()
	server = serverPath(group, name)
	p.ARM(t, "PUT", server+version, map[string]any{
		"location": "westeurope", "sku": map[string]any{"name": sku}, "properties": map[string]any{"administratorLogin": "ada", "administratorLoginPassword": password},
	})
	p.ARM(t, "PUT", server+"/firewallRules/here"+version, map[string]any{"properties": map[string]any{"startIpAddress": "127.0.0.1", "endIpAddress": "127.0.0.1"}})
	return server, properties(t, p, server)
}

// load is a sysbench against one server, over TLS that the platform's root vouches for.
type load struct {
	folder string // it looks for certificates in the folder it runs in
	args   []string
}

// newLoad makes the database that sysbench wants, with one table of that many rows. test is one of sysbench's own.
func newLoad(t *testing.T, p *harness.Platform, props map[string]any, test string, rows int, more ...string) load {
	t.Helper()
	if _, err := open(t, p, props, "ada").ExecContext(t.Context(), "CREATE DATABASE sbtest"); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(fmt.Sprint(props["bulkhead"].(map[string]any)["endpoint"]))
	if err != nil {
		t.Fatal(err)
	}
	l := load{folder: certificates(t, p), args: append([]string{
		test, "--mysql-host=" + host, "--mysql-port=" + port, "--mysql-user=ada", "--mysql-password=" + password, "--mysql-ssl=on", "--table-size=" + strconv.Itoa(rows),
	}, more...)}
	if out, err := l.command(t.Context(), "prepare").CombinedOutput(); err != nil {
		t.Fatalf("sysbench prepare: %v\n%s", err, out)
	}
	return l
}

func (l load) command(ctx context.Context, action string, more ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "sysbench", append(append(append([]string{}, l.args...), more...), action)...)
	c.Dir = l.folder
	return c
}

// certificates is a folder with what sysbench wants for TLS: the authority, and a certificate of its own, which nobody asks for.
func certificates(t *testing.T, p *harness.Platform) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(p.Run.Root)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, b := range map[string][]byte{
		"cacert.pem": root, "client-cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"client-key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// reported takes a number out of what sysbench reports, as "queries:   1234".
func reported(t *testing.T, out []byte, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^\s*` + name + `:\s+([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("sysbench reports no %s:\n%s", name, out)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// point is a minute of a metric; nil is no number.
type point struct {
	Time                                    time.Time `json:"timeStamp"`
	Average, Total, Minimum, Maximum, Count *float64
}

// measured asks for the last hour of a metric by the minute. With reasons, of each value of the dimension Reason; else one series named "".
func measured(t *testing.T, p *harness.Platform, server, metric string, reasons bool) map[string][]point {
	t.Helper()
	now := time.Now().UTC()
	q := url.Values{
		"api-version": {"2018-01-01"}, "metricnames": {metric}, "aggregation": {"Average,Total,Minimum,Maximum,Count"}, "interval": {"PT1M"},
		"timespan": {now.Add(-time.Hour).Format(time.RFC3339) + "/" + now.Add(time.Minute).Format(time.RFC3339)},
	}
	if reasons {
		q.Set("$filter", "Reason eq '*'")
	}
	b, err := json.Marshal(p.ARM(t, "GET", server+"/providers/Microsoft.Insights/metrics?"+q.Encode(), nil))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Value []struct {
			Timeseries []struct {
				Metadata []struct{ Value string } `json:"metadatavalues"`
				Data     []point
			}
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatal(err)
	}
	out := map[string][]point{}
	for _, v := range answer.Value {
		for _, s := range v.Timeseries {
			name := ""
			if len(s.Metadata) > 0 {
				name = s.Metadata[0].Value
			}
			out[name] = s.Data
		}
	}
	return out
}

// extent is what a metric was at most, and summed up, in the last hour.
func extent(t *testing.T, p *harness.Platform, server, metric string) (most, total float64) {
	t.Helper()
	for _, m := range measured(t, p, server, metric, false)[""] {
		if m.Maximum != nil {
			most, total = max(most, *m.Maximum), total+*m.Total
		}
	}
	return most, total
}

// within polls until ok.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within %s: %s", limit, what)
}

// call is what a webhook was told, and when.
type call struct {
	Rule, Condition, ID, Body string
	Fired                     time.Time
	At                        time.Time
}

// hook receives webhooks.
type hook struct {
	*httptest.Server
	mu  sync.Mutex
	got []call
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var raw json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&raw)
		var b struct {
			Data struct {
				Essentials struct {
					Rule      string    `json:"alertRule"`
					Condition string    `json:"monitorCondition"`
					Fired     time.Time `json:"firedDateTime"`
				}
			}
		}
		_ = json.Unmarshal(raw, &b)
		e := b.Data.Essentials
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, call{e.Rule[strings.LastIndexByte(e.Rule, '/')+1:], e.Condition, r.Header.Get("X-Bulkhead-Event"), string(raw), e.Fired, time.Now()})
	}))
	t.Cleanup(h.Close)
	return h
}

// told is what came of a rule and a condition.
func (h *hook) told(rule, condition string) []call {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []call
	for _, c := range h.got {
		if c.Rule == rule && c.Condition == condition {
			out = append(out, c)
		}
	}
	return out
}

// putActionGroup makes the action group on-call that tells the hook.
func (h *hook) putActionGroup(t *testing.T, p *harness.Platform, group string) {
	t.Helper()
	p.ARM(t, "PUT", group+"/providers/Microsoft.Insights/actionGroups/on-call?api-version=2023-01-01", map[string]any{"location": "Global", "properties": map[string]any{
		"groupShortName": "on-call", "enabled": true, "webhookReceivers": []any{map[string]any{"name": "hook", "serviceUri": h.URL, "useCommonAlertSchema": true}},
	}})
}
