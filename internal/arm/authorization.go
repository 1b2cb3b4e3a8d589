package arm

import (
	"context"
	"encoding/json"
	"slices"
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
	root := c.run.judged.root
	role := p.role(root, defID[strings.LastIndexByte(defID, '/')+1:])
	if role == nil {
		return fault.New(fault.NotFound, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", clip(defID))
	}
	if group, ok := managementGroupOf(c.scopeOf()); ok && !root.hasGroup(group) {
		return noManagementGroup(group)
	}
	if role.Key != "" && !root.customRole(role.ID).assignableAt(root, c.scopeOf()) {
		return fault.New(fault.Invalid, "RoleDefinitionNotAssignableAtScope", "The role '%s' can't be assigned at '%s': it is not within its assignable scopes.", role.Name, c.scopeShown())
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
		ID: c.ID.String(), Name: c.ID.Name(), Scope: c.scopeShown(), RoleID: role.ID, RoleKey: role.Key, PrincipalID: principal, PrincipalType: principalType(kind),
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
		named, same := strings.EqualFold(o.Name, a.Name), o.PrincipalID == a.PrincipalID && o.RoleID == a.RoleID && o.RoleKey == a.RoleKey
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
	f, err := scopeFilter(c.Query("$filter"), "principalid")
	if err != nil {
		return nil, err
	}
	var out []*Resource
	policies := []*policy{c.run.judged.own}
	if c.run.judged.root != c.run.judged.own {
		policies = append(policies, c.run.judged.root)
	}
	for _, pol := range policies {
		for i := range pol.assignments {
			a := &pol.assignments[i]
			if c.run.listed(c, f, a.Scope) && (f.principal == "" || a.PrincipalID == f.principal) {
				out = append(out, a.resource(c))
			}
		}
	}
	return out, nil
}

// listed tells whether what hangs on scope is in the list a call asks for.
func (u *run) listed(c *Call, f listFilter, scope string) bool {
	at, here := strings.ToLower(scope), c.scopeOf()
	if rbac.Within(here, at) || !f.atScope && rbac.Within(at, here) {
		return true
	}
	root := u.judged.root
	if slices.Contains(root.above(here), at) {
		return true
	}
	return !f.atScope && slices.Contains(root.above(at), here)
}

// listFilter is what the $filter of assignments, definitions and denials may say.
type listFilter struct {
	atScope   bool
	principal string // lower case
	name      string
	kind      string // of role definitions, lower case
}

// scopeFilter reads a filter: terms joined by "and". names are the properties that may be compared, in lower case.
func scopeFilter(text string, names ...string) (f listFilter, err error) {
	for _, part := range strings.Split(text, " and ") {
		part = strings.TrimSpace(part)
		name, value, _ := strings.Cut(part, " eq ")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), "'")
		arg, isCall := strings.CutPrefix(part, "assignedTo('")
		switch {
		case part == "", strings.EqualFold(part, "atScopeAndBelow()"):
		case strings.EqualFold(part, "atScope()"):
			f.atScope = true
		case isCall && slices.Contains(names, "principalid"):
			f.principal = strings.ToLower(strings.TrimSuffix(arg, "')"))
		case !slices.Contains(names, name):
			return f, badFilter(part)
		case name == "principalid":
			f.principal = strings.ToLower(value)
		case name == "type":
			f.kind = strings.ToLower(value)
		default:
			f.name = value
		}
	}
	return f, nil
}

func badFilter(part string) error {
	return fault.New(fault.Invalid, "InvalidFilterInQueryString", "Invalid $filter: '%s' is not supported here.", clip(part))
}
