package items

import (
	"bytes"
	"hash/maphash"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// buffer is a store.Tx over the snapshot of a View: what is written stays in memory, what is read of the store is remembered, so that a later
// transaction can check that it still holds (see valid).
type buffer struct {
	base store.Snapshot // of the View that is under way
	lsn  store.LSN      // of the first View; 0: none yet

	writes map[string][]byte // nil: deleted
	op     map[string][]byte // of the operation that is under way, over writes
	// What a transaction that does the same counts: each write, however often it is to one key.
	done, now cost

	seed  maphash.Seed
	keys  map[string]uint64 // what was read, by key
	spans []span            // what was scanned
	torn  bool              // the same key was read with two values
}

// cost is what a store's transaction has a limit on.
type cost struct{ keys, bytes int }

// span is a range of keys as it was scanned.
type span struct {
	within store.Range
	sum    uint64
}

func newBuffer() *buffer {
	return &buffer{writes: map[string][]byte{}, op: map[string][]byte{}, seed: maphash.MakeSeed(), keys: map[string]uint64{}}
}

// LSN implements store.Tx: a guess, which numbers documents until they are written.
func (b *buffer) LSN() store.LSN { return b.lsn + 1 }

func (b *buffer) own(key []byte) (value []byte, found bool) {
	if value, found = b.op[string(key)]; !found {
		value, found = b.writes[string(key)]
	}
	return value, found
}

// Get implements store.Tx.
func (b *buffer) Get(key []byte) ([]byte, error) {
	if v, ok := b.own(key); ok {
		return v, nil
	}
	v, err := b.base.Get(key)
	if err != nil || bytes.Equal(key, rangeKey) || isWeight(key) { // what is counted changes all the time, and is worked out anew
		return v, err
	}
	sum := b.fingerprint(v)
	if was, seen := b.keys[string(key)]; seen {
		b.torn = b.torn || was != sum
	} else {
		b.keys[string(key)] = sum
	}
	return v, nil
}

// GetMany implements store.Tx.
func (b *buffer) GetMany(keys [][]byte, fn func(i int, value []byte) bool) error {
	return store.GetEach(b.Get, keys, fn)
}

func (b *buffer) fingerprint(v []byte) uint64 {
	if v == nil {
		return 0
	}
	return maphash.Bytes(b.seed, v) | 1
}

// Put implements store.Tx.
func (b *buffer) Put(key, value []byte) error {
	b.count(key, value)
	b.op[string(key)] = append(make([]byte, 0, len(value)), value...)
	return nil
}

// Delete implements store.Tx.
func (b *buffer) Delete(key []byte) error {
	b.count(key, nil)
	b.op[string(key)] = nil
	return nil
}

func (b *buffer) count(key, value []byte) {
	if !bytes.Equal(key, rangeKey) { // written once, at the end
		b.now.keys++
		b.now.bytes += len(key) + len(value)
	}
}

// DeleteRange implements store.Tx.
func (b *buffer) DeleteRange(start, end []byte) error {
	var keys [][]byte
	if err := b.Scan(store.Range{Start: start, End: end}, func(key, _ []byte) bool {
		keys = append(keys, bytes.Clone(key))
		return true
	}); err != nil {
		return err
	}
	for _, k := range keys {
		b.op[string(k)] = nil
	}
	return nil
}

// Scan implements store.Tx.
func (b *buffer) Scan(r store.Range, fn func(key, value []byte) bool) error {
	mine, on := b.ownKeys(r), true
	// emit passes on own keys that come before limit (nil: all).
	emit := func(limit []byte) {
		for on && len(mine) > 0 && (limit == nil || before(r, mine[0], limit)) {
			if v, _ := b.own([]byte(mine[0])); v != nil {
				on = fn([]byte(mine[0]), v)
			}
			mine = mine[1:]
		}
	}
	var h maphash.Hash
	h.SetSeed(b.seed)
	var last []byte
	err := b.base.Scan(r, func(key, value []byte) bool {
		add(&h, key, value)
		emit(key)
		if on {
			if len(mine) > 0 && mine[0] == string(key) {
				if v, _ := b.own(key); v != nil {
					on = fn(key, v)
				}
				mine = mine[1:]
			} else {
				on = fn(key, value)
			}
		}
		if !on {
			last = bytes.Clone(key)
		}
		return on
	})
	if err != nil {
		return err
	}
	emit(nil)
	within := store.Range{Start: bytes.Clone(r.Start), End: bytes.Clone(r.End), Reverse: r.Reverse}
	switch {
	case last == nil:
	case r.Reverse:
		within.Start = last
	default:
		within.End = append(last, 0)
	}
	b.spans = append(b.spans, span{within, h.Sum64()})
	return nil
}

func before(r store.Range, a string, k []byte) bool {
	if r.Reverse {
		return a > string(k)
	}
	return a < string(k)
}

func add(h *maphash.Hash, key, value []byte) {
	for _, b := range [][]byte{key, value} {
		n := len(b)
		_, _ = h.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) // never fails
		_, _ = h.Write(b)
	}
}

// ownKeys are the keys in r that this buffer has written or deleted, in the order of the scan.
func (b *buffer) ownKeys(r store.Range) []string {
	var out []string
	in := func(k string) bool { return k >= string(r.Start) && (r.End == nil || k < string(r.End)) }
	for k := range b.op {
		if in(k) {
			out = append(out, k)
		}
	}
	for k := range b.writes {
		if _, twice := b.op[k]; in(k) && !twice {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	if r.Reverse {
		slices.Reverse(out)
	}
	return out
}

// settle keeps what the operation wrote, or drops it.
func (b *buffer) settle(keep bool) {
	if keep {
		for k, v := range b.op {
			b.writes[k] = v
		}
		b.done.keys += b.now.keys
		b.done.bytes += b.now.bytes
	}
	b.now = cost{}
	clear(b.op)
}

// valid tells whether all that was read is still so in the state sn, whose last transaction is lsn.
func (b *buffer) valid(sn store.Snapshot, lsn store.LSN) (bool, error) {
	if b.torn {
		return false, nil
	}
	if lsn == b.lsn || b.lsn == 0 && len(b.keys) == 0 {
		return true, nil
	}
	for k, sum := range b.keys {
		v, err := sn.Get([]byte(k))
		if err != nil || b.fingerprint(v) != sum {
			return false, err
		}
	}
	for _, s := range b.spans {
		var h maphash.Hash
		h.SetSeed(b.seed)
		if err := sn.Scan(s.within, func(key, value []byte) bool { add(&h, key, value); return true }); err != nil || h.Sum64() != s.sum {
			return false, err
		}
	}
	return true, nil
}
