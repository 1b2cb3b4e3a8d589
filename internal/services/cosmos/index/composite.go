package index

import (
	"bytes"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// composite finds the composite index with the order, or with its reverse, behind paths that have one value each: skip is how many those are.
func (p *Policy) composite(order []orderedPath, equal func(hash uint64) bool) (c *composite, skip int) {
	if p == nil || p.None {
		return nil, 0
	}
	for i := range p.composites {
		c := &p.composites[i]
		n := len(c.paths) - len(order)
		if n < 0 || slices.ContainsFunc(c.paths[:n], func(o orderedPath) bool { return !equal(o.hash) }) {
			continue
		}
		same := true
		for j, o := range c.paths[n:] {
			same = same && o.hash == order[j].hash && (o.desc != order[j].desc) == (c.paths[n].desc != order[0].desc)
		}
		if same {
			return c, n
		}
	}
	return nil, 0
}

// never is for composite: no path has one value.
func never(uint64) bool { return false }

// has tells whether every document has its entry of a composite index, also while the policy changes.
func (x *Index) has(c *composite) bool {
	return !x.Changing || slices.ContainsFunc(x.Target.composites, func(o composite) bool { return o.hash == c.hash })
}

func (c *composite) head() []byte {
	h := (&leaf{hash: c.hash}).head(nil)
	h[0] = 'c'
	return h
}

// names are the entries of the index as index metrics write them.
func (c *composite) names() []string {
	out := make([]string, len(c.paths))
	for i, o := range c.paths {
		out[i] = o.path.String() + map[bool]string{false: " ASC", true: " DESC"}[o.desc]
	}
	return out
}

func (c *composite) masks() []byte {
	out := make([]byte, len(c.paths))
	for i, o := range c.paths {
		if o.desc {
			out[i] = 0xff
		}
	}
	return out
}

// narrowed are the spans of an index's values that leaves allow: single values of its first paths, and spans of the one after those. single is how many
// single values there are, used the leaves that say all of it.
func (c *composite) narrowed(leaves []*leaf) (spans []span, single int, used []*leaf) {
	var prefix []byte
	for _, o := range c.paths {
		at := slices.IndexFunc(leaves, func(l *leaf) bool { return l.hash == o.hash && l.path.single() })
		if at < 0 {
			break
		}
		l := leaves[at]
		used = append(used, l)
		if len(l.spans) == 1 {
			if term, ok := l.spans[0].equality(); ok {
				prefix = append(prefix, o.form(term)...)
				single++
				continue
			}
		}
		for _, s := range l.spans {
			s = o.span(s)
			spans = append(spans, span{slices.Concat(prefix, s.low), slices.Concat(prefix, s.high)})
		}
		slices.SortFunc(spans, func(a, b span) int { return bytes.Compare(a.low, b.low) })
		return spans, single, used
	}
	if prefix == nil {
		return []span{{nil, []byte{0xff, 0xff}}}, 0, nil
	}
	return []span{equalTo(prefix)}, single, used
}

// form is a value as the index has it.
func (o orderedPath) form(term []byte) []byte {
	if o.desc {
		term = bytes.Clone(term)
		invert(term)
	}
	return term
}

// span is a span as the index has it. Inverted, what begins with an end of it changes sides: the low end's come last and are in it, the high end's are not.
func (o orderedPath) span(s span) span {
	if !o.desc {
		return s
	}
	return span{successor(o.form(s.high)), successor(o.form(s.low))}
}

// walkComposite plans to go through a composite index that has the order.
func (x *Index) walkComposite(a *Analysis) *walk {
	leaves := a.required()
	c, skip := x.Current.composite(a.order, func(hash uint64) bool {
		return slices.ContainsFunc(leaves, func(l *leaf) bool {
			if l.hash != hash || !l.path.single() || len(l.spans) != 1 {
				return false
			}
			_, ok := l.spans[0].equality()
			return ok
		})
	})
	if c == nil || !x.has(c) {
		return nil
	}
	w := &walk{head: c.head(), masks: c.masks(), reverse: c.paths[skip].desc != a.order[0].desc, down: a.order[0].desc, composite: c}
	w.spans, _, w.leaves = c.narrowed(leaves)
	return w
}

// composite finds documents by the composite index that says most about their conditions: at least two of them. nil: there is none, or it is no help.
func (c *chooser) composite(x every) access {
	var leaves []*leaf
	for _, y := range x {
		if l, ok := y.(*leaf); ok {
			leaves = append(leaves, l)
		}
	}
	var best *composite
	var spans []span
	var single, most int
	for i := range c.x.Current.composites {
		index := &c.x.Current.composites[i]
		s, n, used := index.narrowed(leaves)
		if len(used) >= 2 && len(used) > most && c.x.has(index) {
			best, spans, single, most = index, s, n, len(used)
		}
	}
	if best == nil {
		return nil
	}
	var out access
	if single == len(best.paths) {
		out = heads{slices.Concat(best.head(), spans[0].low)}
	} else if rows, ok := c.entries(best, spans); ok {
		out = rows
	} else {
		return nil
	}
	c.index = best
	return out
}

// entries reads the entries of a composite index; false if they are too many to be of help.
func (c *chooser) entries(index *composite, spans []span) (out found, ok bool) {
	head, masks, limit := index.head(), index.masks(), c.rangeCap()
	scanned := 0
	for _, s := range spans {
		err := c.sn.Scan(store.Range{Start: slices.Concat(head, s.low), End: slices.Concat(head, s.high)}, func(key, _ []byte) bool {
			if scanned++; scanned > limit {
				return false
			}
			suffix := key[len(head):]
			for _, m := range masks {
				n, _, err := valueLen(suffix, m)
				if err != nil {
					c.err = err
					return false
				}
				suffix = suffix[n:]
			}
			if c.bounds.holds(suffix) {
				out = append(out, bytes.Clone(suffix))
			}
			return true
		})
		if c.err = errFirst(c.err, err); c.err != nil || scanned > limit {
			return nil, false
		}
	}
	slices.SortFunc(out, bytes.Compare)
	return slices.CompactFunc(out, bytes.Equal), true
}
