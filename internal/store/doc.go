// Package store is the contract every storage engine fulfils: ordered keys in shards, one transaction on one shard.
//
// # One transaction, one shard
//
// A shard is an ordered map of byte keys to byte values with serial writes and a log sequence number (LSN). A
// transaction that wrote advances the LSN by exactly one; one that failed or wrote nothing does not. A transaction
// touches exactly one shard. That single rule makes the same code correct on one disk and on a cluster, where shards lie
// on different machines. What must happen in a second shard because of a write in a first goes through package outbox: a
// row in the same transaction, then an idempotent handler.
//
// Shard names in use (they carry immutable ids, never a name a user can reuse):
//
//	platform          signing keys, settings of this installation
//	names             host name -> resource id
//	tenant/<guid>     a directory tenant
//	signin/<guid>     its sign-ins: codes, sessions, refresh tokens, the log; "signin": device codes
//	sub/<guid>        a subscription: resources, role assignments, account keys, activity log
//	vault/<guid>      one key vault's objects
//	range/<guid>      one Cosmos DB partition key range
//	splits/<guid>     splits of an account's ranges
//	audit/00..0f      audit records by correlation id
//	machine/<guid>    one watched machine's batches of events
//	security/<guid>   a subscription's alerts and incidents
//	metrics/00..3f    minute cells of series, by a hash of their resource
//
// # Functions
//
// A function given to View or Update is pure and short: no I/O, no other shard, no clock, randomness, crypto or parsing.
// It may run again, so it starts over: a slice it fills is emptied first, a result it hands out is assigned anew.
//
//	var names []string
//	err := st.View(ctx, shard, func(s store.Snapshot) error {
//		names = names[:0]
//		return s.Scan(store.Prefix([]byte("S|")), func(key, _ []byte) bool {
//			names = append(names, string(key[2:]))
//			return true
//		})
//	})
//
// Long work computes on a View and commits in an Update that checks again the LSN or etag it read, in steps of at most
// 1,000 keys.
//
// # Group commit, durable reads
//
// Engines may run many waiting functions as one commit. That shows nowhere but in speed: each has its own LSN, a failed
// one leaves nothing, and all are answered when the commit is durable. Reads are durable too: a View returns only once
// what it saw cannot be lost any more, so that nobody acts on a state that a crash takes back.
//
// # Watch
//
// Watch is a doorbell, not a log. Who needs each change keeps keys ordered by LSN, written in the same transaction as
// the change (Tx.LSN tells it), and scans those behind the bell.
//
// # Records
//
// Codec gives every record a kind and a version byte. Cached keeps decoded values for as long as their shard has not
// moved.
//
// Package storetest exercises the whole contract; package pebble is the embedded engine.
package store
