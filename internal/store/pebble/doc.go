// Package pebble is the embedded storage engine: one folder, one process, no server. It fulfils package store's contract
// on github.com/cockroachdb/pebble.
//
// # A write
//
// Each shard has a queue. The first caller in it leads: its goroutine runs the waiting functions, up to Options.MaxGroup,
// over one overlay that lies on what Pebble holds. A function sees its own writes and those of the functions before it;
// one that fails is undone and the others stand. What they wrote becomes one Pebble batch with one fsync. There is no
// goroutine per shard: an idle one costs its entry in a map.
//
// A group is applied when Pebble shows it, and durable when the disk has it. A shard has one group under way at a time:
// whoever comes meanwhile is in the next. Nobody in a group is answered before it is durable, not even a caller whose function wrote
// nothing or failed, for what it read could be lost yet.
//
// # A read
//
// A View runs on the live engine, which is the cheapest that Pebble offers, and checks after each read that the shard has
// not moved. If it has, and the function has learned something, the function runs again on a Pebble snapshot. A View
// returns once the LSN it saw is durable, which nearly always it is.
//
// # Failure
//
// Options.MinFree keeps writes from ever meeting the end of the disk. A write that the disk refuses all the same ends
// writing: from then on Update answers that error, and Views of shards whose last group was durable go on. Opening
// the store again is the way back: what Pebble's log holds is the truth.
//
// A function that panics gets an error and is undone. A View or Update inside another is recognised by the goroutine it
// runs on; in a goroutine that a function started, it is not.
//
// # Cost to know about
//
// A key that is overwritten very often leaves its old versions in Pebble's memory table until that is flushed, and a
// Scan across it steps over all of them. Keep counters out of ranges that are scanned.
package pebble
