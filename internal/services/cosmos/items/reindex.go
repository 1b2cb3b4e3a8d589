package items

import (
	"bytes"
	"context"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Reindex carries out a change of a range's indexing policy, in steps; it returns when there is none. It may be stopped and started anew at any point.
func (s *Store) Reindex(ctx context.Context, guid string) error {
	for {
		more, err := s.reindexStep(ctx, guid, stepKeys/4)
		if !more || err != nil {
			return err
		}
	}
}

// Bounds of one step of a change.
const (
	stepKeys = 1000
	stepSize = 1 << 20 // bytes of documents
)

// stepDocument is a document of a step, with what its rows become.
type stepDocument struct {
	suffix    []byte
	head      header // of its record: it changes with every write
	was, will *index.Rows
}

// reindexStep takes at most limit documents behind the cursor from the policy in force to the one to come. The rows are worked out before the transaction, which
// makes those anew that changed meanwhile.
func (s *Store) reindexStep(ctx context.Context, guid string, limit int) (more bool, err error) {
	x, err := s.loadIndex(ctx, guid)
	if err != nil || !x.Changing {
		return false, err
	}
	var texts [][]byte
	var docs []stepDocument
	last := false
	within := store.Prefix([]byte("D|"))
	if len(x.Cursor) > 0 {
		within.Start = append(append([]byte("D|"), x.Cursor...), 0)
	}
	err = s.st.View(ctx, Shard(guid), func(sn store.Snapshot) error {
		texts, docs, last = nil, nil, true
		size := 0
		return sn.Scan(within, func(key, value []byte) bool {
			if len(docs) == limit || size > stepSize {
				last = false
				return false
			}
			size += len(value)
			texts = append(texts, bytes.Clone(value))
			docs = append(docs, stepDocument{suffix: bytes.Clone(key[2:])})
			return true
		})
	})
	if err != nil {
		return false, err
	}
	keys := 0
	for i := range docs {
		if err := docs[i].prepare(x, texts[i], false); err != nil {
			return false, err
		}
		if keys += index.Difference(docs[i].was, docs[i].will); keys > stepKeys && i > 0 {
			docs, last = docs[:i], false
			break
		}
	}
	gone := false
	_, err = s.st.Update(ctx, Shard(guid), func(tx store.Tx) error {
		st, err := index.ReadState(tx)
		if err != nil || st.Generation != x.Generation || !bytes.Equal(st.Cursor, x.Cursor) {
			return err // another worker was here
		}
		b, err := tx.Get(rangeKey)
		if b == nil || err != nil {
			return err
		}
		rec, err := decodeRange(b)
		if err != nil {
			return err
		}
		if gone = rec.status == fenced; gone {
			return nil // its children are indexed
		}
		return applyStep(tx, x, st, within, docs, last)
	})
	return !gone, err
}

// prepare works out a document's rows under both policies. known tells that it has the mark of documents that are not indexed.
func (d *stepDocument) prepare(x *index.Index, record []byte, known bool) (err error) {
	var text []byte
	if d.head, text, err = decodeDocument(record); err != nil {
		return err
	}
	if d.was, err = x.Current.Rows(text, -1, known); err != nil {
		return err
	}
	d.will, err = x.Target.Rows(text, -1, known && !x.Target.Automatic)
	return err
}

// of tells whether the rows are those of the record.
func (d *stepDocument) of(record []byte) bool {
	h, _, err := decodeDocument(record)
	return err == nil && h.lsn == d.head.lsn && h.seq == d.head.seq
}

func applyStep(tx store.Tx, x *index.Index, st index.State, within store.Range, docs []stepDocument, last bool) error {
	ready := make(map[string]*stepDocument, len(docs))
	for i := range docs {
		ready[string(docs[i].suffix)] = &docs[i]
	}
	if n := len(docs); !last {
		within.End = append(append([]byte("D|"), docs[n-1].suffix...), 0)
	}
	var bad error
	n := 0
	err := tx.Scan(within, func(key, record []byte) bool {
		suffix := key[2:]
		n++
		d := ready[string(suffix)]
		var marked bool
		if marked, bad = index.IsUnindexed(tx, suffix); bad != nil {
			return false
		}
		if d == nil || marked || !d.of(record) {
			d = &stepDocument{}
			if bad = d.prepare(x, record, marked); bad != nil {
				return false
			}
		}
		_, bad = index.Replace(tx, suffix, d.was, d.will)
		return bad == nil
	})
	if err == nil {
		err = bad
	}
	if err != nil {
		return err
	}
	if !last {
		return index.Advance(tx, st, docs[len(docs)-1].suffix, n)
	}
	b, err := tx.Get(rangeKey)
	if b == nil || err != nil {
		return err
	}
	r, err := decodeRange(b)
	if err != nil {
		return err
	}
	return index.Finish(tx, st, r.documents)
}
