package pebble

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// snapshot reads a shard as Pebble holds it. An id of 0 is a shard that does not exist.
type snapshot struct {
	r   pebble.Reader
	id  uint64
	lsn store.LSN
	mem arena
	key [64]byte // for building keys

	// Set only where r is the live engine and the shard may move under a View's reads.
	e       *Engine
	sh      *shard
	state   *state
	touched bool // fn knows something of this state
	torn    bool // the shard moved after fn knew something: fn must run again

	done bool // the function has returned

	// A View's scans take turns with one iterator, as opening one costs as much as reading twenty keys. Scans inside scans have their own.
	reuse bool
	spare *pebble.Iterator
	ends  []byte // for building bounds, which Pebble copies
}

var (
	// errDone answers whoever kept a Snapshot or Tx.
	errDone = errors.New("store: used after its function returned")
	// errTorn ends a View's function early; it is about to run again.
	errTorn = errors.New("store: the shard moved, the function runs again")
)

// start makes the shard's present state the one to be read. It fails while a group is being applied.
func (s *snapshot) start() bool {
	if s.sh == nil {
		return true
	}
	s.state = s.sh.state.Load()
	s.id, s.lsn = s.state.id, s.state.lsn
	return !s.sh.applying.Load()
}

// steady tells whether what was just read is of the state to be read. If it is not, and fn knows nothing yet, it moves
// on to the present state, and again says that the read has to be repeated.
func (s *snapshot) steady() (ok, again bool) {
	if s.state == nil || s.id == 0 {
		return true, false
	}
	if !s.sh.applying.Load() && s.sh.state.Load() == s.state {
		s.touched = true
		return true, false
	}
	if !s.touched && s.start() {
		return false, true
	}
	s.torn = true
	return false, false
}

// LSN implements store.Snapshot.
func (s *snapshot) LSN() store.LSN {
	s.touched = true
	return s.lsn
}

// Get implements store.Snapshot.
func (s *snapshot) Get(key []byte) ([]byte, error) {
	if s.done {
		return nil, errDone
	}
	for {
		if s.id == 0 || len(key) > store.MaxKey {
			return nil, nil
		}
		v, err := s.get(key)
		if ok, again := s.steady(); ok {
			return v, err
		} else if !again {
			return nil, errTorn
		}
	}
}

// get finds a kept row, or asks Pebble.
func (s *snapshot) get(key []byte) ([]byte, error) {
	full := appendKey(s.key[:0], s.id, key)
	if s.state == nil {
		return s.look(full)
	}
	v, found, fresh := s.e.rows.get(s.sh, full)
	if found {
		return v, nil
	}
	v, err := s.look(full)
	if fresh && v != nil && err == nil {
		s.e.rows.keep(s.sh, s.state, full, v)
	}
	return v, err
}

// look returns a copy: what Pebble hands out may vanish.
func (s *snapshot) look(full []byte) ([]byte, error) {
	v, closer, err := s.r.Get(full)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: get: %w", err)
	}
	c := make([]byte, len(v))
	copy(c, v)
	return c, closer.Close()
}

// iter gives Pebble's iterator on r, for back; nil if the shard does not exist. It keeps the state it was opened on.
func (s *snapshot) iter(r store.Range) (*pebble.Iterator, error) {
	for {
		if s.id == 0 {
			return nil, nil
		}
		lo, hi := s.bounds(r)
		if it := s.spare; it != nil {
			s.spare = nil
			it.SetBounds(lo, hi)
			return it, nil
		}
		it, err := s.r.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
		if err != nil {
			return nil, fmt.Errorf("store: scan: %w", err)
		}
		ok, again := s.steady()
		if ok {
			return it, nil
		}
		_ = it.Close()
		if !again {
			return nil, errTorn
		}
	}
}

// bounds are the engine's keys for r in the shard; good until the next call.
func (s *snapshot) bounds(r store.Range) (lo, hi []byte) {
	s.ends = appendKey(s.ends[:0], s.id, r.Start)
	n := len(s.ends)
	if r.End == nil {
		s.ends = appendKey(s.ends, s.id+1, nil)
	} else {
		s.ends = appendKey(s.ends, s.id, r.End)
	}
	return s.ends[:n:n], s.ends[n:]
}

// back takes an iterator back.
func (s *snapshot) back(it *pebble.Iterator) {
	if s.reuse && s.spare == nil && it.Error() == nil {
		s.spare = it
		return
	}
	_ = it.Close()
}

// end is called when the function has returned.
func (s *snapshot) end() {
	s.done = true
	if s.spare != nil {
		_ = s.spare.Close()
		s.spare = nil
	}
}

// Scan implements store.Snapshot.
func (s *snapshot) Scan(r store.Range, fn func(key, value []byte) bool) error {
	return s.scan(r, nil, fn)
}

// scan merges what Pebble holds with the overlay o, which may be nil.
func (s *snapshot) scan(r store.Range, o *overlay, fn func(key, value []byte) bool) error {
	if s.done {
		return errDone
	}
	if r.End != nil && bytes.Compare(r.Start, r.End) >= 0 {
		return nil
	}
	it, err := s.iter(r)
	if err != nil {
		return err
	}
	m := merge{it: it, fn: fn, mem: &s.mem, reverse: r.Reverse}
	if it != nil {
		defer s.back(it)
	}
	if o != nil && !o.empty() {
		m.spans = o.spans
	}
	m.first()
	if o == nil || o.live == 0 {
		m.drain()
	} else {
		m.over(o, r)
	}
	if m.it != nil && m.it.Error() != nil {
		return fmt.Errorf("store: scan: %w", m.it.Error())
	}
	return nil
}

// merge is one scan: base keys from it that no span hides, and the overlay's points, in one order.
type merge struct {
	it      *pebble.Iterator // nil: no base
	spans   []span
	fn      func(key, value []byte) bool
	mem     *arena
	reverse bool
	stopped bool
}

func (m *merge) first() {
	if m.it == nil {
		return
	}
	if m.reverse {
		m.it.Last()
	} else {
		m.it.First()
	}
	m.skip()
}

func (m *merge) next() {
	if m.reverse {
		m.it.Prev()
	} else {
		m.it.Next()
	}
	m.skip()
}

// skip moves past hidden keys, a whole span at a time.
func (m *merge) skip() {
	for len(m.spans) > 0 && m.it.Valid() {
		s, hidden := find(m.spans, m.key())
		if !hidden {
			return
		}
		prefix := m.it.Key()[:idLen:idLen]
		if m.reverse {
			m.it.SeekLT(append(prefix, s.start...))
		} else {
			m.it.SeekGE(append(prefix, s.end...))
		}
	}
}

func (m *merge) valid() bool { return m.it != nil && m.it.Valid() }
func (m *merge) key() []byte { return m.it.Key()[idLen:] }

// emitBase hands the base's present key to fn and moves on.
func (m *merge) emitBase() {
	m.stopped = !m.fn(m.mem.copy(m.key()), m.mem.copy(m.it.Value()))
	if !m.stopped {
		m.next()
	}
}

func (m *merge) drain() {
	for !m.stopped && m.valid() {
		m.emitBase()
	}
}

// over walks the overlay's points in r, emitting base keys as they come due. It walks a clone, as fn may write.
func (m *merge) over(o *overlay, r store.Range) {
	visit := func(p point) bool {
		for !m.stopped && m.valid() {
			c := bytes.Compare(m.key(), p.key)
			if c == 0 {
				m.next()
				break
			}
			if (c > 0) != m.reverse {
				break
			}
			m.emitBase()
		}
		if !m.stopped && p.value != nil {
			m.stopped = !m.fn(p.key, p.value)
		}
		return !m.stopped
	}
	points := o.ordered().Clone()
	if !m.reverse {
		points.AscendGreaterOrEqual(point{key: r.Start}, func(p point) bool {
			return (r.End == nil || bytes.Compare(p.key, r.End) < 0) && visit(p)
		})
	} else {
		down := func(p point) bool {
			if r.End != nil && bytes.Compare(p.key, r.End) >= 0 {
				return true // DescendLessOrEqual begins at End itself
			}
			return bytes.Compare(p.key, r.Start) >= 0 && visit(p)
		}
		if r.End == nil {
			points.Descend(down)
		} else {
			points.DescendLessOrEqual(point{key: r.End}, down)
		}
	}
	m.drain()
}

// tx is one function's view of the group's overlay over the shard.
type tx struct {
	base  snapshot // its lsn is the one this transaction will commit as
	o     *overlay
	hot   *hot
	keys  int
	bytes int
	err   error // the first refusal; a function that ignores it must not commit
}

// LSN implements store.Tx.
func (t *tx) LSN() store.LSN { return t.base.lsn }

// Get implements store.Snapshot.
func (t *tx) Get(key []byte) ([]byte, error) {
	if t.base.done {
		return nil, errDone
	}
	if v, decided := t.o.get(key); decided {
		return v, nil
	}
	if v, known := t.hot.get(key); known {
		return v, nil
	}
	v, err := t.base.Get(key)
	if err == nil {
		t.hot.read(key, v)
	}
	return v, err
}

// Scan implements store.Snapshot. fn may write; the scan goes on over the state it began with.
func (t *tx) Scan(r store.Range, fn func(key, value []byte) bool) error {
	return t.base.scan(r, t.o, fn)
}

// Put implements store.Tx.
func (t *tx) Put(key, value []byte) error {
	if len(value) > store.MaxValue {
		return t.refuse(fmt.Errorf("%w: value of %d bytes, at most %d", store.ErrLimit, len(value), store.MaxValue))
	}
	if err := t.admit(key, len(value)); err != nil {
		return err
	}
	if value == nil {
		value = []byte{}
	}
	t.o.set(key, value)
	return nil
}

// Delete implements store.Tx.
func (t *tx) Delete(key []byte) error {
	if err := t.admit(key, 0); err != nil {
		return err
	}
	t.o.set(key, nil)
	return nil
}

// fewKeys is up to where DeleteRange deletes key by key: Pebble reads past many small range deletions slowly.
const fewKeys = 64

// DeleteRange implements store.Tx.
func (t *tx) DeleteRange(start, end []byte) error {
	if end == nil {
		return t.refuse(errors.New("store: DeleteRange needs an end"))
	}
	if len(start) > store.MaxKey {
		return t.refuse(fmt.Errorf("%w: key of %d bytes, at most %d", store.ErrLimit, len(start), store.MaxKey))
	}
	if err := t.admit(end, len(start)); err != nil {
		return err
	}
	if bytes.Compare(start, end) >= 0 {
		return nil
	}
	var found [][]byte
	err := t.Scan(store.Range{Start: start, End: end}, func(k, _ []byte) bool {
		found = append(found, k)
		return len(found) <= fewKeys
	})
	if err != nil {
		return t.refuse(err)
	}
	if len(found) > fewKeys {
		t.o.hide(start, end)
		return nil
	}
	for _, k := range found {
		t.o.set(k, nil)
	}
	return nil
}

// admit counts one write and checks the limits.
func (t *tx) admit(key []byte, n int) error {
	if t.base.done {
		return errDone
	}
	if len(key) > store.MaxKey {
		return t.refuse(fmt.Errorf("%w: key of %d bytes, at most %d", store.ErrLimit, len(key), store.MaxKey))
	}
	t.keys++
	t.bytes += len(key) + n
	if t.keys > store.MaxTxKeys {
		return t.refuse(fmt.Errorf("%w: more than %d writes in one transaction", store.ErrLimit, store.MaxTxKeys))
	}
	if t.bytes > store.MaxTxBytes {
		return t.refuse(fmt.Errorf("%w: more than %d bytes in one transaction", store.ErrLimit, store.MaxTxBytes))
	}
	return nil
}

func (t *tx) refuse(err error) error {
	if t.err == nil {
		t.err = err
	}
	return err
}
