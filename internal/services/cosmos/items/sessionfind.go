package items

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Find is List for a query: it reads on after a row's key, but only what may be among the query's documents, by the index. found is false where the
// index is of no help: then List has to be used. The index knows nothing of the session's own writes yet, so all documents written come besides. Pages of Find and List
// can follow each other.
func (x *Session) Find(ctx context.Context, a *index.Analysis, after string, rows, size int) (p Page, found bool, err error) {
	at, err := hex.DecodeString(after)
	if err != nil || len(at) > store.MaxKey-3 {
		return Page{}, false, invalidContinuation()
	}
	in, err := x.s.indexOf(ctx, x.r.GUID)
	for err == nil {
		stale := false
		err = x.view(ctx, func(t *transaction) error {
			p, found = Page{State: x.State()}, false
			// While a policy changes, the state does with each step: a session that had read it would be stale all the time.
			st, err := index.ReadState(x.buf.base)
			if err != nil || st.Changing {
				return err
			}
			if st, err = index.ReadState(x.buf); err != nil {
				return err
			}
			if stale = st.Generation != in.Generation; stale {
				return nil
			}
			// The planner, too, reads what is checked in the end: a document that comes into a range it has read makes the session stale.
			f := finding{x: x, t: t, page: &p, at: at}
			within := index.Within(x.prefix[2:], x.prefix[2:])
			plan, err := in.Alone().Choose(x.buf, a, within, int(t.record.documents), true, x.s.Tuning)
			if err != nil || plan.Kind != index.Filter {
				return err
			}
			found = true
			return f.read(plan, after, rows, size)
		})
		if err != nil || !stale {
			break
		}
		in, err = x.s.loadIndex(ctx, x.r.GUID)
	}
	return p, found, err
}

// finding is one run of Find.
type finding struct {
	x    *Session
	t    *transaction
	page *Page
	at   []byte
}

func (f *finding) read(plan *index.Plan, after string, rows, size int) error {
	candidates, more, err := plan.Find(f.x.buf, after, rows)
	if err != nil {
		return err
	}
	keys := make([][]byte, 0, len(candidates))
	for _, c := range candidates {
		keys = append(keys, append([]byte("D|"), c.Suffix...))
	}
	keys = f.withOwn(keys, more)
	texts := slab{rowsMax: len(keys), sizeMax: size}
	for i, key := range keys {
		if len(texts.texts) >= size {
			more, keys = true, keys[:i]
			break
		}
		b, err := f.x.buf.Get(key)
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		h, text, err := decodeDocument(b)
		if err != nil {
			return err
		}
		if !f.t.expiry.ended(h) {
			texts.add(key[2:], text)
		}
	}
	f.page.Rows, f.page.More = texts.rows(), more
	if len(keys) > 0 {
		f.page.Last = hex.EncodeToString(keys[len(keys)-1][2:])
	}
	return nil
}

// withOwn adds the documents that the session has written, as far as the keys go: to the last of them if there are more.
func (f *finding) withOwn(keys [][]byte, more bool) [][]byte {
	within := store.Prefix(f.x.prefix)
	if from := append(append([]byte("D|"), f.at...), 0); len(f.at) > 0 && bytes.Compare(from, within.Start) > 0 {
		within.Start = from
	}
	if more && len(keys) > 0 {
		within.End = append(slices.Clone(keys[len(keys)-1]), 0)
	}
	for _, k := range f.x.buf.ownKeys(within) {
		if i, there := slices.BinarySearchFunc(keys, []byte(k), bytes.Compare); !there {
			keys = slices.Insert(keys, i, []byte(k))
		}
	}
	return keys
}
