// Package correlate joins alerts into incidents and draws the graph around them.
//
// It is pure: a Correlator holds what it was given, reads no clock and no store, and gives the same answers for the same input. The engine keeps what it says beside the
// alerts; a scan prints it.
//
// # What belongs together
//
// Two alerts are linked if what they have in common weighs enough, and no more than Params.Window lies between them. What counts is evidence of one intruder:
//
//	ancestry    the same session, or a process that both descend from
//	source      the address that a session or attempt came from, or its /16 (IPv6: /48)
//	account     on one machine; much for accounts of services, little for root and its like
//	file        dropped by one, run by another
//	kit         names of tools in common, also on other machines
//	indicator   a domain, URL or address that was reached
//	target      networks that were attacked
//	outbound    the same machine attacks others
//	lateral     an attack came from the address of a machine that attacks
//
// The same machine and nearness in time add to these and are never enough alone. An incident is a set of alerts connected by links that is worth telling: see qualifies.
//
// # Rarity
//
// What many have in common says little: an address behind which a whole company works, root, a file that every session runs. Each shared thing counts the contexts it is seen
// in (accounts, sessions or machines, as fits); from a few on its weight falls in proportion, and beyond maxContexts it links nothing. So a link can end when a
// further alert shows that what it rested on is common: the incident is then split.
//
// # Order
//
// Which alerts are together is a function of the alerts, not of the order in which they came; only names of incidents depend on it. An alert costs about what its neighbours
// are, except when something becomes common: then the incidents that rested on it are judged anew. This holds while no bound is met (Params.MaxAlerts, maxNear).
//
// # Names
//
// An incident is named after its first alert when it is made, and keeps its name while it grows. When an alert bridges two, the older name stays; the other is reported as
// merged, with the name it went into.
package correlate
