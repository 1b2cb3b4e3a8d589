package arm

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// TypeUserIdentity is the resource type of user-assigned identities. The control plane knows two things of it: its instances' properties hold principalId and
// clientId, and to assign one is an action on it.
const TypeUserIdentity = "Microsoft.ManagedIdentity/userAssignedIdentities"

// assignAction is the RBAC action by which an identity may be assigned.
const assignAction = TypeUserIdentity + "/assign/action"

// UserIdentityOf reads a user-assigned identity's ids; ok is false for a resource that is none (or nil).
func UserIdentityOf(r *Resource) (u UserAssigned, ok bool) {
	if r == nil || !strings.EqualFold(r.Type, TypeUserIdentity) || json.Unmarshal(r.Properties, &u) != nil {
		return UserAssigned{}, false
	}
	return u, u.PrincipalID != ""
}

// UserIdentity finds the user-assigned identity with that resource id (in any case) among those assigned to r. ok is false if it is not assigned or is gone: one that
// was deleted, or made anew under its old name, is not the one that was assigned.
func UserIdentity(ctx context.Context, all Reader, r *Resource, id string) (identity *Resource, u UserAssigned, ok bool, err error) {
	if r == nil || r.Identity == nil {
		return nil, u, false, nil
	}
	assigned, ok := lookupFold(r.Identity.UserAssigned, id)
	if !ok {
		return nil, u, false, nil
	}
	if identity, _, err = all.Resource(ctx, id); err != nil {
		return nil, u, false, err
	}
	u, ok = UserIdentityOf(identity)
	return identity, u, ok && u == assigned, nil
}

func lookupFold(m map[string]UserAssigned, id string) (UserAssigned, bool) {
	for k, v := range m {
		if strings.EqualFold(k, id) {
			return v, true
		}
	}
	return UserAssigned{}, false
}

// assigned gives the user-assigned identities the resource has after the block: those that stay, without those removed, with those added. Each one named needs the
// caller's permission to assign it, also one that is assigned already. A nil map is none.
func (p *Pipeline) assigned(ctx context.Context, c *Call, b identityBlock) (map[string]UserAssigned, error) {
	out := maps.Clone(b.keep)
	for _, id := range b.remove {
		maps.DeleteFunc(out, func(k string, _ UserAssigned) bool { return strings.EqualFold(k, id) })
	}
	slices.Sort(b.add)
	var linked []ID
	for _, text := range b.add {
		id, err := ParseID(text)
		if err != nil || id.ResourceGroup == "" || id.Extension || id.Collection() || !strings.EqualFold(id.Type(), TypeUserIdentity) {
			return nil, fault.New(fault.Invalid, "LinkedInvalidPropertyId",
				"Property id '%s' at path 'identity.userAssignedIdentities' is invalid. Expect the fully qualified resource id of a %s.", clip(text), TypeUserIdentity)
		}
		linked = append(linked, id)
	}
	if err := p.mayAssign(ctx, c, linked); err != nil {
		return nil, err
	}
	for _, id := range linked {
		r, tenant, err := p.Resource(ctx, id.String())
		if err != nil {
			return nil, err
		}
		u, ok := UserIdentityOf(r)
		switch {
		case !ok:
			return nil, fault.New(fault.Invalid, "FailedIdentityOperation", "Identity operation for resource '%s' failed with error 'Resource '%s' was not found.'.", c.ID, id)
		case tenant != c.TenantID:
			return nil, fault.New(fault.Forbidden, "LinkedAuthorizationFailed",
				"The client has permission to perform action '%s' on scope '%s', however the current tenant '%s' is not authorized to access linked subscription '%s'.",
				assignAction, id, c.TenantID, id.Subscription)
		}
		if out == nil {
			out = map[string]UserAssigned{}
		}
		maps.DeleteFunc(out, func(k string, _ UserAssigned) bool { return strings.EqualFold(k, r.ID) })
		out[r.ID] = u
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// mayAssign makes sure that the caller may assign each of the identities. What it answers is the same for one that does not exist.
func (p *Pipeline) mayAssign(ctx context.Context, c *Call, linked []ID) error {
	var refused []string
	for _, id := range linked {
		d, err := p.Check(ctx, c.Principal, assignAction, false, id.Fold())
		if err != nil {
			return err
		}
		if !d.Allowed {
			refused = append(refused, id.String())
		}
	}
	if len(refused) == 0 {
		return nil
	}
	client := c.Principal.AppID
	if client == "" {
		client = c.Principal.Name
	}
	return fault.New(fault.Forbidden, "LinkedAuthorizationFailed",
		"The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, it does not have permission to perform action '%s' on the linked scope(s) '%s' or the linked scope(s) are invalid.",
		client, c.Principal.ObjectID, c.run.e.operation, c.ID, assignAction, strings.Join(refused, ","))
}
