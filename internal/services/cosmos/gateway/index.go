package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Modes of a query's pages, kept in its continuation token: in which order its documents come.
const (
	modeScan   = ""  // of the store
	modeFilter = "e" // of effective partition keys, by the index
	modeOrder  = "o" // of its ORDER BY, by the index
	modeSort   = "s" // any: it sorts, although the index seemed to have the order
)

// indexedQuery is one page of a query over the documents of a range.
type indexedQuery struct {
	c        *call
	q        *parsedQuery
	owner    string
	guid     string
	sel      items.Selection
	scan     reader // all documents, in the order of the store
	analysis *index.Analysis
	finder   *items.Finder
	plan     *index.Plan
	lsn      *items.State // is moved on to what was read
}

// runIndexed makes one page of a query's result, through the range's index where that helps.
func (g *Gateway) runIndexed(ctx context.Context, c *call, q *parsedQuery, con *catalog.Container, guid string, sel items.Selection, scan reader, state *items.State) (query.Page, *wire.Reply, error) {
	params, err := query.Params(q.params)
	if err != nil {
		return query.Page{}, nil, err
	}
	x := &indexedQuery{c: c, q: q, owner: con.Derived.RID, guid: guid, sel: sel, scan: scan, lsn: state, analysis: index.Analyze(q.query, q.program, params)}
	if err := con.Derived.Indexing.CheckOrder(x.analysis); err != nil {
		return query.Page{}, nil, err
	}
	m := mark("query", "Documents", x.owner, q.identity(), c.header("X-Ms-Documentdb-Partitionkey"))
	st, err := decodeContinuation(c.header("X-Ms-Continuation"), m)
	if err != nil {
		return query.Page{}, nil, err
	}
	if err := x.open(ctx, g.Items, &st); err != nil {
		return query.Page{}, nil, err
	}
	page, out, err := x.page(ctx, m, st)
	if errors.Is(err, index.ErrUnordered) {
		st.Mode = modeSort
		if err = x.open(ctx, g.Items, &st); err == nil {
			page, out, err = x.page(ctx, m, st)
		}
	}
	q.plan, q.finder = x.plan, x.finder
	return page, out, err
}

// open plans the page. A query that has begun goes on in the order it began with.
func (x *indexedQuery) open(ctx context.Context, s *items.Store, st *query.State) (err error) {
	begun := *st != (query.State{})
	if x.finder, err = s.NewFinder(x.guid, x.sel, x.analysis, begun && st.Mode != modeOrder); err != nil {
		return err
	}
	if x.plan, err = x.finder.Plan(ctx); err != nil {
		return err
	}
	if st.Mode == modeOrder && x.plan.Kind != index.Order {
		return index.ErrUnordered
	}
	if begun && st.Mode != modeScan || x.sel.Bounded && x.plan.Kind != index.Order {
		return nil // of bounded documents the index and the store have the same order
	}
	switch x.plan.Kind {
	case index.Order:
		st.Mode = modeOrder
	case index.Filter:
		limit := s.Tuning.GatherFirst()
		if begun {
			limit = gatherMore
		}
		ok, err := x.finder.Gather(ctx, limit)
		switch {
		case err != nil:
			return err
		case !ok && begun:
			x.plan = &index.Plan{}
		case !ok:
			st.Mode = modeFilter
		}
	}
	return nil
}

// A query over all logical partitions answers in the order of creation, as a scan does, where the index finds few documents to begin with. It then
// does so while they are not more than gatherMore.
const gatherMore = 50_000

// documents are those behind a place, in the order of the mode.
func (x *indexedQuery) documents(ctx context.Context, mode, after string) iter.Seq2[query.Doc, error] {
	if x.plan.Kind == index.Scan && mode != modeFilter {
		return x.scan(after)
	}
	return func(yield func(query.Doc, error) bool) {
		rows := firstRows
		for {
			page, err := x.finder.Next(ctx, after, rows, chunkBytes)
			if err != nil {
				yield(query.Doc{}, err)
				return
			}
			x.lsn.LSN = max(x.lsn.LSN, page.LSN)
			for _, r := range page.Rows {
				if !yield(query.Doc{Key: r.Key, JSON: r.Text}, nil) {
					return
				}
				after = r.Key
			}
			if !page.More {
				return
			}
			rows = min(4*rows, chunkRows)
		}
	}
}

// firstRows are the documents of the first look through the index: many queries want few.
const firstRows = 32

func (x *indexedQuery) page(ctx context.Context, m uint32, st query.State) (page query.Page, out *wire.Reply, err error) {
	limit, err := x.c.pageSize()
	if err != nil {
		return page, nil, err
	}
	if row, ok, err := x.count(ctx, st); ok || err != nil {
		page = query.Page{Rows: [][]byte{row}, Bytes: len(row)}
		return page, x.reply(page, 0), err
	}
	streams := x.q.program.Streams() || st.Mode == modeOrder
	from, last := "", ""
	if streams {
		from = st.After
	}
	docs := func(yield func(query.Doc, error) bool) {
		for d, err := range x.documents(ctx, st.Mode, from) {
			last = d.Key
			if !yield(d, err) {
				return
			}
		}
	}
	run := query.Run
	if st.Mode == modeOrder {
		run = query.RunInOrder
	}
	page, err = run(ctx, x.q.program, docs, query.Limits{Items: limit, Bytes: pageBytes, Scan: pageScan, Memory: pageMemory}, st)
	if err != nil {
		return query.Page{}, nil, err
	}
	if page.Next == nil && x.q.across && len(page.Rows) == limit && streams && x.q.program.Facts().CrossDocument() == "" {
		// Over several logical partitions the service does not look ahead: a full page has a continuation, the last one may be empty.
		page.Next = &query.State{After: last, Mode: st.Mode}
	}
	out = x.reply(page, page.Scanned)
	if page.Next != nil {
		x.c.SetHeader("X-Ms-Continuation", encodeContinuation(m, *page.Next))
	}
	return page, out, nil
}

// count answers a query that only counts, if the index alone can.
func (x *indexedQuery) count(ctx context.Context, st query.State) (row []byte, ok bool, err error) {
	if x.finder == nil || x.plan.Kind != index.Filter || st.Emitted > 0 {
		return nil, false, nil
	}
	n, ok, state, err := x.finder.Count(ctx)
	if !ok || err != nil {
		return nil, false, err
	}
	x.lsn.LSN = max(x.lsn.LSN, state.LSN)
	return x.q.program.CountRow(n), true, nil
}

func (x *indexedQuery) reply(page query.Page, scanned int) *wire.Reply {
	rows := make([]json.RawMessage, len(page.Rows))
	for i, r := range page.Rows {
		rows[i] = r
	}
	return x.c.feedReply("Documents", x.owner, rows, chargeRows(chargeQuery, scanned, page.Bytes))
}

// directive reads what a write says about indexing its document.
func (c *call) directive() (items.Directive, error) {
	switch text := c.header("X-Ms-Indexing-Directive"); strings.ToLower(text) {
	case "", "default":
		return items.ByPolicy, nil
	case "include":
		return items.Include, nil
	case "exclude":
		return items.Exclude, nil
	default:
		return 0, invalid("The value '%s' specified for the header x-ms-indexing-directive is invalid; it is Default, Include or Exclude.", text)
	}
}
