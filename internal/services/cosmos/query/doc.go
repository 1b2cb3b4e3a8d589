// Package query is Cosmos DB's SQL: a lexer and a parser with exact source spans, a canonical printer, a compiler to closures
// and an executor that streams pages.
//
// The path of a query: Parse makes a *Query (the syntax tree); Compile resolves names, binds parameters and makes an
// immutable *Program; Run drives a Program over the documents of one partition key range, page by page, and hands back a
// State that a continuation token can carry. An Evaluator tests or projects single documents.
//
// A query over several ranges is for the client to merge: MakePlan says which partition keys it is about, what each range is asked instead, and how the
// answers become the result. Pages of an ordered query go on by a Place in the order, so that the client may by then ask for less.
//
// The heart of the language is Undefined, which is not null: a missing property is undefined, most operators on a wrong type
// are undefined, WHERE keeps only what is true, and an undefined property vanishes from an object. AND, OR and NOT are three-valued.
//
// A Program runs in an Env: the container's user-defined functions, the time, how shapes are read. What one document may cost is bounded (bounds.go),
// so that no query can take unbounded time or memory: past a bound it ends with a 400.
//
// Errors of the caller are *Error, which wraps a 400 fault with the diagnostics as the service prints them; what this engine
// cannot do yet is a 501 fault that names the construct. Left out: HASH, whose definition is not public.
package query
