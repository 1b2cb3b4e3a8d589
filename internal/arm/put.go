package arm

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// errStale is returned by a commit that found something else than the call had decided on; the call then starts over.
var errStale = errors.New("arm: changed meanwhile")

// attempts is how often a call starts over before the client is told to.
const attempts = 8

// again runs fn until it is not stale, deciding everything anew in between.
func (p *Pipeline) again(ctx context.Context, c *Call, fn func() (any, error)) (any, error) {
	for n := 1; ; n++ {
		v, err := fn()
		if !errors.Is(err, errStale) {
			return v, err
		}
		if n == attempts {
			return nil, fault.New(fault.Conflict, "AnotherOperationInProgress", "Another operation on '%s' or what it depends on is in progress. Try again.", c.ID)
		}
		if err := c.run.check(ctx, c); err != nil {
			return nil, err
		}
	}
}

func (p *Pipeline) put(ctx context.Context, c *Call, patch bool) (any, error) {
	return p.again(ctx, c, func() (any, error) { return p.putOnce(ctx, c, patch) })
}

func (p *Pipeline) putOnce(ctx context.Context, c *Call, patch bool) (any, error) {
	read := readBody
	if c.Type.bodyless() {
		read = readOptionalBody
	}
	if err := read(c); err != nil {
		return nil, err
	}
	if err := precondition(c); err != nil {
		return nil, err
	}
	if c.run.deletingGroup() {
		return nil, fault.New(fault.Conflict, "ResourceGroupBeingDeleted", "The resource group '%s' is in deprovisioning state and cannot perform this operation.", c.ID.ResourceGroup)
	}
	if err := c.run.registered(c); err != nil {
		return nil, err
	}
	if err := p.prepare(ctx, c, patch); err != nil {
		return nil, err
	}
	status := max(c.Type.OnUpdate, http.StatusOK)
	if c.Old == nil {
		if status = c.Type.OnCreate; status == 0 {
			status = http.StatusCreated
		}
	}
	release, err := p.reserve(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := c.run.write(ctx, c, status, c.commitRows); err != nil {
		if !c.run.committed && surelyNot(err) {
			release()
		}
		return nil, err
	}
	return p.reply(ctx, c, c.New, status)
}

// prepare fills c.New from the body: the envelope, then what the type makes of it.
func (p *Pipeline) prepare(ctx context.Context, c *Call, patch bool) error {
	fill := c.Type.Put
	switch {
	case patch && c.Type.Patch != nil:
		fill = c.Type.Patch
		sent := c.Body
		whole, err := patched(c)
		if err != nil {
			return err
		}
		c.Body = whole
		if err := p.envelope(ctx, c); err != nil {
			return err
		}
		c.Body = sent
		c.New.Properties = c.Old.Properties
	case patch:
		whole, err := patched(c)
		if err != nil {
			return err
		}
		c.Body = whole
		fallthrough
	default:
		if err := p.envelope(ctx, c); err != nil {
			return err
		}
	}
	return fill(ctx, c)
}

// surelyNot tells whether an error of a commit means that nothing was written. Of others the outcome is unknown, and names reserved for it stay so until
// they are reclaimed.
func surelyNot(err error) bool {
	var f *fault.Error
	return errors.Is(err, errStale) || errors.As(err, &f) || errors.Is(err, store.ErrLimit) || errors.Is(err, store.ErrFull)
}

// commitRows is what a PUT writes beside the resource.
func (c *Call) commitRows(tx store.Tx) error {
	if c.Type.Commit == nil {
		return nil
	}
	return c.Type.Commit(tx, c)
}

// precondition checks If-Match and If-None-Match.
func precondition(c *Call) error {
	h := c.HTTP.Header
	match, none := h.Get("If-Match"), h.Get("If-None-Match")
	tag := ""
	if c.Old != nil {
		tag = c.Old.ETag
	}
	switch {
	case match != "" && (c.Old == nil || !anyTag(match, tag)):
	case none != "" && c.Old != nil && anyTag(none, tag):
	default:
		return nil
	}
	return fault.New(fault.Precondition, "PreconditionFailed", "The condition of the request (If-Match or If-None-Match) is not met by the resource '%s' as it is now.", c.ID)
}

func anyTag(header, tag string) bool {
	for _, t := range strings.Split(header, ",") {
		t = strings.TrimSpace(t)
		if t == "*" || tag != "" && strings.Trim(strings.TrimPrefix(t, "W/"), `"`) == tag {
			return true
		}
	}
	return false
}

// act runs an action.
func (p *Pipeline) act(ctx context.Context, c *Call, a *Action) (any, error) {
	return p.again(ctx, c, func() (any, error) {
		if err := readOptionalBody(c); err != nil {
			return nil, err
		}
		if a.Writes && c.run.deletingGroup() {
			return nil, fault.New(fault.Conflict, "ResourceGroupBeingDeleted", "The resource group '%s' is in deprovisioning state and cannot perform this operation.", c.ID.ResourceGroup)
		}
		if a.Writes {
			if err := c.run.registered(c); err != nil {
				return nil, err
			}
		}
		v, err := a.Handler(ctx, c)
		if err == nil && v == nil {
			v = wire.Reply{Status: http.StatusNoContent}
		}
		return v, err
	})
}

// hostNames are the names a resource takes.
func (t *Type) hostNames(r *Resource) []HostName {
	if t.HostNames == nil || r == nil {
		return nil
	}
	return t.HostNames(r)
}

func hasName(list []HostName, n HostName) bool {
	for _, h := range list {
		if h.Kind == n.Kind && strings.EqualFold(h.Name, n.Name) {
			return true
		}
	}
	return false
}

// reserve takes the host names the resource will have and does not have yet. release gives those back that nobody had before.
func (p *Pipeline) reserve(ctx context.Context, c *Call) (release func(), err error) {
	var mine []HostName
	release = func() {
		for _, n := range mine {
			if err := p.deps.Names.Release(context.WithoutCancel(ctx), n.Kind, n.Name, c.New.GUID); err != nil {
				p.deps.Log.Warn("host name not released; it is free again later", "name", n.Name, "error", err)
			}
		}
	}
	fresh := c.New
	had := c.Type.hostNames(c.Old)
	for _, n := range c.Type.hostNames(fresh) {
		if hasName(had, n) {
			continue
		}
		before, err := p.deps.Names.Lookup(ctx, n.Kind, n.Name)
		if err == nil {
			err = p.deps.Names.Reserve(ctx, n.Kind, n.Name, fresh.ID, fresh.GUID)
		}
		if err != nil {
			release()
			return nil, err
		}
		if before == nil || before.GUID != fresh.GUID {
			mine = append(mine, n)
		}
	}
	return release, nil
}
