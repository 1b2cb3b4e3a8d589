package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// graphSP is a service principal as Microsoft Graph shows it.
// https://learn.microsoft.com/graph/api/resources/serviceprincipal
type graphSP struct {
	Type             string          `json:"@odata.type,omitempty"`
	ID               string          `json:"id"`
	Deleted          *string         `json:"deletedDateTime"`
	Enabled          bool            `json:"accountEnabled"`
	AlternativeNames []string        `json:"alternativeNames"`
	AppDisplayName   *string         `json:"appDisplayName"`
	AppID            string          `json:"appId"`
	OwnerOrg         *string         `json:"appOwnerOrganizationId"`
	Required         bool            `json:"appRoleAssignmentRequired"`
	Created          string          `json:"createdDateTime"`
	DisplayName      string          `json:"displayName"`
	HomePage         *string         `json:"homepage"`
	ReplyURLs        []string        `json:"replyUrls"`
	Names            []string        `json:"servicePrincipalNames"`
	Kind             string          `json:"servicePrincipalType"`
	Audience         *string         `json:"signInAudience"`
	Tags             []string        `json:"tags"`
	AppRoles         []graphAppRole  `json:"appRoles"`
	Keys             []graphKey      `json:"keyCredentials"`
	Scopes           []graphScope    `json:"oauth2PermissionScopes"`
	Passwords        []graphPassword `json:"passwordCredentials"`
}

// viewSP shows a service principal with what its application defines, which may be nil.
func viewSP(sp *SP, app *Application) graphSP {
	out := graphSP{
		ID: sp.ObjectID, Enabled: !sp.Disabled, AlternativeNames: []string{}, AppID: sp.AppID, Required: sp.AssignmentRequired, Created: graphTime(sp.Created),
		DisplayName: sp.DisplayName, ReplyURLs: []string{}, Names: append([]string{sp.AppID}, sp.Names...), Kind: "Application",
		Tags: append([]string{}, sp.Tags...), AppRoles: []graphAppRole{}, Scopes: []graphScope{}, Keys: viewCertificates(sp.Certificates),
		Passwords: viewSecrets(sp.Secrets),
	}
	if sp.AppTenantID != "" {
		out.OwnerOrg, out.AppDisplayName = &sp.AppTenantID, &sp.DisplayName
	}
	if app != nil {
		out.HomePage, out.Audience = nullable(app.HomePage), nullable(app.SignInAudience)
		out.AppRoles, out.Scopes = viewRoles(app.Roles), viewScopes(app.Scopes)
		out.ReplyURLs = slices.Concat(out.ReplyURLs, app.WebRedirectURIs, app.SPARedirectURIs, app.PublicRedirectURIs)
	}
	if sp.Kind == authn.ManagedIdentity {
		explicit := "isExplicit=False"
		if strings.Contains(strings.ToLower(sp.ResourceID), "/userassignedidentities/") {
			explicit = "isExplicit=True"
		}
		out.Kind, out.AlternativeNames = "ManagedIdentity", []string{explicit, sp.ResourceID}
	}
	return out
}

// showSP is viewSP with the application looked up.
func (s *Service) showSP(ctx context.Context, sp *SP) (graphSP, error) {
	app, err := s.appOfSP(ctx, sp)
	return viewSP(sp, app), err
}

// values implements filterable.
func (sp *SP) values(property string) (values []string, collection, ok bool) {
	switch property {
	case "id":
		return []string{sp.ObjectID}, false, true
	case "appid":
		return []string{sp.AppID}, false, true
	case "displayname":
		return []string{sp.DisplayName}, false, true
	case "serviceprincipaltype":
		return []string{viewSP(sp, nil).Kind}, false, true
	case "serviceprincipalnames":
		return viewSP(sp, nil).Names, true, true
	case "alternativenames":
		return viewSP(sp, nil).AlternativeNames, true, true
	}
	return nil, false, false
}

// graphListSPs lists them without the roles and scopes of their applications, which a single one shows: those may live in other tenants.
func (s *Service) graphListSPs(ctx context.Context, r *wire.Request) (any, error) {
	page, err := newPager(r, "servicePrincipals")
	if err != nil {
		return nil, err
	}
	all, err := allRows(ctx, s, r.Principal.TenantID, keySP, spCodec)
	if err != nil {
		return nil, err
	}
	for i := range firstParties {
		all = append(all, *firstParties[i].principal(r.Principal.TenantID))
	}
	slices.SortFunc(all, func(a, b SP) int { return strings.Compare(a.ObjectID, b.ObjectID) })
	for i := range all {
		if more, err := page.add(all[i].ObjectID, viewSP(&all[i], nil), &all[i]); err != nil {
			return nil, err
		} else if !more {
			break
		}
	}
	return page.answer(), nil
}

type graphSPBody struct {
	AppID     string               `json:"appId"`
	Enabled   *bool                `json:"accountEnabled"`
	Required  *bool                `json:"appRoleAssignmentRequired"`
	Tags      *[]string            `json:"tags"`
	Keys      *[]graphKeyBody      `json:"keyCredentials"`
	Passwords *[]graphPasswordBody `json:"passwordCredentials"`
}

// apply puts a body's properties into sp.
func (in *graphSPBody) apply(sp *SP) error {
	if in.Enabled != nil {
		sp.Disabled = !*in.Enabled
	}
	if in.Required != nil {
		sp.AssignmentRequired = *in.Required
	}
	if in.Tags != nil {
		if len(*in.Tags) > 60 {
			return badRequest("tags", "A service principal has at most 60 tags.")
		}
		sp.Tags = slices.Clone(*in.Tags)
	}
	if in.Passwords != nil && len(*in.Passwords) > 0 {
		return badRequest("passwordCredentials", "Secrets are added with addPassword and removed with removePassword.")
	}
	if in.Keys == nil {
		return nil
	}
	if sp.AppTenantID == "" && len(*in.Keys) > 0 {
		return noCredential()
	}
	kept, err := replaceKeys(sp.Certificates, *in.Keys)
	if err == nil {
		sp.Certificates = kept
		err = sp.checkCount()
	}
	return err
}

func noCredential() error {
	return fault.New(fault.Forbidden, "Authorization_RequestDenied", "This service principal has no credentials of its own.")
}

func (sp *SP) checkCount() error {
	if len(sp.Secrets)+len(sp.Certificates) > credentialMax {
		return badRequest("keyCredentials", "A service principal has at most 100 credentials. Remove those no longer in use.")
	}
	return nil
}

func (s *Service) graphCreateSP(ctx context.Context, r *wire.Request, in *graphSPBody) (any, error) {
	if in.AppID == "" {
		return nil, badRequest("appId", "The appId of the service principal must be specified.")
	}
	sp, err := s.CreateServicePrincipal(ctx, r.Principal.TenantID, in.AppID)
	if err != nil {
		return nil, err
	}
	var more graphSPBody // what CreateServicePrincipal does not know
	more.Required, more.Tags, more.Keys, more.Passwords = in.Required, in.Tags, in.Keys, in.Passwords
	if in.Enabled != nil && !*in.Enabled {
		more.Enabled = in.Enabled
	}
	owner := graphClientOf(r).user
	if sp, err = s.changeSP(ctx, sp.TenantID, sp.ObjectID, func(sp *SP) error {
		if owner != nil {
			sp.Owners = []string{owner.ObjectID}
		}
		return more.apply(sp)
	}); err != nil {
		return nil, err
	}
	r.Resource = "service principal " + sp.ObjectID
	shown, err := s.showSP(ctx, sp)
	if err != nil {
		return nil, err
	}
	out, err := entityAnswer(r, "servicePrincipals", shown)
	if err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

// changeSP loads a service principal, lets fn change it and stores it. fn may run again, on a later state.
func (s *Service) changeSP(ctx context.Context, tenantID, objectID string, fn func(*SP) error) (*SP, error) {
	var changed SP
	err := retry(ctx, func() error {
		have, expect, err := s.readSP(ctx, tenantID, objectID)
		if err != nil {
			return err
		}
		if have == nil {
			return notFound("service principal", objectID)
		}
		changed = *have
		changed.Secrets, changed.Certificates = slices.Clone(have.Secrets), slices.Clone(have.Certificates)
		if err := fn(&changed); err != nil {
			return err
		}
		return s.commit(ctx, have.TenantID, change{oldSP: have, putSP: &changed, expect: expect})
	})
	if err != nil {
		return nil, err
	}
	return &changed, nil
}

// graphSPOf finds the service principal that the path names.
func (s *Service) graphSPOf(ctx context.Context, r *wire.Request) (*SP, error) {
	byAppID, id, err := pathKey(r)
	if err != nil {
		return nil, err
	}
	prefix := keySP
	if byAppID {
		prefix = keySPAppID
	}
	sp, err := s.spAt(ctx, r.Principal.TenantID, prefix+strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	if sp == nil {
		return nil, notFound("service principal", id)
	}
	r.Resource = "service principal " + sp.ObjectID
	return sp, nil
}

func (s *Service) graphGetSP(ctx context.Context, r *wire.Request) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	shown, err := s.showSP(ctx, sp)
	if err != nil {
		return nil, err
	}
	return entityAnswer(r, "servicePrincipals", shown)
}

func (s *Service) graphPatchSP(ctx context.Context, r *wire.Request, in *graphSPBody) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if in.AppID != "" && !strings.EqualFold(in.AppID, sp.AppID) {
		return nil, badRequest("appId", "Property 'appId' is read-only.")
	}
	if in.Enabled == nil && in.Required == nil && in.Tags == nil && in.Keys == nil && in.Passwords == nil {
		return nil, badRequest("", "Only the properties 'accountEnabled', 'appRoleAssignmentRequired', 'tags' and 'keyCredentials' can be changed.")
	}
	_, err = s.changeSP(ctx, sp.TenantID, sp.ObjectID, in.apply)
	return nil, err
}

func (s *Service) graphDeleteSP(ctx context.Context, r *wire.Request) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if sp.Kind == authn.ManagedIdentity {
		return nil, fault.New(fault.Forbidden, "Authorization_RequestDenied",
			"A managed identity's service principal is removed by deleting the identity or the resource it belongs to.")
	}
	return nil, s.softDelete(ctx, sp.TenantID, KindSP, sp.ObjectID)
}

// graphAddSPPassword makes a secret that works in this tenant only.
func (s *Service) graphAddSPPassword(ctx context.Context, r *wire.Request) (any, error) {
	spec, err := passwordSpec(r)
	if err != nil {
		return nil, err
	}
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	app, err := s.appOfSP(ctx, sp)
	if err != nil {
		return nil, err
	}
	if app == nil {
		return nil, noCredential()
	}
	secret, text := s.newSecret(spec)
	if !secret.Start.Before(secret.End) {
		return nil, badRequest("endDateTime", "The end of a credential must be later than its start.")
	}
	secret.MAC = s.secretMAC(app, secret.KeyID, text)
	_, err = s.changeSP(ctx, sp.TenantID, sp.ObjectID, func(sp *SP) error {
		sp.Secrets = append(sp.Secrets, *secret)
		return sp.checkCount()
	})
	if err != nil {
		return nil, err
	}
	return answerSecret(r, secret, text), nil
}

func (s *Service) graphRemoveSPPassword(ctx context.Context, r *wire.Request, in *removePasswordBody) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = s.changeSP(ctx, sp.TenantID, sp.ObjectID, func(sp *SP) error {
		before := len(sp.Secrets)
		sp.Secrets = slices.DeleteFunc(sp.Secrets, func(c Secret) bool { return strings.EqualFold(c.KeyID, in.KeyID) })
		if len(sp.Secrets) == before {
			return fault.New(fault.Invalid, "Request_BadRequest", "No password credential found with keyId.")
		}
		return nil
	})
	return nil, err
}
