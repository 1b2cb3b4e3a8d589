package names

import (
	"bytes"
	"context"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// sweepAtOnce is how many names one transaction frees.
const sweepAtOnce = 500

// Sweep frees every name that is not confirmed, and tells how many. It is for a start, once all outboxes are drained and before anything is served:
// then nothing is under way that would confirm them, and a client that repeats what a crash cut off must not find its own name taken.
func (g *Registry) Sweep(ctx context.Context) (int, error) {
	var raw []keyed
	err := g.st.View(ctx, shard, func(s store.Snapshot) error {
		raw = raw[:0]
		return s.Scan(store.Prefix([]byte("n|")), func(k, v []byte) bool {
			raw = append(raw, keyed{bytes.Clone(k), bytes.Clone(v)})
			return true
		})
	})
	if err != nil {
		return 0, fmt.Errorf("sweep names: %w", err)
	}
	var stale []keyed
	for _, r := range raw {
		rec, err := codec.Decode(r.value)
		if err != nil {
			return 0, fmt.Errorf("sweep names: %w", err)
		}
		if !rec.Confirmed {
			stale = append(stale, r)
		}
	}
	for n := 0; n < len(stale); n += sweepAtOnce {
		step := stale[n:min(n+sweepAtOnce, len(stale))]
		if err := g.free(ctx, step); err != nil {
			return n, fmt.Errorf("sweep names: %w", err)
		}
	}
	return len(stale), nil
}

type keyed struct{ key, value []byte }

// free deletes the names that are still as they were read.
func (g *Registry) free(ctx context.Context, stale []keyed) error {
	_, err := g.st.Update(ctx, shard, func(tx store.Tx) error {
		for _, r := range stale {
			now, err := tx.Get(r.key)
			if err != nil {
				return err
			}
			if !bytes.Equal(now, r.value) {
				continue
			}
			if err := tx.Delete(r.key); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
