package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// mayOwn makes sure that an id names what can own things: a user or a service principal.
func (s *Service) mayOwn(ctx context.Context, tenantID, id string) error {
	kind, err := s.kindOf(ctx, tenantID, id)
	if err == nil && kind != KindUser && kind != KindSP {
		err = notFound("owner", id)
	}
	return err
}

// ownersOf are the owners of the object that the path names.
func (s *Service) ownersOf(ctx context.Context, r *wire.Request, kind ObjectKind) (id string, owners []string, err error) {
	if id, err = s.graphIDOf(ctx, r, kind); err != nil {
		return "", nil, err
	}
	row, err := s.at(ctx, r.Principal.TenantID, objectKey(kind)+id)
	switch {
	case err != nil:
	case row.app != nil:
		owners = row.app.Owners
	case row.sp != nil:
		owners = row.sp.Owners
	case row.group != nil:
		owners = row.group.Owners
	}
	return id, owners, err
}

func (s *Service) graphListOwners(kind ObjectKind) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		_, owners, err := s.ownersOf(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		return s.objectPage(ctx, r, owners)
	}
}

// changeOwners lets fn change an object's list of owners.
func (s *Service) changeOwners(ctx context.Context, tenantID string, kind ObjectKind, id string, fn func([]string) ([]string, error)) error {
	var err error
	change := func(owners *[]string) error {
		list, err := fn(*owners)
		if err == nil {
			*owners = list
		}
		return err
	}
	switch kind {
	case KindApplication:
		_, err = s.ChangeApplication(ctx, tenantID, id, func(a *Application) error { return change(&a.Owners) })
	case KindSP:
		_, err = s.changeSP(ctx, tenantID, id, func(sp *SP) error { return change(&sp.Owners) })
	default:
		_, err = s.ChangeGroup(ctx, tenantID, id, func(g *Group) error { return change(&g.Owners) })
	}
	return err
}

// ownersMax bounds the owners of one object, as Entra ID does.
const ownersMax = 100

func (s *Service) graphAddOwner(kind ObjectKind) func(context.Context, *wire.Request, *refBody) (any, error) {
	return func(ctx context.Context, r *wire.Request, in *refBody) (any, error) {
		id, _, err := s.ownersOf(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		owner, err := in.target()
		if err != nil {
			return nil, err
		}
		if err := s.mayOwn(ctx, r.Principal.TenantID, owner); err != nil {
			return nil, err
		}
		return nil, s.changeOwners(ctx, r.Principal.TenantID, kind, id, func(owners []string) ([]string, error) {
			switch {
			case slices.Contains(owners, owner):
				return nil, badRequest("owners", "One or more added object references already exist for the following modified properties: 'owners'.")
			case len(owners) >= ownersMax:
				return nil, badRequest("owners", "An object has at most 100 owners.")
			}
			return append(slices.Clone(owners), owner), nil
		})
	}
}

func (s *Service) graphRemoveOwner(kind ObjectKind) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		id, _, err := s.ownersOf(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		owner := strings.ToLower(r.Param("owner"))
		return nil, s.changeOwners(ctx, r.Principal.TenantID, kind, id, func(owners []string) ([]string, error) {
			if !slices.Contains(owners, owner) {
				return nil, notFound("owner", owner)
			}
			return slices.DeleteFunc(slices.Clone(owners), func(o string) bool { return o == owner }), nil
		})
	}
}

// graphOwnedObjects lists what the user of the path, or of /me, owns.
func (s *Service) graphOwnedObjects(ctx context.Context, r *wire.Request) (any, error) {
	user, err := s.subjectOf(ctx, r, KindUser)
	if err != nil {
		return nil, err
	}
	var owned []string
	for _, kind := range []ObjectKind{KindApplication, KindSP, KindGroup} {
		rows, err := s.rowsUnder(ctx, r.Principal.TenantID, objectKey(kind), nil)
		if err != nil {
			return nil, err
		}
		for _, raw := range rows {
			owners, err := decodeOwners(kind, raw.value)
			if err != nil {
				return nil, err
			}
			if slices.Contains(owners, user) {
				owned = append(owned, raw.id)
			}
		}
	}
	return s.objectPage(ctx, r, owned)
}

func decodeOwners(kind ObjectKind, value []byte) ([]string, error) {
	switch kind {
	case KindApplication:
		a, err := appCodec.Decode(value)
		return a.Owners, err
	case KindSP:
		sp, err := spCodec.Decode(value)
		return sp.Owners, err
	}
	g, err := groupCodec.Decode(value)
	return g.Owners, err
}
