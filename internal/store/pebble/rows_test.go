package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// TestRows has Views read two keys that each transaction writes alike, time and again, so that they are kept, while writers go on and now and then hide all
// keys by a range, or drop the shard. What a View reads must be one state, and none before the last one that was answered.
func TestRows(t *testing.T) {
	t.Parallel()
	e, err := Open("", Options{FS: vfs.NewMem(), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx := context.Background()
	const steps, shard = 1000, "range/1"
	var answered atomic.Uint64
	var kept atomic.Int64
	var writers, readers sync.WaitGroup
	ended := make(chan struct{})
	var turn sync.Mutex // numbers are answered in order
	for w := range 3 {
		writers.Go(func() {
			for step := range steps {
				turn.Lock()
				n := answered.Load() + 1
				value := binary.BigEndian.AppendUint64(nil, n)
				if w == 0 && step%400 == 399 {
					if err := e.Drop(ctx, shard); err != nil {
						t.Error(err)
					}
				}
				_, err := e.Update(ctx, shard, func(tx store.Tx) error {
					if w == 0 && step%50 == 49 {
						for i := range fewKeys + 1 {
							if err := tx.Put(fmt.Append(nil, "a", i), nil); err != nil {
								return err
							}
						}
						if err := tx.DeleteRange([]byte("a"), []byte("z")); err != nil {
							return err
						}
					}
					if err := tx.Put([]byte("a"), value); err != nil {
						return err
					}
					return tx.Put([]byte("b"), value)
				})
				if err != nil {
					t.Error(err)
				}
				answered.Store(n)
				for i := 0; (step%3 == 0 || step%50 == 49) && i < 50; i++ { // let some be read twice
					runtime.Gosched()
				}
				if sh, err := e.find(shard); sh != nil && err == nil {
					kept.Add(sh.kept.Load())
				}
				turn.Unlock()
			}
		})
	}
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				floor := answered.Load()
				var a, b uint64
				var lsn store.LSN
				if err := e.View(ctx, shard, func(sn store.Snapshot) error {
					lsn = sn.LSN()
					for key, at := range map[string]*uint64{"a": &a, "b": &b} {
						v, err := sn.Get([]byte(key))
						if err != nil {
							return err
						}
						*at = 0
						if v != nil {
							*at = binary.BigEndian.Uint64(v)
						}
					}
					return nil
				}); err != nil {
					t.Error(err)
					return
				}
				if a != b || lsn > 0 && a < floor {
					t.Errorf("a is %d, b is %d, at LSN %d; at least %d", a, b, lsn, floor)
					return
				}
			}
		})
	}
	writers.Wait()
	close(ended)
	readers.Wait()
	if kept.Load() == 0 {
		t.Error("no row ever was kept")
	}
}

// TestRows_Bounded: rows take no more room than they are given, and those that are read stay.
func TestRows_Bounded(t *testing.T) {
	t.Parallel()
	r := newRows(1 << 20)
	sh := &shard{}
	st := &state{id: 1, lsn: 1}
	sh.state.Store(st)
	often := []byte("often")
	r.keep(sh, st, often, make([]byte, 100))
	for i := range 20_000 {
		if _, found, _ := r.get(sh, often); !found {
			t.Fatalf("the row that is read all the time is gone after %d others", i)
		}
		r.keep(sh, st, fmt.Append(nil, "k", i), make([]byte, 1000))
	}
	sum, n := 0, 0
	for i := range r.stripes {
		s := &r.stripes[i]
		if s.bytes > r.most || len(s.ring) != len(s.byKey) {
			t.Errorf("stripe %d: %d bytes of %d, %d in the ring, %d rows", i, s.bytes, r.most, len(s.ring), len(s.byKey))
		}
		sum, n = sum+s.bytes, n+len(s.ring)
	}
	if sum < 1<<19 || int64(n) != sh.kept.Load() {
		t.Errorf("%d bytes are kept of 1 MiB, in %d rows, %d counted", sum, n, sh.kept.Load())
	}
	r.keep(sh, &state{id: 1, lsn: 2}, []byte("late"), nil)
	if _, found, _ := r.get(sh, []byte("late")); found {
		t.Error("what was read of a state that is gone was kept")
	}
}
