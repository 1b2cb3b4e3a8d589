package metrics

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
)

// resource is the series of one resource.
type resource struct {
	id      string // as the first had it
	list    []*series
	changes atomic.Uint64 // of list
}

// hash is that of a series' key. Keys themselves are not kept: they would weigh as much as an hour of cells.
func (s *Store) hash(key []byte) uint64 { return maphash.Bytes(s.seed, key) }

// named finds a series; nil if there is none. b.mu is held.
func (b *bucket) named(hash uint64, s *Series) *series {
	r := b.byHash[hash]
	for r != nil && !r.Series.same(s) {
		r = r.next
	}
	return r
}

// same tells whether two series are one.
func (s *Series) same(o *Series) bool {
	if len(s.Dimensions) != len(o.Dimensions) || !sameFold(s.Name, o.Name) || !sameFold(s.Namespace, o.Namespace) || !sameFold(s.Resource, o.Resource) {
		return false
	}
	for i := range o.Dimensions {
		d := &o.Dimensions[i]
		if s.Dimensions[i] == *d { // nearly always
			continue
		}
		if !slices.ContainsFunc(s.Dimensions, func(e Dimension) bool { return e.Value == d.Value && sameFold(e.Name, d.Name) }) {
			return false
		}
	}
	return true
}

func sameFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if a == b {
		return true
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// list makes a series found. b.mu is held.
func (b *bucket) list(r *series, hash uint64) {
	r.next = b.byHash[hash]
	b.byHash[hash] = r
	k := strings.ToLower(r.Resource)
	at := b.byResource[k]
	if at == nil {
		at = &resource{id: r.Resource}
		b.byResource[k] = at
		b.made.Add(1)
	}
	if r.Resource == at.id { // one copy of the id for all
		r.Resource = at.id
	}
	if n := len(at.list); n > 0 && at.list[n-1].Namespace == r.Namespace {
		r.Namespace = at.list[n-1].Namespace
	}
	at.list = append(at.list, r)
	at.changes.Add(1)
}

// unlist undoes list. b.mu is held.
func (b *bucket) unlist(r *series, hash uint64) {
	if first := b.byHash[hash]; first == r && r.next == nil {
		delete(b.byHash, hash)
	} else if first == r {
		b.byHash[hash] = r.next
	} else {
		for p := first; p != nil; p = p.next {
			if p.next == r {
				p.next = r.next
				break
			}
		}
	}
	k := strings.ToLower(r.Resource)
	at := b.byResource[k]
	if at == nil {
		return
	}
	if at.list = slices.DeleteFunc(at.list, func(o *series) bool { return o == r }); len(at.list) == 0 {
		delete(b.byResource, k)
	}
	at.changes.Add(1)
}
