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

// indexedQuery is one page of a query over the documents of some ranges.
type indexedQuery struct {
	c        *call
	g        *Gateway
	q        *parsedQuery
	owner    string
	ranges   []items.Range
	sel      items.Selection
	analysis *index.Analysis
	finder   *items.Finder // of the only range
	plan     *index.Plan   // its plan, or that of the last range that was read
	wanted   int           // documents, about; 0: all
	apart    bool          // a page has documents of one range only
	paused   bool          // it ended where a range did
}

// runIndexed makes one page of a query's result, through the ranges' indexes where that helps.
func (g *Gateway) runIndexed(ctx context.Context, c *call, q *parsedQuery, con *catalog.Container, ranges []items.Range, sel items.Selection) (query.Page, *wire.Reply, error) {
	params, err := query.Params(q.params)
	if err != nil {
		return query.Page{}, nil, err
	}
	x := &indexedQuery{
		c: c, g: g, q: q, owner: con.Derived.RID, ranges: ranges, sel: sel, plan: &index.Plan{}, analysis: index.Analyze(q.query, q.program, params),
	}
	if err := con.Derived.Indexing.CheckOrder(x.analysis); err != nil {
		return query.Page{}, nil, err
	}
	m := mark("query", "Documents", x.owner, q.identity(), c.header("X-Ms-Documentdb-Partitionkey"))
	st, err := decodeContinuation(c.header("X-Ms-Continuation"), m)
	if err != nil {
		return query.Page{}, nil, err
	}
	page, out, err := x.attempt(ctx, m, st)
	if errors.Is(err, index.ErrUnordered) {
		st.Mode = modeSort
		page, out, err = x.attempt(ctx, m, st)
	}
	q.plan = x.plan
	return page, out, err
}

func (x *indexedQuery) attempt(ctx context.Context, m uint32, st query.State) (query.Page, *wire.Reply, error) {
	if err := x.open(ctx, &st); err != nil {
		return query.Page{}, nil, err
	}
	return x.page(ctx, m, st)
}

// open plans the page. A query that has begun goes on in the order it began with. An order by the index, and the counting of its rows, are for a query of one range.
func (x *indexedQuery) open(ctx context.Context, st *query.State) (err error) {
	begun := *st != (query.State{})
	if len(x.ranges) > 1 {
		if st.Mode == modeOrder {
			return index.ErrUnordered
		}
		return nil
	}
	if x.finder, err = x.g.Items.NewFinder(x.ranges[0], x.sel, x.analysis, begun && st.Mode != modeOrder); err != nil {
		return err
	}
	if x.plan, err = x.finder.Plan(ctx); err != nil {
		return err
	}
	switch {
	case st.Mode == modeOrder && x.plan.Kind != index.Order:
		return index.ErrUnordered
	case begun:
		return nil
	case x.plan.Kind == index.Order:
		st.Mode = modeOrder
	case x.plan.Kind == index.Filter && !x.sel.Bounded: // of bounded documents the index and the store have the same order
		if ok, err := x.finder.Gather(ctx, x.g.Items.Tuning.GatherFirst()); ok || err != nil {
			return err
		}
		st.Mode = modeFilter
	}
	return nil
}

// gatherMore is how many documents a query over all logical partitions brings into the order of their creation when it has begun so. It begins so, as a
// scan does, where the index finds few.
const gatherMore = 50_000

// documents are those behind a place, range by range, in the order of the mode.
func (x *indexedQuery) documents(ctx context.Context, mode, after string) iter.Seq2[query.Doc, error] {
	return func(yield func(query.Doc, error) bool) {
		at, err := parseSpot(after)
		if err != nil {
			yield(query.Doc{}, err)
			return
		}
		sections := at.sections(x.ranges, x.sel)
		for i, s := range sections {
			if more, err := x.documentsOf(ctx, s, mode, at.begin(&s), at.suffix(&s, len(x.ranges)), yield); err != nil {
				yield(query.Doc{}, err)
				return
			} else if !more {
				return
			}
			if x.apart && x.q.loaded > 0 && i < len(sections)-1 {
				x.paused = true
				return
			}
		}
	}
}

// documentsOf yields one section's documents. It answers false when there shall be no more.
func (x *indexedQuery) documentsOf(ctx context.Context, s section, mode, key, suffix string, yield func(query.Doc, error) bool) (bool, error) {
	f := x.finder
	if f == nil || !s.whole {
		var err error
		if f, err = x.g.Items.NewFinder(s.Range, s.sel, x.analysis, true); err != nil {
			return false, err
		}
		if x.plan, err = f.Plan(ctx); err != nil {
			return false, err
		}
		x.q.finders = append(x.q.finders, f)
	} else if len(x.q.finders) == 0 {
		x.q.finders = append(x.q.finders, f)
	}
	next, rows := f.Next, f.Chunk(x.wanted)
	inOrder := s.sel
	inOrder.ByOrder = true
	if mode == modeSort || mode == modeScan && byOrder(key, x.sel) {
		if ok, err := f.Gather(ctx, gatherMore); err != nil {
			return false, err
		} else if !ok {
			rows = chunkRows
			next = func(ctx context.Context, after string, rows, size int) (items.Page, error) {
				return x.g.Items.List(ctx, s.Range, inOrder, after, rows, size)
			}
		}
	}
	for r, err := range items.Rows(ctx, next, key, rows, chunkBytes) {
		if err != nil {
			return false, err
		}
		if !yield(query.Doc{Key: r.Key + suffix, JSON: r.Text}, nil) {
			return false, nil
		}
	}
	return true, nil
}

// byOrder tells whether a scan goes on in the order of creation: as it began, though its bounds may have been those of a range that has been merged or split
// since.
func byOrder(key string, sel items.Selection) bool {
	if key == "" {
		return !sel.Bounded
	}
	return items.IsOrder(key)
}

func (x *indexedQuery) page(ctx context.Context, m uint32, st query.State) (page query.Page, out *wire.Reply, err error) {
	limit, err := x.c.pageSize()
	if err != nil {
		return page, nil, err
	}
	if row, entries, ok, err := x.count(ctx, st); ok || err != nil {
		page = query.Page{Rows: [][]byte{row}, Bytes: len(row)}
		return page, x.reply(page, 0, entries), err
	}
	x.wanted = x.q.program.Wanted(limit, st.Mode == modeOrder)
	streams := x.q.program.Streams() || st.Mode == modeOrder
	from, last := "", ""
	if streams {
		from = st.After
	}
	// Over several logical partitions the service reads one range after the other, a page of each, and does not look ahead: a full page has a
	// continuation, the last one may be empty.
	x.apart = x.q.across && streams && x.q.program.Facts().CrossDocument() == ""
	docs := func(yield func(query.Doc, error) bool) {
		for d, err := range x.documents(ctx, st.Mode, from) {
			last, x.q.loaded = d.Key, x.q.loaded+len(d.JSON)
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
	if page.Next == nil && (x.paused || x.apart && len(page.Rows) == limit) {
		page.Next = &query.State{After: last, Mode: st.Mode}
	}
	entries := 0
	for _, f := range x.q.finders {
		entries += f.Candidates
	}
	out = x.reply(page, page.Scanned, entries)
	if page.Next != nil {
		x.c.SetHeader("X-Ms-Continuation", encodeContinuation(m, *page.Next))
	}
	return page, out, nil
}

// count answers a query that only counts, if the index alone can. entries are those of the index that it read.
func (x *indexedQuery) count(ctx context.Context, st query.State) (row []byte, entries int, ok bool, err error) {
	if x.finder == nil || x.plan.Kind != index.Filter || st.Emitted > 0 {
		return nil, 0, false, nil
	}
	n, ok, err := x.finder.Count(ctx)
	if !ok || err != nil {
		return nil, 0, false, err
	}
	x.q.finders = append(x.q.finders, x.finder)
	return x.q.program.CountRow(n), int(n), true, nil
}

func (x *indexedQuery) reply(page query.Page, scanned, entries int) *wire.Reply {
	rows := make([]json.RawMessage, len(page.Rows))
	for i, r := range page.Rows {
		rows[i] = r
	}
	return x.c.feedReply("Documents", x.owner, rows, chargeRows(chargeQuery, scanned, page.Bytes)+chargeEntries(entries))
}

// directive reads what a write says about indexing its document.
func (c *call) directive() (items.Directive, error) {
	return parseDirective(c.header("X-Ms-Indexing-Directive"))
}

// parseDirective reads an indexing directive, of a header or of a batch's operation.
func parseDirective(text string) (items.Directive, error) {
	switch strings.ToLower(text) {
	case "", "default":
		return items.ByPolicy, nil
	case "include":
		return items.Include, nil
	case "exclude":
		return items.Exclude, nil
	default:
		return 0, invalid("The indexing directive '%s' is invalid; it is Default, Include or Exclude.", text)
	}
}
