// Package intel is what is known of attackers: addresses, domains, URLs, hashes of files, fingerprints of SSH clients (HASSH), credentials and shingles of commands, kept
// durably, weighed, forgotten in time, and asked by detection while it runs.
//
// # Where they come from
//
// The honeypot's observations (Feed), STIX 2.1 bundles and plain lists that people import, and one that is shipped: nasapaul.com, of the post of 24 November 2018. No other is
// shipped: each would have a licence.
//
// # Score
//
// An indicator's score is between 0 and 1. Each sighting by another source raises it, as independent witnesses would (1-(1-a)(1-b)); with time it halves, soon for addresses,
// late for hashes (Kind.HalfLife). What is imported with an end (valid_until) is gone at that end. At Threshold and above it counts: detection is told of it. Private and
// loopback addresses that the honeypot saw are not taken, nor those of our own machines: a machine that attacks it gets an alert of its own, see Watch.
//
// # Live
//
// Store answers detect.Intel (Domain, Addr) and the other kinds from memory; a change counts for detection when Put returns. Shard "intel" has the truth: an indicator under the
// hash of its value, and an index by the time it was added or last changed, which TAXII's added_after and paging go by. Credentials are sealed, and their keys are MACs.
//
// # Ways out
//
// TAXII 2.1, read and add, on the host taxii.SUFFIX (Azure has no such host): discovery, one API root, one collection. A caller has a token for the control plane and the right to
// read, or write, Microsoft.Security/threatIntelligence in the platform's own subscription: its Owner, Contributor or Reader has. Credentials don't leave by it. The admin socket has
// import, export and list.
package intel
