package directory

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// foreignAlgorithms are those that issuers of workload tokens sign with.
var foreignAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.ES256, jose.ES384}

// foreignClaims are what a federated credential is compared with.
type foreignClaims struct {
	issuer, subject string
	audiences       []string
}

// foreignAssertion tells whether a client assertion is another issuer's token rather than one signed by the client itself, whose issuer is a client id.
func foreignAssertion(raw string) (foreignClaims, bool) {
	var out foreignClaims
	if authn.CheckCompact(raw) != nil {
		return out, false
	}
	jws, err := jose.ParseSignedCompact(raw, foreignAlgorithms)
	if err != nil {
		return out, false
	}
	var c jwt.Claims
	if json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &c) != nil || !strings.HasPrefix(c.Issuer, "https://") {
		return out, false
	}
	return foreignClaims{c.Issuer, c.Subject, c.Audience}, true
}

// checkFederated verifies a token of another issuer, presented as the client's assertion: first against the application's federated credentials, so that
// nothing is fetched for an issuer nobody named, then by the issuer's keys.
func (s *Service) checkFederated(ctx context.Context, credentials []Federated, claims foreignClaims, raw string) (by string, err error) {
	match, err := claims.find(credentials)
	if err != nil {
		return "", err
	}
	if s.ownIssuer(claims.issuer) {
		err = s.checkOwnToken(ctx, claims, raw)
	} else {
		err = s.checkForeignToken(ctx, claims, raw)
	}
	if err != nil {
		return "", err
	}
	return "federated credential " + match.Name, nil
}

// assertedIdentity signs a managed identity in by an assertion: another issuer's token, or one that the machine it belongs to has signed; nil if the client is no managed
// identity, or sends no such assertion.
func (s *Service) assertedIdentity(ctx context.Context, r *wire.Request, tenant *Tenant, f *tokenForm) (*client, error) {
	if f.assertion == "" || f.assertionType != assertionType {
		return nil, nil
	}
	sp, err := s.PrincipalByAppID(ctx, tenant.ID, f.clientID)
	if err != nil || sp == nil || sp.Kind != authn.ManagedIdentity {
		return nil, err
	}
	var by string
	switch claims, foreign := foreignAssertion(f.assertion); {
	case foreign && s.IdentityCredentials != nil:
		credentials, err := s.IdentityCredentials(ctx, sp.ResourceID)
		if err != nil {
			return nil, err
		}
		if by, err = s.checkFederated(ctx, credentials, claims, f.assertion); err != nil {
			return nil, err
		}
	case !foreign && s.IdentityKeys != nil:
		keys, err := s.IdentityKeys(ctx, sp.ResourceID)
		if err != nil || len(keys) == 0 {
			return nil, err
		}
		if by, err = s.checkMachine(r, tenant, sp, keys, f.assertion); err != nil {
			return nil, err
		}
	default:
		return nil, nil
	}
	if sp.Disabled {
		return nil, oauth(fault.Invalid, 7000112, "unauthorized_client", "Application '%s'(%s) is disabled.", sp.AppID, sp.DisplayName)
	}
	return &client{sp: sp, app: &Application{AppID: sp.AppID, DisplayName: sp.DisplayName}, method: "2", by: by}, nil
}

// find picks the credential that names issuer, subject and audience, all compared exactly.
func (c *foreignClaims) find(credentials []Federated) (*Federated, error) {
	var issuer, subject bool
	for i := range credentials {
		f := &credentials[i]
		if f.Issuer != c.issuer {
			continue
		}
		issuer = true
		if f.Subject != c.subject {
			continue
		}
		subject = true
		if slices.ContainsFunc(c.audiences, f.accepts) {
			return f, nil
		}
	}
	number, what, value := 70021, "", ""
	switch {
	case len(credentials) == 0:
	case !issuer:
		number, what, value = 700211, " issuer", c.issuer
	case !subject:
		number, what, value = 700213, " subject", c.subject
	default:
		number, what, value = 700212, " audience", strings.Join(c.audiences, " ")
	}
	if what == "" {
		return nil, oauth(fault.Unauthenticated, number, "invalid_client",
			"No matching federated identity record found for presented assertion. Assertion Issuer: '%s'. Assertion Subject: '%s'. Assertion Audience: '%s'.",
			clip(c.issuer), clip(c.subject), clip(strings.Join(c.audiences, " ")))
	}
	return nil, oauth(fault.Unauthenticated, number, "invalid_client",
		"No matching federated identity record found for presented assertion%s '%s'. Check your federated identity credential Subject, Audience and Issuer "+
			"against the presented assertion.", what, clip(value))
}

// accepts tells whether aud is one of the credential's audiences. The token exchange is also known by its client id, which version 2.0 tokens name.
func (f *Federated) accepts(aud string) bool {
	return slices.Contains(f.Audiences, aud) || aud == exchangeAppID && slices.Contains(f.Audiences, exchangeAudience)
}

// ownIssuer tells whether a token's issuer is a tenant of this platform, by any of its names.
func (s *Service) ownIssuer(issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil {
		return false
	}
	h, ok := s.Hosts.Resolve(u.Host)
	return ok && h.Kind == wire.HostLogin
}

// checkOwnToken verifies a token that this platform issued to one of its applications or managed identities.
func (s *Service) checkOwnToken(ctx context.Context, claims foreignClaims, raw string) error {
	p, err := s.Tokens.Verify(ctx, raw)
	var bad *authn.VerifyError
	switch {
	case errors.As(err, &bad) && (bad.Reason == authn.Expired || bad.Reason == authn.NotYetValid):
		return oauth(fault.Unauthenticated, 700024, "invalid_client", "Client assertion is not within its valid time range (%s).", bad.Detail)
	case errors.As(err, &bad):
		return badForeign(bad.Detail)
	case err != nil:
		return err
	case p.Kind == authn.User:
		return badForeign("a user's token is no workload's")
	case p.Issuer != claims.issuer || p.ObjectID != claims.subject || !slices.Equal(claims.audiences, []string{p.Audience}):
		return badForeign("its claims are not those of an access token")
	}
	return nil
}

// checkForeignToken verifies a token with the keys its issuer publishes, which are fetched only from issuers that the operator allows.
func (s *Service) checkForeignToken(ctx context.Context, claims foreignClaims, raw string) error {
	if !slices.Contains(s.FederatedIssuers, claims.issuer) {
		return oauth(fault.Unauthenticated, 70021, "invalid_client",
			"No matching federated identity record found for presented assertion: its issuer '%s' is not served by this platform, and the platform may not "+
				"fetch that issuer's keys. The operator allows it with --federated-issuer or federatedIssuers in the configuration.", clip(claims.issuer))
	}
	jws, err := jose.ParseSignedCompact(raw, foreignAlgorithms)
	if err != nil {
		return badForeign("it is not a compact JWS")
	}
	key, err := s.issuers.key(ctx, claims.issuer, jws.Signatures[0].Protected.KeyID)
	if err != nil {
		return badForeign("the issuer's keys could not be had: " + err.Error())
	}
	if key == nil {
		return badForeign("The key was not found.")
	}
	payload, err := jws.Verify(key.Key)
	if err != nil {
		return badForeign("The provided signature value did not match the expected signature value.")
	}
	var c jwt.Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return badForeign("its claims are not what is expected")
	}
	now := s.Clock.Now()
	if c.Expiry == nil || now.After(c.Expiry.Time().Add(assertionSkew)) || c.NotBefore != nil && now.Add(assertionSkew).Before(c.NotBefore.Time()) {
		return oauth(fault.Unauthenticated, 700024, "invalid_client",
			"Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s.",
			now.Format(time.RFC3339), shownTime(c.NotBefore), shownTime(c.Expiry))
	}
	return nil
}

func badForeign(reason string) error {
	return oauth(fault.Unauthenticated, 50013, "invalid_client", "Assertion failed signature validation. [Reason - %s]", clip(reason))
}
