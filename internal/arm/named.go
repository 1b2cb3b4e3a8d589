package arm

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Lookup finds what stands behind a host name; *names.Registry is one.
type Lookup interface {
	Lookup(ctx context.Context, kind wire.HostKind, name string) (*names.Entry, error)
}

// Named finds the resource that a served host name stands for, and its subscription's tenant, for data planes. The entry is nil if there is none, the resource also if
// the name is not served. One that moves meanwhile, so that it no longer is where its name was found to say, is looked for again.
func Named(ctx context.Context, all Reader, look Lookup, kind wire.HostKind, name string) (e *names.Entry, r *Resource, tenantID string, err error) {
	const hops = 8
	before := ""
	for range hops {
		if e, err = look.Lookup(ctx, kind, name); err != nil || !e.Served() || e.ResourceID == before {
			return e, nil, "", err
		}
		r, tenantID, err = all.Resource(ctx, e.ResourceID)
		if err != nil || r != nil && r.GUID == e.GUID {
			return e, r, tenantID, err
		}
		before = e.ResourceID
	}
	return e, nil, "", nil
}
