package query

import (
	"context"
	"iter"
	"unsafe"
)

// Doc is a document on its way into a query.
type Doc struct {
	Key  string // where it is; documents come in the order of their keys
	JSON []byte // is not to change for as long as the rows made of it are used
}

// State is where a query stands between two pages. The zero State is the beginning. It is small and fit for a continuation token.
type State struct {
	After   string `json:"after,omitempty"` // key of the last document that is done; the next page's documents begin after it
	Doc     string `json:"doc,omitempty"`   // key of a document of which some rows are out
	Row     int    `json:"row,omitempty"`   // how many of them
	Skipped uint64 `json:"skip,omitempty"`  // rows that OFFSET has passed over
	Emitted uint64 `json:"out,omitempty"`   // rows that are out
	Place   *Place `json:"place,omitempty"` // of the last row that is out, where there is an order; nil: Emitted tells
	Mode    string `json:"mode,omitempty"`  // the caller's: in which order it has the documents come
}

// Limits bound one page; a zero field means no bound.
type Limits struct {
	Items  int // rows
	Bytes  int // of rows; the first row always fits
	Scan   int // documents looked at, where the query can pause between two
	Memory int // bytes that sorting, grouping and DISTINCT may hold
	Steps  int // of work for one document, about 10 ns each; 0: as many as the engine allows
}

// Page is a part of a query's result.
type Page struct {
	Rows    [][]byte // JSON texts, not to be changed: those of whole documents are the documents' own
	Bytes   int      // their sum
	Scanned int      // documents looked at
	Next    *State   // nil: the result is complete
}

// Streams tells whether the query's pages need only the documents after State.After. If not (ORDER BY, aggregates, GROUP BY,
// DISTINCT), each page needs all documents again, from the first.
func (p *Program) Streams() bool {
	return !p.main.blocking() && !p.main.distinct && p.main.inner == nil
}

// Run makes one page. docs are the documents of one partition in key order, beginning after st.After (see Streams). The result depends on the
// arguments only.
func Run(ctx context.Context, p *Program, docs iter.Seq2[Doc, error], lim Limits, st State) (Page, error) {
	r := newRunner(ctx, p, lim, st)
	if p.main.bare() {
		docs = func(yield func(Doc, error) bool) { yield(Doc{Key: st.After}, nil) }
		if st != (State{}) {
			return Page{}, nil
		}
	}
	if p.Streams() {
		return r.stream(ctx, docs)
	}
	return r.collect(ctx, docs)
}

func newRunner(ctx context.Context, p *Program, lim Limits, st State) *runner {
	r := &runner{p: p, lim: lim, st: st, frame: p.newFrame(ctx), block: p.main, filter: newProber(p.filter), text: newProber(p.text)}
	if lim.Steps > 0 {
		r.frame.limit = lim.Steps
	}
	if p.text != nil {
		r.block = p.text.block
	}
	return r
}

// newFrame makes the frame of a run; there is no other way to a frame that works.
func (p *Program) newFrame(ctx context.Context) frame {
	return frame{slots: make([]Value, p.slots), limit: maxSteps, ctx: ctx, env: &p.env}
}

type runner struct {
	p      *Program
	lim    Limits
	st     State
	frame  frame
	parser Parser
	page   Page
	buf    []byte
	block  *block  // the main block, for parsed documents or for their text
	filter *prober // WHERE for the text; nil: it is decided in block
	text   *prober // nil: documents are parsed
	failed bool    // the last document does not pass WHERE
	passed bool    // it is known to pass

	inOrder bool       // documents come as ORDER BY wants them
	last    *sortedRow // the last one that is out, of a query with an order
}

// load puts a document into the frame, unless its text tells that it does not pass WHERE.
func (r *runner) load(ctx context.Context, d Doc) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.page.Scanned++
	if r.p.main.bare() {
		return nil
	}
	if r.failed, r.passed = false, false; r.filter != nil {
		pass, ok := r.filter.pass(&r.frame, d.JSON)
		if r.passed, r.failed = ok && pass, ok && !pass; r.failed {
			return r.frame.err
		}
	}
	r.frame.doc = d.Key
	if r.text != nil {
		return r.text.fill(&r.frame, d.JSON, &r.parser)
	}
	v, err := r.parser.Parse(d.JSON)
	r.frame.begin(v)
	return err
}

func (r *runner) full() bool {
	return r.lim.Items > 0 && len(r.page.Rows) >= r.lim.Items || r.lim.Bytes > 0 && r.page.Bytes >= r.lim.Bytes
}

// fits tells whether a row of n bytes may join the page.
func (r *runner) fits(n int) bool {
	return len(r.page.Rows) == 0 || !r.full() && (r.lim.Bytes == 0 || r.page.Bytes+n <= r.lim.Bytes)
}

// add puts a row on the page, unless the page is full.
func (r *runner) add(v Value) bool {
	if !r.frame.expressible(v) {
		return false
	}
	var row []byte
	start := len(r.buf)
	if v.kind >= KindArray && v.str != "" {
		row = unsafe.Slice(unsafe.StringData(v.str), len(v.str)) // of the document, or of a sorted row
	} else {
		r.buf = v.AppendJSON(r.buf)
		row = r.buf[start:len(r.buf):len(r.buf)]
	}
	if !r.fits(len(row)) {
		r.buf = r.buf[:start]
		return false
	}
	r.page.Rows = append(r.page.Rows, row)
	r.page.Bytes += len(row)
	return true
}

// stream serves a query that looks at one document at a time. The OFFSET-LIMIT window is applied here, since it spans pages.
func (r *runner) stream(ctx context.Context, docs iter.Seq2[Doc, error]) (Page, error) {
	b := r.block
	var seen, replay int // rows of this document: made, and done with on an earlier page
	var paused bool
	s := newSink(b, func(v Value) bool {
		switch {
		case seen < replay:
		case r.st.Skipped < b.skip:
			r.st.Skipped++
		case !r.add(v):
			paused = true
			return false
		default:
			r.st.Emitted++
		}
		seen++
		return r.st.Emitted < b.limit
	})
	s.skip, s.left, s.inOrder = 0, noLimit, r.inOrder
	if r.st.Emitted >= b.limit {
		return r.page, nil
	}
	for d, err := range docs {
		if err != nil {
			return Page{}, err
		}
		if r.full() || r.lim.Scan > 0 && r.page.Scanned >= r.lim.Scan {
			return r.pause(), nil
		}
		if err := r.load(ctx, d); err != nil {
			return Page{}, err
		}
		if seen, replay = 0, 0; d.Key == r.st.Doc {
			replay = r.st.Row
		}
		out := len(r.page.Rows)
		if s.passed = r.passed; !r.failed {
			s.feed(&r.frame)
		}
		if r.frame.err == nil && len(r.page.Rows) > out {
			r.note(seen)
		}
		switch {
		case r.frame.err != nil:
			return Page{}, r.frame.err
		case paused:
			r.st.Doc, r.st.Row = d.Key, seen
			return r.pause(), nil
		case r.st.Emitted >= b.limit:
			return r.page, nil
		}
		r.st.After, r.st.Doc, r.st.Row = d.Key, "", 0
	}
	return r.page, nil
}

func (r *runner) pause() Page {
	if r.last != nil {
		r.st.Place = placed(r.last.keys, r.last.doc, r.last.row)
	}
	st := r.st
	r.page.Next = &st
	return r.page
}

// note remembers where the document in the frame stands in the order: so many of its rows are out.
func (r *runner) note(rows int) {
	if !r.inOrder {
		return
	}
	if r.last == nil {
		r.last = &sortedRow{keys: make([]Value, len(r.block.orderBy))}
	}
	for i, k := range r.block.orderBy {
		r.last.keys[i] = k.eval(&r.frame).forSorting()
	}
	r.last.doc, r.last.row = placeOf(r.frame.doc), rows
}

// collect serves a query that needs all documents at once: it computes the whole result and cuts the page out of it.
func (r *runner) collect(ctx context.Context, docs iter.Seq2[Doc, error]) (Page, error) {
	var index uint64
	paused := false
	var s *sink
	s = newSink(r.block, func(v Value) bool {
		if index++; s.behind == nil && index <= r.st.Emitted {
			return true
		}
		if paused = !r.add(v); !paused {
			r.last = s.current
		}
		return !paused
	})
	if b := r.block; b.orderBy != nil {
		if s.behind = r.st.Place.row(b); s.behind != nil {
			s.skip = b.skip - min(b.skip, r.st.Skipped)
			if b.limit != noLimit {
				s.left = b.limit - min(b.limit, r.st.Emitted)
			}
		}
	}
	s.asText, s.budget = true, r.lim.Memory
	more := true
	for d, err := range docs {
		if err != nil {
			return Page{}, err
		}
		if err := r.load(ctx, d); err != nil {
			return Page{}, err
		}
		if r.failed {
			continue
		}
		s.passed = r.passed
		if more = s.feed(&r.frame); r.frame.err != nil {
			return Page{}, r.frame.err
		}
		if !more {
			break
		}
	}
	if more {
		s.finish(&r.frame)
	}
	if r.frame.err != nil {
		return Page{}, r.frame.err
	}
	if paused {
		r.st.Emitted += uint64(len(r.page.Rows))
		if r.st.Place = nil; r.last != nil {
			r.st.Skipped = r.block.skip
		}
		return r.pause(), nil
	}
	return r.page, nil
}

// Evaluator looks at single documents with a Program. It reuses its memory and is not safe for concurrent use.
type Evaluator struct {
	p      *Program
	frame  frame
	parser Parser
	filter *prober
	found  bool
	row    func() bool
}

// NewEvaluator makes an Evaluator.
func (p *Program) NewEvaluator() *Evaluator {
	e := &Evaluator{p: p, frame: p.newFrame(context.Background())}
	e.filter = newProber(p.filter)
	e.row = func() bool {
		e.found = p.main.where == nil || p.main.where(&e.frame).IsTrue()
		return !e.found && e.frame.err == nil
	}
	return e
}

// SetContext gives the evaluator the context that user-defined functions are called with; without it that is context.Background().
func (e *Evaluator) SetContext(ctx context.Context) { e.frame.ctx = ctx }

// Match tells whether the document makes at least one row: it passes FROM, JOIN and WHERE. Select list and window are not looked at.
func (e *Evaluator) Match(doc []byte) (bool, error) {
	if e.filter != nil {
		e.frame.err = nil
		if pass, ok := e.filter.pass(&e.frame, doc); ok {
			return pass, e.frame.err
		}
	}
	v, err := e.parser.Parse(doc)
	if err != nil {
		return false, err
	}
	return e.MatchValue(v)
}

// MatchValue is Match for a document that has been parsed.
func (e *Evaluator) MatchValue(doc Value) (bool, error) {
	f, b := &e.frame, e.p.main
	f.begin(doc)
	f.err, e.found = nil, false
	if b.from == nil {
		e.row()
	} else {
		b.from(f, e.row)
	}
	return e.found && f.err == nil, f.err
}

// Rows appends the rows that the document alone makes, as JSON texts.
func (e *Evaluator) Rows(doc []byte) (rows [][]byte, err error) {
	v, err := e.parser.Parse(doc)
	if err != nil {
		return nil, err
	}
	e.frame.begin(v)
	e.frame.err = nil
	e.p.main.rows(&e.frame, func(v Value) bool {
		if !e.frame.expressible(v) {
			return false
		}
		rows = append(rows, v.AppendJSON(nil))
		return true
	})
	return rows, e.frame.err
}
