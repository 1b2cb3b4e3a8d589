package pebble

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// TestHot lets functions read the same few keys over and over, between writes of all kinds, some of which fail, and drops of the shard: what they
// read must be what the model says, and the keys must have become hot.
func TestHot(t *testing.T) {
	t.Parallel()
	e, err := Open("", Options{FS: vfs.NewMem(), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const shard, keys = "range/1", 8
	ctx, rng := context.Background(), rand.New(rand.NewPCG(5, 6))
	model := map[string]string{}
	name := func() string { return fmt.Sprint("k", rng.IntN(keys)) }
	undone, hits := errors.New("undone"), 0
	for step := range 4000 {
		if step%500 == 499 {
			if err := e.Drop(ctx, shard); err != nil {
				t.Fatal(err)
			}
			clear(model)
		}
		next := map[string]string{}
		for k, v := range model {
			next[k] = v
		}
		fail := rng.IntN(4) == 0
		_, err := e.Update(ctx, shard, func(tx store.Tx) error {
			hits += len(e.shards[shard].hot.values)
			for range rng.IntN(6) {
				k := name()
				switch rng.IntN(8) {
				case 0:
					next[k] = fmt.Sprintf("%0*d", 1+rng.IntN(2*hotValue), step)
					if err := tx.Put([]byte(k), []byte(next[k])); err != nil {
						return err
					}
				case 1:
					delete(next, k)
					if err := tx.Delete([]byte(k)); err != nil {
						return err
					}
				case 2:
					if rng.IntN(8) > 0 {
						continue
					}
					clear(next)
					for i := range fewKeys + 1 { // so many that the range is hidden, not deleted key by key
						if err := tx.Put([]byte(fmt.Sprint("k", i, "x")), nil); err != nil {
							return err
						}
					}
					if err := tx.DeleteRange([]byte("k"), []byte("l")); err != nil {
						return err
					}
				default:
					got, err := tx.Get([]byte(k))
					if err != nil {
						return err
					}
					if want, there := next[k]; string(got) != want || there != (got != nil) {
						t.Fatalf("step %d: %s is %q; want %q, %v", step, k, got, want, there)
					}
				}
			}
			if fail {
				return undone
			}
			return nil
		})
		switch {
		case fail && errors.Is(err, undone):
		case fail || err != nil:
			t.Fatalf("step %d: %v", step, err)
		default:
			model = next
		}
	}
	if hits == 0 {
		t.Error("no key ever was hot")
	}
}
