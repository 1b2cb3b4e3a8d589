package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// graphConsent is a delegated permission grant as Microsoft Graph shows it.
// https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant
type graphConsent struct {
	ClientID    string  `json:"clientId"`
	ConsentType string  `json:"consentType"` // AllPrincipals or Principal
	ID          string  `json:"id"`
	PrincipalID *string `json:"principalId"`
	ResourceID  string  `json:"resourceId"`
	Scope       string  `json:"scope"` // separated by blanks
}

func viewConsent(c *Consent) graphConsent {
	v := graphConsent{ClientID: c.ClientID, ConsentType: "AllPrincipals", ID: c.ID, ResourceID: c.ResourceID, Scope: strings.Join(c.Scopes, " ")}
	if c.UserID != "" {
		v.ConsentType, v.PrincipalID = "Principal", &c.UserID
	}
	return v
}

// values implements filterable.
func (c *Consent) values(property string) (values []string, collection, ok bool) {
	one := func(v string) ([]string, bool, bool) { return []string{v}, false, true }
	switch property {
	case "id":
		return one(c.ID)
	case "clientid":
		return one(c.ClientID)
	case "resourceid":
		return one(c.ResourceID)
	case "principalid":
		return one(c.UserID)
	case "consenttype":
		return one(viewConsent(c).ConsentType)
	}
	return nil, false, false
}

type graphConsentBody struct {
	ClientID    string  `json:"clientId"`
	ConsentType string  `json:"consentType"`
	PrincipalID *string `json:"principalId"`
	ResourceID  string  `json:"resourceId"`
	Scope       *string `json:"scope"`
}

// consents are the grants of the tenant whose client and API are there.
func (s *Service) consents(ctx context.Context, tenantID string) ([]Consent, error) {
	all, err := allRows(ctx, s, tenantID, keyConsent, consentCodec)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for _, c := range all {
		there := true
		for _, id := range []string{c.ClientID, c.ResourceID} {
			sp, err := s.PrincipalByObjectID(ctx, tenantID, id)
			if err != nil {
				return nil, err
			}
			there = there && sp != nil
		}
		if there {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Consent) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

func (s *Service) consentPage(r *wire.Request, all []Consent) (any, error) {
	page, err := newPager(r, "oauth2PermissionGrants")
	if err != nil {
		return nil, err
	}
	for i := range all {
		if more, err := page.add(all[i].ID, viewConsent(&all[i]), &all[i]); err != nil {
			return nil, err
		} else if !more {
			break
		}
	}
	return page.answer(), nil
}

func (s *Service) graphListConsents(ctx context.Context, r *wire.Request) (any, error) {
	all, err := s.consents(ctx, r.Principal.TenantID)
	if err != nil {
		return nil, err
	}
	return s.consentPage(r, all)
}

// graphListConsentsOf lists those of one client.
func (s *Service) graphListConsentsOf(ctx context.Context, r *wire.Request) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err := s.consents(ctx, sp.TenantID)
	if err != nil {
		return nil, err
	}
	return s.consentPage(r, slices.DeleteFunc(all, func(c Consent) bool { return c.ClientID != sp.ObjectID }))
}

func (s *Service) graphConsentOf(ctx context.Context, r *wire.Request) (*Consent, error) {
	all, err := s.consents(ctx, r.Principal.TenantID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(c Consent) bool { return strings.EqualFold(c.ID, r.Param("id")) })
	if i < 0 {
		return nil, notFound("permission grant", r.Param("id"))
	}
	r.Resource = "permission grant " + all[i].ID
	return &all[i], nil
}

func (s *Service) graphGetConsent(ctx context.Context, r *wire.Request) (any, error) {
	c, err := s.graphConsentOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return entityAnswer(r, "oauth2PermissionGrants", viewConsent(c))
}

func (s *Service) graphCreateConsent(ctx context.Context, r *wire.Request, in *graphConsentBody) (any, error) {
	c := Consent{ClientID: in.ClientID, ResourceID: in.ResourceID}
	switch {
	case in.ConsentType == "Principal" && in.PrincipalID != nil && *in.PrincipalID != "":
		c.UserID = *in.PrincipalID
	case in.ConsentType == "AllPrincipals" && (in.PrincipalID == nil || *in.PrincipalID == ""):
	default:
		return nil, badRequest("consentType", "Property 'consentType' must be 'AllPrincipals', or 'Principal' with a 'principalId'.")
	}
	if in.Scope == nil {
		return nil, badRequest("scope", "A value is required for property 'scope' of resource 'OAuth2PermissionGrant'.")
	}
	made, err := s.putConsent(ctx, r.Principal.TenantID, c, func(have *Consent) error {
		if have.Scopes != nil {
			return fault.New(fault.Conflict, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists.")
		}
		have.Scopes = append([]string{}, strings.Fields(*in.Scope)...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.Resource = "permission grant " + made.ID
	out, err := entityAnswer(r, "oauth2PermissionGrants", viewConsent(made))
	if err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

func (s *Service) graphPatchConsent(ctx context.Context, r *wire.Request, in *graphConsentBody) (any, error) {
	c, err := s.graphConsentOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if in.Scope == nil {
		return nil, badRequest("scope", "Only the property 'scope' can be changed.")
	}
	_, err = s.putConsent(ctx, r.Principal.TenantID, *c, func(have *Consent) error {
		have.Scopes = append([]string{}, strings.Fields(*in.Scope)...)
		return nil
	})
	return nil, err
}

func (s *Service) graphDeleteConsent(ctx context.Context, r *wire.Request) (any, error) {
	c, err := s.graphConsentOf(ctx, r)
	if err != nil {
		return nil, err
	}
	key := []byte(consentKey(c))
	_, err = s.Store.Update(ctx, tenantShard(r.Principal.TenantID), func(tx store.Tx) error { return tx.Delete(key) })
	if err != nil {
		return nil, fmt.Errorf("delete permission grant: %w", err)
	}
	return nil, nil
}
