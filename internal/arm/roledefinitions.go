package arm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Bounds of custom roles, as Azure documents them.
const (
	maxCustomRoles = 5000 // of a tenant
	maxRoleScopes  = 2000
	maxRoleName    = 512
	maxRoleText    = 2048
	maxPatterns    = 2048 // of one role
)

// roleDefinitionType shows the built-in roles and keeps a tenant's custom ones. Those live in the tenant's shard: the role is one, whatever the scope it was
// made at. What the caller may do is read right before the transaction, since assignments live elsewhere.
func (p *Pipeline) roleDefinitionType() Type {
	return Type{
		Name: typeDefinition, Scope: AtAnyScope, Untracked: true, Versions: authorizationVersions, inTenant: true, OnUpdate: http.StatusCreated, // their clients take no other
		Put:    p.putRole,
		Delete: p.deleteRole,
		Commit: func(tx store.Tx, c *Call) error {
			if err := tx.Put(roleKey(c.ID.Name()), c.Prepared.([]byte)); err != nil {
				return err
			}
			return bumpVersion(tx)
		},
		CommitDelete: func(tx store.Tx, c *Call) error {
			if err := tx.Delete(roleKey(c.ID.Name())); err != nil {
				return err
			}
			return bumpVersion(tx)
		},
		Get: func(_ context.Context, c *Call) (*Resource, error) {
			if r := p.roles.ByID(c.ID.Name()); r != nil {
				return showBuiltIn(c, r), nil
			}
			if r := c.run.judged.root.customRole(c.ID.Name()); r != nil {
				return r.resource(c), nil
			}
			return nil, nil
		},
		List: p.listRoles,
	}
}

func roleKey(id string) []byte { return []byte(tagRole + strings.ToLower(id)) }

func roleID(c *Call, id string) string {
	if c.ID.Subscription == "" {
		return "/providers/" + typeDefinition + "/" + id
	}
	return "/subscriptions/" + c.ID.Subscription + "/providers/" + typeDefinition + "/" + id
}

func showBuiltIn(c *Call, r *rbac.Role) *Resource {
	return &Resource{ID: roleID(c, r.ID), Name: r.ID, Type: typeDefinition, Properties: raw(map[string]any{
		"roleName": r.Name, "type": "BuiltInRole", "description": r.Description, "assignableScopes": []string{"/"}, "permissions": r.Permissions,
	})}
}

func (r *customRole) resource(c *Call) *Resource {
	return &Resource{ID: roleID(c, r.ID), Name: r.ID, Type: typeDefinition, Created: r.Created, Properties: r.properties()}
}

func (r *customRole) properties() json.RawMessage {
	return raw(map[string]any{
		"roleName": r.Name, "type": "CustomRole", "description": r.Description, "assignableScopes": r.Scopes, "permissions": r.Permissions,
		"createdOn": stamp(r.Created), "updatedOn": stamp(r.Updated), "createdBy": r.CreatedBy, "updatedBy": r.By,
	})
}

// role finds a role by id among the built-in ones and the tenant's own.
func (p *Pipeline) role(root *policy, id string) *rbac.Role {
	if r := p.roles.ByID(id); r != nil {
		return r
	}
	return root.custom[strings.ToLower(id)]
}

func (p *policy) customRole(id string) *customRole {
	for i := range p.roles {
		if strings.EqualFold(p.roles[i].ID, id) {
			return &p.roles[i]
		}
	}
	return nil
}

// assignableAt tells whether the role may be assigned at a folded scope.
func (r *customRole) assignableAt(root *policy, scope string) bool {
	above := root.above(scope)
	return slices.ContainsFunc(r.Scopes, func(s string) bool {
		s = strings.ToLower(s)
		return rbac.Within(scope, s) || slices.Contains(above, s)
	})
}

// listRoles answers the built-in roles and the custom ones that are assignable at the scope or, unless the filter says atScope(), below it.
func (p *Pipeline) listRoles(_ context.Context, c *Call) ([]*Resource, error) {
	f, err := scopeFilter(c.Query("$filter"), "rolename", "type")
	if err != nil {
		return nil, err
	}
	named := func(name string) bool { return f.name == "" || strings.EqualFold(name, f.name) }
	var out []*Resource
	for _, r := range p.roles.All() {
		if named(r.Name) && f.kind != "customrole" {
			out = append(out, showBuiltIn(c, r))
		}
	}
	root := c.run.judged.root
	for i := range root.roles {
		r := &root.roles[i]
		if named(r.Name) && f.kind != "builtinrole" && slices.ContainsFunc(r.Scopes, func(s string) bool { return c.run.listed(c, f, s) }) {
			out = append(out, r.resource(c))
		}
	}
	return out, nil
}

// putRole makes or changes a custom role. The caller needs the right to at each of its assignable scopes, those it had included.
func (p *Pipeline) putRole(ctx context.Context, c *Call) error {
	id := strings.ToLower(c.ID.Name())
	root := c.run.judged.root
	switch {
	case !ids.IsGUID(id):
		return fault.New(fault.Invalid, "InvalidRoleDefinitionId", "The role definition ID '%s' is not valid. The role definition ID must be a GUID.", clip(c.ID.Name()))
	case p.roles.ByID(id) != nil:
		return fault.New(fault.Conflict, "RoleDefinitionUpdateNotPermitted", "The built-in role '%s' can't be changed.", id)
	}
	now := p.deps.Clock.Now()
	r := customRole{ID: id, Key: ids.New(), Created: now, CreatedBy: c.Principal.ObjectID}
	if old := root.customRole(id); old != nil {
		r.Key, r.Created, r.CreatedBy = old.Key, old.Created, old.CreatedBy
		if err := p.mayDefine(ctx, c, "write", old.Scopes); err != nil {
			return err
		}
	} else if len(root.roles) >= maxCustomRoles {
		return fault.New(fault.Conflict, "RoleDefinitionLimitExceeded", "The tenant has %d custom roles; there can be no more.", maxCustomRoles)
	}
	r.Updated, r.By = now, c.Principal.ObjectID
	if err := p.readRole(c, &r); err != nil {
		return err
	}
	if err := p.mayDefine(ctx, c, "write", r.Scopes); err != nil {
		return err
	}
	taken := slices.ContainsFunc(p.roles.All(), func(o *rbac.Role) bool { return strings.EqualFold(o.Name, r.Name) }) ||
		slices.ContainsFunc(root.roles, func(o customRole) bool { return o.ID != id && strings.EqualFold(o.Name, r.Name) })
	if taken {
		return fault.New(fault.Conflict, "RoleDefinitionWithSameNameExists", "A custom role with the same name '%s' already exists in this directory. Use a different name.", r.Name)
	}
	row, err := roleCodec.Encode(r)
	c.Prepared = row
	shown := r.resource(c)
	c.New.ID, c.New.Name, c.New.Properties, c.New.ETag = shown.ID, shown.Name, shown.Properties, ""
	return err
}

// readRole fills the role from the body.
func (p *Pipeline) readRole(c *Call, r *customRole) error {
	props := c.Body.Object("properties")
	if props == nil {
		props = c.Body
	}
	r.Name, r.Description = strings.TrimSpace(props.String("roleName")), props.String("description")
	if kind := props.String("type"); kind != "" && !strings.EqualFold(kind, "CustomRole") {
		return fault.New(fault.Invalid, "InvalidRoleDefinitionType", "The type '%s' is not valid: only roles of the type CustomRole can be written.", clip(kind))
	}
	if r.Name == "" || len(r.Name) > maxRoleName || len(r.Description) > maxRoleText {
		return fault.New(fault.Invalid, "InvalidRoleDefinitionName", "A role needs a roleName of 1 to %d characters and a description of at most %d.", maxRoleName, maxRoleText)
	}
	if err := props.Decode("permissions", &r.Permissions); err != nil {
		return err
	}
	if err := checkPermissions(r.Permissions); err != nil {
		return err
	}
	var scopes []string
	if err := props.Decode("assignableScopes", &scopes); err != nil {
		return err
	}
	if len(scopes) == 0 || len(scopes) > maxRoleScopes {
		return fault.New(fault.Invalid, "InvalidAssignableScopes", "A custom role needs 1 to %d assignableScopes.", maxRoleScopes)
	}
	groups := 0
	for _, s := range scopes {
		id, err := ParseID(s)
		if err != nil {
			return err
		}
		id = p.canonical(id)
		if group, ok := managementGroupOf(id.Fold()); ok && id.Fold() == managementGroupFold+group {
			groups++
		} else if id.Subscription == "" || id.Namespace != "" {
			return fault.New(fault.Invalid, "InvalidAssignableScopes", "The assignable scope '%s' is not a subscription, a resource group or a management group.", clip(s))
		}
		if shown := id.String(); !slices.ContainsFunc(r.Scopes, func(o string) bool { return strings.EqualFold(o, shown) }) {
			r.Scopes = append(r.Scopes, shown)
		}
	}
	if groups > 1 {
		return fault.New(fault.Invalid, "InvalidAssignableScopes", "A custom role may name one management group among its assignable scopes, not %d.", groups)
	}
	return nil
}

func checkPermissions(ps []rbac.Permission) error {
	if len(ps) == 0 {
		return fault.New(fault.Invalid, "InvalidRoleDefinition", "A role needs permissions.")
	}
	total := 0
	for i := range ps {
		for _, list := range []*[]string{&ps[i].Actions, &ps[i].NotActions, &ps[i].DataActions, &ps[i].NotDataActions} {
			if *list == nil {
				*list = []string{}
			}
			total += len(*list)
			for _, a := range *list {
				if a != "*" && !strings.Contains(a, "/") || len(a) > maxID || strings.ContainsAny(a, " \t\r\n\\{}") {
					return fault.New(fault.Invalid, "InvalidActionOrNotAction", "'%s' does not match the pattern of an operation: {namespace}/{type}/{verb}, with * for any part.", clip(a))
				}
			}
		}
	}
	if total == 0 || total > maxPatterns {
		return fault.New(fault.Invalid, "InvalidRoleDefinition", "The permissions of a role name 1 to %d operations.", maxPatterns)
	}
	return nil
}

// mayDefine makes sure that the scopes are of the tenant and that the caller may write or delete role definitions at each.
func (p *Pipeline) mayDefine(ctx context.Context, c *Call, verb string, scopes []string) error {
	for _, s := range scopes {
		folded := strings.ToLower(s)
		if group, ok := managementGroupOf(folded); ok && !c.run.judged.root.hasGroup(group) {
			return noManagementGroup(group)
		}
		if sub, ok := subscriptionOf(folded); ok {
			pol, err := p.policies.Get(ctx, "sub/"+sub, "sub/"+sub)
			if err != nil {
				return err
			}
			if pol.tenantID != "" && !strings.EqualFold(pol.tenantID, c.TenantID) {
				return fault.New(fault.Invalid, "InvalidAssignableScopes", "The assignable scope '%s' is of another tenant.", s)
			}
		}
		if err := p.linked(ctx, c.Request, typeDefinition+"/"+verb, s); err != nil {
			return err
		}
	}
	return nil
}

// deleteRole refuses to delete what is built in or assigned. An assignment that is made at the same time means nothing afterwards: it names the role by its
// key, which no later role has.
func (p *Pipeline) deleteRole(ctx context.Context, c *Call) error {
	r := c.run.judged.root.customRole(c.ID.Name())
	if r == nil {
		return fault.New(fault.Conflict, "RoleDefinitionCannotBeDeleted", "The built-in role '%s' can't be deleted.", c.ID.Name())
	}
	if err := p.mayDefine(ctx, c, "delete", r.Scopes); err != nil {
		return err
	}
	used := ""
	note := func(pol *policy) {
		for i := range pol.assignments {
			if a := &pol.assignments[i]; a.RoleKey == r.Key {
				used = a.ID
			}
		}
	}
	note(c.run.judged.root)
	err := p.eachSubscription(ctx, func(shard string) error {
		pol, err := p.policies.Get(ctx, shard, shard)
		if err == nil && strings.EqualFold(pol.tenantID, c.TenantID) {
			note(pol)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look for assignments of role %s: %w", r.ID, err)
	}
	if used != "" {
		return fault.New(fault.Invalid, "RoleDefinitionHasAssignments", "There are existing role assignments referencing role '%s', such as '%s'. Remove them first.", r.Name, used)
	}
	return nil
}
