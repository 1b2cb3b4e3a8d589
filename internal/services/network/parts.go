package network

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// partOf completes a type whose instances are kept in their parent's properties, of type T. parts gives them all as resources of their own.
func partOf[T any](t arm.Type, parts func(stored *T, whole *arm.Resource) ([]*arm.Resource, error)) arm.Type {
	t.List = func(_ context.Context, c *arm.Call) ([]*arm.Resource, error) {
		stored, err := decode[T](c.Parent)
		if err != nil || stored == nil {
			return nil, err
		}
		return parts(stored, c.Parent)
	}
	t.Get = func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
		all, err := t.List(ctx, c)
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			if strings.EqualFold(r.Name, c.ID.Name()) {
				return r, nil
			}
		}
		return nil, nil
	}
	return t
}

// resources makes each of a list a resource of its own.
func resources[P interface {
	resource(whole *arm.Resource) (*arm.Resource, error)
}](list []P, whole *arm.Resource,
) ([]*arm.Resource, error) {
	out := make([]*arm.Resource, 0, len(list))
	for _, p := range list {
		r, err := p.resource(whole)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
