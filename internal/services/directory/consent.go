package directory

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// permissions is what a client may do in a user's name with one API, and what it still has to ask for.
type permissions struct {
	granted   []string // scp
	scopes    []string // not consented to yet
	oidc      []string // of Microsoft Graph, not consented to yet
	all       []string // all that the request is about, for a page that asks again
	adminOnly bool     // an administrator has to consent
}

func (p *permissions) missing() bool { return len(p.scopes)+len(p.oidc) > 0 }

func noConsent(app *Application) *fault.Error {
	return oauth(fault.Invalid, 65001, "invalid_grant",
		"The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.",
		app.AppID, app.DisplayName)
}

// clientPrincipal finds the client's service principal in the user's tenant; nil for an application of another tenant that nobody here has consented to yet.
func (s *Service) clientPrincipal(ctx context.Context, tenant *Tenant, app *Application) (*SP, error) {
	if first := findFirstClient(app.AppID); first != nil {
		sp, _ := first.in(tenant)
		return sp, nil
	}
	if app.TenantID != tenant.ID && app.SignInAudience == "AzureADMyOrg" {
		_, _, err := s.registered(ctx, tenant, app.AppID)
		if err == nil {
			err = oauth(fault.Invalid, 700016, "unauthorized_client", "Application with identifier '%s' is not for the directory '%s'.", app.AppID, tenant.DisplayName)
		}
		return nil, err
	}
	sp, err := s.spAt(ctx, tenant.ID, keySPAppID+app.AppID)
	switch {
	case err != nil:
		return nil, err
	case sp == nil && app.TenantID == tenant.ID:
		_, _, err := s.registered(ctx, tenant, app.AppID)
		return nil, err
	case sp != nil && sp.Disabled:
		return nil, oauth(fault.Invalid, 7000112, "unauthorized_client", "Application '%s'(%s) is disabled.", app.AppID, app.DisplayName)
	}
	return sp, nil
}

// permitted finds out what of w the client may have in the user's name. c.sp may be nil: then nothing is consented to.
func (s *Service) permitted(ctx context.Context, tenant *Tenant, c *client, user *User, w *wanted, aud *audience) (*permissions, error) {
	if err := s.assigned(ctx, tenant, c, user, aud); err != nil {
		return nil, err
	}
	p := &permissions{}
	if findFirstClient(c.app.AppID) != nil && aud.first != nil {
		p.granted = firstScopes(aud.appID)
		if w.Resource == "" {
			p.granted = w.oidc()
		}
		return p, nil
	}
	have, err := s.consentedTo(ctx, tenant, c, aud, user)
	if err != nil {
		return nil, err
	}
	asked, err := s.asked(c.app, w, aud, have)
	if err != nil {
		return nil, err
	}
	p.all = append(w.oidc(), asked...)
	for _, scope := range asked {
		if slices.Contains(have, scope) || c.app.AppID == aud.appID || preAuthorized(aud.app, c.app, scope) {
			continue
		}
		p.scopes = append(p.scopes, scope)
		p.adminOnly = p.adminOnly || aud.adminScope(scope)
	}
	if findFirstClient(c.app.AppID) == nil {
		if p.oidc, err = s.missingOIDC(ctx, tenant, c, user, w); err != nil {
			return nil, err
		}
	}
	p.granted = slices.Clone(have)
	for _, scope := range asked {
		if !slices.Contains(p.granted, scope) {
			p.granted = append(p.granted, scope)
		}
	}
	p.granted = slices.DeleteFunc(p.granted, func(scope string) bool { return scope == "offline_access" })
	slices.Sort(p.granted)
	return p, nil
}

// consentedTo are the scopes of the API that the client holds for the user.
func (s *Service) consentedTo(ctx context.Context, tenant *Tenant, c *client, aud *audience, user *User) ([]string, error) {
	if c.sp == nil {
		return nil, nil
	}
	resource, err := s.spAt(ctx, tenant.ID, keySPAppID+aud.appID)
	if err != nil || resource == nil {
		return nil, err
	}
	return s.Consented(ctx, tenant.ID, c.sp.ObjectID, resource.ObjectID, user.ObjectID)
}

func (s *Service) missingOIDC(ctx context.Context, tenant *Tenant, c *client, user *User, w *wanted) ([]string, error) {
	asked := w.oidc()
	if len(asked) == 0 {
		return nil, nil
	}
	have, err := s.consentedTo(ctx, tenant, c, &audience{appID: graphAppID}, user)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(asked, func(scope string) bool { return slices.Contains(have, scope) }), nil
}

// asked are the scopes of the API that w is about: those it names, or for ".default" those consented to and those the client is registered to need.
func (s *Service) asked(app *Application, w *wanted, aud *audience, have []string) ([]string, error) {
	if w.Resource == "" {
		return nil, nil
	}
	known := aud.scopes()
	if slices.Contains(w.Scopes, ".default") {
		out := slices.Clone(have)
		for _, scope := range known {
			if (needs(app, aud.appID, scope.ID) || preAuthorized(aud.app, app, scope.Value)) && !scope.Disabled && !slices.Contains(out, scope.Value) {
				out = append(out, scope.Value)
			}
		}
		switch {
		case len(out) > 0 || app.AppID == aud.appID:
		case aud.first != nil:
			out = append(out, aud.first.defaultScope())
		case findFirstClient(app.AppID) != nil:
			return nil, noConsent(app)
		default:
			return nil, oauth(fault.Invalid, 650057, "invalid_resource",
				"Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application "+
					"registration. Client app ID: %s(%s). Resource value from request: %s. Resource app ID: %s.", app.AppID, app.DisplayName, clip(w.Resource), aud.appID)
		}
		return out, nil
	}
	for _, name := range w.Scopes {
		if !slices.ContainsFunc(known, func(k Scope) bool { return k.Value == name && !k.Disabled }) {
			return nil, oauth(fault.Invalid, 650053, "invalid_scope",
				"The application '%s' asked for scope '%s' that doesn't exist on the resource '%s'. Contact the app vendor.", app.DisplayName, clip(name), aud.appID)
		}
	}
	return slices.Clone(w.Scopes), nil
}

func needs(app *Application, resourceAppID, scopeID string) bool {
	for _, r := range app.RequiredAccess {
		if strings.EqualFold(r.ResourceAppID, resourceAppID) &&
			slices.ContainsFunc(r.Access, func(a AccessNeeded) bool { return a.Type == "Scope" && strings.EqualFold(a.ID, scopeID) }) {
			return true
		}
	}
	return false
}

// preAuthorized tells whether the API vouches for the client itself.
func preAuthorized(api, client *Application, scope string) bool {
	if api == nil {
		return false
	}
	i := slices.IndexFunc(api.Scopes, func(k Scope) bool { return k.Value == scope })
	if i < 0 {
		return false
	}
	return slices.ContainsFunc(api.PreAuthorized, func(p PreAuthorized) bool {
		return strings.EqualFold(p.AppID, client.AppID) && slices.Contains(p.ScopeIDs, api.Scopes[i].ID)
	})
}

// assigned refuses a user who is not assigned to the client or the API, where one of them demands it.
func (s *Service) assigned(ctx context.Context, tenant *Tenant, c *client, user *User, aud *audience) error {
	for _, sp := range []*SP{c.sp, aud.sp} {
		if sp == nil || !sp.AssignmentRequired {
			continue
		}
		_, ok, err := s.RoleValues(ctx, tenant.ID, user.ObjectID, sp.ObjectID)
		if err != nil {
			return err
		}
		if !ok {
			return oauth(fault.Invalid, 50105, "invalid_grant",
				"Your administrator has configured the application %s ('%s') to block users unless they are specifically granted ('assigned') access to the application. "+
					"The signed in user '%s' is blocked because they are not a direct member of a group with access, nor had access directly assigned by an administrator.",
				sp.DisplayName, sp.AppID, user.UPN)
		}
	}
	return nil
}

// askConsent asks the user to let the client have what it lacks; for a device code also whether it is theirs.
func (s *Service) askConsent(r *wire.Request, req *authRequest, app *Application, have *session, need *permissions) (any, error) {
	v, err := s.flowView(r, req, app)
	if err != nil {
		return nil, err
	}
	v.Title, v.Consent, v.User, v.Tenant, v.Device = "Permissions requested", true, have.user.UPN, have.tenant.DisplayName, req.Device != ""
	v.Scopes = append(slices.Clone(need.oidc), need.scopes...)
	if len(v.Scopes) == 0 && req.Prompt == "consent" {
		v.Scopes = need.all
	}
	if req.Device != "" && len(v.Scopes) == 0 {
		v.Title = "Are you trying to sign in to " + app.DisplayName + "?"
	}
	v.ForAll = have.user.Administrator
	return s.render(http.StatusOK, v, req.formTarget())
}

// postConsent takes the consent page's form. What was asked for is read again: the page is no authority on it.
func (s *Service) postConsent(ctx context.Context, r *wire.Request) (any, error) {
	form, req, app, err := s.postedFlow(ctx, r)
	if err != nil {
		return nil, err
	}
	have, err := s.session(ctx, r)
	if err != nil {
		return nil, err
	}
	if have == nil || !s.suits(req, have) {
		return s.loginPage(ctx, r, req, app, nil, "")
	}
	a := s.attempt(r, "page")
	a.in(have.tenant)
	a.by(app)
	a.user(have.user)
	answer, err := s.consent(ctx, r, req, app, have, a, form.Get("decision") == "accept", form.Get("all") == "1")
	s.ended(a, err)
	if f := fault.As(err); err != nil && f.Kind != fault.Internal {
		return s.refuse(r, req, app, err)
	}
	return answer, err
}

// consent keeps the user's decision and goes on by it.
func (s *Service) consent(ctx context.Context, r *wire.Request, req *authRequest, app *Application, have *session, a *attempt, accept, all bool) (any, error) {
	if !accept {
		if req.Device != "" {
			return s.settleDevice(ctx, r, req, app, have, deviceDeclined)
		}
		return nil, oauth(fault.Invalid, 65004, "access_denied", "The resource owner or authorization server denied the request: user declined to consent to access the app.")
	}
	sp, err := s.clientPrincipal(ctx, have.tenant, app)
	if err != nil {
		return nil, err
	}
	aud, err := s.audience(ctx, have.tenant, r.Hosts, req.Wanted.target(req.V2))
	if err != nil {
		return nil, err
	}
	a.Resource = aud.name
	c := &client{sp: sp, app: app}
	need, err := s.permitted(ctx, have.tenant, c, have.user, &req.Wanted, aud)
	if err != nil {
		return nil, err
	}
	if need.adminOnly && !have.user.Administrator {
		return nil, oauth(fault.Invalid, 90094, "consent_required", "Admin consent is required for the permissions requested by this application.")
	}
	if need.missing() {
		userID := have.user.ObjectID
		if all && have.user.Administrator {
			userID = ""
		}
		if sp, err = s.keepConsent(ctx, have.tenant, c, aud, need, userID); err != nil {
			return nil, err
		}
	}
	if req.Device != "" {
		return s.settleDevice(ctx, r, req, app, have, deviceApproved)
	}
	return s.finish(ctx, r, req, app, have, sp)
}

// keepConsent stores what was consented to, with the service principals it is between.
func (s *Service) keepConsent(ctx context.Context, tenant *Tenant, c *client, aud *audience, need *permissions, userID string) (*SP, error) {
	sp, err := s.ensurePrincipal(ctx, tenant, c.app.AppID)
	if err != nil {
		return nil, err
	}
	for _, g := range []struct {
		appID  string
		scopes []string
	}{{aud.appID, need.scopes}, {graphAppID, need.oidc}} {
		if len(g.scopes) == 0 {
			continue
		}
		resource, err := s.ensurePrincipal(ctx, tenant, g.appID)
		if err != nil {
			return nil, err
		}
		_, err = s.GrantConsent(ctx, tenant.ID, Consent{ClientID: sp.ObjectID, ResourceID: resource.ObjectID, UserID: userID, Scopes: g.scopes})
		if err != nil {
			return nil, err
		}
	}
	return sp, nil
}

// ensurePrincipal makes a tenant know another tenant's application that it met for the first time.
func (s *Service) ensurePrincipal(ctx context.Context, tenant *Tenant, appID string) (*SP, error) {
	sp, err := s.spAt(ctx, tenant.ID, keySPAppID+appID)
	if err != nil || sp != nil {
		return sp, err
	}
	sp, err = s.CreateServicePrincipal(ctx, tenant.ID, appID)
	if fault.Is(err, fault.Conflict) { // someone else was faster
		return s.spAt(ctx, tenant.ID, keySPAppID+appID)
	}
	return sp, err
}
