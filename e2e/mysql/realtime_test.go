package mysql

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestRealTime_FiveMinutes is the run in real minutes: a load keeps a server's CPU, or its memory, at 100 percent until the rule "100 percent for five minutes" fires, then ends
// until it resolves. It takes about half an hour, so only make soak runs it.
func TestRealTime_FiveMinutes(t *testing.T) {
	if os.Getenv("BULKHEAD_SOAK_KILLS") == "" {
		t.Skip("takes half an hour: make soak runs it")
	}
	needMariaDB(t)
	t.Run("cpu", func(t *testing.T) {
		t.Parallel()
		needSysbench(t)
		realTime(t, "cpu", func(t *testing.T, p *harness.Platform, props map[string]any) func() {
			// Sums over half the table: all work is the server's, next to none the client's or the network's.
			l := newLoad(t, p, props, "oltp_read_only", 200_000, "--threads=24", "--range-size=100000", "--point-selects=0", "--simple-ranges=0", "--order-ranges=0", "--distinct-ranges=0", "--sum-ranges=1")
			ctx, cancel := context.WithCancel(t.Context())
			c := l.command(ctx, "run", "--time=7200")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			return func() { cancel(); _ = c.Wait() }
		})
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		realTime(t, "memory", func(t *testing.T, p *harness.Platform, props map[string]any) func() {
			// A table in memory of 2.1 GB, which is more than the SKU has.
			db := open(t, p, props, "ada")
			db.SetMaxOpenConns(1) // the variable is the session's
			for _, s := range []string{
				"SET max_heap_table_size = 4 << 30", "CREATE DATABASE big", "CREATE TABLE big.m (a VARBINARY(60000) NOT NULL) ENGINE=MEMORY",
				"INSERT INTO big.m SELECT REPEAT('x', 60000) FROM information_schema.COLLATIONS LIMIT 250",
			} {
				if _, err := db.ExecContext(t.Context(), s); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
			for range 140 {
				if _, err := db.ExecContext(t.Context(), "INSERT INTO big.m SELECT a FROM big.m LIMIT 250"); err != nil {
					t.Fatal(err)
				}
			}
			return func() {
				if _, err := db.ExecContext(t.Context(), "DROP DATABASE big"); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

// realTime watches a server of its own while something goes on until the rule of that metric fires, and has ended until it resolves.
func realTime(t *testing.T, what string, begin func(t *testing.T, p *harness.Platform, props map[string]any) (end func())) {
	t.Helper()
	p := shared.Platform(t)
	group, h := p.PutGroup(t), newHook(t)
	h.putActionGroup(t, p, group)
	name := harness.Name(what + "-db")
	server, props := newServer(t, p, group, name, "B_Gen5_1")
	p.Output(t, "mysql", "recommend", server, "--action-group", "on-call")
	rule := name + "-" + what + "-100"
	began := time.Now()
	end := begin(t, p, props)
	within(t, 45*time.Minute, rule+" fired", func() bool { return len(h.told(rule, "Fired")) > 0 })
	end()
	fired, minutes := h.told(rule, "Fired")[0], measured(t, p, server, what+"_percent", false)[""]
	within(t, 45*time.Minute, rule+" resolved", func() bool { return len(h.told(rule, "Resolved")) > 0 })
	time.Sleep(10 * time.Second) // what is told twice may come late
	resolved := h.told(rule, "Resolved")[0]

	// What the rule looked at: five whole minutes, in none of which it was below 100 percent.
	until, full := fired.Fired.Truncate(time.Minute), 0
	for _, m := range minutes {
		if m.Minimum != nil && !m.Time.Before(until.Add(-5*time.Minute)) && m.Time.Before(until) {
			if *m.Minimum != 100 {
				t.Errorf("%s: at %v percent, and the rule fired at %s", m.Time, *m.Minimum, fired.Fired)
			}
			full++
		}
	}
	if full != 5 {
		t.Errorf("%d minutes were measured before it fired at %s, want 5", full, fired.Fired)
	}
	if fired.At.Sub(began) < 5*time.Minute {
		t.Errorf("fired at %s, the load began at %s", fired.At, began)
	}
	for _, want := range []string{`"metricValue":100`, `"windowSize":"PT5M"`, `"severity":"Sev1"`, "B_Gen5_2 allows 100", "B_Gen5_1 has 1 vCores and 2 GB", "limit of 50"} {
		if !strings.Contains(fired.Body, want) {
			t.Errorf("what was told doesn't say %q: %s", want, fired.Body)
		}
	}
	for _, condition := range []string{"Fired", "Resolved"} {
		if n := len(h.told(rule, condition)); n != 1 {
			t.Errorf("told %d times that it %s, want once", n, condition)
		}
	}
	if fired.ID == "" || fired.ID == resolved.ID {
		t.Errorf("ids %q and %q, want two", fired.ID, resolved.ID)
	}
	t.Logf("load from %s; fired %s, told %s: %.0f s after the load began; resolved %s\n%s", began.UTC().Format(time.TimeOnly), fired.Fired.Format(time.TimeOnly),
		fired.At.UTC().Format(time.TimeOnly), fired.At.Sub(began).Seconds(), resolved.At.UTC().Format(time.TimeOnly), fired.Body)
}
