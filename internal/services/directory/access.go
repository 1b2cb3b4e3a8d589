package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// noRole is the role id of an assignment without a role.
const noRole = "00000000-0000-0000-0000-000000000000"

// FederatedCredentials are the foreign issuers an application accepts instead of a credential of its own. Shared: read only.
func (s *Service) FederatedCredentials(_ context.Context, app *Application) ([]Federated, error) {
	return app.Federated, nil
}

// RoleValues returns the values ("roles" in tokens) of the roles that the principal has on the application behind the service principal resourceID of the
// same tenant: its own, and those of groups it is a direct member of. assigned tells whether there is any assignment, also one without a role.
func (s *Service) RoleValues(ctx context.Context, tenantID, principalID, resourceID string) (values []string, assigned bool, err error) {
	resource, err := s.PrincipalByObjectID(ctx, tenantID, resourceID)
	if err != nil || resource == nil || resource.AppTenantID == "" {
		return nil, false, err
	}
	app, err := s.appAt(ctx, resource.AppTenantID, keyAppID+resource.AppID)
	if err != nil || app == nil {
		return nil, false, err
	}
	holders, err := s.at(ctx, tenantID, keyMember+strings.ToLower(principalID)) // the principal and its groups
	if err != nil {
		return nil, false, err
	}
	for _, holder := range append([]string{strings.ToLower(principalID)}, holders.groups...) {
		have, err := s.at(ctx, tenantID, keyRole+holder)
		if err != nil {
			return nil, false, err
		}
		for _, a := range have.roles {
			if !strings.EqualFold(a.ResourceID, resourceID) {
				continue
			}
			assigned = true
			i := slices.IndexFunc(app.Roles, func(r AppRole) bool { return r.ID == a.RoleID })
			if i >= 0 && !app.Roles[i].Disabled && app.Roles[i].Value != "" && !slices.Contains(values, app.Roles[i].Value) {
				values = append(values, app.Roles[i].Value)
			}
		}
	}
	slices.Sort(values)
	return values, assigned, nil
}

// Consented returns the scopes of the API resourceID that the client may have in the user's name: those of all users of the tenant and the user's own.
// Both ids are of service principals in the tenant.
func (s *Service) Consented(ctx context.Context, tenantID, clientID, resourceID, userID string) ([]string, error) {
	if !ids.IsGUID(clientID) {
		return nil, nil
	}
	r, err := s.at(ctx, tenantID, keyConsent+strings.ToLower(clientID))
	if err != nil {
		return nil, err
	}
	var scopes []string
	for _, c := range r.consents {
		if !strings.EqualFold(c.ResourceID, resourceID) || c.UserID != "" && !strings.EqualFold(c.UserID, userID) {
			continue
		}
		for _, scope := range c.Scopes {
			if !slices.Contains(scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	return scopes, nil
}

// GrantConsent adds scopes to what the client may have of the API in the user's name (UserID "": all users'). ID and Created are set here.
func (s *Service) GrantConsent(ctx context.Context, tenantID string, c Consent) (*Consent, error) {
	return s.putConsent(ctx, tenantID, c, func(have *Consent) error {
		for _, scope := range c.Scopes {
			if !slices.Contains(have.Scopes, scope) {
				have.Scopes = append(have.Scopes, scope)
			}
		}
		return nil
	})
}

// putConsent lets merge change the consent of that client, API and user, a new one if there is none.
func (s *Service) putConsent(ctx context.Context, tenantID string, c Consent, merge func(*Consent) error) (*Consent, error) {
	tenantID, c.ClientID, c.ResourceID, c.UserID = strings.ToLower(tenantID), strings.ToLower(c.ClientID), strings.ToLower(c.ResourceID), strings.ToLower(c.UserID)
	for _, id := range []string{c.ClientID, c.ResourceID} {
		sp, err := s.PrincipalByObjectID(ctx, tenantID, id)
		if err != nil {
			return nil, err
		}
		if sp == nil {
			return nil, notFound("service principal", id)
		}
	}
	if c.UserID != "" {
		u, err := s.FindUser(ctx, tenantID, c.UserID)
		if err != nil {
			return nil, err
		}
		if u == nil {
			return nil, notFound("user", c.UserID)
		}
	}
	var changed Consent
	key := consentKey(&c)
	err := retry(ctx, func() error {
		have, expect, err := readOne(ctx, s, tenantID, consentCodec, keyConsent, key[len(keyConsent):])
		if err != nil {
			return err
		}
		changed = c
		changed.ID, changed.Created, changed.Scopes = ids.New(), s.Clock.Now(), nil
		if have != nil {
			changed = *have
			changed.Scopes = slices.Clone(have.Scopes)
		}
		if err := merge(&changed); err != nil {
			return err
		}
		value, err := consentCodec.Encode(changed)
		if err != nil {
			return fmt.Errorf("encode consent: %w", err)
		}
		return s.commit(ctx, tenantID, change{extra: []write{{key: key, value: value}}, expect: expect})
	})
	if err != nil {
		return nil, err
	}
	return &changed, nil
}

func consentKey(c *Consent) string {
	user := c.UserID
	if user == "" {
		user = "*"
	}
	return keyConsent + c.ClientID + "|" + c.ResourceID + "|" + user
}

func roleKey(a *RoleAssignment) string {
	return keyRole + a.PrincipalID + "|" + a.ResourceID + "|" + a.RoleID
}

// scanRows decodes the rows under a prefix.
func scanRows[T any](snap store.Snapshot, codec store.Codec[T], prefix string) ([]T, error) {
	var out []T
	var failed error
	err := snap.Scan(store.Prefix([]byte(prefix)), func(_, value []byte) bool {
		var v T
		if v, failed = codec.Decode(value); failed != nil {
			return false
		}
		out = append(out, v)
		return true
	})
	if err == nil {
		err = failed
	}
	return out, err
}

// loadDirectGroups are the groups that are there and have the object as a direct member.
func loadDirectGroups(snap store.Snapshot, objectID string) ([]string, error) {
	var out []string
	prefix := memberKey(keyMemberOf, objectID, "")
	err := snap.Scan(store.Prefix([]byte(prefix)), func(key, _ []byte) bool {
		out = append(out, string(key[len(prefix):]))
		return true
	})
	if err != nil {
		return nil, err
	}
	var failed error
	out = slices.DeleteFunc(out, func(id string) bool {
		b, err := snap.Get([]byte(keyGroup + id))
		if err != nil {
			failed = err
		}
		return b == nil
	})
	return out, failed
}
