package arm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// policy is who may do what in one shard, as of one version of its rows. Shared: read only.
type policy struct {
	version     uint64
	tenantID    string // of the subscription; "" for a tenant's root or a subscription that does not exist
	subName     string
	subTags     map[string]string
	set         *rbac.Set
	assignments []assignment
	denials     []DenyAssignment
	locks       []lock
	lockScopes  []string        // folded, beside locks
	withdrawn   map[string]bool // namespaces, in lower case, that the subscription is not registered for

	// Of a tenant.
	custom    rbac.Custom
	roles     []customRole
	groups    map[string]*managementGroup // by folded name, without the root group
	members   map[string]string           // subscription -> folded name of its group
	chains    map[string][]string         // folded name -> folded scopes of the group and those above it, nearest first
	rootGroup string                      // folded name
}

// loadPolicy reads a shard's policy. It runs once after each change of the shard.
func loadPolicy(roles *rbac.Roles) func(store.Snapshot, string) (*policy, error) {
	return func(s store.Snapshot, shard string) (*policy, error) {
		p := &policy{}
		var err error
		if p.version, err = readVersion(s); err != nil {
			return nil, err
		}
		if id, ok := strings.CutPrefix(shard, "sub/"); ok {
			if err := p.loadSubscription(s, id); err != nil {
				return nil, err
			}
			states, err := scanAll(s, tagProvider, providerCodec)
			if err != nil {
				return nil, err
			}
			p.withdrawn = map[string]bool{}
			for _, st := range states {
				if !st.Registered {
					p.withdrawn[strings.ToLower(st.Namespace)] = true
				}
			}
		}
		if id, ok := strings.CutPrefix(shard, "tenant/"); ok {
			if err := p.loadTenant(s, id); err != nil {
				return nil, err
			}
		}
		if p.assignments, err = scanAll(s, tagAssignment, assignmentCodec); err != nil {
			return nil, err
		}
		if p.denials, err = scanAll(s, tagDenial, denialCodec); err != nil {
			return nil, err
		}
		if p.locks, err = scanAll(s, tagLock, lockCodec); err != nil {
			return nil, err
		}
		for _, l := range p.locks {
			p.lockScopes = append(p.lockScopes, strings.ToLower(l.Scope))
		}
		p.set = p.compile(roles)
		return p, nil
	}
}

func (p *policy) loadSubscription(s store.Snapshot, id string) error {
	b, err := s.Get(resourceKey("/subscriptions/" + id))
	if err != nil || b == nil {
		return err
	}
	r, err := resourceCodec.Decode(b)
	if err != nil {
		return err
	}
	var sub subscription
	if err := json.Unmarshal(r.Private, &sub); err != nil {
		return fmt.Errorf("subscription %s: %w", id, err)
	}
	p.tenantID, p.subName, p.subTags = sub.TenantID, r.Name, r.Tags
	return nil
}

func scanAll[T any](s store.Snapshot, tag string, codec store.Codec[T]) ([]T, error) {
	var out []T
	var failed error
	err := s.Scan(store.Prefix([]byte(tag)), func(_, v []byte) bool {
		var rec T
		if rec, failed = codec.Decode(v); failed != nil {
			return false
		}
		out = append(out, rec)
		return true
	})
	if err == nil {
		err = failed
	}
	return out, err
}

func (p *policy) compile(roles *rbac.Roles) *rbac.Set {
	var as []rbac.Assignment
	for _, a := range p.assignments {
		as = append(as, rbac.Assignment{
			ID: a.ID, Scope: strings.ToLower(a.Scope), PrincipalID: strings.ToLower(a.PrincipalID), Role: roles.ByID(a.RoleID), RoleID: strings.ToLower(a.RoleID), RoleKey: a.RoleKey,
		})
	}
	var ds []rbac.Denial
	for _, d := range p.denials {
		ds = append(ds, d.denial())
	}
	return rbac.NewSet(as, ds)
}

// principalsOf are the ids a caller is known by: its own and its groups'.
func principalsOf(p *authn.Principal) []string {
	out := make([]string, 1, 1+len(p.Groups))
	out[0] = strings.ToLower(p.ObjectID)
	for _, g := range p.Groups {
		out = append(out, strings.ToLower(g))
	}
	return out
}

// judgement is a decision with what it was made from.
type judgement struct {
	rbac.Decision
	own  *policy // of the shard the scope lives in
	root *policy // of the tenant's root; the same as own at tenant scope
}

// known tells whether the caller has any role at the scope, above it or below it.
func (j *judgement) known(principals []string, scope string) bool {
	for _, p := range j.places(scope) {
		if p.Known(principals) {
			return true
		}
	}
	return false
}

// places are where a question about the scope is asked.
func (j *judgement) places(scope string) []rbac.Place {
	above := j.root.above(scope)
	if j.root == j.own {
		return []rbac.Place{{Set: j.own.set, Scope: scope, Above: above}}
	}
	return []rbac.Place{{Set: j.own.set, Scope: scope, Above: above}, {Set: j.root.set, Scope: scope, Above: above}}
}

// judge decides an action at a folded scope. tenantID is where a tenant scope belongs; a subscription has its own.
func (p *Pipeline) judge(ctx context.Context, who *authn.Principal, action string, data bool, scope, shard string) (judgement, error) {
	own, err := p.policies.Get(ctx, shard, shard)
	if err != nil {
		return judgement{}, err
	}
	j := judgement{own: own, root: own}
	if strings.HasPrefix(shard, "sub/") {
		if own.tenantID == "" { // no such subscription: nobody has a role in it
			return j, nil
		}
		root := tenantShard(own.tenantID)
		if j.root, err = p.policies.Get(ctx, root, root); err != nil {
			return judgement{}, err
		}
	}
	j.Decision = rbac.Decide(principalsOf(who), action, data, j.root.custom, j.places(scope)...)
	return j, nil
}

// text says why, for the audit record.
func (j *judgement) text() string {
	switch {
	case j.Denial != nil:
		return "deny assignment " + j.Denial.ID
	case j.Assignment != nil:
		return "role " + j.Role.Name + ", assignment " + j.Assignment.ID
	}
	return ""
}

func (j *judgement) decision() Decision {
	return Decision{Allowed: j.Allowed(), Denied: j.Denial != nil, By: j.text()}
}

// Check implements Access.
func (p *Pipeline) Check(ctx context.Context, who *authn.Principal, action string, data bool, scope string) (Decision, error) {
	folded := strings.ToLower(scope)
	j, err := p.judge(ctx, who, action, data, folded, shardOf(folded, who))
	if err != nil {
		return Decision{}, fmt.Errorf("check access: %w", err)
	}
	return j.decision(), nil
}

// shardOf is where the rows of a folded scope are: those of tenant scope in the caller's own tenant.
func shardOf(folded string, who *authn.Principal) string {
	if sub, ok := subscriptionOf(folded); ok {
		return "sub/" + sub
	}
	return tenantShard(who.TenantID)
}

// subscriptionOf gives the subscription's GUID of a folded id.
func subscriptionOf(folded string) (string, bool) {
	const prefix = "/subscriptions/"
	if len(folded) < len(prefix)+36 || folded[:len(prefix)] != prefix || len(folded) > len(prefix)+36 && folded[len(prefix)+36] != '/' {
		return "", false
	}
	return folded[len(prefix) : len(prefix)+36], true
}

// found is a resource with its subscription's tenant.
type found struct {
	resource *Resource
	tenantID string
}

func loadResource(s store.Snapshot, folded string) (found, error) {
	b, err := s.Get(resourceKey(folded))
	if err != nil || b == nil {
		return found{}, err
	}
	r, err := resourceCodec.Decode(b)
	if err != nil {
		return found{}, err
	}
	sub, _ := subscriptionOf(folded)
	var p policy
	err = p.loadSubscription(s, sub)
	return found{&r, p.tenantID}, err
}

// Resource implements Reader. What it returns is shared: read only.
func (p *Pipeline) Resource(ctx context.Context, id string) (*Resource, string, error) {
	folded := strings.ToLower(id)
	sub, ok := subscriptionOf(folded)
	if !ok || len(folded) > maxID {
		return nil, "", nil
	}
	f, err := p.resources.Get(ctx, "sub/"+sub, folded)
	if err != nil {
		return nil, "", fmt.Errorf("read resource: %w", err)
	}
	return f.resource, f.tenantID, nil
}

// Shard names the shard of a subscription: until it moves, Resource answers the same for what is in the subscription.
func (p *Pipeline) Shard(subscription string) string { return "sub/" + subscription }
