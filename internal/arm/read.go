package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// answer is a resource on the wire.
type answer struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	ManagedBy  string            `json:"managedBy,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	SKU        json.RawMessage   `json:"sku,omitempty"`
	Plan       json.RawMessage   `json:"plan,omitempty"`
	Identity   *shownIdentity    `json:"identity,omitempty"`
	Properties json.RawMessage   `json:"properties,omitempty"`
	ETag       string            `json:"etag,omitempty"`
	System     *SystemData       `json:"systemData,omitempty"`
}

func (p *Pipeline) render(ctx context.Context, c *Call, r *Resource) (answer, error) {
	a := answer{
		ID: r.ID, Name: r.Name, Type: r.Type, Location: r.Location, Kind: r.Kind, ManagedBy: r.ManagedBy, Tags: r.Tags, SKU: r.SKU, Plan: r.Plan,
		Properties: r.Properties, ETag: r.ETag, Identity: r.Identity.shown(), System: r.System,
	}
	if a.Identity == nil && c.Type.ShowsNone {
		a.Identity = &shownIdentity{Type: "None"}
	}
	if c.Type.Render != nil {
		var err error
		if a.Properties, err = c.Type.Render(ctx, c, r); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (p *Pipeline) reply(ctx context.Context, c *Call, r *Resource, status int) (any, error) {
	a, err := p.render(ctx, c, r)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	if r.ETag != "" {
		h.Set("ETag", `"`+r.ETag+`"`)
	}
	return wire.Reply{Status: status, Header: h, Body: a}, nil
}

func (p *Pipeline) get(ctx context.Context, c *Call) (any, error) {
	return p.reply(ctx, c, c.Old, http.StatusOK)
}

// Bounds of one answer of a list: resources, and rows looked at for them.
const (
	pageSize = 1000
	scanSize = 20_000
)

// list answers a collection: what the caller may read of it.
func (p *Pipeline) list(ctx context.Context, c *Call) (any, error) {
	var found []*Resource
	var next []byte
	var err error
	if c.Type.List != nil {
		found, err = c.Type.List(ctx, c)
		next = c.Next
	} else {
		var f resourceFilter
		if f, err = parseResourceFilter(c.Query("$filter")); err != nil {
			return nil, err
		}
		found, next, err = p.stored(ctx, c, func(r *Resource) bool {
			return strings.EqualFold(r.Type, c.Type.name()) && f.keeps(r) && (c.Type.Keep == nil || c.Type.Keep(c, r))
		})
	}
	if err != nil {
		return nil, err
	}
	out := make([]answer, 0, len(found))
	for _, r := range found {
		if ok, err := c.run.readable(ctx, c, r.ID); err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		a, err := p.render(ctx, c, r)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	link := ""
	if next != nil {
		link = c.NextLink(next)
	}
	return wire.NewPage(out, link), nil
}

// readable tells whether the caller of a filtered list may read one of it.
func (u *run) readable(ctx context.Context, c *Call, id string) (bool, error) {
	if !u.filter {
		return true, nil
	}
	d, err := u.p.Check(ctx, c.Principal, u.e.operation, false, id)
	return d.Allowed, err
}

// stored lists the rows below the call's collection that keep accepts, from the skip token on. next is nil at the end.
func (p *Pipeline) stored(ctx context.Context, c *Call, keep func(*Resource) bool) (found []*Resource, next []byte, err error) {
	from, err := c.SkipToken()
	if err != nil {
		return nil, nil, err
	}
	top, err := c.QueryInt("$top", pageSize, 1, pageSize)
	if err != nil {
		return nil, nil, err
	}
	prefix := listPrefix(c.ID)
	r := store.Prefix([]byte(prefix))
	if from != nil {
		if !bytes.HasPrefix(from, []byte(prefix)) {
			return nil, nil, fault.New(fault.Invalid, "InvalidSkipToken", "The $skiptoken is not one of this list.")
		}
		r.Start = from
	}
	var failed error
	var marks [][]byte
	err = p.deps.Store.View(ctx, c.run.shard, func(s store.Snapshot) error {
		found, next, marks = nil, nil, nil
		if err := s.Scan(store.Prefix([]byte(tagMove)), func(_, v []byte) bool { marks = append(marks, bytes.Clone(v)); return true }); err != nil {
			return err
		}
		rows := 0
		return s.Scan(r, func(k, v []byte) bool {
			if rows++; len(found) == top || rows > scanSize {
				next = bytes.Clone(k)
				return false
			}
			var res Resource
			if res, failed = resourceCodec.Decode(v); failed != nil {
				return false
			}
			if keep(&res) {
				found = append(found, &res)
			}
			return true
		})
	})
	if err == nil {
		err = failed
	}
	if err == nil && len(marks) > 0 {
		found, err = p.seen(ctx, c.run.shard, found, marks)
	}
	return found, next, err
}

// listPrefix is the start of the keys of everything in a collection or, for a scope, below it.
func listPrefix(id ID) string {
	switch {
	case id.Namespace != "" && (id.ResourceGroup != "" || id.Extension || len(id.Names) > 0):
		return tagResource + id.Fold() + "/"
	case id.ResourceGroup != "":
		return tagResource + ID{Subscription: id.Subscription, ResourceGroup: id.ResourceGroup}.Fold() + "/"
	}
	return tagResource + ID{Subscription: id.Subscription}.Fold() + "/"
}
