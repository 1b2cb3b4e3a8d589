package catalog

import (
	"context"
	"errors"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// TrimFeeds removes what full-fidelity change feeds hold longer than their containers' retention, in steps.
func (c *Catalog) TrimFeeds(ctx context.Context) error {
	accounts, err := c.st.Shards(ctx, accountPrefix, "", 0)
	if err != nil {
		return err
	}
	for _, shard := range accounts {
		var all []*Container
		err := c.st.View(ctx, shard, func(sn store.Snapshot) (err error) {
			all, err = scan(sn, containerCodec, []byte("c|"))
			return err
		})
		if err != nil {
			return err
		}
		for _, con := range all {
			if err := c.trim(ctx, con); err != nil && !items.Moved(err) && !errors.Is(err, context.Canceled) {
				return err
			}
		}
	}
	return nil
}

// trim does so for one container.
func (c *Catalog) trim(ctx context.Context, con *Container) error {
	keep := retention(con.Properties)
	if keep == 0 {
		return nil
	}
	before := c.clock.Now().Add(-keep)
	for _, r := range con.Ranges {
		for more := true; more; {
			var err error
			if more, err = c.items.TrimImages(ctx, con.Items(r), before); err != nil {
				return err
			}
		}
	}
	return nil
}
