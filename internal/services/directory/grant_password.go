package directory

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// passwordGrant signs a user in with the password in the request (ROPC). It is off unless the operator switches it on: it teaches users to give their
// password to programs.
func (s *Service) passwordGrant(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, a *attempt) (any, error) {
	if !s.PasswordGrant {
		return nil, oauth(fault.Invalid, 70003, "unsupported_grant_type",
			"The app requested an unsupported grant type 'password': it is switched off on this platform. The operator switches it on with "+
				"--password-grant or passwordGrant: true in the configuration.")
	}
	if f.username == "" {
		return nil, missing("username")
	}
	if f.password == "" {
		return nil, missing("password")
	}
	a.UserName = f.username
	tenant, err := s.userTenant(ctx, r.Param("tenant"), f.username)
	if err != nil {
		return nil, err
	}
	a.in(tenant)
	c, err := s.userClient(ctx, r, tenant, f, a)
	if err != nil {
		return nil, err
	}
	w, err := wantedOf(e, f)
	if err != nil {
		return nil, err
	}
	user, err := s.tryPassword(ctx, r, tenant, f.username, f.password, false)
	if err != nil {
		return nil, err
	}
	d := &delegation{tenant: tenant, client: c, user: user, login: login{UserID: user.ObjectID, At: s.Clock.Now(), AMR: []string{"pwd"}}, wanted: w}
	out, err := s.delegate(ctx, r, e, f, d, a)
	if err != nil {
		return nil, err
	}
	return s.begin(ctx, e, f, d, out)
}

// userClient authenticates the client of a grant that names no redirect URI: without a credential if it is registered as a public one.
func (s *Service) userClient(ctx context.Context, r *wire.Request, tenant *Tenant, f *tokenForm, a *attempt) (*client, error) {
	_, app, err := s.registered(ctx, tenant, f.clientID)
	if f.clientID == "" {
		err = missing("client_id")
	}
	if err != nil {
		return nil, err
	}
	a.by(app)
	return s.authenticate(ctx, r, tenant, f, publicClient(app))
}

// wantedOf reads what a token request without an earlier sign-in page asks for.
func wantedOf(e endpoint, f *tokenForm) (wanted, error) {
	w, err := parseWanted(e, f.resource, f.scope)
	if err != nil {
		return w, err
	}
	if w.empty() {
		if e.v2 {
			return w, missing("scope")
		}
		return w, missing("resource")
	}
	return w, nil
}

// realm answers how a user's domain signs in, which clients ask before they send a password: here always by this platform itself.
func (s *Service) realm(ctx context.Context, r *wire.Request) (any, error) {
	name := r.Param("upn")
	_, domain, _ := strings.Cut(name, "@")
	tenant, err := s.Tenants.Find(ctx, domain)
	if err != nil {
		return nil, err
	}
	out := realmAnswer{Version: "1.0", Type: "Unknown", Domain: domain, Instance: "microsoftonline.com", Audience: "urn:federation:MicrosoftOnline"}
	if tenant != nil {
		out.Type = "Managed"
	}
	return out, nil
}

type realmAnswer struct {
	Version  string `json:"ver"`
	Type     string `json:"account_type"`
	Domain   string `json:"domain_name"`
	Instance string `json:"cloud_instance_name"`
	Audience string `json:"cloud_audience_urn"`
}
