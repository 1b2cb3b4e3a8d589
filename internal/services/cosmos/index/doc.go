// Package index is the index of Cosmos DB containers: policies, the terms of a document, the rows they make in a range's shard, and the planner
// that finds the documents a query has to look at.
//
// Rows, all without a value; `suffix` is the document's effective partition key and its number (8 bytes), which name its record D|suffix:
//
//	t|path|value|suffix       one term: hash of the path (8 bytes) and the value in order-preserving form (see value.go)
//	c|index|v1|v2..|suffix    one entry of a composite index: its hash (8 bytes) and the values, those of a descending path inverted
//	s|shape|suffix            which properties the document has, as a hash: documents without a property have no term of it, and are found here
//	h|shape                   what that hash stands for (the only row with a value; it is never removed)
//	p|, p|c, p|t              state of the range's index: generation and progress, the policy in force, the policy it is being changed to
//
// The array elements of /tags share the path /tags/[]. With the partition key in the suffix, the postings of a term are sorted by logical partition: a
// query of one of them reads just its part.
//
// Two rules make the index right whatever happens. A document's rows are a function of its stored text and one policy; they are changed in the
// transaction that changes the document. And candidates are a superset: the query engine judges every one of them by the whole WHERE, so that an answer
// with the index is the answer without it. Long strings, for one, are cut in a term.
//
// While a policy changes, a worker walks the documents in key order. Those up to its cursor follow the new policy, those behind it the old one, and a
// query uses only what both have.
package index
