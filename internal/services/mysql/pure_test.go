package mysql

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/services/mysql/gate"
)

func TestLimits_OfEveryTier(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                                string
		storageGB, connections, iops, memGB int
	}{
		{"B_Gen5_1", 5, 50, 0, 2},
		{"B_Gen4_2", 1024, 100, 0, 4},
		{"GP_Gen5_2", 5, 300, 100, 10},
		{"GP_Gen5_4", 34, 625, 102, 20},
		{"GP_Gen5_8", 100, 1250, 300, 40},
		{"GP_Gen5_16", 2000, 2500, 6000, 80},
		{"GP_Gen5_32", 4096, 5000, 6000, 160},
		{"MO_Gen5_2", 33, 600, 100, 20},
		{"MO_Gen5_4", 5, 1250, 100, 40},
		{"MO_Gen5_8", 5, 2500, 100, 80},
		{"MO_Gen5_16", 5, 5000, 100, 160},
	} {
		l, ok := limitsOf(tt.name, tt.storageGB*gigabyte)
		if !ok || l.Connections != tt.connections || l.IOPS != tt.iops || l.MemoryBytes != int64(tt.memGB)<<30 {
			t.Errorf("limitsOf(%s, %d GB) = %+v, %v; want %d connections, %d IOPS, %d GB", tt.name, tt.storageGB, l, ok, tt.connections, tt.iops, tt.memGB)
		}
	}
	for _, name := range []string{"", "B_Gen5_4", "GP_Gen5_1", "MO_Gen5_32", "GP_Gen6_2", "GP_Gen5_x", "GP_Gen5", "GP__2"} {
		if l, ok := limitsOf(name, minStorage); ok && name != "" {
			t.Errorf("limitsOf(%q) = %+v, want none", name, l)
		}
	}
	l, _ := limitsOf("GP_Gen5_2", minStorage)
	if n, ok := l.Next(); !ok || n.SKU != "GP_Gen5_4" {
		t.Errorf("next of GP_Gen5_2 = %+v, %v", n, ok)
	}
	l, _ = limitsOf("B_Gen5_2", minStorage)
	if n, ok := l.Next(); ok {
		t.Errorf("next of B_Gen5_2 = %+v, want none", n)
	}
	if got := StorageFor(600); got != 200 {
		t.Errorf("StorageFor(600) = %d, want 200", got)
	}
}

func TestSettle_ScalesByWhatDiffers(t *testing.T) {
	t.Parallel()
	old := sku{Name: "GP_Gen5_2"}
	if err := old.settle(nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		sent sku
		want string
	}{
		{sku{}, "GP_Gen5_2"},
		{sku{Capacity: 8}, "GP_Gen5_8"},
		{sku{Name: "GP_Gen5_2", Capacity: 8}, "GP_Gen5_8"},
		{sku{Name: "GP_Gen5_8", Capacity: 2}, "GP_Gen5_8"},
		{sku{Name: "MO_Gen5_4"}, "MO_Gen5_4"},
		{sku{Name: "GP_Gen5_2", Tier: "MemoryOptimized"}, "MO_Gen5_2"},
		{sku{Name: "GP_Gen5_8", Capacity: 4}, ""},
		{sku{Capacity: 3}, ""},
	} {
		got := tt.sent
		err := got.settle(&old)
		if (err == nil) != (tt.want != "") || err == nil && got.Name != tt.want {
			t.Errorf("settle(%+v) = %s, %v; want %q", tt.sent, got.Name, err, tt.want)
		}
	}
}

func TestNearFull(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit, used, disk int64
		want              bool
	}{
		{5 * gib, 4 * gib, -1, false},
		{5 * gib, 5*gib - 512*mib, -1, false},
		{5 * gib, 5*gib - 512*mib + 1, -1, true},
		{50 * gib, 47 * gib, -1, false},
		{50 * gib, 48 * gib, -1, true}, // less than 5 %
		{100 * gib, 95 * gib, -1, false},
		{100 * gib, 95*gib + 1, -1, true},
		{1000 * gib, 994 * gib, -1, false}, // above 100 GB only the 5 GB count
		{5 * gib, gib, 511 * mib, true},
		{5 * gib, gib, 512 * mib, false},
		{5 * gib, 6 * gib, -1, true},
	} {
		if got := nearFull(tt.limit, tt.used, tt.disk); got != tt.want {
			t.Errorf("nearFull(%d, %d, %d) = %v, want %v", tt.limit, tt.used, tt.disk, got, tt.want)
		}
	}
}

func TestGrown(t *testing.T) {
	t.Parallel()
	const most = 4 << 20
	for _, tt := range []struct {
		limit, used int64
		most, want  int // 0: doesn't grow
	}{
		{5 * gib, 4 * gib, most, 0},
		{5 * gib, 4*gib + 1, most, 10 * gigabyte},
		{50 * gib, 45*gib + 1, most, 55 * gigabyte},
		{100 * gib, 94 * gib, most, 0},
		{100 * gib, 96 * gib, most, 105 * gigabyte},
		{1024 * gib, 1020 * gib, 1 << 20, 0},         // Basic's largest
		{110 * gib, 109 * gib, most, 116 * gigabyte}, // 5.5 GB, in whole GB
	} {
		got, ok := grown(tt.limit, tt.used, tt.most)
		if ok != (tt.want != 0) || ok && got != tt.want {
			t.Errorf("grown(%d, %d, %d) = %d, %v; want %d", tt.limit, tt.used, tt.most, got, ok, tt.want)
		}
	}
}

func TestSpan_Admits(t *testing.T) {
	t.Parallel()
	s := span{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.9")}
	services := span{netip.IPv4Unspecified(), netip.IPv4Unspecified()}
	for _, tt := range []struct {
		s    span
		addr string
		want bool
	}{
		{s, "10.0.0.1", true},
		{s, "10.0.0.9", true},
		{s, "10.0.0.10", false},
		{s, "::ffff:10.0.0.5", true},
		{s, "::1", false},
		{s, "127.0.0.1", false},
		{services, "127.0.0.1", true},
		{services, "::1", true},
		{services, "10.0.0.1", false},
	} {
		if got := tt.s.admits(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("%v admits %s = %v, want %v", tt.s, tt.addr, got, tt.want)
		}
	}
}

// look is a reading of a GP_Gen5_2 with 100 GB.
func look(seconds int, counters map[string]float64) *reading {
	l, _ := limitsOf("GP_Gen5_2", 100*gigabyte)
	return &reading{
		disk: -1,
		at:   time.Unix(int64(seconds), 0), pid: 7, counters: counters, limits: l, connections: l.Connections, processors: 8, storage: 50 * gib, logs: 0, memory: 5 << 30,
		cpu: time.Duration(seconds) * time.Second, hasCPU: true,
	}
}

func values(list []measurement) map[string]float64 {
	out := map[string]float64{}
	for _, m := range list {
		out[m.metric+m.reason] = m.value
	}
	return out
}

func TestMeasurements_RatesAndShares(t *testing.T) {
	t.Parallel()
	old := look(100, map[string]float64{"Uptime": 50, "Threads_connected": 1, "Innodb_data_reads": 0, "Innodb_data_writes": 10, "Innodb_log_writes": 100, "Bytes_received": 5, "Bytes_sent": 7})
	now := look(110, map[string]float64{"Uptime": 60, "Threads_connected": 241, "Innodb_data_reads": 100, "Innodb_data_writes": 410, "Innodb_log_writes": 1000, "Bytes_received": 105, "Bytes_sent": 207})
	old.failures, now.failures = map[gate.Reason]uint64{gate.Password: 3}, map[gate.Reason]uint64{gate.Password: 8, gate.TLS: 2}
	got := values(measurements(old, now))
	want := map[string]float64{
		metricAlive: 1, metricActive: 240, metricActiveShare: 80, metricMemory: 50, metricStorageUsed: float64(50 * gib), metricStorageLimit: float64(100 * gib), metricStorage: 50,
		metricLog: 0, metricLogUsed: 0, metricLogLimit: float64(logLimit), metricCPU: 50, metricIO: 1400.0 / 10 / 300 * 100, metricIn: 100, metricOut: 200,
		metricFailed + "password": 5, metricFailed + "tls": 2, metricFailed + "limit": 0, metricFailed + "host": 0, metricFailed + "database": 0, metricFailed + "other": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("measurements (-want +got):\n%s", diff)
	}
}

func TestMeasurements_AReset(t *testing.T) {
	t.Parallel()
	old := look(100, map[string]float64{"Uptime": 500, "Bytes_sent": 1e6, "Aborted_connects": 70})
	now := look(110, map[string]float64{"Uptime": 3, "Bytes_sent": 10, "Aborted_connects": 2})
	for name := range values(measurements(old, now)) {
		if name == metricOut || name == metricCPU || strings.HasPrefix(name, metricFailed) {
			t.Errorf("%s measured over a restart", name)
		}
	}
	// Nothing of a replica on a primary, nothing of what isn't known.
	now = &reading{at: time.Unix(1, 0), storage: -1, logs: -1, counters: map[string]float64{"Uptime": 1}}
	if got := values(measurements(nil, now)); len(got) != 1 || got[metricAlive] != 1 {
		t.Errorf("measured %v of a server that tells nothing but that it is there", got)
	}
	now.counters = nil
	if got := values(measurements(nil, now)); len(got) != 1 || got[metricAlive] != 0 {
		t.Errorf("measured %v of a server that doesn't answer", got)
	}
	now.counters = map[string]float64{"Uptime": 1}
	behind := 4.0
	now.behind = &behind
	if got := values(measurements(nil, now)); got[metricBehind] != 4 {
		t.Errorf("measured %v, want 4 s behind", got)
	}
}

func TestMeasurements_FailuresByCounters(t *testing.T) {
	t.Parallel()
	base := map[string]float64{"Uptime": 1, "Aborted_connects": 10, "Aborted_connects_preauth": 5, "Access_denied_errors": 2, "Connection_errors_max_connections": 1}
	after := func(aborted, probes, denied, limit float64) map[string]float64 {
		return map[string]float64{
			"Uptime": 2, "Aborted_connects": 10 + aborted, "Aborted_connects_preauth": 5 + probes, "Access_denied_errors": 2 + denied, "Connection_errors_max_connections": 1 + limit,
		}
	}
	for _, tt := range []struct {
		now                    map[string]float64
		password, limit, other float64
	}{
		{after(3, 0, 3, 0), 3, 0, 0},
		{after(5, 0, 0, 1), 0, 5, 0}, // five were refused with 1040, the counter for it moved by one
		{after(3, 3, 0, 0), 0, 0, 0}, // probes
		{after(4, 0, 3, 0), 3, 0, 1},
		{map[string]float64{"Uptime": 2, "Aborted_connects": 14}, 0, 0, 4}, // MySQL
	} {
		old, now := look(100, base), look(110, tt.now)
		got := values(measurements(old, now))
		if got[metricFailed+"password"] != tt.password || got[metricFailed+"limit"] != tt.limit || got[metricFailed+"other"] != tt.other {
			t.Errorf("%v: %v, want %v password, %v limit, %v other", tt.now, got, tt.password, tt.limit, tt.other)
		}
	}
}

func TestMeasurements_AnOutage(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	c := newCollector(&Service{deps: Deps{Metrics: rec}})
	take := func(seconds int, counters map[string]float64, failures uint64) {
		t.Helper()
		r := look(seconds, counters)
		r.failures = map[gate.Reason]uint64{gate.Other: failures}
		if err := c.take(t.Context(), "/db1", r); err != nil {
			t.Fatal(err)
		}
	}
	take(100, map[string]float64{"Uptime": 100, "Bytes_sent": 1000}, 0)
	take(110, nil, 3) // what is refused meanwhile is told at once
	if got := rec.sum(metricFailed, "other"); got != 3 {
		t.Errorf("connections_failed = %v during the outage, want 3", got)
	}
	take(120, nil, 4)
	take(130, map[string]float64{"Uptime": 130, "Bytes_sent": 5000}, 4) // hung, not restarted: nothing is lost
	if got := rec.sum(metricOut, ""); got != 4000 {
		t.Errorf("network_bytes_egress = %v, want 4000", got)
	}
	if failed, alive := rec.sum(metricFailed, ""), rec.sum(metricAlive, ""); failed != 4 || alive != 2 {
		t.Errorf("connections_failed = %v, is_db_alive %v times 1; want 4 and 2", failed, alive)
	}
}

func TestRoom_IsTheSmallerOfDiskAndProvisioned(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ limit, used, disk, want int64 }{{100, 10, -1, 100}, {100, 10, 500, 100}, {100, 10, 20, 30}, {100, 10, 0, 10}, {100, 120, 5, 100}} {
		if got := room(tt.limit, tt.used, tt.disk); got != tt.want {
			t.Errorf("room(%d, %d, %d) = %d, want %d", tt.limit, tt.used, tt.disk, got, tt.want)
		}
	}
}

// A look may fall between two counters of one failure; and the limit is told by all places being taken, too.
func TestMeasurements_FailuresAcrossLooks(t *testing.T) {
	t.Parallel()
	at := func(second int, threads, aborted, probes, denied float64) *reading {
		r := look(second, map[string]float64{
			"Uptime": float64(second), "Threads_connected": threads, "Aborted_connects": aborted, "Aborted_connects_preauth": probes, "Access_denied_errors": denied,
		})
		r.connections = 10
		return r
	}
	sums := map[string]float64{}
	var last *reading
	for i, now := range []*reading{
		at(1, 1, 0, 0, 0), at(2, 1, 0, 0, 1), at(3, 1, 1, 1, 1), at(4, 1, 3, 2, 1), // one denied, two probes, each seen in two parts
		at(5, 10, 5, 2, 1), at(6, 1, 6, 2, 1), at(7, 1, 9, 2, 1), // two at the limit and one after, three of something else
	} {
		for name, v := range values(measurements(last, now)) {
			if strings.HasPrefix(name, metricFailed) {
				if sums[name] += v; v < 0 {
					t.Errorf("look %d: %s = %v", i, name, v)
				}
			}
		}
		last = now
	}
	want := map[string]float64{metricFailed + "password": 1, metricFailed + "limit": 3, metricFailed + "other": 3}
	if diff := cmp.Diff(want, sums); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
}

func TestPercent_IsAtMostAHundred(t *testing.T) {
	t.Parallel()
	for part, want := range map[float64]float64{0: 0, 50: 50, 99.4: 99.4, 99.6: 100, 340: 100, -1: 0} {
		if got := percent(part, 100); got != want {
			t.Errorf("percent(%v) = %v, want %v", part, got, want)
		}
	}
}

func TestPasswordHash_IsMySQLs(t *testing.T) {
	t.Parallel()
	// SELECT PASSWORD('password')
	if got, want := passwordHash("password"), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"; got != want {
		t.Errorf("hash = %s, want %s", got, want)
	}
}

func TestComplex(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{"Passw0rd": true, "password1": false, "Pw0!": false, "xAda1!xxx": false, "aaaaaaaa!1": true, strings.Repeat("aA1", 43): false} {
		if got := complex(in, "ada"); got != want {
			t.Errorf("complex(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestParameters_AcceptOnlyTheirValues(t *testing.T) {
	t.Parallel()
	l, _ := limitsOf("B_Gen5_1", minStorage)
	for _, tt := range []struct{ name, in, want string }{
		{"wait_timeout", " 99 ", "99"},
		{"wait_timeout", "59", ""},
		{"wait_timeout", "1; DROP", ""},
		{"slow_query_log", "on", "ON"},
		{"slow_query_log", "1'", ""},
		{"max_connections", "50", "50"},
		{"max_connections", "51", ""},
		{"sql_mode", "ansi_quotes, strict_all_tables", "ANSI_QUOTES,STRICT_ALL_TABLES"},
		{"sql_mode", "x', read_only", ""},
	} {
		p, ok := parameterNamed(tt.name)
		if !ok {
			t.Fatalf("no parameter %s", tt.name)
		}
		got, ok := p.accept(tt.in, l)
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%s accepts %q as %q, %v; want %q", tt.name, tt.in, got, ok, tt.want)
		}
	}
	for _, p := range parameters() {
		if _, ok := p.accept(p.standard(l), l); !ok {
			t.Errorf("%s doesn't accept its default %q", p.name, p.standard(l))
		}
	}
}

func TestRecommend_HasTheServersNumbers(t *testing.T) {
	t.Parallel()
	l, _ := limitsOf("MO_Gen5_16", 4<<20)
	all := Recommend("/subscriptions/x/resourceGroups/g/providers/Microsoft.DBforMySQL/servers/db1", l)
	got := map[string]string{}
	for _, r := range all {
		c := r.Properties.Criteria.AllOf[0]
		got[r.Name] = strings.Join([]string{c.Metric, c.Aggregation, r.Properties.Window, r.Properties.Frequency}, " ")
	}
	want := map[string]string{
		"db1-active-connections": "active_connections_percent Minimum PT30M PT5M", "db1-failed-connections": "connections_failed Total PT30M PT5M",
		"db1-cpu-100": "cpu_percent Minimum PT5M PT5M", "db1-cpu-95": "cpu_percent Minimum PT2H PT5M",
		"db1-memory-100": "memory_percent Minimum PT5M PT5M", "db1-memory-95": "memory_percent Minimum PT2H PT5M",
		"db1-io": "io_consumption_percent Minimum PT1H PT5M", "db1-storage": "storage_percent Average PT5M PT5M",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	for _, r := range all {
		for _, says := range map[string][]string{
			"db1-active-connections": {"limit of MO_Gen5_16 is 5000", "there is none above MO_Gen5_16"}, "db1-io": {"6000 IOPS are the most"}, "db1-storage": {"all the 4096 GB"},
		}[r.Name] {
			if !strings.Contains(r.Properties.Description, says) {
				t.Errorf("%s says %q, not %q", r.Name, r.Properties.Description, says)
			}
		}
	}
}

func TestFilesUnder_SumsSizes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, n := range map[string]int{"a": 10, "sub/b": 20, "sub/deep/c": 30} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := filesUnder(dir); err != nil || got != 60 {
		t.Errorf("filesUnder = %d, %v; want 60", got, err)
	}
	if got, err := filesUnder(filepath.Join(dir, "nosuch")); err != nil || got != 0 {
		t.Errorf("filesUnder of nothing = %d, %v; want 0", got, err)
	}
}

// limitsOf gives the limits of a SKU's name with that much storage; ok is false for a SKU that isn't one.
func limitsOf(name string, storageMB int) (Limits, bool) {
	s := sku{Name: name}
	if s.settle(nil) != nil {
		return Limits{}, false
	}
	return s.limits(storageMB), true
}
