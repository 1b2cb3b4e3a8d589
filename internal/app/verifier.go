package app

import (
	"context"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

// verifier refuses, beside bad tokens, good ones of applications and managed identities that are gone or disabled by now. A token outlives its principal by hours; what
// was deleted is to be locked out at the next call, whoever still holds one.
type verifier struct {
	tokens    *authn.Tokens
	directory *directory.Service
}

// Verify implements authn.Verifier.
func (v verifier) Verify(ctx context.Context, raw string) (*authn.Principal, error) {
	who, err := v.tokens.Verify(ctx, raw)
	if err != nil || who.Kind != authn.ServicePrincipal && who.Kind != authn.ManagedIdentity {
		return who, err
	}
	sp, err := v.directory.PrincipalByObjectID(ctx, who.TenantID, who.ObjectID)
	if err != nil {
		return nil, fmt.Errorf("look up principal %s: %w", who.ObjectID, err)
	}
	if sp == nil || sp.Disabled {
		return nil, &authn.VerifyError{Reason: authn.Gone, Detail: "its principal " + who.ObjectID + " was deleted or disabled after it was issued"}
	}
	return who, nil
}
