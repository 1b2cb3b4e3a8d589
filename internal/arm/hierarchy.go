package arm

import (
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const managementGroupPath = "/providers/Microsoft.Management/managementGroups/"

var managementGroupFold = strings.ToLower(managementGroupPath)

// managementGroupOf gives the folded name of the management group a folded scope is at or below.
func managementGroupOf(folded string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(folded, managementGroupFold)
	name, _, _ = strings.Cut(rest, "/")
	return name, ok && name != ""
}

// loadTenant reads a tenant's custom roles and its hierarchy of management groups.
func (p *policy) loadTenant(s store.Snapshot, id string) error {
	p.rootGroup = id
	var err error
	if p.roles, err = scanAll(s, tagRole, roleCodec); err != nil {
		return err
	}
	p.custom = make(rbac.Custom, len(p.roles))
	for i := range p.roles {
		r := &p.roles[i]
		p.custom[r.ID] = &rbac.Role{ID: r.ID, Name: r.Name, Description: r.Description, Permissions: r.Permissions, Key: r.Key}
	}
	groups, err := scanAll(s, tagManaged, managedCodec)
	if err != nil {
		return err
	}
	p.groups = make(map[string]*managementGroup, len(groups))
	for i := range groups {
		p.groups[strings.ToLower(groups[i].Name)] = &groups[i]
	}
	members, err := scanAll(s, tagMember, memberCodec)
	p.members = make(map[string]string, len(members))
	for _, m := range members {
		p.members[m.Subscription] = m.Group
	}
	p.chain()
	return err
}

// chain works out what is above each group, once for all questions.
func (p *policy) chain() {
	root := managementGroupFold + p.rootGroup
	p.chains = map[string][]string{p.rootGroup: {root}}
	for name := range p.groups {
		var out []string
		for at := name; p.groups[at] != nil && len(out) <= maxGroupDepth; at = p.groups[at].Parent {
			out = append(out, managementGroupFold+at)
		}
		p.chains[name] = append(out, root)
	}
}

// hasGroup tells whether the tenant has a management group of that folded name.
func (p *policy) hasGroup(name string) bool { return name == p.rootGroup || p.groups[name] != nil }

// groupFor is the folded name of the group a subscription is in.
func (p *policy) groupFor(subscription string) string {
	if g := p.members[subscription]; p.groups[g] != nil {
		return g
	}
	return p.rootGroup
}

// above gives the folded management groups above a folded scope, nearest first. They are not told by the scope's own text. p is the tenant's policy; the
// result is shared.
func (p *policy) above(scope string) []string {
	if sub, ok := subscriptionOf(scope); ok {
		return p.chains[p.groupFor(sub)]
	}
	if group, ok := managementGroupOf(scope); ok {
		if chain := p.chains[group]; len(chain) > 0 {
			return chain[1:]
		}
		return p.chains[p.rootGroup] // a group that is not there yet
	}
	return nil
}

// depth is the number of groups from the one of that name up to the root, which has 0.
func (p *policy) depth(name string) int {
	n := 0
	for g := p.groups[name]; g != nil && n <= maxGroupDepth+1; g = p.groups[g.Parent] {
		n++
	}
	return n
}

// height is the number of levels below a group.
func (p *policy) height(name string) int {
	h := 0
	for child, g := range p.groups {
		if g.Parent == name {
			h = max(h, 1+p.height(child))
		}
	}
	return h
}

func noManagementGroup(name string) error {
	return fault.New(fault.NotFound, "NotFound", "The management group '%s' cannot be found.", name)
}
