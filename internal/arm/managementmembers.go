package arm

import (
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// groupMemberType is a subscription's place in a management group: it has one, the root group if no other. Putting it into another takes it out of the one it
// was in.
func (p *Pipeline) groupMemberType() Type {
	return Type{
		Name: typeGroupMember, Scope: InTenant, Untracked: true, Versions: managementVersions, OnCreate: http.StatusOK, inTenant: true,
		Put: p.putMember,
		Commit: func(tx store.Tx, c *Call) error {
			if err := tx.Put(memberKey(c.ID.Name()), c.Prepared.([]byte)); err != nil {
				return err
			}
			return bumpVersion(tx)
		},
		Delete: func(ctx context.Context, c *Call) error { return p.mayMoveSubscription(ctx, c) },
		CommitDelete: func(tx store.Tx, c *Call) error {
			if err := tx.Delete(memberKey(c.ID.Name())); err != nil {
				return err
			}
			return bumpVersion(tx)
		},
		Get: func(ctx context.Context, c *Call) (*Resource, error) {
			all, err := p.members(ctx, c)
			for _, m := range all {
				if strings.EqualFold(m.Name, c.ID.Name()) {
					return m, err
				}
			}
			return nil, err
		},
		List: p.members,
	}
}

func memberKey(subscription string) []byte { return []byte(tagMember + strings.ToLower(subscription)) }

// members lists the subscriptions right in the call's group.
func (p *Pipeline) members(ctx context.Context, c *Call) ([]*Resource, error) {
	name := strings.ToLower(c.ID.Names[0])
	if !c.run.judged.root.hasGroup(name) {
		return nil, noManagementGroup(c.ID.Names[0])
	}
	children, err := p.childrenOf(ctx, c, name, false)
	var out []*Resource
	for _, m := range children {
		if m.Type != typeManagementGroup {
			out = append(out, p.member(c, name, m.Name, m.DisplayName))
		}
	}
	return out, err
}

func (p *Pipeline) member(c *Call, group, sub, displayName string) *Resource {
	root := c.run.judged.root
	return &Resource{
		ID: managementGroupPath + root.group(group, c.TenantID).Name + "/subscriptions/" + sub, Name: sub, Type: typeGroupMember,
		Properties: raw(map[string]any{
			"tenant": c.TenantID, "displayName": displayName, "state": "Active", "parent": map[string]string{"id": managementGroupPath + root.group(group, c.TenantID).Name},
		}),
	}
}

func (p *Pipeline) putMember(ctx context.Context, c *Call) error {
	root, group, sub := c.run.judged.root, strings.ToLower(c.ID.Names[0]), strings.ToLower(c.ID.Name())
	if !root.hasGroup(group) {
		return noManagementGroup(c.ID.Names[0])
	}
	if err := (&ID{}).setSubscription(sub); err != nil {
		return err
	}
	if err := p.mayMoveSubscription(ctx, c); err != nil {
		return err
	}
	if was := root.groupFor(sub); was != group && was != root.rootGroup {
		if err := p.linked(ctx, c.Request, typeManagementGroup+"/write", managementGroupPath+was); err != nil {
			return err
		}
	}
	pol, err := p.policies.Get(ctx, "sub/"+sub, "sub/"+sub)
	if err != nil {
		return err
	}
	if !strings.EqualFold(pol.tenantID, c.TenantID) {
		return fault.New(fault.Invalid, "BadRequest", "The subscription '%s' is not of the tenant '%s'.", sub, c.TenantID)
	}
	shown := p.member(c, group, sub, pol.subName)
	c.New.ID, c.New.Name, c.New.Properties, c.New.ETag = shown.ID, shown.Name, shown.Properties, ""
	c.Prepared, err = memberCodec.Encode(membership{Subscription: sub, Group: group})
	return err
}

// mayMoveSubscription demands the right to give roles in the subscription: what it inherits changes.
func (p *Pipeline) mayMoveSubscription(ctx context.Context, c *Call) error {
	return p.linked(ctx, c.Request, typeAssignment+"/write", "/subscriptions/"+c.ID.Name())
}

// bodyless types take a PUT without a body.
func (t *Type) bodyless() bool { return t.Name == typeGroupMember }

// managementRoutes are the operations on management groups that are not on one of them.
func (p *Pipeline) managementRoutes() []wire.Route {
	first := managementVersions[0]
	return []wire.Route{
		p.plain(http.MethodPost, "/providers/Microsoft.Management/checkNameAvailability", "Microsoft.Management/checkNameAvailability/action", first,
			func(ctx context.Context, r *wire.Request) (any, error) {
				in, err := ParseObject(r.Body)
				if err != nil {
					return nil, err
				}
				shard := tenantShard(r.Principal.TenantID)
				root, err := p.policies.Get(ctx, shard, shard)
				if err != nil {
					return nil, err
				}
				name := in.String("name")
				switch {
				case checkName(name) != nil || len(name) > maxManagedName:
					return map[string]any{"nameAvailable": false, "reason": "Invalid", "message": "The name is not one a management group can have."}, nil
				case root.hasGroup(strings.ToLower(name)):
					return map[string]any{"nameAvailable": false, "reason": "AlreadyExists", "message": "The group with the specified name already exists"}, nil
				}
				return map[string]any{"nameAvailable": true}, nil
			}),
		p.plain(http.MethodPost, "/providers/Microsoft.Authorization/elevateAccess", "Microsoft.Authorization/elevateAccess/action", "2015-07-01", p.elevateAccess),
		p.plain(http.MethodPost, "/providers/Microsoft.Management/getEntities", "Microsoft.Management/getEntities/action", first, p.listEntities),
	}
}

// listEntities shows the groups and subscriptions of the caller's tenant in which it has a role.
func (p *Pipeline) listEntities(ctx context.Context, r *wire.Request) (any, error) {
	if len(r.Body) > 0 {
		if _, err := ParseObject(r.Body); err != nil {
			return nil, err
		}
	}
	tenant, who := r.Principal.TenantID, principalsOf(r.Principal)
	j, err := p.judge(ctx, r.Principal, typeManagementGroup+"/read", false, "/", tenantShard(tenant))
	if err != nil {
		return nil, err
	}
	root := j.root
	out := []map[string]any{}
	add := func(id, kind, name, display, group string, chain []string) {
		names := []string{}
		for i := len(chain) - 1; i >= 0; i-- {
			names = append(names, root.group(strings.TrimPrefix(chain[i], managementGroupFold), tenant).Name)
		}
		props := map[string]any{"tenantId": tenant, "displayName": display, "parentNameChain": names, "parentDisplayNameChain": names, "permissions": "view"}
		if group != "" {
			props["parent"] = map[string]string{"id": managementGroupPath + root.group(group, tenant).Name}
		}
		out = append(out, map[string]any{"id": id, "type": kind, "name": name, "properties": props})
	}
	for _, name := range append([]string{root.rootGroup}, root.groupNames()...) {
		g := root.group(name, tenant)
		if scope := managementGroupFold + name; j.known(who, scope) {
			add(managementGroupPath+g.Name, typeManagementGroup, g.Name, g.DisplayName, g.Parent, root.above(scope))
		}
	}
	err = p.eachSubscription(ctx, func(shard string) error {
		id := strings.TrimPrefix(shard, "sub/")
		js, err := p.judge(ctx, r.Principal, "Microsoft.Resources/subscriptions/read", false, "/subscriptions/"+id, shard)
		if err == nil && strings.EqualFold(js.own.tenantID, tenant) && js.known(who, "/subscriptions/"+id) {
			add("/subscriptions/"+id, "/subscriptions", id, js.own.subName, root.groupFor(id), root.above("/subscriptions/"+id))
		}
		return err
	})
	return map[string]any{"value": out, "count": len(out)}, err
}

// elevateAccess makes an administrator of the directory User Access Administrator at the root of the tenant: the one way to the first assignment there.
func (p *Pipeline) elevateAccess(ctx context.Context, r *wire.Request) (any, error) {
	who := r.Principal
	ok := false
	if p.deps.Administrator != nil {
		var err error
		if ok, err = p.deps.Administrator(ctx, who.TenantID, who.ObjectID); err != nil {
			return nil, err
		}
	}
	if !ok {
		return nil, refusal(who, r.Route.Operation, "/", nil)
	}
	r.AllowedBy = "administrator of the tenant's directory"
	if len(r.Body) > 0 {
		if _, err := ParseObject(r.Body); err != nil {
			return nil, err
		}
	}
	if err := p.AssignRoot(ctx, who.TenantID, who.ObjectID, rbac.UserAccessAdministratorID); err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusOK}, nil
}
