package catalog

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// divide plans the split of a range at an EPK. guids are those of the children.
func (c *Container) divide(tx store.Tx, acct string, r Range, at string, guids [2]string) error {
	if err := c.numbersLeft(2); err != nil {
		return err
	}
	return c.plan(tx, acct, Move{Parent: r.ID, GUID: r.GUID, Children: []Range{c.child(guids[0], r.Min, at, &r), c.child(guids[1], at, r.Max, &r)}})
}

// halve plans the split of a range at its middle.
func (c *Container) halve(tx store.Tx, acct string, r Range, guids [2]string) error {
	middle, ok := c.PartitionKey.Middle(r.Min, r.Max)
	if !ok {
		return fault.New(fault.Invalid, "BadRequest", "The partition key range '%s' is too narrow to be split.", r.ID)
	}
	return c.divide(tx, acct, r, middle, guids)
}

// grow plans as many splits as it takes to have want ranges; those that need children of children are planned when these are there.
func (c *Container) grow(tx store.Tx, acct string, guids []string) error {
	for c.growing() < c.Want && len(guids) >= 2 && c.numbersLeft(2) == nil {
		var widest *Range
		most := 1.0 // too narrow to be divided
		for i, r := range c.Ranges {
			if w := c.PartitionKey.Width(r.Min, r.Max); c.moving(r.ID) == nil && w > most*(1+1e-9) { // of equals the first
				widest, most = &c.Ranges[i], w
			}
		}
		if widest == nil {
			return nil
		}
		if err := c.halve(tx, acct, *widest, [2]string(guids)); err != nil {
			return err
		}
		guids = guids[2:]
	}
	return nil
}

// free finds a range that nothing is done with yet.
func (c *Container) free(id string) (*Range, error) {
	r := c.RangeByID(id)
	switch {
	case r == nil:
		return nil, fault.New(fault.NotFound, "NotFound", "The container has no partition key range '%s'.", id)
	case c.Splitting(id):
		return nil, fault.New(fault.Conflict, "Conflict", "The partition key range '%s' is being split already.", id)
	case c.Merging(id):
		return nil, fault.New(fault.Conflict, "Conflict", "The partition key range '%s' is being merged already.", id)
	}
	return r, nil
}

// Split divides a range into two, and returns when that is done. A range that is being split or merged already: a 409 fault; one that is not there: 404.
func (c *Catalog) Split(ctx context.Context, acct, db, coll, id string) error {
	guids := newGUIDs(2)
	return c.change(ctx, acct, db, coll, func(tx store.Tx, con *Container) error {
		r, err := con.free(id)
		if err != nil {
			return err
		}
		return con.halve(tx, acct, *r, [2]string(guids))
	})
}

// change plans moves of a container's ranges, and returns when they are done.
func (c *Catalog) change(ctx context.Context, acct, db, coll string, fn func(tx store.Tx, con *Container) error) error {
	err := c.update(ctx, acct, nil, func(tx store.Tx) error {
		con, err := c.present(tx, db, coll, "")
		if err != nil {
			return err
		}
		if err := fn(tx, con); err != nil {
			return err
		}
		return put(tx, containerCodec, containerKey(con.Database, con.Name), *con)
	})
	if err != nil {
		return err
	}
	return c.drain.Drain(ctx, SplitShard(acct))
}

// SplitBig plans the splits of ranges that hold more than a range may, in all accounts. A range in trouble does not keep the others from their turn;
// the first error is returned. The splits are carried out by Run, or by whoever drains the outbox.
func (c *Catalog) SplitBig(ctx context.Context) (first error) {
	limit := c.items.Limits.Range
	if limit == 0 {
		return nil
	}
	err := c.eachIn(ctx, func(con *Container) bool { return true }, func(acct string, con *Container, r Range) error {
		if con.moving(r.ID) != nil {
			return ctx.Err()
		}
		err := c.splitBig(ctx, acct, con, r, limit)
		if err != nil && !items.Moved(err) && first == nil {
			first = err
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return first
}

// splitBig plans the split of one range, if it is too big. It is divided between the documents it has: half of its EPKs may have none.
func (c *Catalog) splitBig(ctx context.Context, acct string, con *Container, r Range, limit uint64) error {
	state, err := c.items.Stat(ctx, con.Items(r))
	if err != nil || state.Usage.Bytes <= limit {
		return err
	}
	low, high, err := c.items.Ends(ctx, con.Items(r))
	if err != nil {
		return err
	}
	at, ok := con.PartitionKey.Between(low, high)
	if !ok {
		return nil // one logical partition: that is not divided
	}
	guids := newGUIDs(2)
	defer c.wakeUp() // its children may be too big, too
	return c.update(ctx, acct, nil, func(tx store.Tx) error {
		now, err := get(tx, containerCodec, containerKey(con.Database, con.Name))
		if now == nil || err != nil || now.GUID != con.GUID {
			return err
		}
		if of, err := now.free(r.ID); err != nil || of.GUID != r.GUID {
			return nil //nolint:nilerr // somebody else has begun with it
		}
		if err := now.divide(tx, acct, r, at, [2]string(guids)); err != nil {
			return err
		}
		return put(tx, containerCodec, containerKey(now.Database, now.Name), *now)
	})
}

// Weigh carries on the counting of what each logical partition of big ranges holds: see items.Store.Weigh.
func (c *Catalog) Weigh(ctx context.Context) (first error) {
	if c.items.Limits.Partition == 0 {
		return nil
	}
	err := c.each(ctx, func(*Container) bool { return true }, func(con *Container, r Range) error {
		if err := c.items.Weigh(ctx, con.Items(r)); err != nil && !items.Moved(err) && first == nil {
			first = err
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return first
}
