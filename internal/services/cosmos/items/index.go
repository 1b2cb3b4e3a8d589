package items

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Directive is what a write says about indexing its document.
type Directive uint8

// The directives.
const (
	ByPolicy Directive = iota // as the policy's `automatic` has it
	Include
	Exclude
)

// indexCache keeps the compiled policies of ranges. A kept one may be old: whoever uses it compares its generation inside the transaction.
type indexCache struct {
	mu   sync.RWMutex
	byID map[string]*index.Index
}

const cachedIndexes = 4096

func (c *indexCache) get(guid string) *index.Index {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byID[guid]
}

func (c *indexCache) put(guid string, x *index.Index) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil || len(c.byID) >= cachedIndexes {
		c.byID = map[string]*index.Index{}
	}
	c.byID[guid] = x
}

// errMoved: the range's policy is not the one the work was prepared for.
var errMoved = errors.New("items: the indexing policy has changed")

// indexOf gives a range's index, as it lately was.
func (s *Store) indexOf(ctx context.Context, guid string) (*index.Index, error) {
	if x := s.indexes.get(guid); x != nil {
		return x, nil
	}
	return s.loadIndex(ctx, guid)
}

// loadIndex reads a range's index anew.
func (s *Store) loadIndex(ctx context.Context, guid string) (*index.Index, error) {
	var texts index.Texts
	err := s.st.View(ctx, Shard(guid), func(sn store.Snapshot) (err error) {
		texts, err = index.Read(sn)
		return err
	})
	if err != nil {
		return nil, err
	}
	x, err := texts.Compile()
	if err != nil {
		return nil, err
	}
	s.indexes.put(guid, x)
	return x, nil
}

// SetPolicy gives a range its indexing policy. Documents that are there already are indexed anew by Reindex. It may run again.
func (s *Store) SetPolicy(ctx context.Context, guid string, policy json.RawMessage) error {
	return s.setPolicy(ctx, guid, policy, false)
}

// EnsurePolicy is SetPolicy for a range that has none.
func (s *Store) EnsurePolicy(ctx context.Context, guid string, policy json.RawMessage) error {
	if x, err := s.indexOf(ctx, guid); err != nil || x.Generation != 0 {
		return err
	}
	return s.setPolicy(ctx, guid, policy, true)
}

func (s *Store) setPolicy(ctx context.Context, guid string, policy json.RawMessage, ensure bool) error {
	_, err := s.st.Update(ctx, Shard(guid), func(tx store.Tx) error {
		b, err := tx.Get(rangeKey)
		if b == nil || err != nil {
			return err // gone
		}
		r, err := decodeRange(b)
		if err != nil {
			return err
		}
		if r.status == fenced {
			return nil // its children have it
		}
		if st, err := index.ReadState(tx); err != nil || ensure && st.Generation != 0 {
			return err
		}
		return index.Set(tx, policy, r.documents)
	})
	return err
}

// IndexProgress is how far a change of a range's indexing policy is, in percent.
func (s *Store) IndexProgress(ctx context.Context, guid string) (int, error) {
	progress := 100
	err := s.st.View(ctx, Shard(guid), func(sn store.Snapshot) error {
		st, err := index.ReadState(sn)
		progress = st.Progress()
		return err
	})
	return progress, err
}

// indexed is the part of a prepared write that the index needs: rows under the policy in force and under the one to come.
type indexed struct{ current, target *index.Rows }

// prepareIndex works out the rows of the documents to be written.
func (t *transaction) prepareIndex(ps []prepared, x *index.Index) error {
	t.index = x
	for i := range ps {
		p := &ps[i]
		if p.Doc.Text == nil {
			continue
		}
		var err error
		if p.rows.current, err = t.rowsOf(x.Current, p); err != nil {
			return err
		}
		if p.rows.target, err = t.rowsOf(x.Target, p); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) rowsOf(policy *index.Policy, p *prepared) (*index.Rows, error) {
	if policy == nil {
		return nil, nil
	}
	ts := t.time
	if p.source != nil {
		ts = p.source.header.time
	}
	return policy.Rows(p.Doc.Text, ts, p.Directive == Exclude || p.Directive == ByPolicy && !policy.Automatic)
}

// beginIndex checks in the transaction that what was prepared still holds.
func (t *transaction) beginIndex() (err error) {
	t.indexKeys = 0
	if t.state, err = index.ReadState(t.tx); err != nil {
		return err
	}
	if t.state.Generation != t.index.Generation {
		return errMoved
	}
	return nil
}

// maxIndexKeys is how many index rows one transaction may change: a store's transaction has a limit of its own.
const maxIndexKeys = store.MaxTxKeys - 2000

// reindex changes the rows of a document from those of its old text, if it has one, to those of p's, unless removed. The old rows are worked out here:
// reading the text again takes less time than its turn in the log, and a look before the transaction would wait for the writes before it to be durable.
func (t *transaction) reindex(p *prepared, number uint64, old *stored, removed bool) error {
	if t.index == nil {
		return nil // of a session: its commit writes them
	}
	suffix := index.Suffix(p.epk, number)
	policy := t.index.Policy(t.state, suffix)
	if policy == nil || policy.None {
		return nil
	}
	var was, now *index.Rows
	if old != nil {
		skip, err := index.IsUnindexed(t.tx, suffix)
		if err != nil {
			return err
		}
		if was, err = policy.Rows(old.text, -1, skip); err != nil {
			return err
		}
	}
	if !removed {
		now = p.rows.current
		if policy == t.index.Target {
			now = p.rows.target
		}
	}
	n, err := index.Replace(t.tx, suffix, was, now)
	if t.indexKeys += n; t.indexKeys > maxIndexKeys && err == nil {
		return fault.New(fault.TooLarge, "RequestEntityTooLarge", "The request changes more than %d entries of the index; send fewer or smaller documents at once.", maxIndexKeys)
	}
	return err
}

// updateIndexed runs a transaction of document writes, again when the policy changed after their rows were prepared.
func (s *Store) updateIndexed(ctx context.Context, t *transaction, ps []prepared, fn func(store.Tx) error) (store.LSN, error) {
	x, err := s.indexOf(ctx, t.r.GUID)
	for err == nil {
		if err = t.prepareIndex(ps, x); err != nil {
			break
		}
		var lsn store.LSN
		if lsn, err = s.st.Update(ctx, Shard(t.r.GUID), fn); !errors.Is(err, errMoved) {
			return lsn, err
		}
		x, err = s.loadIndex(ctx, t.r.GUID)
	}
	return 0, err
}
