package catalog

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Range is one partition key range: the documents whose effective partition keys are in [Min, Max).
type Range struct {
	ID     string `json:"id"`
	GUID   string `json:"guid"`
	Number uint16 `json:"number"` // never used twice in the container
	Min    string `json:"min"`
	Max    string `json:"max"`
	// Parents are the ids of the ranges it came from by splits and merges, the oldest first.
	Parents []string `json:"parents,omitempty"`
	// Base is what its LSNs are ahead of its shard's.
	Base int64 `json:"base,omitempty"`
}

// Move is the division of a range into two, or the merging of two into one, from its request until the container's ranges are changed.
type Move struct {
	Parent    string  `json:"parent"`          // id of the range
	GUID      string  `json:"guid"`            // of the parent
	Other     string  `json:"other,omitempty"` // of a merge: the second parent, whose EPKs follow
	OtherGUID string  `json:"otherGUID,omitempty"`
	Children  []Range `json:"children"`
}

// merges tells whether it makes one range of two.
func (m *Move) merges() bool { return m.Other != "" }

// of tells whether the range is a parent.
func (m *Move) of(id string) bool { return m.Parent == id || m.merges() && m.Other == id }

// guids are those of the parents.
func (m *Move) guids() []string {
	if m.merges() {
		return []string{m.GUID, m.OtherGUID}
	}
	return []string{m.GUID}
}

// more is by how many ranges the container grows.
func (m *Move) more() int {
	if m.merges() {
		return -1
	}
	return 1
}

// rangeThroughput is how many request units per second one range serves, firstThroughput what it begins with in a new container of manual throughput.
const (
	rangeThroughput = 10_000
	firstThroughput = 6_000
	maxRanges       = maxRU / rangeThroughput
)

// fixedLimit is how much a container holds that was made without a partition key, as old clients do.
const fixedLimit = 10 << 30

// Quota tells how much some ranges of the container hold, as the header x-ms-resource-quota says it: in megabytes, then kilobytes.
func (c *Catalog) Quota(con *Container, ranges int) string {
	limit := c.items.Limits.Range
	if limit == 0 {
		limit = items.DefaultRangeLimit
	}
	if limit *= uint64(ranges); con.PartitionKey.Paths[0] == SystemPartitionKey {
		limit = min(limit, fixedLimit)
	}
	return fmt.Sprintf("documentSize=%d;documentsSize=%d;documentsCount=-1;collectionSize=%d;", limit>>20, limit>>10, limit>>10)
}

// rangesFor is how many ranges the throughput needs.
func rangesFor(t *Throughput) int {
	if t == nil {
		return 1
	}
	return max(1, (max(t.Manual, t.Max)+rangeThroughput-1)/rangeThroughput)
}

// firstRanges is how many ranges a new container gets. With manual throughput beyond that of one range there are more than it needs, for it to grow
// into (https://learn.microsoft.com/azure/cosmos-db/scaling-provisioned-throughput-best-practices).
func firstRanges(t *Throughput) int {
	n := rangesFor(t)
	if n > 1 && t.Max == 0 {
		n = min((t.Manual+firstThroughput-1)/firstThroughput, maxRanges)
	}
	return n
}

// newRanges divides the hash space into n equal ranges.
func newRanges(def pkey.Definition, n int) []Range {
	out := make([]Range, n)
	low := pkey.MinEPK
	for i, high := range append(def.Cuts(n), pkey.MaxEPK) {
		out[i] = Range{ID: strconv.Itoa(i), GUID: ids.New(), Number: uint16(i), Min: low, Max: high}
		low = high
	}
	return out
}

// shards are the guids of all ranges, those that a move is filling too.
func (c *Container) shards() (guids []string) {
	for _, r := range c.Ranges {
		guids = append(guids, r.GUID)
	}
	for _, m := range c.Moves {
		for _, r := range m.Children {
			guids = append(guids, r.GUID)
		}
	}
	return guids
}

// RangeOf is the range that holds the documents of an effective partition key.
func (c *Container) RangeOf(epk string) *Range {
	if len(c.Ranges) == 1 {
		return &c.Ranges[0]
	}
	i := sort.Search(len(c.Ranges), func(i int) bool { return c.Ranges[i].Max > epk })
	return &c.Ranges[min(i, len(c.Ranges)-1)]
}

// At is RangeOf as package items needs it.
func (c *Container) At(epk string) items.Range { return itemRange(c, *c.RangeOf(epk)) }

// Splitting tells whether the range is being split.
func (c *Container) Splitting(id string) bool {
	m := c.moving(id)
	return m != nil && !m.merges()
}

// Merging tells whether the range is being merged with another one.
func (c *Container) Merging(id string) bool {
	m := c.moving(id)
	return m != nil && m.merges()
}

// moving finds the move that a range is a parent of.
func (c *Container) moving(id string) *Move {
	for i := range c.Moves {
		if c.Moves[i].of(id) {
			return &c.Moves[i]
		}
	}
	return nil
}

// growing is how many ranges there are going to be once all moves are done.
func (c *Container) growing() int {
	n := len(c.Ranges)
	for i := range c.Moves {
		n += c.Moves[i].more()
	}
	return n
}

// RangeByID finds a range; nil if the container has none of that id (any more).
func (c *Container) RangeByID(id string) *Range {
	for i := range c.Ranges {
		if c.Ranges[i].ID == id {
			return &c.Ranges[i]
		}
	}
	return nil
}

// Items is the range as package items needs it.
func (c *Container) Items(r Range) items.Range { return itemRange(c, r) }

func itemRange(con *Container, r Range) items.Range {
	keep := con.Derived.Retention
	if con.Derived.RID == "" { // a container that a worker reads
		keep = retention(con.Properties)
	}
	return items.Range{
		GUID: r.GUID, ID: r.ID, Number: r.Number, Min: r.Min, Max: r.Max, Parents: r.Parents, Base: r.Base, Container: con.GUID, RID: con.RID(), Rules: con.rules(),
		Keys: con.PartitionKey.Paths, Retention: int64(keep / time.Second),
	}
}

// LSN is how far the account's metadata is.
func (c *Catalog) LSN(ctx context.Context, acct string) (lsn store.LSN, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		lsn = sn.LSN()
		return nil
	})
	return lsn, err
}

// Await returns once the account's metadata has changed since it was at seen.
func (c *Catalog) Await(ctx context.Context, acct string, seen store.LSN) error {
	_, err := c.st.Watch(ctx, Shard(acct), seen)
	return err
}
