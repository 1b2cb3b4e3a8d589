package items

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// identity is what a session gives a document before it is written.
type identity struct {
	number uint64
	etag   [16]byte
}

// Bounds of a session's writes, those to the index with them. The store bounds a transaction; what is left is for the last write, and for a split, which
// takes a transaction over with more writes than it had.
const (
	maxSessionKeys  = store.MaxTxKeys / 2
	maxSessionBytes = store.MaxTxBytes / 2
	// sessionSeq is the first place in a transaction that a session numbers documents by: those before it are for Apply.
	sessionSeq = 100
)

// ErrStale: what a session has read was changed by others. Nothing was written; begin again.
var ErrStale = errors.New("items: what the session read has changed")

// ErrFull: the session holds as many writes as a transaction may.
var ErrFull = fmt.Errorf("items: one transaction has at most %d keys, those of the index with them, and %d bytes", maxSessionKeys, maxSessionBytes)

// Session reads and writes one logical partition for as long as its owner needs: a script, say. It sees the store as it is, with its own writes in it; each
// write is checked by all rules when it is made. Commit writes all of them in one transaction, if nothing that was read has changed, so that
// sessions are serializable. Not safe for concurrent use. A session that is not committed leaves nothing.
type Session struct {
	s      *Store
	r      Range
	epk    string
	prefix []byte
	now    time.Time
	buf    *buffer
	writes []Write
	next   uint64 // number after the last one given
	usage  Usage

	indexKeys int // that the commit will write besides
}

// Begin starts a session on the logical partition of an EPK. Documents written have the time now.
func (s *Store) Begin(r Range, epk string, now time.Time) (*Session, error) {
	b, err := epkBytes(epk)
	if err != nil {
		return nil, err
	}
	return &Session{s: s, r: r, epk: epk, prefix: append([]byte("D|"), b...), now: now, buf: newBuffer()}, nil
}

// view runs fn on the store with the session's writes in it.
func (x *Session) view(ctx context.Context, fn func(t *transaction) error) error {
	t := transaction{r: x.r, time: x.now.Unix(), expiry: expiry{now: x.now.Unix()}, seq: uint16(len(x.writes)), partition: x.s.Limits.Partition}
	return x.s.st.View(ctx, Shard(x.r.GUID), func(sn store.Snapshot) error {
		x.buf.settle(false)
		x.buf.base = sn
		if x.buf.lsn == 0 {
			x.buf.lsn = sn.LSN()
		}
		if err := t.begin(x.buf, false); err != nil {
			return err
		}
		return fn(&t)
	})
}

// Stat makes sure that the range is in use, and tells its state.
func (x *Session) Stat(ctx context.Context) (State, error) {
	err := x.view(ctx, func(t *transaction) error {
		x.usage = Usage{t.record.documents, t.record.bytes}
		return nil
	})
	return x.State(), err
}

// State is the range as the session began.
func (x *Session) State() State { return State{Range: x.r, LSN: x.r.lsn(x.buf.lsn), Usage: x.usage} }

// Written counts the writes so far.
func (x *Session) Written() int { return len(x.writes) }

// Get reads a document by id, or by number when that is not 0. A nil Item means there is none.
func (x *Session) Get(ctx context.Context, id string, number uint64) (*Item, error) {
	var out *Item
	err := x.view(ctx, func(t *transaction) error {
		s, err := t.find(x.prefix[2:], id, number)
		x.usage, out = Usage{t.record.documents, t.record.bytes}, nil
		if s == nil || err != nil {
			return err
		}
		item := s.item()
		out = &item
		return nil
	})
	return out, err
}

// List reads on after the row with the key after ("": from the start), as Store.List does for one logical partition.
func (x *Session) List(ctx context.Context, after string, rows, size int) (Page, error) {
	cursor, err := hex.DecodeString(after)
	if err != nil || len(cursor) > store.MaxKey-3 {
		return Page{}, invalidContinuation()
	}
	within := store.Prefix(x.prefix)
	if from := append(append([]byte("D|"), cursor...), 0); len(cursor) > 0 && bytes.Compare(from, within.Start) > 0 {
		within.Start = from
	}
	if within.End != nil && bytes.Compare(within.Start, within.End) > 0 {
		within.Start = within.End
	}
	var p Page
	var texts slab
	err = x.view(ctx, func(t *transaction) error {
		p, texts = Page{State: x.State()}, slab{rowsMax: rows, sizeMax: size}
		var bad error
		err := x.buf.Scan(within, func(key, value []byte) bool {
			h, text, err := decodeDocument(value)
			if err != nil {
				bad = err
				return false
			}
			if t.expiry.ended(h) {
				return true
			}
			if len(texts.ends) > 0 && (len(texts.ends) >= rows || len(texts.texts)+len(value) > size) {
				p.More = true
				return false
			}
			texts.add(key[2:], text)
			return true
		})
		if err == nil {
			err = bad
		}
		return err
	})
	p.Rows = texts.rows()
	return p, err
}

// Do makes a write. Its faults are those of Store.Apply; one that fails leaves the session as it was. Once the session is full it is ErrFull.
func (x *Session) Do(ctx context.Context, w Write) (Outcome, error) {
	if x.buf.done.keys+x.indexKeys >= maxSessionKeys || x.buf.done.bytes >= maxSessionBytes {
		return Outcome{}, ErrFull
	}
	w.EPK = x.epk
	_, _ = rand.Read(w.given.etag[:]) // never fails
	p, err := x.r.ready(&w)
	if err != nil {
		return Outcome{}, err
	}
	var out Outcome
	var was []byte
	err = x.view(ctx, func(t *transaction) error {
		if was, err = x.replaced(t, &p); err != nil {
			return err
		}
		if w.Op == Create || w.Op == Upsert {
			if w.given.number, err = x.number(t); err != nil {
				return err
			}
		}
		out, err = t.apply(&p)
		if err != nil || !t.wrote {
			return err
		}
		x.usage = Usage{t.record.documents, t.record.bytes}
		return x.buf.Put(rangeKey, t.record.encode())
	})
	n := 0
	if err == nil {
		n, err = x.indexed(ctx, &p, was)
	}
	if err != nil {
		x.buf.settle(false)
		return Outcome{}, err
	}
	x.buf.settle(true)
	x.indexKeys += n
	x.next = max(x.next, w.given.number)
	if w.Op != Read {
		x.writes = append(x.writes, w)
	}
	return out, nil
}

// replaced is the text that a write will replace or remove; nil: none.
func (x *Session) replaced(t *transaction, p *prepared) ([]byte, error) {
	if p.Op == Create || p.Op == Read {
		return nil, nil
	}
	old, err := t.find(p.epk, p.ID, p.Number)
	if old == nil || err != nil {
		return nil, err
	}
	return bytes.Clone(old.text), nil
}

// indexed is how many rows of the index a write will change, at most.
func (x *Session) indexed(ctx context.Context, p *prepared, was []byte) (int, error) {
	if p.Op == Read {
		return 0, nil
	}
	in, err := x.s.indexOf(ctx, x.r.GUID)
	if err != nil {
		return 0, err
	}
	t := transaction{time: x.now.Unix()}
	n := 0
	for _, policy := range []*index.Policy{in.Current, in.Target} {
		if policy == nil || policy.None {
			continue
		}
		old, now := &index.Rows{}, &index.Rows{}
		if was != nil {
			if old, err = policy.Rows(was, -1, false); err != nil {
				return 0, err
			}
		}
		if p.Op != Delete {
			if now, err = t.rowsOf(policy, p); err != nil {
				return 0, err
			}
		}
		n = max(n, index.Difference(old, now)+1)
	}
	return n, nil
}

// number finds one that no document has: of the transaction that would come next, or the ones after.
func (x *Session) number(t *transaction) (uint64, error) {
	lsn, seq := t.lsn, uint8(sessionSeq)
	if x.next != 0 {
		lsn, seq = store.LSN(x.next>>seqBits&(1<<lsnBits-1)), uint8(x.next)
		if seq++; seq == 0 {
			lsn, seq = lsn+1, sessionSeq
		}
	}
	for range 1000 {
		n := documentNumber(t.record.number, lsn, seq)
		if b, err := t.tx.Get(orderKey(n)); b == nil || err != nil {
			return n, err
		}
		lsn++ // another session has this one's numbers
	}
	return 0, fmt.Errorf("%w: no number is free", ErrStale)
}

// Commit writes what the session did, in one transaction, and tells the state after it. ErrStale: others changed what it read.
func (x *Session) Commit(ctx context.Context) (State, error) {
	if len(x.writes) == 0 {
		ok, err := x.Valid(ctx)
		if err == nil && !ok {
			err = ErrStale
		}
		return x.State(), err
	}
	_, state, err := x.s.applyIf(ctx, x.r, x.now, x.writes, func(tx store.Tx) error {
		ok, err := x.buf.valid(tx, tx.LSN()-1)
		if err == nil && !ok {
			err = ErrStale
		}
		return err
	})
	return state, err
}

// Valid tells whether what the session has read is still so.
func (x *Session) Valid(ctx context.Context) (ok bool, err error) {
	err = x.s.st.View(ctx, Shard(x.r.GUID), func(sn store.Snapshot) error {
		ok, err = x.buf.valid(sn, sn.LSN())
		return err
	})
	return ok, err
}
