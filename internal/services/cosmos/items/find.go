package items

import (
	"cmp"
	"context"
	"encoding/hex"
	"iter"
	"runtime"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Finder finds the documents of one query in a range, through the index where that helps. It serves one request and is not safe for concurrent use.
type Finder struct {
	s        *Store
	r        Range
	sel      Selection
	bounds   index.Bounds
	analysis *index.Analysis
	sorts    bool // no walk: it has turned out not to have the order

	plan       *index.Plan
	generation uint64
	average    int  // bytes of a document
	gathers    bool // documents come in the order of their creation
	// Lookup is how long finding candidates took, Candidates how many there were.
	Lookup     time.Duration
	Candidates int
}

// NewFinder makes a Finder. With sorted set, the query is going to sort, whatever the index has.
func (s *Store) NewFinder(r Range, sel Selection, a *index.Analysis, sorted bool) (*Finder, error) {
	f := &Finder{s: s, r: r, sel: sel, analysis: a, sorts: sorted}
	if sel.Bounded {
		low, err := epkBytes(sel.Low)
		if err != nil {
			return nil, err
		}
		high, err := epkBytes(sel.High)
		if err != nil {
			return nil, err
		}
		f.bounds = index.Within(low, high)
	}
	return f, nil
}

// view runs fn on the range with a plan that fits its index as it is there.
func (f *Finder) view(ctx context.Context, fn func(sn store.Snapshot) error) error {
	x, err := f.s.indexOf(ctx, f.r.GUID)
	if err != nil {
		return err
	}
	for {
		stale := false
		err = f.s.st.View(ctx, Shard(f.r.GUID), func(sn store.Snapshot) error {
			if sn.LSN() == 0 {
				return ErrNoRange
			}
			totals := x.Totals(sn.LSN())
			if totals == nil {
				var err error
				if totals, err = readTotals(sn, x); err != nil {
					return err
				}
				if stale = totals == nil; stale {
					return nil
				}
			}
			if f.plan == nil || f.generation != x.Generation {
				var err error
				if f.plan, err = x.Choose(sn, f.analysis, f.bounds, totals.Documents, f.sorts, f.s.Tuning); err != nil {
					return err
				}
				f.generation, f.average = x.Generation, totals.Average
			}
			return fn(sn)
		})
		if err != nil || !stale {
			return err
		}
		if x, err = f.s.loadIndex(ctx, f.r.GUID); err != nil {
			return err
		}
	}
}

// readTotals reads a range's totals; nil if x is not its index any more.
func readTotals(sn store.Snapshot, x *index.Index) (*index.Totals, error) {
	st, err := index.ReadState(sn)
	if err != nil || st.Generation != x.Generation {
		return nil, err
	}
	b, err := sn.Get(rangeKey)
	if b == nil || err != nil {
		return nil, cmp.Or(err, ErrNoRange)
	}
	r, err := decodeRange(b)
	if err != nil {
		return nil, err
	}
	t := index.Totals{LSN: sn.LSN(), Documents: int(r.documents), Average: 1024}
	if r.documents > 0 {
		t.Average = int(r.bytes / r.documents)
	}
	x.Keep(t)
	return &t, nil
}

// maxGathered is how many documents a query gathers that began by gathering.
const maxGathered = 100_000

// Plan tells how the documents are going to be found.
func (f *Finder) Plan(ctx context.Context) (*index.Plan, error) {
	err := f.view(ctx, func(store.Snapshot) error { return nil })
	return f.plan, err
}

// Gather makes the documents come in the order of their creation, if the plan is a Filter that finds at most limit.
func (f *Finder) Gather(ctx context.Context, limit int) (ok bool, err error) {
	err = f.view(ctx, func(sn store.Snapshot) (err error) {
		if ok = f.plan.Kind == index.Filter; ok {
			ok, err = f.plan.Gather(sn, limit)
		}
		f.gathers = ok
		return err
	})
	return ok, err
}

// How many documents one look into the store finds.
const (
	MaxChunk = 256
	minChunk = 32
)

// Chunk is how many documents the first Next is to find, if so many are wanted (0: all). Where the condition is not all in the index, more may be needed.
func (f *Finder) Chunk(wanted int) int {
	switch {
	case wanted == 0 || wanted > MaxChunk:
		return MaxChunk
	case f.plan != nil && f.plan.Exact:
		return wanted
	}
	return max(wanted, minChunk)
}

// Next reads on after a row's key, as List does: in the order of keys, of effective partition key and number, or of the query's ORDER BY where the plan is
// index.Order. index.ErrUnordered: the query has to sort.
func (f *Finder) Next(ctx context.Context, after string, rows, size int) (Page, error) {
	ordered := f.plan != nil && f.plan.Kind == index.Order
	var p Page
	var scan bool
	ended := expiry{now: f.s.clock.Now().Unix()}
	err := f.view(ctx, func(sn store.Snapshot) error {
		p = Page{State: State{Range: f.r, LSN: f.r.lsn(sn.LSN())}}
		if err := ended.seen(&f.r, sn); err != nil {
			return err
		}
		if ordered != (f.plan.Kind == index.Order) {
			return index.ErrUnordered // the policy has changed under the query
		}
		if scan = f.plan.Kind == index.Scan; scan {
			return nil
		}
		if f.gathers {
			if ok, err := f.plan.Gather(sn, maxGathered); !ok || err != nil {
				scan = true
				return err
			}
		}
		begin := time.Now() // of the metrics only
		found, more, err := f.plan.Find(sn, after, rows)
		f.Lookup += time.Since(begin)
		if err != nil {
			return err
		}
		p.More = more
		l := loader{sn: sn, ended: &ended, average: f.average, max: size, page: &p}
		return l.read(found)
	})
	if err != nil {
		return Page{}, err
	}
	if scan {
		if f.gathers {
			return f.s.List(ctx, f.r, f.sel, after, rows, size)
		}
		return f.s.listInKeys(ctx, f.r, f.sel, after, rows, size)
	}
	f.Candidates += len(p.Rows)
	if len(p.Rows) >= minChunk {
		runtime.Gosched() // Go would take the processor away after 10 ms only: requests that are quick have their turn between two looks of a long query
	}
	return p, nil
}

// Rows reads on after a row's key with a Finder's Next, or with what is like it, to the end: rows documents at first, more and more of them later, about size bytes at
// most at a time. An error ends it.
func Rows(ctx context.Context, next func(ctx context.Context, after string, rows, size int) (Page, error), after string, rows, size int) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for {
			page, err := next(ctx, after, rows, size)
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, r := range page.Rows {
				after = r.Key
				if !yield(r, nil) {
					return
				}
			}
			if !page.More {
				return
			}
			if page.Last != "" {
				after = page.Last
			}
			rows = min(4*rows, MaxChunk)
		}
	}
}

// listInKeys is List in the order of effective partition keys, whatever the selection.
func (s *Store) listInKeys(ctx context.Context, r Range, sel Selection, after string, rows, size int) (Page, error) {
	cursor, err := hex.DecodeString(after)
	if err != nil || len(cursor) > store.MaxKey-3 {
		return Page{}, invalidContinuation()
	}
	if !sel.Bounded {
		sel = Selection{High: "FF", Bounded: true}
	}
	return s.listByEPK(ctx, r, sel, cursor, rows, size)
}

// Count answers a query that only counts, if the index alone can tell. Documents that may end have to be looked at.
func (f *Finder) Count(ctx context.Context) (n uint64, ok bool, err error) {
	if f.r.Rules.Timed || !f.analysis.Counts() {
		return 0, false, nil
	}
	err = f.view(ctx, func(sn store.Snapshot) error {
		n, ok = 0, false
		x := f.s.indexes.get(f.r.GUID)
		if x == nil || x.Generation != f.generation {
			return nil
		}
		begin := time.Now() // of the metrics only
		var err error
		n, ok, err = x.Count(sn, f.analysis, f.bounds)
		f.Lookup += time.Since(begin)
		return err
	})
	return n, ok, err
}
