package telemetry_test

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/telemetry"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func event(r *wire.Route, kind wire.HostKind, status int) *wire.Event {
	return &wire.Event{Status: status, Duration: 3 * time.Millisecond, Request: &wire.Request{Route: r, Host: wire.Host{Kind: kind, Name: "secret-name"}}}
}

func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	b, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("scrape: %d, %v", w.Code, err)
	}
	return string(b)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := telemetry.New()
	get := &wire.Route{Host: wire.HostVault, Operation: "SecretGet", Pattern: "/secrets/{name}"}
	for range 3 {
		m.Request(event(get, wire.HostVault, 200))
	}
	m.Request(event(get, wire.HostVault, 403))
	m.Request(event(get, wire.HostVault, 299))
	m.Request(event(nil, wire.HostVault, 404))
	m.Request(event(nil, "", 421))
	m.Commit(2*time.Millisecond, 3)
	m.Gauge("shards", "Shards.", func() float64 { return 42 })
	m.Counter("audit_lost_total", "Lost.", func() float64 { return 7 })
	text := scrape(t, m)
	for _, want := range []string{
		`bulkhead_requests_total{operation="SecretGet",plane="vault",status="200"} 3`,
		`bulkhead_requests_total{operation="SecretGet",plane="vault",status="403"} 1`,
		`bulkhead_requests_total{operation="SecretGet",plane="vault",status="other"} 1`,
		`bulkhead_requests_total{operation="none",plane="vault",status="404"} 1`,
		`bulkhead_requests_total{operation="none",plane="none",status="421"} 1`,
		`bulkhead_request_duration_seconds_count{plane="vault"} 6`,
		`bulkhead_request_duration_seconds_bucket{plane="vault",le="0.0025"} 0`,
		`bulkhead_request_duration_seconds_bucket{plane="vault",le="0.005"} 6`,
		`bulkhead_store_commit_duration_seconds_count 1`, `bulkhead_store_commit_transactions_sum 3`,
		"bulkhead_shards 42", "bulkhead_audit_lost_total 7", "go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "secret-name") {
		t.Error("a resource's name became a label")
	}
}

// TestMetrics_NoAllocation: what every request and every commit pays.
func TestMetrics_NoAllocation(t *testing.T) {
	m := telemetry.New()
	ok, none := event(&wire.Route{Host: wire.HostVault, Operation: "SecretGet"}, wire.HostVault, 200), event(nil, wire.HostVault, 404)
	if n := testing.AllocsPerRun(1000, func() {
		m.Request(ok)
		m.Request(none)
		m.Commit(time.Millisecond, 2)
	}); n != 0 {
		t.Errorf("counting allocates %v times", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	m := telemetry.New()
	e := event(&wire.Route{Host: wire.HostVault, Operation: "SecretGet"}, wire.HostVault, 200)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Request(e)
		}
	})
}

func TestExamine(t *testing.T) {
	t.Parallel()
	good := telemetry.Check{Name: "store", Run: func() error { return nil }}
	bad := telemetry.Check{Name: "space", Run: func() error { return errors.New("1 byte left") }}
	h, ok := telemetry.Examine([]telemetry.Check{good})
	if d := cmp.Diff(telemetry.Health{Status: "ok", Checks: []telemetry.Result{{Name: "store", OK: true}}}, h); d != "" || !ok {
		t.Error(ok, d)
	}
	h, ok = telemetry.Examine([]telemetry.Check{good, bad})
	want := telemetry.Health{Status: "failing", Checks: []telemetry.Result{{Name: "store", OK: true}, {Name: "space", Message: "1 byte left"}}}
	if d := cmp.Diff(want, h); d != "" || ok {
		t.Error(ok, d)
	}
}
