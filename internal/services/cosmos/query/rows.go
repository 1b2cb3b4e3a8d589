package query

import (
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// rows runs a block as a subquery of the row in the frame, until emit says false. It tells whether to go on: false if emit said so
// or the run has failed.
func (b *block) rows(f *frame, emit func(Value) bool) bool {
	more := true
	s := newSink(b, func(v Value) bool {
		more = f.tick() && emit(v)
		return more
	})
	if s.feed(f) {
		s.finish(f)
	}
	return more && f.err == nil
}

// feed takes the document in the frame; false means that no more are wanted.
func (s *sink) feed(f *frame) bool {
	if s.inner == nil {
		return s.rows(f)
	}
	s.innerFrame, s.inner.budget = f, s.budget
	if !s.innerDone && !s.inner.feed(f) {
		s.innerDone = true
	}
	return !s.stopped && f.err == nil
}

// rows makes the rows of FROM, filters them and pushes them into the sink; false means that no more are wanted.
func (s *sink) rows(f *frame) bool {
	if s.filter == nil || s.frame != f {
		s.frame, s.filter = f, func() bool {
			if s.board != nil && !s.board.note(f) {
				return false
			}
			if s.b.where != nil && !s.passed && !s.b.where(f).IsTrue() {
				return f.err == nil
			}
			return s.push(f)
		}
	}
	if s.b.from == nil {
		return s.filter()
	}
	return s.b.from(f, s.filter)
}

// sink takes rows that have passed WHERE through grouping, projection, DISTINCT, ordering and the OFFSET-LIMIT window.
type sink struct {
	b      *block
	emit   func(Value) bool
	groups map[string]*group
	inTurn []*group
	seen   map[string]bool
	sorted []sortedRow
	board  *board // of ORDER BY RANK
	frame  *frame
	filter func() bool // of the rows in frame
	passed bool        // rows are known to pass WHERE
	text   []byte
	skip   uint64
	left   uint64
	asText bool // keep sorted rows as JSON text; they will only be printed
	budget int  // bytes that groups, sorted rows and seen values may take; 0: no bound
	used   int

	inner     *sink // makes the rows that FROM begins with, of all documents
	innerDone bool  // it wants no more documents
	stopped   bool  // this sink wants no more of its rows

	innerFrame *frame
	inOrder    bool // rows come as ORDER BY wants them

	doc     string     // of the row that was kept last
	row     int        // which of its rows that was
	behind  *sortedRow // rows up to this one are out already
	current *sortedRow // what is being put out
	way     ordering   // of ORDER BY; see ordering
}

type group struct {
	keys []Value
	accs []accumulator
}

type sortedRow struct {
	keys []Value
	out  Value
	same string // equal rows have the same; of a DISTINCT query, which removes all but the first in order
	doc  string // where the document stands among equal ones
	row  int    // which row of the document, from 1
}

func newSink(b *block, emit func(Value) bool) *sink {
	s := &sink{b: b, emit: emit, skip: b.skip, left: b.limit}
	if b.inner != nil {
		s.inner = newSink(b.inner, func(v Value) bool {
			s.innerFrame.slots[b.innerSlot] = v
			s.stopped = !s.rows(s.innerFrame)
			return !s.stopped
		})
	}
	if b.rank != nil {
		s.board = b.rank.board()
	}
	return s
}

// blocking tells whether the sink can emit nothing before it has seen all rows.
func (b *block) blocking() bool { return b.grouped || b.orderBy != nil || b.rank != nil }

// bare tells whether the query looks at no document.
func (b *block) bare() bool { return b.from == nil && b.inner == nil }

// take counts memory; past the budget the run fails.
func (s *sink) take(f *frame, n int) bool {
	if s.budget == 0 {
		return f.spend(n >> 3)
	}
	if s.used += n; s.used > s.budget && f.err == nil {
		f.err = fault.New(fault.Invalid, "BadRequest", "The query needs more than %d bytes of memory; make its filter or its TOP narrower.", s.budget)
	}
	return f.err == nil
}

// push takes the row in the frame; false means that no more rows are wanted.
func (s *sink) push(f *frame) bool {
	if s.b.grouped {
		return s.collect(f)
	}
	return s.project(f)
}

func (s *sink) collect(f *frame) bool {
	var room [128]byte
	key := room[:0]
	for _, k := range s.b.groupBy {
		v := k.eval(f)
		f.slots[k.slot] = v
		key = appendKey(key, v)
	}
	if !f.spend(len(key) >> 2) {
		return false
	}
	g := s.groups[string(key)]
	if g == nil {
		g = s.newGroup(f, string(key))
		if !s.take(f, 200+2*len(key)) {
			return false
		}
	}
	for i, a := range s.b.aggregates {
		grown, seen := g.accs[i].add(a.arg(f))
		if !f.spend(seen>>2) || grown != 0 && !s.take(f, grown) {
			return false
		}
	}
	return f.err == nil
}

func (s *sink) newGroup(f *frame, key string) *group {
	g := &group{}
	for _, k := range s.b.groupBy {
		g.keys = append(g.keys, f.slots[k.slot].Detach())
	}
	for _, a := range s.b.aggregates {
		g.accs = append(g.accs, newAccumulator(a.kind))
	}
	if s.groups == nil {
		s.groups = map[string]*group{}
	}
	s.groups[key] = g
	s.inTurn = append(s.inTurn, g)
	return g
}

func (s *sink) project(f *frame) bool {
	v := s.b.project(f)
	if f.err != nil {
		return false
	}
	if v.kind == KindUndefined {
		return true
	}
	if s.b.orderBy != nil && !s.inOrder {
		return s.keep(f, v)
	}
	if s.b.distinct {
		key := string(appendKey(nil, v))
		if !f.spend(len(key) >> 2) {
			return false
		}
		if !s.fresh(key) {
			return true
		}
		if !s.take(f, 64+len(key)) {
			return false
		}
	}
	if s.board != nil {
		return s.keep(f, v)
	}
	return s.output(v)
}

// fresh tells whether a row of that key is the first one.
func (s *sink) fresh(key string) bool {
	if s.seen[key] {
		return false
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[key] = true
	return true
}

// keep stores a row to be sorted. With a window it now and then drops what cannot come out.
func (s *sink) keep(f *frame, v Value) bool {
	if f.doc != s.doc {
		s.doc, s.row = f.doc, 0
	}
	s.row++
	row := sortedRow{keys: make([]Value, len(s.b.orderBy)), doc: placeOf(f.doc), row: s.row}
	size := 64
	once := s.b.distinct && s.board == nil
	var all []byte
	if once {
		all = appendKey(nil, v)
		row.same = string(all)
	}
	for i, k := range s.b.orderBy {
		key := k.eval(f)
		if once {
			all = appendKey(all, key)
		}
		row.keys[i] = key.forSorting()
		size += 64 + len(row.keys[i].str)
	}
	if s.behind != nil && !once && s.board == nil && s.ordering(f.env).compare(&row, s.behind) <= 0 {
		return f.err == nil // is out: it would take the room of one that is not, of those that the window lets be kept
	}
	if once {
		if !f.spend(len(all) >> 2) {
			return false
		}
		// Of rows that are alike in all, the first in order is kept: of ties that is the one created last where the order goes down.
		if size += 2 * len(all); !s.b.orderBy[0].desc && !s.fresh(string(all)) {
			return true
		}
	}
	if s.asText {
		if !f.expressible(v) {
			return false
		}
		if row.out = (Value{kind: KindObject, str: v.str}); v.kind == KindObject && v.str != "" {
			row.out.str = strings.Clone(v.str)
		} else {
			s.text = v.AppendJSON(s.text[:0])
			row.out.str = string(s.text)
		}
		size += len(row.out.str)
	} else {
		row.out = v.Detach()
		size += row.out.size()
	}
	if s.board != nil {
		s.board.keep(f, row)
		return s.take(f, size+64*len(s.b.rank.components))
	}
	s.sorted = append(s.sorted, row)
	if window := s.skip + s.left; s.left != noLimit && window < 1<<31 && !s.b.distinct && uint64(len(s.sorted)) > 2*window+1024 {
		s.sort(f.env)
		s.used -= int(float64(s.used) * float64(len(s.sorted)-int(window)) / float64(len(s.sorted)))
		clear(s.sorted[window:])
		s.sorted = s.sorted[:window]
	}
	return s.take(f, size)
}

func (s *sink) ordering(env *Env) ordering {
	if s.way.down == nil {
		s.way = s.b.ordering(env)
	}
	return s.way
}

func (s *sink) sort(env *Env) {
	o := s.ordering(env)
	slices.SortFunc(s.sorted, func(a, b sortedRow) int { return o.compare(&a, &b) })
}

// output applies the window.
func (s *sink) output(v Value) bool {
	if s.left == 0 {
		return false
	}
	if s.skip > 0 {
		s.skip--
		return true
	}
	if s.left != noLimit {
		s.left--
	}
	return s.emit(v) && s.left > 0
}

// finish emits what had to wait for the last row.
func (s *sink) finish(f *frame) {
	if s.inner != nil && !s.innerDone {
		s.innerFrame = f
		if s.inner.finish(f); s.stopped {
			return
		}
	}
	if s.b.grouped {
		if len(s.inTurn) == 0 && s.b.groupBy == nil {
			s.newGroup(f, "")
		}
		for _, g := range s.inTurn {
			for i, k := range s.b.groupBy {
				f.slots[k.slot] = g.keys[i]
			}
			for i, a := range s.b.aggregates {
				f.slots[a.slot] = g.accs[i].result()
			}
			if s.asText { // the main query's: a group is work of its own, as a document is
				f.steps = 0
			}
			if !s.project(f) {
				return
			}
		}
	}
	if s.board != nil {
		for _, r := range s.board.order(f.env) {
			if !s.output(r.row.out) {
				return
			}
		}
	}
	if s.b.orderBy != nil {
		s.sort(f.env)
		s.seen = nil
		o := s.ordering(f.env)
		for i := range s.sorted {
			r := &s.sorted[i]
			if s.b.distinct && !s.fresh(r.same) || s.behind != nil && o.compare(r, s.behind) <= 0 {
				continue
			}
			if s.current = r; !s.output(r.out) {
				return
			}
		}
	}
}
