//go:build unix

package mysql

import (
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A server that hangs, as one that waits for its disk does, is told to be away; what is refused meanwhile is counted, and it goes on where it was.
func TestServer_Hung(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	p := newPlatform(t, t.TempDir(), true)
	p.mysql.host.patience = time.Second
	e := p.server("B_Gen5_1", "")
	c := p.must(e)
	p.exec(c, "CREATE DATABASE shop")
	p.exec(c, "CREATE TABLE shop.t AS SELECT 42 AS a")
	signal := func(s syscall.Signal) {
		t.Helper()
		e.mu.Lock()
		defer e.mu.Unlock()
		if err := syscall.Kill(e.pid, s); err != nil {
			t.Fatal(err)
		}
	}
	alive := func(want float64) func() bool {
		return func() bool { v, ok := p.metrics.last(metricAlive); return ok && v == want }
	}
	within(t, "alive", alive(1))
	signal(syscall.SIGSTOP)
	defer signal(syscall.SIGCONT)
	within(t, "told to be away", alive(0))
	if v := p.properties(); v["userVisibleState"] != "Inaccessible" {
		t.Errorf("a server that doesn't answer is %v", v["userVisibleState"])
	}
	p.do("DELETE", serverPath+"/firewallRules/here", "")
	p.failsWith(e, 9000, 3, nil)
	late := p.try("PUT", serverPath+"/configurations/wait_timeout", `{"properties":{"value":"77"}}`)
	if status, _, _ := p.outcome(late); status != "InProgress" {
		t.Errorf("what a server that hangs was asked for is %s, want InProgress", status)
	}
	p.clock.Advance(changeTime)
	failed := func() {
		t.Helper()
		if status, code, message := p.outcome(late); status != "Failed" || code != "ServerNotResponding" || !strings.Contains(message, "within 2m0s") || !strings.Contains(message, "does not answer") {
			t.Errorf("after 2 minutes: %s %s %s", status, code, message)
		}
	}
	failed()
	p.done("PUT", serverPath+"/firewallRules/there", `{"properties":{"startIpAddress":"10.0.0.1","endIpAddress":"10.0.0.1"}}`) // the gate's, not the server's
	within(t, "refusals counted without the server", func() bool { return p.metrics.sum(metricFailed, "host") == 3 })
	if !alive(0)() {
		t.Error("the server was alive meanwhile")
	}
	signal(syscall.SIGCONT)
	within(t, "back", func() bool { return p.properties()["userVisibleState"] == "Ready" })
	var n int
	if err := c.QueryRowContext(t.Context(), "SELECT a FROM shop.t").Scan(&n); err != nil || n != 42 {
		t.Errorf("a session from before: %d, %v; want 42", n, err)
	}
	within(t, "alive again", alive(1))
	within(t, "what was asked for meanwhile", func() bool {
		return e.db.QueryRowContext(t.Context(), "SELECT @@global.wait_timeout").Scan(&n) == nil && n == 77
	})
	failed() // what was told stays so
	// One that doesn't come back by itself is restarted by who asks for it.
	signal(syscall.SIGSTOP)
	within(t, "away again", alive(0))
	p.do("PUT", serverPath+"/firewallRules/here", `{"properties":{"startIpAddress":"0.0.0.0","endIpAddress":"0.0.0.0"}}`)
	p.do("POST", serverPath+"/restart", "")
	if err := p.must(e).QueryRowContext(t.Context(), "SELECT a FROM shop.t").Scan(&n); err != nil || n != 42 {
		t.Errorf("after the restart: %d, %v; want 42", n, err)
	}
}

// An attached server that takes connections and says nothing is told to be away, and does not keep its watcher.
func TestAttached_Hung(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := newPlatform(t, t.TempDir(), true)
	p.mysql.host.patience = 100 * time.Millisecond
	p.vault = answers(`{"value":"x"}`)
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	p.do("PUT", groupPath, `{"location":"westeurope"}`)
	p.do("PUT", serverPath, `{"location":"westeurope","identity":{"type":"SystemAssigned"},"sku":{"name":"GP_Gen5_2"},"properties":{"createMode":"Attach",
		"attach":{"host":"127.0.0.1","port":`+port+`,"login":"ada","passwordSecretId":"https://kv1.vault.azure.net/secrets/db","tls":"Disabled"}}}`)
	within(t, "told to be away", func() bool { v, ok := p.metrics.last(metricAlive); return ok && v == 0 })
	within(t, "problem told", func() bool {
		own, _ := p.properties()["bulkhead"].(map[string]any)
		problem, _ := own["problem"].(string)
		return strings.Contains(problem, "does not answer")
	})
	if v := p.properties(); v["userVisibleState"] != "Inaccessible" {
		t.Errorf("it is %v", v["userVisibleState"])
	}
}
