package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
)

// smallDisk mounts a file system of that many bytes, in a file, at dir. Where the machine refuses that the test skips.
func smallDisk(t *testing.T, dir string, bytes int64) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk") // sparse: it takes what is written to it
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, bytes); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{{"mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Skipf("no small file system to be had: %s: %v %s", c[0], err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
}

// A disk smaller than what was provisioned fills up: the metric tells it, the rule fires, then the server is read-only. It is writable and the rule resolves once the disk has
// more room, as one that grew has.
func TestRecommendedRules_TheDiskFills(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	const mb = int64(1) << 20
	dir := t.TempDir()
	smallDisk(t, filepath.Join(dir, "mysql"), 4400*mb)
	m := newMonitoredIn(t, dir)
	server := m.putServer("GP_Gen5_2") // 5 GB were asked for
	m.recommend(server)
	db := m.open(m.ready(server), "Passw0rd!x")
	exec := func(statement string) error {
		_, err := db.ExecContext(t.Context(), statement)
		return err
	}
	for _, s := range []string{"CREATE DATABASE shop", "CREATE TABLE shop.t (a INT)", "INSERT INTO shop.t VALUES (1)"} {
		if err := exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	look := func() { m.look(server) }
	minutes := 0
	m.until("quiet", func() { look(); minutes++ }, func() bool { return minutes == 10 })

	// What a big sort leaves behind. It is really on the disk, without anybody having to write it.
	folders, _ := filepath.Glob(filepath.Join(dir, "mysql", "*", "tmp"))
	if len(folders) != 1 {
		t.Fatalf("folders %v, want one", folders)
	}
	sort, others := filepath.Join(folders[0], "sort"), filepath.Join(dir, "mysql", "of-somebody-else")
	if err := allocate(others, 3100*mb); err != nil {
		t.Skipf("no file can be allocated at once: %v", err)
	}
	fill := func(leave int64) {
		t.Helper()
		if err := allocate(sort, leave); err != nil {
			t.Skipf("no file can be allocated at once: %v", err)
		}
	}
	fill(570 * mb) // below 512 MB the server is read-only
	const rule = "db1-storage"
	m.until("fired", look, func() bool { return len(m.told("Fired")[rule]) > 0 })
	if err := exec("INSERT INTO shop.t VALUES (2)"); err != nil {
		t.Errorf("before its end it is writable: %v", err)
	}
	if c := m.one(rule, "Fired").Data.AlertContext.Condition.AllOf[0]; c.MetricValue < 80 || c.MetricValue > 83 {
		t.Errorf("storage_percent = %v; with 570 of some 3100 MB left it is 81 or 82", c.MetricValue)
	}
	if fired := m.told("Fired")[rule][0]; !strings.Contains(fired.Body, "The disk that it is on has 5") { // 5xx MB
		t.Errorf("what was told doesn't say what the disk has left: %s", fired.Body)
	}
	fill(300 * mb)
	readOnly := func() bool {
		own, _ := m.properties(server)["bulkhead"].(map[string]any)
		return own["readOnly"] == true
	}
	m.until("read-only", look, readOnly)
	if err := exec("INSERT INTO shop.t VALUES (3)"); numberOf(err) != 1290 {
		t.Errorf("INSERT into a read-only server: %v, want error 1290", err)
	}
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM shop.t").Scan(&n); err != nil || n != 2 {
		t.Errorf("rows: %d, %v; want 2", n, err)
	}

	if err := os.Remove(others); err != nil {
		t.Fatal(err)
	}
	m.until("writable", look, func() bool { return !readOnly() })
	if err := exec("INSERT INTO shop.t VALUES (3)"); err != nil {
		t.Errorf("INSERT once there is room: %v", err)
	}
	m.until("resolved", look, func() bool { return len(m.told("Resolved")[rule]) > 0 })
	m.settle()
	m.one(rule, "Fired")
	m.one(rule, "Resolved")
	if n := len(m.told("Fired")); n != 1 {
		t.Errorf("%d rules fired, want that of storage alone", n)
	}
}

// numberOf is the number of a server's error.
func numberOf(err error) uint16 {
	if m, ok := err.(*driver.MySQLError); ok {
		return m.Number
	}
	return 0
}

// Active connections are watched by the share of the SKU's limit: a server that is scaled up resolves the rule without anybody touching it, and twice as many fire it again.
func TestRecommendedRules_ConnectionsFollowTheSKU(t *testing.T) {
	t.Parallel()
	needMariaDB(t)
	m := newMonitored(t)
	server := m.putServer("B_Gen5_1")
	m.recommend(server)
	endpoint := m.ready(server)
	connect := func(n int) {
		t.Helper()
		for range n {
			if err := m.open(endpoint, "Passw0rd!x").PingContext(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	look := func() { m.look(server) }
	const rule = "db1-active-connections"
	minutes := 0
	m.until("quiet", func() { look(); minutes++ }, func() bool { return minutes == 10 })
	began := m.clock.Now()
	connect(42) // of 50
	m.until("fired", look, func() bool { return len(m.told("Fired")[rule]) > 0 })
	n := m.one(rule, "Fired").Data
	if c := n.AlertContext.Condition; c.AllOf[0].MetricValue != 84 || c.WindowStartTime.Before(began) {
		t.Errorf("fired with %v percent from %s, connected since %s", c.AllOf[0].MetricValue, c.WindowStartTime, began)
	}
	if !strings.Contains(n.Essentials.Description, "limit of B_Gen5_1 is 50 connections; 80 percent are 40") || !strings.Contains(n.Essentials.Description, "B_Gen5_2 allows 100") {
		t.Errorf("what to check: %s", n.Essentials.Description)
	}
	m.do("PATCH", server, "2017-12-01", `{"sku":{"name":"B_Gen5_2","capacity":2}}`)
	m.until("resolved", look, func() bool { return len(m.told("Resolved")[rule]) > 0 })
	connect(40) // 82 of 100
	m.until("fired again", look, func() bool { return len(m.told("Fired")[rule]) > 1 })
	again := m.told("Fired")[rule]
	if first := again[0]; again[1].ID == first.ID || !strings.Contains(again[1].Body, `"metricValue":82`) {
		t.Errorf("fired again as %+v, first as %s", again[1], first.ID)
	}
}
