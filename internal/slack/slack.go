// Package slack bounds how far the heap grows beyond what is in use.
//
// Go's collector lets garbage grow by a share of what lives. Pebble's blocks and memory tables, which are bytes of the Go heap in a program without cgo, make what lives
// grow from ten megabytes to more than a hundred as a store fills, and a share that suits the small heap (collections cost by what has pointers, and come
// less often) would make hundreds of megabytes of garbage of the large one. Blocks have no pointers, so that a collection costs the same with a full cache as with an
// empty one: the garbage that may pile up can be the same as well.
package slack

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Bounds of what a Bound sets: as GOGC, in percent of what lives.
const (
	most  = 300
	least = 50 // a heap so large that the slack would be less than this pays by memory, not by collections that never end
)

// Platform is the platform's bound: as much garbage as its heap makes with an empty store by the share that suits it, three times what lives.
const Platform = 64 << 20

// Bound keeps the garbage that piles up between collections to about bytes, from now on until stop is called: the share that the collector goes by is set
// anew after each collection. It is the process's, so that there should be one. stop puts back what was.
func Bound(bytes uint64) (stop func()) {
	b := &bound{bytes: bytes, now: most}
	b.before = debug.SetGCPercent(most)
	b.set()
	arm(b)
	return b.stop
}

// bound is what a collection leads to.
type bound struct {
	bytes  uint64
	before int

	mu      sync.Mutex
	now     int
	stopped bool
}

// sentinel is garbage at once: its finalizer tells of the collection that found it. A pointer keeps it out of the allocator's shared blocks.
type sentinel struct{ b *bound }

func arm(b *bound) {
	runtime.SetFinalizer(&sentinel{b}, func(s *sentinel) {
		if s.b.set() {
			arm(s.b)
		}
	})
}

// set sets the share by what the last collection found alive. It reports false once stopped.
func (b *bound) set() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return false
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	want := percent(sample[0].Value.Uint64(), b.bytes)
	// Setting it stops the world for some microseconds, so that little changes are let be.
	if d := want - b.now; d > b.now/10 || -d > b.now/10 {
		debug.SetGCPercent(want)
		b.now = want
	}
	return true
}

func (b *bound) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		b.stopped = true
		debug.SetGCPercent(b.before)
	}
}

// percent is the share of live bytes that makes bytes of garbage.
func percent(live, bytes uint64) int {
	share := 100 * float64(bytes) / float64(max(live, 1))
	return int(math.Round(min(max(share, least), most)))
}
