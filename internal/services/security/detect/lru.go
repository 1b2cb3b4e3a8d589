package detect

import (
	"hash/maphash"
	"math/rand/v2"
)

// lru keeps the entries that were asked for last, a bounded number. Entries lie in one slice and point to each other by their places, so that many cost little memory and
// next to nothing to keep, and those whose keys follow each other, as the numbers of processes do, lie near each other. The zero value doesn't work.
type lru[K comparable, V any] struct {
	hash           func(K) uint64
	buckets        []int32 // a power of two of them: the first entry of each
	slots          []slot[K, V]
	newest, oldest int32
	most           int
	forgotten      func(K, V) // called with each entry that had to go; may be nil
}

type slot[K comparable, V any] struct {
	value        V
	key          K
	newer, older int32
	next         int32 // in the bucket
}

const nowhere = -1

// newLRU is for at most so many entries. hash tells keys apart; whoever can choose keys must not know it.
func newLRU[K comparable, V any](most int, hash func(K) uint64, forgotten func(K, V)) *lru[K, V] {
	return &lru[K, V]{hash: hash, newest: nowhere, oldest: nowhere, most: most, forgotten: forgotten}
}

// seeded is a hash for any keys.
func seeded[K comparable]() func(K) uint64 {
	seed := maphash.MakeSeed()
	return func(key K) uint64 { return maphash.Comparable(seed, key) }
}

// hashPID is a hash for the numbers of processes, which the kernel gives one after the other: neighbours stay neighbours.
func hashPID() func(uint32) uint64 {
	seed := rand.Uint64() | 1
	return func(pid uint32) uint64 { return uint64(pid) + uint64(pid>>14)*seed>>32 }
}

// Len is how many entries there are.
func (l *lru[K, V]) Len() int { return len(l.slots) }

func (l *lru[K, V]) find(key K) int32 {
	if len(l.buckets) == 0 {
		return nowhere
	}
	i := *l.bucket(key)
	for i != nowhere && l.slots[i].key != key {
		i = l.slots[i].next
	}
	return i
}

func (l *lru[K, V]) bucket(key K) *int32 { return &l.buckets[l.hash(key)&uint64(len(l.buckets)-1)] }

// Get is the value of a key, which is the last to be forgotten now.
func (l *lru[K, V]) Get(key K) (value V, ok bool) {
	i := l.find(key)
	if i == nowhere {
		return value, false
	}
	l.touch(i)
	return l.slots[i].value, true
}

// Peek is the value of a key.
func (l *lru[K, V]) Peek(key K) (value V, ok bool) {
	i := l.find(key)
	if i == nowhere {
		return value, false
	}
	return l.slots[i].value, true
}

// Oldest is the entry that would be forgotten next.
func (l *lru[K, V]) Oldest() (key K, value V, ok bool) {
	if l.oldest == nowhere {
		return key, value, false
	}
	s := &l.slots[l.oldest]
	return s.key, s.value, true
}

// Add gives a key a value. If there are too many the one that was asked for longest ago is forgotten.
func (l *lru[K, V]) Add(key K, value V) {
	if i := l.find(key); i != nowhere {
		l.slots[i].value = value
		l.touch(i)
		return
	}
	l.begin(key, value)
}

// begin is Add of a key that is not there.
func (l *lru[K, V]) begin(key K, value V) {
	if len(l.slots) < l.most {
		i := int32(len(l.slots))
		l.slots = append(l.slots, slot[K, V]{key: key, value: value})
		if len(l.slots) > len(l.buckets) {
			l.grow()
		} else {
			l.link(i)
		}
		l.first(i)
		return
	}
	i := l.oldest
	l.unlink(i)
	s := &l.slots[i]
	if l.forgotten != nil {
		l.forgotten(s.key, s.value)
	}
	s.key, s.value = key, value
	l.link(i)
	l.touch(i)
}

// grow makes twice as many buckets, and puts all entries into them.
func (l *lru[K, V]) grow() {
	l.buckets = make([]int32, max(8, 2*len(l.buckets)))
	for i := range l.buckets {
		l.buckets[i] = nowhere
	}
	for i := range l.slots {
		l.link(int32(i))
	}
}

func (l *lru[K, V]) link(i int32) {
	s := &l.slots[i]
	b := l.bucket(s.key)
	s.next, *b = *b, i
}

func (l *lru[K, V]) unlink(i int32) {
	at := l.bucket(l.slots[i].key)
	for *at != i {
		at = &l.slots[*at].next
	}
	*at = l.slots[i].next
}

// prune forgets entries as told, but none of the quarter that was asked for last, and gives back memory that isn't needed any more. What had to go isn't told of.
func (l *lru[K, V]) prune(forget func(K, V) bool) {
	order := make([]slot[K, V], 0, len(l.slots))
	for i, n := l.oldest, 0; i != nowhere; n++ {
		s := &l.slots[i]
		if 4*n >= 3*len(l.slots) || !forget(s.key, s.value) {
			order = append(order, *s)
		}
		i = s.newer
	}
	l.slots, l.buckets, l.newest, l.oldest = make([]slot[K, V], 0, len(order)+len(order)/4), nil, nowhere, nowhere
	for i := range order {
		l.begin(order[i].key, order[i].value)
	}
}

// touch makes an entry the newest.
func (l *lru[K, V]) touch(i int32) {
	if l.newest == i {
		return
	}
	s := &l.slots[i] // it has a newer one
	l.slots[s.newer].older = s.older
	if s.older == nowhere {
		l.oldest = s.newer
	} else {
		l.slots[s.older].newer = s.newer
	}
	l.first(i)
}

// first puts an entry that is in no order yet before all others.
func (l *lru[K, V]) first(i int32) {
	l.slots[i].newer, l.slots[i].older = nowhere, l.newest
	if l.newest == nowhere {
		l.oldest = i
	} else {
		l.slots[l.newest].newer = i
	}
	l.newest = i
}
