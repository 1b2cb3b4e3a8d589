package catalog

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// RangeSize is how much a range holds.
type RangeSize struct {
	ID    string
	Bytes uint64
}

// Merge makes one range of two that lie side by side, and returns when that is done. Ranges that are not neighbours, of which the container's throughput
// needs as many as there are, or that together hold more than a range may: a 400 fault; that are split or merged already: 409; not there: 404.
func (c *Catalog) Merge(ctx context.Context, acct, db, coll, id, other string) error {
	sizes, err := c.Sizes(ctx, acct, db, coll)
	if err != nil {
		return err
	}
	guid := newGUIDs(1)[0]
	return c.change(ctx, acct, db, coll, func(tx store.Tx, con *Container) error {
		a, err := con.free(id)
		if err != nil {
			return err
		}
		b, err := con.free(other)
		if err != nil {
			return err
		}
		if b.Max == a.Min {
			a, b = b, a
		}
		if a.Max != b.Min {
			return fault.New(fault.Invalid, "BadRequest", "The partition key ranges '%s' and '%s' do not lie side by side.", id, other)
		}
		if err := con.mayShrink(tx); err != nil {
			return err
		}
		if limit := c.items.Limits.Range; limit != 0 && sizeOf(sizes, a.ID)+sizeOf(sizes, b.ID) > limit {
			return fault.New(fault.Invalid, "BadRequest", "The partition key ranges '%s' and '%s' hold more together than one range may (%d bytes).", id, other, limit)
		}
		return con.plan(tx, acct, Move{Parent: a.ID, GUID: a.GUID, Other: b.ID, OtherGUID: b.GUID, Children: []Range{con.child(guid, a.Min, b.Max, a, b)}})
	})
}

// mayShrink makes sure that the container can do with a range less.
func (c *Container) mayShrink(tx store.Tx) error {
	if err := c.numbersLeft(1); err != nil {
		return err
	}
	if c.Want = c.least(tx); c.growing()-1 < c.Want {
		return fault.New(fault.Invalid, "BadRequest", "The throughput of the container needs %d partition key ranges, and there are no more.", c.Want)
	}
	return nil
}

// least is how many ranges the container's throughput needs. The throughput of a database is no container's own.
func (c *Container) least(sn store.Snapshot) int {
	if err := c.provision(sn); err != nil || c.Derived.SharedThroughput {
		return 1
	}
	return rangesFor(&c.Derived.Throughput)
}

func sizeOf(sizes []RangeSize, id string) uint64 {
	for _, s := range sizes {
		if s.ID == id {
			return s.Bytes
		}
	}
	return 0
}

// Sizes tells how much each range of a container holds, in the order of their EPKs.
func (c *Catalog) Sizes(ctx context.Context, acct, db, coll string) ([]RangeSize, error) {
	_, con, err := c.Container(ctx, acct, db, coll)
	if err != nil {
		return nil, err
	}
	out := make([]RangeSize, len(con.Ranges))
	for i, r := range con.Ranges {
		state, err := c.items.Stat(ctx, con.Items(r))
		if err != nil {
			return nil, err
		}
		out[i] = RangeSize{r.ID, state.Usage.Bytes}
	}
	return out, nil
}

// MergeAll merges the ranges of a container into as few as its throughput needs and their sizes allow, and gives the sizes of those there are then. A
// merged range is to be at most three quarters full, so that it is not split again soon. With dry set nothing is done: the sizes are those that there would be,
// under the ids of the ranges whose EPKs come first.
func (c *Catalog) MergeAll(ctx context.Context, acct, db, coll string, dry bool) ([]RangeSize, error) {
	for {
		_, con, err := c.Container(ctx, acct, db, coll)
		if err != nil {
			return nil, err
		}
		sizes, err := c.Sizes(ctx, acct, db, coll)
		if err != nil {
			return nil, err
		}
		least := 1
		if !con.Derived.SharedThroughput {
			least = rangesFor(&con.Derived.Throughput)
		}
		free := func(id string) bool { return con.moving(id) == nil }
		if dry {
			for {
				i, ok := nextMerge(sizes, least, c.items.Limits.Range, free)
				if !ok {
					return sizes, nil
				}
				sizes[i].Bytes += sizes[i+1].Bytes
				sizes = append(sizes[:i+1], sizes[i+2:]...)
			}
		}
		i, ok := nextMerge(sizes, least, c.items.Limits.Range, free)
		if !ok {
			return sizes, nil
		}
		if err := c.Merge(ctx, acct, db, coll, sizes[i].ID, sizes[i+1].ID); err != nil {
			return nil, err
		}
	}
}

// nextMerge finds the first of the two neighbours that are the smallest together.
func nextMerge(sizes []RangeSize, least int, limit uint64, free func(id string) bool) (at int, ok bool) {
	if len(sizes) <= least {
		return 0, false
	}
	var best uint64
	for i := range len(sizes) - 1 {
		sum := sizes[i].Bytes + sizes[i+1].Bytes
		if free(sizes[i].ID) && free(sizes[i+1].ID) && (limit == 0 || sum <= limit/4*3) && (!ok || sum < best) {
			at, best, ok = i, sum, true
		}
	}
	return at, ok
}
