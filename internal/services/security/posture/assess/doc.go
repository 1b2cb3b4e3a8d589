// Package assess judges the state of a subscription's resources: which of them are set up as they should be, what that makes of the secure score, and which calls to the
// control plane would put a fault right. It is pure: a State in, Verdicts out; no store, no clock, no client.
//
// A Check is Azure's where Azure has one (its name, a GUID, and its display name are kept, so that scripts find it); two things differ and are told in
// docs/divergences/security.md: checks about network security groups name the group, since there are no virtual machines here, and checks that Azure has no public name
// for have names of their own.
//
// The score of a control is max * healthy / (healthy + unhealthy), where a resource counts once in a control and is unhealthy if any check of the control is. A
// control nothing applies to has no maximum.
package assess
