package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

func testWatch(t *testing.T, st store.Store) {
	type result struct {
		lsn store.LSN
		err error
	}
	got := make(chan result, 1)
	watch := func(after store.LSN) {
		go func() {
			lsn, err := st.Watch(bounded(t), "s", after)
			got <- result{lsn, err}
		}()
	}
	watch(0)
	select {
	case r := <-got:
		t.Fatalf("Watch of an empty shard returned %v", r)
	case <-time.After(10 * time.Millisecond):
	}
	put(t, st, "s", "a", "1")
	if r := <-got; r.err != nil || r.lsn != 1 {
		t.Errorf("Watch(0): got %v, want 1", r)
	}
	put(t, st, "s", "a", "2")
	put(t, st, "s", "a", "3")
	watch(1)
	if r := <-got; r.err != nil || r.lsn != 3 {
		t.Errorf("Watch(1) after two more: got %v, want 3", r)
	}
	watch(3)
	update(t, st, "s", func(store.Tx) error { return nil })
	put(t, st, "other", "a", "1")
	select {
	case r := <-got:
		t.Errorf("Watch(3) returned %v though nothing was written", r)
	case <-time.After(10 * time.Millisecond):
	}
	put(t, st, "s", "a", "4")
	if r := <-got; r.err != nil || r.lsn != 4 {
		t.Errorf("Watch(3): got %v, want 4", r)
	}
}

// testWatchLog: consumers that scan a log behind each bell get every record once, in order.
func testWatchLog(t *testing.T, st store.Store) {
	const writers, each = 4, 40
	var wg sync.WaitGroup
	logKey := func(lsn store.LSN) []byte { return append([]byte("L|"), num(uint64(lsn))...) }
	for range 3 {
		wg.Go(func() {
			var seen store.LSN
			for seen < writers*each {
				lsn, err := st.Watch(bounded(t), "s", seen)
				if err != nil || lsn <= seen {
					t.Errorf("Watch(%d): got %d, %v", seen, lsn, err)
					return
				}
				var got []store.LSN
				err = st.View(bounded(t), "s", func(s store.Snapshot) error {
					got = got[:0]
					if s.LSN() < lsn {
						return fmt.Errorf("view at LSN %d after a bell for %d", s.LSN(), lsn)
					}
					return s.Scan(store.Range{Start: logKey(seen + 1), End: logKey(lsn + 1)}, func(k, _ []byte) bool {
						got = append(got, store.LSN(binary.BigEndian.Uint64(k[2:])))
						return true
					})
				})
				if err != nil {
					t.Error(err)
					return
				}
				for _, n := range got {
					if n != seen+1 {
						t.Errorf("record %d follows %d", n, seen)
						return
					}
					seen = n
				}
				if seen != lsn {
					t.Errorf("bell for %d, records up to %d", lsn, seen)
					return
				}
			}
		})
	}
	for range writers {
		wg.Go(func() {
			for range each {
				if _, err := st.Update(context.Background(), "s", func(tx store.Tx) error { return tx.Put(logKey(tx.LSN()), nil) }); err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func testWatchCancel(t *testing.T, st store.Store) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	_, err := st.Watch(ctx, "s", 0)
	wantErr(t, "Watch", err, context.DeadlineExceeded)
}

func testShards(t *testing.T, st store.Store) {
	for _, name := range []string{"vault/b", "vault/a", "sub/x", "vault/c", "vaults", "range/1"} {
		put(t, st, name, "k", "v")
	}
	_, _ = st.Update(bounded(t), "vault/never", func(store.Tx) error { return errWanted })
	update(t, st, "vault/empty", func(store.Tx) error { return nil })
	tests := []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"vault/", "", 10, []string{"vault/a", "vault/b", "vault/c"}},
		{"vault/", "", 2, []string{"vault/a", "vault/b"}},
		{"vault/", "vault/b", 10, []string{"vault/c"}},
		{"vault/", "vault/aa", 1, []string{"vault/b"}},
		{"vault/", "zzz", 10, nil},
		{"vault/", "a", 1, []string{"vault/a"}},
		{"", "", 0, []string{"range/1", "sub/x", "vault/a", "vault/b", "vault/c", "vaults"}},
		{"nothing", "", 10, nil},
	}
	for _, tt := range tests {
		got, err := st.Shards(bounded(t), tt.prefix, tt.after, tt.limit)
		if d := cmp.Diff(tt.want, got); err != nil || d != "" {
			t.Errorf("Shards(%q, %q, %d): %v (-want +got):\n%s", tt.prefix, tt.after, tt.limit, err, d)
		}
	}
}

func testDrop(t *testing.T, st store.Store) {
	put(t, st, "s", "a", "1", "b", "2")
	put(t, st, "s2", "a", "other")
	for range 2 { // dropping what is not there is no error
		if err := st.Drop(bounded(t), "s"); err != nil {
			t.Fatalf("Drop: %v", err)
		}
	}
	wantLSN(t, st, "s", 0)
	wantList(t, st, "s", store.Range{})
	wantList(t, st, "s2", store.Range{}, "a=other")
	if got, err := st.Shards(bounded(t), "", "", 0); err != nil || len(got) != 1 {
		t.Errorf("Shards after Drop: got %v, %v", got, err)
	}
	if lsn := put(t, st, "s", "c", "3"); lsn != 1 {
		t.Errorf("LSN after Drop: got %d, want 1", lsn)
	}
	wantList(t, st, "s", store.Range{}, "c=3")
}

// testDropAmidWriters: each transaction is wholly before a Drop or wholly after it.
func testDropAmidWriters(t *testing.T, st store.Store) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if _, err := st.Update(context.Background(), "s", func(tx store.Tx) error {
					n, err := counter(tx)
					if err != nil {
						return err
					}
					if store.LSN(n)+1 != tx.LSN() {
						return fmt.Errorf("counter %d in transaction %d", n, tx.LSN())
					}
					return increment(tx)
				}); err != nil {
					t.Errorf("Update: %v", err)
				}
				if err := st.View(context.Background(), "s", func(s store.Snapshot) error {
					n, err := counter(s)
					if err == nil && store.LSN(n) != s.LSN() {
						err = fmt.Errorf("counter %d at LSN %d", n, s.LSN())
					}
					return err
				}); err != nil {
					t.Errorf("View: %v", err)
				}
			}
		})
	}
	for range 20 {
		if err := st.Drop(bounded(t), "s"); err != nil {
			t.Errorf("Drop: %v", err)
		}
	}
	wg.Wait()
}

func testReopen(t *testing.T, open Opener) {
	dir := t.TempDir()
	st := open(t, dir)
	put(t, st, "s", "a", "1")
	put(t, st, "s", "b", "2")
	put(t, st, "gone", "a", "1")
	if err := st.Drop(bounded(t), "gone"); err != nil {
		t.Fatal(err)
	}
	closeStore(t, st)
	for i := range 3 {
		st = open(t, dir)
		wantLSN(t, st, "s", store.LSN(2+i))
		wantLSN(t, st, "gone", 0)
		wantList(t, st, "s", store.Range{End: []byte("c")}, "a=1", "b=2")
		put(t, st, "s", fmt.Sprint("c", i), "v")
		shard := fmt.Sprint("new", i) // ids go on where they were
		put(t, st, shard, "x", shard)
		for j := range i + 1 {
			wantList(t, st, fmt.Sprint("new", j), store.Range{}, fmt.Sprintf("x=new%d", j))
		}
		closeStore(t, st)
	}
}

func testClosed(t *testing.T, open Opener) {
	st := open(t, t.TempDir())
	put(t, st, "s", "a", "1")
	watched := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		_, err := st.Watch(bounded(t), "s", 1)
		watched <- err
	}()
	<-started
	time.Sleep(5 * time.Millisecond)
	closeStore(t, st)
	wantErr(t, "Watch across Close", <-watched, store.ErrClosed)
	ctx := bounded(t)
	wantErr(t, "View", st.View(ctx, "s", func(store.Snapshot) error { return nil }), store.ErrClosed)
	_, err := st.Update(ctx, "s", func(store.Tx) error { return nil })
	wantErr(t, "Update", err, store.ErrClosed)
	_, err = st.Shards(ctx, "", "", 1)
	wantErr(t, "Shards", err, store.ErrClosed)
	wantErr(t, "Drop", st.Drop(ctx, "s"), store.ErrClosed)
	if err := st.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}
