package index

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

var (
	stateKey   = []byte("p|")
	currentKey = []byte("p|c")
	targetKey  = []byte("p|t")
	nextKey    = []byte("p|n")
)

const stateVersion = 1

// State is where a range's index stands.
type State struct {
	// Generation counts the changes of policies.
	Generation uint64
	// Changing: documents whose suffix is at most Cursor follow the target policy, the others still the current one.
	Changing    bool
	Cursor      []byte
	Total, Done uint64 // documents: when the change began, and passed by the cursor
}

func (s State) encode() []byte {
	b := append(make([]byte, 0, 27+len(s.Cursor)), 'P', stateVersion)
	b = binary.BigEndian.AppendUint64(b, s.Generation)
	b = binary.BigEndian.AppendUint64(b, s.Total)
	b = binary.BigEndian.AppendUint64(b, s.Done)
	if s.Changing {
		return append(append(b, 1), s.Cursor...)
	}
	return append(b, 0)
}

// ReadState reads a range's state; that of a range without index is the zero State.
func ReadState(sn store.Snapshot) (s State, err error) {
	b, err := sn.Get(stateKey)
	switch {
	case b == nil || err != nil:
		return s, err
	case len(b) < 27 || b[0] != 'P':
		return s, fmt.Errorf("index: malformed state of %d bytes", len(b))
	case b[1] > stateVersion:
		return s, fmt.Errorf("%w: the index has version %d, this program knows up to %d", store.ErrVersion, b[1], stateVersion)
	}
	s = State{Generation: binary.BigEndian.Uint64(b[2:]), Total: binary.BigEndian.Uint64(b[10:]), Done: binary.BigEndian.Uint64(b[18:]), Changing: b[26] == 1}
	if s.Changing {
		s.Cursor = b[27:]
	}
	return s, nil
}

// Progress is how far a change of policy is, in percent: 100 where none is under way.
func (s State) Progress() int {
	switch {
	case !s.Changing:
		return 100
	case s.Total == 0:
		return 0
	}
	return int(min(99, 100*s.Done/s.Total))
}

// Index is a range's index: its policies, and its state when they were read.
type Index struct {
	State
	Current *Policy // nil: no document has rows
	Target  *Policy // nil: no change is under way
	memo    memo
}

// Texts are a range's policies as stored.
type Texts struct {
	State
	current, target []byte
}

// Read reads what Compile needs.
func Read(sn store.Snapshot) (t Texts, err error) {
	if t.State, err = ReadState(sn); err != nil {
		return t, err
	}
	t.Cursor = bytes.Clone(t.Cursor)
	if t.current, err = sn.Get(currentKey); err != nil {
		return t, err
	}
	t.current = bytes.Clone(t.current)
	t.target, err = sn.Get(targetKey)
	t.target = bytes.Clone(t.target)
	return t, err
}

// Compile makes an Index of its texts.
func (t Texts) Compile() (x *Index, err error) {
	x = &Index{State: t.State}
	if t.current != nil {
		if x.Current, err = ParsePolicy(t.current); err != nil {
			return nil, fmt.Errorf("policy in force: %w", err)
		}
	}
	if t.target != nil {
		if x.Target, err = ParsePolicy(t.target); err != nil {
			return nil, fmt.Errorf("policy to come: %w", err)
		}
	}
	return x, nil
}

// Policy is the one a document's rows follow in the state s, which is of x's generation.
func (x *Index) Policy(s State, suffix []byte) *Policy {
	if s.Changing && bytes.Compare(suffix, s.Cursor) <= 0 {
		return x.Target
	}
	return x.Current
}

// Set asks for a policy. Where there are no documents it is in force at once; else a change begins, or waits for the one under way.
func Set(tx store.Tx, text json.RawMessage, documents uint64) error {
	s, err := ReadState(tx)
	if err != nil {
		return err
	}
	if s.Changing {
		return tx.Put(nextKey, text)
	}
	have, err := tx.Get(currentKey)
	if err != nil || bytes.Equal(have, text) {
		return err
	}
	s = State{Generation: s.Generation + 1, Changing: documents > 0, Total: documents}
	key := currentKey
	if s.Changing {
		key = targetKey
	}
	if err := tx.Put(key, text); err != nil {
		return err
	}
	return tx.Put(stateKey, s.encode())
}

// Advance moves a change's cursor after a step over n documents.
func Advance(tx store.Tx, s State, cursor []byte, n int) error {
	s.Cursor = cursor
	s.Done += uint64(n)
	return tx.Put(stateKey, s.encode())
}

// Finish ends a change: its policy is in force, and the one that waits, if any, is next.
func Finish(tx store.Tx, s State, documents uint64) error {
	target, err := tx.Get(targetKey)
	if err != nil {
		return err
	}
	if err := tx.Put(currentKey, target); err != nil {
		return err
	}
	if err := tx.Delete(targetKey); err != nil {
		return err
	}
	s = State{Generation: s.Generation + 1}
	if err := tx.Put(stateKey, s.encode()); err != nil {
		return err
	}
	next, err := tx.Get(nextKey)
	if next == nil || err != nil {
		return err
	}
	if err := tx.Delete(nextKey); err != nil {
		return err
	}
	return Set(tx, next, documents)
}
