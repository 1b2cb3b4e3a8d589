package arm

import (
	"context"
	"net/http"
	"sort"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	typeManagementGroup = "Microsoft.Management/managementGroups"
	typeGroupMember     = typeManagementGroup + "/subscriptions"
)

// Bounds of management groups, as Azure documents them.
const (
	maxGroupDepth   = 6 // levels below the root
	maxManaged      = 10_000
	maxManagedName  = 90
	rootDisplayName = "Tenant Root Group"
)

var managementVersions = []string{
	"2017-11-01-preview", "2018-01-01-preview", "2018-03-01-preview", "2019-11-01", "2020-02-01", "2020-05-01", "2020-10-01", "2021-04-01", "2023-04-01",
}

// managementGroupType is the management group. They live in the tenant's shard; the tenant's root group, named by the tenant's id, is always there. As on Azure
// every principal of a tenant may make a group below the root, and becomes its Owner.
func (p *Pipeline) managementGroupType() Type {
	return Type{
		Name: typeManagementGroup, Scope: InTenant, Untracked: true, Versions: managementVersions, OnCreate: http.StatusOK, OnDelete: http.StatusNoContent, inTenant: true,
		open: func(c *Call) string {
			if c.run.e.method == http.MethodPut && !c.run.judged.root.hasGroup(strings.ToLower(c.ID.Name())) {
				return "every principal of a tenant may create a management group"
			}
			return ""
		},
		Put:   p.putManagementGroup,
		Patch: p.putManagementGroup,
		Commit: func(tx store.Tx, c *Call) error {
			rows := c.Prepared.(managedRows)
			if err := tx.Put(managedKey(c.ID.Name()), rows.group); err != nil {
				return err
			}
			if rows.owner != nil {
				if err := tx.Put(rows.ownerKey, rows.owner); err != nil {
					return err
				}
			}
			return bumpVersion(tx)
		},
		Delete: func(_ context.Context, c *Call) error {
			root, name := c.run.judged.root, strings.ToLower(c.ID.Name())
			if name == root.rootGroup {
				return fault.New(fault.Invalid, "BadRequest", "The tenant's root management group can't be deleted.")
			}
			for _, g := range root.groups {
				if g.Parent == name {
					return fault.New(fault.Conflict, "ManagementGroupNotEmpty", "The management group '%s' has the child '%s'. Move or delete it first.", c.ID.Name(), g.Name)
				}
			}
			for sub := range root.members {
				if root.groupFor(sub) == name {
					return fault.New(fault.Conflict, "ManagementGroupNotEmpty", "The management group '%s' has the subscription '%s'. Move it first.", c.ID.Name(), sub)
				}
			}
			return nil
		},
		CommitDelete: func(tx store.Tx, c *Call) error {
			if err := tx.Delete(managedKey(c.ID.Name())); err != nil {
				return err
			}
			if _, err := removeScoped(tx, c.ID.Fold()); err != nil {
				return err
			}
			return bumpVersion(tx)
		},
		Get: func(ctx context.Context, c *Call) (*Resource, error) {
			if !c.run.judged.root.hasGroup(strings.ToLower(c.ID.Name())) {
				return nil, nil
			}
			return p.showManagementGroup(ctx, c, strings.ToLower(c.ID.Name()))
		},
		List: func(_ context.Context, c *Call) ([]*Resource, error) {
			root := c.run.judged.root
			out := []*Resource{root.briefGroup(root.rootGroup, c.TenantID)}
			for _, name := range root.groupNames() {
				out = append(out, root.briefGroup(name, c.TenantID))
			}
			return out, nil
		},
		Actions: []Action{{Verb: "descendants", Method: http.MethodGet, Operation: typeManagementGroup + "/descendants/read", Handler: p.listDescendants}},
	}
}

func managedKey(name string) []byte { return []byte(tagManaged + strings.ToLower(name)) }

// managedRows is what a group's Put prepares for its Commit: the group and, for a new one, its creator's role.
type managedRows struct{ group, ownerKey, owner []byte }

func (p *policy) groupNames() []string {
	out := make([]string, 0, len(p.groups))
	for name := range p.groups {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// group gives a group by folded name, also the root.
func (p *policy) group(name, tenantID string) managementGroup {
	if g := p.groups[name]; g != nil {
		return *g
	}
	return managementGroup{Name: tenantID, DisplayName: rootDisplayName, Version: 1}
}

func (p *policy) briefGroup(name, tenantID string) *Resource {
	g := p.group(name, tenantID)
	return &Resource{
		ID: managementGroupPath + g.Name, Name: g.Name, Type: typeManagementGroup,
		Properties: raw(map[string]string{"tenantId": tenantID, "displayName": g.DisplayName}),
	}
}

// parentOf describes a group as the parent of another.
func (p *policy) parentOf(name, tenantID string) map[string]any {
	g := p.group(name, tenantID)
	return map[string]any{"id": managementGroupPath + g.Name, "name": g.Name, "displayName": g.DisplayName}
}

func (p *Pipeline) showManagementGroup(ctx context.Context, c *Call, name string) (*Resource, error) {
	root := c.run.judged.root
	g := root.group(name, c.TenantID)
	details := map[string]any{"version": g.Version, "updatedTime": stamp(g.Updated), "updatedBy": g.By}
	if name != root.rootGroup {
		details["parent"] = root.parentOf(g.Parent, c.TenantID)
	}
	props := map[string]any{"tenantId": c.TenantID, "displayName": g.DisplayName, "details": details}
	expand := strings.ToLower(c.Query("$expand"))
	switch expand {
	case "":
	case "path", "ancestors":
		path := []map[string]any{}
		above := root.above(managementGroupFold + name)
		for i := range above {
			at := above[i]
			if expand == "path" {
				at = above[len(above)-1-i]
			}
			a := root.group(strings.TrimPrefix(at, managementGroupFold), c.TenantID)
			path = append(path, map[string]any{"name": a.Name, "displayName": a.DisplayName})
		}
		if expand == "path" {
			path = append(path, map[string]any{"name": g.Name, "displayName": g.DisplayName})
		}
		props[map[string]string{"path": "path", "ancestors": "managementGroupAncestorsChain"}[expand]] = path
	case "children":
		children, err := p.childrenOf(ctx, c, name, strings.EqualFold(c.Query("$recurse"), "true"))
		if err != nil {
			return nil, err
		}
		props["children"] = children
	default:
		return nil, fault.New(fault.Invalid, "BadRequest", "$expand of a management group is children, path or ancestors, not '%s'.", clip(expand))
	}
	return &Resource{ID: managementGroupPath + g.Name, Name: g.Name, Type: typeManagementGroup, Properties: raw(props), Created: g.Created}, nil
}

// managedChild is a group or subscription below a group.
type managedChild struct {
	Type        string         `json:"type"`
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	DisplayName string         `json:"displayName"`
	Children    []managedChild `json:"children,omitempty"`

	parent string
}

// childrenOf lists what is right below a group, or with deep everything.
func (p *Pipeline) childrenOf(ctx context.Context, c *Call, name string, deep bool) ([]managedChild, error) {
	root := c.run.judged.root
	out := []managedChild{}
	for _, child := range root.groupNames() {
		g := root.groups[child]
		if g.Parent != name {
			continue
		}
		m := managedChild{Type: typeManagementGroup, ID: managementGroupPath + g.Name, Name: g.Name, DisplayName: g.DisplayName, parent: name}
		if deep {
			var err error
			if m.Children, err = p.childrenOf(ctx, c, child, true); err != nil {
				return nil, err
			}
		}
		out = append(out, m)
	}
	err := p.eachSubscription(ctx, func(shard string) error {
		pol, err := p.policies.Get(ctx, shard, shard)
		if id := strings.TrimPrefix(shard, "sub/"); err == nil && strings.EqualFold(pol.tenantID, c.TenantID) && root.groupFor(id) == name {
			out = append(out, managedChild{Type: "/subscriptions", ID: "/subscriptions/" + id, Name: id, DisplayName: pol.subName, parent: name})
		}
		return err
	})
	return out, err
}

func (p *Pipeline) listDescendants(ctx context.Context, c *Call) (any, error) {
	tree, err := p.childrenOf(ctx, c, strings.ToLower(c.ID.Name()), true)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	var walk func(list []managedChild)
	walk = func(list []managedChild) {
		for _, m := range list {
			parent := c.run.judged.root.group(m.parent, c.TenantID)
			out = append(out, map[string]any{"id": m.ID, "type": m.Type, "name": m.Name, "properties": map[string]any{
				"displayName": m.DisplayName, "parent": map[string]string{"id": managementGroupPath + parent.Name},
			}})
			walk(m.Children)
		}
	}
	walk(tree)
	return map[string]any{"value": out}, nil
}

// putManagementGroup makes a group, changes its name for people, or moves it below another parent. It serves PATCH too: what is not sent stays.
func (p *Pipeline) putManagementGroup(ctx context.Context, c *Call) error {
	root, name := c.run.judged.root, c.ID.Name()
	folded := strings.ToLower(name)
	if len(name) > maxManagedName || !plainWord(strings.NewReplacer("(", "", ")", "").Replace(name)) {
		return fault.New(fault.Invalid, "InvalidManagementGroupName", "The name '%s' is not valid: a management group's has 1 to %d letters, digits, '-', '_', '.', '(' and ')'.", clip(name), maxManagedName)
	}
	if folded == root.rootGroup {
		return fault.New(fault.Invalid, "BadRequest", "The tenant's root management group can't be changed on this platform.")
	}
	now := p.deps.Clock.Now()
	g := managementGroup{Name: name, DisplayName: name, Parent: root.rootGroup, Created: now}
	was := root.groups[folded]
	if was != nil {
		g = *was
	} else if len(root.groups) >= maxManaged {
		return fault.New(fault.Conflict, "ManagementGroupLimitExceeded", "The tenant has %d management groups; there can be no more.", maxManaged)
	}
	props := c.Body.Object("properties")
	if props == nil {
		props = c.Body // PATCH sends displayName and parentGroupId at the top
	}
	if d := props.String("displayName"); d != "" {
		g.DisplayName = d
	}
	parent := props.Object("details").Object("parent").String("id")
	if parent == "" {
		parent = props.String("parentGroupId")
	}
	if parent != "" {
		to, ok := managementGroupOf(strings.ToLower(parent))
		if !ok || !root.hasGroup(to) {
			return noManagementGroup(clip(parent))
		}
		if to == folded || within(root, to, folded) {
			return fault.New(fault.Invalid, "BadRequest", "The management group '%s' can't be below itself.", name)
		}
		g.Parent = to
	}
	if root.depth(g.Parent)+1+root.height(folded) > maxGroupDepth {
		return fault.New(fault.Invalid, "BadRequest", "Management groups can be %d levels deep below the root.", maxGroupDepth)
	}
	if err := p.mayReparent(ctx, c, was, g.Parent); err != nil {
		return err
	}
	g.Version++
	g.Updated, g.By = now, c.Principal.ObjectID
	return p.prepareGroup(ctx, c, g, was == nil)
}

// within tells whether the group name is below the group above.
func within(root *policy, name, above string) bool {
	for g := root.groups[name]; g != nil; g = root.groups[g.Parent] {
		if g.Parent == above {
			return true
		}
	}
	return false
}

// mayReparent demands the right to write the parent a group leaves and the one it comes to. The root is open to all, as on Azure.
func (p *Pipeline) mayReparent(ctx context.Context, c *Call, was *managementGroup, to string) error {
	root := c.run.judged.root
	if was != nil && was.Parent == to {
		return nil
	}
	parents := []string{to}
	if was != nil {
		parents = append(parents, was.Parent)
	}
	for _, name := range parents {
		if name == root.rootGroup {
			continue
		}
		if err := p.linked(ctx, c.Request, typeManagementGroup+"/write", managementGroupPath+name); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pipeline) prepareGroup(ctx context.Context, c *Call, g managementGroup, fresh bool) error {
	rows := managedRows{}
	var err error
	if rows.group, err = managedCodec.Encode(g); err != nil {
		return err
	}
	if fresh {
		_, kind, _, err := p.deps.Directory.FindPrincipal(ctx, c.Principal.ObjectID)
		if err != nil {
			return err
		}
		a := assignment{
			Name: ids.New(), Scope: c.ID.String(), RoleID: rbac.OwnerID, PrincipalID: strings.ToLower(c.Principal.ObjectID), PrincipalType: principalType(kind),
			PrincipalTenant: c.Principal.TenantID, Created: g.Created, Updated: g.Created, By: c.Principal.ObjectID,
		}
		a.ID = a.Scope + "/providers/" + typeAssignment + "/" + a.Name
		rows.ownerKey = scopedKey(tagAssignment, c.ID.Fold(), a.Name)
		if rows.owner, err = assignmentCodec.Encode(a); err != nil {
			return err
		}
	}
	c.Prepared = rows
	details := map[string]any{"version": g.Version, "updatedTime": stamp(g.Updated), "updatedBy": g.By, "parent": c.run.judged.root.parentOf(g.Parent, c.TenantID)}
	c.New.Name, c.New.ETag = g.Name, ""
	c.New.Properties = raw(map[string]any{"tenantId": c.TenantID, "displayName": g.DisplayName, "details": details})
	return nil
}
