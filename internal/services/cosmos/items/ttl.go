package items

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Time to live. A range whose container has a default has the row E|. In it, documents that may expire stand in a queue of two parts:
//
//	X|o|time|number  a document with a ttl of its own, by the second it ends at
//	X|d|time|number  one that follows the container's default, by its `_ts`; so a change of the default moves nothing
//
// The value is the document's EPK. A document that has ended is invisible at once: every read and write asks `expiry`. Expire removes it later.

const kindTTL = 'E'

// Parts of the queue.
const (
	queueOwn     = 'o'
	queueDefault = 'd'
)

var ttlKey = []byte("E|")

// ttlRecord is a range's row E|. It is there once the container had a default, even if that was taken away again.
type ttlRecord struct {
	ttl      int32  // 0: off; -1: on, documents do not expire by themselves; else seconds
	revision uint64 // of the container's setting; an older one changes nothing
	filling  bool   // documents before the setting are still to be queued: those after cursor
	cursor   []byte // a key of D|; empty: all
}

func (r ttlRecord) encode() []byte {
	b := append(make([]byte, 0, 15+len(r.cursor)), kindTTL, version)
	b = binary.BigEndian.AppendUint32(b, uint32(r.ttl))
	b = binary.BigEndian.AppendUint64(b, r.revision)
	if r.filling {
		return append(append(b, 1), r.cursor...)
	}
	return append(b, 0)
}

func decodeTTL(b []byte) (r ttlRecord, err error) {
	if err := checkKind(b, kindTTL, 15); err != nil {
		return r, err
	}
	return ttlRecord{
		ttl: int32(binary.BigEndian.Uint32(b[2:])), revision: binary.BigEndian.Uint64(b[6:]), filling: b[14] == 1, cursor: bytes.Clone(b[15:]),
	}, nil
}

// expiry tells which documents have ended. The zero value: none.
type expiry struct {
	ttlRecord
	kept bool  // the range has a queue
	now  int64 // seconds
}

// seen reads the range's setting for a read, unless its container never had one.
func (e *expiry) seen(r *Range, sn store.Snapshot) error {
	if !r.Rules.Timed {
		return nil
	}
	return e.load(sn)
}

// load reads the range's setting. Writes always do: one that began before the setting must not slip past the queue.
func (e *expiry) load(sn store.Snapshot) error {
	e.ttlRecord, e.kept = ttlRecord{}, false
	b, err := sn.Get(ttlKey)
	if b == nil || err != nil {
		return err
	}
	e.kept = true
	e.ttlRecord, err = decodeTTL(b)
	return err
}

// ended tells whether the document is to be treated as absent.
func (e *expiry) ended(h header) bool {
	at, ok := e.end(h)
	return ok && at <= e.now
}

// end is the second a document ends at; false if it does not.
func (e *expiry) end(h header) (int64, bool) {
	ttl := h.ttl
	switch {
	case e.ttl == 0:
		return 0, false
	case ttl == 0:
		ttl = e.ttl
	}
	return h.time + int64(ttl), ttl > 0
}

// queueKey is a document's place in the queue; nil: it has none.
func queueKey(h header, number uint64) []byte {
	part, at := byte(queueDefault), h.time
	switch {
	case h.ttl < 0:
		return nil
	case h.ttl > 0:
		part, at = queueOwn, h.time+int64(h.ttl)
	}
	k := append(make([]byte, 0, 20), 'X', '|', part, '|')
	k = binary.BigEndian.AppendUint64(k, uint64(at))
	return binary.BigEndian.AppendUint64(k, number)
}

// queue puts a document that was written into the queue.
func (t *transaction) queue(epk []byte, h header, number uint64) error {
	if t.expiry.ttl == 0 {
		return nil
	}
	if key := queueKey(h, number); key != nil {
		return t.tx.Put(key, epk)
	}
	return nil
}

// unqueue takes it out.
func (t *transaction) unqueue(h header, number uint64) error {
	if !t.expiry.kept {
		return nil
	}
	if key := queueKey(h, number); key != nil {
		return t.tx.Delete(key)
	}
	return nil
}

// vacate removes an ended document that holds the id a write is about to take. Its log row gets a place of its own in the transaction.
func (t *transaction) vacate(p *prepared, id string, old *stored) error {
	w := Write{Op: Delete, EPK: p.EPK, ID: id}
	seq := t.seq
	t.seq |= expirySeq
	_, err := t.remove(&prepared{Write: &w, epk: p.epk, etag: p.etag, quoted: p.quoted}, old, Expired)
	t.seq = seq
	return err
}

// expirySeq marks the places of removals that a write brings along: no transaction has so many writes.
const expirySeq = 0x8000

// checkTTL refuses a document whose ttl is none, even where it does not count.
func (d Document) checkTTL() error {
	if !d.badTTL {
		return nil
	}
	return fault.New(fault.Invalid, "BadRequest",
		"The input ttl is invalid. Ensure to provide a nonzero positive integer less than or equal to '2147483647', or -1 which means never expire.")
}

// SetTTL sets a range's default time to live: 0 off, -1 on without one. A setting older than the range's is ignored, so that it may run again.
func (s *Store) SetTTL(ctx context.Context, guid string, ttl int32, revision uint64) error {
	_, err := s.st.Update(ctx, Shard(guid), func(tx store.Tx) error {
		if b, err := tx.Get(rangeKey); b == nil || err != nil {
			return err // it was dropped meanwhile
		}
		var e expiry
		if err := e.load(tx); err != nil {
			return err
		}
		if revision <= e.revision {
			return nil
		}
		next := ttlRecord{ttl: ttl, revision: revision, filling: e.filling, cursor: e.cursor}
		if ttl != 0 && e.ttl == 0 { // what was written while it was off is not in the queue
			next.filling, next.cursor = true, nil
		}
		return tx.Put(ttlKey, next.encode())
	})
	return err
}

// Sizes of the worker's steps: an Update writes at most a few hundred keys.
const (
	fillStep   = 500
	expireStep = 25
)

// Expire does one step of a range's removal of ended documents, or of filling its queue. It tells how many documents it removed, and whether
// there is more to do.
func (s *Store) Expire(ctx context.Context, r Range, now time.Time) (removed int, more bool, err error) {
	e := expiry{now: now.Unix()}
	var due []Write
	err = s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		due = due[:0]
		if err := e.load(sn); err != nil || e.ttl == 0 {
			return err
		}
		if err := dueIn(sn, queueOwn, e.now, &due); err != nil || e.ttl < 0 {
			return err
		}
		return dueIn(sn, queueDefault, e.now-int64(e.ttl), &due)
	})
	if err != nil || e.ttl == 0 {
		return 0, false, err
	}
	if len(due) > 0 {
		for i := range due {
			if err := s.nameDue(ctx, r.GUID, &due[i]); err != nil {
				return 0, false, err
			}
		}
		out, _, err := s.Apply(ctx, r, now, due)
		for _, o := range out {
			if o.OldSize > 0 {
				removed++
			}
		}
		return removed, true, err
	}
	if !e.filling {
		return 0, false, nil
	}
	return 0, true, s.fill(ctx, r.GUID) // then some may be due
}

// dueIn collects what stands in a part of the queue up to a second.
func dueIn(sn store.Snapshot, part byte, until int64, due *[]Write) error {
	if until < 0 {
		return nil
	}
	within := store.Prefix([]byte{'X', '|', part, '|'})
	within.End = binary.BigEndian.AppendUint64([]byte{'X', '|', part, '|'}, uint64(until)+1)
	return sn.Scan(within, func(key, epk []byte) bool {
		if len(key) == 20 {
			*due = append(*due, Write{
				Op: expire, EPK: fmt.Sprintf("%X", epk), Number: binary.BigEndian.Uint64(key[12:]), queued: bytes.Clone(key),
			})
		}
		return len(*due) < expireStep
	})
}

// nameDue reads the id of a document in the queue; it stays empty if the document is gone.
func (s *Store) nameDue(ctx context.Context, guid string, w *Write) error {
	epk, err := epkBytes(w.EPK)
	if err != nil {
		return err
	}
	var raw []byte
	err = s.st.View(ctx, Shard(guid), func(sn store.Snapshot) error {
		b, err := sn.Get(docKey(epk, w.Number))
		raw = bytes.Clone(b)
		return err
	})
	if raw == nil || err != nil {
		return err
	}
	h, text, err := decodeDocument(raw)
	if err != nil {
		return err
	}
	w.ID, w.lsn = textID(text), h.lsn
	return nil
}

// expire removes a document of the queue if it has ended and still is what was read; a place of the queue that leads nowhere goes.
func (t *transaction) expire(p *prepared) (Outcome, error) {
	old, err := t.lookup(p.epk, p.Number)
	if err != nil {
		return Outcome{}, err
	}
	if old == nil || !bytes.Equal(queueKey(old.header, old.number), p.queued) {
		t.wrote = true
		return Outcome{}, t.tx.Delete(p.queued)
	}
	if old.header.lsn != p.lsn || !t.expiry.ended(old.header) {
		return Outcome{}, nil
	}
	return t.remove(p, old, Expired)
}

// fill queues documents from before the time to live was turned on.
func (s *Store) fill(ctx context.Context, guid string) error {
	more := false
	type place struct{ key, epk []byte }
	var e expiry
	var places []place
	var last []byte
	err := s.st.View(ctx, Shard(guid), func(sn store.Snapshot) error {
		places, last = places[:0], nil
		if err := e.load(sn); err != nil {
			return err
		}
		from := store.Prefix([]byte("D|"))
		if len(e.cursor) > 0 {
			from.Start = append(bytes.Clone(e.cursor), 0)
		}
		n := 0
		var bad error
		err := sn.Scan(from, func(key, value []byte) bool {
			if n == fillStep {
				return false
			}
			n++
			last = append(last[:0], key...)
			h, _, err := decodeDocument(value)
			if err != nil {
				bad = err
				return false
			}
			if k := queueKey(h, binary.BigEndian.Uint64(key[len(key)-8:])); k != nil {
				places = append(places, place{k, bytes.Clone(key[2 : len(key)-8])})
			}
			return true
		})
		if err == nil {
			err = bad
		}
		more = n == fillStep
		return err
	})
	if err != nil {
		return err
	}
	_, err = s.st.Update(ctx, Shard(guid), func(tx store.Tx) error {
		var now expiry
		if err := now.load(tx); err != nil || !now.kept {
			return err
		}
		if !now.filling || now.revision != e.revision || !bytes.Equal(now.cursor, e.cursor) {
			return nil // another worker was here, or the setting changed
		}
		for _, p := range places {
			if err := tx.Put(p.key, p.epk); err != nil {
				return err
			}
		}
		next := now.ttlRecord
		next.filling, next.cursor = more, last
		return tx.Put(ttlKey, next.encode())
	})
	return err
}
