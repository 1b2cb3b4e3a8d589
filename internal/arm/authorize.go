package arm

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// run is what the pipeline itself knows of a call: what it decided on, to be confirmed in the transaction of a write.
type run struct {
	p      *Pipeline
	e      *endpoint
	home   string // shard of what the action is judged by
	shard  string // shard of what is written: the same, but for types whose rows are in the tenant
	scope  string // folded: what the action is judged at
	filter bool   // a list that shows only what the caller may read

	judged    judgement
	groupRow  []byte // as stored; nil: absent
	parentRow []byte
	ownRow    []byte
	group     *Resource
	moving    bool    // the group takes part in a move
	hidden    bool    // the resource is about to arrive here and still seen where it comes from
	version   *uint64 // of the policy it was judged by; shared with the deletions that are part of this one
	committed bool
	lsn       store.LSN // of the last commit
	removes   bool      // a deletion
	op        string    // RBAC action of what is removed with something else; "" = the endpoint's
}

// authorize is the stage between token and body: who may do it, does it exist, is it locked.
func (e endpoint) authorize(ctx context.Context, r *wire.Request) error {
	id, err := e.id(r)
	if err != nil {
		return err
	}
	c := &Call{Request: r, Type: e.typ, ID: id, Version: e.typ.nearest(r.APIVersion), run: &run{p: e.p, e: &e}}
	r.State, r.Resource = c, id.String()
	c.run.scope = id.Fold()
	c.run.shard = tenantShard(r.Principal.TenantID)
	c.TenantID = r.Principal.TenantID
	if id.Subscription != "" {
		c.run.shard = subShard(id.Subscription)
	}
	c.run.home = c.run.shard
	return c.run.check(ctx, c)
}

// check decides everything that comes before the body. It runs again when a write finds that something changed meanwhile.
func (u *run) check(ctx context.Context, c *Call) error {
	if err := u.allow(ctx, c); err != nil {
		return err
	}
	if err := u.load(ctx, c); err != nil {
		return err
	}
	if u.moving && u.changes() {
		return groupMoving(c.ID.ResourceGroup)
	}
	if err := u.exists(c); err != nil {
		return err
	}
	return u.unlocked(c)
}

// allow makes sure that the caller may do it.
func (u *run) allow(ctx context.Context, c *Call) error {
	var err error
	if u.judged, err = u.p.judge(ctx, c.Principal, u.e.operation, false, u.scope, u.home); err != nil {
		return err
	}
	if u.judged.own.tenantID != "" {
		c.TenantID = u.judged.own.tenantID
	}
	version := u.judged.own.version
	if c.Type.inTenant && u.judged.root != u.judged.own {
		version, u.shard = u.judged.root.version, tenantShard(c.TenantID)
	}
	u.version = &version
	c.Auth = u.judged.decision()
	if !c.Auth.Allowed && !c.Auth.Denied && c.Type.open != nil {
		if by := c.Type.open(c); by != "" {
			c.Auth = Decision{Allowed: true, By: by}
		}
	}
	switch {
	case c.Auth.Allowed:
		c.AllowedBy = c.Auth.By
		return nil
	case u.e.kind == onCollection && !c.Auth.Denied && u.judged.known(principalsOf(c.Principal), c.ID.Parent().Fold()):
		u.filter = true // a list shows what may be read of it
		c.AllowedBy = "roles at or below " + c.ID.Parent().String()
		return nil
	}
	return refusal(c.Principal, u.e.operation, c.ID.String(), u.judged.Denial)
}

// refusal words the 403. It is the same for a scope that does not exist.
func refusal(who *authn.Principal, action, scope string, d *rbac.Denial) error {
	client := who.AppID
	if client == "" {
		client = who.Name
	}
	if d != nil {
		return fault.New(fault.Forbidden, "DenyAssignmentAuthorizationFailed",
			"The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, the access is denied because of the deny assignment with id '%s' at scope '%s'.",
			client, who.ObjectID, action, scope, d.ID, d.Scope)
	}
	return fault.New(fault.Forbidden, "AuthorizationFailed",
		"The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		client, who.ObjectID, action, scope)
}

// load reads the group, the parent and the resource.
func (u *run) load(ctx context.Context, c *Call) error {
	u.group, u.groupRow, u.parentRow, u.ownRow, u.moving, u.hidden = nil, nil, nil, nil, false, false
	c.Parent, c.Old, c.New, c.Prepared = nil, nil, nil, nil
	groupKey, parentKey, ownKey := u.keys(c)
	var mark []byte
	markKey := u.moveKey(c)
	err := u.p.deps.Store.View(ctx, u.shard, func(s store.Snapshot) error {
		for _, row := range []struct {
			key []byte
			to  *[]byte
		}{{groupKey, &u.groupRow}, {parentKey, &u.parentRow}, {ownKey, &u.ownRow}, {markKey, &mark}} {
			if row.key == nil {
				continue
			}
			b, err := s.Get(row.key)
			if err != nil {
				return err
			}
			*row.to = bytes.Clone(b)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if mark != nil {
		if err := u.move(ctx, c, mark); err != nil {
			return err
		}
	}
	if u.groupRow != nil {
		g, err := resourceCodec.Decode(u.groupRow)
		if err != nil {
			return err
		}
		u.group = &g
		if c.ID.Scope == "" { // what is made here gets the group's name as it was created
			c.ID.ResourceGroup = g.Name
		}
	}
	if u.parentRow != nil && len(c.ID.Types) > 1 {
		parent, err := resourceCodec.Decode(u.parentRow)
		if err != nil {
			return err
		}
		c.Parent = &parent
	}
	if c.Type.virtual() {
		if c.ID.Collection() || u.e.kind == onCollectionAction || u.hidden || u.missing(parentKey, u.parentRow) || u.missing(groupKey, u.groupRow) {
			return nil
		}
		c.Old, err = c.Type.Get(ctx, c)
		return err
	}
	if u.ownRow != nil {
		old, err := resourceCodec.Decode(u.ownRow)
		if err != nil {
			return err
		}
		c.Old = &old
		if ids := c.ID.Names; len(ids) > 0 {
			c.ID.Names[len(ids)-1] = old.Name // the casing it was created with
		}
	}
	return nil
}

func (u *run) missing(key, row []byte) bool { return key != nil && row == nil }

// keys gives the rows a call depends on; nil where there is none. The parent of a resource right below its group is the group.
func (u *run) keys(c *Call) (group, parent, own []byte) {
	id := c.ID
	if c.Type.inTenant {
		return nil, nil, nil
	}
	if id.ResourceGroup != "" && id.Namespace != "" {
		group = resourceKey(ID{Subscription: id.Subscription, ResourceGroup: id.ResourceGroup}.Fold())
	}
	if id.Namespace == "" && (u.e.kind == onCollection || u.e.kind == onCollectionAction) {
		return group, nil, nil
	}
	if len(id.Types) > 1 || id.Extension {
		p := id.Parent()
		// A view of something else has no row: its Get is asked by the type itself. Tenant scope has none either, nor what no type is there for (a region).
		if p.Namespace != "" && !u.p.virtualType(p) && (id.Extension || u.p.byName[strings.ToLower(p.Type())] != nil) || p.Namespace == "" && p.Subscription != "" {
			parent = resourceKey(p.Fold())
		}
	}
	if !id.Collection() && !c.Type.virtual() {
		own = resourceKey(id.Fold())
	}
	return group, parent, own
}

func (p *Pipeline) virtualType(id ID) bool {
	t := p.byName[strings.ToLower(id.Type())]
	return t != nil && t.virtual()
}

// exists words what is missing.
func (u *run) exists(c *Call) error {
	group, parent, _ := u.keys(c)
	if u.missing(group, u.groupRow) {
		return noGroup(c.ID.ResourceGroup)
	}
	if u.missing(parent, u.parentRow) || u.hidden && (len(c.ID.Types) > 1 || c.ID.Extension) {
		if p := c.ID.Parent(); c.ID.Extension && len(c.ID.Types) == 1 {
			if p.Namespace != "" && u.p.byName[strings.ToLower(p.Type())] == nil {
				return u.p.unknownType(p, c.Version)
			}
			return noResource(p)
		}
		return fault.New(fault.NotFound, "ParentResourceNotFound",
			"Failed to perform '%s' on resource(s) of type '%s', because the parent resource '%s' could not be found.", verbOf(u.e.operation), c.Type.name(), c.ID.Parent())
	}
	needs := u.e.kind == onAction && (u.e.act == nil || !u.e.act.Absent) || u.e.kind == onInstance && u.e.method != http.MethodPut && u.e.method != http.MethodDelete
	if needs && c.Old == nil {
		if c.Type.Name == typeGroup {
			return noGroup(c.ID.ResourceGroup)
		}
		return noResource(c.ID)
	}
	return nil
}

func noGroup(name string) error {
	return fault.New(fault.NotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", name)
}

func noResource(id ID) error {
	if id.ResourceGroup == "" {
		return fault.New(fault.NotFound, "ResourceNotFound", "The Resource '%s' was not found.", id)
	}
	_, types, _ := strings.Cut(id.Type(), "/")
	return fault.New(fault.NotFound, "ResourceNotFound",
		"The Resource '%s/%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
		id.Namespace+"/"+types, strings.Join(id.Names, "/"), id.ResourceGroup)
}

// verbOf is the last word of an operation: read, write, delete or action.
func verbOf(operation string) string {
	return operation[strings.LastIndexByte(operation, '/')+1:]
}

// changes tells whether the call may change what is stored; writes also counts actions that only show what not everybody may see.
func (u *run) changes() bool {
	if u.e.kind == onAction && u.e.act != nil {
		return u.e.act.Writes
	}
	return u.writes()
}

// moveKey is where the mark of the call's group is, if a move is under way.
func (u *run) moveKey(c *Call) []byte {
	if c.ID.ResourceGroup == "" || c.Type.inTenant {
		return nil
	}
	return moveKey(groupOf(c.ID).Fold())
}

// move takes the mark of the call's group into account.
func (u *run) move(ctx context.Context, c *Call, row []byte) error {
	u.moving = true
	m, err := moveCodec.Decode(row)
	if err != nil || !m.hides(u.scope) {
		return err
	}
	if u.hidden, err = u.p.unseen(ctx, &m); u.hidden {
		u.parentRow, u.ownRow = nil, nil
	}
	return err
}

// writes tells whether the call changes something, reading aside.
func (u *run) writes() bool {
	switch u.e.kind {
	case onInstance:
		return u.e.method == http.MethodPut || u.e.method == http.MethodPatch || u.e.method == http.MethodDelete
	case onAction:
		return u.e.method != http.MethodGet
	case onCollectionAction:
		return u.e.act.Writes
	}
	return false
}

// unlocked refuses what a lock at the scope, above it or, for a deletion, below it forbids. Locks themselves are not locked.
func (u *run) unlocked(c *Call) error {
	if !u.writes() || u.e.typ.Name == typeLock {
		return nil
	}
	by := u.judged.own.lockedBy(u.scope, u.e.kind == onInstance && u.e.method == http.MethodDelete)
	if len(by) == 0 {
		return nil
	}
	return scopeLocked(c.ID.String(), verbOf(u.e.operation), by)
}

// lockedBy gives the scopes of the locks that forbid a write, or a deletion, at a folded scope.
func (p *policy) lockedBy(scope string, deletes bool) (by []string) {
	for i, l := range p.locks {
		s := p.lockScopes[i]
		applies := rbac.Within(scope, s) || deletes && rbac.Within(s, scope)
		if applies && (deletes || l.Level == readOnly) {
			by = append(by, l.Scope)
		}
	}
	return by
}

func scopeLocked(scope, verb string, by []string) error {
	return fault.New(fault.Conflict, "ScopeLocked",
		"The scope '%s' cannot perform %s operation because following scope(s) are locked: '%s'. Please remove the lock and try again.", scope, verb, strings.Join(by, "','"))
}

// deletingGroup tells whether the call's group is on its way out.
func (u *run) deletingGroup() bool { return u.group != nil && u.group.deleting() }

// name is the type as answers show it.
func (t *Type) name() string {
	if t.Name == typeGroup {
		return "Microsoft.Resources/resourceGroups"
	}
	return t.Name
}
