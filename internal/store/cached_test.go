package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

func openMem(t *testing.T) store.Store {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func set(t *testing.T, st store.Store, shard, key, value string) {
	t.Helper()
	if _, err := st.Update(t.Context(), shard, func(tx store.Tx) error { return tx.Put([]byte(key), []byte(value)) }); err != nil {
		t.Fatal(err)
	}
}

func TestCached(t *testing.T) {
	t.Parallel()
	st := openMem(t)
	loads := 0
	errMissing := errors.New("missing")
	c := store.NewCached(st, 2, func(s store.Snapshot, key string) (string, error) {
		loads++
		v, err := s.Get([]byte(key))
		if v == nil && err == nil {
			err = errMissing
		}
		return string(v), err
	})
	want := func(shard, key, value string, wantLoads int) {
		t.Helper()
		got, err := c.Get(t.Context(), shard, key)
		if got != value || (err != nil) != (value == "") || loads != wantLoads {
			t.Errorf("Get(%s, %s): got %q, %v after %d loads, want %q after %d", shard, key, got, err, loads, value, wantLoads)
		}
	}
	want("s", "a", "", 1)
	set(t, st, "s", "a", "1")
	want("s", "a", "1", 2)
	want("s", "a", "1", 2)
	set(t, st, "other", "a", "x")
	want("s", "a", "1", 2)
	want("other", "a", "x", 3)
	set(t, st, "s", "b", "2")
	want("s", "a", "1", 4) // the shard moved
	want("s", "b", "2", 5) // drops other/a, the least recently used of three
	want("s", "a", "1", 5)
	want("other", "a", "x", 6)
	want("s", "missing", "", 7)
	want("s", "missing", "", 8) // errors are not kept
}

// TestCached_NeverStale: whatever a writer has been told is committed, every later Get shows.
func TestCached_NeverStale(t *testing.T) {
	t.Parallel()
	st := openMem(t)
	c := store.NewCached(st, 10, func(s store.Snapshot, key string) (uint64, error) {
		v, err := s.Get([]byte(key))
		if v == nil || err != nil {
			return 0, err
		}
		return binary.BigEndian.Uint64(v), nil
	})
	var committed atomic.Uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := uint64(1); n <= 300; n++ {
			if _, err := st.Update(context.Background(), "s", func(tx store.Tx) error {
				return tx.Put([]byte("k"), binary.BigEndian.AppendUint64(nil, n))
			}); err != nil {
				t.Error(err)
			}
			committed.Store(n)
		}
	})
	for range 4 {
		wg.Go(func() {
			for committed.Load() < 300 {
				least := committed.Load()
				if got, err := c.Get(context.Background(), "s", "k"); err != nil || got < least {
					t.Error(fmt.Errorf("got %d, %w, want at least %d", got, err, least))
					return
				}
			}
		})
	}
	wg.Wait()
}
