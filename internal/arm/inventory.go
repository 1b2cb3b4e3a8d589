package arm

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Grant is a role assignment as those see it who judge a subscription's state: what it gives to whom, and where.
type Grant struct {
	ID          string // of the assignment
	Scope       string // canonical
	Role        string // the role's name
	PrincipalID string // lower case
	Actions     []string
}

// Everything tells whether the role allows every action of the control plane but those it excludes, as Owner and Contributor do.
func (g *Grant) Everything() bool { return slices.Contains(g.Actions, "*") }

// Subscriptions lists the ids of all subscriptions, in order.
func (p *Pipeline) Subscriptions(ctx context.Context) ([]string, error) {
	var out []string
	err := p.eachSubscription(ctx, func(shard string) error {
		out = append(out, strings.TrimPrefix(shard, "sub/"))
		return nil
	})
	return out, err
}

// Inventory lists every stored resource of a subscription, groups and the subscription itself included, in order of id. What is about to arrive by a move is left out.
// The resources are the caller's own.
func (p *Pipeline) Inventory(ctx context.Context, subscription string) ([]*Resource, error) {
	shard := subShard(subscription)
	var rows, marks [][]byte
	err := p.deps.Store.View(ctx, shard, func(s store.Snapshot) error {
		rows, marks = nil, nil
		if err := s.Scan(store.Prefix([]byte(tagMove)), func(_, v []byte) bool { marks = append(marks, bytes.Clone(v)); return true }); err != nil {
			return err
		}
		return s.Scan(store.Prefix([]byte(tagResource)), func(_, v []byte) bool { rows = append(rows, bytes.Clone(v)); return true })
	})
	if err != nil {
		return nil, err
	}
	out := make([]*Resource, 0, len(rows))
	for _, row := range rows {
		r, err := resourceCodec.Decode(row)
		if err != nil {
			return nil, err
		}
		out = append(out, &r)
	}
	if len(marks) == 0 {
		return out, nil
	}
	return p.seen(ctx, shard, out, marks)
}

// Grants lists the role assignments that hold in a subscription: those in it, and those above it, at its management groups and the root.
func (p *Pipeline) Grants(ctx context.Context, subscription string) ([]Grant, error) {
	shard := subShard(subscription)
	own, err := p.policies.Get(ctx, shard, shard)
	if err != nil || own.tenantID == "" {
		return nil, err
	}
	tenant := tenantShard(own.tenantID)
	root, err := p.policies.Get(ctx, tenant, tenant)
	if err != nil {
		return nil, err
	}
	scope := "/subscriptions/" + strings.ToLower(subscription)
	above := root.above(scope)
	var out []Grant
	add := func(a *assignment) {
		role := p.role(root, a.RoleID)
		if role == nil {
			return
		}
		g := Grant{ID: a.ID, Scope: a.Scope, Role: role.Name, PrincipalID: strings.ToLower(a.PrincipalID)}
		for _, perm := range role.Permissions {
			g.Actions = append(g.Actions, perm.Actions...)
		}
		out = append(out, g)
	}
	for i := range own.assignments {
		add(&own.assignments[i])
	}
	for i := range root.assignments {
		if at := strings.ToLower(root.assignments[i].Scope); rbac.Within(scope, at) || slices.Contains(above, at) {
			add(&root.assignments[i])
		}
	}
	return out, nil
}
