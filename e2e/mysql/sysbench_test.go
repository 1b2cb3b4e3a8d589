package mysql

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestSysbench_MetricsTellTheLoadAndEveryRefusal puts sysbench on a server and hostile clients beside it: the metrics are what the server, its process and its files say of
// themselves, and connections_failed is exact, by reason.
func TestSysbench_MetricsTellTheLoadAndEveryRefusal(t *testing.T) {
	needSysbench(t)
	p := shared.Platform(t)
	name := harness.Name("load-db")
	server, props := newServer(t, p, p.PutGroup(t), name, "GP_Gen5_2")
	p.ARM(t, "PUT", server+"/configurations/max_connections"+version, map[string]any{"properties": map[string]any{"value": strconv.Itoa(limit)}})
	db := open(t, p, props, "ada")
	db.SetMaxOpenConns(1)
	pid := processOf(t, p, server)
	l := newLoad(t, p, props, "oltp_read_write", 10_000, "--threads="+strconv.Itoa(threads))
	before := lookAt(t, db, pid)
	began := time.Now()
	c := l.command(t.Context(), "run", "--time=15")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// Hostile clients come once sysbench has its connections, and the server is looked at once more: any change of it does that.
	within(t, time.Minute, "sysbench has its connections", func() bool { return lookAt(t, db, pid).counters["Threads_connected"] >= threads+2 })
	p.ARM(t, "PATCH", server+version, map[string]any{"tags": map[string]any{"under": "load"}})
	tried := attack(p, props, name)
	if err := c.Wait(); err != nil {
		t.Fatalf("sysbench: %v\n%s", err, out.Bytes())
	}
	took := time.Since(began).Seconds()
	after := lookAt(t, db, pid)
	if reported(t, out.Bytes(), "reconnects") != 0 || reported(t, out.Bytes(), "transactions") < 10 {
		t.Errorf("hostile clients got in sysbench's way:\n%s", out.Bytes())
	}

	t.Run("refusals", func(t *testing.T) { checkRefusals(t, p, server, tried) })

	// The counters: what the metrics sum up to is at least what was counted while sysbench ran, and at most what has been counted until now.
	for metric, counter := range map[string]string{"network_bytes_ingress": "Bytes_received", "network_bytes_egress": "Bytes_sent"} {
		grew := after.counters[counter] - before.counters[counter]
		within(t, time.Minute, metric+" measured", func() bool { _, total := extent(t, p, server, metric); return total >= grew })
		_, total := extent(t, p, server, metric)
		if now := lookAt(t, db, pid).counters[counter]; total > now || grew < 10_000 {
			t.Errorf("%s = %v in all, the server counted %v, and %v of it under load", metric, total, now, grew)
		}
	}
	// The rates: two looks lie 10 s apart, so the highest was no lower than the average over the load with as much before and after; 60 s are for a machine that is slow to look.
	for metric, used := range map[string]float64{
		"cpu_percent":            (after.cpu - before.cpu) / 2 * 100, // 2 vCores; this machine may have fewer
		"io_consumption_percent": after.io(before) / 100 * 100,       // 5 GB give 100 IOPS
	} {
		least := math.Min(used/(took+60), 100)
		if most, _ := extent(t, p, server, metric); most < least || least <= 0 || most > 100 {
			t.Errorf("%s was at most %v, want %v to 100", metric, most, least)
		}
	}
	most, _ := extent(t, p, server, "memory_percent")
	if least, top := math.Min(before.resident, after.resident)/(10<<30)*100, lookAt(t, db, pid).peak/(10<<30)*100; most < least*0.9 || most > top*1.1 { // the kernel counts pages in batches
		t.Errorf("memory_percent was at most %v, the process had %v to %v", most, least, top)
	}
	active, _ := extent(t, p, server, "active_connections")
	if share, _ := extent(t, p, server, "active_connections_percent"); active < threads || active > limit+1 || math.Abs(share-math.Min(active/limit*100, 100)) > 0.01 {
		t.Errorf("at most %v active connections, %v percent of %d; sysbench had %d", active, share, limit, threads)
	}
	// Storage: what the files are, sysbench's table among them.
	table, all := filesUnder(t, p, server, "data/sbtest"), filesUnder(t, p, server, "")
	used, _ := extent(t, p, server, "storage_used")
	if table < 1<<20 || used < table || used > all*1.05 {
		t.Errorf("storage_used = %v, the files have %v, sysbench's table %v", used, all, table)
	}
	if percent, _ := extent(t, p, server, "storage_percent"); math.Abs(percent-used/(5<<30)*100) > 0.01 {
		t.Errorf("storage_percent = %v with %v bytes of 5 GB", percent, used)
	}
	t.Logf("%s\nhostile: %+v; CPU %.1f s, %v IO in %.1f s", out.Bytes(), tried, after.cpu-before.cpu, after.io(before), took)
}

const (
	threads = 8  // of sysbench
	limit   = 20 // connections
)

// attempts are refusals counted by who was refused, by Bulkhead's reason.
type attempts map[string]int

// attack tries to get in, in each way that must fail. It counts what it was answered.
func attack(p *harness.Platform, props map[string]any, name string) attempts {
	own, _ := props["bulkhead"].(map[string]any)
	trusting := &tls.Config{InsecureSkipVerify: true}
	try := func(how func(*driver.Config)) (*sql.DB, error) {
		cfg := driver.NewConfig()
		cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.TLS, cfg.Logger = "ada@"+name, password, "tcp", fmt.Sprint(own["endpoint"]), trusting, &driver.NopLogger{}
		cfg.Timeout, cfg.ReadTimeout = 60*time.Second, 60*time.Second
		if how != nil {
			how(cfg)
		}
		connector, err := driver.NewConnector(cfg)
		if err != nil {
			return nil, err
		}
		db := sql.OpenDB(connector)
		db.SetMaxOpenConns(1)
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
		defer cancel()
		if err := db.PingContext(ctx); err != nil {
			db.Close()
			return nil, err
		}
		return db, nil
	}
	out := attempts{}
	note := func(db *sql.DB, err error) {
		var m *driver.MySQLError
		switch {
		case err == nil:
			out["admitted"]++
			db.Close()
		case errors.As(err, &m):
			out[map[uint16]string{1045: "password", 1049: "database", 9002: "tls", 9000: "host", 1040: "limit"}[m.Number]]++
		case strings.Contains(err.Error(), "certificate"):
			out["tls"]++
		default:
			out[err.Error()]++
		}
	}
	for range 7 {
		note(try(func(c *driver.Config) { c.Passwd = "wrong" }))
	}
	for range 4 {
		note(try(func(c *driver.Config) { c.TLS = nil }))
	}
	for range 3 { // doesn't trust the certificate
		note(try(func(c *driver.Config) { c.TLS = &tls.Config{ServerName: fmt.Sprint(props["fullyQualifiedDomainName"])} }))
	}
	for range 2 {
		note(try(func(c *driver.Config) { c.DBName = "nosuch" }))
	}
	for range 5 { // the rule admits 127.0.0.1 alone
		note(try(func(c *driver.Config) {
			c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
				return d.DialContext(ctx, network, addr)
			}
		}))
	}
	var held []*sql.DB
	defer func() {
		for _, db := range held {
			db.Close()
		}
	}()
	for out["limit"] < 6 { // sysbench holds some of the places, the test one
		db, err := try(nil)
		if err == nil && len(held) < limit {
			held = append(held, db)
			continue
		}
		note(db, err)
		if out["admitted"]+len(out) > 12 { // something else than expected, again and again
			break
		}
	}
	return out
}

// checkRefusals compares what clients counted with what was measured.
func checkRefusals(t *testing.T, p *harness.Platform, server string, tried attempts) {
	want := attempts{"password": 7, "tls": 7, "database": 2, "host": 5, "limit": 6}
	for reason, n := range want {
		if tried[reason] != n {
			t.Errorf("answered: %v, want %v", tried, want)
		}
	}
	totals := func() attempts {
		got := attempts{}
		for reason, minutes := range measured(t, p, server, "connections_failed", true) {
			for _, m := range minutes {
				if m.Total != nil {
					got[reason] += int(*m.Total)
				}
			}
		}
		return got
	}
	var sum int
	for _, n := range tried {
		sum += n
	}
	within(t, 2*time.Minute, "all refusals measured", func() bool {
		n := 0
		for _, v := range totals() {
			n += v
		}
		return n >= sum
	})
	for reason, n := range totals() {
		if n != tried[reason] {
			t.Errorf("connections_failed of reason %s = %d, clients were refused %d times", reason, n, tried[reason])
		}
	}
}

// look is what the server, and the machine, say of it.
type look struct {
	counters       map[string]float64
	cpu            float64 // seconds
	resident, peak float64 // bytes
}

// io is how many reads and writes there were since.
func (l look) io(since look) (n float64) {
	for _, c := range []string{"Innodb_data_reads", "Innodb_data_writes", "Innodb_log_writes"} {
		n += l.counters[c] - since.counters[c]
	}
	return n
}

func lookAt(t *testing.T, db *sql.DB, pid string) look {
	t.Helper()
	l := look{counters: map[string]float64{}}
	rows, err := db.QueryContext(t.Context(), "SHOW GLOBAL STATUS")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			t.Fatal(err)
		}
		l.counters[name], _ = strconv.ParseFloat(value, 64)
	}
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[11:13] { // user and system time, in hundredths of a second
		n, _ := strconv.ParseFloat(f, 64)
		l.cpu += n / 100
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		var kb float64
		switch {
		case strings.HasPrefix(line, "VmRSS:"):
			_, _ = fmt.Sscanf(line, "VmRSS: %f kB", &kb)
			l.resident = kb * 1024
		case strings.HasPrefix(line, "VmHWM:"):
			_, _ = fmt.Sscanf(line, "VmHWM: %f kB", &kb)
			l.peak = kb * 1024
		}
	}
	return l
}

// folderOf finds a server's folder below the platform's data: it is named in no answer, but its log bears the server's name.
func folderOf(t *testing.T, p *harness.Platform, server string) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(p.Data, "mysql", "*", "logs", "mysql-error-"+filepath.Base(server)+".log"))
	if len(found) != 1 {
		t.Fatalf("folders of %s: %v", server, found)
	}
	return filepath.Dir(filepath.Dir(found[0]))
}

// processOf is the server's process.
func processOf(t *testing.T, p *harness.Platform, server string) string {
	t.Helper()
	found := orphans(folderOf(t, p, server))
	if len(found) != 1 {
		t.Fatalf("processes of %s: %v", server, found)
	}
	return found[0]
}

// filesUnder sums the sizes of the files in a folder of the server's.
func filesUnder(t *testing.T, p *harness.Platform, server, folder string) (sum float64) {
	t.Helper()
	_ = filepath.WalkDir(filepath.Join(folderOf(t, p, server), folder), func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				sum += float64(info.Size())
			}
		}
		return nil
	})
	return sum
}
