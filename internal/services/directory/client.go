package directory

import (
	"context"
	"crypto/subtle"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// client is an application that proved who it is.
type client struct {
	sp     *SP
	app    *Application
	method string // appidacr: "0" none, "1" secret, "2" certificate
	by     string // which credential, for the audit record
}

// authenticate finds the client in the tenant and checks its one credential. With public, a client that is registered as one may come without.
func (s *Service) authenticate(ctx context.Context, r *wire.Request, tenant *Tenant, f *tokenForm, public bool) (*client, error) {
	if f.clientID == "" {
		return nil, missing("client_id")
	}
	if c, err := s.assertedIdentity(ctx, r, tenant, f); c != nil || err != nil {
		return c, err
	}
	sp, app, err := s.registered(ctx, tenant, f.clientID)
	if err != nil {
		return nil, err
	}
	c := &client{sp: sp, app: app}
	switch {
	case (f.assertion != "" || f.clientSecret != "") && findFirstClient(sp.AppID) != nil:
		err = oauth(fault.Unauthenticated, 700025, "invalid_client", "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.")
	case f.assertion != "":
		if f.assertionType != assertionType {
			return nil, malformed("The parameter 'client_assertion_type' must be '%s'.", assertionType)
		}
		c.method = "2"
		c.by, err = s.checkAnyAssertion(ctx, r, tenant, app, f.assertion)
	case f.clientSecret != "":
		c.method = "1"
		c.by, err = s.checkSecret(app, f.clientSecret)
	case public:
		c.method = "0"
	default:
		err = oauth(fault.Unauthenticated, 7000218, "invalid_client",
			"The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	}
	if err != nil {
		return nil, err
	}
	if sp.Disabled {
		return nil, oauth(fault.Invalid, 7000112, "unauthorized_client", "Application '%s'(%s) is disabled.", app.AppID, app.DisplayName)
	}
	return c, nil
}

// checkAnyAssertion verifies a client assertion: one the client signed itself, or another issuer's token that a federated credential names.
func (s *Service) checkAnyAssertion(ctx context.Context, r *wire.Request, tenant *Tenant, app *Application, raw string) (by string, err error) {
	claims, foreign := foreignAssertion(raw)
	if !foreign {
		return s.checkAssertion(r, tenant, app, raw)
	}
	credentials, err := s.FederatedCredentials(ctx, app)
	if err != nil {
		return "", err
	}
	return s.checkFederated(ctx, credentials, claims, raw)
}

// registered finds the service principal with that client id in the tenant, and the application behind it, wherever that lives. Azure's own clients are
// everywhere.
func (s *Service) registered(ctx context.Context, tenant *Tenant, clientID string) (*SP, *Application, error) {
	id := strings.ToLower(clientID)
	if first := findFirstClient(id); first != nil {
		sp, app := first.in(tenant)
		return sp, app, nil
	}
	sp, err := s.spAt(ctx, tenant.ID, keySPAppID+id)
	if err != nil {
		return nil, nil, err
	}
	home := tenant.ID
	if sp != nil {
		home = sp.AppTenantID // "" for a managed identity: nobody holds a credential of it
	}
	var app *Application
	if home != "" {
		if app, err = s.appAt(ctx, home, keyAppID+id); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case app == nil:
		return nil, nil, oauth(fault.Invalid, 700016, "unauthorized_client",
			"Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the "+
				"administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
			clip(clientID), tenant.DisplayName)
	case sp == nil:
		return nil, nil, oauth(fault.Invalid, 7000229, "unauthorized_client",
			"The client application %s is missing service principal in the tenant %s. See instructions here: "+
				"https://go.microsoft.com/fwlink/?linkid=2225119", app.AppID, tenant.ID)
	}
	if len(sp.Secrets)+len(sp.Certificates) > 0 {
		both := app.clone()
		both.Secrets, both.Certificates = append(both.Secrets, sp.Secrets...), append(both.Certificates, sp.Certificates...)
		app = &both
	}
	return sp, app, nil
}

// checkSecret compares a client secret with those of the application. The platform has only their MACs; each comparison takes the same time.
func (s *Service) checkSecret(app *Application, secret string) (by string, err error) {
	now := s.Clock.Now()
	var found *Secret
	for i := range app.Secrets {
		have := &app.Secrets[i]
		if subtle.ConstantTimeCompare(s.secretMAC(app, have.KeyID, secret), have.MAC) == 1 {
			found = have
		}
	}
	switch {
	case found == nil || now.Before(found.Start):
		return "", oauth(fault.Unauthenticated, 7000215, "invalid_client",
			"Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, "+
				"for a secret added to app '%s'.", app.AppID)
	case !now.Before(found.End):
		return "", oauth(fault.Unauthenticated, 7000222, "invalid_client",
			"The provided client secret keys for app '%s' are expired since %s. Create new keys for the app.", app.AppID, found.End.Format(time.RFC3339))
	}
	return "client secret " + found.KeyID, nil
}

// secretMAC is how a secret is recognised. The MAC names application and key, so that a row moved elsewhere opens nothing.
func (s *Service) secretMAC(app *Application, keyID, secret string) []byte {
	return s.Sealer.MAC(tenantShard(app.TenantID), "client secret", app.ObjectID, keyID, secret)
}

// publicClient tells whether the application may sign users in without a credential of its own, by grants that name no redirect URI.
func publicClient(app *Application) bool {
	return app.PublicClient || findFirstClient(app.AppID) != nil
}
