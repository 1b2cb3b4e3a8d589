package directory

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

type keyAnswer struct {
	KeyID   string `json:"keyId"`
	Created string `json:"created"`
	State   string `json:"state"` // "signing", or "verifying" until its last token has expired
	Until   string `json:"until,omitempty"`
}

// listKeys answers the keys of the JWKS, newest first.
func (s *Service) listKeys(context.Context, *wire.Request) (any, error) {
	out := []keyAnswer{}
	for i, k := range s.Tokens.SigningKeys() {
		a := keyAnswer{KeyID: k.ID, Created: k.Created.Format(time.RFC3339), State: "signing"}
		if i > 0 {
			a.State, a.Until = "verifying", k.Until.Format(time.RFC3339)
		}
		out = append(out, a)
	}
	return wire.NewPage(out, ""), nil
}

// rotateKeys signs with a new key from now on.
func (s *Service) rotateKeys(ctx context.Context, r *wire.Request) (any, error) {
	if len(r.Body) > 0 {
		return nil, fault.New(fault.Invalid, "BadRequest", "This operation takes no body.")
	}
	if err := s.Tokens.Rotate(ctx); err != nil {
		return nil, err
	}
	return s.listKeys(ctx, r)
}

// listSignIns answers a tenant's latest sign-ins, newest first.
func (s *Service) listSignIns(ctx context.Context, r *wire.Request) (any, error) {
	tenant, err := s.Tenants.Find(ctx, r.Query("tenant"))
	if err != nil {
		return nil, err
	}
	if tenant == nil {
		return nil, fault.New(fault.NotFound, "TenantNotFound", "There is no tenant %.100q.", r.Query("tenant"))
	}
	limit, err := r.QueryInt("limit", 100, 1, signinMax)
	if err != nil {
		return nil, err
	}
	records, err := s.SignIns(ctx, tenant.ID, limit)
	if err != nil {
		return nil, err
	}
	return wire.NewPage(records, ""), nil
}
