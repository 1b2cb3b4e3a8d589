// Package alerts is what is kept of a suspicion and told to people: the model that the engine fills, correlation joins into incidents, and the API and the portal show.
//
// A detect.Finding is one observation. An Alert is all repetitions of one behaviour on one machine: Of makes one of a finding, Merge adds a repetition. Nothing here
// stores, reads a clock or draws random numbers; the engine passes in what it chose.
//
// # Names
//
// An alert is called "<n>_<guid>", n being 3155378975999999999 less the .NET ticks of its first observation, in 19 digits: sorted by name, alerts are newest first.
//
// # Graph
//
// Entities are the nodes of a graph and Edges its arrows. Their ids are made of what they stand for, so the same process, file, address or session has the same id in
// every alert, and two alerts that share an id have to do with each other:
//
//	host:9f2c11aa03b7                      a machine; the number is Scope(its ARM id)
//	account:9f2c11aa03b7/cassandra         an account of it
//	session:9f2c11aa03b7/session 3         a sign-in, or "service 812"
//	process:9f2c11aa03b7/2031@1542675600123    pid, and when it started in milliseconds
//	file:9f2c11aa03b7//var/tmp/kit.tgz     an absolute path on it
//	ip:203.0.113.7  dns:example.org  url:http://example.org/kit.tgz  network:10.31
//
// Those with a machine's number are its own; the last four mean the same everywhere. An Edge's kind says how to read it, see the constants.
//
// # Incidents
//
// An incident is an Alert with Members, the names of the alerts in it; each of those names it in Incident. Package correlate makes them.
//
// # Bounds
//
// However often a behaviour repeats, an Alert stays below about 300 KiB: MaxEvidence rows of MaxLine bytes, MaxEntities nodes, MaxEdges arrows. The first and the most
// recent rows of evidence are kept.
package alerts
