package index

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Analysis is what a planner needs to know of a query. Immutable.
type Analysis struct {
	cond   condition
	leaves []*leaf
	order  []orderedPath
	// sorts: the query has an ORDER BY over paths of the document.
	sorts   bool
	exact   bool // the condition is the whole of WHERE, and its leaves are exact
	streams bool // pages are made of the first documents that pass
	follows bool // documents in that order make its rows in order
	counts  bool
}

// Analyze looks at a query that compiled.
func Analyze(q *query.Query, p *query.Program, params map[string]query.Value) *Analysis {
	a := &Analysis{streams: p.Streams(), follows: p.CanFollow(), exact: q.Where == nil, counts: q.CountsAll(p)}
	n := newNames(q, params)
	if q.Where != nil {
		a.cond = n.of(q.Where)
		a.leaves = leavesOf(a.cond, nil)
		a.counts = a.counts && !n.lost
		a.exact = !n.lost && a.cond != nil && !needsTests(a.cond)
		for _, l := range a.leaves {
			a.exact = a.exact && l.exact
		}
	}
	a.sorts = len(q.OrderBy) > 0 && p.Facts().OrderBy
	for _, item := range q.OrderBy {
		path, ok := n.path(item.Expr)
		if !ok || !path.single() || len(path) == 0 {
			a.sorts, a.follows = false, false
			return a
		}
		a.order = append(a.order, orderedPath{path, path.hash(), item.Desc})
	}
	return a
}

func leavesOf(c condition, out []*leaf) []*leaf {
	switch x := c.(type) {
	case *leaf:
		return append(out, x)
	case *tested:
		return append(out, &x.leaf)
	case every:
		for _, y := range x {
			out = leavesOf(y, out)
		}
	case some:
		for _, y := range x {
			out = leavesOf(y, out)
		}
	}
	return out
}

// CheckOrder refuses an ORDER BY that the service refuses, as its index does not have that order.
func (p *Policy) CheckOrder(a *Analysis) error {
	switch {
	case !a.sorts || p == nil:
		return nil
	case len(a.order) == 1 && !p.Includes(a.order[0].path) && !p.system(a.order[0].path):
		return fault.New(fault.Invalid, "BadRequest", "The index path corresponding to the specified order-by item is excluded.")
	case len(a.order) > 1:
		if c, _ := p.composite(a.order, never); c != nil {
			return nil
		}
		return fault.New(fault.Invalid, "BadRequest", "The order by query does not have a corresponding composite index that it can be served from.")
	}
	return nil
}

// system properties can be sorted by, although they have no terms here.
func (p *Policy) system(path Path) bool {
	return !p.None && len(path) == 1 && hidden([]byte(path[0].name)) && path[0].name != "_etag"
}

// Kind is how a plan finds documents.
type Kind uint8

// The kinds of plan.
const (
	Scan   Kind = iota // all documents, in the order of the store
	Filter             // those that may pass WHERE, in the order of their suffixes
	Order              // those that may, in the order of ORDER BY
)

// Plan finds the documents a query has to look at. It belongs to one request.
type Plan struct {
	Kind   Kind
	bounds Bounds
	access access
	walk   *walk
	// Exact: the documents are those of the answer, but for some whose properties the index does not tell apart.
	Exact bool
	// Used are the paths whose terms are read, as index metrics write them, Walked those of which all terms are; Composite are the entries of the composite
	// index that is used.
	Walked    []string
	Used      []string
	Composite []string
	// Missed are the paths of the query that the policy excludes.
	Missed []string

	gathered []Candidate // all there are, in the order of their creation; nil where they come as they are found
}

// Tuning is what a planner goes by. Tests set it to have few documents treated as many.
type Tuning struct {
	// Small is how many documents are rather sorted than walked to in order; 0: 500.
	Small int
	// Gather is how many documents of several logical partitions are brought into the order of their creation when a query begins; 0: 1,000.
	Gather int
}

func (t Tuning) small() int { return cmp.Or(t.Small, 500) }

// GatherFirst is Gather with its default.
func (t Tuning) GatherFirst() int { return cmp.Or(t.Gather, 1000) }

// Choose plans a query over the documents within bounds; total is how many the range has. unordered rules out a walk, which has turned out not to work.
func (x *Index) Choose(sn store.Snapshot, a *Analysis, b Bounds, total int, unordered bool, t Tuning) (*Plan, error) {
	p := &Plan{bounds: b}
	c := chooser{x: x, streams: a.streams, sn: sn, memo: &x.memo, bounds: b, small: t.small(), total: total, usable: func(l *leaf) bool { return x.includes(l.path) }}
	for _, l := range a.leaves {
		if !c.usable(l) {
			p.Missed = append(p.Missed, spec(l.path))
		}
	}
	if x.Current == nil || x.Current.None {
		return p, nil
	}
	if a.follows && !unordered && !c.few() {
		w, err := x.walk(sn, a, b)
		if err != nil {
			return nil, err
		}
		all := w != nil && w.covers(a.cond)
		if w != nil && !all { // few documents are rather sorted than walked to
			c.ordering, c.cap = true, c.small
			p.access = c.choose(a.cond)
		}
		if w != nil && (p.access == nil || c.estimate(p.access) > c.small) {
			p.Kind, p.walk, p.access, p.Exact = Order, w, nil, all && a.exact
			p.note(w.leaves, nil, w.composite)
			return p, c.err
		}
		c.used, c.tested, c.index, c.ordering, c.cap = nil, nil, nil, false, 0
	}
	if p.access = c.choose(a.cond); p.access == nil || c.err != nil {
		return p, c.err
	}
	p.Kind = Filter
	p.note(c.used, c.tested, c.index)
	if c.marked() {
		p.access = oneOf{p.access, heads{unindexedHead}}
	}
	return p, c.err
}

// note tells the metrics what is used.
func (p *Plan) note(used []*leaf, walked []*tested, index *composite) {
	if index != nil {
		p.Composite = index.names()
	} else {
		for _, l := range used {
			p.Used = append(p.Used, spec(l.path))
		}
	}
	for _, t := range walked {
		p.Walked = append(p.Walked, spec(t.path))
	}
}

// includes tells whether every document that is indexed has its terms of the path: both policies have it, while one replaces the other.
func (x *Index) includes(path Path) bool {
	return x.Current.Includes(path) && (!x.Changing || x.Target.Includes(path))
}

func spec(p Path) string { return p.String() + "/?" }

// estimate is about how many documents an access finds, counted up to a bound.
func (c *chooser) estimate(a access) int {
	switch x := a.(type) {
	case heads:
		return c.count(x, c.small+1)
	case found:
		return len(x)
	case oneOf:
		n := 0
		for _, y := range x {
			n += c.estimate(y)
		}
		return n
	case allOf:
		n := c.small + 1
		for _, y := range x {
			n = min(n, c.estimate(y))
		}
		return n
	}
	return c.small + 1
}

// walk plans to go through documents in the order of ORDER BY; nil if the index does not have it.
func (x *Index) walk(sn store.Snapshot, a *Analysis, b Bounds) (*walk, error) {
	shapes, err := x.shapes(sn, b)
	if shapes == nil || err != nil {
		return nil, err
	}
	for _, s := range shapes {
		if s.flags&shapeDuplicate != 0 || bytes.Equal(s.key, unindexed) {
			return nil, nil
		}
	}
	if w := x.walkComposite(a); w != nil || len(a.order) > 1 {
		return w, nil
	}
	o := a.order[0]
	if !x.includes(o.path) {
		return nil, nil
	}
	w := &walk{head: (&leaf{hash: o.hash}).head(nil), masks: []byte{0}, reverse: o.desc, down: o.desc}
	for _, l := range a.required() {
		if l.hash == o.hash {
			w.spans, w.leaves = l.spans, []*leaf{l}
			return w, nil
		}
	}
	w.any, w.leaves = true, []*leaf{{path: o.path, hash: o.hash}}
	w.spans = []span{{[]byte{typeNull}, []byte{typeEnd}}}
	for _, s := range shapes {
		switch s.at(o.path) {
		case scalar:
		case absent:
			w.undefined = append(w.undefined, append([]byte("s|"), s.key...))
		default:
			return nil, nil
		}
	}
	return w, nil
}

// required are the leaves that every document of the answer meets.
func (a *Analysis) required() []*leaf {
	switch c := a.cond.(type) {
	case *leaf:
		return []*leaf{c}
	case every:
		var out []*leaf
		for _, y := range c {
			if l, ok := y.(*leaf); ok {
				out = append(out, l)
			}
		}
		return out
	}
	return nil
}

// maxShapes is up to how many shapes they are a help.
const maxShapes = 256

// shapes are those of the documents within bounds.
func (x *Index) shapes(sn store.Snapshot, b Bounds) ([]*shape, error) {
	if out, ok := x.memo.shapes(sn.LSN(), b); ok {
		return out, nil
	}
	out, err := readShapes(sn, b)
	if err == nil {
		x.memo.found(sn.LSN(), b, out)
	}
	return out, err
}

// readShapes lists the shapes of the documents within bounds, that of unindexed ones included; nil if they are too many.
func readShapes(sn store.Snapshot, b Bounds) ([]*shape, error) {
	all := make([]*shape, 0, 8)
	all = append(all, &shape{key: unindexed})
	var bad error
	err := sn.Scan(store.Prefix([]byte("h|")), func(key, value []byte) bool {
		s, err := decodeShape(key[2:], value)
		if err != nil {
			bad = err
			return false
		}
		all = append(all, s)
		return len(all) <= maxShapes
	})
	if err != nil || bad != nil {
		return nil, errFirst(err, bad)
	}
	if len(all) > maxShapes {
		return nil, nil
	}
	out := all[:0]
	for _, s := range all {
		err := sn.Scan(b.of(append([]byte("s|"), s.key...)), func(_, _ []byte) bool {
			out = append(out, s)
			return false
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func errFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Candidate is a document a query has to look at.
type Candidate struct {
	Suffix []byte // of its record's key
	Key    string // its place in the plan's order, as text
}

// Counts tells whether Count may have an answer.
func (a *Analysis) Counts() bool { return a.counts }

// Count is how many documents the query is about, where the rows of the index alone tell: its condition is one that its rows meet exactly.
func (x *Index) Count(sn store.Snapshot, a *Analysis, b Bounds) (n uint64, ok bool, err error) {
	if !a.counts || x.Current == nil || x.Current.None {
		return 0, false, nil
	}
	l, isLeaf := a.cond.(*leaf)
	if !isLeaf || !l.exact || !x.includes(l.path) {
		return 0, false, nil
	}
	shapes, err := x.shapes(sn, b)
	if shapes == nil || err != nil {
		return 0, false, err
	}
	for _, s := range shapes {
		if s.flags&shapeDuplicate != 0 || bytes.Equal(s.key, unindexed) {
			return 0, false, nil
		}
	}
	var bad error
	for _, s := range l.spans {
		within := store.Range{Start: l.head(s.low), End: l.head(s.high)}
		_, one := s.equality()
		if one {
			within = b.of(within.Start)
		}
		err := sn.Scan(within, func(key, _ []byte) bool {
			if one {
				n++
				return true
			}
			m, _, err := valueLen(key[10:], 0)
			if bad = err; err == nil && b.holds(key[10+m:]) {
				n++
			}
			return err == nil
		})
		if err = errFirst(err, bad); err != nil {
			return 0, false, err
		}
	}
	return n, true, nil
}

// Gather makes a Filter find its documents in the order of their creation, whichever logical partition they are in, with places as the list of all documents
// has them. It tells whether it could: there are at most limit of them.
func (p *Plan) Gather(sn store.Snapshot, limit int) (bool, error) {
	if p.gathered != nil {
		return true, nil
	}
	list, more, err := p.Find(sn, "", limit)
	if more || err != nil {
		return false, err
	}
	number := func(c Candidate) []byte { return c.Suffix[max(0, len(c.Suffix)-8):] }
	slices.SortFunc(list, func(a, b Candidate) int { return bytes.Compare(number(a), number(b)) })
	for i := range list {
		list[i].Suffix = bytes.Clone(list[i].Suffix)
		list[i].Key = hex.EncodeToString(number(list[i]))
	}
	p.gathered = append([]Candidate{}, list...)
	return true, nil
}

// Find lists at most limit candidates after a place ("": from the start), and tells whether there may be more. ErrUnordered: plan again without a walk.
func (p *Plan) Find(sn store.Snapshot, after string, limit int) (out []Candidate, more bool, err error) {
	at, err := hex.DecodeString(after)
	if err != nil || len(at) > store.MaxKey-3 {
		return nil, false, errToken()
	}
	switch {
	case p.Kind == Order:
		return p.follow(sn, at, limit)
	case p.gathered != nil:
		from, _ := slices.BinarySearchFunc(p.gathered, after+"\x00", func(c Candidate, key string) int { return strings.Compare(c.Key, key) })
		rest := p.gathered[from:]
		return rest[:min(limit, len(rest))], limit < len(rest), nil
	}
	c := p.access.open(sn, p.bounds)
	target := slices.Clone(p.bounds.Low)
	if len(at) > 0 {
		target = maxBytes(target, append(at, 0))
	}
	var found keyed
	for len(found.out) < limit {
		s, err := c.seek(target)
		if s == nil || err != nil {
			return found.candidates(), false, err
		}
		found.keys = hex.AppendEncode(found.keys, s)
		found.add(s)
		target = append(append(target[:0], s...), 0)
	}
	s, err := c.seek(target)
	return found.candidates(), s != nil, err
}

// keyed collects candidates, the keys of all in one piece of memory.
type keyed struct {
	out  []Candidate
	keys []byte
	ends []int
}

// add adds a candidate, whose key was just written.
func (k *keyed) add(suffix []byte) {
	k.out = append(k.out, Candidate{Suffix: suffix})
	k.ends = append(k.ends, len(k.keys))
}

func (k *keyed) candidates() []Candidate {
	all, start := string(k.keys), 0
	for i, end := range k.ends {
		k.out[i].Key, start = all[start:end], end
	}
	return k.out
}

func errToken() error {
	return fault.New(fault.Invalid, "BadRequest", "The continuation token is invalid.")
}

func (p *Plan) follow(sn store.Snapshot, at []byte, limit int) (out []Candidate, more bool, err error) {
	var after *place
	if len(at) > 0 {
		pl, ok := decodePlace(at)
		if !ok {
			return nil, false, errToken()
		}
		after = &pl
	}
	list, more, err := p.walk.read(sn, p.bounds, after, limit)
	found := keyed{out: make([]Candidate, 0, len(list)), ends: make([]int, 0, len(list))}
	var room [store.MaxKey]byte
	for _, d := range list {
		found.keys = hex.AppendEncode(found.keys, place{d.group, d.number}.append(room[:0]))
		found.add(d.suffix)
	}
	return found.candidates(), more, err
}
