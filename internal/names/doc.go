// Package names keeps the host names that are unique across the platform: which resource answers as kv1.vault.azure.net. It is also the front
// door's routing table.
//
// A name and its resource live in different shards, so that taking one is a small saga, each step idempotent:
//
//	Reserve   before the resource is committed; refused if another resource has the name
//	(commit)  the resource, in its subscription's shard, with an outbox row that confirms
//	Confirm   from then on the name is served
//	Release   the resource is gone, or its commit failed
//
// A reservation nobody confirmed within ReclaimAfter (a crash between Reserve and the commit) is given to whoever asks next; until then, and as long
// as nobody asks, Confirm still succeeds. MarkDeleted keeps the name of a soft-deleted resource taken but not served; Confirm brings it back.
//
// Left out: listing the names of a subscription (the resources themselves are listed in their own shard).
package names
