package directory

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// graphSP is a service principal as Microsoft Graph shows it.
// https://learn.microsoft.com/graph/api/resources/serviceprincipal
type graphSP struct {
	ID               string   `json:"id"`
	Deleted          *string  `json:"deletedDateTime"`
	Enabled          bool     `json:"accountEnabled"`
	AlternativeNames []string `json:"alternativeNames"`
	AppDisplayName   *string  `json:"appDisplayName"`
	AppID            string   `json:"appId"`
	OwnerOrg         *string  `json:"appOwnerOrganizationId"`
	Created          string   `json:"createdDateTime"`
	DisplayName      string   `json:"displayName"`
	Names            []string `json:"servicePrincipalNames"`
	Type             string   `json:"servicePrincipalType"`
	Tags             []string `json:"tags"`
	AppRoles         []any    `json:"appRoles"`
	Keys             []any    `json:"keyCredentials"`
	Passwords        []any    `json:"passwordCredentials"`
}

func viewSP(sp *SP) graphSP {
	out := graphSP{
		ID: sp.ObjectID, Enabled: !sp.Disabled, AlternativeNames: []string{}, AppID: sp.AppID, Created: graphTime(sp.Created),
		DisplayName: sp.DisplayName, Names: append([]string{sp.AppID}, sp.Names...), Type: "Application", Tags: []string{}, AppRoles: []any{},
		Keys: []any{}, Passwords: []any{},
	}
	if sp.AppTenantID != "" {
		out.OwnerOrg, out.AppDisplayName = &sp.AppTenantID, &sp.DisplayName
	}
	if sp.Kind == authn.ManagedIdentity {
		out.Type, out.AlternativeNames = "ManagedIdentity", []string{"isExplicit=False", sp.ResourceID}
	}
	return out
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
		return []string{viewSP(sp).Type}, false, true
	case "serviceprincipalnames":
		return viewSP(sp).Names, true, true
	case "alternativenames":
		return viewSP(sp).AlternativeNames, true, true
	}
	return nil, false, false
}

func (s *Service) graphListSPs(ctx context.Context, r *wire.Request) (any, error) {
	return graphList(ctx, s, r, keySP, spCodec, "servicePrincipals", func(sp *SP) (any, filterable) { return viewSP(sp), sp })
}

type graphSPBody struct {
	AppID   string `json:"appId"`
	Enabled *bool  `json:"accountEnabled"`
}

func (s *Service) graphCreateSP(ctx context.Context, r *wire.Request, in *graphSPBody) (any, error) {
	if in.AppID == "" {
		return nil, badRequest("appId", "The appId of the service principal must be specified.")
	}
	sp, err := s.CreateServicePrincipal(ctx, r.Principal.TenantID, in.AppID)
	if err != nil {
		return nil, err
	}
	if in.Enabled != nil && !*in.Enabled {
		if sp, err = s.enable(ctx, sp.TenantID, sp.ObjectID, false); err != nil {
			return nil, err
		}
	}
	r.Resource = "service principal " + sp.ObjectID
	out, err := entityAnswer(r, "servicePrincipals", viewSP(sp))
	if err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

// enable lets a service principal sign in, or stops it.
func (s *Service) enable(ctx context.Context, tenantID, objectID string, on bool) (*SP, error) {
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
		changed.Disabled = !on
		return s.commit(ctx, have.TenantID, change{oldSP: have, putSP: &changed, expect: expect})
	})
	return &changed, err
}

func (s *Service) graphSPOf(ctx context.Context, r *wire.Request) (*SP, error) {
	sp, err := s.PrincipalByObjectID(ctx, r.Principal.TenantID, r.Param("id"))
	if err != nil {
		return nil, err
	}
	if sp == nil {
		return nil, notFound("service principal", r.Param("id"))
	}
	r.Resource = "service principal " + sp.ObjectID
	return sp, nil
}

func (s *Service) graphGetSP(ctx context.Context, r *wire.Request) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return entityAnswer(r, "servicePrincipals", viewSP(sp))
}

func (s *Service) graphPatchSP(ctx context.Context, r *wire.Request, in *graphSPBody) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if in.AppID != "" && !strings.EqualFold(in.AppID, sp.AppID) {
		return nil, badRequest("appId", "Property 'appId' is read-only.")
	}
	if in.Enabled == nil {
		return nil, badRequest("", "Only the property 'accountEnabled' can be changed.")
	}
	_, err = s.enable(ctx, sp.TenantID, sp.ObjectID, *in.Enabled)
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
	return nil, s.RemoveServicePrincipal(ctx, sp.TenantID, sp.ObjectID)
}
