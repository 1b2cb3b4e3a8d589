package app

import (
	"context"
	"fmt"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

// verifier refuses, beside bad tokens, good ones of applications, managed identities and users that are gone or disabled by now, and says which groups the
// caller is in now, whatever the token says. A token outlives its principal by hours; what was deleted or taken out of a group is to be locked out at the next
// call, whoever still holds one.
type verifier struct {
	tokens    *authn.Tokens
	directory *directory.Service
}

// Verify implements authn.Verifier.
func (v verifier) Verify(ctx context.Context, raw string) (*authn.Principal, error) {
	who, err := v.tokens.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	groups, there, err := v.directory.Standing(ctx, who)
	if err != nil {
		return nil, fmt.Errorf("look up principal %s: %w", who.ObjectID, err)
	}
	if !there {
		return nil, &authn.VerifyError{Reason: authn.Gone, Detail: "its principal " + who.ObjectID + " was deleted or disabled after it was issued"}
	}
	who.Groups = groups
	return who, nil
}
