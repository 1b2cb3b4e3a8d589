package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// testGetMany: many look-ups at once answer what as many Gets do, of what is stored and of what a transaction has written.
func testGetMany(t *testing.T, st store.Store) {
	r := rand.New(rand.NewPCG(1, 2))
	check := func(what string, s store.Snapshot, keys [][]byte) {
		t.Helper()
		next := 0
		err := s.GetMany(keys, func(i int, value []byte) bool {
			want, err := s.Get(keys[i])
			if i != next || err != nil || !bytes.Equal(value, want) || (value == nil) != (want == nil) {
				t.Errorf("%s, key %q: place %d, value %q; want place %d, value %q, %v", what, keys[i], i, value, next, want, err)
			}
			next++
			return true
		})
		if err != nil || next != len(keys) {
			t.Errorf("%s: %d of %d keys, %v", what, next, len(keys), err)
		}
	}
	some := func(n, of int) (keys [][]byte) {
		for range n {
			keys = append(keys, key(r.IntN(of)))
		}
		slices.SortFunc(keys, bytes.Compare)
		return append(keys, bytes.Repeat([]byte{0xff}, store.MaxKey+1))
	}
	view(t, st, "s", func(s store.Snapshot) error {
		check("absent shard", s, some(3, 10))
		return nil
	})
	const n = 2000
	for from := 0; from < n; from += 500 {
		update(t, st, "s", func(tx store.Tx) error {
			for i := from; i < from+500; i++ {
				if i%7 == 3 {
					continue
				}
				value := fmt.Appendf(nil, "value %d", i)
				if i%11 == 0 {
					value = nil
				}
				if err := tx.Put(key(i), value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	view(t, st, "s", func(s store.Snapshot) error {
		var all [][]byte
		for i := range n {
			all = append(all, key(i))
		}
		check("all", s, all)
		check("one", s, all[5:6])
		check("none", s, nil)
		for range 50 {
			check("some", s, some(1+r.IntN(60), n+20))
		}
		seen := 0
		if err := s.GetMany(all, func(int, []byte) bool { seen++; return seen < 3 }); err != nil || seen != 3 {
			t.Errorf("stopped: %d keys, %v", seen, err)
		}
		if err := s.GetMany([][]byte{key(2), key(1)}, func(int, []byte) bool { return true }); !errors.Is(err, store.ErrUnsorted) {
			t.Errorf("keys out of order: %v", err)
		}
		return nil
	})
	if _, err := st.Update(bounded(t), "s", func(tx store.Tx) error {
		for i := 0; i < n; i += 3 {
			if err := errors.Join(tx.Delete(key(i)), tx.Put(key(i+1), []byte("new"))); err != nil {
				return err
			}
		}
		check("own writes", tx, some(100, n+20))
		return errWanted
	}); !errors.Is(err, errWanted) {
		t.Error(err)
	}
}
