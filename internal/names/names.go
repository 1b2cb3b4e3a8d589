// Package names keeps the host names that are unique across the platform: which resource answers as kv1.vault.azure.net.
// It is also the front door's routing table. A name is reserved before its resource is committed and confirmed after; both are idempotent, and
// a reservation nobody confirmed is reclaimed.
package names

import "github.com/bulkheadhq/bulkhead/internal/wire"

// Entry is what stands behind a host name.
type Entry struct {
	Kind       wire.HostKind
	Name       string // lower case
	ResourceID string // ARM id
	GUID       string // the resource's immutable id: names its data shard
	Confirmed  bool
	Deleted    bool // soft-deleted: still taken, not served
}
