package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// batch is what a group wrote; nil stands for nothing.
type batch struct {
	*pebble.Batch
	next    *state
	created bool // the shard's first
}

// leader is one group on its way. It is run by the goroutine of the group's first caller.
type leader struct {
	e    *Engine
	sh   *shard
	g    *group
	own  *item // the first item, whose caller runs this
	now  *state
	head store.LSN // of the last function that wrote
	o    *overlay
	it   *item // whose function runs; nil when all have run
}

func (l *leader) run() {
	l.functions()
	b := l.apply()
	l.g.err = l.e.settle(l.sh, l.g, b)
	l.e.answer(l.sh, l.g, l.own)
	if l.o.reset() {
		l.e.overlays.Put(l.o)
	}
}

// functions runs the group's functions, taking more from the queue as they come. A function that ends its goroutine
// (runtime.Goexit, as testing's FailNow does) ends this one; the group then goes on in another.
func (l *leader) functions() {
	gid := getg()
	l.e.running.enter(gid)
	defer func() {
		l.e.running.exit(gid)
		if l.it == nil {
			return
		}
		l.o.rollback()
		l.it.lsn, l.it.err = l.head, errExit
		l.it = l.sh.more(l.g, l.e.maxGroup)
		// The leaving goroutine gives up its own share in the engine and the shard.
		l.e.ops.Add(1)
		l.e.hold(l.sh)
		go func() {
			defer l.e.ops.Done()
			defer l.e.release(l.sh)
			l.run()
		}()
	}()
	for l.it != nil {
		l.function()
		l.it = l.next()
	}
}

// yields is how often a leader lets others run before it closes its group.
const yields = 6

// next takes another item into the group. When none waits it yields some times before it gives up: those whose group just
// became durable are about to write again, and come along for free. (8 writers on one shard: half as much again.)
func (l *leader) next() *item {
	if l.o.bytes > groupBytes {
		return nil
	}
	it := l.sh.more(l.g, l.e.maxGroup)
	for i := 0; it == nil && i < yields && len(l.g.items) < l.e.maxGroup; i++ {
		runtime.Gosched()
		it = l.sh.more(l.g, l.e.maxGroup)
	}
	return it
}

// errExit is what a function that ended its goroutine gets.
var errExit = errors.New("store: the function ended its goroutine")

// function runs the present item's function over the overlay.
func (l *leader) function() {
	it := l.it
	t := &tx{base: snapshot{r: l.e.db, id: l.now.id, lsn: l.head + 1}, o: l.o, hot: l.sh.hot}
	l.o.mark()
	start := time.Now()
	err := safely(l.e.log, l.sh.name, func() error { return it.fn(t) })
	if d := time.Since(start); d > slowFunction {
		l.e.logSlow("update", l.sh.name, reflect.ValueOf(it.fn).Pointer(), d)
	}
	t.base.done = true
	if err == nil {
		err = t.err
	}
	switch {
	case err != nil:
		l.o.rollback()
		it.err = err
	case t.keys > 0:
		l.head++
		it.lsn = l.head
	default:
		it.lsn = l.head
	}
}

// apply hands what the functions wrote to Pebble, which shows it from then on, though it is not durable yet.
func (l *leader) apply() *batch {
	if l.head == l.now.lsn {
		return nil
	}
	if l.g.err = l.e.err(); l.g.err != nil {
		return nil
	}
	b, err := l.e.build(l.sh, l.now, l.head, l.o)
	if err == nil {
		l.sh.applying.Store(true)
		err = l.e.db.ApplyNoSyncWait(b.Batch, pebble.Sync)
		l.e.rows.applied(l.sh, b.next.id, l.o)
		l.sh.state.Store(b.next)
		l.sh.applying.Store(false)
	}
	if err == nil {
		err = l.e.err()
	}
	if err == nil {
		l.sh.hot.applied(l.o)
	} else {
		l.sh.hot.forget()
	}
	l.g.err = err
	return b
}

// build makes the batch that takes the shard from now to the LSN head.
func (e *Engine) build(sh *shard, now *state, head store.LSN, o *overlay) (*batch, error) {
	b := &batch{Batch: e.db.NewBatchWithSize(o.bytes + 64 + 32*o.live), next: &state{id: now.id, lsn: head}}
	if now.id == 0 {
		id, err := e.newID()
		if err != nil {
			return b, err
		}
		b.next.id, b.created = id, true
		if err := b.Set(metaKey(metaName, sh.name), encodeUint(id), nil); err != nil {
			return b, err
		}
	}
	id := b.next.id
	if now.id != 0 {
		for _, s := range o.spans {
			lo, hi := bounds(id, s.start, s.end)
			if err := b.DeleteRange(lo, hi, nil); err != nil {
				return b, err
			}
		}
	}
	for i := range o.entries {
		if !o.entries[i].live {
			continue
		}
		if err := putEntry(b.Batch, id, &o.entries[i]); err != nil {
			return b, err
		}
	}
	return b, b.Set(lsnKey(id), encodeUint(uint64(head)), nil)
}

// putEntry adds an entry to the batch, copying it just once.
func putEntry(b *pebble.Batch, id uint64, e *entry) error {
	var op *pebble.DeferredBatchOp
	if e.value == nil {
		op = b.DeleteDeferred(idLen + len(e.key))
	} else {
		op = b.SetDeferred(idLen+len(e.key), len(e.value))
		copy(op.Value, e.value)
	}
	binary.BigEndian.PutUint64(op.Key, id)
	copy(op.Key[idLen:], e.key)
	return op.Finish()
}

// settle waits until the group is durable, and rings the bell.
func (e *Engine) settle(sh *shard, g *group, b *batch) error {
	err := g.err
	if b != nil && err == nil {
		err = b.SyncWait()
	}
	if err == nil {
		err = e.err() // what these functions read may be lost
	}
	if err != nil {
		return e.fail(fmt.Errorf("store: commit: %w", err))
	}
	if b == nil {
		return nil
	}
	if b.created {
		e.count.Add(1)
	}
	sh.ring(func() { sh.durable.Store(uint64(b.next.lsn)) })
	if e.observe != nil {
		e.observe(time.Since(g.began), len(g.items))
	}
	return b.Close()
}

// drop removes the shard. No group of it is under way.
func (e *Engine) drop(sh *shard) error {
	now := sh.state.Load()
	if now.id == 0 {
		return nil
	}
	if sh.hot != nil {
		sh.hot.forget()
	}
	b := e.db.NewBatch()
	lo, hi := bounds(now.id, nil, nil)
	err := errors.Join(b.DeleteRange(lo, hi, nil), b.Delete(lsnKey(now.id), nil), b.Delete(metaKey(metaName, sh.name), nil))
	if err == nil {
		sh.applying.Store(true)
		err = e.db.Apply(b, pebble.Sync)
		if err == nil {
			err = e.err()
		}
	}
	if err != nil {
		return e.fail(fmt.Errorf("store: drop shard: %w", err))
	}
	e.count.Add(-1)
	sh.ring(func() {
		sh.state.Store(&state{})
		sh.durable.Store(0)
		sh.drops.Add(1)
		sh.applying.Store(false)
	})
	return b.Close()
}

// ring makes a change that waiters wait for, and wakes them.
func (sh *shard) ring(change func()) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	change()
	if sh.bell != nil {
		close(sh.bell)
		sh.bell = nil
	}
}

// await blocks until cond holds; cond is asked again after each ring. Closing stop ends it with store.ErrClosed.
func (e *Engine) await(ctx context.Context, sh *shard, stop <-chan struct{}, cond func() bool) error {
	for {
		sh.mu.Lock()
		if cond() {
			sh.mu.Unlock()
			return nil
		}
		if sh.bell == nil {
			sh.bell = make(chan struct{})
		}
		bell := sh.bell
		sh.mu.Unlock()
		select {
		case <-bell:
		case <-ctx.Done():
			return ctx.Err()
		case <-stop:
			return store.ErrClosed
		case <-e.failed:
			return e.err()
		}
	}
}
