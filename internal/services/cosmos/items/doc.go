// Package items keeps the documents of one partition key range.
//
// A range is one shard, "range/<guid>". Its keys are made so that a split is a cut by effective partition key (EPK):
//
//	M|                 the range: whose it is, how many documents and bytes it holds. A shard without it is not in use
//	I|epk|id           number of the document with that id in that logical partition
//	D|epk|number       the document: header and JSON text
//	R|number           EPK of the document: the order of creation over all logical partitions, as Cosmos DB lists documents
//	L|lsn|seq          number and EPK of the document last written at that LSN; each live document has exactly one such row
//	L|lsn|ff|number    the same of a document that came by a merge and was not written since
//	T|lsn|seq          a deletion, kept while somebody follows the log (a split or merge)
//	F|lsn|seq|part     image.go: the full-fidelity change feed; f|: up to where it was trimmed
//	B|epk|number       cut.go: a document as an export that runs is to have it
//	S|                 split.go: how far a child is, with each parent; only while it is filled
//	W|epk              limits.go: what a logical partition holds, in ranges that hold much; w|: up to which document that is counted
//	E|                 the container's time to live, once it had one
//	X|part|time|number EPK of a document that may expire: part o, by its end, if it has a ttl of its own, else part d, by its `_ts`
//	U|epk|hash         number of the document that holds these values of a unique key
//	t| c| s| h| p|     the index: see package index. A document's rows change in the transaction that changes the document
//
// EPKs of one container never are prefixes of each other, so I|epk|id needs no separator. A document's number holds the range's
// own number, the LSN of its creation and its place in that transaction; it is the last part of its `_rid` and never changes.
//
// LSNs of a range are those of its shard, until it comes from a split or merge: then they go on from where its parents ended (Range.Base).
//
// Parsing and validation happen before a transaction; inside, a write is two or three reads and five puts.
package items
