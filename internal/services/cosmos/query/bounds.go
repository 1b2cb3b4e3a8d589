package query

import "github.com/bulkheadhq/bulkhead/internal/fault"

// The bounds of evaluation. A step is about 10 ns of work or 8 bytes of memory; the count begins anew with each document, so a query over many
// documents is bounded by its caller's context and page limits, and a single document by these.
const (
	maxSteps = 20 << 20 // steps for one document: rows of joins, elements and bytes that functions look at or make
	maxValue = 16 << 20 // bytes of one value, as JSON text
	maxItem  = 2 << 20  // bytes of a document whose text is not known
)

// begin puts a document into the frame, where the work for it is counted from nothing.
func (f *frame) begin(doc Value) {
	f.slots[rootSlot], f.steps, f.matched = doc, 0, 0
	if f.docSize = len(doc.str); f.docSize == 0 {
		f.docSize = maxItem
	}
}

// spend counts work and tells whether the run may go on.
func (f *frame) spend(steps int) bool {
	if f.steps += steps; f.steps > f.limit && f.err == nil {
		f.err = fault.New(fault.Invalid, "BadRequest", "The query exceeded the maximum amount of work allowed for one item; make its joins, subqueries or functions narrower.")
	}
	return f.err == nil
}

// subNoJSON is the sub-status of a query that makes a row with NaN or an infinity in it.
const subNoJSON = 4001

// expressible tells whether v can be a row; a number that JSON has no text for ends the query, as in the service.
func (f *frame) expressible(v Value) bool {
	if !v.inexpressible() {
		return true
	}
	if f.err == nil {
		no := fault.New(fault.Invalid, "BadRequest", "The response content contains a numeric value that cannot be represented in JSON (e.g. Infinity and NaN).")
		no.Substatus, f.err = subNoJSON, no
	}
	return false
}

// weight is the steps that a function may take to look at v.
func weight(v Value) int {
	switch {
	case v.kind < KindString:
		return 0
	case v.kind == KindString:
		return len(v.str) >> 6
	case v.comp != nil:
		return v.comp.size>>6 + len(v.comp.elems)
	}
	return v.Len()
}

// size is about the bytes that a detached value takes.
func (v Value) size() int {
	if v.comp != nil {
		return v.comp.size * 4 // a number of a few digits is a whole Value
	}
	return len(v.str)
}

// made counts a value that was built and refuses one that is too large to be written.
func (f *frame) made(v Value) Value {
	switch {
	case v.kind == KindString:
		if f.spend(len(v.str) >> 3) {
			return v
		}
	case v.comp == nil:
		return v
	case f.spend(8*len(v.comp.elems)) && f.fits(v.comp):
		return v
	}
	return Undefined
}

// fits tells whether what was built can be written within maxValue. The size of a document's part is taken as that of the whole document, until that would
// refuse the value.
func (f *frame) fits(c *composite) bool {
	if c.size+c.parts*f.docSize <= maxValue {
		return true
	}
	if n := exactSize(c, maxValue); n <= maxValue {
		c.size, c.parts = n, 0
		return true
	}
	if f.err == nil {
		f.err = fault.New(fault.Invalid, "BadRequest", "The query makes a value of more than %d bytes; make its projection narrower.", maxValue)
	}
	return false
}

// exactSize is about the length of the JSON text of c, or more than limit.
func exactSize(c *composite, limit int) int {
	n := 2
	for i := range c.elems {
		if c.object {
			n += len(c.names[i]) + 4
		}
		switch e := &c.elems[i]; {
		case e.comp != nil && e.comp.parts == 0:
			n += e.comp.size
		case e.comp != nil:
			n += exactSize(e.comp, limit-n)
		case e.kind == KindString:
			n += len(e.str) + 3
		case e.kind >= KindArray && e.str != "":
			n += len(e.str) + 1
		case e.kind >= KindArray:
			n += len(e.node.MarshalTo(nil)) + 1
		default:
			n += 8
		}
		if n > limit {
			break
		}
	}
	return n
}

// measure sets the size of a composite from that of its elements.
func (c *composite) measure() *composite {
	c.size = 2
	for i := range c.elems {
		switch e := &c.elems[i]; {
		case e.comp != nil:
			c.size += e.comp.size + 1
			c.parts += e.comp.parts
			c.odd = c.odd || e.comp.odd
		case e.kind == KindString:
			c.size += len(e.str) + 3
		case e.kind >= KindArray:
			c.parts++
		default:
			c.size += 8
			c.odd = c.odd || e.inexpressible()
		}
	}
	for _, n := range c.names {
		c.size += len(n) + 4
	}
	return c
}
