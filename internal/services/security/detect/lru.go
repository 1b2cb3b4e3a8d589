package detect

// lru keeps the entries that were asked for last, a bounded number. Entries lie in one slice and point to each other by their places, so that many cost little memory and
// next to nothing to keep. The zero value doesn't work.
type lru[K comparable, V any] struct {
	at             map[K]int32
	slots          []slot[K, V]
	newest, oldest int32
	most           int
	forgotten      func(K, V) // called with each entry that had to go; may be nil
}

type slot[K comparable, V any] struct {
	key          K
	value        V
	newer, older int32
}

const nowhere = -1

func newLRU[K comparable, V any](most int, forgotten func(K, V)) *lru[K, V] {
	return &lru[K, V]{at: map[K]int32{}, newest: nowhere, oldest: nowhere, most: most, forgotten: forgotten}
}

// Len is how many entries there are.
func (l *lru[K, V]) Len() int { return len(l.slots) }

// Get is the value of a key, which is the last to be forgotten now.
func (l *lru[K, V]) Get(key K) (value V, ok bool) {
	i, ok := l.at[key]
	if !ok {
		return value, false
	}
	l.touch(i)
	return l.slots[i].value, true
}

// Peek is the value of a key.
func (l *lru[K, V]) Peek(key K) (value V, ok bool) {
	i, ok := l.at[key]
	if !ok {
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
	if i, ok := l.at[key]; ok {
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
		l.at[key] = i
		l.first(i)
		return
	}
	i := l.oldest
	s := &l.slots[i]
	delete(l.at, s.key)
	if l.forgotten != nil {
		l.forgotten(s.key, s.value)
	}
	s.key, s.value = key, value
	l.at[key] = i
	l.touch(i)
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
