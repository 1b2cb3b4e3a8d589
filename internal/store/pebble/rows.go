package pebble

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Bounds of the rows kept.
const (
	rowStripes = 16
	rowsSeen   = 1 << 16 // keys of which it is known that they were read lately
	rowMost    = 16 << 10
	rowCost    = 160 // bytes that a row takes besides its key and value
)

// rows keeps values that Views read time and again, so that they need not be looked up in Pebble, which takes microseconds even where all blocks are in
// memory. A key is the engine's own, with the shard's id. A row is what the shard holds in its present state: the leader takes out what a group writes,
// while the shard says that it is being applied, and a View puts in what it read only as long as the shard has not moved, both under the row's stripe. So a row
// that a View finds is of its state, or the View sees afterwards that the shard has moved, as with a read of Pebble.
type rows struct {
	seed maphash.Seed
	most int // bytes in one stripe
	// seen has a part of the hash of keys that were read: one that is read again is kept. Reads that never come back leave no row.
	seen    [rowsSeen]atomic.Uint32
	stripes [rowStripes]rowStripe
}

type rowStripe struct {
	mu    sync.Mutex
	byKey map[string]*keptRow
	ring  []*keptRow // all rows, in no order; hand goes round it to find one that was not read of late
	hand  int
	bytes int
}

// keptRow is a value. It is shared: never changed.
type keptRow struct {
	key   string
	value []byte
	sh    *shard
	epoch uint64 // of the shard; a row of an earlier one is void
	used  bool
	at    int // in the ring
}

func newRows(most int) *rows {
	r := &rows{seed: maphash.MakeSeed(), most: most / rowStripes}
	for i := range r.stripes {
		r.stripes[i].byKey = map[string]*keptRow{}
	}
	return r
}

func (r *rows) stripe(key []byte) (*rowStripe, uint64) {
	sum := maphash.Bytes(r.seed, key)
	return &r.stripes[sum%rowStripes], sum
}

// get finds a row. Else fresh tells that the value is worth keeping.
func (r *rows) get(sh *shard, key []byte) (value []byte, found, fresh bool) {
	s, sum := r.stripe(key)
	if sh.kept.Load() > 0 {
		s.mu.Lock()
		if row := s.byKey[string(key)]; row != nil && row.epoch == sh.epoch.Load() {
			row.used = true
			value = row.value
			s.mu.Unlock()
			return value, true, false
		}
		s.mu.Unlock()
	}
	mark := uint32(sum>>32) | 1
	seen := &r.seen[sum>>4%rowsSeen]
	return nil, false, seen.Swap(mark) == mark
}

// keep puts in what was read of the state.
func (r *rows) keep(sh *shard, of *state, key, value []byte) {
	if len(value) > rowMost {
		return
	}
	s, _ := r.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	// Counted, and the epoch read, before the look at applying: whoever applies from then on sees the count, and with it takes the row out or voids it.
	epoch := sh.epoch.Load()
	sh.kept.Add(1)
	if sh.applying.Load() || sh.state.Load() != of {
		sh.kept.Add(-1)
		return
	}
	if old := s.byKey[string(key)]; old != nil {
		s.drop(old)
	}
	row := &keptRow{key: string(key), value: value, sh: sh, epoch: epoch, at: len(s.ring)}
	s.ring = append(s.ring, row)
	s.byKey[row.key] = row
	s.bytes += row.size()
	for s.bytes > r.most {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		if old := s.ring[s.hand]; old.used && old.epoch == old.sh.epoch.Load() {
			old.used = false
			s.hand++
		} else {
			s.drop(old) // another takes its place in the ring
		}
	}
}

func (k *keptRow) size() int { return len(k.key) + len(k.value) + rowCost }

// drop takes a row out. s.mu is held.
func (s *rowStripe) drop(row *keptRow) {
	last := len(s.ring) - 1
	s.ring[row.at] = s.ring[last]
	s.ring[row.at].at = row.at
	s.ring[last] = nil
	s.ring = s.ring[:last]
	delete(s.byKey, row.key)
	s.bytes -= row.size()
	row.sh.kept.Add(-1)
}

// applied takes out what a group wrote. The shard is being applied.
func (r *rows) applied(sh *shard, id uint64, o *overlay) {
	switch {
	case sh.kept.Load() == 0:
		return
	case len(o.spans) > 0:
		sh.epoch.Add(1)
		return
	}
	var room [128]byte
	for i := range o.entries {
		if e := &o.entries[i]; e.live {
			key := appendKey(room[:0], id, e.key)
			s, _ := r.stripe(key)
			s.mu.Lock()
			if row := s.byKey[string(key)]; row != nil {
				s.drop(row)
			}
			s.mu.Unlock()
		}
	}
}
