// Package catalog keeps a Cosmos DB account's databases, containers and offers (throughput).
//
// An account's metadata is one shard, "account/<guid>":
//
//	A|            the account; a shard without it is not in use
//	N|            counters: numbers of databases, containers and offers are never used twice, so that a resource id names one thing for ever
//	b|name        database
//	i|db          its name, by number
//	c|db|name     container
//	j|db|number   its name, by number
//	o|number      offer
//	S|db|number|kind|name    script of a container
//	T|db|number|kind|number  its name, by number
//	q|db|number   number of the offer of a container (of the database: number 0)
//	X|db|name     user                      Y|db|user         its name, by number
//	E|db|name     client encryption key     e|db|number       its name, by number
//	W|db|user|name  permission of a user    Z|db|user|number  its name, by number
//
// A container's record has its partition key ranges, and the moves that are under way: splits and merges of ranges (move.go). They are carried out from
// the outbox of "splits/<guid>", where J|guid marks those that were handed over.
//
// Numbers are four bytes, big-endian. Names compare by byte. What a deletion leaves behind (a container's ranges) is dropped through the
// outbox of the shard, as is what a creation needs elsewhere.
package catalog
