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
// outbox row: host names confirmed or released, managed identities made or removed, the type's Applied. The outbox is drained before the answer. Root
// assignments of a tenant live in the tenant's shard and are read before the transaction, not in it.
//
// # Left out
//
// Management groups, custom roles, conditions on assignments, policies, moving resources, deployments (later). docs/divergences/arm.md has the list.
package arm
