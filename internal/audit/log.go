package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Records of calls that changed nothing wait at most this long before they are durable.
const flushEvery = 100 * time.Millisecond

const (
	shards     = 16
	bufferFull = 4096  // records; a fuller buffer is flushed by the call that fills it
	bufferMost = 65536 // records kept while the store has no room for them; later ones go to the log alone
	perUpdate  = 2000  // records committed in one transaction
	spareMost  = 512   // records of a shard whose room is kept for the next ones
	retryAfter = time.Second
	outboxKind = "audit"
)

// Log keeps records. Safe for concurrent use.
type Log struct {
	st    store.Store
	clock clock.Clock
	log   *slog.Logger

	mu       sync.Mutex
	buffer   [shards][]Record // by the shard they go to
	buffered int
	spare    [shards][]Record // room of the last flush, empty
	retry    time.Time        // no flush before, as the last one failed
	logged   uint64

	flushing sync.Mutex // keeps flushes in turn, so that Flush returns only when everything before it is durable
}

// NewLog returns a log on st. Run flushes it.
func NewLog(st store.Store, clk clock.Clock, log *slog.Logger) *Log {
	return &Log{st: st, clock: clk, log: log}
}

// Read keeps the record of a call that changed nothing; it is durable within 100 ms while Run runs and the store has room. While it has none, calls go on
// being answered: records wait in memory, and once that is full too they are written to the log.
func (l *Log) Read(rec Record) {
	if !l.keep(rec) {
		return
	}
	if err := l.Flush(context.Background()); err != nil {
		l.log.Error("audit records not flushed", "error", err)
	}
}

// keep buffers a record and tells whether the buffer is due to be flushed by the caller.
func (l *Log) keep(rec Record) (due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buffered >= bufferMost {
		l.logged++
		l.log.Error("audit record written here only: the store takes none and memory is full", "record", rec)
		return false
	}
	n := shardNumber(rec.CorrelationID)
	l.buffer[n] = append(l.buffer[n], rec)
	l.buffered++
	return l.buffered >= bufferFull && !l.clock.Now().Before(l.retry)
}

// Buffered is how many records are not durable yet.
func (l *Log) Buffered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffered
}

// Logged is how many records are in the log only.
func (l *Log) Logged() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.logged
}

// Refuse keeps the record of a refusal and returns once it is durable. If it cannot be, it waits with the others, and the error says so; the refusal stands
// either way.
func (l *Log) Refuse(ctx context.Context, rec Record) error {
	err := l.write(ctx, shardOf(rec.CorrelationID), []Record{rec})
	if err != nil {
		_ = l.keep(rec)
	}
	return err
}

// InTx puts the record of a write into the write's own transaction. The outbox moves it to where Trace finds it.
func (l *Log) InTx(tx store.Tx, rec Record) error {
	payload, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return outbox.PutOrdered(tx, outboxKind, rec.CorrelationID, payload)
}

// OutboxHandlers are the handlers of the rows InTx writes.
func (l *Log) OutboxHandlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{outboxKind: func(ctx context.Context, _ string, payload []byte) error {
		var rec Record
		if err := json.Unmarshal(payload, &rec); err != nil {
			return fmt.Errorf("audit row: %w", err)
		}
		return l.write(ctx, shardOf(rec.CorrelationID), []Record{rec})
	}}
}

// Record implements wire.Auditor.
func (l *Log) Record(ctx context.Context, e *wire.Event) error {
	rec := FromEvent(e)
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		return l.Refuse(context.WithoutCancel(ctx), rec)
	}
	l.Read(rec)
	return nil
}

// FromEvent is the record of a finished request.
func FromEvent(e *wire.Event) Record {
	rec := FromRequest(e.Request)
	rec.Time, rec.Duration, rec.Status = e.Time, e.Duration, e.Status
	if e.Fault != nil {
		rec.Code, rec.Reason = e.Fault.Code, e.Fault.Message
	}
	return rec
}

// FromRequest is what is known of a request while it runs: everything but its outcome. Writers that commit their own record set Time and Status.
func FromRequest(r *wire.Request) Record {
	rec := Record{
		CorrelationID: r.CorrelationID, RequestID: r.RequestID, Service: string(r.Host.Kind), Host: r.Host.Text,
		Resource: r.Resource, AllowedBy: r.AllowedBy,
	}
	if r.HTTP != nil {
		rec.Method = r.HTTP.Method
	}
	if r.Route != nil {
		rec.Operation = r.Route.Operation
	}
	if r.Client.IsValid() {
		rec.ClientIP = r.Client.String()
	}
	if p := r.Principal; p != nil {
		rec.Kind, rec.TenantID, rec.ObjectID, rec.AppID = string(p.Kind), p.TenantID, p.ObjectID, p.AppID
		rec.Name, rec.OnBehalf = p.Name, p.Resource
	}
	return rec
}

// Run flushes buffered records until ctx ends, and once more then.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.Flush(context.WithoutCancel(ctx))
		case <-tick.C:
			if l.waits() {
				continue
			}
			if err := l.Flush(ctx); err != nil && ctx.Err() == nil {
				l.log.Error("audit records not flushed", "error", err)
			}
		case <-prune.C:
			if err := l.prune(ctx); err != nil && ctx.Err() == nil {
				l.log.Error("old audit records not removed", "error", err)
			}
		}
	}
}

// Flush makes every record handed to Read before it durable. Records that could not be written stay buffered.
func (l *Log) Flush(ctx context.Context) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	batch := l.buffer
	l.buffer, l.spare, l.buffered = l.spare, [shards][]Record{}, 0
	l.mu.Unlock()
	// Shards share one fsync when they commit at the same time.
	var wg sync.WaitGroup
	var failed [shards]error
	for n, recs := range batch {
		if len(recs) > 0 {
			wg.Go(func() { failed[n] = l.flushShard(ctx, n, recs) })
		}
	}
	wg.Wait()
	l.reuse(batch, failed)
	err := errors.Join(failed[:]...)
	if err != nil {
		l.mu.Lock()
		l.retry = l.clock.Now().Add(retryAfter)
		l.mu.Unlock()
	}
	return err
}

// reuse keeps the room of the records that were written.
func (l *Log) reuse(batch [shards][]Record, failed [shards]error) {
	for n := range batch {
		if failed[n] != nil || cap(batch[n]) > spareMost {
			batch[n] = nil // its records are in the buffer again, or it was an unusual amount
		}
		clear(batch[n])
		batch[n] = batch[n][:0]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spare = batch
}

// waits tells whether a failed flush is too recent to try again.
func (l *Log) waits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock.Now().Before(l.retry)
}

func (l *Log) flushShard(ctx context.Context, n int, recs []Record) error {
	for len(recs) > 0 {
		step := recs[:min(len(recs), perUpdate)]
		if err := l.write(ctx, shardName(n), step); err != nil {
			l.mu.Lock()
			l.buffer[n] = append(recs, l.buffer[n]...)
			l.buffered += len(recs)
			l.mu.Unlock()
			return err
		}
		recs = recs[len(step):]
	}
	return nil
}

func (l *Log) write(ctx context.Context, shard string, recs []Record) error {
	var blocks []block
	for len(recs) > 0 {
		var b block
		b, recs = blockOf(recs)
		blocks = append(blocks, b)
	}
	_, err := l.st.Update(ctx, shard, func(tx store.Tx) error {
		for _, b := range blocks {
			if err := b.put(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write audit records: %w", err)
	}
	return nil
}

func shardNumber(correlationID string) int {
	h := uint32(2166136261) // FNV-1a
	for i := range len(correlationID) {
		h = (h ^ uint32(correlationID[i])) * 16777619
	}
	return int(h % shards)
}

func shardName(n int) string { return fmt.Sprintf("audit/%02x", n) }

func shardOf(correlationID string) string { return shardName(shardNumber(correlationID)) }

// Trace returns the records of one story in order of time. Buffered ones are flushed first.
func (l *Log) Trace(ctx context.Context, correlationID string) ([]Record, error) {
	correlationID = strings.ToLower(correlationID)
	guid, ok := ids.Parse(correlationID)
	if !ok {
		return nil, fault.New(fault.Invalid, "InvalidCorrelationId", "A correlation id is a GUID, as answers carry it in x-ms-correlation-request-id.")
	}
	if err := l.Flush(ctx); err != nil {
		return nil, err
	}
	today := dayOf(l.clock.Now())
	var raw [][]byte
	err := l.st.View(ctx, shardOf(correlationID), func(s store.Snapshot) error {
		raw = raw[:0]
		// Tomorrow is asked, too: clocks are set back.
		for day := today - retentionDays; day <= today+1; day++ {
			if err := blocksOf(s, day, guid, func(b []byte) { raw = append(raw, bytes.Clone(b)) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var recs []Record
	for _, b := range raw {
		err := readBlock(b, func(rec Record) {
			if rec.CorrelationID == correlationID {
				recs = append(recs, rec)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(recs, func(a, b Record) int { return a.Time.Compare(b.Time) })
	// A flush that failed late may have been durable all the same, and then lies in two blocks.
	return slices.Compact(recs), nil
}

// blocksOf calls fn with the blocks of one day that have records of a story. A block that two index rows name is given once.
func blocksOf(s store.Snapshot, day uint32, correlation [16]byte, fn func(block []byte)) error {
	prefix := append(binary.BigEndian.AppendUint32([]byte("I|"), day), correlation[:]...)
	var keys [][]byte
	err := s.Scan(store.Prefix(prefix), func(k, _ []byte) bool {
		keys = append(keys, append([]byte("B|"), k[len(prefix):]...))
		return true
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		b, err := s.Get(k)
		if err != nil {
			return err
		}
		if b != nil {
			fn(b)
		}
	}
	return nil
}

// Service gives the admin route behind `bulkhead trace`, and the background work.
func (l *Log) Service() wire.Service {
	return wire.Service{Name: "audit", Run: l.Run, Routes: []wire.Route{{
		Host: wire.HostAdmin, Method: http.MethodGet, Pattern: "/trace/{correlationId}", Operation: "GetTrace", Auth: wire.Anonymous, Quiet: true,
		Handler: func(ctx context.Context, r *wire.Request) (any, error) { return l.Trace(ctx, r.Param("correlationId")) },
	}, l.historyRoute()}}
}
