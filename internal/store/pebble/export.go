package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// walkNames calls fn for each shard that r shows, in order of names.
func (e *Engine) walkNames(r pebble.Reader, fn func(name string, id uint64) error) error {
	b := store.Prefix(metaKey(metaName, ""))
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: b.Start, UpperBound: b.End})
	if err != nil {
		return fmt.Errorf("list shards: %w", err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var id uint64
		if id, err = decodeUint(it.Value()); err == nil {
			err = fn(string(it.Key()[len(b.Start):]), id)
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}

// Export walks one state of the whole store, in which every shard is as it was at the same moment, while writes go on. What it gives out is durable.
func (e *Engine) Export(ctx context.Context, to store.Content) error {
	if err := e.beginOp(); err != nil {
		return err
	}
	defer e.ops.Done()
	snap := e.db.NewSnapshot()
	defer snap.Close()
	return e.walkNames(snap, func(name string, id uint64) error {
		lsn, err := e.getUint(snap, lsnKey(id))
		if err != nil {
			return fmt.Errorf("shard %s: %w", name, err)
		}
		if err := e.awaitDurable(ctx, name, lsn); err != nil {
			return fmt.Errorf("shard %s: %w", name, err)
		}
		if err := to.Shard(name, store.LSN(lsn)); err != nil {
			return err
		}
		return exportShard(ctx, snap, id, to)
	})
}

// awaitDurable waits until what a snapshot shows of a shard cannot be lost any more.
func (e *Engine) awaitDurable(ctx context.Context, name string, lsn uint64) error {
	e.mu.RLock()
	sh := e.shards[name]
	e.mu.RUnlock()
	if sh == nil {
		return nil // found on disk, and not written since
	}
	drops := sh.drops.Load()
	return e.await(ctx, sh, e.closed, func() bool { return sh.durable.Load() >= lsn || sh.drops.Load() != drops || sh.state.Load().id == 0 })
}

func exportShard(ctx context.Context, snap *pebble.Snapshot, id uint64, to store.Content) error {
	lo, hi := bounds(id, nil, nil)
	it, err := snap.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return err
	}
	n := 0
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		if n++; n%256 == 0 {
			err = ctx.Err()
		}
		if err == nil {
			err = to.Record(it.Key()[idLen:], it.Value())
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}

// Check reads the engine's own structures: that files fit each other, that each shard has an LSN and an id of its own, and that no record lies
// outside of a shard.
func (e *Engine) Check(ctx context.Context) error {
	if err := e.beginOp(); err != nil {
		return err
	}
	defer e.ops.Done()
	if err := e.db.CheckLevels(nil); err != nil {
		return fmt.Errorf("files of the store: %w", err)
	}
	snap := e.db.NewSnapshot()
	defer snap.Close()
	next, err := e.getUint(snap, metaKey(metaAlloc, ""))
	if err != nil {
		return err
	}
	names := map[uint64]string{}
	var found []error
	err = e.walkNames(snap, func(name string, id uint64) error {
		if other := names[id]; other != "" {
			found = append(found, fmt.Errorf("shards %s and %s have the same id %d", name, other, id))
		}
		names[id] = name
		lsn, err := e.getUint(snap, lsnKey(id))
		if err != nil || lsn == 0 || id >= next {
			found = append(found, fmt.Errorf("shard %s: id %d of %d, LSN %d, %w", name, id, next, lsn, err))
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	it, err := snap.NewIter(&pebble.IterOptions{LowerBound: appendKey(nil, 1, nil)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; {
		id := binary.BigEndian.Uint64(it.Key())
		if names[id] == "" {
			found = append(found, fmt.Errorf("records of a shard with id %d, which no name has", id))
		}
		ok = it.SeekGE(appendKey(nil, id+1, nil))
	}
	return errors.Join(append(found, it.Error(), it.Close())...)
}

// Checkpoint writes a copy of the store's files as they are at this moment into dir, which must not exist. Where it can it links them, so that it takes
// hardly any room at first. The copy is opened like any store.
func (e *Engine) Checkpoint(dir string) error {
	if err := e.beginOp(); err != nil {
		return err
	}
	defer e.ops.Done()
	if err := e.err(); err != nil {
		return err
	}
	if err := e.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("checkpoint of the store: %w", err)
	}
	return nil
}

// Room is nil while writes are taken, or says why they are not: an error wrapping store.ErrFull, or the one that ended writing.
func (e *Engine) Room() error {
	if err := e.err(); err != nil {
		return err
	}
	return e.space.check()
}

// Failed is what ended writing until the store is opened again, or nil.
func (e *Engine) Failed() error { return e.err() }

// CacheCounters implements what package store's caches look for.
func (e *Engine) CacheCounters() *store.CacheCounters { return &e.cached }

// Stats are figures of a running engine. Taking them costs microseconds.
type Stats struct {
	Shards                 int64
	Bytes                  uint64 // of files
	FreeBytes              uint64 // of the file system
	WALBytes               uint64
	CompactionDebt         uint64
	BlockHits, BlockMisses int64
	CacheHits, CacheMisses uint64
	// Memory: blocks of files, tables of what was written lately, those that wait to be written out or used again among them; and how many files hold data.
	CacheBytes, MemTableBytes uint64
	Files                     int64
}

// Stats returns the present figures; the zero value once the engine is closed.
func (e *Engine) Stats() Stats {
	if e.beginOp() != nil {
		return Stats{}
	}
	defer e.ops.Done()
	_ = e.space.check() // looks anew if the last look is old
	m := e.db.Metrics()
	return Stats{
		Shards: e.count.Load(), Bytes: m.DiskSpaceUsage(), FreeBytes: e.space.free.Load(), WALBytes: m.WAL.PhysicalSize,
		CompactionDebt: m.Compact.EstimatedDebt, BlockHits: m.BlockCache.Hits, BlockMisses: m.BlockCache.Misses,
		CacheHits: e.cached.Hits.Load(), CacheMisses: e.cached.Misses.Load(),
		CacheBytes: uint64(max(m.BlockCache.Size, 0)), MemTableBytes: m.MemTable.Size + m.MemTable.ZombieSize, Files: m.Total().TablesCount,
	}
}
