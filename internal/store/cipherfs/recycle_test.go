package cipherfs_test

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	pebbledb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store/cipherfs"
)

// reuses counts logs that are written over older ones.
type reuses struct {
	vfs.FS
	n *atomic.Int64
}

func (r reuses) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	r.n.Add(1)
	return r.FS.ReuseForWrite(old, name, c)
}

func small(fs vfs.FS) *pebbledb.Options {
	return &pebbledb.Options{
		FS: fs, FormatMajorVersion: pebbledb.FormatTableFormatV6, Logger: quiet{},
		MemTableSize: 64 << 10, MemTableStopWritesThreshold: 4,
	}
}

// The power is cut at any moment while logs are recycled and tables flushed and compacted: what was acknowledged before is there.
func TestPowerCut_RecycledLogs(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	var recycled atomic.Int64
	ring := keys(t, 1)
	db, err := pebbledb.Open("store", small(reuses{cipherfs.New(disk, ring), &recycled}))
	if err != nil {
		t.Fatal(err)
	}
	var acked atomic.Uint64 // keys 1 to this are durable
	const cuts, batch = 12, 120
	more, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		value := make([]byte, 2000)
		i := uint64(0)
		for range more {
			for range batch {
				i++
				copy(value, binary.BigEndian.AppendUint64(nil, i))
				if err := db.Set(binary.BigEndian.AppendUint64(nil, i), value, pebbledb.Sync); err != nil {
					t.Error(err)
					return
				}
				acked.Store(i)
			}
		}
	}()
	for cut := range cuts {
		more <- struct{}{}
		rng := rand.New(rand.NewPCG(uint64(cut), 3))
		for upTo := uint64(cut*batch + rng.IntN(batch)); acked.Load() < upTo; {
			select {
			case <-done:
				t.Fatal("the writer gave up")
			default:
				runtime.Gosched()
			}
		}
		last := acked.Load()
		after := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: cut % 3 * 50, RNG: rng})
		checkKeys(t, cipherfs.New(after, ring), last)
		if t.Failed() {
			t.Fatalf("cut %d, %d%% of what was not synced survived", cut, cut%3*50)
		}
	}
	close(more)
	<-done
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if recycled.Load() < 3 {
		t.Errorf("%d logs were recycled in %d writes: the test proves little", recycled.Load(), acked.Load())
	}
}

func checkKeys(t *testing.T, fs vfs.FS, last uint64) {
	t.Helper()
	db, err := pebbledb.Open("store", small(fs))
	if err != nil {
		t.Errorf("open after the cut: %v", err)
		return
	}
	defer db.Close()
	for i := uint64(1); i <= last; i++ {
		v, closer, err := db.Get(binary.BigEndian.AppendUint64(nil, i))
		if err != nil {
			t.Errorf("key %d of %d: %v", i, last, err)
			return
		}
		if len(v) != 2000 || binary.BigEndian.Uint64(v) != i {
			t.Errorf("key %d has another value", i)
		}
		closer.Close()
	}
}
