package app

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
)

// sizes are what a test says a server was measured at: percentages, and failures within a minute.
type sizes struct{ share, failed, cpu, memory, io, storage float64 }

// synthetic is a server that is measured by nobody but the test: it is attached to where nothing is.
func (m *monitored) synthetic() (server string, measure func(sizes)) {
	m.t.Helper()
	server = m.group + "/providers/Microsoft.DBforMySQL/servers/db1"
	m.do("PUT", server, "2017-12-01", `{"location":"westeurope","identity":{"type":"SystemAssigned"},"sku":{"name":"GP_Gen5_2"},"properties":{"createMode":"Attach",
		"attach":{"host":"127.0.0.1","port":1,"login":"x","passwordSecretId":"https://nosuch.vault.azure.net/secrets/x"},"storageProfile":{"storageMB":102400}}}`)
	return server, func(v sizes) {
		m.t.Helper()
		var samples []metrics.Sample
		for name, v := range map[string]float64{
			"active_connections_percent": v.share, "connections_failed": v.failed, "cpu_percent": v.cpu, "memory_percent": v.memory, "io_consumption_percent": v.io, "storage_percent": v.storage,
		} {
			s := metrics.Sample{Series: metrics.Series{Resource: server, Namespace: "Microsoft.DBforMySQL/servers", Name: name}, Time: m.clock.Now(), Cell: metrics.Of(v)}
			if name == "connections_failed" {
				s.Dimensions = []metrics.Dimension{{Name: "Reason", Value: "password"}}
			}
			samples = append(samples, s)
		}
		if refused, err := m.p.measured.Add(m.t.Context(), samples); err != nil || len(refused) > 0 {
			m.t.Fatal(err, refused)
		}
	}
}

// notice is what a webhook got of a rule, in the common alert schema.
type notice struct {
	Data struct {
		Essentials struct {
			Severity, SignalType, Description string
			AlertTargetIDs                    []string
			FiredDateTime, ResolvedDateTime   time.Time
		}
		AlertContext struct {
			Properties map[string]string
			Condition  struct {
				WindowSize                     string
				WindowStartTime, WindowEndTime time.Time
				AllOf                          []struct {
					MetricName, Operator, Threshold, TimeAggregation string
					MetricValue                                      float64
				}
			}
		}
	}
}

// one is the only notice of a rule and a condition.
func (m *monitored) one(rule, condition string) (n notice) {
	m.t.Helper()
	all := m.told(condition)[rule]
	if len(all) != 1 {
		m.t.Errorf("%s was told %d times of %s, want once", rule, len(all), condition)
		return n
	}
	if err := json.Unmarshal([]byte(all[0].Body), &n); err != nil || len(n.Data.AlertContext.Condition.AllOf) != 1 {
		m.t.Fatalf("%s: %v", all[0].Body, err)
	}
	return n
}

// Each of the post's rules fires only when what it watches lasted its whole window: not just below the threshold, not after an interruption, CPU at 95 percent without its rule
// for 100. What it tells is complete, with the server's own numbers in what to check.
func TestRecommendedRules_HoldForTheWholeWindow(t *testing.T) {
	t.Parallel()
	m := newMonitored(t)
	server, measure := m.synthetic()
	m.recommend(server)
	var since time.Time
	last := func(minutes int, v func(i int) sizes) {
		t.Helper()
		i := 0
		since = m.clock.Now()
		m.until("minutes pass", func() { measure(v(i)); i++ }, func() bool { return i == minutes })
	}
	always := func(v sizes) func(int) sizes { return func(int) sizes { return v } }
	firedOnly := func(what string, want ...string) {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); len(m.told("Fired")) < len(want) && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
		m.settle()
		got := m.told("Fired")
		for _, rule := range want {
			if len(got[rule]) != 1 {
				t.Errorf("%s: %s fired %d times, want once", what, rule, len(got[rule]))
			}
			delete(got, rule)
		}
		if len(got) > 0 {
			t.Errorf("%s: fired, too: %v", what, got)
		}
	}
	quiet := sizes{10, 0, 20, 30, 5, 40}
	last(10, always(quiet))
	// Just below, for longer than any window: nine failures in each half hour.
	last(150, func(i int) sizes {
		v := sizes{79.9, 0, 94.9, 94.9, 89.9, 79.9}
		if i%30 < 9 {
			v.failed = 1
		}
		return v
	})
	firedOnly("just below")
	// High, but for one minute in each 25: the half hour, the hour and the two hours aren't whole.
	last(150, func(i int) sizes {
		if i%25 == 24 {
			return quiet
		}
		return sizes{85, 0, 97, 97, 95, 50}
	})
	firedOnly("interrupted")
	// From here on without a break: 97 percent of CPU and memory for two hours don't raise the rules for 100.
	last(135, always(sizes{85, 0, 97, 97, 95, 50}))
	busy := since
	firedOnly("for two hours", "db1-active-connections", "db1-io", "db1-cpu-95", "db1-memory-95")
	// Ten failures within half an hour, full CPU and memory, and storage.
	last(45, always(sizes{85, 1, 100, 100, 95, 80}))
	full := since
	firedOnly("all", "db1-active-connections", "db1-io", "db1-cpu-95", "db1-memory-95", "db1-failed-connections", "db1-cpu-100", "db1-memory-100", "db1-storage")
	calm := m.clock.Now()
	m.until("all resolved", func() { measure(quiet) }, func() bool { return len(m.told("Resolved")) == 8 })
	m.settle()

	connections := []string{"limit of 300", "GP_Gen5_4 allows 625 and has 4 vCores", "GP_Gen5_2 has 2 vCores and 10 GB of memory", "application's telemetry and logs"}
	for _, tt := range []struct {
		rule, severity, metric, aggregation, threshold, window string
		since                                                  time.Time
		least, most                                            float64
		check                                                  []string
	}{
		{"db1-active-connections", "Sev2", "active_connections_percent", "Minimum", "80", "PT30M", busy, 85, 85, []string{"limit of GP_Gen5_2 is 300", "80 percent are 240", "GP_Gen5_4 allows 625 and has 4 vCores"}},
		{"db1-failed-connections", "Sev2", "connections_failed", "Total", "10", "PT30M", full.Add(-30 * time.Minute), 10, 30, []string{"server-logs list", "password: check", "caUrl", "300 connections are allowed", "firewall rule"}},
		{"db1-cpu-100", "Sev1", "cpu_percent", "Minimum", "100", "PT5M", full, 100, 100, connections},
		{"db1-cpu-95", "Sev2", "cpu_percent", "Minimum", "95", "PT2H", busy, 97, 97, connections},
		{"db1-memory-100", "Sev1", "memory_percent", "Minimum", "100", "PT5M", full, 100, 100, connections},
		{"db1-memory-95", "Sev2", "memory_percent", "Minimum", "95", "PT2H", busy, 97, 97, connections},
		{"db1-io", "Sev2", "io_consumption_percent", "Minimum", "90", "PT1H", busy, 95, 95, []string{"100 GB of storage give 300 IOPS", "200 GB give 600"}},
		{"db1-storage", "Sev2", "storage_percent", "Average", "80", "PT5M", full, 80, 80, []string{"its 100 GB", "read-only", "up to 4096 GB", "storageAutogrow"}},
	} {
		n := m.one(tt.rule, "Fired")
		e, condition := n.Data.Essentials, n.Data.AlertContext.Condition
		if len(condition.AllOf) != 1 {
			continue
		}
		c := condition.AllOf[0]
		if e.Severity != tt.severity || e.SignalType != "Metric" || !strings.EqualFold(strings.Join(e.AlertTargetIDs, " "), server) {
			t.Errorf("%s: essentials %+v", tt.rule, e)
		}
		if c.MetricName != tt.metric || c.TimeAggregation != tt.aggregation || c.Threshold != tt.threshold || c.Operator != "GreaterThanOrEqual" || condition.WindowSize != tt.window {
			t.Errorf("%s: condition %+v", tt.rule, condition)
		}
		if c.MetricValue < tt.least || c.MetricValue > tt.most {
			t.Errorf("%s: value %v, want %v to %v", tt.rule, c.MetricValue, tt.least, tt.most)
		}
		if condition.WindowStartTime.Before(tt.since) {
			t.Errorf("%s fired for the window from %s, what it watches began at %s", tt.rule, condition.WindowStartTime, tt.since)
		}
		for _, want := range tt.check {
			if !strings.Contains(e.Description, want) {
				t.Errorf("%s: what to check doesn't say %q: %s", tt.rule, want, e.Description)
			}
		}
		// Three healthy evaluations, five minutes apart.
		if r := m.one(tt.rule, "Resolved").Data.Essentials; r.ResolvedDateTime.Before(calm.Add(10 * time.Minute)) {
			t.Errorf("%s resolved at %s, calm since %s", tt.rule, r.ResolvedDateTime, calm)
		}
	}
}

// settle waits until what is on its way to the webhook has come: the engine has looked at the clock's minute, and nothing is told for a while.
func (m *monitored) settle() {
	m.t.Helper()
	count := func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.got)
	}
	for quiet, n := 0, count(); quiet < 30; quiet++ {
		time.Sleep(50 * time.Millisecond)
		if now := count(); now != n {
			quiet, n = 0, now
		}
	}
}
