package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

func testEmpty(t *testing.T, st store.Store) {
	view(t, st, "none", func(s store.Snapshot) error {
		v, err := s.Get([]byte("k"))
		if v != nil || err != nil || s.LSN() != 0 {
			t.Errorf("Get of an absent shard: got %q, %v at LSN %d, want nil, nil, 0", v, err, s.LSN())
		}
		return err
	})
	wantList(t, st, "none", store.Range{})
}

func testPutGetDelete(t *testing.T, st store.Store) {
	update(t, st, "s", func(tx store.Tx) error {
		if err := errors.Join(tx.Put([]byte("a"), []byte("1")), tx.Put([]byte("b"), nil), tx.Put([]byte("c"), []byte("3"))); err != nil {
			return err
		}
		if v, err := tx.Get([]byte("a")); string(v) != "1" || err != nil {
			t.Errorf("own write: got %q, %v", v, err)
		}
		if err := tx.Delete([]byte("c")); err != nil {
			return err
		}
		if v, err := tx.Get([]byte("c")); v != nil || err != nil {
			t.Errorf("own deletion: got %q, %v", v, err)
		}
		return nil
	})
	view(t, st, "s", func(s store.Snapshot) error {
		if v, err := s.Get([]byte("b")); v == nil || len(v) != 0 || err != nil {
			t.Errorf("empty value: got %v, %v, want a non-nil empty slice", v, err)
		}
		v, err := s.Get(make([]byte, store.MaxKey+1))
		if v != nil || err != nil {
			t.Errorf("Get of a key too long to exist: got %q, %v, want nil, nil", v, err)
		}
		return nil
	})
	put(t, st, "s", "a", "2")
	wantList(t, st, "s", store.Range{}, "a=2", "b=")
	update(t, st, "s", func(tx store.Tx) error { return errors.Join(tx.Delete([]byte("a")), tx.Delete([]byte("absent"))) })
	wantList(t, st, "s", store.Range{}, "b=")
}

func testOrder(t *testing.T, st store.Store) {
	keys := []string{"", "\x00", "\x00\x00", "\x00\xff", "\x01", "A", "a", "a\x00", "aa", "\x7f", "\x80", "\xff", "\xff\x00", "\xff\xff"}
	for i := len(keys) - 1; i >= 0; i-- {
		put(t, st, "s", keys[i], "v")
	}
	var want []string
	for _, k := range keys {
		want = append(want, k+"=v")
	}
	wantList(t, st, "s", store.Range{}, want...)
	slices.Reverse(want)
	wantList(t, st, "s", store.Range{Reverse: true}, want...)
	wantList(t, st, "s", store.Prefix([]byte("\xff")), "\xff=v", "\xff\x00=v", "\xff\xff=v")
}

func testRanges(t *testing.T, st store.Store) {
	put(t, st, "s", "a", "1", "b", "2", "c", "3", "d", "4")
	put(t, st, "r", "z", "9")
	b, d := []byte("b"), []byte("d")
	wantList(t, st, "s", store.Range{Start: b, End: d}, "b=2", "c=3")
	wantList(t, st, "s", store.Range{Start: b, End: d, Reverse: true}, "c=3", "b=2")
	wantList(t, st, "s", store.Range{Start: b}, "b=2", "c=3", "d=4")
	wantList(t, st, "s", store.Range{End: b}, "a=1")
	wantList(t, st, "s", store.Range{End: []byte{}})
	wantList(t, st, "s", store.Range{Start: d, End: b})
	wantList(t, st, "s", store.Range{Start: b, End: b})
	view(t, st, "s", func(s store.Snapshot) error {
		var got []string
		err := s.Scan(store.Range{Reverse: true}, func(k, _ []byte) bool {
			got = append(got, string(k))
			return len(got) < 2
		})
		if diff := cmp.Diff([]string{"d", "c"}, got); diff != "" {
			t.Errorf("stopped scan (-want +got):\n%s", diff)
		}
		return err
	})
}

func testScan10k(t *testing.T, st store.Store) {
	const n = 10_000
	update(t, st, "s", func(tx store.Tx) error {
		for i := range n {
			if err := tx.Put(key(i), num(uint64(i))); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, st, "s", func(s store.Snapshot) error {
		for _, reverse := range []bool{false, true} {
			var keys, values [][]byte // kept until fn returns, as the contract allows
			err := s.Scan(store.Range{Reverse: reverse}, func(k, v []byte) bool {
				keys, values = append(keys, k), append(values, v)
				return true
			})
			if err != nil || len(keys) != n {
				t.Fatalf("scan: got %d keys, %v, want %d", len(keys), err, n)
			}
			for i := range keys {
				want := i
				if reverse {
					want = n - 1 - i
				}
				if !bytes.Equal(keys[i], key(want)) || !bytes.Equal(values[i], num(uint64(want))) {
					t.Fatalf("at %d, reverse %v: got %q", i, reverse, keys[i])
				}
			}
		}
		return nil
	})
}

func testScanWhileWriting(t *testing.T, st store.Store) {
	put(t, st, "s", "a", "1", "c", "3", "e", "5")
	update(t, st, "s", func(tx store.Tx) error {
		if err := tx.Put([]byte("b"), []byte("2")); err != nil {
			return err
		}
		return tx.Scan(store.Range{}, func(k, _ []byte) bool {
			return tx.Delete(k) == nil && tx.Put([]byte(string(k)+"+"), []byte("x")) == nil
		})
	})
	wantList(t, st, "s", store.Range{}, "a+=x", "b+=x", "c+=x", "e+=x")
}

func testDeleteRange(t *testing.T, st store.Store) {
	for _, n := range []int{10, 1000} { // few and many may go different ways
		shard := fmt.Sprint("s", n)
		update(t, st, shard, func(tx store.Tx) error {
			for i := range n {
				if err := tx.Put(key(i), []byte("v")); err != nil {
					return err
				}
			}
			return nil
		})
		update(t, st, shard, func(tx store.Tx) error {
			if err := tx.DeleteRange(key(1), key(n-1)); err != nil {
				return err
			}
			if err := tx.Put(key(5), []byte("again")); err != nil {
				return err
			}
			if v, err := tx.Get(key(4)); v != nil || err != nil {
				t.Errorf("n %d: own range deletion: got %q, %v", n, v, err)
			}
			got, err := list(tx, store.Range{Reverse: true})
			want := []string{string(key(n-1)) + "=v", string(key(5)) + "=again", string(key(0)) + "=v"}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("n %d: own scan (-want +got):\n%s", n, d)
			}
			return err
		})
		wantList(t, st, shard, store.Range{}, string(key(0))+"=v", string(key(5))+"=again", string(key(n-1))+"=v")
		if _, err := st.Update(bounded(t), shard, func(tx store.Tx) error { return tx.DeleteRange(key(0), nil) }); err == nil {
			t.Error("DeleteRange without an end: got no error")
		}
		update(t, st, shard, func(tx store.Tx) error { return tx.DeleteRange(key(9), key(0)) })
		wantList(t, st, shard, store.Range{End: key(1)}, string(key(0))+"=v")
	}
}

// testModel runs random transactions, some failing, against a plain map, comparing inside and after each.
func testModel(t *testing.T, st store.Store) {
	rng := rand.New(rand.NewPCG(1, 2))
	model := map[string]string{}
	k := func() []byte { return []byte(fmt.Sprintf("%03d", rng.IntN(300))) }
	for step := range 200 {
		mine := map[string]string{}
		for a, b := range model {
			mine[a] = b
		}
		fail := rng.IntN(4) == 0
		_, err := st.Update(bounded(t), "s", func(tx store.Tx) error {
			for op := range rng.IntN(20) {
				if err := modelOp(rng, tx, mine, k, fmt.Sprint(step, ".", op)); err != nil {
					return err
				}
			}
			compareModel(t, tx, mine, k(), k(), rng.IntN(2) == 0)
			if fail {
				return errModel
			}
			return nil
		})
		if fail != errors.Is(err, errModel) {
			t.Fatalf("step %d: %v", step, err)
		}
		if !fail {
			model = mine
		}
		view(t, st, "s", func(s store.Snapshot) error {
			compareModel(t, s, model, nil, nil, false)
			return nil
		})
	}
}

var errModel = errors.New("failed on purpose")

func modelOp(rng *rand.Rand, tx store.Tx, m map[string]string, k func() []byte, v string) error {
	switch a := k(); rng.IntN(8) {
	case 0:
		b := k()
		for key := range m {
			if key >= string(a) && key < string(b) {
				delete(m, key)
			}
		}
		return tx.DeleteRange(a, b)
	case 1, 2:
		delete(m, string(a))
		return tx.Delete(a)
	default:
		m[string(a)] = v
		return tx.Put(a, []byte(v))
	}
}

func compareModel(t *testing.T, s store.Snapshot, m map[string]string, start, end []byte, reverse bool) {
	t.Helper()
	var want []string
	for k, v := range m {
		if k >= string(start) && (end == nil || k < string(end)) {
			want = append(want, k+"="+v)
		}
	}
	slices.Sort(want)
	if reverse {
		slices.Reverse(want)
	}
	got, err := list(s, store.Range{Start: start, End: end, Reverse: reverse})
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Fatalf("range %q..%q reverse %v: %v (-want +got):\n%s", start, end, reverse, err, d)
	}
}

// testOwnCopies: the caller may use its buffers again at once.
func testOwnCopies(t *testing.T, st store.Store) {
	update(t, st, "s", func(tx store.Tx) error {
		k, v := []byte("a"), []byte("1")
		for i := range 3 {
			k[0], v[0] = byte('a'+i), byte('1'+i)
			if err := tx.Put(k, v); err != nil {
				return err
			}
		}
		return nil
	})
	wantList(t, st, "s", store.Range{}, "a=1", "b=2", "c=3")
}

func testLimitsOK(t *testing.T, st store.Store) {
	big := bytes.Repeat([]byte("k"), store.MaxKey)
	update(t, st, strings.Repeat("n", store.MaxShard), func(tx store.Tx) error { return tx.Put(big, make([]byte, store.MaxValue)) })
	view(t, st, strings.Repeat("n", store.MaxShard), func(s store.Snapshot) error {
		v, err := s.Get(big)
		if len(v) != store.MaxValue {
			t.Errorf("largest value: got %d bytes", len(v))
		}
		return err
	})
	update(t, st, "bytes", func(tx store.Tx) error {
		for i := range 3 {
			if err := tx.Put(key(i), make([]byte, store.MaxValue)); err != nil {
				return err
			}
		}
		return tx.Put(key(3), make([]byte, store.MaxTxBytes-3*store.MaxValue-4*len(key(0))))
	})
	update(t, st, "keys", func(tx store.Tx) error {
		for i := range store.MaxTxKeys {
			if err := tx.Put(key(i), nil); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, st, "keys", func(s store.Snapshot) error {
		n := 0
		err := s.Scan(store.Range{}, func(_, _ []byte) bool { n++; return true })
		if n != store.MaxTxKeys {
			t.Errorf("got %d keys, want %d", n, store.MaxTxKeys)
		}
		return err
	})
}

func testLimits(t *testing.T, st store.Store) {
	tests := map[string]func(tx store.Tx) error{
		"long key":          func(tx store.Tx) error { return tx.Put(make([]byte, store.MaxKey+1), nil) },
		"long deleted key":  func(tx store.Tx) error { return tx.Delete(make([]byte, store.MaxKey+1)) },
		"long range start":  func(tx store.Tx) error { return tx.DeleteRange(make([]byte, store.MaxKey+1), []byte("z")) },
		"long range end":    func(tx store.Tx) error { return tx.DeleteRange(nil, make([]byte, store.MaxKey+1)) },
		"long value":        func(tx store.Tx) error { return tx.Put([]byte("k"), make([]byte, store.MaxValue+1)) },
		"transaction bytes": func(tx store.Tx) error { return fill(tx, 5, make([]byte, store.MaxValue)) },
		"transaction keys":  func(tx store.Tx) error { return fill(tx, store.MaxTxKeys+1, nil) },
	}
	for name, fn := range tests {
		_, err := st.Update(bounded(t), "s", fn)
		wantErr(t, name, err, store.ErrLimit)
	}
	wantLSN(t, st, "s", 0)
	for _, shard := range []string{"", strings.Repeat("n", store.MaxShard+1)} {
		ctx := bounded(t)
		_, err := st.Update(ctx, shard, func(store.Tx) error { return nil })
		wantErr(t, "Update of a bad shard name", err, store.ErrLimit)
		wantErr(t, "View of a bad shard name", st.View(ctx, shard, func(store.Snapshot) error { return nil }), store.ErrLimit)
		_, err = st.Watch(ctx, shard, 0)
		wantErr(t, "Watch of a bad shard name", err, store.ErrLimit)
		wantErr(t, "Drop of a bad shard name", st.Drop(ctx, shard), store.ErrLimit)
	}
}

func fill(tx store.Tx, n int, v []byte) error {
	for i := range n {
		if err := tx.Put(key(i), v); err != nil {
			return err
		}
	}
	return nil
}

// testLimitIgnored: a function that overlooks a refused write must not commit the rest.
func testLimitIgnored(t *testing.T, st store.Store) {
	_, err := st.Update(context.Background(), "s", func(tx store.Tx) error {
		_ = tx.Put([]byte("a"), nil)
		_ = tx.Put(make([]byte, store.MaxKey+1), nil)
		return nil
	})
	wantErr(t, "ignored refusal", err, store.ErrLimit)
	wantList(t, st, "s", store.Range{})
}
