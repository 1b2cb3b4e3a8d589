package cosmos

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Principals finds out whether an object id is that of somebody.
type Principals interface {
	FindPrincipal(ctx context.Context, objectID string) (tenantID string, kind authn.Kind, ok bool, err error)
}

// assignmentProperties is an assignment on the wire.
type assignmentProperties struct {
	Role      string `json:"roleDefinitionId"`
	Scope     string `json:"scope"`
	Principal string `json:"principalId"`
}

func (g *sqlGrant) resource(account *arm.Resource) (*arm.Resource, error) {
	raw, err := json.Marshal(assignmentProperties{account.ID + "/sqlRoleDefinitions/" + g.Role, fullScope(account.ID, g.Scope), g.Principal})
	return &arm.Resource{ID: account.ID + "/sqlRoleAssignments/" + g.ID, Name: g.ID, Type: assignmentType, Properties: raw}, err
}

// assignmentsType is Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments.
func (s *Service) assignmentsType() arm.Type {
	return arm.Type{
		Name: assignmentType, Versions: roleVersions(), Untracked: true, OnCreate: http.StatusOK,
		Put: s.putAssignment,
		Commit: func(tx store.Tx, c *arm.Call) error {
			p := c.Prepared.(*preparedGrant)
			// The role may have gone since it was looked at.
			r, err := getRole(tx, p.guid, p.grant.Role)
			if err != nil {
				return err
			}
			if r == nil {
				return errNoRole(p.grant.Role)
			}
			return tx.Put(grantKey(p.guid, p.grant.ID), p.row)
		},
		Delete: func(ctx context.Context, c *arm.Call) error {
			account, err := s.needAccount(ctx, c)
			if err == nil {
				c.Prepared = account.GUID
			}
			return err
		},
		CommitDelete: func(tx store.Tx, c *arm.Call) error { return tx.Delete(grantKey(c.Prepared.(string), c.ID.Name())) },
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			account, err := s.accountOf(ctx, c)
			if account == nil || err != nil {
				return nil, err
			}
			var g *sqlGrant
			err = s.deps.Store.View(ctx, shardOf(c), func(sn store.Snapshot) error {
				g, err = getRow(sn, grantCodec, grantKey(account.GUID, c.ID.Name()))
				return err
			})
			if g == nil || err != nil {
				return nil, err
			}
			return g.resource(account)
		},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			account, err := s.accountOf(ctx, c)
			if account == nil || err != nil {
				return nil, err
			}
			var all []sqlGrant
			err = s.deps.Store.View(ctx, shardOf(c), func(sn store.Snapshot) error {
				all, err = scanRows(sn, grantCodec, grantsPrefix(account.GUID))
				return err
			})
			if err != nil {
				return nil, err
			}
			return resourcesOf(account, all, (*sqlGrant).resource)
		},
	}
}

type preparedGrant struct {
	guid  string
	grant sqlGrant
	row   []byte
}

func (s *Service) putAssignment(ctx context.Context, c *arm.Call) error {
	account, err := s.needAccount(ctx, c)
	if err != nil {
		return err
	}
	if !ids.IsGUID(c.ID.Name()) {
		return bad("The role assignment ID '%.100s' is invalid: it must be a GUID.", c.ID.Name())
	}
	var in assignmentProperties
	if err := c.Body.Decode("properties", &in); err != nil {
		return err
	}
	g := sqlGrant{ID: strings.ToLower(c.ID.Name()), Principal: strings.ToLower(in.Principal)}
	if g.Role, err = roleIDOf(in.Role); err != nil {
		return err
	}
	if g.Scope, err = parseScope(account.ID, in.Scope); err != nil {
		return err
	}
	if in.Scope == "" {
		return bad("The role assignment needs a scope.")
	}
	if err := s.checkPrincipal(ctx, c, g.Principal); err != nil {
		return err
	}
	var r *sqlRole
	err = s.deps.Store.View(ctx, shardOf(c), func(sn store.Snapshot) error {
		r, err = getRole(sn, account.GUID, g.Role)
		return err
	})
	switch {
	case err != nil:
		return err
	case r == nil:
		return errNoRole(in.Role)
	case !slices.ContainsFunc(r.Scopes, func(of string) bool { return scopeWithin(g.Scope, of) }):
		return bad("The scope '%.300s' of the role assignment is not within the assignable scopes of the role definition '%s'.", in.Scope, r.Name)
	}
	row, err := grantCodec.Encode(g)
	if err != nil {
		return err
	}
	shown, err := g.resource(account)
	if err != nil {
		return err
	}
	c.New.Properties, c.New.ETag = shown.Properties, ""
	c.Prepared = &preparedGrant{account.GUID, g, row}
	return nil
}

// checkPrincipal makes sure that a role goes to somebody of the account's tenant.
func (s *Service) checkPrincipal(ctx context.Context, c *arm.Call, id string) error {
	if !ids.IsGUID(id) {
		return bad("The principalId '%.100s' of the role assignment is not a GUID: it is the object id of a user, group or service principal.", id)
	}
	if s.deps.Principals == nil {
		return nil
	}
	tenant, _, ok, err := s.deps.Principals.FindPrincipal(ctx, id)
	if err != nil {
		return err
	}
	if !ok || !strings.EqualFold(tenant, c.TenantID) {
		return bad("The provided principal ID [%q] was not found in the AAD tenant(s) [%s] which are associated with the customer's subscription.", id, c.TenantID)
	}
	return nil
}
