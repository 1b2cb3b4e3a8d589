// Package outbox carries an effect from one shard to another without ever losing it.
//
// A transaction touches one shard. What has to happen elsewhere because of it (another shard's record, a message) is
// written as a row in the same transaction by Put; once that is committed, a Drainer runs the row's handler, outside of
// any transaction, and then deletes the row. The writer drains its own shard before it answers, so that normally the
// effect is there when the caller looks; after a crash DrainAll runs what was left.
//
// A handler runs at least once: the process may end between its effect and the deletion of the row. It must therefore be
// idempotent, which needs every id chosen before Put and carried in the payload. Rows of one shard run one after the
// other, in the order of their transactions and, within one, in the order they were put. A handler that fails stops its shard, with
// the row kept, until the next Drain.
//
// Layout: key "O|" + LSN (8 bytes, big endian) + sequence (4 bytes), value a store.Codec record.
package outbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	prefix  = "O|"
	atOnce  = 64 // rows read and deleted in one step
	perList = 256
)

var codec = store.Codec[row]{Kind: 'O', Version: 1}

type row struct {
	Kind    string `json:"kind"`
	Payload []byte `json:"payload"`
}

// Put adds a row that is committed with tx. The payload may hold a secret only in sealed form.
func Put(tx store.Tx, kind string, payload []byte) error {
	value, err := codec.Encode(row{kind, payload})
	if err != nil {
		return err
	}
	mine := binary.BigEndian.AppendUint64([]byte(prefix), uint64(tx.LSN()))
	var seq uint32
	r := store.Prefix(mine)
	r.Reverse = true
	err = tx.Scan(r, func(key, _ []byte) bool {
		seq = binary.BigEndian.Uint32(key[len(mine):]) + 1
		return false
	})
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return tx.Put(binary.BigEndian.AppendUint32(mine, seq), value)
}

// Handler makes a row's effect. It must be idempotent, runs outside any transaction, and must not drain its own shard.
type Handler func(ctx context.Context, shard string, payload []byte) error

// Drainer runs what Put wrote. Safe for concurrent use.
type Drainer struct {
	st       store.Store
	log      *slog.Logger
	handlers map[string]Handler

	inHand atomic.Int64 // rows read, not yet done

	mu      sync.Mutex
	locks   map[string]*shardLock
	failing map[string]int // shards whose last drain failed, and how many rows it saw left
}

// shardLock makes a shard's drains take turns; it is a channel so that a waiting one can give up.
type shardLock struct {
	turn chan struct{}
	refs int
}

// NewDrainer returns a Drainer with a handler for each kind. A nil log discards.
func NewDrainer(st store.Store, log *slog.Logger, handlers map[string]Handler) *Drainer {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	own := make(map[string]Handler, len(handlers))
	for kind, h := range handlers {
		own[kind] = h
	}
	return &Drainer{st: st, log: log, handlers: own, locks: map[string]*shardLock{}, failing: map[string]int{}}
}

// Pending tells whether the shard has rows; it costs one short View.
func (d *Drainer) Pending(ctx context.Context, shard string) (bool, error) {
	rows, err := d.read(ctx, shard, 1)
	return len(rows) > 0, err
}

// Drain runs and deletes the shard's rows, in order, until none is left. It returns the first failure; the row that
// failed, and those after it, stay.
func (d *Drainer) Drain(ctx context.Context, shard string) error {
	unlock, err := d.lock(ctx, shard)
	if err != nil {
		return err
	}
	defer unlock()
	for {
		rows, err := d.read(ctx, shard, atOnce)
		if err == nil && len(rows) == 0 {
			d.failed(shard, 0)
		}
		if err != nil || len(rows) == 0 {
			return err
		}
		d.inHand.Add(int64(len(rows)))
		done, failure := d.runAll(ctx, shard, rows)
		d.inHand.Add(-int64(len(rows)))
		// Even when ctx ended meanwhile: what is done should not be done again.
		if err := d.remove(context.WithoutCancel(ctx), shard, rows[:done]); err != nil {
			d.failed(shard, len(rows))
			return errors.Join(failure, err)
		}
		if failure != nil {
			d.failed(shard, len(rows)-done)
			d.log.Error("outbox row failed", "shard", shard, "error", failure)
			return failure
		}
	}
}

// DrainAll drains every shard whose name begins with one of the prefixes (none: every shard). A shard that fails does
// not keep the others back; all failures are returned.
func (d *Drainer) DrainAll(ctx context.Context, prefixes ...string) error {
	if len(prefixes) == 0 {
		prefixes = []string{""}
	}
	var failures []error
	for _, p := range prefixes {
		for after := ""; ; {
			names, err := d.st.Shards(ctx, p, after, perList)
			if err != nil {
				return errors.Join(append(failures, fmt.Errorf("outbox: list shards: %w", err))...)
			}
			for _, name := range names {
				if err := d.Drain(ctx, name); err != nil {
					failures = append(failures, err)
				}
				after = name
			}
			if len(names) < perList {
				break
			}
		}
	}
	return errors.Join(failures...)
}

type stored struct{ key, value []byte }

func (d *Drainer) read(ctx context.Context, shard string, limit int) ([]stored, error) {
	var rows []stored
	err := d.st.View(ctx, shard, func(s store.Snapshot) error {
		rows = rows[:0]
		return s.Scan(store.Prefix([]byte(prefix)), func(k, v []byte) bool {
			rows = append(rows, stored{append([]byte(nil), k...), append([]byte(nil), v...)})
			return len(rows) < limit
		})
	})
	if err != nil {
		return nil, fmt.Errorf("outbox: read rows of %s: %w", shard, err)
	}
	return rows, nil
}

// runAll runs rows up to the first failure and tells how many were done.
func (d *Drainer) runAll(ctx context.Context, shard string, rows []stored) (done int, err error) {
	for _, r := range rows {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		if err := d.run(ctx, shard, r); err != nil {
			return done, fmt.Errorf("outbox: row %x of %s: %w", r.key[len(prefix):], shard, err)
		}
		done++
	}
	return done, nil
}

func (d *Drainer) run(ctx context.Context, shard string, s stored) (err error) {
	r, err := codec.Decode(s.value)
	if err != nil {
		return err
	}
	h := d.handlers[r.Kind]
	if h == nil {
		return fmt.Errorf("no handler for kind %q", r.Kind)
	}
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("outbox handler panicked", "shard", shard, "kind", r.Kind, "stack", string(debug.Stack()))
			err = fmt.Errorf("handler of kind %q panicked", r.Kind)
		}
	}()
	return h(ctx, shard, r.Payload)
}

func (d *Drainer) remove(ctx context.Context, shard string, rows []stored) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := d.st.Update(ctx, shard, func(tx store.Tx) error {
		for _, r := range rows {
			if err := tx.Delete(r.key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("outbox: delete rows of %s: %w", shard, err)
	}
	return nil
}

// lock waits for the shard's turn.
func (d *Drainer) lock(ctx context.Context, shard string) (unlock func(), err error) {
	d.mu.Lock()
	l := d.locks[shard]
	if l == nil {
		l = &shardLock{turn: make(chan struct{}, 1)}
		d.locks[shard] = l
	}
	l.refs++
	d.mu.Unlock()
	leave := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if l.refs--; l.refs == 0 {
			delete(d.locks, shard)
		}
	}
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
