package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// state is what a shard is after its last applied group. It is replaced, never changed.
type state struct {
	id  uint64 // 0: the shard does not exist
	lsn store.LSN
}

// shard is a shard's entry in memory, made when it is first written, watched or found on disk.
type shard struct {
	name string
	refs int // guarded by Engine.mu; an entry without refs whose shard does not exist is forgotten

	// applying is true while Pebble takes a batch, when what it shows may be ahead of state.
	applying atomic.Bool
	state    atomic.Pointer[state]
	durable  atomic.Uint64
	drops    atomic.Uint64 // how often the shard was dropped, as LSNs begin anew then

	hot   *hot          // its leader's; nil before the first write
	kept  atomic.Int64  // how many of its rows are kept for Views
	epoch atomic.Uint64 // goes up when all of them are void

	mu      sync.Mutex
	queue   []*item
	leading bool // a group is under way, or somebody was told to begin one
	bell    chan struct{}
}

// item is one Update (or Drop) in a shard's queue.
type item struct {
	fn    func(store.Tx) error
	drop  bool
	wake  chan bool // true: lead; false: the outcome is set
	taken bool      // guarded by shard.mu: in a group, too late to cancel
	lsn   store.LSN
	err   error
}

// group is a run of items that becomes one batch.
type group struct {
	items []*item
	began time.Time // zero unless somebody wants to know
	err   error
}

// acquire returns the shard's entry; release must follow.
func (e *Engine) acquire(name string) (*shard, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	sh := e.shards[name]
	if sh == nil {
		var err error
		if sh, err = e.load(name); err != nil {
			return nil, err
		}
	}
	sh.refs++
	return sh, nil
}

// load makes the entry of a shard from what is on disk. e.mu is held.
func (e *Engine) load(name string) (*shard, error) {
	id, err := e.getUint(e.db, metaKey(metaName, name))
	if err != nil {
		return nil, fmt.Errorf("load shard %s: %w", name, err)
	}
	st := &state{id: id}
	if id != 0 {
		lsn, err := e.getUint(e.db, lsnKey(id))
		if err != nil {
			return nil, fmt.Errorf("load shard %s: %w", name, err)
		}
		st.lsn = store.LSN(lsn)
	}
	sh := &shard{name: name}
	sh.state.Store(st)
	sh.durable.Store(uint64(st.lsn))
	e.shards[name] = sh
	return sh, nil
}

// hold adds a reference to one the caller has.
func (e *Engine) hold(sh *shard) {
	e.mu.Lock()
	defer e.mu.Unlock()
	sh.refs++
}

func (e *Engine) release(sh *shard) {
	e.mu.Lock()
	defer e.mu.Unlock()
	sh.refs--
	if sh.refs == 0 && sh.state.Load().id == 0 {
		delete(e.shards, sh.name)
	}
}

// find returns the shard's entry if there is one, or if the shard is on disk; else nil.
func (e *Engine) find(name string) (*shard, error) {
	e.mu.RLock()
	sh := e.shards[name]
	e.mu.RUnlock()
	if sh != nil {
		return sh, nil
	}
	id, err := e.getUint(e.db, metaKey(metaName, name))
	if err != nil || id == 0 {
		return nil, err
	}
	if sh, err = e.acquire(name); err != nil {
		return nil, err
	}
	e.release(sh)
	return sh, nil
}

// Update implements store.Store.
func (e *Engine) Update(ctx context.Context, shard string, fn func(store.Tx) error) (store.LSN, error) {
	return e.submit(ctx, shard, &item{fn: fn})
}

// Drop implements store.Store. It takes its turn in the shard's queue.
func (e *Engine) Drop(ctx context.Context, shard string) error {
	_, err := e.submit(ctx, shard, &item{drop: true})
	return err
}

func (e *Engine) submit(ctx context.Context, name string, it *item) (store.LSN, error) {
	if e.running.has(getg()) {
		return 0, store.ErrNested
	}
	if err := e.begin(ctx, name); err != nil {
		return 0, err
	}
	defer e.ops.Done()
	if err := e.err(); err != nil {
		return 0, err
	}
	if err := e.space.check(); err != nil && !it.drop {
		return 0, err
	}
	sh, err := e.acquire(name)
	if err != nil {
		return 0, err
	}
	defer e.release(sh)
	it.wake = make(chan bool, 1)
	if !sh.enqueue(it) {
		select {
		case lead := <-it.wake:
			if !lead {
				return it.lsn, it.err
			}
		case <-ctx.Done():
			if sh.cancel(it) {
				return 0, ctx.Err()
			}
			<-it.wake // already running: the outcome is near
			return it.lsn, it.err
		}
	}
	e.lead(sh)
	return it.lsn, it.err
}

// enqueue adds it and tells whether its caller has to lead at once.
func (sh *shard) enqueue(it *item) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.queue = append(sh.queue, it)
	if sh.leading {
		return false
	}
	sh.leading = true
	return true
}

// cancel takes it out of the queue, unless it is in a group already.
func (sh *shard) cancel(it *item) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if it.taken {
		return false
	}
	for i, q := range sh.queue {
		if q == it {
			sh.queue = append(sh.queue[:i:i], sh.queue[i+1:]...)
			break
		}
	}
	select {
	case <-it.wake: // was told to lead
		sh.leading = false
		sh.promote()
	default:
	}
	return true
}

// promote tells the first in the queue to lead, if that is due. sh.mu is held.
func (sh *shard) promote() {
	if sh.leading || len(sh.queue) == 0 {
		return
	}
	sh.leading = true
	sh.queue[0].wake <- true
}

// take begins a group with the first in the queue, the leader's own item.
func (sh *shard) take() (*group, *item) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g := &group{}
	it := sh.pop()
	g.items = append(g.items, it)
	return g, it
}

// more returns the next item for the group, or nil.
func (sh *shard) more(g *group, limit int) *item {
	if len(g.items) >= limit {
		return nil
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if len(sh.queue) == 0 || sh.queue[0].drop {
		return nil
	}
	it := sh.pop()
	g.items = append(g.items, it)
	return it
}

func (sh *shard) pop() *item {
	it := sh.queue[0]
	sh.queue[0] = nil
	if sh.queue = sh.queue[1:]; len(sh.queue) == 0 {
		sh.queue = nil
	}
	it.taken = true
	return it
}

// lead runs one group: its functions, the batch, the wait until that is durable. Whoever comes meanwhile is in the next group. (Two groups under way at a
// time, the second running its functions while the first is synced, cost more syncs than they saved waiting.) The caller's item is the first of the group.
func (e *Engine) lead(sh *shard) {
	g, own := sh.take()
	if own.drop {
		g.err = e.drop(sh)
		e.answer(sh, g, own)
		return
	}
	if e.observe != nil {
		g.began = time.Now()
	}
	now := sh.state.Load()
	if sh.hot == nil {
		sh.hot = newHot()
	}
	o, _ := e.overlays.Get().(*overlay)
	if o == nil {
		o = newOverlay()
	}
	l := &leader{e: e, sh: sh, g: g, own: own, now: now, head: now.lsn, o: o, it: own}
	l.run()
}

// answer ends the group and tells everybody in it, except the leader itself.
func (e *Engine) answer(sh *shard, g *group, own *item) {
	sh.mu.Lock()
	sh.leading = false
	sh.promote()
	sh.mu.Unlock()
	for _, it := range g.items {
		if g.err != nil {
			it.lsn, it.err = 0, g.err
		}
		if it != own {
			it.wake <- false
		}
	}
}

func (e *Engine) logSlow(op, shard string, pc uintptr, d time.Duration) {
	name := "unknown"
	if f := runtime.FuncForPC(pc); f != nil {
		name = f.Name()
	}
	e.log.Warn("slow store function", "op", op, "shard", shard, "function", name, "duration", d)
}

// safely turns a panic of fn into an error: fn may run on another caller's goroutine.
func safely(log *slog.Logger, shard string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(log, shard, p)
		}
	}()
	return fn()
}

func panicked(log *slog.Logger, shard string, p any) error {
	log.Error("store function panicked", "shard", shard, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return errors.New("store: the function panicked")
}
