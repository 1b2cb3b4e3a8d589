package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

var errWanted = errors.New("wanted")

func testLSN(t *testing.T, st store.Store) {
	for want := store.LSN(1); want <= 3; want++ {
		var inside store.LSN
		got := update(t, st, "s", func(tx store.Tx) error {
			inside = tx.LSN()
			return tx.Put([]byte("k"), nil)
		})
		if got != want || inside != want {
			t.Errorf("transaction %d: got LSN %d, inside %d", want, got, inside)
		}
	}
	if got := update(t, st, "s", func(store.Tx) error { return nil }); got != 3 {
		t.Errorf("empty transaction: got LSN %d, want 3", got)
	}
	if _, err := st.Update(bounded(t), "s", func(tx store.Tx) error { _ = tx.Put([]byte("k"), nil); return errWanted }); !errors.Is(err, errWanted) {
		t.Errorf("failed transaction: got %v", err)
	}
	wantLSN(t, st, "s", 3)
	if got := put(t, st, "s", "k", "v"); got != 4 {
		t.Errorf("after a failed one: got LSN %d, want 4", got)
	}
}

func testFailed(t *testing.T, st store.Store) {
	put(t, st, "s", "a", "1", "b", "2")
	lsn, err := st.Update(bounded(t), "s", func(tx store.Tx) error {
		if err := errors.Join(tx.Put([]byte("a"), []byte("x")), tx.Delete([]byte("b")), tx.Put([]byte("c"), []byte("x"))); err != nil {
			return err
		}
		return errWanted
	})
	if err != errWanted || lsn > 1 { //nolint:errorlint // the contract: returned as it is
		t.Errorf("got %d, %v, want the function's own error", lsn, err)
	}
	wantList(t, st, "s", store.Range{}, "a=1", "b=2")
}

// testFailedInGroup: of many at once, the failed ones leave nothing, the others everything, and LSNs have no gap.
func testFailedInGroup(t *testing.T, st store.Store) {
	const n = 200
	var wg sync.WaitGroup
	lsns := make([]store.LSN, n)
	for i := range n {
		wg.Go(func() {
			lsn, err := st.Update(context.Background(), "s", func(tx store.Tx) error {
				// Everybody writes the same key, so that undoing one must bring back another's.
				if err := errors.Join(tx.Put([]byte("last"), num(uint64(tx.LSN()))), tx.DeleteRange(key(i+n), key(i+n+1)), tx.Put(key(i), nil)); err != nil {
					return err
				}
				if i%3 == 0 {
					return errWanted
				}
				return nil
			})
			if (i%3 == 0) != errors.Is(err, errWanted) {
				t.Errorf("writer %d: %v", i, err)
			}
			lsns[i] = lsn
		})
	}
	wg.Wait()
	seen := map[store.LSN]bool{}
	for i, lsn := range lsns {
		if i%3 == 0 {
			continue
		}
		if lsn == 0 || seen[lsn] {
			t.Errorf("writer %d: LSN %d is zero or taken", i, lsn)
		}
		seen[lsn] = true
	}
	view(t, st, "s", func(s store.Snapshot) error {
		if int(s.LSN()) != len(seen) {
			t.Errorf("LSN: got %d, want %d", s.LSN(), len(seen))
		}
		if v, _ := s.Get([]byte("last")); binary.BigEndian.Uint64(v) != uint64(s.LSN()) {
			t.Errorf("last: got %v at LSN %d", v, s.LSN())
		}
		for i := range n {
			v, err := s.Get(key(i))
			if err != nil || (v != nil) != (i%3 != 0) {
				t.Errorf("key of writer %d: got %v, %v", i, v, err)
			}
		}
		return nil
	})
}

func testPanic(t *testing.T, st store.Store) {
	if _, err := st.Update(bounded(t), "s", func(tx store.Tx) error {
		_ = tx.Put([]byte("a"), nil)
		panic("wanted")
	}); err == nil {
		t.Error("Update whose function panics: got no error")
	}
	if err := st.View(bounded(t), "s", func(store.Snapshot) error { panic("wanted") }); err == nil {
		t.Error("View whose function panics: got no error")
	}
	put(t, st, "s", "b", "2")
	wantList(t, st, "s", store.Range{}, "b=2")
}

// testGoexit: a function that ends its goroutine, as FailNow of testing does, must not block the shard.
func testGoexit(t *testing.T, st store.Store) {
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, _ = st.Update(context.Background(), "s", func(tx store.Tx) error {
				_ = tx.Put([]byte("gone"), nil)
				if i%2 == 0 {
					runtime.Goexit()
				}
				return errWanted
			})
		})
	}
	wg.Wait()
	put(t, st, "s", "a", "1")
	wantList(t, st, "s", store.Range{}, "a=1")
}

func testNested(t *testing.T, st store.Store) {
	ctx := bounded(t)
	calls := map[string]func(shard string) error{
		"View": func(shard string) error { return st.View(ctx, shard, func(store.Snapshot) error { return nil }) },
		"Update": func(shard string) error {
			_, err := st.Update(ctx, shard, func(store.Tx) error { return nil })
			return err
		},
		"Watch": func(shard string) error { _, err := st.Watch(ctx, shard, 0); return err },
		"Drop":  func(shard string) error { return st.Drop(ctx, shard) },
	}
	put(t, st, "s", "a", "1")
	put(t, st, "other", "a", "1")
	for name, call := range calls {
		for _, shard := range []string{"s", "other"} {
			view(t, st, "s", func(store.Snapshot) error {
				wantErr(t, name+" in View", call(shard), store.ErrNested)
				return nil
			})
			update(t, st, "s", func(store.Tx) error {
				wantErr(t, name+" in Update", call(shard), store.ErrNested)
				return nil
			})
			_ = st.View(ctx, "s", func(store.Snapshot) error { panic("wanted") })
			if name == "View" {
				if err := call(shard); err != nil {
					t.Errorf("%s after a panic: %v", name, err)
				}
			}
		}
	}
}

func testCounter(t *testing.T, st store.Store) {
	const writers, each = 16, 50
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if _, err := st.Update(context.Background(), "s", increment); err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	view(t, st, "s", func(s store.Snapshot) error {
		if n, err := counter(s); n != writers*each || err != nil || s.LSN() != writers*each {
			t.Errorf("got %d, %v at LSN %d, want %d", n, err, s.LSN(), writers*each)
		}
		return nil
	})
}

func increment(tx store.Tx) error {
	n, err := counter(tx)
	if err != nil {
		return err
	}
	return tx.Put([]byte("n"), num(n+1))
}

func counter(s store.Snapshot) (uint64, error) {
	v, err := s.Get([]byte("n"))
	if v == nil || err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}

// testShardsApart: same keys in many shards written at once stay apart.
func testShardsApart(t *testing.T, st store.Store) {
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			shard := fmt.Sprintf("range/%d", i)
			for range 3 {
				if _, err := st.Update(context.Background(), shard, func(tx store.Tx) error {
					return errors.Join(increment(tx), tx.Put([]byte("id"), []byte(shard)))
				}); err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 100 {
		shard := fmt.Sprintf("range/%d", i)
		wantList(t, st, shard, store.Range{}, "id="+shard, "n="+string(num(3)))
	}
}

// testIsolation: readers see both halves of each transaction or none, from one state, whatever they read first.
func testIsolation(t *testing.T, st store.Store) {
	const writers, each = 2, 300
	var wg sync.WaitGroup
	var running atomic.Int32
	running.Store(writers)
	for range writers {
		wg.Go(func() {
			defer running.Add(-1)
			for range each {
				_, err := st.Update(context.Background(), "s", func(tx store.Tx) error {
					v := num(uint64(tx.LSN()))
					return errors.Join(tx.Put([]byte("a"), v), tx.Put([]byte("b"), v), tx.Put([]byte("m"), v))
				})
				if err != nil {
					t.Errorf("Update: %v", err)
					return
				}
			}
		})
	}
	var last store.LSN
	for i := 0; running.Load() > 0; i++ {
		view(t, st, "s", func(s store.Snapshot) error {
			a, err := s.Get([]byte("a"))
			if err != nil {
				return err
			}
			if i%2 == 0 {
				runtime.Gosched()
			}
			got := map[string]string{}
			if err := s.Scan(store.Range{}, func(k, v []byte) bool { got[string(k)] = string(v); return true }); err != nil {
				return err
			}
			b, err := s.Get([]byte("b"))
			if err != nil {
				return err
			}
			lsn := string(num(uint64(s.LSN())))
			if s.LSN() > 0 && (string(a) != lsn || string(b) != lsn || got["a"] != lsn || got["m"] != lsn) {
				t.Errorf("LSN %d: got a %v, b %v, scanned %v", s.LSN(), a, b, got)
			}
			if s.LSN() < last {
				t.Errorf("LSN went back from %d to %d", last, s.LSN())
			}
			last = s.LSN()
			return nil
		})
	}
	wg.Wait()
	wantLSN(t, st, "s", writers*each)
}

// testRetained: a Snapshot or Tx kept longer answers an error.
func testRetained(t *testing.T, st store.Store) {
	var tx store.Tx
	update(t, st, "s", func(x store.Tx) error { tx = x; return x.Put([]byte("a"), nil) })
	if tx.Put([]byte("b"), nil) == nil || tx.Delete([]byte("a")) == nil || tx.DeleteRange([]byte("a"), []byte("b")) == nil {
		t.Error("a Tx used after its function: got no error")
	}
	var s store.Snapshot
	view(t, st, "s", func(x store.Snapshot) error { s = x; return nil })
	for _, s := range []store.Snapshot{s, tx} {
		if _, err := s.Get([]byte("a")); err == nil {
			t.Error("Get after the function: got no error")
		}
		if err := s.Scan(store.Range{}, func(_, _ []byte) bool { return true }); err == nil {
			t.Error("Scan after the function: got no error")
		}
	}
	wantList(t, st, "s", store.Range{}, "a=")
}

// testRerun: functions may run again; one that starts over each time ends right, however often it ran.
func testRerun(t *testing.T, st store.Store) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				var before, after uint64
				_, err := st.Update(context.Background(), "s", func(tx store.Tx) error {
					var err error
					if before, err = counter(tx); err != nil {
						return err
					}
					after = before + 1
					return tx.Put([]byte("n"), num(after))
				})
				if err != nil || after != before+1 {
					t.Errorf("got %d after %d, %v", after, before, err)
				}
				var n, lsn uint64
				err = st.View(context.Background(), "s", func(s store.Snapshot) error {
					lsn = uint64(s.LSN())
					n, err = counter(s)
					return err
				})
				if err != nil || n != lsn || n < after {
					t.Errorf("View after %d: got %d at LSN %d, %v", after, n, lsn, err)
				}
			}
		})
	}
	wg.Wait()
}

func testCancelled(t *testing.T, st store.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ran := false
	_, err := st.Update(ctx, "s", func(store.Tx) error { ran = true; return nil })
	wantErr(t, "Update", err, context.Canceled)
	wantErr(t, "View", st.View(ctx, "s", func(store.Snapshot) error { ran = true; return nil }), context.Canceled)
	wantErr(t, "Drop", st.Drop(ctx, "s"), context.Canceled)
	if ran {
		t.Error("a function ran although its context was cancelled")
	}
}

// testCancelledInQueue: who gives up waiting has not run; who ran has its outcome.
func testCancelledInQueue(t *testing.T, st store.Store) {
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg, gaveUp sync.WaitGroup
	wg.Go(func() {
		_, err := st.Update(context.Background(), "s", func(tx store.Tx) error {
			close(inside)
			<-leave
			return increment(tx)
		})
		if err != nil {
			t.Errorf("first: %v", err)
		}
	})
	<-inside
	for range 10 {
		gaveUp.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			ran := false
			_, err := st.Update(ctx, "s", func(tx store.Tx) error { ran = true; return increment(tx) })
			if !errors.Is(err, context.DeadlineExceeded) || ran {
				t.Errorf("waiting: got %v, ran %v", err, ran)
			}
		})
		wg.Go(func() {
			if _, err := st.Update(context.Background(), "s", increment); err != nil {
				t.Errorf("patient: %v", err)
			}
		})
	}
	gaveUp.Wait() // while the first is still inside
	close(leave)
	wg.Wait()
	wantList(t, st, "s", store.Range{}, "n="+string(num(11)))

	// Many that give up at any moment: the counter is what the successful ones made it, at most more by none.
	var done sync.WaitGroup
	var mu sync.Mutex
	want := uint64(11)
	for i := range 100 {
		done.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%10)*50*time.Microsecond)
			defer cancel()
			if _, err := st.Update(ctx, "s", increment); err == nil {
				mu.Lock()
				want++
				mu.Unlock()
			} else if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Update: %v", err)
			}
		})
	}
	done.Wait()
	wantList(t, st, "s", store.Range{}, "n="+string(num(want)))
}
