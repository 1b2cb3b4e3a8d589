package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// graphRole is the assignment of an application's role as Microsoft Graph shows it.
// https://learn.microsoft.com/graph/api/resources/approleassignment
type graphRole struct {
	ID            string  `json:"id"`
	Deleted       *string `json:"deletedDateTime"`
	RoleID        string  `json:"appRoleId"`
	Created       string  `json:"createdDateTime"`
	PrincipalName string  `json:"principalDisplayName"`
	PrincipalID   string  `json:"principalId"`
	PrincipalType string  `json:"principalType"`
	ResourceName  string  `json:"resourceDisplayName"`
	ResourceID    string  `json:"resourceId"`
}

type graphRoleBody struct {
	PrincipalID string `json:"principalId"`
	ResourceID  string `json:"resourceId"`
	RoleID      string `json:"appRoleId"`
}

// values implements filterable.
func (a *RoleAssignment) values(property string) (values []string, collection, ok bool) {
	switch property {
	case "id":
		return []string{a.ID}, false, true
	case "principalid":
		return []string{a.PrincipalID}, false, true
	case "resourceid":
		return []string{a.ResourceID}, false, true
	case "approleid":
		return []string{a.RoleID}, false, true
	}
	return nil, false, false
}

// viewRole shows an assignment; nil if its principal or resource is not there any more.
func (s *Service) viewRole(ctx context.Context, tenantID string, a *RoleAssignment) (*graphRole, error) {
	resource, err := s.PrincipalByObjectID(ctx, tenantID, a.ResourceID)
	if err != nil || resource == nil {
		return nil, err
	}
	kind, err := s.kindOf(ctx, tenantID, a.PrincipalID)
	if err != nil || kind == "" {
		return nil, err
	}
	row, err := s.at(ctx, tenantID, objectKey(kind)+a.PrincipalID)
	if err == nil && kind == KindSP {
		row.sp, err = s.PrincipalByObjectID(ctx, tenantID, a.PrincipalID)
	}
	if err != nil {
		return nil, err
	}
	v := &graphRole{
		ID: a.ID, RoleID: a.RoleID, Created: graphTime(a.Created), PrincipalID: a.PrincipalID, ResourceID: a.ResourceID, ResourceName: resource.DisplayName,
	}
	switch {
	case row.user != nil:
		v.PrincipalType, v.PrincipalName = "User", row.user.DisplayName
	case row.group != nil:
		v.PrincipalType, v.PrincipalName = "Group", row.group.DisplayName
	case row.sp != nil:
		v.PrincipalType, v.PrincipalName = "ServicePrincipal", row.sp.DisplayName
	}
	return v, nil
}

// rolePage answers a list of assignments.
func (s *Service) rolePage(ctx context.Context, r *wire.Request, all []RoleAssignment) (any, error) {
	page, err := newPager(r, "appRoleAssignments")
	if err != nil {
		return nil, err
	}
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b RoleAssignment) int { return strings.Compare(a.ID, b.ID) })
	for i := range all {
		shown, err := s.viewRole(ctx, r.Principal.TenantID, &all[i])
		if err != nil {
			return nil, err
		}
		if shown == nil {
			continue
		}
		if more, err := page.add(all[i].ID, shown, &all[i]); err != nil {
			return nil, err
		} else if !more {
			break
		}
	}
	return page.answer(), nil
}

// AssignRole gives a principal of the tenant a role of the application behind the service principal ResourceID. ID and Created are set here.
func (s *Service) AssignRole(ctx context.Context, tenantID string, a RoleAssignment) (*RoleAssignment, error) {
	a.PrincipalID, a.ResourceID, a.RoleID = strings.ToLower(a.PrincipalID), strings.ToLower(a.ResourceID), strings.ToLower(a.RoleID)
	if a.RoleID == "" {
		a.RoleID = noRole
	}
	if err := s.checkRole(ctx, tenantID, &a); err != nil {
		return nil, err
	}
	a.ID, a.Created = ids.New(), s.Clock.Now()
	value, err := roleCodec.Encode(a)
	if err != nil {
		return nil, fmt.Errorf("encode role assignment: %w", err)
	}
	key := []byte(roleKey(&a))
	_, err = s.Store.Update(ctx, tenantShard(tenantID), func(tx store.Tx) error {
		b, err := tx.Get(key)
		if err != nil {
			return err
		}
		if b != nil {
			return badRequest("", "Permission being assigned already exists on the object")
		}
		return tx.Put(key, value)
	})
	if err != nil {
		return nil, fmt.Errorf("assign application role: %w", err)
	}
	return &a, nil
}

// checkRole makes sure that principal, resource and role are there and fit together.
func (s *Service) checkRole(ctx context.Context, tenantID string, a *RoleAssignment) error {
	kind, err := s.kindOf(ctx, tenantID, a.PrincipalID)
	if err != nil {
		return err
	}
	if kind == "" || kind == KindApplication {
		return notFound("principal", a.PrincipalID)
	}
	resource, err := s.PrincipalByObjectID(ctx, tenantID, a.ResourceID)
	if err != nil {
		return err
	}
	if resource == nil {
		return notFound("resource", a.ResourceID)
	}
	if a.RoleID == noRole {
		return nil
	}
	app, err := s.appOfSP(ctx, resource)
	if err != nil {
		return err
	}
	if app != nil {
		i := slices.IndexFunc(app.Roles, func(role AppRole) bool { return role.ID == a.RoleID && !role.Disabled })
		member := "User"
		if kind == KindSP {
			member = "Application"
		}
		if i >= 0 && slices.Contains(app.Roles[i].MemberTypes, member) {
			return nil
		}
	}
	return badRequest("appRoleId", "Permission being assigned was not found on application '"+resource.AppID+"' for a principal of this type.")
}

// appOfSP is the application behind a service principal, nil for a managed identity and for one whose application is gone.
func (s *Service) appOfSP(ctx context.Context, sp *SP) (*Application, error) {
	if sp.AppTenantID == "" {
		return nil, nil
	}
	return s.appAt(ctx, sp.AppTenantID, keyAppID+sp.AppID)
}

// removeRole removes the one of the assignments that has the id.
func (s *Service) removeRole(ctx context.Context, tenantID string, all []RoleAssignment, id string) error {
	i := slices.IndexFunc(all, func(a RoleAssignment) bool { return strings.EqualFold(a.ID, id) })
	if i < 0 {
		return notFound("role assignment", id)
	}
	key := []byte(roleKey(&all[i]))
	_, err := s.Store.Update(ctx, tenantShard(tenantID), func(tx store.Tx) error { return tx.Delete(key) })
	if err != nil {
		return fmt.Errorf("remove role assignment: %w", err)
	}
	return nil
}

func (s *Service) graphListRoles(kind ObjectKind) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		id, err := s.graphIDOf(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		have, err := s.at(ctx, r.Principal.TenantID, keyRole+id)
		if err != nil {
			return nil, err
		}
		return s.rolePage(ctx, r, have.roles)
	}
}

func (s *Service) graphAssignRole(kind ObjectKind) func(context.Context, *wire.Request, *graphRoleBody) (any, error) {
	return func(ctx context.Context, r *wire.Request, in *graphRoleBody) (any, error) {
		id, err := s.graphIDOf(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(in.PrincipalID, id) {
			return nil, badRequest("principalId", "Property 'principalId' must be the object that the path names.")
		}
		return s.graphAssign(ctx, r, in)
	}
}

func (s *Service) graphAssign(ctx context.Context, r *wire.Request, in *graphRoleBody) (any, error) {
	a, err := s.AssignRole(ctx, r.Principal.TenantID, RoleAssignment{PrincipalID: in.PrincipalID, ResourceID: in.ResourceID, RoleID: in.RoleID})
	if err != nil {
		return nil, err
	}
	shown, err := s.viewRole(ctx, r.Principal.TenantID, a)
	if err != nil {
		return nil, err
	}
	if shown == nil {
		return nil, notFound("principal", a.PrincipalID)
	}
	out, err := entityAnswer(r, "appRoleAssignments", shown)
	if err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

func (s *Service) graphUnassignRole(kind ObjectKind) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		id, err := s.graphIDOf(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		have, err := s.at(ctx, r.Principal.TenantID, keyRole+id)
		if err != nil {
			return nil, err
		}
		return nil, s.removeRole(ctx, r.Principal.TenantID, have.roles, r.Param("assignment"))
	}
}

// assignedTo are the assignments of the roles of the application behind a service principal, whoever has them.
func (s *Service) assignedTo(ctx context.Context, tenantID, resourceID string) ([]RoleAssignment, error) {
	all, err := allRows(ctx, s, tenantID, keyRole, roleCodec)
	return slices.DeleteFunc(all, func(a RoleAssignment) bool { return a.ResourceID != resourceID }), err
}

// allRows decodes all rows under a prefix.
func allRows[T any](ctx context.Context, s *Service, tenantID, prefix string, codec store.Codec[T]) ([]T, error) {
	raws, err := s.rowsUnder(ctx, tenantID, prefix, nil)
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(raws))
	for _, raw := range raws {
		v, err := codec.Decode(raw.value)
		if err != nil {
			return nil, fmt.Errorf("decode directory row %s: %w", raw.id, err)
		}
		out = append(out, v)
	}
	return out, nil
}

func (s *Service) graphListAssignedTo(ctx context.Context, r *wire.Request) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err := s.assignedTo(ctx, sp.TenantID, sp.ObjectID)
	if err != nil {
		return nil, err
	}
	return s.rolePage(ctx, r, all)
}

func (s *Service) graphAssignTo(ctx context.Context, r *wire.Request, in *graphRoleBody) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(in.ResourceID, sp.ObjectID) {
		return nil, badRequest("resourceId", "Property 'resourceId' must be the service principal that the path names.")
	}
	return s.graphAssign(ctx, r, in)
}

func (s *Service) graphUnassignFrom(ctx context.Context, r *wire.Request) (any, error) {
	sp, err := s.graphSPOf(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err := s.assignedTo(ctx, sp.TenantID, sp.ObjectID)
	if err != nil {
		return nil, err
	}
	return nil, s.removeRole(ctx, sp.TenantID, all, r.Param("assignment"))
}

// checkEntitlements refuses to take away a role or scope that is enabled, as Entra ID does: whoever has it would lose it unnoticed.
func checkEntitlements(before, after *Application) error {
	refuse := func(what, value string) error {
		return fault.New(fault.Invalid, "CannotDeleteOrUpdateEnabledEntitlement",
			"Property value cannot be deleted unless it is disabled first: %s '%s'.", what, clip(value))
	}
	for _, r := range before.Roles {
		if !r.Disabled && !slices.ContainsFunc(after.Roles, func(o AppRole) bool { return o.ID == r.ID }) {
			return refuse("appRole", r.DisplayName)
		}
	}
	for _, sc := range before.Scopes {
		if !sc.Disabled && !slices.ContainsFunc(after.Scopes, func(o Scope) bool { return o.ID == sc.ID }) {
			return refuse("permission scope", sc.Value)
		}
	}
	return nil
}
