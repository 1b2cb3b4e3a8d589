package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
)

type rangeBody struct {
	RID                string   `json:"_rid"`
	ID                 string   `json:"id"`
	ETag               string   `json:"_etag"`
	MinInclusive       string   `json:"minInclusive"`
	MaxExclusive       string   `json:"maxExclusive"`
	RIDPrefix          int      `json:"ridPrefix"`
	Self               string   `json:"_self"`
	ThroughputFraction float64  `json:"throughputFraction"`
	Status             string   `json:"status"`
	Parents            []string `json:"parents"`
	Time               int64    `json:"_ts"`
	LSN                uint64   `json:"_lsn"`
}

// listRanges serves the ranges as the feed that routing clients poll: with the etag they have, there is nothing new.
func (g *Gateway) listRanges(ctx context.Context, c *call) (any, error) {
	_, con, err := g.Catalog.Container(ctx, c.account.GUID, c.Param("db"), c.Param("coll"))
	if err != nil {
		return nil, err
	}
	etag := strconv.FormatUint(con.Routing, 10)
	if c.unchanged(etag) {
		return c.reply(http.StatusNotModified, chargeMetadataRead, etag, nil), nil
	}
	all := make([]json.RawMessage, len(con.Ranges))
	for i, r := range con.Ranges {
		id := rid.NewChild(con.RID(), rid.PartitionKeyRange, uint64(r.Number)+1)
		status, parents := "online", r.Parents
		if con.Splitting(r.ID) {
			status = "splitting"
		}
		if parents == nil {
			parents = []string{}
		}
		if all[i], err = json.Marshal(rangeBody{
			RID: id.String(), ID: r.ID, ETag: `"` + con.ETag + `"`, MinInclusive: r.Min, MaxExclusive: r.Max, RIDPrefix: int(r.Number), Self: id.SelfLink(),
			ThroughputFraction: 1 / float64(len(con.Ranges)), Status: status, Parents: parents, Time: con.Time, LSN: con.Routing,
		}); err != nil {
			return nil, err
		}
	}
	out := c.feedReply("PartitionKeyRanges", con.Derived.RID, all, chargeMetadataRead)
	c.SetHeader("Etag", `"`+etag+`"`)
	c.ShareHeader("X-Ms-Content-Path", con.Derived.ContentPath)
	return out, nil
}

// namedRange is the partition key range a request names; nil if it names none. One the container does not have (any more) is a 410 fault: the
// client's routing map is out of date.
func (c *call) namedRange(con *catalog.Container) (*catalog.Range, error) {
	text := c.header("X-Ms-Documentdb-Partitionkeyrangeid")
	if text == "" {
		return nil, nil
	}
	owner, id, both := strings.Cut(text, ",")
	if !both {
		owner, id = con.Derived.RID, text
	}
	if r := con.RangeByID(id); r != nil && (owner == con.Derived.RID || owner == con.Name) {
		return r, nil
	}
	return nil, withSub(fault.New(fault.Gone, "Gone", "The requested partition key range '%s' does not exist in the container.", text), subRangeGone)
}

// checkRange refuses a partition key range that the container does not have.
func (c *call) checkRange(con *catalog.Container) error {
	_, err := c.namedRange(con)
	return err
}

// scope is the ranges that a list or query reads, in the order of their EPKs: the one it names, else all that the selection touches.
func (c *call) scope(con *catalog.Container, sel items.Selection) ([]items.Range, error) {
	named, err := c.namedRange(con)
	if err != nil {
		return nil, err
	}
	var out []items.Range
	for _, r := range con.Ranges {
		if named != nil && r.ID != named.ID || sel.Bounded && !touches(sel, r.Min, r.Max) {
			continue
		}
		out = append(out, con.Items(r))
	}
	if len(out) == 0 { // bounds outside of the named range: nothing is there
		out = append(out, con.Items(*named))
	}
	return out, nil
}

// touches tells whether the selection has EPKs in [low, high).
func touches(sel items.Selection, low, high string) bool {
	if sel.Low == sel.High { // all with that prefix
		return sel.Low < high && (sel.Low >= low || strings.HasPrefix(low, sel.Low))
	}
	return sel.Low < high && sel.High > low
}

// states tells how far the ranges are, and refuses the request if one is behind its session.
func (g *Gateway) states(ctx context.Context, c *call, ranges []items.Range) ([]items.State, error) {
	out := make([]items.State, len(ranges))
	for i, r := range ranges {
		var err error
		if out[i], err = g.Items.Stat(ctx, r); err != nil {
			return nil, err
		}
		if err := c.checkSession(out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// How long a request waits for a split or merge to end that moves what it is about.
const (
	moveWait  = 10 * time.Second
	moveTries = 100
)

// steady makes a handler that runs again when a split or merge took its range away while it ran. The handler must not have written anything by then.
func (g *Gateway) steady(h handler) handler {
	return func(ctx context.Context, c *call) (out any, err error) {
		err = g.steadily(ctx, c, func() (err error) {
			out, err = h(ctx, c)
			return err
		})
		return out, err
	}
}

// steadily runs fn, and again for as long as it fails because its range is no longer in use and the container has others instead. fn looks the
// container up anew each time.
func (g *Gateway) steadily(ctx context.Context, c *call, fn func() error) error {
	err := fn()
	if !items.Moved(err) {
		return err
	}
	wait, done := context.WithTimeout(ctx, moveWait) // a bound of waiting, not a time of the service
	defer done()
	for range moveTries {
		// What fn finds now is at least as new as this; if that is too old, the change that it waits for comes after it.
		seen, lerr := g.Catalog.LSN(ctx, c.account.GUID)
		if lerr != nil {
			return lerr
		}
		if err = fn(); !items.Moved(err) {
			return err
		}
		if g.Catalog.Await(wait, c.account.GUID, seen) != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if fault.Is(documentError(err), fault.NotFound) {
		return documentError(err)
	}
	return &fault.Error{Kind: fault.Unavailable, Code: "ServiceUnavailable", Message: "The partition key range is being split or merged. Try again.", RetryAfter: time.Second, Cause: err}
}
