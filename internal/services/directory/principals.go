package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// CreateServicePrincipal makes a tenant know an application, its own or another tenant's.
func (s *Service) CreateServicePrincipal(ctx context.Context, tenantID, appID string) (*SP, error) {
	tenant, err := s.Tenants.Find(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	if tenant == nil {
		return nil, fault.New(fault.NotFound, "TenantNotFound", "There is no tenant %.100q.", tenantID)
	}
	if firstPartyAt(tenant.ID, keySPAppID+strings.ToLower(appID)) != nil {
		return nil, fault.New(fault.Conflict, "Request_MultipleObjectsWithSameKeyValue", "The service principal cannot be created because the service principal name %s is already in use.", appID)
	}
	app, err := s.FindApplication(ctx, appID)
	if err != nil {
		return nil, err
	}
	if app == nil || app.TenantID != tenant.ID && app.SignInAudience == "AzureADMyOrg" {
		// A single-tenant application of another tenant is none of this tenant's business, not even its existence.
		return nil, fault.New(fault.Invalid, "Request_BadRequest",
			"The appId '%.100s' of the service principal does not reference a valid application object.", appID)
	}
	sp := app.principal(tenant.ID, s)
	if err := s.commit(ctx, tenant.ID, change{putSP: sp}); err != nil {
		return nil, err
	}
	return sp, nil
}

// EnsureServicePrincipal makes the service principal of a managed identity exist as the caller describes it, ids included. Doing it again changes
// nothing.
func (s *Service) EnsureServicePrincipal(ctx context.Context, sp SP) error {
	sp.TenantID, sp.ObjectID, sp.AppID = strings.ToLower(sp.TenantID), strings.ToLower(sp.ObjectID), strings.ToLower(sp.AppID)
	if !ids.IsGUID(sp.TenantID) || !ids.IsGUID(sp.ObjectID) || !ids.IsGUID(sp.AppID) {
		return fault.New(fault.Invalid, "Request_BadRequest", "A service principal needs GUIDs as tenant, object and client id.")
	}
	if exists, err := s.Tenants.Exists(ctx, sp.TenantID); err != nil {
		return err
	} else if !exists {
		return fault.New(fault.NotFound, "TenantNotFound", "There is no tenant %s.", sp.TenantID)
	}
	if sp.Kind == "" {
		sp.Kind = authn.ManagedIdentity
	}
	return retry(ctx, func() error {
		have, expect, err := s.readSP(ctx, sp.TenantID, sp.ObjectID)
		if err != nil {
			return err
		}
		if have == nil {
			sp.Created = s.Clock.Now()
		} else {
			sp.Created, sp.Disabled, sp.Administrator = have.Created, have.Disabled, have.Administrator
			sp.Owners, sp.Tags, sp.AssignmentRequired = have.Owners, have.Tags, have.AssignmentRequired
			if have.AppID == sp.AppID && have.DisplayName == sp.DisplayName && have.ResourceID == sp.ResourceID && slices.Equal(have.Names, sp.Names) {
				return nil
			}
		}
		return s.commit(ctx, sp.TenantID, change{oldSP: have, putSP: &sp, expect: expect})
	})
}

// RemoveServicePrincipal removes a service principal for good; one that is gone already is fine. No further tokens are issued to it.
func (s *Service) RemoveServicePrincipal(ctx context.Context, tenantID, objectID string) error {
	if ids.IsGUID(objectID) {
		if err := s.forget(ctx, strings.ToLower(tenantID), strings.ToLower(objectID)); err != nil {
			return err
		}
	}
	return retry(ctx, func() error {
		have, expect, err := s.readSP(ctx, tenantID, objectID)
		if err != nil || have == nil {
			return err
		}
		return s.commit(ctx, have.TenantID, change{oldSP: have, expect: expect})
	})
}

// PrincipalByObjectID returns the service principal, nil if the tenant has none. It is shared: read only.
func (s *Service) PrincipalByObjectID(ctx context.Context, tenantID, objectID string) (*SP, error) {
	return s.spAt(ctx, tenantID, keySP+strings.ToLower(objectID))
}

// PrincipalByAppID is PrincipalByObjectID by client id.
func (s *Service) PrincipalByAppID(ctx context.Context, tenantID, appID string) (*SP, error) {
	return s.spAt(ctx, tenantID, keySPAppID+strings.ToLower(appID))
}

// FindPrincipal looks a service principal, user or group up in every tenant, for role assignments that name one of another tenant; nil if none has it.
func (s *Service) FindPrincipal(ctx context.Context, objectID string) (*Object, error) {
	tenants, err := s.Tenants.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tenants {
		kind, err := s.kindOf(ctx, t.ID, objectID)
		if err != nil {
			return nil, err
		}
		if kind != "" && kind != KindApplication {
			return &Object{TenantID: t.ID, ObjectID: strings.ToLower(objectID), Kind: kind}, nil
		}
	}
	return nil, nil
}

// IssueManagedIdentity issues a token for a managed identity. Nothing but its existence proves who asks, so the caller has to have proven that the
// request comes from the identity's owner. resource is an audience such as "https://vault.azure.net"; one that demands an assigned role refuses others.
func (s *Service) IssueManagedIdentity(ctx context.Context, tenantID, objectID, resource string) (authn.Token, error) {
	sp, err := s.PrincipalByObjectID(ctx, tenantID, objectID)
	if err != nil {
		return authn.Token{}, err
	}
	if sp == nil || sp.Kind != authn.ManagedIdentity {
		return authn.Token{}, fault.New(fault.NotFound, "IdentityNotFound", "There is no managed identity %.60s.", objectID)
	}
	if sp.Disabled {
		return authn.Token{}, fault.New(fault.Forbidden, "IdentityDisabled", "The managed identity %s is disabled.", sp.ObjectID)
	}
	tenant, err := s.Tenants.Find(ctx, sp.TenantID)
	if err != nil {
		return authn.Token{}, err
	}
	if tenant == nil {
		return authn.Token{}, fault.New(fault.NotFound, "TenantNotFound", "There is no tenant %s.", sp.TenantID)
	}
	aud, err := s.audience(ctx, tenant, s.Hosts, resource)
	if err != nil {
		return authn.Token{}, err
	}
	roles, err := s.appRoles(ctx, tenant, sp, aud)
	if err != nil {
		return authn.Token{}, err
	}
	return s.Tokens.Issue(ctx, authn.Claims{
		Version: aud.version, Audience: aud.value, Lifetime: managedLife,
		Principal: authn.Principal{
			Kind: sp.Kind, TenantID: sp.TenantID, ObjectID: sp.ObjectID, AppID: sp.AppID, Name: sp.DisplayName,
			Resource: sp.ResourceID, ClientAuth: "2", Roles: roles,
		},
	})
}
