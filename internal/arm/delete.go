package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sort"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// delete removes a resource and what is below it, in steps: the deepest first, each in a transaction of its own with its own activity-log record. A group refuses
// new members from the first step on; a deletion that was cut off is taken up by the next one.
func (p *Pipeline) delete(ctx context.Context, c *Call) (any, error) {
	return p.again(ctx, c, func() (any, error) {
		if c.Old == nil {
			return wire.Reply{Status: http.StatusNoContent}, nil
		}
		if err := precondition(c); err != nil {
			return nil, err
		}
		if c.Type.Name == typeGroup {
			if err := p.closeGroup(ctx, c); err != nil {
				return nil, err
			}
		}
		if err := p.removeBelow(ctx, c); err != nil {
			return nil, err
		}
		return wire.Reply{Status: http.StatusOK}, p.removeOne(ctx, c)
	})
}

// closeGroup marks a group as on its way out.
func (p *Pipeline) closeGroup(ctx context.Context, c *Call) error {
	if bytes.Equal(c.Old.Private, json.RawMessage(groupDeleting)) {
		return nil
	}
	closing := *c.Old
	closing.Private = json.RawMessage(groupDeleting)
	row, err := resourceCodec.Encode(closing)
	if err != nil {
		return err
	}
	_, _, key := c.run.keys(c)
	_, err = p.deps.Store.Update(ctx, c.run.shard, func(tx store.Tx) error {
		if err := c.run.unchanged(tx, c); err != nil {
			return err
		}
		return tx.Put(key, row)
	})
	if err == nil {
		c.run.ownRow, c.Old = row, &closing
	}
	return err
}

// removeBelow removes every resource below the call's, deepest first. All types are asked before the first is removed.
func (p *Pipeline) removeBelow(ctx context.Context, c *Call) error {
	below, err := p.below(ctx, c)
	if err != nil {
		return err
	}
	calls := make([]*Call, 0, len(below))
	for _, r := range below {
		cc, err := p.childCall(ctx, c, r)
		if err != nil {
			return err
		}
		if cc == nil {
			continue
		}
		if cc.Type.Delete != nil {
			if err := cc.Type.Delete(ctx, cc); err != nil {
				return err
			}
		}
		calls = append(calls, cc)
	}
	for _, cc := range calls {
		if err := p.removeOne(ctx, cc); err != nil {
			if errors.Is(err, errStale) { // somebody else removed or changed it: look again from the top
				return errStale
			}
			return err
		}
	}
	return nil
}

// below lists the stored resources below the call's, deepest first.
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
	sort.SliceStable(out, func(i, j int) bool { return strings.Count(out[i].ID, "/") > strings.Count(out[j].ID, "/") })
	return out, err
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
		run: &run{p: p, e: c.run.e, shard: c.run.shard, scope: id.Fold(), judged: c.run.judged, op: t.action("delete")},
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
	if c.Type.Delete != nil && c.run.op == "" {
		if err := c.Type.Delete(ctx, c); err != nil {
			return err
		}
	}
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
