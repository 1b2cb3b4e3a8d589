package items

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Bounds of one look into the log.
const (
	feedLook  = 1000    // log rows
	feedScans = 200_000 // log rows of a page that finds little
)

// FeedPage is a part of a change feed. It holds whole transactions.
type FeedPage struct {
	Rows [][]byte // JSON texts
	Next uint64   // LSN up to which the feed has been read
	State
}

// Changes reads the latest versions of the documents that were written after an LSN, in the order of their last writes: at least rows of them or
// about size bytes, if there are as many, and whole transactions. since, unless 0, leaves out what was written before (seconds).
//
// A page that looked at many rows and found little ends early: Next tells how far it came, and State.LSN that there is more.
func (s *Store) Changes(ctx context.Context, r Range, sel Selection, after uint64, since int64, rows, size int) (FeedPage, error) {
	out := FeedPage{Next: after, State: State{Range: r}}
	for scanned := 0; scanned < cmp.Or(s.feedScans, feedScans); {
		n, more, err := s.look(ctx, &out, sel, since, rows, size)
		if err != nil || !more {
			return out, err
		}
		if len(out.Rows) >= rows || size <= total(out.Rows) {
			return out, nil
		}
		if scanned == 0 && sel.Bounded && sel.Low == sel.High { // the log goes on, mostly about others
			if done, err := s.lookInPartition(ctx, &out, sel, since, rows, size); done || err != nil {
				return out, err
			}
		}
		scanned += n
	}
	return out, nil
}

// Bounds of a logical partition whose documents are all looked at, instead of the range's log.
const (
	partitionRows  = 2000
	partitionBytes = 8 << 20
)

// lookInPartition completes a page by what one logical partition holds, if that is not much.
func (s *Store) lookInPartition(ctx context.Context, out *FeedPage, sel Selection, since int64, rows, size int) (done bool, err error) {
	within, err := sel.keys()
	if err != nil {
		return false, err
	}
	type found struct {
		lsn  uint64
		text []byte
	}
	var all []found
	r := out.State.Range
	ended := expiry{now: s.clock.Now().Unix()}
	err = s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		all, out.LSN, done = all[:0], r.lsn(sn.LSN()), true
		if err := ended.seen(&r, sn); err != nil {
			return err
		}
		var bad error
		n, sum := 0, 0
		err := sn.Scan(within, func(_, value []byte) bool {
			if n, sum = n+1, sum+len(value); n > partitionRows || sum > partitionBytes {
				done = false
				return false
			}
			h, text, err := decodeDocument(value)
			if err != nil {
				bad = err
				return false
			}
			if h.lsn > out.Next && h.time >= since && !ended.ended(h) {
				all = append(all, found{h.lsn, bytes.Clone(text)})
			}
			return true
		})
		if err == nil {
			err = bad
		}
		return err
	})
	if !done || err != nil {
		return false, err
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(a.lsn, b.lsn) })
	have := total(out.Rows)
	for i, f := range all {
		if full := len(out.Rows) >= rows || have >= size; full && i > 0 && f.lsn != all[i-1].lsn {
			out.Next = all[i-1].lsn
			return true, nil
		}
		out.Rows = append(out.Rows, withLSN(f.text, f.lsn))
		have += len(f.text)
	}
	out.Next = max(out.Next, uint64(out.LSN))
	return true, nil
}

func total(rows [][]byte) (n int) {
	for _, r := range rows {
		n += len(r)
	}
	return n
}

// look adds what the next log rows are about. more tells that the log goes on.
func (s *Store) look(ctx context.Context, out *FeedPage, sel Selection, since int64, rows, size int) (n int, more bool, err error) {
	within, err := sel.keys()
	if err != nil {
		return 0, false, err
	}
	had, after := len(out.Rows), out.Next
	have := total(out.Rows)
	r := out.State.Range
	ended := expiry{now: s.clock.Now().Unix()}
	err = s.st.View(ctx, Shard(r.GUID), func(sn store.Snapshot) error {
		out.Rows, out.Next, out.LSN = out.Rows[:had], after, r.lsn(sn.LSN())
		if sn.LSN() == 0 {
			return ErrNoRange
		}
		if err := ended.seen(&r, sn); err != nil {
			return err
		}
		log, through, err := changes(sn, &r, 'L', after, min(feedLook, 4*rows+64))
		if err != nil {
			return err
		}
		n, more = len(log), through < uint64(out.LSN)
		bytes := have
		for i, c := range log {
			full := len(out.Rows) >= rows || bytes >= size
			if full && i > 0 && c.lsn != log[i-1].lsn {
				out.Next, more = log[i-1].lsn, true
				return nil
			}
			key := docKey(c.epk, c.number)
			if sel.Bounded && !holds(within, key) {
				continue
			}
			b, err := sn.Get(key)
			if err != nil {
				return err
			}
			h, text, err := decodeDocument(b)
			if err != nil {
				return err
			}
			if h.time < since || ended.ended(h) {
				continue
			}
			out.Rows = append(out.Rows, withLSN(text, c.lsn))
			bytes += len(text)
		}
		out.Next = max(after, through)
		return nil
	})
	return n, more, err
}

// withLSN adds what the feed tells of a document besides its properties.
func withLSN(text []byte, lsn uint64) []byte {
	b := make([]byte, 0, len(text)+32)
	b = append(b, text[:len(text)-1]...)
	b = append(b, `,"_lsn":`...)
	b = strconv.AppendUint(b, lsn, 10)
	return append(b, '}')
}
