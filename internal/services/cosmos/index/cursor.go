package index

import (
	"bytes"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Bounds are the suffixes a query looks at: [Low, High), each nil where there is none.
type Bounds struct{ Low, High []byte }

// Within makes the Bounds of effective partition keys: those that begin with low if low equals high, else [low, high).
func Within(low, high []byte) Bounds {
	if bytes.Equal(low, high) {
		return Bounds{low, successor(low)}
	}
	return Bounds{low, high}
}

func (b Bounds) holds(suffix []byte) bool {
	return bytes.Compare(suffix, b.Low) >= 0 && (b.High == nil || bytes.Compare(suffix, b.High) < 0)
}

// of is the range of keys with a prefix and a suffix within the bounds.
func (b Bounds) of(prefix []byte) store.Range {
	r := store.Range{Start: slices.Concat(prefix, b.Low), End: successor(prefix)}
	if b.High != nil {
		r.End = slices.Concat(prefix, b.High)
	}
	return r
}

// cursor walks suffixes in order.
type cursor interface {
	// seek gives the first suffix that is not before target, nil if there is none. Targets never go back.
	seek(target []byte) ([]byte, error)
}

// postings is a cursor over the rows of one head.
type postings struct {
	sn    store.Snapshot
	head  []byte
	end   []byte // of the keys
	chunk int
	have  [][]byte
	last  bool // nothing follows what is at hand
}

func newPostings(sn store.Snapshot, head []byte, b Bounds) *postings {
	return &postings{sn: sn, head: head, end: b.of(head).End, chunk: 8}
}

func (p *postings) seek(target []byte) ([]byte, error) {
	for {
		n, _ := slices.BinarySearchFunc(p.have, target, bytes.Compare)
		p.have = p.have[n:]
		if len(p.have) > 0 {
			return p.have[0], nil
		}
		if p.last {
			return nil, nil
		}
		p.chunk = min(2*p.chunk, 512)
		more := false
		err := p.sn.Scan(store.Range{Start: slices.Concat(p.head, target), End: p.end}, func(key, _ []byte) bool {
			if len(p.have) == p.chunk {
				more = true
				return false
			}
			p.have = append(p.have, key[len(p.head):])
			return true
		})
		if err != nil {
			return nil, err
		}
		p.last = !more
	}
}

// list is a cursor over suffixes at hand, in order.
type list [][]byte

func (l *list) seek(target []byte) ([]byte, error) {
	n, _ := slices.BinarySearchFunc(*l, target, bytes.Compare)
	*l = (*l)[n:]
	if len(*l) == 0 {
		return nil, nil
	}
	return (*l)[0], nil
}

// either walks what one of its cursors has.
type either []cursor

func (e either) seek(target []byte) ([]byte, error) {
	var first []byte
	for _, c := range e {
		s, err := c.seek(target)
		if err != nil {
			return nil, err
		}
		if s != nil && (first == nil || bytes.Compare(s, first) < 0) {
			first = s
		}
	}
	return first, nil
}

// both walks what all of its cursors have, each leaping to where the others are.
type both []cursor

func (b both) seek(target []byte) ([]byte, error) {
	for agreed := 0; ; {
		for _, c := range b {
			s, err := c.seek(target)
			if s == nil || err != nil {
				return nil, err
			}
			if bytes.Equal(s, target) {
				agreed++
			} else {
				target, agreed = s, 1
			}
			if agreed == len(b) {
				return s, nil
			}
		}
	}
}
