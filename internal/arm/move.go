package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	maxMoved  = 800  // resources in one request, as on Azure
	maxMoving = 4000 // rows, what is below the resources included
)

func (p *Pipeline) moveRoutes() []wire.Route {
	const first = "2014-04-01"
	return []wire.Route{
		p.plain(http.MethodPost, groupPath+"/moveResources", typeGroup+"/moveResources/action", first, func(ctx context.Context, r *wire.Request) (any, error) {
			return p.moveResources(ctx, r, true)
		}),
		p.plain(http.MethodPost, groupPath+"/validateMoveResources", typeGroup+"/validateMoveResources/action", first, func(ctx context.Context, r *wire.Request) (any, error) {
			return p.moveResources(ctx, r, false)
		}),
		p.plain(http.MethodPost, groupPath+"/exportTemplate", typeGroup+"/exportTemplate/action", first, func(ctx context.Context, r *wire.Request) (any, error) {
			c, err := p.scopeCall(ctx, r, r.Route.Operation)
			if err == nil {
				err = readOptionalBody(c)
			}
			if err != nil {
				return nil, err
			}
			return nil, fault.New(fault.NotImplemented, "NotImplemented", "Exporting a resource group as a template (exportTemplate) is not implemented by this platform.")
		}),
	}
}

// moving is a request to move resources from one group of a subscription to another.
type moving struct {
	from, to ID
	roots    []string // folded ids of the resources asked for
	target   []byte   // the target group as stored
	rows     []movingRow
}

// movingRow is one resource's row at its place before and after.
type movingRow struct {
	oldKey, old, newKey, fresh []byte
	oldScope, newScope         string
	effect                     []byte
}

// moveResources moves resources, with everything below them, to another group of the same subscription, all in one transaction. Locks go with them, role
// assignments at them do not, as on Azure. Only types that keep nothing bound to a resource's id can be moved.
func (p *Pipeline) moveResources(ctx context.Context, r *wire.Request, really bool) (any, error) {
	c, err := p.scopeCall(ctx, r, r.Route.Operation)
	if err != nil {
		return nil, err
	}
	return p.again(ctx, c, func() (any, error) {
		m, err := p.readMove(ctx, c)
		if err != nil {
			return nil, err
		}
		if err := p.movable(c, m); err != nil {
			return nil, err
		}
		if !really {
			return nil, nil
		}
		return nil, c.run.write(ctx, c, http.StatusNoContent, func(tx store.Tx) error { return m.commit(tx) })
	})
}

// readMove reads what a request wants moved, and everything it concerns.
func (p *Pipeline) readMove(ctx context.Context, c *Call) (*moving, error) {
	if err := readBody(c); err != nil {
		return nil, err
	}
	var resources []string
	if err := c.Body.Decode("resources", &resources); err != nil {
		return nil, err
	}
	if len(resources) == 0 || len(resources) > maxMoved {
		return nil, fault.New(fault.Invalid, "InvalidMoveResourceRequest", "A move names 1 to %d resources.", maxMoved)
	}
	to, err := ParseID(c.Body.String("targetResourceGroup"))
	if err != nil {
		return nil, err
	}
	switch {
	case to.ResourceGroup == "" || to.Namespace != "":
		return nil, fault.New(fault.Invalid, "InvalidMoveResourceRequest", "The targetResourceGroup '%s' is not the id of a resource group.", to)
	case to.Subscription != c.ID.Subscription:
		return nil, fault.New(fault.NotImplemented, "NotImplemented", "Moving resources to another subscription is not implemented by this platform; another resource group of the same one is.")
	case to.Fold() == c.ID.Fold():
		return nil, fault.New(fault.Invalid, "InvalidMoveResourceRequest", "The source and the target resource group of a move are the same.")
	}
	if err := p.linked(ctx, c.Request, typeGroup+"/write", to.String()); err != nil {
		return nil, err
	}
	m := &moving{from: c.ID, to: to}
	for _, s := range resources {
		id, err := ParseID(s)
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(id.ResourceGroup, c.ID.ResourceGroup) || id.Subscription != c.ID.Subscription || len(id.Types) != 1 || len(id.Names) != 1 || id.Extension {
			return nil, fault.New(fault.Invalid, "InvalidMoveResourceRequest", "'%s' is not a resource right in the resource group '%s'.", id, c.ID.ResourceGroup)
		}
		m.roots = append(m.roots, id.Fold())
	}
	return m, p.loadMove(ctx, c, m)
}

// loadMove reads the target group and the rows to be moved.
func (p *Pipeline) loadMove(ctx context.Context, c *Call, m *moving) error {
	err := p.deps.Store.View(ctx, c.run.shard, func(s store.Snapshot) error {
		m.rows = nil
		b, err := s.Get(resourceKey(m.to.Fold()))
		if err != nil {
			return err
		}
		m.target = bytes.Clone(b)
		for _, root := range m.roots {
			key := resourceKey(root)
			if b, err = s.Get(key); err != nil {
				return err
			}
			if b != nil {
				m.rows = append(m.rows, movingRow{oldKey: key, old: bytes.Clone(b)})
			}
			err := s.Scan(store.Prefix(append(bytes.Clone(key), '/')), func(k, v []byte) bool {
				m.rows = append(m.rows, movingRow{oldKey: bytes.Clone(k), old: bytes.Clone(v)})
				return len(m.rows) <= maxMoving
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if m.target == nil {
		return noGroup(m.to.ResourceGroup)
	}
	group, err := resourceCodec.Decode(m.target)
	if err != nil {
		return err
	}
	if m.to.ResourceGroup = group.Name; group.deleting() || c.Old.deleting() {
		return fault.New(fault.Conflict, "ResourceGroupBeingDeleted", "A resource group of the move is in deprovisioning state.")
	}
	if len(m.rows) > maxMoving {
		return fault.New(fault.Invalid, "InvalidMoveResourceRequest", "The move concerns more than %d resources; move fewer at a time.", maxMoving)
	}
	now := p.deps.Clock.Now()
	for i := range m.rows {
		row := &m.rows[i]
		old, err := resourceCodec.Decode(row.old)
		if err != nil {
			return err
		}
		if err := p.placeMoved(c, m, row, &old); err != nil {
			return err
		}
		fresh := old
		fresh.ID, fresh.Changed, fresh.By, fresh.ETag = row.newScope, now, c.Principal.ObjectID, ids.New()
		row.oldScope, row.newKey, row.newScope = strings.ToLower(old.ID), resourceKey(strings.ToLower(fresh.ID)), fresh.ID
		if row.fresh, err = resourceCodec.Encode(fresh); err != nil {
			return err
		}
		t := p.byName[strings.ToLower(old.Type)]
		if t.Applied != nil || t.HostNames != nil {
			effect := effectRow{Type: t.Name, ID: fresh.ID, TenantID: c.TenantID, Cause: c.CorrelationID, Old: &old, New: &fresh}
			if row.effect, err = json.Marshal(effect); err != nil {
				return err
			}
		}
	}
	return nil
}

// placeMoved finds the new id of a row and makes sure that its type and identity let it have one.
func (p *Pipeline) placeMoved(_ *Call, m *moving, row *movingRow, old *Resource) error {
	id, err := ParseID(old.ID)
	if err != nil {
		return err
	}
	root := id
	root.Types, root.Names = id.Types[:1], id.Names[:1]
	if t := p.byName[strings.ToLower(root.Type())]; t == nil || !t.Movable {
		return fault.New(fault.Conflict, "ResourceMoveNotSupported", "Resources of the type '%s', such as '%s', can't be moved on this platform: what they consist of is bound to their id.", root.Type(), root)
	}
	if old.Identity != nil && old.Identity.Type != noIdentity {
		return fault.New(fault.Conflict, "ResourceMoveNotSupported", "The resource '%s' of the type '%s' has a managed identity, whose tokens name its id; it can't be moved on this platform.", old.ID, old.Type)
	}
	id.ResourceGroup = m.to.ResourceGroup
	row.newScope = id.String()
	if len(row.newScope) > maxID {
		return badID(row.newScope, "it would be too long")
	}
	return nil
}

// movable makes sure that every resource asked for is there and that no lock is in the way: of the source and the target a ReadOnly one, of the resources any
// deny assignment too.
func (p *Pipeline) movable(c *Call, m *moving) error {
	for _, root := range m.roots {
		found := false
		for i := range m.rows {
			found = found || m.rows[i].oldScope == root
		}
		if !found {
			id, err := ParseID(root)
			if err != nil {
				return err
			}
			return noResource(id)
		}
	}
	pol := c.run.judged.own
	for i := range pol.locks {
		at := pol.lockScopes[i]
		hit := rbac.Within(m.to.Fold(), at)
		for _, root := range m.roots {
			hit = hit || rbac.Within(at, root)
		}
		if hit && pol.locks[i].Level == readOnly {
			return fault.New(fault.Conflict, "ScopeLocked",
				"The scope '%s' cannot perform write operation because following scope(s) are locked: '%s'. Please remove the lock and try again.", m.to, pol.locks[i].Scope)
		}
	}
	for i := range pol.denials {
		for _, root := range m.roots {
			if rbac.Within(strings.ToLower(pol.denials[i].Scope), root) {
				return fault.New(fault.Conflict, "ResourceMoveNotSupported", "The resource '%s' has the deny assignment '%s' and can't be moved.", root, pol.denials[i].ID)
			}
		}
	}
	return nil
}

// commit moves the rows, the locks with them; role assignments at the resources go.
func (m *moving) commit(tx store.Tx) error {
	target, err := tx.Get(resourceKey(m.to.Fold()))
	if err != nil || !bytes.Equal(target, m.target) {
		return staleOr(err)
	}
	if n, err := m.count(tx); err != nil || n != len(m.rows) {
		return staleOr(err)
	}
	for i := range m.rows {
		row := &m.rows[i]
		have, err := tx.Get(row.oldKey)
		if err != nil || !bytes.Equal(have, row.old) {
			return staleOr(err)
		}
		taken, err := tx.Get(row.newKey)
		if err != nil {
			return err
		}
		if taken != nil {
			return fault.New(fault.Conflict, "ResourceMoveNameConflict", "The target resource group has a resource '%s' already.", row.newScope)
		}
		if err := tx.Delete(row.oldKey); err != nil {
			return err
		}
		if err := tx.Put(row.newKey, row.fresh); err != nil {
			return err
		}
		if row.effect != nil {
			id, _ := ParseID(row.newScope)
			if err := outbox.PutOrdered(tx, effectKind, id.top(), row.effect); err != nil {
				return err
			}
		}
	}
	return m.moveLocks(tx)
}

// count is the number of rows there are to move.
func (m *moving) count(tx store.Tx) (n int, err error) {
	for _, root := range m.roots {
		if b, err := tx.Get(resourceKey(root)); err != nil {
			return 0, err
		} else if b != nil {
			n++
		}
		if err := tx.Scan(store.Prefix(append(resourceKey(root), '/')), func(_, _ []byte) bool { n++; return true }); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (m *moving) moveLocks(tx store.Tx) error {
	from, to := m.from.Fold(), m.to.String()
	for _, root := range m.roots {
		var locks []lock
		var failed error
		err := tx.Scan(store.Prefix([]byte(tagLock+root)), func(_, v []byte) bool {
			var l lock
			if l, failed = lockCodec.Decode(v); failed == nil && rbac.Within(strings.ToLower(l.Scope), root) {
				locks = append(locks, l)
			}
			return failed == nil
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
		if _, err := removeScoped(tx, root); err != nil {
			return err
		}
		for _, l := range locks {
			l.ID, l.Scope = to+l.ID[len(from):], to+l.Scope[len(from):]
			row, err := lockCodec.Encode(l)
			if err != nil {
				return err
			}
			if err := tx.Put(scopedKey(tagLock, strings.ToLower(l.Scope), l.Name), row); err != nil {
				return err
			}
		}
	}
	return bumpVersion(tx)
}
