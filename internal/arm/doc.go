// Package arm is the control plane: resource ids, the registry of resource types, and the pipeline every request to one goes through.
//
// Services contribute Types, which are data and a few functions; they never see another service. From a Type the package derives routes, the names of
// RBAC actions, provider listings and api-version errors. The order of checks is fixed:
//
//	api-version, token (401), subscription and role (403), deny assignment (403), group, parent and resource (404), lock (409), body (400), etag (412)
//
// A stranger, who has no role in a subscription, is told the same whether it exists or not.
//
// # Writes
//
// PUT, PATCH, DELETE and actions that write end in one transaction of the subscription's shard. In it the pipeline makes sure that nothing it decided on
// has changed (the assignments, denials and locks by a version row; the group, the parent and the resource by their stored bytes), else the call
// starts over; runs the type's Commit; and writes the resource, its activity-log record, its audit record and, if something has to happen elsewhere, an
// outbox row: host names confirmed or released, managed identities made or removed, the type's Applied. The outbox is drained before the answer. What
// lives in the tenant's shard is read before a subscription's transaction, not in it.
//
// Locks are judged after roles: CanNotDelete refuses deletions at its scope, below and above it, ReadOnly also every other write and POST action.
//
// # Where things live
//
// A subscription's shard has its resources, assignments, denials, locks, tags, registrations, long operations and activity log. The tenant's shard has custom
// roles, management groups with the subscriptions in them, and assignments at those and at the root. A subscription inherits what is assigned at the
// groups above it: judge asks the tenant's set with those scopes, which the subscription's own id does not tell. A custom role is looked up when the
// question is asked, so that its change is there at once.
//
// # Long operations
//
// Deleting a group writes an operation beside the group's mark, in one transaction, and then works in the background; the request waits two seconds for it
// and else answers 202. What a crash left in progress the next start goes on with. GET .../operationresults/{id} and .../operationStatuses/{id} tell.
//
// Moving resources is another such operation, between groups of one subscription or of two, whose shards share no transaction. Groups that take part are marked
// and refuse writes; while the source has its mark, what has arrived in the target is not shown, and from the commit that removes it on it is. performMove
// lists the steps, docs/adr/0006-moves.md says why.
//
// # One exchange
//
//	DELETE /subscriptions/{id}/resourcegroups/rg1?api-version=2021-04-01
//
//	202 Accepted
//	Location: https://management.azure.com/subscriptions/{id}/operationresults/{guid}?api-version=2021-04-01
//	Azure-AsyncOperation: https://management.azure.com/subscriptions/{id}/providers/Microsoft.Resources/locations/westeurope/operationStatuses/{guid}?api-version=..
//	Retry-After: 1
//
// # Left out
//
// Conditions on assignments, policies, deployments (later). docs/divergences/arm.md has the list.
package arm
