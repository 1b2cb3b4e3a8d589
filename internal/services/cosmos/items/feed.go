package items

import (
	"context"
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
func (s *Store) Changes(ctx context.Context, r Range, sel Selection, after uint64, since int64, rows, size int) (FeedPage, error) {
	out := FeedPage{Next: after, State: State{Range: r}}
	for scanned := 0; scanned < feedScans; {
		n, more, err := s.look(ctx, &out, sel, since, rows, size)
		if err != nil || !more {
			return out, err
		}
		scanned += n
		if len(out.Rows) >= rows || size <= total(out.Rows) {
			return out, nil
		}
	}
	return out, nil
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
