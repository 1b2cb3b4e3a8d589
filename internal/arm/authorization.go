package arm

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	typeAssignment = "Microsoft.Authorization/roleAssignments"
	typeDefinition = "Microsoft.Authorization/roleDefinitions"
	typeDenial     = "Microsoft.Authorization/denyAssignments"
	typeLock       = "Microsoft.Authorization/locks"
)

var authorizationVersions = []string{
	"2014-10-01-preview", "2015-05-01-preview", "2015-06-01", "2015-07-01", "2017-10-01-preview", "2018-01-01-preview", "2018-07-01-preview", "2018-09-01-preview",
	"2020-03-01-preview", "2020-04-01-preview", "2020-08-01-preview", "2020-10-01-preview", "2021-04-01-preview", "2022-04-01",
}

// roleAssignmentType gives principals roles at scopes. A principal may live in another tenant than the subscription.
func (p *Pipeline) roleAssignmentType() Type {
	return Type{
		Name: typeAssignment, Scope: AtAnyScope, Untracked: true, Versions: authorizationVersions,
		Put: p.putAssignment,
		Commit: func(tx store.Tx, c *Call) error {
			if err := tx.Put(scopedKey(tagAssignment, c.scopeOf(), c.ID.Name()), c.Prepared.([]byte)); err != nil {
				return err
			}
			return bumpVersion(tx)
		},
		CommitDelete: func(tx store.Tx, c *Call) error {
			if err := tx.Delete(scopedKey(tagAssignment, c.scopeOf(), c.ID.Name())); err != nil {
				return err
			}
			return bumpVersion(tx)
		},
		Get: func(_ context.Context, c *Call) (*Resource, error) {
			for _, a := range c.run.judged.own.assignments {
				if strings.EqualFold(a.Name, c.ID.Name()) && strings.EqualFold(a.Scope, c.scopeShown()) {
					return a.resource(c), nil
				}
			}
			return nil, nil
		},
		List: p.listAssignments,
	}
}

// scopeShown is the canonical scope an extension call is about, scopeOf its folded form.
func (c *Call) scopeShown() string {
	if c.ID.Scope == "" {
		return "/"
	}
	return c.ID.Scope
}

func (c *Call) scopeOf() string { return strings.ToLower(c.scopeShown()) }

func (p *Pipeline) putAssignment(ctx context.Context, c *Call) error {
	if c.ID.Subscription == "" {
		return fault.New(fault.NotImplemented, "NotImplemented", "Role assignments at the tenant's root scope can't be written through the API of this platform; assign at a subscription or below.")
	}
	if !ids.IsGUID(c.ID.Name()) {
		return fault.New(fault.Invalid, "InvalidRoleAssignmentId", "The role assignment ID '%s' is not valid. The role assignment ID must be a GUID.", clip(c.ID.Name()))
	}
	props := c.Body.Object("properties")
	if props == nil {
		props = c.Body
	}
	if props.String("condition") != "" {
		return fault.New(fault.NotImplemented, "NotImplemented", "Conditions on role assignments are not implemented by this platform.")
	}
	defID := props.String("roleDefinitionId")
	role := p.roles.ByID(defID[strings.LastIndexByte(defID, '/')+1:])
	if role == nil {
		return fault.New(fault.NotFound, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", clip(defID))
	}
	principal := strings.ToLower(props.String("principalId"))
	if !ids.IsGUID(principal) {
		return fault.New(fault.Invalid, "InvalidPrincipalId", "A valid principal ID must be provided for role assignment; '%s' is not a GUID.", clip(principal))
	}
	tenant, kind, ok, err := p.deps.Directory.FindPrincipal(ctx, principal)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Invalid, "PrincipalNotFound", "Principal %s does not exist in the directory of any tenant of this platform. Check that you have the correct principal ID.", principal)
	}
	now := p.deps.Clock.Now()
	a := assignment{
		ID: c.ID.String(), Name: c.ID.Name(), Scope: c.scopeShown(), RoleID: role.ID, PrincipalID: principal, PrincipalType: principalType(kind),
		PrincipalTenant: tenant, Description: props.String("description"), Created: now, Updated: now, By: c.Principal.ObjectID,
	}
	if c.Old != nil {
		a.Created = c.Old.Created
	}
	if sent := props.String("principalType"); sent != "" && !strings.EqualFold(sent, a.PrincipalType) {
		return fault.New(fault.Invalid, "UnmatchedPrincipalType", "The PrincipalId '%s' has type '%s', which is different from specified PrincipalType '%s'.", principal, a.PrincipalType, clip(sent))
	}
	if err := a.taken(c.run.judged.own.assignments); err != nil {
		return err
	}
	row, err := assignmentCodec.Encode(a)
	c.Prepared = row
	c.New.Properties, c.New.ETag = a.properties(), ""
	return err
}

// principalType is how Azure's RBAC names a kind of principal: it makes no difference between applications and managed identities.
func principalType(k authn.Kind) string {
	if k == authn.ManagedIdentity {
		return string(authn.ServicePrincipal)
	}
	return string(k)
}

// taken refuses a second assignment of the same role to the same principal at the same scope, and a name in use with other content. The transaction makes
// sure that those it was compared with are still all there are.
func (a *assignment) taken(all []assignment) error {
	for i := range all {
		o := &all[i]
		if !strings.EqualFold(o.Scope, a.Scope) {
			continue
		}
		named, same := strings.EqualFold(o.Name, a.Name), o.PrincipalID == a.PrincipalID && o.RoleID == a.RoleID
		switch {
		case named && !same:
			return fault.New(fault.Conflict, "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
		case same && !named:
			return fault.New(fault.Conflict, "RoleAssignmentExists", "The role assignment already exists. The ID of the conflicting role assignment is %s.", o.Name)
		}
	}
	return nil
}

func (a *assignment) properties() json.RawMessage {
	sub, ok := subscriptionOf(strings.ToLower(a.Scope))
	def := "/providers/" + typeDefinition + "/" + a.RoleID
	if ok {
		def = "/subscriptions/" + sub + def
	}
	return raw(map[string]any{
		"roleDefinitionId": def, "principalId": a.PrincipalID, "principalType": a.PrincipalType, "scope": a.Scope,
		"createdOn": stamp(a.Created), "updatedOn": stamp(a.Updated), "createdBy": a.By, "updatedBy": a.By, "description": a.Description,
	})
}

func (a *assignment) resource(*Call) *Resource {
	return &Resource{ID: a.ID, Name: a.Name, Type: typeAssignment, Properties: a.properties(), Created: a.Created}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// listAssignments answers those at the scope, above it and, unless the filter says atScope(), below it.
func (p *Pipeline) listAssignments(_ context.Context, c *Call) ([]*Resource, error) {
	f, err := scopeFilter(c.Query("$filter"))
	if err != nil {
		return nil, err
	}
	scope := c.scopeOf()
	var out []*Resource
	policies := []*policy{c.run.judged.own}
	if c.run.judged.root != c.run.judged.own {
		policies = append(policies, c.run.judged.root)
	}
	for _, pol := range policies {
		for i := range pol.assignments {
			a := &pol.assignments[i]
			at := strings.ToLower(a.Scope)
			if !rbac.Within(scope, at) && (f.atScope || !rbac.Within(at, scope)) || f.principal != "" && a.PrincipalID != f.principal {
				continue
			}
			out = append(out, a.resource(c))
		}
	}
	return out, nil
}

// listFilter is what the $filter of assignments may say.
type listFilter struct {
	atScope   bool
	principal string
	roleName  string
}

func scopeFilter(text string) (f listFilter, err error) {
	for _, part := range strings.Split(text, " and ") {
		part = strings.TrimSpace(part)
		name, value, _ := strings.Cut(part, " eq ")
		value = strings.ToLower(strings.Trim(strings.TrimSpace(value), "'"))
		arg, isCall := strings.CutPrefix(part, "assignedTo('")
		switch {
		case part == "":
		case strings.EqualFold(part, "atScope()"):
			f.atScope = true
		case isCall:
			f.principal = strings.ToLower(strings.TrimSuffix(arg, "')"))
		case strings.EqualFold(name, "principalId"):
			f.principal = value
		case strings.EqualFold(name, "roleName"):
			f.roleName = value
		case strings.EqualFold(name, "type") && value == "builtinrole":
		default:
			return f, badFilter(part)
		}
	}
	return f, nil
}

func badFilter(part string) error {
	return fault.New(fault.Invalid, "InvalidFilterInQueryString", "Invalid $filter: '%s' is not supported here.", clip(part))
}

// roleDefinitionType shows the built-in roles.
func (p *Pipeline) roleDefinitionType() Type {
	show := func(c *Call, r *rbac.Role) *Resource {
		prefix := ""
		if c.ID.Subscription != "" {
			prefix = "/subscriptions/" + c.ID.Subscription
		}
		return &Resource{
			ID: prefix + "/providers/" + typeDefinition + "/" + r.ID, Name: r.ID, Type: typeDefinition,
			Properties: raw(map[string]any{
				"roleName": r.Name, "type": "BuiltInRole", "description": r.Description, "assignableScopes": []string{"/"}, "permissions": r.Permissions,
			}),
		}
	}
	return Type{
		Name: typeDefinition, Scope: AtAnyScope, Untracked: true, Versions: authorizationVersions,
		Put: func(context.Context, *Call) error {
			return fault.New(fault.NotImplemented, "NotImplemented", "Custom role definitions are not implemented by this platform yet; use a built-in role.")
		},
		Delete: func(context.Context, *Call) error {
			return fault.New(fault.Conflict, "RoleDefinitionCannotBeDeleted", "A built-in role can't be deleted.")
		},
		Get: func(_ context.Context, c *Call) (*Resource, error) {
			if r := p.roles.ByID(c.ID.Name()); r != nil {
				return show(c, r), nil
			}
			return nil, nil
		},
		List: func(_ context.Context, c *Call) ([]*Resource, error) {
			f, err := scopeFilter(c.Query("$filter"))
			if err != nil {
				return nil, err
			}
			var out []*Resource
			for _, r := range p.roles.All() {
				if f.roleName == "" || strings.EqualFold(r.Name, f.roleName) {
					out = append(out, show(c, r))
				}
			}
			return out, nil
		},
	}
}
