package store

import (
	"container/list"
	"context"
	"sync"
)

// Cached keeps what load made of shards' contents, for as long as the shard has not moved. A Get that begins after an
// Update returned never answers with what was there before it: each Get confirms the shard's LSN. The one exception is
// a shard dropped and written again under the same name, which names made of immutable ids rule out.
//
// load runs inside a View, so it is under the rules of fn there, may run more than once, and must copy what it keeps.
// An error is not kept. The values are shared by all callers, who must not change them.
type Cached[T any] struct {
	st   Store
	max  int
	load func(s Snapshot, key string) (T, error)
	did  *CacheCounters

	mu     sync.Mutex
	byKey  map[cacheKey]*list.Element // of *cacheEntry[T]
	recent *list.List                 // front: used last
}

type cacheKey struct{ shard, key string }

type cacheEntry[T any] struct {
	id    cacheKey
	lsn   LSN
	value T
}

// NewCached returns a Cached of at most limit values (at least 1) that drops the least recently used.
func NewCached[T any](st Store, limit int, load func(s Snapshot, key string) (T, error)) *Cached[T] {
	return &Cached[T]{st: st, max: max(limit, 1), load: load, did: countersOf(st), byKey: map[cacheKey]*list.Element{}, recent: list.New()}
}

// Get returns the value for key in the shard's present state.
func (c *Cached[T]) Get(ctx context.Context, shard, key string) (T, error) {
	id := cacheKey{shard, key}
	if lsn, ok := Peek(c.st, shard); ok && ctx.Err() == nil {
		if value, ok := c.lookup(id, lsn); ok {
			c.did.Hits.Add(1)
			return value, nil
		}
	}
	return c.view(ctx, id)
}

// view is Get by a View.
func (c *Cached[T]) view(ctx context.Context, id cacheKey) (T, error) {
	var value T
	var lsn LSN
	var loaded bool
	err := c.st.View(ctx, id.shard, func(s Snapshot) error {
		lsn, loaded = s.LSN(), false
		var ok bool
		if value, ok = c.lookup(id, lsn); ok {
			return nil
		}
		v, err := c.load(s, id.key)
		if err != nil {
			return err
		}
		value, loaded = v, true
		return nil
	})
	if err != nil {
		var zero T
		return zero, err
	}
	if loaded {
		c.did.Misses.Add(1)
		c.keep(id, lsn, value)
	} else {
		c.did.Hits.Add(1)
	}
	return value, nil
}

func (c *Cached[T]) lookup(id cacheKey, lsn LSN) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byKey[id]
	// LSN 0 is an absent shard, and a dropped one counts anew from there: nothing of it is worth keeping.
	if !ok || lsn == 0 || el.Value.(*cacheEntry[T]).lsn != lsn {
		var zero T
		return zero, false
	}
	c.recent.MoveToFront(el)
	return el.Value.(*cacheEntry[T]).value, true
}

// keep stores the value. One of an earlier state may replace a later one: lookup then finds the LSN wrong and loads.
func (c *Cached[T]) keep(id cacheKey, lsn LSN, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.byKey[id]; ok {
		*el.Value.(*cacheEntry[T]) = cacheEntry[T]{id: id, lsn: lsn, value: value}
		c.recent.MoveToFront(el)
		return
	}
	c.byKey[id] = c.recent.PushFront(&cacheEntry[T]{id: id, lsn: lsn, value: value})
	if c.recent.Len() > c.max {
		last := c.recent.Back()
		c.recent.Remove(last)
		delete(c.byKey, last.Value.(*cacheEntry[T]).id)
	}
}
