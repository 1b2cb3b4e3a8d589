package query

import "github.com/valyala/fastjson"

// source makes the rows of a FROM clause: it puts each into the frame and calls yield, until that or the source itself says false.
type source func(f *frame, yield func() bool) bool

func (c *compiler) from(col Collection, sc *scope) source {
	switch col := col.(type) {
	case *JoinCollection:
		left := c.from(col.Left, sc)
		right := c.from(col.Right, sc)
		return func(f *frame, yield func() bool) bool {
			return left(f, func() bool { return right(f, yield) })
		}
	case *IterateCollection:
		return c.iterate(col, sc)
	case *SubqueryCollection:
		b := c.block(col.Query, sc)
		slot := c.newSlot()
		if col.Alias != "" {
			sc.bind(c, col.Query.Span, col.Alias, slot)
		}
		return func(f *frame, yield func() bool) bool {
			return b.rows(f, func(v Value) bool {
				f.slots[slot] = v
				return yield()
			})
		}
	case *PathCollection:
		return c.path(col, sc)
	}
	panic("query: unknown collection")
}

// spanning looks at the first input set of the whole query. Where it is a subquery that makes rows of several documents (it groups, orders, removes
// duplicates or counts), it becomes b's inner block; what is left of FROM is returned.
func (c *compiler) spanning(b *block, from Collection, sc *scope) Collection {
	switch col := from.(type) {
	case *JoinCollection:
		if left := c.spanning(b, col.Left, sc); left != col.Left {
			if left == nil {
				return col.Right
			}
			return &JoinCollection{left, col.Right}
		}
	case *SubqueryCollection:
		if !spans(col.Query) {
			break
		}
		b.inner, b.innerSlot = c.block(col.Query, nil), c.newSlot()
		if col.Alias != "" {
			sc.bind(c, col.Query.Span, col.Alias, b.innerSlot)
		}
		return nil
	}
	return from
}

// spans tells whether a query makes rows of several documents.
func spans(q *Query) bool {
	if q.From == nil {
		return false
	}
	if q.Distinct || q.Top != nil || q.Offset != nil || q.OrderBy != nil || q.GroupBy != nil || hasAggregate(q) {
		return true
	}
	first := q.From
	for {
		join, ok := first.(*JoinCollection)
		if !ok {
			break
		}
		first = join.Left
	}
	sub, ok := first.(*SubqueryCollection)
	return ok && spans(sub.Query)
}

// collectionPath resolves the root of a path in FROM; the first unknown name is the container.
func (c *compiler) collectionPath(col *PathCollection, sc *scope) evalFn {
	steps := make([]step, len(col.Path))
	for i, s := range col.Path {
		steps[i] = step{name: s.Name, index: s.Index, isIndex: s.IsIndex}
	}
	if slot, rest, ok := c.probed(sc, col.Root, steps); ok {
		return slotPath(slot, rest)
	}
	slot, ok := sc.lookup(col.Root)
	switch {
	case ok:
	case c.rootBound:
		c.fail(Span{col.Span.Start, col.Span.Start + len(col.Root)}, "SC2001", "Identifier '%s' could not be resolved.", col.Root)
	default:
		c.rootBound, slot = true, rootSlot
	}
	return slotPath(slot, steps)
}

func (s *scope) lookup(name string) (slot int, ok bool) {
	for ; s != nil; s = s.parent {
		if slot, ok = s.names[name]; ok {
			return slot, true
		}
	}
	return 0, false
}

// path is `root.a.b AS alias`: one row, or none where the path is undefined.
func (c *compiler) path(col *PathCollection, sc *scope) source {
	value := c.collectionPath(col, sc)
	alias := col.Alias
	if n := len(col.Path); alias == "" && n == 0 {
		alias = col.Root
	} else if alias == "" && !col.Path[n-1].IsIndex {
		alias = col.Path[n-1].Name
	}
	slot := c.newSlot()
	if alias != "" {
		sc.bind(c, col.Span, alias, slot)
	} else {
		sc.bind(c, col.Span, "\x00"+Print(&Ident{Name: col.Root}), slot) // counts as an input set, but has no name
	}
	return func(f *frame, yield func() bool) bool {
		v := value(f)
		if v.kind == KindUndefined {
			return true
		}
		f.slots[slot] = v
		return yield()
	}
}

// iterate is `name IN source`: a row per element of an array.
func (c *compiler) iterate(col *IterateCollection, sc *scope) source {
	slot := c.newSlot()
	elements := func(f *frame, v Value, yield func() bool) bool {
		if v.kind != KindArray {
			return true
		}
		for i := range v.Len() {
			if !f.tick() {
				return false
			}
			f.slots[slot] = v.At(i)
			if !yield() {
				return false
			}
		}
		return true
	}
	var out source
	var at Span
	switch src := col.Source.(type) {
	case *PathCollection:
		value := c.collectionPath(src, sc)
		at = src.Span
		out = func(f *frame, yield func() bool) bool { return elements(f, value(f), yield) }
	case *SubqueryCollection:
		b := c.block(src.Query, sc)
		at = src.Query.Span
		out = func(f *frame, yield func() bool) bool {
			return b.rows(f, func(v Value) bool { return elements(f, v, yield) })
		}
	}
	sc.bind(c, at, col.Name, slot)
	return out
}

// step is one step of a compiled path.
type step struct {
	name    string
	index   int
	isIndex bool
}

// slotPath reads a path from a slot. It walks the document's own tree without making values on the way.
func slotPath(slot int, steps []step) evalFn {
	if len(steps) == 0 {
		return func(f *frame) Value { return f.slots[slot] }
	}
	return func(f *frame) Value {
		v := &f.slots[slot]
		n := v.node
		if n == nil || v.kind < KindArray {
			return f.walk(*v, steps)
		}
		for i := range steps {
			s := &steps[i]
			if s.isIndex {
				elems := n.GetArray() // nil of anything else
				if s.index >= len(elems) {
					return Undefined
				}
				n = elems[s.index]
				continue
			}
			if n.Type() != fastjson.TypeObject {
				return Undefined
			}
			o := n.GetObject()
			if k := o.Len(); k > wide && !f.spend(k>>3) {
				return Undefined
			}
			if n = o.Get(s.name); n == nil {
				return Undefined
			}
		}
		return fromNode(n)
	}
}

// wide is the number of members from which on finding one counts as work.
const wide = 64

func (f *frame) walk(v Value, steps []step) Value {
	for _, s := range steps {
		if s.isIndex {
			v = v.At(s.index)
			continue
		}
		if k := v.Len(); k > wide && !f.spend(k>>3) {
			return Undefined
		}
		v = v.Field(s.name)
	}
	return v
}
