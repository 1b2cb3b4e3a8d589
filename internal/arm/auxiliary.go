package arm

import (
	"context"
	"errors"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// auxiliaryHeader carries tokens of other tenants than the caller's: what their principals may do counts for the scopes a request is linked to, never for the
// one it is about.
const (
	auxiliaryHeader = "x-ms-authorization-auxiliary"
	maxAuxiliary    = 3
)

// auxiliary verifies the tokens of the header.
func (p *Pipeline) auxiliary(ctx context.Context, r *wire.Request) error {
	h := r.HTTP.Header.Get(auxiliaryHeader)
	if h == "" {
		return nil
	}
	tokens := strings.Split(h, ",")
	if len(tokens) > maxAuxiliary {
		return fault.New(fault.Invalid, "InvalidAuxiliaryTokens", "The header %s has %d tokens; %d are allowed.", auxiliaryHeader, len(tokens), maxAuxiliary)
	}
	for _, t := range tokens {
		scheme, token, ok := strings.Cut(strings.TrimSpace(t), " ")
		if token = strings.TrimSpace(token); !ok || token == "" || !strings.EqualFold(scheme, "Bearer") {
			return p.unauthenticated(ctx, r, "InvalidAuxiliaryTokens", "The header "+auxiliaryHeader+" is not a list of bearer tokens.")
		}
		who, err := p.deps.Verifier.Verify(ctx, token)
		var bad *authn.VerifyError
		switch {
		case errors.As(err, &bad):
			_, text := wordVerifyError(bad)
			return p.unauthenticated(ctx, r, "InvalidAuxiliaryTokens", "A token of the header "+auxiliaryHeader+" is not valid: "+text)
		case err != nil:
			return err
		case !audienceOK(r, who.Audience):
			return p.unauthenticated(ctx, r, "InvalidAuxiliaryTokens", "A token of the header "+auxiliaryHeader+" is for the wrong audience '"+clip(who.Audience)+"'.")
		}
		r.Auxiliary = append(r.Auxiliary, who)
	}
	return nil
}

// linked refuses unless the caller, or one of its auxiliary tokens' principals, may do the action at another scope than the one the request is about.
func (p *Pipeline) linked(ctx context.Context, r *wire.Request, action, scope string) error {
	var refused error
	for _, who := range append([]*authn.Principal{r.Principal}, r.Auxiliary...) {
		folded := strings.ToLower(scope)
		j, err := p.judge(ctx, who, action, false, folded, shardOf(folded, who))
		if err != nil {
			return err
		}
		if j.Allowed() {
			return nil
		}
		if refused == nil {
			refused = fault.New(fault.Forbidden, "LinkedAuthorizationFailed",
				"The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, it does not have permission to perform action '%s' on the linked scope(s) '%s' or the linked scope(s) are invalid.",
				who.AppID, who.ObjectID, r.Route.Operation, r.Resource, action, scope)
		}
	}
	return refused
}

// CheckLinked is for services whose requests name other resources than their own.
func (p *Pipeline) CheckLinked(ctx context.Context, r *wire.Request, action, scope string) error {
	return p.linked(ctx, r, action, scope)
}
