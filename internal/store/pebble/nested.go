package pebble

import (
	"slices"
	"sync"
)

// running is the set of goroutines that are inside a function given to View or Update. It exists to answer
// store.ErrNested where the caller would otherwise deadlock on its own shard, or quietly depend on two shards at once.
type running [64]struct {
	mu sync.Mutex
	gs []uintptr
	_  [32]byte // keeps neighbours off one cache line
}

func (r *running) has(g uintptr) bool {
	s := &r[slot(g)]
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.gs, g)
}

// enter adds g and tells whether it was absent.
func (r *running) enter(g uintptr) bool {
	s := &r[slot(g)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.gs, g) {
		return false
	}
	s.gs = append(s.gs, g)
	return true
}

func (r *running) exit(g uintptr) {
	s := &r[slot(g)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.gs, g); i >= 0 {
		s.gs[i] = s.gs[len(s.gs)-1]
		s.gs = s.gs[:len(s.gs)-1]
	}
}

func slot(g uintptr) uint64 { return uint64(g) * 0x9e3779b97f4a7c15 >> 58 }
