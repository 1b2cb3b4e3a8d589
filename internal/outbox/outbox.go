// Package outbox carries an effect from one shard to another without ever losing it.
//
// A transaction touches one shard. What has to happen elsewhere because of it (another shard's record, a message) is
// written as a row in the same transaction by Put; once that is committed, a Drainer runs the row's handler, outside of
// any transaction, and then deletes the row. The writer drains its own shard before it answers, so that normally the
// effect is there when the caller looks; after a crash DrainAll runs what was left.
//
// A handler runs at least once: the process may end between its effect and the deletion of the row. It must therefore be
// idempotent, which needs every id chosen before Put and carried in the payload. Rows of one order (PutOrdered; else all of
// their kind) in one shard run one after the other, in the order of their transactions and, within one, in the order they
// were put.
//
// A row that fails is parked: it and those of its order that come after it wait, everything else goes on. A parked row is
// tried again by the next drains; from the third failure on only after a pause that doubles with each, up to a quarter of an hour. A
// start of the process (DrainAll) tries it whatever the pause. Parked lists what waits, for the operator.
//
// Layout: key "O|" + LSN (8 bytes, big endian) + sequence (4 bytes), value a store.Codec record; parked: "Q|" + the same.
package outbox

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	prefix  = "O|"
	parkTag = "Q|"
	atOnce  = 64 // rows read and deleted in one step
)

var codec = store.Codec[row]{Kind: 'O', Version: 1}

type row struct {
	Kind    string `json:"kind"`
	Order   string `json:"order,omitempty"`
	Payload []byte `json:"payload"`
}

// order names the rows that must not overtake each other.
func (r *row) order() string { return r.Kind + "|" + r.Order }

// Put adds a row that is committed with tx. The payload may hold a secret only in sealed form.
func Put(tx store.Tx, kind string, payload []byte) error { return PutOrdered(tx, kind, "", payload) }

// PutOrdered is Put for a kind whose rows depend only on those of the same order, such as the id of what they are about: a row
// that fails then keeps back only those.
func PutOrdered(tx store.Tx, kind, order string, payload []byte) error {
	value, err := codec.Encode(row{kind, order, payload})
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
	clock    clock.Clock
	log      *slog.Logger
	handlers map[string]Handler

	inHand atomic.Int64 // rows read, not yet done

	mu      sync.Mutex
	locks   map[string]*shardLock
	failing map[string]int // shards that have rows left by a drain, and how many
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
	return &Drainer{st: st, clock: clock.System{}, log: log, handlers: own, locks: map[string]*shardLock{}, failing: map[string]int{}}
}

// WithClock sets where the pauses of parked rows are measured; without it the machine's clock. Before the first use.
func (d *Drainer) WithClock(c clock.Clock) *Drainer {
	d.clock = c
	return d
}

// Pending tells whether the shard has rows, parked ones too; it costs one short View.
func (d *Drainer) Pending(ctx context.Context, shard string) (bool, error) {
	for _, tag := range []string{prefix, parkTag} {
		rows, err := d.read(ctx, shard, tag, 1)
		if len(rows) > 0 || err != nil {
			return len(rows) > 0, err
		}
	}
	return false, nil
}

// Drain runs and deletes the shard's rows, in order, until none is left that may run now. It returns the first failure; rows that
// failed, and those that wait for them, stay.
func (d *Drainer) Drain(ctx context.Context, shard string) error { return d.drain(ctx, shard, false) }

// DrainThrough is Drain for who wrote the rows of transaction lsn: it fails only if one of those is still there.
func (d *Drainer) DrainThrough(ctx context.Context, shard string, lsn store.LSN) error {
	failure := d.drain(ctx, shard, false)
	for _, tag := range []string{prefix, parkTag} {
		rows, err := d.read(ctx, shard, string(binary.BigEndian.AppendUint64([]byte(tag), uint64(lsn))), 1)
		switch {
		case err != nil:
			return errors.Join(failure, err)
		case len(rows) > 0 && failure == nil:
			return fmt.Errorf("outbox: row %x of %s waits for an earlier one", rows[0].key[len(prefix):], shard)
		case len(rows) > 0:
			return failure
		}
	}
	return nil
}

func (d *Drainer) drain(ctx context.Context, shard string, force bool) error {
	unlock, err := d.lock(ctx, shard)
	if err != nil {
		return err
	}
	defer unlock()
	stuck, left, failure, err := d.retry(ctx, shard, force)
	if err != nil {
		d.failed(shard, max(left, 1))
		return err
	}
	for {
		rows, err := d.read(ctx, shard, prefix, atOnce)
		if err == nil && len(rows) == 0 {
			d.failed(shard, left)
		}
		if err != nil || len(rows) == 0 {
			return cmp.Or(err, failure)
		}
		d.inHand.Add(int64(len(rows)))
		steps, failed := d.runAll(ctx, shard, rows, stuck)
		d.inHand.Add(-int64(len(rows)))
		failure = cmp.Or(failure, failed)
		// Even when ctx ended meanwhile: what is done should not be done again.
		if err := d.settle(context.WithoutCancel(ctx), shard, steps); err != nil {
			d.failed(shard, left+len(rows))
			return errors.Join(failure, err)
		}
		for _, s := range steps {
			if s.parked != nil {
				left++
			}
		}
		if ctx.Err() != nil {
			d.failed(shard, max(left, 1))
			return cmp.Or(failure, ctx.Err())
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
		err := store.EachShard(ctx, d.st, p, func(name string) error {
			if err := d.drain(ctx, name, true); err != nil {
				failures = append(failures, err)
			}
			return nil
		})
		if err != nil {
			return errors.Join(append(failures, fmt.Errorf("outbox: %w", err))...)
		}
	}
	return errors.Join(failures...)
}

type stored struct{ key, value []byte }

func (d *Drainer) read(ctx context.Context, shard, tag string, limit int) ([]stored, error) {
	var rows []stored
	err := d.st.View(ctx, shard, func(s store.Snapshot) error {
		rows = rows[:0]
		return s.Scan(store.Prefix([]byte(tag)), func(k, v []byte) bool {
			rows = append(rows, stored{append([]byte(nil), k...), append([]byte(nil), v...)})
			return limit == 0 || len(rows) < limit
		})
	})
	if err != nil {
		return nil, fmt.Errorf("outbox: read rows of %s: %w", shard, err)
	}
	return rows, nil
}

// step is what became of a row: it goes, and if it has to wait, is parked.
type step struct {
	key    []byte
	parked *parked
}

// runAll runs rows and tells what became of each it came to.
func (d *Drainer) runAll(ctx context.Context, shard string, rows []stored, stuck map[string]bool) (steps []step, failure error) {
	for _, s := range rows {
		r, err := codec.Decode(s.value)
		if err != nil {
			r = row{Kind: "unreadable", Payload: s.value}
		} else if stuck[r.order()] {
			failure = cmp.Or(failure, fmt.Errorf("outbox: row %x of %s waits for an earlier one", s.key[len(prefix):], shard))
			steps = append(steps, step{s.key, &parked{Row: r, Error: "waits for an earlier row"}})
			continue
		} else {
			err = d.run(ctx, shard, r)
		}
		if ctx.Err() != nil && err != nil {
			return steps, cmp.Or(failure, err) // not the row's fault
		}
		if err == nil {
			steps = append(steps, step{key: s.key})
			continue
		}
		err = fmt.Errorf("outbox: row %x of %s: %w", s.key[len(prefix):], shard, err)
		failure = cmp.Or(failure, err)
		stuck[r.order()] = true
		p := &parked{Row: r}
		d.note(shard, p, err)
		steps = append(steps, step{s.key, p})
	}
	return steps, failure
}

func (d *Drainer) run(ctx context.Context, shard string, r row) (err error) {
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
