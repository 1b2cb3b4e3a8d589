package items

import (
	"bytes"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// loader reads the documents of candidates, in the order of their keys where that is cheaper: neighbours in the store are often neighbours in a query's order.
type loader struct {
	sn      store.Snapshot
	ended   *expiry
	average int // bytes of a document
	max     int // bytes of documents, about
	page    *Page
	size    int
	piece   []byte // where texts go
}

// read adds the documents of candidates to the page, until it holds enough.
func (l *loader) read(found []index.Candidate) error {
	if l.page.Rows == nil {
		l.page.Rows = make([]Row, 0, len(found))
	}
	for len(found) > 0 {
		if l.size >= l.max {
			l.page.More = true
			return nil
		}
		n := min(len(found), max(1, (l.max-l.size)/max(1, l.average)))
		for fits := false; !fits; n = max(1, n/2) {
			var err error
			if fits, err = l.group(found[:n], n > 1); err != nil {
				return err
			}
			if fits {
				break
			}
		}
		l.page.Last = found[n-1].Key
		found = found[n:]
	}
	return nil
}

// group adds the documents of a group. With bounded set it gives up, and tells so, when they are far more than is wanted.
func (l *loader) group(found []index.Candidate, bounded bool) (fits bool, err error) {
	keys, places := inOrder(found)
	texts := make([][]byte, len(found))
	size := 0
	fits = true
	var bad error
	err = l.sn.GetMany(keys, func(i int, value []byte) bool {
		if value == nil {
			return true // deleted since the plan was made
		}
		h, text, err := decodeDocument(value)
		if err != nil {
			bad = err
			return false
		}
		if l.ended.ended(h) {
			return true
		}
		if size += len(text); bounded && l.size+size > 2*l.max {
			fits = false
			return false
		}
		texts[places.of(i)] = l.keep(text, len(found))
		return true
	})
	if err == nil {
		err = bad
	}
	if err != nil || !fits {
		return fits, err
	}
	l.size += size
	for i, t := range texts {
		if t != nil {
			l.page.Rows = append(l.page.Rows, Row{found[i].Key, t})
		}
	}
	return true, nil
}

// keep copies a text into a piece that has room for about n of them.
func (l *loader) keep(text []byte, n int) []byte {
	if len(text) > cap(l.piece)-len(l.piece) {
		l.piece = make([]byte, 0, max(len(text), min(n*(len(text)+len(text)/16), maxPiece)))
	}
	at := len(l.piece)
	l.piece = append(l.piece, text...)
	return l.piece[at:len(l.piece):len(l.piece)]
}

const maxPiece = 32 << 10

// permutation says which candidate a key is of; nil: they have the same order.
type permutation []int32

func (p permutation) of(i int) int {
	if p == nil {
		return i
	}
	return int(p[i])
}

// inOrder makes the keys of candidates' records, in order.
func inOrder(found []index.Candidate) ([][]byte, permutation) {
	size := 0
	for _, c := range found {
		size += 2 + len(c.Suffix)
	}
	room := make([]byte, 0, size)
	keys := make([][]byte, len(found))
	sorted := true
	for i, c := range found {
		at := len(room)
		room = append(append(room, 'D', '|'), c.Suffix...)
		keys[i] = room[at:len(room):len(room)]
		sorted = sorted && (i == 0 || bytes.Compare(keys[i-1], keys[i]) <= 0)
	}
	if sorted {
		return keys, nil
	}
	p := make(permutation, len(found))
	for i := range p {
		p[i] = int32(i)
	}
	slices.SortFunc(p, func(a, b int32) int { return bytes.Compare(keys[a], keys[b]) })
	out := make([][]byte, len(keys))
	for i, at := range p {
		out[i] = keys[at]
	}
	return out, p
}
