package pebble

import (
	"bytes"
	"hash/maphash"
	"slices"

	"github.com/google/btree"
)

// overlay holds what the functions of one group have written and the engine has not got yet: entries that win over
// everything, and ranges that hide what lies below. A function that fails is undone by mark and rollback.
// Not safe for concurrent use; the shard's leader owns it.
//
// Most groups only put and get, so that entries are found by hash; an order is made for the first scan, and kept up from then on.
type overlay struct {
	entries []entry // in the order of their first write
	table   []int32 // 1 + a place in entries, by the key's hash with linear probing; its length is a power of two, and at most half of it is in use
	seed    maphash.Seed
	live    int
	points  *btree.BTreeG[point] // the live entries in order; nil before the first scan
	spans   []span               // disjoint, in order; the slice is replaced, never changed, so a scan and the undo log may keep it
	undo    []undo
	arena   arena
	bytes   int // of keys and values put in, a bound on the batch
}

// entry is a written key; a nil value is a deletion. One that is not live decides nothing: its write was undone, or a range hides it.
type entry struct {
	key, value []byte
	live       bool
}

// point is a live entry.
type point struct{ key, value []byte }

type span struct{ start, end []byte }

// undo restores one entry, or the spans when isSpans is set.
type undo struct {
	at      int32
	lived   bool
	isSpans bool
	value   []byte
	spans   []span
}

const firstTable = 128

func newOverlay() *overlay {
	return &overlay{seed: maphash.MakeSeed(), table: make([]int32, firstTable), entries: make([]entry, 0, firstTable/4)}
}

// Up to how much room an overlay keeps for another group.
const (
	mostEntries = 4096
	mostUndo    = 256
)

// reset makes the overlay new, with the room it has; false: it is too large to be kept.
func (o *overlay) reset() bool {
	if cap(o.entries) > mostEntries {
		return false
	}
	clear(o.entries)
	clear(o.table)
	log := o.undo
	if cap(log) > mostUndo {
		log = nil
	}
	clear(log[:cap(log)])
	*o = overlay{entries: o.entries[:0], table: o.table, seed: o.seed, undo: log[:0]}
	return true
}

func (o *overlay) empty() bool { return o.live == 0 && len(o.spans) == 0 }

// place is where key's number is in the table, or is to be.
func (o *overlay) place(key []byte) int {
	mask := len(o.table) - 1
	at := int(maphash.Bytes(o.seed, key)) & mask
	for o.table[at] != 0 && !bytes.Equal(o.entries[o.table[at]-1].key, key) {
		at = (at + 1) & mask
	}
	return at
}

// grow makes room for one more entry.
func (o *overlay) grow() {
	if 2*(len(o.entries)+1) <= len(o.table) {
		return
	}
	o.table = make([]int32, 2*len(o.table))
	for i := range o.entries {
		o.table[o.place(o.entries[i].key)] = int32(i + 1)
	}
}

// get tells whether the overlay decides about key, and the value (nil: deleted).
func (o *overlay) get(key []byte) (value []byte, decided bool) {
	if n := o.table[o.place(key)]; n != 0 && o.entries[n-1].live {
		return o.entries[n-1].value, true
	}
	_, hidden := find(o.spans, key)
	return nil, hidden
}

// set copies key and value; a nil value deletes.
func (o *overlay) set(key, value []byte) {
	o.grow()
	at := o.place(key)
	n := o.table[at] - 1
	if n < 0 {
		n = int32(len(o.entries))
		o.entries = append(o.entries, entry{key: o.arena.copy(key)})
		o.table[at] = n + 1
	}
	e := &o.entries[n]
	o.undo = append(o.undo, undo{at: n, lived: e.live, value: e.value})
	if value != nil {
		value = o.arena.copy(value)
	}
	o.bytes += len(key) + len(value) + 16
	o.put(e, value, true)
}

// put changes an entry, and the order with it.
func (o *overlay) put(e *entry, value []byte, live bool) {
	switch {
	case live && !e.live:
		o.live++
	case !live && e.live:
		o.live--
	}
	e.value, e.live = value, live
	switch {
	case o.points == nil:
	case live:
		o.points.ReplaceOrInsert(point{e.key, value})
	default:
		o.points.Delete(point{key: e.key})
	}
}

// ordered gives the live entries in order. It is the overlay's own: clone it to write meanwhile.
func (o *overlay) ordered() *btree.BTreeG[point] {
	if o.points == nil {
		o.points = btree.NewG(16, func(a, b point) bool { return bytes.Compare(a.key, b.key) < 0 })
		for _, e := range o.entries {
			if e.live {
				o.points.ReplaceOrInsert(point{e.key, e.value})
			}
		}
	}
	return o.points
}

// hide takes the entries in [start, end) out and hides what lies below.
func (o *overlay) hide(start, end []byte) {
	var inside []point
	o.ordered().AscendRange(point{key: start}, point{key: end}, func(p point) bool {
		inside = append(inside, p)
		return true
	})
	for _, p := range inside {
		n := o.table[o.place(p.key)] - 1
		o.undo = append(o.undo, undo{at: n, lived: true, value: p.value})
		o.put(&o.entries[n], nil, false)
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
		if u.isSpans {
			o.spans = u.spans
			continue
		}
		o.put(&o.entries[u.at], u.value, u.lived)
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
