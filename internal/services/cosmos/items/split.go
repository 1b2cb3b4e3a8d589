package items

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// A split fills two children of one parent while that stays in use, a merge one child of two parents:
//
//	Follow       from now on the parent's deletions leave rows T|lsn|seq in its log
//	InitChild    the child knows from which LSN on it has to follow the parent's log
//	CopyStep     the parent's documents, in steps, each on a state of its own
//	FollowStep   what changed since, in the order of the log, until little is left
//	Fence        the parent's last transaction
//	FollowStep   the rest
//	Activate     the child goes on counting LSNs where the parent ended; of two, the one that counted further
//
// Each step may be cut off and run again. A document keeps its number, header and LSN. So the child's log has those of both parents, one within
// the other: who has read one parent's up to an LSN reads on in the child, for that parent's EPKs, from the same LSN.

// Parent is a range that a child gets documents of.
type Parent struct {
	Range
	Place  int  // among the child's parents
	Joined bool // with another one: LSNs and places of transactions do not tell its documents apart from the other's
}

// Sizes of steps. A document has some keys of its own and those of its index terms.
const (
	stepDocuments = 64
	stepBytes     = 4 << 20
	stepChanges   = 128
)

// source is a document as another range has it.
type source struct {
	header header
	text   []byte
}

// progress is how far a child is with one of its parents.
type progress struct {
	Copied bool   `json:"copied,omitempty"`
	After  []byte `json:"after,omitempty"`  // key of the last document that was copied
	Images []byte `json:"images,omitempty"` // key of the last image that was copied
	Log    uint64 `json:"log"`              // what the parent's log has up to here, the child has
}

var progressCodec = store.Codec[progress]{Kind: 'S', Version: 1}

// progressKey is where a child keeps how far it is with the parent of that place.
func progressKey(place int) []byte {
	if place == 0 {
		return []byte("S|")
	}
	return []byte{'S', '|', byte(place)}
}

// admit tells whether a transaction may write: of a client into a range in use, of a split into one that is being filled.
func (r *rangeRecord) admit(split bool) error {
	switch {
	case r.status == fenced:
		return ErrFenced
	case (r.status == filling) != split:
		return ErrNoRange
	}
	return nil
}

// numberFor is the number of a document that p makes.
func (t *transaction) numberFor(p *prepared) uint64 {
	if p.Op == adopt {
		return p.Number
	}
	if p.given.number != 0 {
		return p.given.number
	}
	return documentNumber(t.record.number, t.lsn, uint8(t.seq))
}

// adopt brings a document to the state that the parent has it in. It is the one way documents come into a child: by create, replace and remove,
// which keep all rows that belong to a document.
func (t *transaction) adopt(p *prepared) (Outcome, error) {
	old, err := t.find(p.epk, "", p.Number)
	if err != nil {
		return Outcome{}, err
	}
	if p.source == nil {
		if old == nil {
			return Outcome{}, nil
		}
		return t.remove(p, old, Requested)
	}
	h := p.source.header
	if old != nil && old.header.lsn >= h.lsn {
		return Outcome{}, nil
	}
	t.lsn, t.seq, t.time = store.LSN(h.lsn), h.seq, h.time
	p.etag, p.quoted = h.etag, quoteETag(h.etag)
	// Who has its id here has another one by now, or is deleted: the log will tell.
	if other, err := t.find(p.epk, p.Doc.ID, 0); err != nil {
		return Outcome{}, err
	} else if other != nil && other.number != p.Number {
		if _, err := t.remove(&prepared{Write: &Write{Op: adopt, Number: other.number}, epk: p.epk}, other, Requested); err != nil {
			return Outcome{}, err
		}
	}
	if old != nil {
		return t.replace(p, old)
	}
	return t.create(p)
}

// Follow makes the range keep its deletions in its log. until is in seconds; 0: for ever.
func (s *Store) Follow(ctx context.Context, r Range, until int64) error {
	if until == 0 {
		until = math.MaxInt64
	}
	return s.amend(ctx, r, func(_ store.Tx, rec *rangeRecord) error {
		rec.keep = max(rec.keep, until)
		return nil
	})
}

// amend changes the range's record.
func (s *Store) amend(ctx context.Context, r Range, fn func(tx store.Tx, rec *rangeRecord) error) error {
	_, err := s.st.Update(ctx, Shard(r.GUID), func(tx store.Tx) error {
		b, err := tx.Get(rangeKey)
		switch {
		case err != nil:
			return err
		case b == nil:
			return ErrNoRange
		}
		rec, err := decodeRange(b)
		if err != nil {
			return err
		}
		was := rec
		if err := fn(tx, &rec); err != nil || rec == was {
			return err
		}
		return tx.Put(rangeKey, rec.encode())
	})
	return err
}

// InitChild makes the shard of a child. The parents must be followed.
func (s *Store) InitChild(ctx context.Context, parents []Parent, child Range) error {
	values, weight := make([][]byte, len(parents)), s.Limits.atFirst()
	for i, p := range parents {
		state, err := s.Stat(ctx, p.Range)
		if err != nil {
			return err
		}
		if values[i], err = progressCodec.Encode(progress{Log: uint64(state.LSN)}); err != nil {
			return err
		}
		of, err := s.rangeRecord(ctx, p.Range)
		if err != nil {
			return err
		}
		if of.weight != unweighed {
			weight = weighed // it is from its first document on
		}
	}
	rec := rangeRecord{number: child.Number, container: child.Container, status: filling, weight: weight}
	return s.init(ctx, child, rec, func(tx store.Tx) error {
		for i, p := range parents {
			if err := tx.Put(progressKey(p.Place), values[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// filled reads how far a child is with its parent of that place; nil once it is in use.
func (s *Store) filled(ctx context.Context, child Range, place int) (out *progress, err error) {
	err = s.st.View(ctx, Shard(child.GUID), func(sn store.Snapshot) error {
		out = nil
		b, err := sn.Get(progressKey(place))
		if b == nil || err != nil {
			return err
		}
		p, err := progressCodec.Decode(b)
		out = &p
		return err
	})
	return out, err
}

// CopyStep copies some documents of the parent into the child. done tells that all were.
func (s *Store) CopyStep(ctx context.Context, parent Parent, child Range) (done bool, err error) {
	at, err := s.filled(ctx, child, parent.Place)
	if at == nil || err != nil || at.Copied {
		return true, err
	}
	if moved, err := s.copyImages(ctx, parent, child, at); moved || err != nil {
		return false, err
	}
	sel := Selection{Low: child.Min, High: child.Max, Bounded: true}
	from, err := sel.keys()
	if err != nil {
		return false, err
	}
	if at.After != nil {
		from.Start = append(bytes.Clone(at.After), 0)
	}
	var ps []prepared
	at.Copied = true
	err = s.st.View(ctx, Shard(parent.GUID), func(sn store.Snapshot) error {
		ps, at.Copied = ps[:0], true
		size := 0
		var bad error
		err := sn.Scan(from, func(key, value []byte) bool {
			if len(ps) >= stepDocuments || size > stepBytes {
				at.Copied = false
				return false
			}
			epk := key[2 : len(key)-numberSize]
			number, _ := parseNumber(key[len(key)-numberSize:]) // of the right size
			var p prepared
			if p, bad = parent.adoption(epk, number, value); bad != nil {
				return false
			}
			ps, size, at.After = append(ps, p), size+len(value), bytes.Clone(key)
			return true
		})
		if err == nil {
			err = bad
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read range %s: %w", parent.ID, err)
	}
	return at.Copied, s.adoptAll(ctx, parent, child, ps, at)
}

// adoption is the write that brings a child to a document's record.
func (p *Parent) adoption(epk []byte, number uint64, record []byte) (prepared, error) {
	a, err := adoption(epk, number, record)
	if err == nil && a.source != nil && p.Joined {
		a.source.header.seq = joinedSeq
	}
	return a, err
}

func adoption(epk []byte, number uint64, record []byte) (prepared, error) {
	epk = bytes.Clone(epk)
	p := prepared{Write: &Write{Op: adopt, EPK: hex.EncodeToString(epk), Number: number}, epk: epk}
	if record == nil {
		return p, nil
	}
	h, text, err := decodeDocument(bytes.Clone(record))
	if err != nil {
		return p, err
	}
	p.source, p.unique = &source{h, text}, h.unique
	return p, nil
}

// adoptAll commits adoptions, and with them how far the child then is.
func (s *Store) adoptAll(ctx context.Context, parent Parent, child Range, ps []prepared, at *progress) error {
	value, err := progressCodec.Encode(*at)
	if err != nil {
		return err
	}
	for i := range ps {
		if ps[i].source == nil {
			continue
		}
		if ps[i].Doc, err = Parse(ps[i].source.text); err != nil {
			return fmt.Errorf("document %x of the parent: %w", ps[i].Number, err)
		}
		ps[i].ID = ps[i].Doc.ID
	}
	_, _, err = s.commit(ctx, child, time.Time{}, ps, func(tx store.Tx) error { return tx.Put(progressKey(parent.Place), value) })
	return err
}

// FollowStep brings some of the parent's later changes into the child, and tells how many: below stepChanges, there were no more.
func (s *Store) FollowStep(ctx context.Context, parent Parent, child Range) (int, error) {
	at, err := s.filled(ctx, child, parent.Place)
	if at == nil || err != nil {
		return 0, err
	}
	low, high, err := child.bounds()
	if err != nil {
		return 0, err
	}
	var ps []prepared
	var through uint64
	n := 0
	err = s.st.View(ctx, Shard(parent.GUID), func(sn store.Snapshot) error {
		ps, n = ps[:0], 0
		gone, t1, err := changes(sn, &parent.Range, 'T', at.Log, stepChanges)
		if err != nil {
			return err
		}
		live, t2, err := changes(sn, &parent.Range, 'L', at.Log, stepChanges)
		if err != nil {
			return err
		}
		through = min(t1, t2)
		for _, c := range append(gone, live...) {
			if c.lsn > through {
				continue
			}
			n++
			if bytes.Compare(c.epk, low) < 0 || bytes.Compare(c.epk, high) >= 0 {
				continue
			}
			var record []byte
			if !c.deleted {
				if record, err = sn.Get(docKey(c.epk, c.number)); err != nil {
					return err
				}
			}
			p, err := parent.adoption(c.epk, c.number, record)
			if err != nil {
				return err
			}
			ps = append(ps, p)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("follow range %s: %w", parent.ID, err)
	}
	if through == at.Log {
		return 0, nil
	}
	if err := s.followImages(ctx, parent, child, at.Log, through); err != nil {
		return 0, err
	}
	before := *at
	at.Log = through
	// Documents can be big: as many as fit into one transaction at a time, the progress with the last of them.
	for len(ps) > 0 {
		k, size := 0, 0
		for k < len(ps) && k < stepDocuments && (k == 0 || size < stepBytes) {
			if ps[k].source != nil {
				size += len(ps[k].source.text)
			}
			k++
		}
		if k == len(ps) {
			break
		}
		if err := s.adoptAll(ctx, parent, child, ps[:k], &before); err != nil {
			return 0, err
		}
		ps = ps[k:]
	}
	return n, s.adoptAll(ctx, parent, child, ps, at)
}

// bounds are Min and Max as they stand in keys.
func (r *Range) bounds() (low, high []byte, err error) {
	if low, err = epkBytes(r.Min); err != nil {
		return nil, nil, err
	}
	high, err = epkBytes(r.Max)
	return low, high, err
}

// Fence ends the writes to a range, and gives the LSN of its last transaction.
func (s *Store) Fence(ctx context.Context, parent Range) (fence store.LSN, err error) {
	err = s.amend(ctx, parent, func(tx store.Tx, rec *rangeRecord) error {
		if rec.status != fenced {
			rec.status, rec.fence = fenced, uint64(parent.lsn(tx.LSN()))
		}
		fence = store.LSN(rec.fence)
		return nil
	})
	return fence, err
}

// Activate takes a child into use, which has everything up to its parents' fences, and gives what its LSNs are ahead of its shard's.
func (s *Store) Activate(ctx context.Context, child Range, fences []store.LSN) (base int64, err error) {
	var fence store.LSN
	for place, f := range fences {
		fence = max(fence, f)
		at, err := s.filled(ctx, child, place)
		if err != nil {
			return 0, err
		}
		if at != nil && (!at.Copied || at.Log < uint64(f)) {
			return 0, fmt.Errorf("items: range %s has its parent's log up to %d, not up to the fence at %d", child.ID, at.Log, f)
		}
	}
	err = s.amend(ctx, child, func(tx store.Tx, rec *rangeRecord) error {
		if rec.status == filling {
			rec.status, rec.base = active, int64(fence)-int64(tx.LSN())
			for place := range fences {
				if err := tx.Delete(progressKey(place)); err != nil {
					return err
				}
			}
		}
		base = rec.base
		return nil
	})
	return base, err
}
