package directory

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// shownDeleted is a deleted object in its wire form.
func shownDeleted(d *Deleted) (any, filterable) {
	at := graphTime(d.At)
	switch {
	case d.App != nil:
		v := viewApp(d.App)
		v.Type, v.Deleted = typeName(KindApplication), &at
		return v, d.App
	case d.User != nil:
		v := viewUser(d.User)
		v.Type, v.Deleted = typeName(KindUser), &at
		return v, d.User
	case d.Group != nil:
		v := viewGroup(d.Group)
		v.Type, v.Deleted = typeName(KindGroup), &at
		return v, d.Group
	}
	v := viewSP(d.SP, nil)
	v.Type, v.Deleted = typeName(KindSP), &at
	return v, d.SP
}

func (s *Service) graphListDeleted(kind ObjectKind) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		page, err := newPager(r, "directory/deletedItems/microsoft.graph."+string(kind))
		if err != nil {
			return nil, err
		}
		all, err := allRows(ctx, s, r.Principal.TenantID, keyDeleted, deletedCodec)
		if err != nil {
			return nil, err
		}
		for i := range all {
			id, is := all[i].id()
			if is != kind || all[i].expired(s.Clock.Now()) {
				continue
			}
			shown, fields := shownDeleted(&all[i])
			if more, err := page.add(id, shown, fields); err != nil {
				return nil, err
			} else if !more {
				break
			}
		}
		return page.answer(), nil
	}
}

func (s *Service) graphDeletedOf(ctx context.Context, r *wire.Request) (*Deleted, error) {
	d, _, err := s.deletedAt(ctx, r.Principal.TenantID, r.Param("id"))
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, notFound("deleted object", r.Param("id"))
	}
	id, kind := d.id()
	r.Resource = "deleted " + string(kind) + " " + id
	return d, nil
}

func (s *Service) graphGetDeleted(ctx context.Context, r *wire.Request) (any, error) {
	d, err := s.graphDeletedOf(ctx, r)
	if err != nil {
		return nil, err
	}
	shown, _ := shownDeleted(d)
	return entityAnswer(r, "directoryObjects", shown)
}

func (s *Service) graphPurge(ctx context.Context, r *wire.Request) (any, error) {
	d, err := s.graphDeletedOf(ctx, r)
	if err != nil {
		return nil, err
	}
	id, _ := d.id()
	return nil, s.purge(ctx, r.Principal.TenantID, id)
}

func (s *Service) graphRestore(ctx context.Context, r *wire.Request) (any, error) {
	if len(r.Body) > 0 {
		var in struct{}
		if err := wire.Bind(r, &in); err != nil {
			return nil, err
		}
	}
	d, err := s.graphDeletedOf(ctx, r)
	if err != nil {
		return nil, err
	}
	id, _ := d.id()
	if _, err := s.restore(ctx, r.Principal.TenantID, id); err != nil {
		return nil, err
	}
	shown, _, _, err := s.shownObject(ctx, r.Principal.TenantID, id)
	if err != nil {
		return nil, err
	}
	if shown == nil {
		return nil, fault.New(fault.Conflict, "Request_Conflict", "The object was deleted again meanwhile.")
	}
	return entityAnswer(r, "directoryObjects", shown)
}
