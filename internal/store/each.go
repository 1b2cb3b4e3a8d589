package store

import (
	"context"
	"fmt"
)

// EachShard calls fn with the name of each shard that begins with the prefix, in order of names, until fn fails. It lists some at a time: what fn makes or drops meanwhile
// behind the name it was given may be seen or not.
func EachShard(ctx context.Context, st Store, prefix string, fn func(shard string) error) error {
	const atOnce = 256
	for after := ""; ; {
		names, err := st.Shards(ctx, prefix, after, atOnce)
		if err != nil {
			return fmt.Errorf("list shards %s: %w", prefix, err)
		}
		for _, name := range names {
			if err := fn(name); err != nil {
				return err
			}
			after = name
		}
		if len(names) < atOnce {
			return nil
		}
	}
}
