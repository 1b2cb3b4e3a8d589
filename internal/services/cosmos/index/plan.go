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
	follows bool // documents in that order make its rows in order
	counts  bool
}

// Analyze looks at a query that compiled.
func Analyze(q *query.Query, p *query.Program, params map[string]query.Value) *Analysis {
	a := &Analysis{follows: p.CanFollow(), exact: q.Where == nil, counts: q.CountsAll(p)}
	n := newNames(q.From, params)
	if q.Where != nil {
		a.cond = n.of(q.Where)
		a.leaves = leavesOf(a.cond, nil)
		a.counts = a.counts && !n.lost
		a.exact = !n.lost && a.cond != nil
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
	case len(a.order) > 1 && p.composite(a.order) == nil:
		return fault.New(fault.Invalid, "BadRequest", "The order by query does not have a corresponding composite index that it can be served from.")
	}
	return nil
}

// system properties can be sorted by, although they have no terms here.
func (p *Policy) system(path Path) bool {
	return !p.None && len(path) == 1 && hidden([]byte(path[0].name)) && path[0].name != "_etag"
}

// composite finds the composite index with the order, or with its reverse.
func (p *Policy) composite(order []orderedPath) *composite {
	if p == nil || p.None {
		return nil
	}
	for i := range p.composites {
		c := &p.composites[i]
		if len(c.paths) != len(order) {
			continue
		}
		same := true
		for j := range order {
			same = same && c.paths[j].hash == order[j].hash && (c.paths[j].desc != order[j].desc) == (c.paths[0].desc != order[0].desc)
		}
		if same {
			return c
		}
	}
	return nil
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
	// Used are the paths whose terms are read, as index metrics write them; Composite the entries of the composite index that is.
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
	c := chooser{sn: sn, memo: &x.memo, bounds: b, small: t.small(), total: total, usable: func(l *leaf) bool { return x.includes(l.path) }}
	for _, l := range a.leaves {
		if !c.usable(l) {
			p.Missed = append(p.Missed, spec(l.path))
		}
	}
	if x.Current == nil || x.Current.None {
		return p, nil
	}
	if a.follows && !unordered && !c.few() {
		c.cap = c.small
		if !a.straight() {
			p.access = c.choose(a.cond)
		}
		if p.access == nil || c.estimate(p.access) > c.small {
			w, err := x.walk(sn, a, b, p)
			if err != nil {
				return nil, err
			}
			if w != nil {
				p.Kind, p.walk, p.access = Order, w, nil
				p.Exact = a.exact && a.straight()
				return p, c.err
			}
		}
		c.used, c.cap = nil, 0
	}
	if p.access = c.choose(a.cond); p.access == nil || c.err != nil {
		return p, c.err
	}
	p.Kind = Filter
	for _, l := range c.used {
		p.Used = append(p.Used, spec(l.path))
	}
	if c.marked() {
		p.access = oneOf{p.access, heads{unindexedHead}}
	}
	return p, c.err
}

// straight tells that no condition could narrow the query better than its order does.
func (a *Analysis) straight() bool {
	l, ok := a.cond.(*leaf)
	return a.cond == nil || ok && len(a.order) == 1 && l.hash == a.order[0].hash
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
func (x *Index) walk(sn store.Snapshot, a *Analysis, b Bounds, p *Plan) (*walk, error) {
	shapes, err := x.shapes(sn, b)
	if shapes == nil || err != nil {
		return nil, err
	}
	for _, s := range shapes {
		if s.flags&shapeDuplicate != 0 || bytes.Equal(s.key, unindexed) {
			return nil, nil
		}
	}
	if len(a.order) > 1 {
		return x.walkComposite(a, p), nil
	}
	o := a.order[0]
	if !x.includes(o.path) {
		return nil, nil
	}
	p.Used = append(p.Used, spec(o.path))
	w := &walk{head: (&leaf{hash: o.hash}).head(nil), masks: []byte{0}, reverse: o.desc, down: o.desc}
	for _, l := range a.required() {
		if l.hash == o.hash {
			w.spans = l.spans
			return w, nil
		}
	}
	w.any = true
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

func (x *Index) walkComposite(a *Analysis, p *Plan) *walk {
	c := x.Current.composite(a.order)
	if c == nil || x.Changing && x.Target.composite(a.order) != c && (x.Target.composite(a.order) == nil || x.Target.composite(a.order).hash != c.hash) {
		return nil
	}
	w := &walk{
		head: c.head(), spans: []span{{nil, []byte{0xff}}},
		reverse: c.paths[0].desc != a.order[0].desc, down: a.order[0].desc,
	}
	for _, o := range c.paths {
		mask, order := byte(0), " ASC"
		if o.desc {
			mask, order = 0xff, " DESC"
		}
		w.masks = append(w.masks, mask)
		p.Composite = append(p.Composite, o.path.String()+order)
	}
	return w
}

func (c *composite) head() []byte {
	h := (&leaf{hash: c.hash}).head(nil)
	h[0] = 'c'
	return h
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
