// Package sigma reads rules in the Sigma format (specification 2.1), makes them ready for events of a schema, and tells which events they match. It is pure: no
// files but those of an fs.FS it is given, no clock, no goroutines.
//
//	rules, problems, err := sigma.Load(os.DirFS("/etc/bulkhead/rules"), sigma.Options{})
//	set, more, err := sigma.Compile(sigma.LinuxSchema(), rules, sigma.Limits{})
//	var scratch sigma.Scratch // one for each goroutine
//	values := make([][]byte, len(schema.Fields))
//	values[sigma.FieldImage] = []byte("/usr/bin/wget")
//	for _, n := range set.Match(&scratch, sigma.SourceProcessCreation, values) {
//		report(set.Rules[n], set.Silent[n])
//	}
//
// # Rules
//
// A file holds one or more documents: rules with a detection, correlations, and filters, which narrow rules. A document that is wrong, that wants what this
// engine doesn't have, or that no event of the schema could match, is left out and told with its place and the reason. It never ends a load, and it is never
// there without effect.
//
// # Values
//
// A value is the whole field, without regard to case (by Unicode's simple folding), unless a modifier says otherwise. * and ? are wildcards. A field that the
// event doesn't have meets null, exists: false and what is negated, nothing else; one that is there and empty meets the empty text but not null. Keywords are
// looked for anywhere in the message, which each source names.
//
// # How it is fast
//
// Of each rule, the rarest set of texts is chosen of which a matching event must have one. The texts of a field are looked for together, in one pass that costs
// nearly the same for few and for many; only rules one of whose texts was found are evaluated, as a list of tests and jumps that stops as soon as the answer is
// known. Tests that rules share are asked once per event. A rule without such texts is evaluated for every event that has a field it needs. Nothing is allocated
// per event. A set never changes: who has newer rules makes another and uses that from then on.
//
// # Correlations
//
// A Correlator is fed with matches and tells when a correlation's condition holds. Its memory is bounded, by forgetting the groups that were not used for
// longest, and counted.
//
// Left out, each with an error that names it: aggregations of Sigma 1 after a pipe, timeframe, documents with action, the modifiers of dates, YAML aliases,
// conditions of correlations in words, and regular expressions that need backtracking.
package sigma
