package items

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/index"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Range names one partition key range of one container.
type Range struct {
	GUID      string
	ID        string   // as clients know it
	Number    uint16   // in its container
	Min, Max  string   // its EPKs are in [Min, Max)
	Parents   []string // ids of the ranges it came from by splits and merges
	Base      int64    // what its LSNs are ahead of its shard's
	Container string   // guid of the container
	RID       rid.ID   // of the container
	Rules     Rules
	// Policy is the indexing policy a new range begins with; nil: none.
	Policy json.RawMessage
	// Keys are the paths of the partition key, as the full-fidelity change feed names its values.
	Keys []string
	// Retention is how many seconds the full-fidelity change feed is kept; 0: there is none.
	Retention int64
}

// lsn is the range's LSN for one of its shard's. A range that came from a split goes on counting where its parent ended.
func (r *Range) lsn(shard store.LSN) store.LSN { return shard + store.LSN(r.Base) }

// Op is what a Write does.
type Op uint8

// The operations.
const (
	Create Op = iota
	Replace
	Upsert
	Delete
	Read // in a transactional batch: the document as it is at that point

	expire // by the worker: a document that has ended
	adopt  // by a split or merge: the document as the parent has it
)

// Write is one operation on one document of one logical partition.
type Write struct {
	Op  Op
	EPK string // of the document
	// ID is the document's present id; Doc is what it becomes. They differ when a replacement renames it.
	ID      string
	Doc     Document
	IfMatch string // an etag as the client sent it, "*", or ""
	// IfNoneMatch is an etag, "*", or "". What it matches is not written (so "*" lets an Upsert only create); a Read of it gives no text.
	IfNoneMatch string
	// Number addresses the document by resource id instead of ID, when not 0.
	Number uint64
	// Directive says whether the document is indexed.
	Directive Directive

	queued []byte // of expire: the document's place in the queue
	lsn    uint64 // of expire: of the state that was read

	given identity // of a session's write: what the document was shown with
}

// Item is a document as stored.
type Item struct {
	Number uint64
	LSN    uint64 // of its last write
	ETag   string // quoted
	Time   int64  // seconds
	Text   []byte // with system properties; nil after a deletion
}

// Outcome is what a Write did.
type Outcome struct {
	Item
	Created    bool
	Unchanged  bool // of a Read: IfNoneMatch names what there is
	OldSize    int  // bytes of the text that was replaced or deleted
	Properties int
}

// Usage is how full a range is.
type Usage struct{ Documents, Bytes uint64 }

// State is what is known of the range after a call.
type State struct {
	Range Range
	LSN   store.LSN
	Usage Usage
}

// ErrNoRange: the range is not in use: its container was deleted, or is not ready yet.
var ErrNoRange = errors.New("items: the partition key range is not in use")

// ErrFenced: the range was split or merged, and is not written any more. Its documents are in its children.
var ErrFenced = errors.New("items: the partition key range was split or merged")

// Moved tells whether err says that the documents may be in other ranges by now.
func Moved(err error) bool { return errors.Is(err, ErrNoRange) || errors.Is(err, ErrFenced) }

// FailedWrite says which of several writes failed.
type FailedWrite struct {
	Index int
	Err   error
}

// Error implements error.
func (e *FailedWrite) Error() string { return fmt.Sprintf("write %d: %v", e.Index, e.Err) }

// Unwrap gives the cause.
func (e *FailedWrite) Unwrap() error { return e.Err }

// Store reads and writes ranges. Safe for concurrent use.
type Store struct {
	Tuning  index.Tuning // set before use
	Limits  Limits       // so is this
	st      store.Store
	clock   clock.Clock
	indexes *indexCache

	feedScans int // of tests; 0: as usual
}

// New makes a Store that goes by the machine's clock.
func New(st store.Store) *Store { return &Store{st: st, clock: clock.System{}, indexes: &indexCache{}} }

// WithClock makes reads go by another clock: it decides which documents have ended.
func (s *Store) WithClock(c clock.Clock) *Store {
	return &Store{s.Tuning, s.Limits, s.st, c, s.indexes, s.feedScans}
}

// Init takes a range into use. It may run again.
func (s *Store) Init(ctx context.Context, r Range) error {
	return s.init(ctx, r, rangeRecord{number: r.Number, container: r.Container, weight: s.Limits.atFirst()}, nil)
}

// init writes the range's record, and with it what else is to be there from the start.
func (s *Store) init(ctx context.Context, r Range, rec rangeRecord, also func(tx store.Tx) error) error {
	_, err := s.st.Update(ctx, Shard(r.GUID), func(tx store.Tx) error {
		if b, err := tx.Get(rangeKey); b != nil || err != nil {
			return err
		}
		if r.Policy != nil {
			if err := index.Set(tx, r.Policy, 0); err != nil {
				return err
			}
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return tx.Put(rangeKey, rec.encode())
	})
	return err
}

// Drop removes a range with all documents. It may run again.
func (s *Store) Drop(ctx context.Context, guid string) error { return s.st.Drop(ctx, Shard(guid)) }

// prepared is a Write with all that can be made ready outside the transaction.
type prepared struct {
	*Write
	epk    []byte
	etag   [16]byte
	quoted string
	rows   indexed
	unique []byte  // hashes of the unique values of what is written
	source *source // of adopt: what to adopt; nil: the document was deleted
}

// Apply does the writes in one transaction, or none of them. At most 100.
func (s *Store) Apply(ctx context.Context, r Range, now time.Time, writes []Write) ([]Outcome, State, error) {
	return s.applyIf(ctx, r, now, writes, nil)
}

// ready makes a Write ready for a transaction.
func (r Range) ready(w *Write) (prepared, error) {
	epk, err := epkBytes(w.EPK)
	if err != nil {
		return prepared{}, err
	}
	p := prepared{Write: w, epk: epk, etag: w.given.etag}
	if w.given.etag == ([16]byte{}) {
		_, _ = rand.Read(p.etag[:]) // never fails
	}
	p.quoted = quoteETag(p.etag)
	p.unique, err = r.prepare(w.Doc)
	return p, err
}

// applyIf is Apply, if check allows it in the transaction.
func (s *Store) applyIf(ctx context.Context, r Range, now time.Time, writes []Write, check func(tx store.Tx) error) ([]Outcome, State, error) {
	ps := make([]prepared, len(writes))
	for i := range writes {
		var err error
		if ps[i], err = r.ready(&writes[i]); err != nil {
			return nil, State{}, &FailedWrite{i, err}
		}
	}
	return s.commitIf(ctx, r, now, ps, check, nil)
}

// commit runs the writes in one transaction. also, unless nil, makes it one of a split, which writes into a range that is not in use yet.
func (s *Store) commit(ctx context.Context, r Range, now time.Time, ps []prepared, also func(tx store.Tx) error) ([]Outcome, State, error) {
	return s.commitIf(ctx, r, now, ps, nil, also)
}

// commitIf is commit, if check, unless nil, allows it in the transaction.
func (s *Store) commitIf(ctx context.Context, r Range, now time.Time, ps []prepared, check, also func(tx store.Tx) error) ([]Outcome, State, error) {
	out := make([]Outcome, len(ps))
	state := State{Range: r}
	t := transaction{r: r, time: now.Unix(), expiry: expiry{now: now.Unix()}, partition: s.Limits.Partition}
	fn := func(tx store.Tx) error {
		if err := t.begin(tx, also != nil); err != nil {
			return err
		}
		if check != nil {
			if err := check(tx); err != nil {
				return err
			}
		}
		if err := t.beginIndex(); err != nil {
			return err
		}
		for i := range ps {
			var err error
			t.seq = uint16(i)
			if out[i], err = t.apply(&ps[i]); err != nil {
				return &FailedWrite{i, err}
			}
		}
		state.Usage = Usage{t.record.documents, t.record.bytes}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		if !t.wrote {
			return nil
		}
		return tx.Put(rangeKey, t.record.encode())
	}
	lsn, err := s.updateIndexed(ctx, &t, ps, fn)
	if err != nil {
		return nil, State{}, err
	}
	state.LSN = r.lsn(lsn)
	return out, state, nil
}

// prepare checks a document against the container's rules, and hashes its unique values.
func (r Range) prepare(d Document) (unique []byte, err error) {
	if err := d.checkTTL(); err != nil {
		return nil, err
	}
	return r.Rules.hash(d.Text)
}

func quoteETag(b [16]byte) string {
	var s [38]byte
	return string(append(ids.Append(append(s[:0], '"'), b), '"'))
}

// MatchETag tells whether an If-Match or If-None-Match value names the etag. Quotes may be absent.
func MatchETag(sent, etag string) bool {
	return sent == "*" || sent == etag || len(etag) > 2 && sent == etag[1:len(etag)-1]
}

// ErrNotFound is the fault of an absent document.
func ErrNotFound() *fault.Error {
	return fault.New(fault.NotFound, "NotFound", "Entity with the specified id does not exist in the system.")
}

func errConflict(id string) *fault.Error {
	return fault.New(fault.Conflict, "Conflict", "Entity with the specified id already exists in the system: %q.", id)
}

func errPrecondition() *fault.Error {
	return fault.New(fault.Precondition, "PreconditionFailed", "Operation cannot be performed because one of the specified precondition is not met.")
}
