package pebble_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pebbledb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

// gate is a file system whose syncs of write-ahead logs wait while it is shut, or fail.
type gate struct {
	vfs.FS
	mu      sync.Mutex
	shut    chan struct{} // nil: open
	waiting chan struct{} // gets one for each sync that waits
	fail    atomic.Pointer[error]
	free    atomic.Uint64 // what GetDiskUsage answers; 0: plenty
}

func newGate(below vfs.FS) *gate { return &gate{FS: below, waiting: make(chan struct{}, 100)} }

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut = nil
}

func (g *gate) sync() error {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		g.waiting <- struct{}{}
		<-shut
	}
	if err := g.fail.Load(); err != nil {
		return *err
	}
	return nil
}

func (g *gate) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, c)
	return g.wrap(name, f), err
}

func (g *gate) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(old, name, c)
	return g.wrap(name, f), err
}

func (g *gate) wrap(name string, f vfs.File) vfs.File {
	if f == nil || !strings.HasSuffix(name, ".log") {
		return f
	}
	return gateFile{f, g}
}

func (g *gate) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if n := g.free.Load(); n > 0 {
		return vfs.DiskUsage{AvailBytes: n}, nil
	}
	return vfs.DiskUsage{}, vfs.ErrUnsupported
}

type gateFile struct {
	vfs.File
	g *gate
}

func (f gateFile) Sync() error {
	if err := f.g.sync(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f gateFile) SyncData() error {
	if err := f.g.sync(); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f gateFile) SyncTo(n int64) (bool, error) {
	if err := f.g.sync(); err != nil {
		return false, err
	}
	return f.File.SyncTo(n)
}

func write(st store.Store, shard, key, value string) error {
	_, err := st.Update(context.Background(), shard, func(tx store.Tx) error { return tx.Put([]byte(key), []byte(value)) })
	return err
}

func read(st store.Store, shard, key string) (string, error) {
	var got string
	err := st.View(context.Background(), shard, func(s store.Snapshot) error {
		v, err := s.Get([]byte(key))
		got = string(v)
		return err
	})
	return got, err
}

// TestDurableReads: while a commit waits for the disk, whoever has seen it waits too, and a crash at that moment loses
// only what nobody was told.
func TestDurableReads(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	g := newGate(disk)
	e := open(t, "db", pebble.Options{FS: g})
	for _, shard := range []string{"s", "quiet"} {
		if err := write(e, shard, "k", "old"); err != nil {
			t.Fatal(err)
		}
	}
	g.close()
	var wg sync.WaitGroup
	told := make(chan string, 10)
	wg.Go(func() { _ = write(e, "s", "k", "new"); told <- "Update" })
	<-g.waiting
	wg.Go(func() {
		if got, err := read(e, "s", "k"); got != "new" || err != nil {
			t.Errorf("View: got %q, %v, want new", got, err)
		}
		told <- "View"
	})
	wg.Go(func() {
		_, err := e.Update(context.Background(), "s", func(tx store.Tx) error {
			v, err := tx.Get([]byte("k"))
			if string(v) == "new" {
				err = errors.New("conflict")
			}
			return err
		})
		if err == nil {
			t.Error("Update did not see the one before it")
		}
		told <- "Update that only read"
	})
	wg.Go(func() {
		if lsn, err := e.Watch(context.Background(), "s", 1); lsn != 2 || err != nil {
			t.Errorf("Watch: got %d, %v", lsn, err)
		}
		told <- "Watch"
	})
	if got, err := read(e, "quiet", "k"); got != "old" || err != nil {
		t.Errorf("another shard's View: got %q, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if err := e.View(ctx, "s", func(store.Snapshot) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("View that gives up: got %v", err)
	}
	select {
	case who := <-told:
		t.Errorf("%s returned before the disk had it", who)
	case <-time.After(20 * time.Millisecond):
	}
	crashed := disk.CrashClone(vfs.CrashCloneCfg{})
	g.open()
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	after := open(t, "db", pebble.Options{FS: crashed})
	defer after.Close()
	if got, err := read(after, "s", "k"); got != "old" || err != nil {
		t.Errorf("after the crash: got %q, %v, want old: the test did not catch the moment", got, err)
	}
}

// TestCrash: at any moment of a storm, what a View showed or an Update acknowledged survives the loss of all that was
// not synced.
func TestCrash(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	for round := range 10 {
		e := open(t, "db", pebble.Options{FS: disk})
		var seen, stop atomic.Uint64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for stop.Load() == 0 {
					lsn, err := e.Update(context.Background(), "s", func(tx store.Tx) error { return tx.Put([]byte("k"), nil) })
					if err != nil {
						t.Error(err)
						return
					}
					raise(&seen, uint64(lsn))
				}
			})
		}
		for range 2 {
			wg.Go(func() {
				for stop.Load() == 0 {
					var lsn store.LSN
					if err := e.View(context.Background(), "s", func(s store.Snapshot) error { lsn = s.LSN(); return nil }); err != nil {
						t.Error(err)
						return
					}
					raise(&seen, uint64(lsn))
				}
			})
		}
		time.Sleep(time.Duration(round+1) * time.Millisecond)
		known := seen.Load() // before the crash, so it must survive it
		crashed := disk.CrashClone(vfs.CrashCloneCfg{})
		stop.Store(1)
		wg.Wait()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		disk = crashed
		e = open(t, "db", pebble.Options{FS: disk})
		if err := e.View(t.Context(), "s", func(s store.Snapshot) error {
			if uint64(s.LSN()) < known {
				t.Errorf("round %d: LSN %d was seen, %d survived", round, known, s.LSN())
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func raise(a *atomic.Uint64, n uint64) {
	for old := a.Load(); old < n && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	g := newGate(vfs.NewMem())
	g.free.Store(1 << 30)
	e := open(t, "db", pebble.Options{FS: g})
	defer e.Close()
	if err := write(e, "s", "k", "v"); err != nil {
		t.Fatal(err)
	}
	g.free.Store(1 << 20)
	if err := until(e, store.ErrFull); !errors.Is(err, store.ErrFull) {
		t.Errorf("nearly full: got %v, want ErrFull", err)
	}
	if got, err := read(e, "s", "k"); got != "v" || err != nil {
		t.Errorf("View while nearly full: got %q, %v", got, err)
	}
	g.free.Store(1 << 30)
	if err := until(e, nil); err != nil {
		t.Errorf("room again: %v", err)
	}
}

// until writes the value that is there already until the engine, which looks at the room every 100 ms, answers want, for at most a minute.
func until(e *pebble.Engine, want error) error {
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = write(e, "s", "k", "v"); errors.Is(err, want) {
			break
		}
	}
	return err
}

// TestDiskError: a failing disk ends writing, not the process; what was durable can be read.
func TestDiskError(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"io": syscall.EIO, "full": syscall.ENOSPC} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := vfs.NewCrashableMem()
			g := newGate(disk)
			e := open(t, "db", pebble.Options{FS: g})
			for _, shard := range []string{"s", "quiet"} {
				if err := write(e, shard, "k", "v"); err != nil {
					t.Fatal(err)
				}
			}
			g.fail.Store(&cause)
			for i := range 3 {
				err := write(e, "s", "k", "lost")
				if err == nil || errors.Is(err, store.ErrFull) != (name == "full") {
					t.Errorf("write %d: got %v", i, err)
				}
			}
			if got, err := read(e, "s", "k"); err == nil && got != "v" {
				t.Errorf("View shows %q, which the disk never took", got)
			}
			if got, err := read(e, "quiet", "k"); got != "v" || err != nil {
				t.Errorf("View of another shard: got %q, %v", got, err)
			}
			crashed := disk.CrashClone(vfs.CrashCloneCfg{})
			_ = e.Close()
			after := open(t, "db", pebble.Options{FS: crashed})
			defer after.Close()
			if got, err := read(after, "s", "k"); got != "v" || err != nil {
				t.Errorf("after restart: got %q, %v", got, err)
			}
		})
	}
}

func TestNewerFormat(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	if err := open(t, "db", pebble.Options{FS: disk}).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebbledb.Open("db", &pebbledb.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte("\x00\x00\x00\x00\x00\x00\x00\x00F"), []byte{0, 0, 0, 0, 0, 0, 0, 9}, pebbledb.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := pebble.Open("db", pebble.Options{FS: disk})
	if !errors.Is(err, store.ErrVersion) || !strings.Contains(err.Error(), "version 9") || !strings.Contains(err.Error(), "up to 1") {
		t.Errorf("got %v, %v, want ErrVersion naming both", e, err)
	}
}

func TestSlowFunctionIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := open(t, "db", pebble.Options{FS: vfs.NewMem(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if _, err := e.Update(t.Context(), "s", func(store.Tx) error { time.Sleep(60 * time.Millisecond); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "slow store function") || !strings.Contains(log.String(), "TestSlowFunctionIsLogged") {
		t.Errorf("log: %s", log.String())
	}
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := open(t, dir, pebble.Options{})
	defer e.Close()
	if second, err := pebble.Open(dir, pebble.Options{}); err == nil {
		second.Close()
		t.Error("opened twice")
	}
}
