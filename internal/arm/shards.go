package arm

import (
	"context"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// EachSubscriptionShard calls fn for the shard of every subscription, in the order of their names, until it fails.
func EachSubscriptionShard(ctx context.Context, st store.Store, fn func(shard string) error) error {
	const atOnce = 100
	for after := ""; ; {
		shards, err := st.Shards(ctx, "sub/", after, atOnce)
		if err != nil {
			return fmt.Errorf("list subscription shards: %w", err)
		}
		for _, shard := range shards {
			if err := fn(shard); err != nil {
				return err
			}
			after = shard
		}
		if len(shards) < atOnce {
			return nil
		}
	}
}
