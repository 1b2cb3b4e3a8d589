package mysql

import (
	"context"
	"maps"
	"os"
	"path/filepath"

	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/proc"
)

// logLimit is what a server's logs may take: the error log and the slow query log, each with an older one.
const logLimit = 2*proc.DefaultLogSize + 2*maxSlowLog

// collector turns looks at a server into samples. Used by one goroutine.
type collector struct {
	service *Service
	last    *reading
}

func newCollector(s *Service) *collector { return &collector{service: s} }

// take stores what a look at a server tells. A look that can't be stored is lost; the next one's counters make up for it, as they do for a time without an answer.
func (c *collector) take(ctx context.Context, resourceID string, now *reading) error {
	found := measurements(c.last, now)
	samples := make([]metrics.Sample, len(found))
	for i, m := range found {
		samples[i] = metrics.Sample{Series: metrics.Series{Resource: resourceID, Namespace: serverTypeName, Name: m.metric}, Time: now.at, Cell: metrics.Of(m.value)}
		if m.reason != "" {
			samples[i].Dimensions = []metrics.Dimension{{Name: dimensionReason, Value: m.reason}}
		}
	}
	refused, err := c.service.deps.Metrics.Add(ctx, samples)
	if err != nil {
		return err
	}
	for _, r := range refused {
		c.service.deps.Log.Warn("measurement refused", "server", resourceID, "error", r)
	}
	if now.counters == nil && c.last != nil {
		kept := *c.last
		kept.failures = now.failures
		c.last = &kept
		return nil
	}
	c.last = now
	return nil
}

// sample measures the server once, keeps its storage rules, and stores the metrics. Of a server that doesn't answer that is told, and what is known without it.
func (e *engine) sample(ctx context.Context) {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, e.host.patience+statementTime)
	defer cancel()
	d := e.wanted()
	log := e.host.service.deps.Log.With("server", d.server.ID)
	now := &reading{at: e.host.service.deps.Clock.Now(), limits: d.limits, connections: d.connections(), processors: processors(), storage: -1, logs: -1, disk: diskFree(e.folder)}
	e.mu.Lock()
	now.pid, now.failures = e.pid, maps.Clone(e.failures)
	e.mu.Unlock()
	var err error
	if now.counters, err = readCounters(ctx, e.db, e.host.patience); err != nil {
		if e.applied = false; whole.Err() != nil {
			return
		}
		e.set(func(s *status) { // how it is will be found out
			if s.Ready = false; s.Problem == "" {
				s.Problem = "The server does not answer."
			}
		})
	}
	if cpu, memory, err := processUsage(now.pid); err == nil {
		now.cpu, now.hasCPU, now.memory = cpu, true, memory
	}
	if cpu, memory, ok := e.host.groups.usage(e.guid); ok && now.hasCPU {
		now.cpu, now.memory = cpu, memory
	}
	if now.storage, now.logs, err = e.files(); err != nil {
		log.Warn("storage not measured", "error", err)
	} else if now.counters == nil {
		// it can't be told to be read-only
	} else if err := e.keepStorage(ctx, d, now.storage); err != nil {
		e.applied = false // tried again soon
		log.Error("storage rules not kept", "error", err)
	}
	if err := e.measured.take(ctx, d.server.ID, now); err != nil && ctx.Err() == nil {
		log.Error("measurements not stored", "error", err)
	}
	if now.counters != nil {
		e.rotateSlowLog(ctx, d)
	}
}

// files sums what the server's files take: data and transaction log, temporary files, and logs.
func (e *engine) files() (all, logs int64, err error) {
	if logs, err = filesUnder(filepath.Join(e.folder, "logs")); err != nil {
		return -1, -1, err
	}
	all = logs
	for _, dir := range []string{"data", "tmp", "files"} {
		n, err := filesUnder(filepath.Join(e.folder, dir))
		if err != nil {
			return -1, -1, err
		}
		all += n
	}
	return all, logs, nil
}

// keepStorage makes the server read-only near its end and writable again once there is room, and lets it grow if it may.
func (e *engine) keepStorage(ctx context.Context, d *desired, used int64) error {
	limit := int64(d.limits.StorageMB) * mib
	if d.props.StorageProfile.StorageAutogrow == enabled {
		if mb, ok := grown(limit, used, tierNamed(d.sku.Tier).maxStorage); ok {
			if err := e.host.service.grow(ctx, d, mb); err != nil {
				return err
			}
			limit = int64(mb) * mib
			if err := e.reload(ctx); err != nil {
				return err
			}
		}
	}
	full := nearFull(limit, used, diskFree(e.folder))
	value := "0"
	if full {
		value = "1"
	}
	if _, err := e.db.ExecContext(ctx, "SET GLOBAL read_only = "+value); err != nil {
		return err
	}
	e.set(func(s *status) { s.ReadOnly = full })
	if full != e.readOnly {
		e.readOnly = full
		e.host.service.deps.Log.Warn("database server's storage", "server", d.server.ID, "read_only", full, "used", used, "limit", limit)
	}
	return nil
}

// rotateSlowLog keeps one older slow query log.
func (e *engine) rotateSlowLog(ctx context.Context, d *desired) {
	path := filepath.Join(e.folder, "logs", d.slowLog())
	if info, err := os.Stat(path); err != nil || info.Size() < maxSlowLog {
		return
	}
	if os.Rename(path, path+".1") == nil {
		_, _ = e.db.ExecContext(ctx, "FLUSH LOCAL SLOW LOGS")
	}
}
