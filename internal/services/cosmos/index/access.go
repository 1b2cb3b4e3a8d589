package index

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// access is a way to the documents that meet a condition, in the order of their suffixes.
type access interface {
	open(sn store.Snapshot, b Bounds) cursor
}

// heads are the rows of some heads: the terms of an equality or of IN, or shapes.
type heads [][]byte

func (h heads) open(sn store.Snapshot, b Bounds) cursor {
	if len(h) == 1 {
		return newPostings(sn, h[0], b)
	}
	out := make(either, len(h))
	for i := range h {
		out[i] = newPostings(sn, h[i], b)
	}
	return out
}

// found are suffixes that were read already.
type found [][]byte

func (f found) open(store.Snapshot, Bounds) cursor {
	l := list(f)
	return &l
}

// oneOf and allOf combine.
type (
	oneOf []access
	allOf []access
)

func (o oneOf) open(sn store.Snapshot, b Bounds) cursor {
	out := make(either, len(o))
	for i := range o {
		out[i] = o[i].open(sn, b)
	}
	return out
}

func (a allOf) open(sn store.Snapshot, b Bounds) cursor {
	out := make(both, len(a))
	for i := range a {
		out[i] = a[i].open(sn, b)
	}
	return out
}

// Bounds of planning.
const (
	maxHeads = 200 // terms that one condition may look up
	few      = 200 // documents that are not worth a second index
)

// chooser finds accesses for conditions, looking at how many rows there are.
type chooser struct {
	sn     store.Snapshot
	memo   *memo
	bounds Bounds
	usable func(l *leaf) bool
	small  int // see Tuning
	total  int // documents of the range
	cap    int // rows that a range may have before it is no help; 0: to be worked out
	used   []*leaf
	err    error

	x        *Index
	streams  bool       // the query ends when it has enough documents
	ordering bool       // only few documents are of help, as others are walked to in order
	tested   []*tested  // whose terms were walked
	index    *composite // whose entries are read
}

// little is how many documents are not worth a second index.
func (c *chooser) little() int { return min(few, c.small) }

// count is how many rows the heads have within the bounds, at most limit.
func (c *chooser) count(h heads, limit int) (n int) {
	for _, head := range h {
		err := c.sn.Scan(c.bounds.of(head), func(_, _ []byte) bool {
			n++
			return n < limit
		})
		if err != nil {
			c.err = err
		}
		if n >= limit || err != nil {
			break
		}
	}
	return n
}

// few tells whether there are not more than small documents within the bounds.
func (c *chooser) few() bool {
	return c.total <= c.small || c.bounds.Low != nil && c.documents(c.small+1) <= c.small
}

// documents is about how many documents are within the bounds, at most limit: each has a row I|epk|id.
func (c *chooser) documents(limit int) (n int) {
	if n, ok := c.memo.documents(c.sn.LSN(), c.bounds, limit); ok {
		return n
	}
	err := c.sn.Scan(store.Range{Start: append([]byte("I|"), c.bounds.Low...), End: append([]byte("I|"), c.bounds.High...)}, func(_, _ []byte) bool {
		n++
		return n < limit
	})
	if err != nil {
		c.err = err
		return 0
	}
	c.memo.counted(c.sn.LSN(), c.bounds, n, limit)
	return n
}

// rangeCap is up to how many rows a range is read: reading a document costs several times as much. Of a small logical partition the documents are known.
func (c *chooser) rangeCap() int {
	if c.cap == 0 {
		if c.cap = max(2*c.small, c.total/4); c.bounds.Low != nil {
			if n := c.documents(1000); n < 1000 {
				c.cap = min(c.cap, 4*n)
			}
		}
	}
	return c.cap
}

// head is the key of a term's rows, without suffix.
func (l *leaf) head(term []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("t|"), l.hash), term...)
}

// equalities are the terms of a leaf that has nothing but single values.
func (l *leaf) equalities() (heads, bool) {
	if len(l.spans) > maxHeads {
		return nil, false
	}
	out := make(heads, len(l.spans))
	for i, s := range l.spans {
		term, ok := s.equality()
		if !ok {
			return nil, false
		}
		out[i] = l.head(term)
	}
	return out, true
}

// choose finds the access for a condition; nil if the index is no help.
func (c *chooser) choose(cond condition) access {
	switch x := cond.(type) {
	case *leaf:
		if !c.usable(x) {
			return nil
		}
		if h, ok := x.equalities(); ok {
			c.used = append(c.used, x)
			return h
		}
		return c.read(x)
	case some:
		var out oneOf
		before, walked := len(c.used), len(c.tested)
		for _, y := range x {
			a := c.choose(y)
			if a == nil {
				c.used, c.tested = c.used[:before], c.tested[:walked]
				return nil
			}
			out = append(out, a)
		}
		return out
	case every:
		return c.chooseAll(x)
	case *tested:
		return c.test(x, nil)
	}
	return nil
}

// chooseAll takes the equality that finds fewest where that is few; else all equalities at once, and what the ranges and alternatives find.
func (c *chooser) chooseAll(x every) access {
	var equal []heads
	var leaves []*leaf
	var rest every
	best, fewest := -1, c.little()
	for _, y := range x {
		l, ok := y.(*leaf)
		if !ok || !c.usable(l) {
			rest = append(rest, y)
			continue
		}
		h, ok := l.equalities()
		if !ok {
			rest = append(rest, y)
			continue
		}
		if n := c.count(h, c.little()); n < fewest {
			best, fewest = len(equal), n
		}
		equal, leaves = append(equal, h), append(leaves, l)
	}
	if best >= 0 {
		c.used = append(c.used, leaves[best])
		return equal[best]
	}
	if a := c.composite(x); a != nil || c.err != nil {
		return a
	}
	var out allOf
	for i, h := range equal {
		out = append(out, h)
		c.used = append(c.used, leaves[i])
	}
	var tests []*tested
	for _, y := range rest {
		if t, ok := y.(*tested); ok {
			tests = append(tests, t)
		} else if a := c.choose(y); a != nil {
			out = append(out, a)
		}
	}
	switch len(out) {
	case 0:
		return c.firstTest(x, tests)
	case 1:
		return out[0]
	}
	return out
}

// firstTest is the first of the tested conditions that helps, where nothing else does.
func (c *chooser) firstTest(x every, tests []*tested) access {
	for _, t := range tests {
		var within []span
		for _, y := range x {
			if l, ok := y.(*leaf); ok && l.hash == t.hash && l.path.single() {
				within = l.spans
			}
		}
		if a := c.test(t, within); a != nil || c.err != nil {
			return a
		}
	}
	return nil
}

// read reads the rows of a range; nil if they are too many to be of help.
func (c *chooser) read(l *leaf) access {
	out, whole := c.rows(l, c.little())
	if !whole && c.err == nil {
		if most := c.rangeCap(); most > c.little() {
			out, whole = c.rows(l, most)
		}
	}
	if !whole || c.err != nil {
		return nil
	}
	slices.SortFunc(out, bytes.Compare)
	c.used = append(c.used, l)
	return found(slices.CompactFunc(out, bytes.Equal))
}

// rows reads at most limit rows of a range, and tells whether these are all.
func (c *chooser) rows(l *leaf, limit int) (out [][]byte, whole bool) {
	scanned := 0
	for _, s := range l.spans {
		err := c.sn.Scan(store.Range{Start: l.head(s.low), End: l.head(s.high)}, func(key, _ []byte) bool {
			if scanned++; scanned > limit {
				return false
			}
			n, _, err := valueLen(key[10:], 0)
			if err != nil {
				c.err = err
				return false
			}
			if suffix := key[10+n:]; c.bounds.holds(suffix) {
				out = append(out, bytes.Clone(suffix))
			}
			return true
		})
		if err != nil {
			c.err = err
		}
		if c.err != nil || scanned > limit {
			return nil, false
		}
	}
	return out, true
}
