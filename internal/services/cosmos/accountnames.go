package cosmos

import (
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// controlRoutes are what the control plane serves beside resource types: whether an account's name is taken.
func (s *Service) controlRoutes() []wire.Route {
	if s.deps.SignedIn.Check == nil {
		return nil
	}
	return []wire.Route{{
		Host: wire.HostARM, Method: http.MethodHead, Pattern: "/providers/Microsoft.DocumentDB/databaseAccountNames/{name}",
		Operation: "Microsoft.DocumentDB/databaseAccountNames/read",
		Versions:  wire.Versions{Required: true, First: versions[0], Known: strings.Join(versions, ", ")},
		Auth:      s.deps.SignedIn,
		Handler: func(ctx context.Context, r *wire.Request) (any, error) {
			e, err := s.deps.Names.Lookup(ctx, wire.HostCosmos, strings.ToLower(r.Param("name")))
			if err != nil {
				return nil, err
			}
			if e == nil {
				return nil, fault.New(fault.NotFound, "NotFound", "No database account has the name '%s'.", r.Param("name"))
			}
			return wire.Reply{Status: http.StatusOK}, nil
		},
	}}
}

// changeFailover sets the order in which regions take over. There is one: what is asked must be what is.
func (s *Service) changeFailover(ctx context.Context, c *arm.Call) (any, error) {
	var in []failover
	if err := c.Body.Decode("failoverPolicies", &in); err != nil {
		return nil, err
	}
	st, err := decodeSettings(c.Old.Properties)
	if err != nil {
		return nil, err
	}
	if len(in) != len(st.Locations) {
		return nil, bad("The failoverPolicies name %d regions; the account has %d. Each has to be named once.", len(in), len(st.Locations))
	}
	for i, f := range in {
		l := st.Locations[i]
		if !strings.EqualFold(strings.ReplaceAll(f.Name, " ", ""), strings.ReplaceAll(l.Name, " ", "")) || f.Priority != l.Priority {
			return nil, bad("The failoverPolicies are invalid: the account's only region is '%s', with failoverPriority %d.", l.Name, l.Priority)
		}
	}
	if err := c.Commit(ctx, func(store.Tx) error { return nil }); err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusNoContent}, nil
}
