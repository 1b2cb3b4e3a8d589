package directory

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// AppSpec is what a new application is made from.
type AppSpec struct {
	TenantID       string
	DisplayName    string
	IdentifierURIs []string
	TokenVersion   int    // 0, 1 or 2
	SignInAudience string // "" = AzureADMyOrg
	// Principal also makes the service principal in the application's own tenant, without which nobody can sign in as it.
	Principal bool
	// Administrator makes that service principal one that may change the directory through Graph.
	Administrator bool
}

// CreateApplication registers an application and, if the spec says so, its service principal (else nil).
func (s *Service) CreateApplication(ctx context.Context, spec AppSpec) (*Application, *SP, error) {
	tenant, err := s.Tenants.Find(ctx, spec.TenantID)
	if err != nil {
		return nil, nil, err
	}
	if tenant == nil {
		return nil, nil, fault.New(fault.NotFound, "TenantNotFound", "There is no tenant %.100q.", spec.TenantID)
	}
	app := &Application{
		TenantID: tenant.ID, ObjectID: ids.New(), AppID: ids.New(), DisplayName: strings.TrimSpace(spec.DisplayName),
		SignInAudience: spec.SignInAudience, IdentifierURIs: slices.Clone(spec.IdentifierURIs), TokenVersion: spec.TokenVersion, Created: s.Clock.Now(),
	}
	if app.SignInAudience == "" {
		app.SignInAudience = "AzureADMyOrg"
	}
	if err := app.validate(); err != nil {
		return nil, nil, err
	}
	var sp *SP
	if spec.Principal {
		sp = app.principal(tenant.ID, s)
		sp.Administrator = spec.Administrator
	}
	change := change{putApp: app, putSP: sp}
	if err := s.commit(ctx, tenant.ID, change); err != nil {
		return nil, nil, err
	}
	return app, sp, nil
}

// validate checks what callers may choose.
func (a *Application) validate() error {
	if a.DisplayName == "" || len(a.DisplayName) > 256 {
		return badRequest("displayName", "Property 'displayName' must have 1 to 256 characters.")
	}
	if a.TokenVersion < 0 || a.TokenVersion > 2 {
		return badRequest("requestedAccessTokenVersion", "Property 'requestedAccessTokenVersion' must be null, 1 or 2.")
	}
	if !slices.Contains([]string{"AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"}, a.SignInAudience) {
		return badRequest("signInAudience", fmt.Sprintf("Property 'signInAudience' has the unknown value %.60q.", a.SignInAudience))
	}
	seen := map[string]bool{}
	for _, uri := range a.IdentifierURIs {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme == "" || len(uri) > maxName || strings.ContainsAny(uri, " \t\r\n|") {
			return badRequest("identifierUris", fmt.Sprintf("Identifier URI %.100q is not an absolute URI.", uri))
		}
		if seen[strings.ToLower(uri)] {
			return badRequest("identifierUris", fmt.Sprintf("Identifier URI %.100q is given twice.", uri))
		}
		seen[strings.ToLower(uri)] = true
	}
	return a.validateAccess()
}

func badRequest(target, message string) error {
	return &fault.Error{Kind: fault.Invalid, Code: "Request_BadRequest", Message: message, Target: target}
}

// principal makes the service principal of a in a tenant.
func (a *Application) principal(tenantID string, s *Service) *SP {
	return &SP{
		TenantID: tenantID, ObjectID: ids.New(), AppID: a.AppID, AppTenantID: a.TenantID, DisplayName: a.DisplayName,
		Kind: authn.ServicePrincipal, Names: slices.Clone(a.IdentifierURIs), Created: s.Clock.Now(),
	}
}

// Application returns the application by object id, nil if the tenant has none. It is shared: read only.
func (s *Service) Application(ctx context.Context, tenantID, objectID string) (*Application, error) {
	return s.appAt(ctx, tenantID, keyApp+strings.ToLower(objectID))
}

// FindApplication returns the application by client id, in whichever tenant it lives; nil if in none. It is shared: read only.
func (s *Service) FindApplication(ctx context.Context, appID string) (*Application, error) {
	tenants, err := s.Tenants.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tenants {
		app, err := s.appAt(ctx, t.ID, keyAppID+strings.ToLower(appID))
		if err != nil || app != nil {
			return app, err
		}
	}
	return nil, nil
}

// ChangeApplication loads an application, lets fn change it, checks and stores it. fn may run again, on a later state.
func (s *Service) ChangeApplication(ctx context.Context, tenantID, objectID string, fn func(*Application) error) (*Application, error) {
	var changed *Application
	err := retry(ctx, func() error {
		before, sp, expect, err := s.readApp(ctx, tenantID, objectID)
		if err != nil {
			return err
		}
		if before == nil {
			return notFound("application", objectID)
		}
		after := before.clone()
		if err := fn(&after); err != nil {
			return err
		}
		if err := after.validate(); err != nil {
			return err
		}
		c := change{putApp: &after, oldApp: before, expect: expect}
		if sp != nil {
			// The home tenant's service principal answers to the application's names.
			renamed := *sp
			renamed.Names, renamed.DisplayName = slices.Clone(after.IdentifierURIs), after.DisplayName
			c.oldSP, c.putSP = sp, &renamed
		}
		changed = &after
		return s.commit(ctx, after.TenantID, c)
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// clone copies a so far that lists may be changed in the copy; what they hold is replaced, never changed.
func (a *Application) clone() Application {
	c := *a
	c.IdentifierURIs, c.Owners, c.Tags = slices.Clone(a.IdentifierURIs), slices.Clone(a.Owners), slices.Clone(a.Tags)
	c.Secrets, c.Certificates, c.Federated = slices.Clone(a.Secrets), slices.Clone(a.Certificates), slices.Clone(a.Federated)
	return c
}

// DeleteApplication deletes an application and its service principal in its own tenant; the next sign-in as it is refused everywhere. Both may be restored
// for 30 days.
func (s *Service) DeleteApplication(ctx context.Context, tenantID, objectID string) error {
	return s.softDelete(ctx, tenantID, KindApplication, objectID)
}

func notFound(what, id string) error {
	return fault.New(fault.NotFound, "Request_ResourceNotFound",
		"Resource '%s' does not exist or one of its queried reference-property objects are not present (%s).", clip(id), what)
}
