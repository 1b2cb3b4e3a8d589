package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// onBehalfOf trades a user's token for the client, a middle tier, against one for the next API in the same user's name.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow
func (s *Service) onBehalfOf(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, a *attempt) (any, error) {
	if f.tokenUse != "on_behalf_of" {
		return nil, oauth(fault.Invalid, 900144, "invalid_request",
			"The request body must contain the following parameter: 'requested_token_use', with the value 'on_behalf_of'.")
	}
	if f.onBehalf == "" {
		return nil, missing("assertion")
	}
	tenant, err := s.requestTenant(ctx, r.Param("tenant"), f)
	if err != nil {
		return nil, err
	}
	a.in(tenant)
	c, err := s.authenticate(ctx, r, tenant, f, false)
	if err != nil {
		return nil, err
	}
	a.by(c.app)
	p, err := s.checkUserAssertion(ctx, tenant, c, f.onBehalf)
	if err != nil {
		return nil, err
	}
	// The sign-in was good when the token was issued, in whole seconds; a password changed since then ends what comes of it.
	l := login{UserID: p.ObjectID, At: p.Expires.Add(time.Second - userTokenLife), AMR: []string{"pwd"}}
	d := &delegation{tenant: tenant, client: c, login: l}
	if d.user, err = s.stillGood(ctx, tenant, l); err != nil {
		return nil, err
	}
	if d.wanted, err = wantedOf(e, f); err != nil {
		return nil, err
	}
	out, err := s.delegate(ctx, r, e, f, d, a)
	if err != nil {
		return nil, err
	}
	if !d.wanted.Offline {
		return s.userAnswer(e, f, d, out, ""), nil
	}
	return s.begin(ctx, e, f, d, out)
}

// checkUserAssertion demands an access token of a user of the tenant, issued here for the client itself.
func (s *Service) checkUserAssertion(ctx context.Context, tenant *Tenant, c *client, raw string) (*authn.Principal, error) {
	p, err := s.Tokens.Verify(ctx, raw)
	var bad *authn.VerifyError
	switch {
	case errors.As(err, &bad) && bad.Reason == authn.Expired:
		return nil, oauth(fault.Invalid, 500133, "invalid_grant", "Assertion is not within its valid time range. Ensure that the access token is not expired before using it "+
			"for user assertion, or request a new token.")
	case errors.As(err, &bad):
		return nil, oauth(fault.Invalid, 50013, "invalid_grant", "Assertion failed signature validation. [Reason - %s]", clip(bad.Detail))
	case err != nil:
		return nil, err
	case p.Kind != authn.User:
		return nil, oauth(fault.Invalid, 50013, "invalid_grant", "The assertion is an application's token. On-behalf-of takes a user's.")
	case p.TenantID != tenant.ID:
		return nil, oauth(fault.Invalid, 50013, "invalid_grant", "The assertion is of a user of another tenant than '%s'.", tenant.ID)
	case !namesApp(c.app, p.Audience):
		return nil, oauth(fault.Invalid, 500131, "invalid_grant",
			"Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '%s' and the expected audience is '%s' or one of the "+
				"Application Uris of this application with App ID '%s'(%s).", clip(p.Audience), c.app.AppID, c.app.AppID, c.app.DisplayName)
	}
	return p, nil
}

// namesApp tells whether an audience is one of the application's names.
func namesApp(app *Application, audience string) bool {
	name := strings.TrimSuffix(strings.ToLower(strings.TrimPrefix(audience, "spn:")), "/")
	return name == app.AppID || slices.ContainsFunc(app.IdentifierURIs, func(uri string) bool {
		return strings.TrimSuffix(strings.ToLower(uri), "/") == name
	})
}
