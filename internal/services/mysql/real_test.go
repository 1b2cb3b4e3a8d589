package mysql

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/bulkheadhq/bulkhead/internal/services/mysql/gate"
)

// needMariaDB skips where no server can run.
func needMariaDB(t *testing.T) {
	t.Helper()
	for _, program := range []string{serverProgram, installProgram} {
		if _, err := findProgram(program); err != nil {
			t.Skipf("%s is not installed (Debian's package mariadb-server-core)", program)
		}
	}
}

// login connects to db1 once; how changes the configuration.
func (p *platform) login(e *engine, how func(*driver.Config)) (*session, error) {
	p.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.ca.Root)
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.Logger = "ada@db1", password, "tcp", e.status().Endpoint, &driver.NopLogger{}
	cfg.Timeout, cfg.ReadTimeout = 30*time.Second, 30*time.Second
	cfg.TLS = &tls.Config{RootCAs: roots, ServerName: "db1.mysql.database.azure.com"}
	if how != nil {
		how(cfg)
	}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	p.t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	c, err := db.Conn(p.t.Context())
	return &session{c, db}, err
}

// session is one connection to a server.
type session struct {
	*sql.Conn
	db *sql.DB
}

// Close ends the connection, not only its lease.
func (s *session) Close() {
	s.Conn.Close()
	s.db.Close()
}

// must is login that must succeed.
func (p *platform) must(e *engine) *session {
	p.t.Helper()
	c, err := p.login(e, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *platform) exec(c *session, statement string) {
	p.t.Helper()
	if _, err := c.ExecContext(p.t.Context(), statement); err != nil {
		p.t.Fatalf("%.60s: %v", statement, err)
	}
}

func number(err error) uint16 {
	var m *driver.MySQLError
	if errors.As(err, &m) {
		return m.Number
	}
	return 0
}

// failsWith makes the login fail with an error of that number, n times.
func (p *platform) failsWith(e *engine, want uint16, n int, how func(*driver.Config)) {
	p.t.Helper()
	for range n {
		if _, err := p.login(e, how); number(err) != want || err == nil {
			p.t.Errorf("login: %v, want error %d", err, want)
		}
	}
}

func TestServer_EveryFailedConnectionIsCountedWithItsReason(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	p := newPlatform(t, t.TempDir(), true)
	e := p.server("B_Gen5_1", "")
	p.failsWith(e, 1045, 7, func(c *driver.Config) { c.Passwd = "wrong" })
	p.failsWith(e, 1045, 2, func(c *driver.Config) { c.User = "nobody" })
	p.failsWith(e, 1049, 3, func(c *driver.Config) { c.DBName = "nosuch" })
	p.failsWith(e, 9002, 4, func(c *driver.Config) { c.TLS = nil })
	p.failsWith(e, 0, 5, func(c *driver.Config) { c.TLS = &tls.Config{ServerName: "db1.mysql.database.azure.com"} }) // doesn't trust the certificate
	for range 6 {
		probe, err := net.Dial("tcp", e.status().Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		probe.Close()
	}
	var held []*session
	for range 50 { // the limit of B_Gen5_1
		held = append(held, p.must(e))
	}
	p.failsWith(e, 1040, 8, nil)
	for _, c := range held {
		c.Close()
	}
	p.do("DELETE", serverPath+"/firewallRules/here", "")
	p.failsWith(e, 9000, 9, nil)
	e.poke()
	for reason, want := range map[gate.Reason]float64{gate.Password: 9, gate.Database: 3, gate.TLS: 9, gate.Limit: 8, gate.Host: 9, gate.Other: 0} {
		within(t, string(reason)+" counted", func() bool { return p.metrics.sum(metricFailed, string(reason)) >= want })
		if got := p.metrics.sum(metricFailed, string(reason)); got != want {
			t.Errorf("connections_failed of reason %s = %v, want %v", reason, got, want)
		}
	}
	if got := p.metrics.sum(metricFailed, ""); got != 38 {
		t.Errorf("connections_failed = %v, want 38", got)
	}
	// The server's own counters agree: what reached it and was denied.
	var name string
	var denied int
	if err := e.db.QueryRow("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'").Scan(&name, &denied); err != nil || denied != 9 {
		t.Errorf("Access_denied_errors = %d, %v; want 9", denied, err)
	}
}

func TestServer_ScalingChangesItsLimits(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	p := newPlatform(t, t.TempDir(), true)
	e := p.server("B_Gen5_1", "")
	limit := func(want int) {
		t.Helper()
		var n int
		if err := e.db.QueryRow("SELECT @@global.max_connections").Scan(&n); err != nil || n != want+ownConnections {
			t.Errorf("max_connections = %d, %v; want %d", n, err, want+ownConnections)
		}
		var held []*session
		for range want {
			held = append(held, p.must(e))
		}
		p.failsWith(e, 1040, 1, nil)
		e.poke()
		within(t, "full", func() bool { v, ok := p.metrics.last(metricActiveShare); return ok && v == 100 })
		for _, c := range held {
			c.Close()
		}
		within(t, "places are free again", func() bool { return e.gate.Active() == 0 })
	}
	limit(50)
	p.done("PATCH", serverPath, `{"sku":{"name":"B_Gen5_2","capacity":2},"properties":{"storageProfile":{"storageMB":6144}}}`)
	limit(100)
	p.done("PATCH", serverPath, `{"sku":{"name":"B_Gen5_1","capacity":1}}`)
	limit(50)
	p.done("PUT", serverPath+"/configurations/max_connections", `{"properties":{"value":"20"}}`)
	if n := e.wanted().connections(); n != 20 {
		t.Errorf("configured limit = %d, want 20", n)
	}
	if v := p.try("PATCH", serverPath, `{"sku":{"name":"GP_Gen5_2"}}`); v.Code != 400 {
		t.Errorf("Basic to GeneralPurpose: %d %s, want 400", v.Code, v.Body)
	}
}

func TestServer_ReadOnlyNearItsEndAndBack(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	p := newPlatform(t, t.TempDir(), true)
	e := p.server("GP_Gen5_2", "")
	c := p.must(e)
	p.exec(c, "CREATE DATABASE shop")
	p.exec(c, "CREATE TABLE shop.t (a INT)")
	p.exec(c, "INSERT INTO shop.t VALUES (1)")
	// A temporary file that leaves 400 MB of the 5 GB; its size counts, not what the disk gives for it.
	big, err := os.Create(filepath.Join(e.folder, "tmp", "sort"))
	if err != nil {
		t.Fatal(err)
	}
	defer big.Close()
	if err := big.Truncate(int64(minStorage-400) * mib); err != nil {
		t.Fatal(err)
	}
	e.poke()
	within(t, "read-only", func() bool { return e.status().ReadOnly })
	if _, err := c.ExecContext(t.Context(), "INSERT INTO shop.t VALUES (2)"); number(err) != 1290 {
		t.Errorf("INSERT near the end: %v, want error 1290", err)
	}
	var n int
	if err := c.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM shop.t").Scan(&n); err != nil || n != 1 {
		t.Errorf("SELECT while read-only: %d, %v; want 1", n, err)
	}
	if used, _ := p.metrics.last(metricStorage); used < 90 {
		t.Errorf("storage_percent = %v, want 90 or more", used)
	}
	p.done("PATCH", serverPath, `{"properties":{"storageProfile":{"storageMB":10240}}}`)
	p.exec(c, "INSERT INTO shop.t VALUES (2)")

	// Growing by itself: 1 GB is left of 10, so it gets 5 more.
	p.do("PATCH", serverPath, `{"properties":{"storageProfile":{"storageAutogrow":"Enabled"}}}`)
	if err := big.Truncate(int64(10240-900) * mib); err != nil {
		t.Fatal(err)
	}
	e.poke()
	within(t, "grown", func() bool {
		profile, _ := p.properties()["storageProfile"].(map[string]any)
		return profile["storageMB"] == 15360.0
	})
	p.exec(c, "INSERT INTO shop.t VALUES (3)")
}

func TestServer_ReadOnlyBeforeTheDiskIsFull(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	dir := t.TempDir()
	small := filepath.Join(dir, "mysql")
	if err := os.MkdirAll(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=680m", "bulkhead-test", small).CombinedOutput(); err != nil {
		t.Skipf("no small file system can be mounted: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", small).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	p := newPlatform(t, dir, true)
	t.Cleanup(p.stop) // before the umount
	e := p.server("B_Gen5_1", "")
	c := p.must(e)
	p.exec(c, "CREATE DATABASE shop")
	p.exec(c, "CREATE TABLE shop.t (a LONGBLOB)")
	fill := strings.Repeat("x", 1<<20)
	var err error
	for range 200 { // far less than the 5 GB it was promised
		if _, err = c.ExecContext(t.Context(), "INSERT INTO shop.t VALUES ('"+fill+"')"); err != nil {
			break
		}
		e.poke()
	}
	if number(err) != 1290 {
		t.Fatalf("filling the disk: %v, want error 1290", err)
	}
	if out, err := exec.Command("mount", "-o", "remount,size=1500m", small).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v %s", err, out)
	}
	e.poke()
	within(t, "writable on the larger disk", func() bool { return !e.status().ReadOnly })
	p.exec(c, "INSERT INTO shop.t VALUES ('y')")
}

func TestServer_KeepsDataPortAndAccountOverARestart(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	p := newPlatform(t, t.TempDir(), true)
	e := p.server("B_Gen5_1", "")
	c := p.must(e)
	p.exec(c, "CREATE DATABASE Shop")
	p.exec(c, "CREATE TABLE shop.t AS SELECT 42 AS a")
	list, _ := p.do("GET", serverPath+"/databases", "")["value"].([]any)
	if names := fmt.Sprint(list); !strings.Contains(names, "name:shop ") {
		t.Errorf("databases made by SQL are not listed: %s", names)
	}
	before := e.status().Endpoint
	p.do("POST", serverPath+"/restart", "")
	var n int
	if err := p.must(e).QueryRowContext(t.Context(), "SELECT a FROM shop.t").Scan(&n); err != nil || n != 42 {
		t.Errorf("after restart: %d, %v; want 42", n, err)
	}
	p.done("PATCH", serverPath, `{"properties":{"administratorLoginPassword":"An0ther!pass"}}`)
	if _, err := p.login(e, func(c *driver.Config) { c.Passwd = "An0ther!pass" }); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	p.failsWith(e, 1045, 1, nil)
	// The child is killed: it comes back by itself.
	e.mu.Lock()
	pid := e.pid
	e.mu.Unlock()
	if child, err := os.FindProcess(pid); err != nil || child.Kill() != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
	within(t, "killed child is back", func() bool {
		c, err := p.login(e, func(c *driver.Config) { c.Passwd = "An0ther!pass" })
		return err == nil && c.QueryRowContext(t.Context(), "SELECT a FROM shop.t").Scan(&n) == nil && n == 42
	})
	if least := p.metrics.least(metricAlive); least != 0 {
		t.Errorf("is_db_alive was never below %v, though the server was killed", least)
	}
	if e.status().Endpoint != before {
		t.Errorf("endpoint = %s, was %s", e.status().Endpoint, before)
	}
	p.do("DELETE", serverPath, "")
	if _, err := os.Stat(e.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder of a deleted server: %v, want it gone", err)
	}
}

func TestAttached_IsMeasured(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	p := newPlatform(t, t.TempDir(), true)
	e := p.server("B_Gen5_1", "")
	p.vault = roundTripper(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		if r.URL.String() != "https://kv1.vault.azure.net/secrets/db?api-version=7.4" || r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(http.StatusForbidden)
		}
		fmt.Fprintf(w, `{"value":%q}`, password)
		return w.Result(), nil
	})
	host, port, _ := net.SplitHostPort(e.status().Endpoint)
	ca := strconv.Quote(string(p.mysql.deps.RootPEM))
	const other = groupPath + "/providers/Microsoft.DBforMySQL/servers/db2"
	p.do("PUT", other, `{"location":"westeurope","identity":{"type":"SystemAssigned"},"sku":{"name":"GP_Gen5_2"},"properties":{"createMode":"Attach",
		"attach":{"host":"`+host+`","port":`+port+`,"login":"ada","passwordSecretId":"https://kv1.vault.azure.net/secrets/db","ca":`+ca+`}}}`)
	within(t, "watched", func() bool {
		props, _ := p.do("GET", other, "")["properties"].(map[string]any)
		return props["userVisibleState"] == "Ready"
	})
	if v := p.try("POST", other+"/restart", ""); v.Code != http.StatusNotImplemented {
		t.Errorf("restart of an attached server: %d, want 501", v.Code)
	}
	p.metrics.mu.Lock()
	defer p.metrics.mu.Unlock()
	seen := map[string]bool{}
	for _, s := range p.metrics.samples {
		if strings.HasSuffix(s.Resource, "/db2") {
			seen[s.Name] = true
		}
	}
	if !seen[metricActive] || !seen[metricActiveShare] || seen[metricCPU] || seen[metricBehind] {
		t.Errorf("measured %v, want connections, and neither CPU nor replication", seen)
	}
}

func TestLogs_AreListedAndDownloadedBySignedLink(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, t.TempDir(), false)
	p.server("B_Gen5_1", "")
	r, _, err := p.mysql.deps.Resources.Resource(t.Context(), "/subscriptions/"+p.sub+serverPath)
	if err != nil {
		t.Fatal(err)
	}
	writeLog(t, p.mysql.host.logs(r.GUID), "mysql-error-db1.log", "ready for connections\n")
	list, _ := p.do("GET", serverPath+"/logFiles", "")["value"].([]any)
	if len(list) != 1 {
		t.Fatalf("logFiles = %v, want one", list)
	}
	link, _ := list[0].(map[string]any)["properties"].(map[string]any)["url"].(string)
	get := func(url string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), "GET", url, nil))
		return w
	}
	if w := get(link); w.Code != 200 || w.Body.String() != "ready for connections\n" {
		t.Errorf("log: %d %q", w.Code, w.Body)
	}
	for _, bad := range []string{strings.Replace(link, "sig=", "sig=A", 1), strings.Replace(link, "mysql-error-db1.log", "..%2fdata%2fibdata1", 1), strings.Replace(link, "se=", "se=9", 1)} {
		if w := get(bad); w.Code != 403 {
			t.Errorf("%s: %d, want 403", bad, w.Code)
		}
	}
	p.clock.Advance(linkLife + time.Second)
	if w := get(link); w.Code != 403 {
		t.Errorf("expired link: %d, want 403", w.Code)
	}
	if w := get("https://db1.mysql.database.azure.com/ca.pem"); w.Code != 200 || !bytes.Contains(w.Body.Bytes(), []byte("BEGIN CERTIFICATE")) {
		t.Errorf("ca.pem: %d %s", w.Code, w.Body)
	}
	b, err := readEnd(filepath.Join(p.mysql.host.logs(r.GUID), "mysql-error-db1.log"), 5)
	if err != nil || string(b) != "ions\n" {
		t.Errorf("readEnd = %q, %v; want the last 5 bytes", b, err)
	}
}
