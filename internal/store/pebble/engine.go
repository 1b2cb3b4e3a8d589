package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Options of an Engine. The zero value is fit for use.
type Options struct {
	Logger     *slog.Logger
	FS         vfs.FS // nil: the disk
	CacheBytes int64  // cache of blocks read; 0: 32 MiB. A quarter as much goes to rows that are read time and again
	MaxGroup   int    // transactions committed as one; 0: 64
	// MinFree is how many bytes the file system must have left for a write to be taken; below, Update answers
	// store.ErrFull and reads go on. 0: 64 MiB.
	MinFree uint64
	// Committed, if set, is told of each group made durable: how long it took since its functions began, and how many transactions it held. It must
	// not block.
	Committed func(took time.Duration, transactions int)
}

const (
	slowFunction = 50 * time.Millisecond
	memTable     = 16 << 20 // bytes a memory table grows to; a new one begins at 256 KiB
	memTables    = 4        // that may wait to be flushed before writes do
	// groupBytes ends a group early, so that one group stays far below what Pebble takes in one batch.
	groupBytes = store.MaxTxBytes
)

// Engine is a store.Store in one folder.
type Engine struct {
	db       *pebble.DB
	cache    *pebble.Cache
	dir      string
	fs       vfs.FS
	log      *slog.Logger
	maxGroup int
	running  running
	space    space
	count    atomic.Int64 // shards that exist
	cached   store.CacheCounters
	observe  func(time.Duration, int)
	overlays sync.Pool // of *overlay
	rows     *rows

	mu     sync.RWMutex // guards shards and each shard's refs
	shards map[string]*shard

	ids struct {
		sync.Mutex
		next, end uint64
	}

	ops      sync.WaitGroup // operations under way; Close waits for them
	life     sync.RWMutex   // guards closing against ops.Add
	closing  bool
	closed   chan struct{}
	failOnce sync.Once
	failed   chan struct{}         // closed when a write was lost by an I/O error
	failure  atomic.Pointer[error] // set before failed is closed
}

var _ store.Store = (*Engine)(nil)

// Open opens the store in dir, creating it if it is not there. Only one process can have it open.
func Open(dir string, o Options) (*Engine, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if o.MaxGroup <= 0 {
		o.MaxGroup = 64
	}
	if o.MinFree == 0 {
		o.MinFree = 64 << 20
	}
	e := &Engine{
		dir: dir, fs: o.FS, log: o.Logger, maxGroup: o.MaxGroup, space: space{fs: o.FS, dir: dir, min: o.MinFree},
		observe: o.Committed, shards: map[string]*shard{}, closed: make(chan struct{}), failed: make(chan struct{}),
		rows: newRows(int(o.CacheBytes / 4)),
	}
	// Pebble charges its memory tables to the cache. Without room for them, nothing would be left for blocks, and each point read would go to the file.
	e.cache = pebble.NewCache(o.CacheBytes + memTables*memTable)
	db, err := pebble.Open(dir, e.pebbleOptions())
	if err != nil {
		e.cache.Unref()
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	e.db = db
	e.space.first()
	if err := e.loadMeta(); err != nil {
		_ = db.Close()
		e.cache.Unref()
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return e, nil
}

// pebbleOptions keep an idle engine small (the whole process aims at 60 MiB): cache and memory tables grow as they are used.
func (e *Engine) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		Cache:                       e.cache,
		FS:                          e.fs,
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       10, // fewer, larger compactions of what was just written
		MaxOpenFiles:                256,
		Logger:                      pebbleLogger{e},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { e.log.Error("store background error", "error", err) },
			DataCorruption: func(i pebble.DataCorruptionInfo) {
				e.log.Error("store file is damaged", "path", i.Path, "details", i.Details)
			},
			DiskSlow: func(i pebble.DiskSlowInfo) {
				e.log.Warn("disk is slow", "path", i.Path, "duration", i.Duration)
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].IndexBlockSize = 256 << 10 // keeps indexes at one level: a point read loads a block less
	}
	return o
}

// loadMeta checks the format version, writing it into a new store, and reads where shard ids go on.
func (e *Engine) loadMeta() error {
	v, err := e.getUint(e.db, metaKey(metaFormat, ""))
	switch {
	case err != nil:
		return fmt.Errorf("read format version: %w", err)
	case v == 0:
		if err := e.db.Set(metaKey(metaFormat, ""), encodeUint(formatNow), pebble.Sync); err != nil {
			return fmt.Errorf("write format version: %w", err)
		}
	case v > formatNow:
		return fmt.Errorf("%w: its format is version %d, this program knows up to %d; use a newer program",
			store.ErrVersion, v, formatNow)
	}
	next, err := e.getUint(e.db, metaKey(metaAlloc, ""))
	if err != nil {
		return fmt.Errorf("read shard id allocator: %w", err)
	}
	e.ids.next = max(next, 1)
	e.ids.end = e.ids.next
	return e.walkNames(e.db, func(string, uint64) error {
		e.count.Add(1)
		return nil
	})
}

// getUint reads a number; an absent key is 0.
func (e *Engine) getUint(r pebble.Reader, key []byte) (uint64, error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	return decodeUint(v)
}

// newID returns a shard id that was never used.
func (e *Engine) newID() (uint64, error) {
	e.ids.Lock()
	defer e.ids.Unlock()
	if e.ids.next == e.ids.end {
		if err := e.db.Set(metaKey(metaAlloc, ""), encodeUint(e.ids.end+idBlock), pebble.Sync); err != nil {
			return 0, e.fail(fmt.Errorf("reserve shard ids: %w", err))
		}
		if err := e.err(); err != nil {
			return 0, err
		}
		e.ids.end += idBlock
	}
	id := e.ids.next
	e.ids.next++
	return id, nil
}

// begin registers an operation; the caller must call e.ops.Done if it returned nil.
func (e *Engine) begin(ctx context.Context, shard string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkShard(shard); err != nil {
		return err
	}
	return e.beginOp()
}

func (e *Engine) beginOp() error {
	e.life.RLock()
	defer e.life.RUnlock()
	if e.closing {
		return store.ErrClosed
	}
	e.ops.Add(1)
	return nil
}

// Close waits for operations under way and closes the files. Watchers are woken with store.ErrClosed.
func (e *Engine) Close() error {
	e.life.Lock()
	if e.closing {
		e.life.Unlock()
		return store.ErrClosed
	}
	e.closing = true
	close(e.closed)
	e.life.Unlock()
	e.ops.Wait()
	err := e.db.Close()
	e.cache.Unref()
	if err != nil && e.err() == nil {
		return fmt.Errorf("close store %s: %w", e.dir, err)
	}
	return nil
}

// Shards implements store.Store.
func (e *Engine) Shards(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := e.beginOp(); err != nil {
		return nil, err
	}
	defer e.ops.Done()
	r := store.Prefix(metaKey(metaName, prefix))
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: r.Start, UpperBound: r.End})
	if err != nil {
		return nil, fmt.Errorf("list shards: %w", err)
	}
	defer it.Close()
	var names []string
	from := metaKey(metaName, max(prefix, after))
	for ok := it.SeekGE(from); ok && (limit <= 0 || len(names) < limit); ok = it.Next() {
		name := string(it.Key()[len(metaKey(metaName, "")):])
		if (after != "" && name <= after) || !e.isDurable(name) {
			continue
		}
		names = append(names, name)
	}
	if err := it.Error(); err != nil {
		return nil, fmt.Errorf("list shards: %w", err)
	}
	return names, nil
}

// isDurable tells whether the shard's first transaction is; Pebble shows it before.
func (e *Engine) isDurable(name string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	sh := e.shards[name]
	return sh == nil || sh.durable.Load() > 0
}

// fail records that a write was lost; from then on writes answer err. It returns the error to answer.
func (e *Engine) fail(err error) error {
	if isNoSpace(err) {
		err = fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	e.failOnce.Do(func() {
		e.log.Error("store takes no more writes until restart", "error", err)
		e.failure.Store(&err)
		close(e.failed)
	})
	return e.err()
}

// err is what made the engine stop taking writes, or nil.
func (e *Engine) err() error {
	if p := e.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// pebbleLogger passes Pebble's messages on. Pebble expects Fatalf to end the process; this one ends writing instead,
// as reads can go on.
type pebbleLogger struct{ e *Engine }

func (l pebbleLogger) Infof(format string, args ...any) {
	if l.e.log.Enabled(context.Background(), slog.LevelDebug) {
		l.e.log.Debug("pebble", "message", fmt.Sprintf(format, args...))
	}
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.e.log.Error("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	_ = l.e.fail(fmt.Errorf(format, args...))
}
