package store

import (
	"context"
	"errors"
	"syscall"
)

// LSN is a shard's log sequence number. A shard that was never written has LSN 0; each transaction that wrote advances it by one.
type LSN uint64

// Limits that every engine checks.
const (
	MaxKey     = 1024     // bytes
	MaxValue   = 4 << 20  // bytes
	MaxTxBytes = 16 << 20 // bytes of keys and values written by one transaction
	MaxTxKeys  = 20_000   // writes in one transaction
	MaxShard   = 200      // bytes of a shard name
)

// Errors of the contract. Engines wrap them with details.
var (
	ErrLimit  = errors.New("store: limit exceeded")
	ErrNested = errors.New("store: View or Update inside another")
	ErrFull   = errors.New("store: no space left")
	ErrClosed = errors.New("store: closed")
	// ErrVersion: data was written by a newer program. The error text names both versions.
	ErrVersion = errors.New("store: written by a newer version")
)

// Store is an engine. All methods are safe for concurrent use.
//
// fn given to View or Update is pure and short: no I/O, no other shard, no clock, randomness, crypto or parsing
// (prepare outside, pass in). It may run again. Bytes it is handed are valid until it returns.
type Store interface {
	// View runs fn on one consistent, durable state of the shard.
	View(ctx context.Context, shard string, fn func(Snapshot) error) error
	// Update runs fn and commits what it wrote, durably and at once, before it returns; an error from fn discards it
	// and is returned as it is. The LSN is that of this transaction, or the shard's present one when fn wrote nothing.
	Update(ctx context.Context, shard string, fn func(Tx) error) (LSN, error)
	// Watch returns once the shard's durable LSN is above after, with that LSN. It coalesces: a doorbell, not a log.
	Watch(ctx context.Context, shard string, after LSN) (LSN, error)
	// Shards lists the names of shards with the prefix, in order, after the given name, at most limit of them
	// (0: all).
	Shards(ctx context.Context, prefix, after string, limit int) ([]string, error)
	// Drop removes a shard with all its keys; the name then stands for an empty shard of LSN 0.
	Drop(ctx context.Context, shard string) error
	Close() error
}

// Snapshot reads one state of one shard.
type Snapshot interface {
	// LSN is that of the last transaction in this state.
	LSN() LSN
	// Get returns the value, nil if the key is absent (a stored empty value is non-nil). In a View the bytes stay valid after
	// fn returned. Others may be handed the same: they must not be changed.
	Get(key []byte) ([]byte, error)
	// GetMany looks up keys, which are in order, and calls fn for each with its place among them and its value (nil if it is absent), until fn returns
	// false. Other than elsewhere the value is only lent: fn must not keep it. Many look-ups at once cost a fraction of as many Gets.
	GetMany(keys [][]byte, fn func(i int, value []byte) bool) error
	// Scan calls fn for each key in r, in order, until fn returns false.
	Scan(r Range, fn func(key, value []byte) bool) error
}

// Tx is a Snapshot that sees its own writes, and may write. LSN is the one it will commit as.
type Tx interface {
	Snapshot
	Put(key, value []byte) error
	Delete(key []byte) error
	// DeleteRange removes the keys in [start, end); end must not be nil.
	DeleteRange(start, end []byte) error
}

// peeking is an engine that knows what its shards' LSNs are.
type peeking interface {
	// Peek gives the LSN of the shard's present state if it can at once, from inside no function, and the state is durable.
	Peek(shard string) (lsn LSN, ok bool)
}

// Peek gives what a View begun now would find as the shard's LSN, where the engine can tell without one.
func Peek(st Store, shard string) (lsn LSN, ok bool) {
	if p, can := st.(peeking); can {
		return p.Peek(shard)
	}
	return 0, false
}

// Range is [Start, End) of keys; a nil End means up to the last key. Reverse scans from the end.
type Range struct {
	Start, End []byte
	Reverse    bool
}

// Prefix is the Range of all keys that begin with p.
func Prefix(p []byte) Range {
	end := append([]byte(nil), p...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return Range{Start: p, End: end[:i+1]}
		}
	}
	return Range{Start: p}
}

// IsFull tells whether err comes from a disk without room, be it the store's own refusal or the system's.
func IsFull(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, syscall.ENOSPC) || isQuota(err)
}
