package app

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/telemetry"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// healthService is what probes and Prometheus ask, on the loopback listener. What it tells names no resource and no person.
func (p *Platform) healthService() wire.Service {
	answer := func(what string, checks ...telemetry.Check) wire.Handler {
		var failing atomic.Bool // what the last probe found
		return func(context.Context, *wire.Request) (any, error) {
			h, ok := telemetry.Examine(checks)
			if !ok {
				if failing.CompareAndSwap(false, true) {
					p.log.Warn("probe fails", "probe", what, "checks", h.Failing())
				}
				return wire.Reply{Status: http.StatusServiceUnavailable, Body: h}, nil
			}
			if failing.CompareAndSwap(true, false) {
				p.log.Info("probe passes again", "probe", what)
			}
			return h, nil
		}
	}
	store := telemetry.Check{Name: "store", Run: func() error { return p.store.Failed() }}
	space := telemetry.Check{Name: "space", Run: func() error { return p.store.Room() }}
	serving := telemetry.Check{Name: "serving", Run: func() error {
		if p.stopping.Load() {
			return errors.New("the platform is stopping")
		}
		return nil
	}}
	figures := p.metrics.Handler()
	return wire.Service{Name: "health", Run: p.retry, Routes: []wire.Route{
		// A platform that is not live is helped by starting it again: its store has lost a write, and takes no more.
		{Host: wire.HostMachine, Method: "GET", Pattern: "/livez", Operation: "GetLive", Auth: wire.Anonymous, Quiet: true, Handler: answer("livez", store)},
		{Host: wire.HostMachine, Method: "GET", Pattern: "/readyz", Operation: "GetReady", Auth: wire.Anonymous, Quiet: true, Handler: answer("readyz", store, space, serving)},
		{
			Host: wire.HostMachine, Method: "GET", Pattern: "/metrics", Operation: "GetMetrics", Auth: wire.Anonymous, Quiet: true, BodyLimit: -1,
			Raw: func(w http.ResponseWriter, r *wire.Request) error {
				figures.ServeHTTP(w, r.HTTP)
				return nil
			},
		},
	}}
}

// outboxRetry is how often effects on other shards that failed are tried again.
const outboxRetry = 5 * time.Second

func (p *Platform) retry(ctx context.Context) error { return p.outbox.Retry(ctx, outboxRetry) }

// figures adds what is read when somebody asks.
func (p *Platform) figures() {
	m := p.metrics
	m.Gauge("store_shards", "Shards of the store.", func() float64 { return float64(p.store.Stats().Shards) })
	m.Gauge("store_bytes", "Size of the store's files.", func() float64 { return float64(p.store.Stats().Bytes) })
	m.Gauge("store_wal_bytes", "Size of the store's log.", func() float64 { return float64(p.store.Stats().WALBytes) })
	m.Gauge("store_compaction_debt_bytes", "What the store still has to rewrite.", func() float64 { return float64(p.store.Stats().CompactionDebt) })
	m.Gauge("store_free_bytes", "Room left on the store's file system.", func() float64 { return float64(p.store.Stats().FreeBytes) })
	m.Gauge("store_writable", "1 while the store takes writes, 0 while there is no room.", func() float64 {
		if p.store.Room() != nil {
			return 0
		}
		return 1
	})
	m.Counter("store_block_cache_hits_total", "Blocks of files found in memory.", func() float64 { return float64(p.store.Stats().BlockHits) })
	m.Counter("store_block_cache_misses_total", "Blocks of files read.", func() float64 { return float64(p.store.Stats().BlockMisses) })
	m.Counter("store_cache_hits_total", "Decoded records found in memory.", func() float64 { return float64(p.store.Stats().CacheHits) })
	m.Counter("store_cache_misses_total", "Decoded records loaded.", func() float64 { return float64(p.store.Stats().CacheMisses) })
	m.Gauge("audit_buffered_records", "Audit records that are not durable yet.", func() float64 { return float64(p.audit.Buffered()) })
	m.Counter("audit_logged_records_total", "Audit records written to the log only, as the store had no room for too long.", func() float64 {
		return float64(p.audit.Logged())
	})
	m.Gauge("outbox_rows", "Effects on other shards that are under way or failed.", func() float64 { return float64(p.outbox.Depth()) })
	m.Gauge("outbox_failing_shards", "Shards whose effects on others failed and are tried again.", func() float64 { return float64(p.outbox.Failing()) })
}
