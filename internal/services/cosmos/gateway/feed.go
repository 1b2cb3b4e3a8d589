package gateway

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"iter"
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Bounds of one page.
const (
	pageDefault = 100
	pageDynamic = 1000 // rows when the client leaves it to us
	pageMax     = 10_000
	pageBytes   = 4<<20 - 64<<10
	pageScan    = 20_000 // documents looked at; a page that finds too little ends early, with a continuation
	pageMemory  = 64 << 20
	chunkRows   = 256 // documents per look into the store
	chunkBytes  = 1 << 20
)

// pageSize reads x-ms-max-item-count.
func (c *call) pageSize() (int, error) {
	text := c.header("X-Ms-Max-Item-Count")
	if text == "" {
		return pageDefault, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil, n == 0, n < -1:
		return 0, invalid("The value '%s' specified for the header x-ms-max-item-count is invalid; it is -1 or a number above 0.", text)
	case n == -1:
		return pageDynamic, nil
	}
	return min(n, pageMax), nil
}

// continuation is what stands in x-ms-continuation: where a list stands, and a mark of the list it belongs to.
type continuation struct {
	Mark  uint32      `json:"m"`
	State query.State `json:"s"`
}

const maxToken = 16 << 10

// encodeContinuation makes the header's text, without characters that clients wrap or split at.
func encodeContinuation(mark uint32, st query.State) string {
	b, _ := json.Marshal(continuation{mark, st}) // strings and numbers only
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeContinuation undoes it. A token of another list is as wrong as a malformed one.
func decodeContinuation(text string, mark uint32) (query.State, error) {
	if text == "" {
		return query.State{}, nil
	}
	bad := invalid("Invalid Continuation Token: it was not given out for this request.")
	if len(text) > maxToken {
		return query.State{}, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return query.State{}, bad
	}
	var c continuation
	if json.Unmarshal(b, &c) != nil || c.Mark != mark || c.State.Row < 0 {
		return query.State{}, bad
	}
	return c.State, nil
}

// mark makes a list's mark of what defines it.
func mark(parts ...string) uint32 {
	h := fnv.New32a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p)) // never fails
		_, _ = h.Write([]byte{0xff})
	}
	return h.Sum32()
}

// feed answers a list of metadata, in pages when the client asks for some.
func (c *call) feed(key, owner string, all []json.RawMessage) (any, error) {
	limit, err := c.pageSize()
	if err != nil {
		return nil, err
	}
	m := mark(key, owner)
	st, err := decodeContinuation(c.header("X-Ms-Continuation"), m)
	if err != nil {
		return nil, err
	}
	from, _ := strconv.Atoi(st.After)
	from = min(max(from, 0), len(all))
	to := min(from+limit, len(all))
	out := c.feedReply(key, owner, all[from:to], chargeMetadataRead)
	if to < len(all) {
		c.SetHeader("X-Ms-Continuation", encodeContinuation(m, query.State{After: strconv.Itoa(to)}))
	}
	return out, nil
}

// queryFeed answers a query over metadata.
func (c *call) queryFeed(ctx context.Context, key, owner string, all []json.RawMessage) (any, error) {
	q, err := c.parseQuery()
	if err != nil {
		return nil, err
	}
	docs := func(after string) iter.Seq2[query.Doc, error] {
		from, _ := strconv.Atoi(after)
		return func(yield func(query.Doc, error) bool) {
			for i := min(max(from, 0), len(all)); i < len(all); i++ {
				if !yield(query.Doc{Key: strconv.Itoa(i + 1), JSON: all[i]}, nil) {
					return
				}
			}
		}
	}
	_, out, err := c.run(ctx, q, key, owner, docs)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// selection says which documents a list or query is about. pinned tells that they lie in one logical partition.
func (c *call) selection(con *catalog.Container) (sel items.Selection, pinned bool, err error) {
	if err := c.checkRange(con); err != nil {
		return sel, false, err
	}
	if text := c.header("X-Ms-Documentdb-Partitionkey"); text != "" {
		key, _, err := c.partitionKey(con)
		switch {
		case err != nil:
			return sel, false, err
		case len(key) > len(con.PartitionKey.Paths):
			return sel, false, keyMismatch()
		case len(key) == len(con.PartitionKey.Paths):
			epk := key.EPK(*con.PartitionKey)
			return items.Selection{Low: epk, High: epk, Bounded: true}, true, nil
		case len(key) > 0:
			low, high := key.PrefixRange(*con.PartitionKey)
			return items.Selection{Low: low, High: high, Bounded: true}, false, nil
		}
	}
	low, high := c.header("X-Ms-Start-Epk"), c.header("X-Ms-End-Epk")
	if low == "" && (high == "" || high == "FF") {
		return sel, false, nil
	}
	named, _ := c.namedRange(con) // was checked
	if high == "" {
		high = "FF"
	}
	for _, v := range []string{low, high} {
		if _, err := hex.DecodeString(v); err != nil {
			return sel, false, invalid("The headers x-ms-start-epk and x-ms-end-epk are invalid: hexadecimal digits are expected.")
		}
	}
	if low >= high {
		return sel, false, invalid("The headers x-ms-start-epk and x-ms-end-epk bound no range.")
	}
	if named != nil && low <= named.Min && high >= named.Max {
		return sel, false, nil // all of it
	}
	return items.Selection{Low: low, High: high, Bounded: true}, false, nil
}

// admitFeed reads how many documents a feed is to give at a time, of which part of the container, and finds the ranges that hold it, if they have throughput left.
func (g *Gateway) admitFeed(c *call, con *catalog.Container) (limit int, sel items.Selection, ranges []items.Range, err error) {
	if _, err = c.consistency(); err != nil {
		return limit, sel, nil, err
	}
	if limit, err = c.pageSize(); err != nil {
		return limit, sel, nil, err
	}
	if sel, _, err = c.selection(con); err != nil {
		return limit, sel, nil, err
	}
	if ranges, err = c.scope(con, sel); err != nil {
		return limit, sel, nil, err
	}
	return limit, sel, ranges, g.admitAll(c, con, ranges)
}

// listDocuments reads the feed of documents, of the container or of one logical partition.
func (g *Gateway) listDocuments(ctx context.Context, c *call) (any, error) {
	con, err := g.container(ctx, c)
	if err != nil {
		return nil, err
	}
	if c.header("A-Im") != "" {
		return g.changeFeed(ctx, c, con)
	}
	limit, sel, ranges, err := g.admitFeed(c, con)
	if err != nil {
		return nil, err
	}
	m := mark("feed", con.Derived.RID, c.header("X-Ms-Documentdb-Partitionkey"))
	st, err := decodeContinuation(c.header("X-Ms-Continuation"), m)
	if err != nil {
		return nil, err
	}
	states, err := g.states(ctx, c, ranges)
	if err != nil {
		return nil, err
	}
	page, err := g.list(ctx, ranges, sel, st.After, limit, pageBytes)
	if err != nil {
		return nil, err
	}
	rows := make([]json.RawMessage, len(page.rows))
	size := 0
	for i, r := range page.rows {
		rows[i] = r.Text
		size += len(r.Text)
	}
	out := c.feedReply("Documents", con.Derived.RID, rows, chargeRows(1, len(rows), size))
	c.setRanges(con, states)
	if page.next != "" {
		c.SetHeader("X-Ms-Continuation", encodeContinuation(m, query.State{After: page.next}))
	}
	return out, nil
}

// reader makes the documents after a key.
type reader func(after string) iter.Seq2[query.Doc, error]

// run makes one page of a query's result.
func (c *call) run(ctx context.Context, q *parsedQuery, key, owner string, docs reader) (query.Page, *wire.Reply, error) {
	limit, err := c.pageSize()
	if err != nil {
		return query.Page{}, nil, err
	}
	m := mark("query", key, owner, q.identity(), c.header("X-Ms-Documentdb-Partitionkey"))
	st, err := decodeContinuation(c.header("X-Ms-Continuation"), m)
	if err != nil {
		return query.Page{}, nil, err
	}
	from := ""
	if q.program.Streams() {
		from = st.After
	}
	last := ""
	noted := func(yield func(query.Doc, error) bool) {
		for d, err := range docs(from) {
			last = d.Key
			if !yield(d, err) {
				return
			}
		}
	}
	page, err := query.Run(ctx, q.program, noted, query.Limits{Items: limit, Bytes: pageBytes, Scan: pageScan, Memory: pageMemory}, st)
	if err != nil {
		return query.Page{}, nil, err
	}
	if page.Next == nil && q.across && len(page.Rows) == limit && q.program.Streams() && q.program.Facts().CrossDocument() == "" {
		// Over several logical partitions the service does not look ahead: a full page has a continuation, the last one may be empty.
		page.Next = &query.State{After: last}
	}
	rows := make([]json.RawMessage, len(page.Rows))
	for i, r := range page.Rows {
		rows[i] = r
	}
	out := c.feedReply(key, owner, rows, chargeRows(chargeQuery, page.Scanned, page.Bytes))
	if page.Next != nil {
		c.SetHeader("X-Ms-Continuation", encodeContinuation(m, *page.Next))
	}
	return page, out, nil
}
