// Package source is where events come from while they happen: the kernel's audit system (package kernel), log files that grow (package tail), and auditd's af_unix
// plugin (package audisp).
//
// Run starts sources and brings what they tell to one Sink. They take turns: in a turn a source calls Event any number of times, then Mark once, with the position it would go
// on from. A sink that keeps events and the positions of all sources together, in one write made at a Mark, goes on after a restart without losing or repeating any:
//
//	Event(audit) Event(audit) Mark(audit, nil)   Event(file) Mark(file, p1)   Event(audit) Mark(audit, nil)
//
// A sink may block for as long as it likes. A file waits; what the kernel tells is taken from it all the same into bounded memory, since a kernel that waited for its
// reader would stop every process on the machine. What doesn't fit is lost, and each loss is counted (Figures) and told as an event of its own (Loss): silence about it
// would be worse.
package source
