package pebble

import (
	"bytes"
	"slices"

	"github.com/google/btree"
)

// overlay holds what the functions of one group have written and the engine has not got yet: points that win over
// everything, and ranges that hide what lies below. A function that fails is undone by mark and rollback.
// Not safe for concurrent use; the shard's leader owns it.
type overlay struct {
	points *btree.BTreeG[point]
	spans  []span // disjoint, in order; the slice is replaced, never changed, so a scan and the undo log may keep it
	undo   []undo
	arena  arena
	bytes  int // of keys and values put in, a bound on the batch
}

// point is a written key; a nil value is a deletion.
type point struct{ key, value []byte }

type span struct{ start, end []byte }

// undo restores one point, or the spans when isSpans is set.
type undo struct {
	before  point
	existed bool
	isSpans bool
	spans   []span
}

func newOverlay() *overlay {
	return &overlay{points: btree.NewG(16, func(a, b point) bool { return bytes.Compare(a.key, b.key) < 0 })}
}

func (o *overlay) empty() bool { return o.points.Len() == 0 && len(o.spans) == 0 }

// get tells whether the overlay decides about key, and the value (nil: deleted).
func (o *overlay) get(key []byte) (value []byte, decided bool) {
	if p, ok := o.points.Get(point{key: key}); ok {
		return p.value, true
	}
	_, hidden := find(o.spans, key)
	return nil, hidden
}

// set copies key and value; a nil value deletes.
func (o *overlay) set(key, value []byte) {
	p := point{key: o.arena.copy(key)}
	if value != nil {
		p.value = o.arena.copy(value)
	}
	old, existed := o.points.ReplaceOrInsert(p)
	if !existed {
		old = point{key: p.key}
	}
	o.undo = append(o.undo, undo{before: old, existed: existed})
	o.bytes += len(key) + len(value) + 16
}

// hide removes the points in [start, end) and hides what lies below.
func (o *overlay) hide(start, end []byte) {
	var inside []point
	o.points.AscendRange(point{key: start}, point{key: end}, func(p point) bool {
		inside = append(inside, p)
		return true
	})
	for _, p := range inside {
		o.points.Delete(p)
		o.undo = append(o.undo, undo{before: p, existed: true})
	}
	o.undo = append(o.undo, undo{isSpans: true, spans: o.spans})
	o.spans = join(o.spans, span{o.arena.copy(start), o.arena.copy(end)})
	o.bytes += len(start) + len(end) + 16
}

// mark begins a function's writes.
func (o *overlay) mark() { o.undo = o.undo[:0] }

// rollback takes back everything since mark.
func (o *overlay) rollback() {
	for _, u := range slices.Backward(o.undo) {
		switch {
		case u.isSpans:
			o.spans = u.spans
		case u.existed:
			o.points.ReplaceOrInsert(u.before)
		default:
			o.points.Delete(u.before)
		}
	}
	o.undo = o.undo[:0]
}

// find returns the span that holds key.
func find(spans []span, key []byte) (span, bool) {
	i, exact := slices.BinarySearchFunc(spans, key, func(s span, k []byte) int { return bytes.Compare(s.start, k) })
	if exact {
		return spans[i], true
	}
	if i > 0 && bytes.Compare(key, spans[i-1].end) < 0 {
		return spans[i-1], true
	}
	return span{}, false
}

// join returns a new slice with s added, merged with what it touches.
func join(spans []span, s span) []span {
	out := make([]span, 0, len(spans)+1)
	for i, t := range spans {
		switch {
		case bytes.Compare(t.end, s.start) < 0:
			out = append(out, t)
		case bytes.Compare(s.end, t.start) < 0:
			return append(append(out, s), spans[i:]...)
		default:
			if bytes.Compare(t.start, s.start) < 0 {
				s.start = t.start
			}
			if bytes.Compare(t.end, s.end) > 0 {
				s.end = t.end
			}
		}
	}
	return append(out, s)
}

// arena hands out copies from larger pieces. Pieces are left to the collector and never reused: whoever keeps bytes
// longer than the contract allows reads old data, not another tenant's.
type arena struct {
	free []byte
	size int // of the last piece; pieces grow, as most transactions are small
}

func (a *arena) copy(b []byte) []byte {
	switch {
	case len(b) == 0:
		return []byte{} // never nil, which means deleted
	case len(b) > 2048:
		return bytes.Clone(b)
	}
	if len(b) > len(a.free) {
		a.size = min(max(2*a.size, 512), 8192)
		a.free = make([]byte, max(a.size, len(b)))
	}
	c := a.free[:len(b):len(b)]
	a.free = a.free[len(b):]
	copy(c, b)
	return c
}
