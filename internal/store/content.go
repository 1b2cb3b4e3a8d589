package store

import (
	"sync/atomic"
)

// Content receives a store's whole content: each shard in order of names, after it its records in order of keys. An error ends the walk. Slices are
// valid during the call.
type Content interface {
	Shard(name string, lsn LSN) error
	Record(key, value []byte) error
}

// CacheCounters count what every Cached on a store did. An engine that has them gives them by CacheCounters.
type CacheCounters struct{ Hits, Misses atomic.Uint64 }

// counting is an engine that wants to know what caches on it do.
type counting interface{ CacheCounters() *CacheCounters }

// countersOf gives the engine's counters, or ones nobody reads.
func countersOf(st Store) *CacheCounters {
	if c, ok := st.(counting); ok {
		return c.CacheCounters()
	}
	return &CacheCounters{}
}
