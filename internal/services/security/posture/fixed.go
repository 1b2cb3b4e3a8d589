package posture

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// fixed is a resource type of a subscription whose instances are always there, by these names: they can be changed, never made or deleted.
type fixed struct {
	name     string
	tag      string // of the rows of what was changed
	versions []string
	names    []string
	kind     func(name string) string // nil: none
	initial  func(name string) any
	// put reads what is wanted. old are the properties as they are.
	put func(c *arm.Call, name string, old json.RawMessage) (any, error)
}

func (s *Service) fixedType(f fixed) arm.Type {
	return arm.Type{
		Name: f.name, Scope: arm.InSubscription, Untracked: true, Versions: f.versions,
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			name := f.spelt(c.ID.Name())
			if name == "" {
				return nil, nil
			}
			rec, err := load(ctx, s.deps.Store, subShard(c.ID.Subscription), ownKey(f.tag, name), settingCodec)
			return f.resource(c, name, rec), err
		},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			have, err := loadAll(ctx, s.deps.Store, subShard(c.ID.Subscription), ownKey(f.tag, ""), settingCodec)
			var out []*arm.Resource
			for _, name := range f.names {
				var rec *setting
				if r, ok := have[strings.ToLower(name)]; ok {
					rec = &r
				}
				out = append(out, f.resource(c, name, rec))
			}
			return out, err
		},
		Put: func(_ context.Context, c *arm.Call) error {
			name := f.spelt(c.ID.Name())
			if name == "" {
				return fault.New(fault.Invalid, "InvalidResourceName", "'%.60s' is none of %s: it is one of %s.", c.ID.Name(), f.name, strings.Join(f.names, ", "))
			}
			v, err := f.put(c, name, c.Old.Properties)
			if err != nil {
				return err
			}
			props, err := json.Marshal(v)
			if err != nil {
				return err
			}
			c.New.Properties, c.New.ETag = props, ""
			c.Prepared, err = settingCodec.Encode(setting{props, c.New.Changed, c.New.By})
			return err
		},
		Commit: func(tx store.Tx, c *arm.Call) error { return tx.Put(ownKey(f.tag, c.New.Name), c.Prepared.([]byte)) },
		Delete: func(context.Context, *arm.Call) error {
			return fault.New(fault.MethodNotAllowed, "MethodNotAllowed", "What is of type %s is always there and can't be deleted; it can be changed.", f.name)
		},
	}
}

// spelt gives a name as Azure spells it, "" if there is no such.
func (f *fixed) spelt(name string) string {
	for _, n := range f.names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return ""
}

func (f *fixed) resource(c *arm.Call, name string, rec *setting) *arm.Resource {
	r := &arm.Resource{ID: "/subscriptions/" + c.ID.Subscription + "/providers/" + f.name + "/" + name, Name: name, Type: f.name}
	if f.kind != nil {
		r.Kind = f.kind(name)
	}
	if rec != nil {
		r.Properties, r.Changed = rec.Properties, rec.Changed
		return r
	}
	r.Properties = raw(f.initial(name))
	return r
}

// raw encodes plain structs of this package, which can't fail.
func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func bad(format string, args ...any) error {
	return fault.New(fault.Invalid, "InvalidInput", format, args...)
}

func notImplemented(what string) error {
	return fault.New(fault.NotImplemented, "NotImplemented", "%s not implemented by this platform.", what)
}

// oneOf reads a property that has one of some values, in any case, and gives it as it is spelt.
func oneOf(o arm.Object, name, otherwise string, values ...string) (string, error) {
	var sent string
	if err := o.Decode(name, &sent); err != nil {
		return "", err
	}
	if sent == "" {
		if otherwise == "" {
			return "", bad("The property '%s' is required: one of %s.", name, strings.Join(values, ", "))
		}
		return otherwise, nil
	}
	for _, v := range values {
		if strings.EqualFold(v, sent) {
			return v, nil
		}
	}
	return "", bad("The property '%s' is '%.60s'; it must be one of %s.", name, sent, strings.Join(values, ", "))
}

// body gives the properties that were sent; a fault if there are none.
func body(c *arm.Call) (arm.Object, error) {
	o := c.Body.Object("properties")
	if o == nil {
		return nil, bad("The property 'properties' is required.")
	}
	return o, nil
}
