package machines

import (
	"context"
	"net/netip"
	"time"
)

// locatedFor is how long an address that a machine spoke from is taken for its own.
const locatedFor = 24 * time.Hour

// Located is the ARM id of the machine whose agent spoke from an address last, within a day; "" if there is none, or more than one: behind one address may be many.
func (s *Service) Located(ctx context.Context, addr netip.Addr) (string, error) {
	all, err := s.loadAll(ctx)
	if err != nil {
		return "", err
	}
	from, since, found := addr.Unmap().WithZone("").String(), s.deps.Clock.Now().Add(-locatedFor), ""
	for guid, st := range all {
		if st.From != from || st.At.Before(since) {
			continue
		}
		r, _, err := s.deps.Resources.Resource(ctx, st.Machine)
		if err != nil {
			return "", err
		}
		if r == nil || r.GUID != guid {
			continue
		}
		if found != "" {
			return "", nil
		}
		found = r.ID
	}
	return found, nil
}
