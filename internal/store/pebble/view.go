package pebble

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// View implements store.Store.
func (e *Engine) View(ctx context.Context, shard string, fn func(store.Snapshot) error) error {
	g := getg()
	if !e.running.enter(g) {
		return store.ErrNested
	}
	entered := true
	leave := func() {
		if entered {
			entered = false
			e.running.exit(g)
		}
	}
	defer leave()
	if err := e.begin(ctx, shard); err != nil {
		return err
	}
	defer e.ops.Done()
	sh, err := e.find(shard)
	if err != nil {
		return fmt.Errorf("view shard %s: %w", shard, err)
	}
	if sh == nil {
		return e.call(shard, &snapshot{}, fn)
	}
	drops := sh.drops.Load()
	snap, db, err := e.snapshot(ctx, sh)
	if err != nil {
		return err
	}
	err = e.call(shard, snap, fn)
	if cerr := db.Close(); cerr != nil && err == nil {
		err = fmt.Errorf("close snapshot: %w", cerr)
	}
	leave()
	if sh.durable.Load() >= uint64(snap.lsn) {
		return err
	}
	if werr := e.await(ctx, sh, nil, func() bool {
		return sh.durable.Load() >= uint64(snap.lsn) || sh.drops.Load() != drops
	}); werr != nil {
		return werr // what fn saw may be lost yet
	}
	return err
}

func (e *Engine) call(shard string, s *snapshot, fn func(store.Snapshot) error) error {
	start := time.Now()
	err := safely(e.log, shard, func() error { return fn(s) })
	s.done = true
	if d := time.Since(start); d > slowFunction {
		e.logSlow("view", shard, reflect.ValueOf(fn).Pointer(), d)
	}
	return err
}

// snapshot takes one state of the shard, with the LSN that belongs to it.
func (e *Engine) snapshot(ctx context.Context, sh *shard) (*snapshot, *pebble.Snapshot, error) {
	before := sh.state.Load()
	busy := sh.applying.Load()
	db := e.db.NewSnapshot()
	if !busy && !sh.applying.Load() && sh.state.Load() == before {
		return &snapshot{r: db, id: before.id, lsn: before.lsn}, db, nil
	}
	// A group was being applied: what the snapshot holds, only the snapshot knows.
	id, err := e.getUint(db, metaKey(metaName, sh.name))
	var lsn uint64
	if err == nil && id != 0 {
		lsn, err = e.getUint(db, lsnKey(id))
	}
	if err == nil && id == 0 && before.id != 0 {
		// A Drop shows already: wait until it is durable.
		err = e.await(ctx, sh, nil, func() bool { return sh.state.Load().id != before.id })
	}
	if err != nil {
		_ = db.Close()
		return nil, nil, fmt.Errorf("view shard %s: %w", sh.name, err)
	}
	return &snapshot{r: db, id: id, lsn: store.LSN(lsn)}, db, nil
}

// Watch implements store.Store.
func (e *Engine) Watch(ctx context.Context, shard string, after store.LSN) (store.LSN, error) {
	if e.running.has(getg()) {
		return 0, store.ErrNested
	}
	if err := e.begin(ctx, shard); err != nil {
		return 0, err
	}
	defer e.ops.Done()
	sh, err := e.acquire(shard)
	if err != nil {
		return 0, err
	}
	defer e.release(sh)
	var lsn uint64
	if err := e.await(ctx, sh, e.closed, func() bool {
		lsn = sh.durable.Load()
		return lsn > uint64(after)
	}); err != nil {
		return 0, err
	}
	return store.LSN(lsn), nil
}
