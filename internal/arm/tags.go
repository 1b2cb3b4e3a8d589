package arm

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const typeTags = "Microsoft.Resources/tags"

// tagsType is the tags of a subscription, a group or a resource as a resource of their own, "default": they can be written by who may not write the rest.
func (p *Pipeline) tagsType() Type {
	change := func(replace bool) func(context.Context, *Call) error {
		return func(_ context.Context, c *Call) error {
			target, err := c.tagged()
			if err != nil {
				return err
			}
			sent, err := tagsOf(c.Body.Object("properties"))
			if err != nil {
				return err
			}
			operation := "Replace"
			if !replace {
				operation = c.Body.String("operation")
			}
			if target.Tags, err = changedTags(target.Tags, sent, operation); err != nil {
				return err
			}
			return p.prepareTags(c, target)
		}
	}
	return Type{
		Name: typeTags, Scope: AtAnyScope, Untracked: true,
		Versions: []string{"2019-10-01", "2020-06-01", "2020-10-01", "2021-01-01", "2021-04-01", "2022-09-01", "2023-07-01", "2024-03-01", "2024-11-01", "2025-04-01"},
		Put:      change(true),
		Patch:    change(false),
		Commit:   commitTags,
		Delete: func(_ context.Context, c *Call) error {
			target, err := c.tagged()
			if err != nil {
				return err
			}
			target.Tags = nil
			return p.prepareTags(c, target)
		},
		CommitDelete: commitTags,
		Get: func(_ context.Context, c *Call) (*Resource, error) {
			if !strings.EqualFold(c.ID.Name(), "default") {
				return nil, fault.New(fault.NotFound, "NotFound", "The tags of a scope are the resource '%s/default', not '%s'.", typeTags, clip(c.ID.Name()))
			}
			target, err := c.tagged()
			if err != nil {
				return nil, err
			}
			return c.showTags(target), nil
		},
		List: func(_ context.Context, c *Call) ([]*Resource, error) {
			return nil, fault.New(fault.Invalid, "InvalidRequest", "The tags of a scope are the resource '%s/default'.", typeTags)
		},
	}
}

// tagged is the resource whose tags a call is about, a copy.
func (c *Call) tagged() (*Resource, error) {
	refused := fault.New(fault.Invalid, "ResourceDoesNotSupportTags", "'%s' can't have tags: a subscription, a resource group or a resource with tags of its own can.", c.scopeShown())
	parent := c.ID.Parent()
	if parent.Subscription == "" || c.run.parentRow == nil {
		return nil, refused
	}
	if parent.Namespace != "" {
		if t := c.run.p.byName[strings.ToLower(parent.Type())]; t == nil || t.Untracked {
			return nil, refused
		}
	}
	r, err := resourceCodec.Decode(c.run.parentRow)
	return &r, err
}

func (c *Call) showTags(target *Resource) *Resource {
	tags := target.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return &Resource{
		ID: target.ID + "/providers/" + typeTags + "/default", Name: "default", Type: typeTags, Properties: raw(map[string]any{"tags": tags}), Created: target.Created,
	}
}

// changedTags does what a PATCH of tags asks for. Names are compared in any case and keep the casing they had.
func changedTags(have, sent map[string]string, operation string) (map[string]string, error) {
	out := map[string]string{}
	find := func(name string) string {
		for k := range out {
			if strings.EqualFold(k, name) {
				return k
			}
		}
		return name
	}
	if !strings.EqualFold(operation, "Replace") {
		for k, v := range have {
			out[k] = v
		}
	}
	switch {
	case strings.EqualFold(operation, "Replace"), strings.EqualFold(operation, "Merge"):
		for k, v := range sent {
			out[find(k)] = v
		}
	case strings.EqualFold(operation, "Delete"):
		for k, v := range sent {
			if name := find(k); v == "" || strings.EqualFold(out[name], v) {
				delete(out, name)
			}
		}
	default:
		return nil, fault.New(fault.Invalid, "InvalidTagsPatchOperation", "The operation '%s' is not one of Replace, Merge and Delete.", clip(operation))
	}
	if len(out) > maxTags {
		return nil, fault.New(fault.Invalid, "TooManyTags", "The resource would have %d tags; %d are allowed.", len(out), maxTags)
	}
	return out, nil
}

// taggedRow is the resource with its new tags, for the commit.
type taggedRow struct{ key, row []byte }

func (p *Pipeline) prepareTags(c *Call, target *Resource) error {
	target.Changed, target.By, target.ETag = p.deps.Clock.Now(), c.Principal.ObjectID, ids.New()
	if c.New != nil {
		c.New.ID, c.New.Name, c.New.Properties, c.New.ETag = target.ID+"/providers/"+typeTags+"/default", "default", c.showTags(target).Properties, ""
	}
	row, err := resourceCodec.Encode(*target)
	c.Prepared = taggedRow{resourceKey(c.scopeOf()), row}
	return err
}

func commitTags(tx store.Tx, c *Call) error {
	t := c.Prepared.(taggedRow)
	return tx.Put(t.key, t.row)
}
