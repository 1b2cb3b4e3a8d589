package catalog

import (
	"context"
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
	// Parents are the ids of the ranges it came from by splits, the oldest first.
	Parents []string `json:"parents,omitempty"`
	// Base is what its LSNs are ahead of its shard's.
	Base int64 `json:"base,omitempty"`
}

// Split is the division of a range into two, from its request until the container's ranges are changed.
type Split struct {
	Parent   string   `json:"parent"` // id of the range
	GUID     string   `json:"guid"`   // of the parent
	Children [2]Range `json:"children"`
}

// rangeThroughput is how many request units per second one range serves, firstThroughput what it begins with in a new container of manual throughput.
const (
	rangeThroughput = 10_000
	firstThroughput = 6_000
	maxRanges       = maxRU / rangeThroughput
)

// maxRetention is the longest a full-fidelity change feed is kept, in minutes: 30 days, as continuous backups are.
const maxRetention = 30 * 24 * 60

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

// shards are the guids of all ranges, those that a split is filling too.
func (c *Container) shards() (guids []string) {
	for _, r := range c.Ranges {
		guids = append(guids, r.GUID)
	}
	for _, s := range c.Splits {
		guids = append(guids, s.Children[0].GUID, s.Children[1].GUID)
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
	for _, s := range c.Splits {
		if s.Parent == id {
			return true
		}
	}
	return false
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
		Retention: int64(keep / time.Second),
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
