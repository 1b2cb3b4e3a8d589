package mysql

import (
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
)

// raw is a MariaDB that nobody has prepared, as one that is attached may be. It listens on a socket; a port leads there.
type raw struct {
	t    *testing.T
	port string
	root *sql.DB
}

func newRaw(t *testing.T, args ...string) *raw {
	t.Helper()
	dir := t.TempDir()
	account := newHost(&Service{}, "").account
	program, err := findProgram(installProgram)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "d")
	install := exec.Command(program, append([]string{"--no-defaults", "--datadir=" + data, "--tmpdir=" + dir, "--auth-root-authentication-method=socket", "--auth-root-socket-user=" + account, "--skip-test-db"}, asRoot()...)...)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", installProgram, err, out)
	}
	run, err := os.MkdirTemp("", "raw") // a socket's name has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(run) })
	socket := filepath.Join(run, "s")
	if program, err = findProgram(serverProgram); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(program, append(append([]string{"--no-defaults", "--datadir=" + data, "--socket=" + socket, "--tmpdir=" + dir, "--skip-networking"}, asRoot()...), args...)...)
	server.Dir, server.Stderr = dir, io.Discard
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	r := &raw{t: t, port: lead(t, socket)}
	cfg := driver.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.Logger = account, "unix", socket, &driver.NopLogger{}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.root = openOne(connector)
	t.Cleanup(func() { r.root.Close() })
	within(t, "raw server answers", func() bool { return r.root.Ping() == nil })
	r.exec("CREATE USER watcher@'%' IDENTIFIED BY '" + password + "'")
	r.exec("GRANT SELECT, PROCESS, SLAVE MONITOR, REPLICATION SLAVE, CONNECTION ADMIN ON *.* TO watcher@'%'") // it has a place where all are taken
	r.exec("CREATE USER app@'%' IDENTIFIED BY '" + password + "'")
	r.exec("GRANT SELECT ON *.* TO app@'%'")
	return r
}

// lead passes connections of a port on loopback on to a socket.
func lead(t *testing.T, socket string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("unix", socket)
			if err != nil {
				c.Close()
				continue
			}
			all.Go(func() { _, _ = io.Copy(back, c); back.Close() })
			all.Go(func() { _, _ = io.Copy(c, back); c.Close() })
		}
	})
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func (r *raw) exec(statement string) {
	r.t.Helper()
	if _, err := r.root.ExecContext(r.t.Context(), statement); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

// login connects by the port, and returns the error's number, 0 for none.
func (r *raw) login(password, database string) (*sql.DB, uint16) {
	r.t.Helper()
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName, cfg.Net, cfg.Addr, cfg.Logger = "app", password, database, "tcp", "127.0.0.1:"+r.port, &driver.NopLogger{}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	db := openOne(connector)
	r.t.Cleanup(func() { db.Close() })
	return db, number(db.PingContext(r.t.Context()))
}

// attach makes db1 watch the server, and returns what makes it be looked at once more and waits for that.
func (p *platform) attach(r *raw) (look func()) {
	p.t.Helper()
	p.vault = answers(fmt.Sprintf(`{"value":%q}`, password))
	p.do("PUT", groupPath, `{"location":"westeurope"}`)
	p.do("PUT", serverPath, `{"location":"westeurope","identity":{"type":"SystemAssigned"},"sku":{"name":"GP_Gen5_2"},"properties":{"createMode":"Attach",
		"attach":{"host":"127.0.0.1","port":`+r.port+`,"login":"watcher","passwordSecretId":"https://kv1.vault.azure.net/secrets/db","tls":"Disabled"}}}`)
	within(p.t, "watched", func() bool { return p.properties()["userVisibleState"] == "Ready" })
	return func() {
		p.t.Helper()
		p.clock.Advance(10 * time.Second)
		before := p.metrics.sum(metricAlive, "")
		if w := p.try("PATCH", serverPath, fmt.Sprintf(`{"tags":{"at":%q}}`, p.clock.Now())); w.Code != http.StatusAccepted {
			p.t.Fatalf("PATCH: %d %s", w.Code, w.Body)
		}
		within(p.t, "looked at", func() bool { return p.metrics.sum(metricAlive, "") > before })
	}
}

// What an attached server's own counters tell of failed connections is exact, and as far as they tell why, by reason.
func TestAttached_FailuresAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	r := newRaw(t, "--max-connections=10")
	p := newPlatform(t, t.TempDir(), true)
	look := p.attach(r)
	look()
	for range 7 {
		if _, n := r.login("wrong", ""); n != 1045 {
			t.Errorf("wrong password: error %d, want 1045", n)
		}
	}
	for range 3 { // probes
		c, err := net.Dial("tcp", "127.0.0.1:"+r.port)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil { // the greeting's begin: the server has taken it
			t.Fatal(err)
		}
		c.Close()
	}
	aborted := func(want int) func() bool {
		return func() bool {
			var name string
			var n int
			return r.root.QueryRow("SHOW GLOBAL STATUS LIKE 'Aborted_connects'").Scan(&name, &n) == nil && n == want
		}
	}
	within(t, "seven failures and three probes counted by the server", aborted(10))
	look()
	if got := p.metrics.sum(metricFailed, "password"); got != 7 || p.metrics.sum(metricFailed, "") != 7 {
		t.Errorf("connections_failed = %v, %v of them by password; want 7 and 7", p.metrics.sum(metricFailed, ""), got)
	}
	for range 2 {
		if _, n := r.login(password, "nosuch"); n != 1049 {
			t.Errorf("database that isn't there: error %d, want 1049", n)
		}
	}
	within(t, "two more", aborted(12))
	look()
	if got := p.metrics.sum(metricFailed, "other"); got != 2 {
		t.Errorf("connections_failed of reason other = %v, want 2", got)
	}
	look()                // the watcher's connection is there: it needs no place of those that follow
	refused, held := 0, 0 // until the test's end
	for refused < 5 && held < 20 {
		_, n := r.login(password, "")
		switch n {
		case 0:
			held++
		case 1040:
			refused++
		default:
			t.Fatalf("login: error %d", n)
		}
	}
	within(t, "five more", aborted(17))
	look()
	if got := p.metrics.sum(metricFailed, "limit"); got != 5 || p.metrics.sum(metricFailed, "") != 14 {
		t.Errorf("connections_failed = %v, %v of them by the limit; want 14 and 5", p.metrics.sum(metricFailed, ""), got)
	}
}

// An attached replica tells how far behind it is; a primary tells nothing.
func TestAttached_AReplicaTellsHowFarBehindItIs(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	primary, replica := newRaw(t, "--server-id=1", "--log-bin=b"), newRaw(t, "--server-id=2")
	var file, rest string
	var at int
	if err := primary.root.QueryRow("SHOW MASTER STATUS").Scan(&file, &at, &rest, &rest); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%s, MASTER_USER='watcher', MASTER_PASSWORD='%s', MASTER_LOG_FILE='%s', MASTER_LOG_POS=%d, MASTER_DELAY=3600", primary.port, password, file, at),
		"START SLAVE",
	} {
		replica.exec(s)
	}
	primary.exec("CREATE DATABASE shop") // an hour passes before the replica has it
	p := newPlatform(t, t.TempDir(), true)
	look := p.attach(replica)
	within(t, "behind", func() bool { look(); v, ok := p.metrics.last(metricBehind); return ok && v > 0 })
	if v, _ := p.metrics.last(metricBehind); v > 600 {
		t.Errorf("seconds_behind_master = %v, the write was just now", v)
	}
	replica.exec("STOP SLAVE") // broken: nobody knows
	look()
	before := p.metrics.count(metricBehind)
	look()
	if p.metrics.count(metricBehind) != before {
		t.Error("a replica that is stopped tells how far behind it is")
	}
	if !strings.Contains(fmt.Sprint(p.properties()["bulkhead"]), "MariaDB") {
		t.Errorf("properties: %v", p.properties())
	}
}
