package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// ErrUnordered: the index does not hold the whole order of what a query sorts by (cut strings, arrays or objects are among it), so that the query has to sort.
var ErrUnordered = errors.New("index: the order is not in the index")

// walk goes through documents in the order of a property or of a composite index. Documents with equal values are a group; within it they come as they
// were created, or the other way round.
type walk struct {
	head      []byte // what the keys begin with
	masks     []byte // of the values behind it: 0xff where the index has them inverted
	spans     []span // of the values, in order; where they are more than one value a key, the whole
	reverse   bool   // from the last key to the first
	down      bool   // numbers fall within a group
	undefined heads  // rows of documents without the property: before the others, or behind them in reverse
	any       bool   // undefined counts, even if it is empty

	composite *composite // whose entries are walked; nil: terms of a path
	leaves    []*leaf    // conditions that the spans say all of, or at least the path
}

// covers tells whether every document of the walk meets a condition.
func (w *walk) covers(c condition) bool {
	switch x := c.(type) {
	case nil:
		return true
	case *leaf:
		return slices.Contains(w.leaves, x)
	case every:
		return !slices.ContainsFunc(x, func(y condition) bool { return !w.covers(y) })
	}
	return false
}

// posting is a document at its place in a walk.
type posting struct {
	group  []byte
	suffix []byte
	number uint64
}

// place is where a walk stands: after the document with that number in that group.
type place struct {
	group  []byte
	number uint64
}

// Encoded places begin with the length of the group.
func (p place) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.group)))
	return binary.BigEndian.AppendUint64(append(b, p.group...), p.number)
}

func decodePlace(b []byte) (place, bool) {
	if len(b) < 11 || len(b) != 10+int(binary.BigEndian.Uint16(b)) {
		return place{}, false
	}
	return place{b[2 : len(b)-8], binary.BigEndian.Uint64(b[len(b)-8:])}, true
}

// walker is one reading of a walk.
type walker struct {
	*walk
	sn     store.Snapshot
	bounds Bounds
	after  *place
	max    int
	out    []posting
	group  []posting // the documents of the group that is being read
	full   bool      // out holds what was asked for
	err    error
}

// read gives at most limit documents after a place (nil: from the start), and whether there may be more.
func (w *walk) read(sn store.Snapshot, b Bounds, after *place, limit int) (out []posting, more bool, err error) {
	r := walker{walk: w, sn: sn, bounds: b, after: after, max: limit}
	first := r.none
	second := r.values
	if w.reverse {
		first, second = second, first
	}
	first()
	if !r.full && r.err == nil {
		second()
	}
	return r.out, r.full, r.err
}

var undefinedGroup = []byte{typeUndefined}

// none reads the documents without the property.
func (r *walker) none() {
	if !r.any {
		return
	}
	if r.after != nil && !bytes.Equal(r.after.group, undefinedGroup) && !r.reverse {
		return // passed
	}
	for _, h := range r.undefined {
		err := r.sn.Scan(r.bounds.of(h), func(key, _ []byte) bool {
			r.add(undefinedGroup, key[len(h):])
			return true
		})
		if err != nil {
			r.err = err
			return
		}
	}
	r.flush()
}

// add puts a document into the group at hand. Of a group larger than what is asked for only the first are kept.
func (r *walker) add(group, suffix []byte) {
	if len(suffix) < 8 {
		r.err = errTerm
		return
	}
	number := binary.BigEndian.Uint64(suffix[len(suffix)-8:])
	if r.after != nil && bytes.Equal(group, r.after.group) && !r.later(number, r.after.number) {
		return
	}
	r.group = append(r.group, posting{group, suffix, number})
	if room := r.max - len(r.out) + 1; len(r.group) > 2*room+64 {
		r.sort()
		r.group = r.group[:room]
	}
}

func (r *walker) later(a, b uint64) bool {
	if r.down {
		return a < b
	}
	return a > b
}

func (r *walker) sort() {
	slices.SortFunc(r.group, func(a, b posting) int {
		if r.later(a.number, b.number) {
			return 1
		}
		return -1
	})
}

// flush ends a group.
func (r *walker) flush() {
	if len(r.group) > 1 {
		r.sort()
	}
	for _, p := range r.group {
		if len(r.out) == r.max {
			r.full = true
			break
		}
		r.out = append(r.out, p)
	}
	r.group = r.group[:0]
}

// values reads the documents that have the property.
func (r *walker) values() {
	spans := r.spans
	if r.reverse {
		spans = slices.Clone(spans)
		slices.Reverse(spans)
	}
	var from []byte // the group that is under way
	if r.after != nil && !(r.any && bytes.Equal(r.after.group, undefinedGroup)) {
		from = r.after.group
	} else if r.after != nil && r.reverse {
		return // passed
	}
	for _, s := range spans {
		low, high := s.low, s.high
		if from != nil && !r.reverse {
			if bytes.Compare(high, from) <= 0 {
				continue
			}
			low = maxBytes(low, from)
		} else if from != nil {
			if bytes.Compare(low, from) > 0 {
				continue
			}
			high = minBytes(high, successor(from))
		}
		if r.span(slices.Concat(r.head, low), slices.Concat(r.head, high)); r.full || r.err != nil {
			return
		}
	}
}

func maxBytes(a, b []byte) []byte {
	if bytes.Compare(a, b) > 0 {
		return a
	}
	return b
}

func minBytes(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		return a
	}
	return b
}

// patience is how many rows of other logical partitions a walk passes before it leaps.
const patience = 64

// span reads the rows in [low, high).
func (r *walker) span(low, high []byte) {
	for leap := true; leap; {
		leap = false
		strange := 0
		var group []byte
		if len(r.group) > 0 {
			group = r.group[0].group // the rest of it is still to come
		}
		err := r.sn.Scan(store.Range{Start: low, End: high, Reverse: r.reverse}, func(key, _ []byte) bool {
			n, unordered := r.length(key[len(r.head):])
			if r.err != nil {
				return false
			}
			g, suffix := key[len(r.head):len(r.head)+n], key[len(r.head)+n:]
			if !bytes.Equal(g, group) {
				if r.flush(); r.full {
					return false
				}
				if len(r.out) == r.max {
					r.full = true
					return false
				}
				group = g
			}
			if !r.bounds.holds(suffix) {
				if strange++; strange < patience {
					return true
				}
				whole := key[:len(r.head)+n]
				leap = true
				switch before := bytes.Compare(suffix, r.bounds.Low) < 0; {
				case before && !r.reverse:
					low = slices.Concat(whole, r.bounds.Low)
				case !before && !r.reverse:
					low = successor(whole)
				case before:
					high = whole
				default:
					high = slices.Concat(whole, r.bounds.High)
				}
				return false
			}
			if strange = 0; unordered {
				r.err = ErrUnordered
				return false
			}
			r.add(g, suffix)
			return r.err == nil
		})
		if err != nil {
			r.err = err
		}
		if r.full || r.err != nil {
			return
		}
	}
	r.flush()
}

// length is how long the values of a key are, and whether they do not tell the order.
func (r *walker) length(b []byte) (n int, unordered bool) {
	for _, mask := range r.masks {
		m, cut, err := valueLen(b[n:], mask)
		if err != nil {
			r.err = err
			return 0, false
		}
		t := b[n] ^ mask
		unordered = unordered || cut || t == typeArray || t == typeObject
		n += m
	}
	return n, unordered
}
