package pebble

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// View implements store.Store. It first runs fn on the live engine, checking after each read that the shard has not
// moved, which costs nothing on a quiet shard; if it has, fn runs again on a Pebble snapshot.
func (e *Engine) View(ctx context.Context, shard string, fn func(store.Snapshot) error) error {
	if err := e.begin(ctx, shard); err != nil {
		return err
	}
	defer e.ops.Done()
	sh, err := e.find(shard)
	if err != nil {
		return fmt.Errorf("view shard %s: %w", shard, err)
	}
	s := snapshot{e: e, sh: sh, r: e.db, reuse: true}
	var drops uint64
	if sh != nil {
		drops = sh.drops.Load()
	}
	if s.start() {
		err = e.call(shard, &s, fn)
	} else {
		s.torn = true
	}
	if s.torn {
		err = e.viewPinned(ctx, sh, &s, fn)
	}
	if sh == nil || sh.durable.Load() >= uint64(s.lsn) || errors.Is(err, store.ErrNested) {
		return err
	}
	if werr := e.await(ctx, sh, nil, func() bool {
		return sh.durable.Load() >= uint64(s.lsn) || sh.drops.Load() != drops
	}); werr != nil {
		return werr // what fn saw may yet be lost
	}
	return err
}

// Peek implements what package store's Peek looks for.
func (e *Engine) Peek(name string) (lsn store.LSN, ok bool) {
	select {
	case <-e.closed:
		return 0, false
	default:
	}
	e.mu.RLock()
	sh := e.shards[name]
	e.mu.RUnlock()
	if sh == nil || e.running.has(getg()) {
		return 0, false
	}
	st := sh.state.Load()
	if sh.applying.Load() || sh.durable.Load() < uint64(st.lsn) {
		return 0, false
	}
	return st.lsn, true
}

// viewPinned runs fn on a Pebble snapshot, and leaves in s the LSN it saw.
func (e *Engine) viewPinned(ctx context.Context, sh *shard, s *snapshot, fn func(store.Snapshot) error) error {
	db := e.db.NewSnapshot()
	defer db.Close()
	*s = snapshot{r: db, reuse: true}
	id, lsn, err := e.pinned(ctx, sh, db)
	if err != nil {
		return fmt.Errorf("view shard %s: %w", sh.name, err)
	}
	s.id, s.lsn = id, lsn
	return e.call(sh.name, s, fn)
}

// call runs fn, guarded against nesting and panics.
func (e *Engine) call(shard string, s *snapshot, fn func(store.Snapshot) error) (err error) {
	g := getg()
	if !e.running.enter(g) {
		return store.ErrNested
	}
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = panicked(e.log, shard, p)
		}
		s.end()
		e.running.exit(g)
		if d := time.Since(start); d > slowFunction {
			e.logSlow("view", shard, reflect.ValueOf(fn).Pointer(), d)
		}
	}()
	return fn(s)
}

// pinned finds what the snapshot db holds of the shard: only it knows, if a group is just being applied.
func (e *Engine) pinned(ctx context.Context, sh *shard, db *pebble.Snapshot) (id uint64, lsn store.LSN, err error) {
	before := sh.state.Load()
	if id, err = e.getUint(db, metaKey(metaName, sh.name)); err != nil {
		return 0, 0, err
	}
	if id == 0 {
		if before.id != 0 && sh.applying.Load() {
			// A Drop may show already: wait until it is durable.
			err = e.await(ctx, sh, nil, func() bool { return sh.state.Load() != before })
		}
		return 0, 0, err
	}
	n, err := e.getUint(db, lsnKey(id))
	return id, store.LSN(n), err
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
