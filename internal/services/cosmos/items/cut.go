package items

import (
	"bytes"
	"context"
	"encoding/binary"
	"sort"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// A cut is a range's state at one LSN, read in steps while the range stays in use. From its begin on, the first write to a document of that state
// leaves a copy of it, B|epk|number, with the LSN of the write. A step of the reading takes the documents that are still as they were; the copies
// give the rest: those whose step came after their write.

// Sizes of a cut's steps, and how long a copy is kept when nobody reads on.
const (
	cutRows  = 500
	cutBytes = 4 << 20
	cutKept  = 10 * time.Minute
)

// Cut reads a range as it was at one LSN. Not safe for concurrent use.
type Cut struct {
	LSN   store.LSN
	s     *Store
	r     Range
	ended expiry
	after []byte
	steps []cutStep // in the order of their keys
}

// cutStep is up to which key a step read, at which LSN.
type cutStep struct {
	end []byte
	lsn uint64
}

// keepForCut copies a document that a cut is to have, before a write changes it.
func (t *transaction) keepForCut(p *prepared, old *stored) error {
	if t.record.cut == 0 || t.record.cutUntil <= t.time || old.header.lsn > t.record.cut {
		return nil
	}
	key := docKey(p.epk, old.number)
	key[0] = 'B'
	if b, err := t.tx.Get(key); b != nil || err != nil {
		return err
	}
	value := binary.BigEndian.AppendUint64(make([]byte, 0, 8+old.header.size()+len(old.text)), uint64(t.lsn))
	return t.tx.Put(key, append(old.header.append(value), old.text...))
}

// BeginCut fixes the state to read. One at a time: another one under way is a 409 fault. End must be called.
func (s *Store) BeginCut(ctx context.Context, r Range) (*Cut, error) {
	now := s.clock.Now()
	c := &Cut{s: s, r: r, ended: expiry{now: now.Unix()}}
	err := s.amend(ctx, r, func(tx store.Tx, rec *rangeRecord) error {
		switch {
		case rec.status == fenced:
			return ErrFenced
		case rec.cut != 0 && rec.cutUntil > now.Unix():
			return fault.New(fault.Conflict, "Conflict", "The partition key range '%s' is being exported already.", r.ID)
		}
		if err := dropCopies(tx); err != nil {
			return err
		}
		c.LSN = r.lsn(tx.LSN())
		rec.cut, rec.cutUntil = uint64(c.LSN), now.Add(cutKept).Unix()
		return c.ended.seen(&r, tx)
	})
	return c, err
}

func dropCopies(tx store.Tx) error {
	all := store.Prefix([]byte("B|"))
	return tx.DeleteRange(all.Start, all.End)
}

// End lets the copies go.
func (c *Cut) End(ctx context.Context) error {
	return c.s.amend(ctx, c.r, func(tx store.Tx, rec *rangeRecord) error {
		if rec.cut != uint64(c.LSN) {
			return nil
		}
		rec.cut, rec.cutUntil = 0, 0
		return dropCopies(tx)
	})
}

// renew keeps the copies for longer. A cut that was left alone for too long has lost its state.
func (c *Cut) renew(ctx context.Context) error {
	now := c.s.clock.Now()
	return c.s.amend(ctx, c.r, func(_ store.Tx, rec *rangeRecord) error {
		if rec.cut != uint64(c.LSN) || rec.cutUntil <= now.Unix() {
			return fault.New(fault.Conflict, "Conflict", "The export of partition key range '%s' stood still for too long. Begin again.", c.r.ID)
		}
		if rec.cutUntil-now.Unix() < int64(cutKept/time.Second)/2 {
			rec.cutUntil = now.Add(cutKept).Unix()
		}
		return nil
	})
}

// Read calls emit for each document of the state with its text, in no order that means anything. Between the calls nothing of the store is held.
func (c *Cut) Read(ctx context.Context, emit func(text []byte) error) error {
	for more := true; more; {
		texts, m, err := c.step(ctx)
		if err != nil {
			return err
		}
		more = m
		if err := emitAll(texts, emit); err != nil {
			return err
		}
		if err := c.renew(ctx); err != nil {
			return err
		}
	}
	for after, more := []byte(nil), true; more; {
		texts, last, err := c.copies(ctx, after)
		if err != nil {
			return err
		}
		after, more = last, last != nil
		if err := emitAll(texts, emit); err != nil {
			return err
		}
		if err := c.renew(ctx); err != nil {
			return err
		}
	}
	return nil
}

func emitAll(texts [][]byte, emit func([]byte) error) error {
	for _, t := range texts {
		if err := emit(t); err != nil {
			return err
		}
	}
	return nil
}

// step reads on among the documents.
func (c *Cut) step(ctx context.Context) (texts [][]byte, more bool, err error) {
	from := store.Prefix([]byte("D|"))
	if c.after != nil {
		from.Start = append(bytes.Clone(c.after), 0)
	}
	var last []byte
	var at uint64
	err = c.s.st.View(ctx, Shard(c.r.GUID), func(sn store.Snapshot) error {
		texts, more, last, at = texts[:0], false, nil, uint64(c.r.lsn(sn.LSN()))
		if sn.LSN() == 0 {
			return ErrNoRange
		}
		var bad error
		n, size := 0, 0
		err := sn.Scan(from, func(key, value []byte) bool {
			if n++; n > cutRows || size > cutBytes {
				more = true
				return false
			}
			last, size = bytes.Clone(key), size+len(value)
			h, text, err := decodeDocument(value)
			if err != nil {
				bad = err
				return false
			}
			if h.lsn <= uint64(c.LSN) && !c.ended.ended(h) {
				texts = append(texts, bytes.Clone(text))
			}
			return true
		})
		if err == nil {
			err = bad
		}
		return err
	})
	if more {
		c.after = last
		c.steps = append(c.steps, cutStep{last, at})
	} else {
		c.steps = append(c.steps, cutStep{[]byte("D}"), at})
	}
	return texts, more, err
}

// copies reads on among the copies; last is nil at their end.
func (c *Cut) copies(ctx context.Context, after []byte) (texts [][]byte, last []byte, err error) {
	from := store.Prefix([]byte("B|"))
	if after != nil {
		from.Start = append(bytes.Clone(after), 0)
	}
	err = c.s.st.View(ctx, Shard(c.r.GUID), func(sn store.Snapshot) error {
		texts, last = texts[:0], nil
		if sn.LSN() == 0 {
			return ErrNoRange
		}
		var bad error
		n, size := 0, 0
		err := sn.Scan(from, func(key, value []byte) bool {
			if n++; n > cutRows || size > cutBytes {
				return false
			}
			last, size = bytes.Clone(key), size+len(value)
			written := binary.BigEndian.Uint64(value)
			h, text, err := decodeDocument(value[8:])
			if err != nil {
				bad = err
				return false
			}
			if written <= c.readAt(key) && !c.ended.ended(h) {
				texts = append(texts, bytes.Clone(text))
			}
			return true
		})
		if err == nil {
			err = bad
		}
		return err
	})
	return texts, last, err
}

// readAt is at which LSN the step read that a copy's document was in.
func (c *Cut) readAt(key []byte) uint64 {
	doc := append([]byte{'D'}, key[1:]...)
	i := sort.Search(len(c.steps), func(i int) bool { return bytes.Compare(c.steps[i].end, doc) >= 0 })
	return c.steps[min(i, len(c.steps)-1)].lsn
}
