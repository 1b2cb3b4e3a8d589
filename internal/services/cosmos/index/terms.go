package index

import (
	"bytes"
	"math"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/query"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Bounds of a walk over terms.
const (
	maxWalked  = 200_000    // rows
	maxSteps   = 20_000_000 // of work, see query.Tester
	worthwhile = 2000       // documents that are found, where the query could end before it has looked at all documents
)

// test walks the terms of a path and keeps those that pass; within are the spans that are of interest, nil: all, documents without a term included. It gives
// nil if that is no help.
func (c *chooser) test(t *tested, within []span) access {
	if !c.usable(&t.leaf) || c.ordering && c.total > 20*c.small || !c.share() {
		return nil
	}
	testers := t.begin()
	most := c.rangeCap()
	if c.streams {
		most = min(most, worthwhile)
	}
	var out oneOf
	if within == nil {
		h, ok := c.shapesFor(t, testers, most)
		if !ok {
			return nil
		}
		if len(h) > 0 {
			out = append(out, h)
		}
		if t.shapes {
			c.tested = append(c.tested, t)
			return out
		}
		within = []span{{[]byte{typeNull}, []byte{typeEnd}}}
	}
	rows, ok := c.walk(t, testers, within, most)
	if !ok {
		return nil
	}
	c.tested = append(c.tested, t)
	if len(out) == 0 {
		return rows
	}
	return append(out, rows)
}

// share tells whether the documents within the bounds are so many of the range's that its terms may be walked to find some.
func (c *chooser) share() bool {
	if c.bounds.Low == nil {
		return true
	}
	limit := min(c.total/16+1, 5000)
	return c.documents(limit) >= limit
}

// shapesFor are the shapes of documents that may pass without having a term of the path: they lack it, or an array or an object is there.
func (c *chooser) shapesFor(t *tested, testers []*query.Tester, most int) (h heads, ok bool) {
	may := map[class]bool{
		absent: holds(testers, query.Undefined), array: holds(testers, query.Array(nil)), object: holds(testers, query.Object(nil, nil)),
		scalar: t.shapes && holds(testers, query.Null),
	}
	if may[unknown] = may[absent] || may[array] || may[object] || may[scalar]; !may[unknown] {
		return nil, true
	}
	shapes, err := c.x.shapes(c.sn, c.bounds)
	if c.err = errFirst(c.err, err); shapes == nil || err != nil {
		return nil, false
	}
	for _, s := range shapes {
		if bytes.Equal(s.key, unindexed) {
			continue // looked at in any case
		}
		if at := s.at(t.path); may[at] || s.flags&shapeDuplicate != 0 {
			h = append(h, append([]byte("s|"), s.key...))
		}
	}
	return h, c.count(h, most+1) <= most
}

// walk reads the rows of a path's terms, and keeps those of values that pass.
func (c *chooser) walk(t *tested, testers []*query.Tester, within []span, most int) (found, bool) {
	var out found
	var last []byte // the value that was judged last
	passes := false
	walked, whole := 0, true
	for _, s := range within {
		err := c.sn.Scan(store.Range{Start: t.head(s.low), End: t.head(s.high)}, func(key, _ []byte) bool {
			n, cut, err := valueLen(key[10:], 0)
			if err != nil {
				c.err = err
				return false
			}
			if v := key[10 : 10+n]; !bytes.Equal(v, last) {
				last, passes = v, cut || mayPass(testers, v)
			}
			if suffix := key[10+n:]; passes && c.bounds.holds(suffix) {
				out = append(out, suffix)
			}
			walked++
			whole = len(out) <= most && walked <= maxWalked && steps(testers) <= maxSteps
			return whole
		})
		if c.err = errFirst(c.err, err); c.err != nil || !whole {
			return nil, false
		}
	}
	slices.SortFunc(out, bytes.Compare)
	for i := range out {
		out[i] = bytes.Clone(out[i])
	}
	return slices.CompactFunc(out, bytes.Equal), true
}

// steps is how much work testers have done.
func steps(testers []*query.Tester) (n int) {
	for _, t := range testers {
		n += t.Steps
	}
	return n
}

// mayPass judges the value of a term. Of large numbers a term has not all digits.
func mayPass(testers []*query.Tester, term []byte) bool {
	v, _, err := decodeValue(term)
	if err != nil || v.Kind() == query.KindNumber && math.Abs(v.Float()) >= 1<<53 {
		return true
	}
	return holds(testers, v)
}
