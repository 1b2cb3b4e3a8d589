package items

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Get reads one document: by id, or by number when that is not 0. A nil Item means there is none.
func (s *Store) Get(ctx context.Context, r Range, epk, id string, number uint64) (*Item, State, error) {
	g := get{r: r, id: id, number: number, ended: expiry{now: s.clock.Now().Unix()}}
	var err error
	if g.epk, err = appendEPK(g.room[:0], epk); err != nil {
		return nil, State{}, err
	}
	err = s.st.View(ctx, Shard(r.GUID), g.view)
	state := State{Range: r, LSN: g.lsn}
	if g.raw == nil || err != nil {
		return nil, state, err
	}
	h, text, err := decodeDocument(g.raw)
	if err != nil || g.ended.ended(h) {
		return nil, state, err
	}
	g.item = Item{Number: g.found, LSN: h.lsn, ETag: quoteETag(h.etag), Time: h.time, Text: text}
	return &g.item, state, nil
}

// get is one Get on its way; all it needs is one allocation.
type get struct {
	r      Range
	epk    []byte
	id     string
	number uint64 // asked for; 0: by id
	ended  expiry
	item   Item

	// What the View found.
	lsn   store.LSN
	found uint64
	raw   []byte

	room [48]byte // of epk
	key  [64]byte // for building keys
}

func (g *get) view(sn store.Snapshot) error {
	g.raw, g.found, g.lsn = nil, g.number, g.r.lsn(sn.LSN())
	if sn.LSN() == 0 {
		return ErrNoRange
	}
	if err := g.ended.seen(&g.r, sn); err != nil {
		return err
	}
	if g.found == 0 {
		b, err := sn.Get(appendIDKey(g.key[:0], g.epk, g.id))
		if b == nil || err != nil {
			return err
		}
		if g.found, err = parseNumber(b); err != nil {
			return err
		}
	}
	var err error
	g.raw, err = sn.Get(appendDocKey(g.key[:0], g.epk, g.found))
	return err
}

// Selection says which documents to list. The zero value is all of the range, in order of creation.
type Selection struct {
	// Low and High bound the EPKs: all that have the prefix Low when Low == High, else [Low, High). Such a list is ordered by EPK,
	// within a logical partition by creation.
	Low, High string
	// Bounded tells that Low and High count.
	Bounded bool
	// ByOrder has a bounded list in order of creation.
	ByOrder bool
}

// Row is one document of a list.
type Row struct {
	Key  string // its place, as text; rows come in order of their keys
	Text []byte
}

// Page is a part of a list.
type Page struct {
	Rows []Row
	More bool // the list goes on after the last row
	State
	// Last is up to where a Finder looked, if that may be further than the last row.
	Last string
}

// List reads on after the row with the key after ("": from the start) at most rows documents, and about size bytes of them (at least one). A key that
// no row had lists from where it would be; it cannot leave the selection. A key that is none at all is a 400 fault.
func (s *Store) List(ctx context.Context, r Range, sel Selection, after string, rows, size int) (Page, error) {
	cursor, err := hex.DecodeString(after)
	if err != nil || len(cursor) > store.MaxKey-3 {
		return Page{}, invalidContinuation()
	}
	// A list goes on in the order it began in, even if a split or merge has meanwhile made its bounds those of a whole range, or the other way.
	if byEPK := sel.Bounded && !sel.ByOrder; len(cursor) > numberSize || byEPK && len(cursor) != numberSize {
		return s.listByEPK(ctx, r, sel, cursor, rows, size)
	}
	return s.listByOrder(ctx, r, sel, cursor, rows, size)
}

// IsOrder tells whether the key is one of a list in order of creation.
func IsOrder(key string) bool { return len(key) == 2*numberSize }

func invalidContinuation() *fault.Error {
	return fault.New(fault.Invalid, "BadRequest", "Invalid Continuation Token")
}

// slab collects rows in two buffers.
type slab struct {
	rowsMax, sizeMax int
	keys, texts      []byte
	ends             []end
}

type end struct{ key, text int }

func (s *slab) add(key, text []byte) {
	if s.ends == nil { // room for as many rows like the first one
		s.ends = make([]end, 0, min(s.rowsMax, 1024))
		s.keys = make([]byte, 0, 2*len(key)*cap(s.ends))
		s.texts = make([]byte, 0, max(len(text), min(s.sizeMax, (len(text)+len(text)/8)*cap(s.ends))))
	}
	s.keys = hex.AppendEncode(s.keys, key)
	s.texts = append(s.texts, text...)
	s.ends = append(s.ends, end{len(s.keys), len(s.texts)})
}

func (s *slab) rows() []Row {
	out := make([]Row, len(s.ends))
	keys := string(s.keys)
	var from end
	for i, e := range s.ends {
		out[i] = Row{keys[from.key:e.key], s.texts[from.text:e.text:e.text]}
		from = e
	}
	return out
}

func (s *Store) listByEPK(ctx context.Context, r Range, sel Selection, cursor []byte, rows, size int) (Page, error) {
	from, err := sel.keys()
	if err != nil {
		return Page{}, err
	}
	if len(cursor) > 0 {
		if after := append(append([]byte("D|"), cursor...), 0); bytes.Compare(after, from.Start) > 0 {
			from.Start = after
		}
	}
	if from.End != nil && bytes.Compare(from.Start, from.End) >= 0 {
		from.Start = from.End
	}
	var p Page
	var texts slab
	ended := expiry{now: s.clock.Now().Unix()}
	err = s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		p, texts = Page{State: State{Range: r, LSN: r.lsn(sn.LSN())}}, slab{rowsMax: rows, sizeMax: size}
		if sn.LSN() == 0 {
			return ErrNoRange
		}
		if err := ended.seen(&r, sn); err != nil {
			return err
		}
		var bad error
		err := sn.Scan(from, func(key, value []byte) bool {
			h, text, err := decodeDocument(value)
			if err != nil {
				bad = err
				return false
			}
			if ended.ended(h) {
				return true
			}
			if len(texts.ends) > 0 && (len(texts.ends) >= rows || len(texts.texts)+len(value) > size) {
				p.More = true
				return false
			}
			texts.add(key[2:], text)
			return true
		})
		if err != nil {
			return err
		}
		return bad
	})
	p.Rows = texts.rows()
	return p, err
}

// keys is the stretch of document records that the selection is about.
func (sel *Selection) keys() (store.Range, error) {
	all := store.Prefix([]byte("D|"))
	if !sel.Bounded {
		return all, nil
	}
	low, err := epkBytes(sel.Low)
	if err != nil {
		return all, err
	}
	if sel.Low == sel.High {
		return store.Prefix(append([]byte("D|"), low...)), nil
	}
	high, err := epkBytes(sel.High)
	return store.Range{Start: append([]byte("D|"), low...), End: append([]byte("D|"), high...)}, err
}

// holds tells whether the key is in a stretch.
func holds(r store.Range, key []byte) bool {
	return bytes.Compare(key, r.Start) >= 0 && (r.End == nil || bytes.Compare(key, r.End) < 0)
}

// place is where a document lies.
type place struct{ order, doc []byte }

func (s *Store) listByOrder(ctx context.Context, r Range, sel Selection, cursor []byte, rows, size int) (Page, error) {
	within, err := sel.keys()
	if err != nil {
		return Page{}, err
	}
	from := store.Prefix([]byte("R|"))
	if len(cursor) > 0 {
		from.Start = append(append([]byte("R|"), cursor...), 0)
	}
	var p Page
	var texts slab
	ended := expiry{now: s.clock.Now().Unix()}
	err = s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		p, texts = Page{State: State{Range: r, LSN: r.lsn(sn.LSN())}}, slab{rowsMax: rows, sizeMax: size}
		if sn.LSN() == 0 {
			return ErrNoRange
		}
		if err := ended.seen(&r, sn); err != nil {
			return err
		}
		p.More = true
		for from := from; p.More && len(texts.ends) < rows && len(texts.texts) < size; {
			places, err := placesAfter(sn, from, rows+1, within)
			if err != nil {
				return err
			}
			p.More = len(places) > rows
			for _, at := range places[:min(len(places), rows)] {
				if len(texts.ends) >= rows || len(texts.texts) >= size {
					p.More = true
					break
				}
				if err := texts.addAt(sn, at, &ended); err != nil {
					return err
				}
				from.Start = append(append([]byte("R|"), at.order...), 0)
			}
		}
		return nil
	})
	p.Rows = texts.rows()
	return p, err
}

// placesAfter lists the first places of a stretch of R rows, of documents within another stretch.
func placesAfter(sn store.Snapshot, from store.Range, limit int, within store.Range) (places []place, err error) {
	err = sn.Scan(from, func(key, value []byte) bool {
		number, err := parseNumber(key[2:])
		if err != nil {
			return true // not one of ours
		}
		if doc := docKey(value, number); holds(within, doc) {
			places = append(places, place{bytes.Clone(key[2:]), doc})
		}
		return len(places) < limit
	})
	return places, err
}

// addAt adds the document at a place, unless it has ended.
func (s *slab) addAt(sn store.Snapshot, at place, ended *expiry) error {
	b, err := sn.Get(at.doc)
	if err != nil {
		return err
	}
	if b == nil {
		return fmt.Errorf("items: document %x has an order row, but no record", at.order)
	}
	h, text, err := decodeDocument(b)
	if err == nil && !ended.ended(h) {
		s.add(at.order, text)
	}
	return err
}

// Stat tells how full the range is.
func (s *Store) Stat(ctx context.Context, r Range) (State, error) {
	var state State
	err := s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		state = State{Range: r, LSN: r.lsn(sn.LSN())}
		b, err := sn.Get(rangeKey)
		switch {
		case err != nil:
			return err
		case b == nil:
			return ErrNoRange
		}
		rec, err := decodeRange(b)
		state.Usage = Usage{rec.documents, rec.bytes}
		return err
	})
	return state, err
}
