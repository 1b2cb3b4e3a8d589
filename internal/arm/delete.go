package arm

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// delete removes a resource and what is below it, in steps: the deepest first, each in a transaction of its own with its own activity-log record. A group's
// deletion is a long operation: see beginGroup.
func (p *Pipeline) delete(ctx context.Context, c *Call) (any, error) {
	if c.Type.Name != typeGroup {
		return p.again(ctx, c, func() (any, error) { return p.deleteOnce(ctx, c) })
	}
	var op *operation
	v, err := p.again(ctx, c, func() (any, error) {
		var err error
		op, err = p.beginGroup(ctx, c)
		return wire.Reply{Status: http.StatusNoContent}, err
	})
	if err != nil || op == nil {
		return v, err
	}
	return p.await(ctx, c, *op, http.StatusOK)
}

// beginGroup asks everything in a group whether it may go and marks the group as on its way out, with the operation that deletes it: from here on it refuses new
// members. If a step fails later, what is left stays and the group is open again; after a crash the operation goes on at the next start. nil: there is no
// such group.
func (p *Pipeline) beginGroup(ctx context.Context, c *Call) (*operation, error) {
	if c.Old == nil {
		return nil, nil
	}
	if err := precondition(c); err != nil {
		return nil, err
	}
	if m := c.Old.mark(); m.Operation != "" { // under way
		op, err := p.loadOperation(ctx, c.run.shard, m.Operation)
		if err != nil {
			return nil, err
		}
		if op != nil && op.Status == opRunning {
			return op, nil
		}
	}
	if _, err := p.agree(ctx, c); err != nil {
		return nil, err
	}
	op := p.newOperation(c, ids.New())
	row, err := operationCodec.Encode(op)
	if err != nil {
		return nil, err
	}
	closing := *c.Old
	closing.Private = raw(groupMark{Deleting: true, Operation: op.ID})
	group, err := resourceCodec.Encode(closing)
	if err != nil {
		return nil, err
	}
	_, err = p.deps.Store.Update(ctx, c.run.shard, func(tx store.Tx) error {
		if err := c.run.unchanged(tx, c); err != nil {
			return err
		}
		if err := tx.Put(operationKey(op.ID), row); err != nil {
			return err
		}
		return tx.Put(resourceKey(c.ID.Fold()), group)
	})
	return &op, err
}

func (p *Pipeline) loadOperation(ctx context.Context, shard, id string) (*operation, error) {
	var row []byte
	err := p.deps.Store.View(ctx, shard, func(s store.Snapshot) error {
		b, err := s.Get(operationKey(id))
		row = bytes.Clone(b)
		return err
	})
	if err != nil || row == nil {
		return nil, err
	}
	op, err := operationCodec.Decode(row)
	return &op, err
}

func (p *Pipeline) deleteOnce(ctx context.Context, c *Call) (any, error) {
	if c.Old == nil {
		return wire.Reply{Status: http.StatusNoContent}, nil
	}
	if err := precondition(c); err != nil {
		return nil, err
	}
	if c.Type.Delete != nil {
		if err := c.Type.Delete(ctx, c); err != nil {
			return nil, err
		}
	}
	below, err := p.agree(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, cc := range below {
		if err := p.removeOne(ctx, cc); err != nil {
			return nil, err // stale: somebody else removed or changed it, so look again from the top
		}
	}
	if err := p.removeOne(ctx, c); err != nil {
		return nil, err
	}
	if c.Type.Name == typeAssignment || c.Type.Name == typeDefinition { // its clients expect to be shown what is gone
		return p.reply(ctx, c, c.Old, http.StatusOK)
	}
	status := c.Type.OnDelete
	if status == 0 {
		status = http.StatusOK
	}
	return wire.Reply{Status: status}, nil
}

// openGroup takes the mark off a group that could not be deleted.
func (p *Pipeline) openGroup(ctx context.Context, c *Call) error {
	key := resourceKey(c.ID.Fold())
	var old []byte
	err := p.deps.Store.View(ctx, c.run.shard, func(s store.Snapshot) error {
		b, err := s.Get(key)
		old = bytes.Clone(b)
		return err
	})
	if err != nil || old == nil {
		return err
	}
	group, err := resourceCodec.Decode(old)
	if err != nil || !group.deleting() {
		return err
	}
	group.Private = nil
	row, err := resourceCodec.Encode(group)
	if err != nil {
		return err
	}
	_, err = p.deps.Store.Update(ctx, c.run.shard, func(tx store.Tx) error {
		now, err := tx.Get(key)
		if err != nil || !bytes.Equal(now, old) {
			return err // somebody else has it in hand
		}
		return tx.Put(key, row)
	})
	return err
}

// deleting tells whether a group is on its way out.
func (r *Resource) deleting() bool { return r.mark().Deleting }

// agree gives the deletions of every resource below the call's, deepest first, having asked each type.
func (p *Pipeline) agree(ctx context.Context, c *Call) ([]*Call, error) {
	below, err := p.below(ctx, c)
	if err != nil {
		return nil, err
	}
	calls := make([]*Call, 0, len(below))
	for _, r := range below {
		cc, err := p.childCall(ctx, c, r)
		if err != nil {
			return nil, err
		}
		if cc == nil {
			continue
		}
		if cc.Type.Delete != nil {
			if err := cc.Type.Delete(ctx, cc); err != nil {
				return nil, err
			}
		}
		calls = append(calls, cc)
	}
	return calls, nil
}

// below lists the stored resources below the call's, deepest first, then by their types' ranks.
func (p *Pipeline) below(ctx context.Context, c *Call) ([]*Resource, error) {
	var out []*Resource
	var failed error
	prefix := []byte(tagResource + c.ID.Fold() + "/")
	err := p.deps.Store.View(ctx, c.run.shard, func(s store.Snapshot) error {
		out = nil
		return s.Scan(store.Prefix(prefix), func(_, v []byte) bool {
			var r Resource
			if r, failed = resourceCodec.Decode(v); failed != nil {
				return false
			}
			out = append(out, &r)
			return true
		})
	})
	if err == nil {
		err = failed
	}
	slices.SortStableFunc(out, func(a, b *Resource) int {
		return cmp.Or(cmp.Compare(strings.Count(b.ID, "/"), strings.Count(a.ID, "/")), cmp.Compare(p.rank(a), p.rank(b)))
	})
	return out, err
}

func (p *Pipeline) rank(r *Resource) int {
	if t := p.byName[strings.ToLower(r.Type)]; t != nil {
		return t.Rank
	}
	return 0
}

// childCall is the deletion of r as part of the deletion of c; nil if r went away meanwhile.
func (p *Pipeline) childCall(ctx context.Context, c *Call, r *Resource) (*Call, error) {
	id, err := ParseID(r.ID)
	if err != nil {
		return nil, err
	}
	t := p.byName[strings.ToLower(id.Type())]
	if t == nil {
		return nil, p.unknownType(id, c.Version)
	}
	cc := &Call{
		Request: c.Request, Type: t, ID: id, TenantID: c.TenantID, Version: t.nearest(c.Version), Auth: c.Auth,
		run: &run{p: p, e: c.run.e, home: c.run.home, shard: c.run.shard, scope: id.Fold(), judged: c.run.judged, version: c.run.version, op: t.action("delete")},
	}
	if err := cc.run.load(ctx, cc); err != nil {
		return nil, err
	}
	if cc.Old == nil {
		return nil, nil
	}
	return cc, nil
}

func (p *Pipeline) removeOne(ctx context.Context, c *Call) error {
	c.New, c.run.removes = nil, true
	return c.run.write(ctx, c, http.StatusOK, func(tx store.Tx) error {
		if c.Type.CommitDelete == nil {
			return nil
		}
		return c.Type.CommitDelete(tx, c)
	})
}

// operation is the RBAC action of the call, also for what is removed with something else.
func (u *run) operation() string {
	if u.op != "" {
		return u.op
	}
	return u.e.operation
}
