package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
)

const maxTriggers = 10 // of a kind, for one request

// hasTriggers tells whether the request names triggers.
func (c *call) hasTriggers() bool {
	return c.header("X-Ms-Documentdb-Pre-Trigger-Include") != "" || c.header("X-Ms-Documentdb-Post-Trigger-Include") != ""
}

// operationNames are what getOperationType tells a trigger.
var operationNames = map[items.Op]string{items.Create: "Create", items.Replace: "Replace", items.Upsert: "Upsert", items.Delete: "Delete"}

// runsOn tells whether a trigger's operation covers a request's. An upsert is a creation or a replacement; which, is known only afterwards.
func runsOn(trigger string, op items.Op) bool {
	switch trigger {
	case "All":
		return true
	case "Update":
		return op == items.Replace || op == items.Upsert
	case "Create", "Replace":
		return trigger == operationNames[op] || op == items.Upsert
	}
	return trigger == operationNames[op]
}

// triggers loads those that a header names, for the operation.
func (g *Gateway) triggers(ctx context.Context, c *call, con *catalog.Container, header, kind string, op items.Op) ([]*catalog.Script, error) {
	var out []*catalog.Script
	for name := range strings.SplitSeq(c.header(header), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if len(out) == maxTriggers {
			return nil, invalid("A request includes at most %d triggers of a kind.", maxTriggers)
		}
		s, err := g.Catalog.Script(ctx, c.account.GUID, con, catalog.Trigger, name)
		switch {
		case fault.Is(err, fault.NotFound):
			return nil, invalid("%s", oneError(fmt.Sprintf("The trigger '%s' specified in the request does not exist.", name)))
		case err != nil:
			return nil, err
		case s.Type != kind:
			return nil, invalid("%s", oneError(fmt.Sprintf("The trigger '%s' cannot run here: it is a %s-trigger.", name, strings.ToLower(s.Type))))
		case !runsOn(s.Operation, op):
			return nil, invalid("%s", oneError(fmt.Sprintf("The trigger '%s' is for the operation %s, the request's is %s.", name, s.Operation, operationNames[op])))
		}
		out = append(out, s)
	}
	return out, nil
}

// writeWithTriggers does one write between its pre- and its post-triggers, all in one transaction.
func (g *Gateway) writeWithTriggers(ctx context.Context, c *call, con *catalog.Container, sent items.Write) (any, error) {
	if g.Scripts == nil {
		return nil, notImplemented("Server-side scripts")
	}
	pre, err := g.triggers(ctx, c, con, "X-Ms-Documentdb-Pre-Trigger-Include", "Pre", sent.Op)
	if err != nil {
		return nil, err
	}
	post, err := g.triggers(ctx, c, con, "X-Ms-Documentdb-Post-Trigger-Include", "Post", sent.Op)
	if err != nil {
		return nil, err
	}
	var r triggered
	x, state, err := g.session(ctx, c, con, func(x *scriptHost) error {
		r = triggered{x: x, w: sent}
		return r.run(ctx, pre, post)
	})
	if err != nil {
		c.setLog(logOf(err))
		return nil, err
	}
	c.setLog(r.log)
	r.out.LSN = uint64(state.LSN)
	out := c.written(con, sent.Op, r.out, state)
	c.setCharge(x.charge)
	if r.body != nil && out.Body != nil {
		out.Body = r.body
	}
	return out, nil
}

// triggered is one write with triggers.
type triggered struct {
	x    *scriptHost
	w    items.Write
	out  items.Outcome
	body json.RawMessage // of the answer, where a post-trigger changed it
	log  string
}

func (r *triggered) run(ctx context.Context, pre, post []*catalog.Script) error {
	old, err := r.old(ctx)
	if err != nil {
		return err
	}
	request := systemText(r.x.con, r.w.Doc, old)
	if r.w.Op == items.Delete {
		request = old.Text
	}
	for _, s := range pre {
		result, err := r.script(ctx, scripts.PreTrigger, s, request, nil)
		if err != nil {
			return err
		}
		if request = result.Body; r.w.Op == items.Delete {
			continue
		}
		if r.w.Doc, err = items.Parse(request); err != nil {
			return err
		}
	}
	if r.w.Doc.Text != nil {
		if err := checkDocumentKey(r.w.Doc, r.x.con, r.x.key); err != nil {
			return err
		}
	}
	if r.w.Op == items.Create || r.w.Op == items.Upsert {
		r.w.ID = r.w.Doc.ID
	}
	if r.out, err = r.x.do(ctx, r.w); err != nil {
		return err
	}
	answer := json.RawMessage(r.out.Text)
	for _, s := range post {
		result, err := r.script(ctx, scripts.PostTrigger, s, request, answer)
		if err != nil {
			return err
		}
		if len(result.Body) > 0 {
			answer, r.body = result.Body, result.Body
		}
	}
	return nil
}

// old is the document that a replacement or deletion finds. The path may name it by resource id.
func (r *triggered) old(ctx context.Context) (*items.Item, error) {
	if r.w.Op != items.Replace && r.w.Op != items.Delete {
		return nil, nil
	}
	old, err := r.x.session.Get(ctx, r.w.ID, 0)
	if old == nil && err == nil {
		if number := documentNumber(r.x.con, r.w.ID); number != 0 {
			old, err = r.x.session.Get(ctx, "", number)
		}
	}
	if old == nil && err == nil {
		err = items.ErrNotFound()
	}
	if err == nil {
		r.w.Number = old.Number
	}
	return old, err
}

func (r *triggered) script(ctx context.Context, kind scripts.Kind, s *catalog.Script, request, response json.RawMessage) (scripts.Result, error) {
	job := r.x.g.job(r.x.c, r.x.con, kind, s)
	job.Operation, job.Request, job.Response = operationNames[r.w.Op], request, response
	result, err := r.x.g.Scripts.Run(ctx, job, r.x)
	r.log += result.Log
	return result, err
}
