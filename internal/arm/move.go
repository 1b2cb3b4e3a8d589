package arm

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	maxMoved      = 800     // resources in one request, as on Azure
	maxMoving     = 4000    // rows, what is below the resources included
	maxMovedBytes = 6 << 20 // of all rows: a step of a move is one transaction, which also has rows for what follows
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

// moveResources moves resources, with everything below them, to another group of the tenant's: all of them or none. What would refuse the move is asked before anything
// is written; then it is a long operation, see performMove. Locks go along, role assignments at the resources do not, as on Azure.
func (p *Pipeline) moveResources(ctx context.Context, r *wire.Request, really bool) (any, error) {
	c, err := p.scopeCall(ctx, r, r.Route.Operation)
	if err != nil {
		return nil, err
	}
	var op operation
	v, err := p.again(ctx, c, func() (any, error) {
		order, err := p.readMove(ctx, c)
		if err != nil {
			return nil, err
		}
		op = p.newOperation(c, ids.New())
		op.Move = order
		m, err := p.mover(&op)
		if err != nil {
			return nil, err
		}
		if _, err := m.plan(ctx); err != nil || !really {
			return nil, err
		}
		return nil, p.beginMove(ctx, c, m)
	})
	if err != nil || !really {
		return v, err
	}
	return p.await(ctx, c, op, http.StatusNoContent)
}

// readMove reads what a request wants moved, and makes sure that the caller may move it there.
func (p *Pipeline) readMove(ctx context.Context, c *Call) (*moveOrder, error) {
	if err := readBody(c); err != nil {
		return nil, err
	}
	var resources []string
	if err := c.Body.Decode("resources", &resources); err != nil {
		return nil, err
	}
	if len(resources) == 0 || len(resources) > maxMoved {
		return nil, badMove("A move names 1 to %d resources.", maxMoved)
	}
	to, err := ParseID(c.Body.String("targetResourceGroup"))
	if err != nil {
		return nil, err
	}
	switch {
	case to.ResourceGroup == "" || to.Namespace != "":
		return nil, badMove("The targetResourceGroup '%s' is not the id of a resource group.", to)
	case to.Fold() == c.ID.Fold():
		return nil, badMove("The source and the target resource group of a move are the same.")
	case c.Old.deleting():
		return nil, fault.New(fault.Conflict, "ResourceGroupBeingDeleted", "The resource group '%s' is in deprovisioning state and cannot perform this operation.", c.Old.Name)
	}
	pol, err := p.policies.Get(ctx, subShard(to.Subscription), subShard(to.Subscription))
	if err != nil {
		return nil, err
	}
	if err := p.linked(ctx, c.Request, typeGroup+"/write", to.String()); err != nil {
		return nil, err
	}
	if !strings.EqualFold(pol.tenantID, c.TenantID) {
		return nil, fault.New(fault.Conflict, "CrossTenantMoveNotSupported", "The resource move operation is trying to perform a cross tenant move. Source subscription '%s' resides in tenant '%s' and "+
			"destination subscription '%s' resides in tenant '%s'. Such cross tenant move is not supported.", c.ID.Subscription, c.TenantID, to.Subscription, pol.tenantID)
	}
	order := &moveOrder{TenantID: c.TenantID, From: c.ID.String(), To: to.String(), Version: pol.version}
	seen := map[string]bool{}
	for _, s := range resources {
		id, err := ParseID(s)
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(id.ResourceGroup, c.ID.ResourceGroup) || id.Subscription != c.ID.Subscription || len(id.Types) != 1 || len(id.Names) != 1 || id.Extension {
			return nil, badMove("'%s' is not a resource right in the resource group '%s'.", id, c.ID.ResourceGroup)
		}
		if root := id.Fold(); !seen[root] {
			seen[root] = true
			order.Roots = append(order.Roots, root)
		}
	}
	return order, nil
}

func badMove(format string, args ...any) error {
	return fault.New(fault.Invalid, "InvalidMoveResourceRequest", format, args...)
}

// beginMove marks the source's group: from here on it refuses writes. The operation is stored with the mark.
func (p *Pipeline) beginMove(ctx context.Context, c *Call, m *mover) error {
	op, err := operationCodec.Encode(*m.op)
	if err != nil {
		return err
	}
	mark, err := moveCodec.Encode(moveMark{Operation: m.op.ID})
	if err != nil {
		return err
	}
	_, err = p.deps.Store.Update(ctx, c.run.shard, func(tx store.Tx) error {
		if err := c.run.unchanged(tx, c); err != nil {
			return err
		}
		if err := tx.Put(moveKey(m.from.Fold()), mark); err != nil {
			return err
		}
		return tx.Put(operationKey(m.op.ID), op)
	})
	return err
}

// unseen tells whether what a mark says to arrive is still seen where it comes from.
func (p *Pipeline) unseen(ctx context.Context, m *moveMark) (still bool, err error) {
	var row []byte
	err = p.deps.Store.View(ctx, m.Shard, func(s store.Snapshot) error {
		b, err := s.Get(moveKey(m.Group))
		row = bytes.Clone(b)
		return err
	})
	if err != nil || row == nil {
		return false, err
	}
	source, err := moveCodec.Decode(row)
	return source.Operation == m.Operation, err
}

// seen leaves out of a list of a shard what is about to arrive and still seen where it comes from. The marks are those of the same snapshot.
func (p *Pipeline) seen(ctx context.Context, shard string, list []*Resource, rows [][]byte) ([]*Resource, error) {
	var arriving []*moveMark
	leaving := map[string]bool{} // operations
	for _, row := range rows {
		m, err := moveCodec.Decode(row)
		if err != nil {
			return nil, err
		}
		if len(m.Tops) == 0 {
			leaving[m.Operation] = true
		} else {
			arriving = append(arriving, &m)
		}
	}
	for _, m := range arriving {
		still := leaving[m.Operation]
		if m.Shard != shard {
			var err error
			if still, err = p.unseen(ctx, m); err != nil {
				return nil, err
			}
		}
		if still {
			list = slices.DeleteFunc(list, func(r *Resource) bool { return m.hides(strings.ToLower(r.ID)) })
		}
	}
	return list, nil
}
