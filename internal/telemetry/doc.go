// Package telemetry counts what the platform does, for Prometheus, and says whether it is well.
//
// Labels come from closed sets: the plane (a host kind), the operation (a route's name), the status. No name of a resource, a secret or a
// person ever becomes a label. Counting a request allocates nothing once its route was seen.
package telemetry
