package directory

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// alternateKey takes an OData key apart: (appId='x') is appId and x, ('x') is "" and x. ok is false for a plain segment.
func alternateKey(segment string) (name, value string, ok bool) {
	inner, open := strings.CutPrefix(segment, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !open || !closed {
		return "", "", false
	}
	if at := strings.IndexByte(inner, '='); at >= 0 && !strings.HasPrefix(inner, "'") {
		name, inner = strings.TrimSpace(inner[:at]), inner[at+1:]
	}
	if len(inner) >= 2 && inner[0] == '\'' && inner[len(inner)-1] == '\'' {
		inner = strings.ReplaceAll(inner[1:len(inner)-1], "''", "'")
	}
	return name, inner, true
}

// pathKey is the object id, or client id (of applications and their principals) or user principal name, that the path names.
func pathKey(r *wire.Request) (byAppID bool, value string, err error) {
	segment := r.Param("id")
	name, value, ok := alternateKey(segment)
	switch {
	case !ok:
		return false, segment, nil
	case name == "" || strings.EqualFold(name, "id") || strings.EqualFold(name, "userPrincipalName"):
		return false, value, nil
	case strings.EqualFold(name, "appId"):
		return true, value, nil
	}
	return false, "", fault.New(fault.Invalid, "BadRequest", "The alternate key '%s' is not supported here.", clip(name))
}

// graphIDOf finds the object that the path names and gives its id: of the kind asked for, or any ("").
func (s *Service) graphIDOf(ctx context.Context, r *wire.Request, kind ObjectKind) (string, error) {
	switch kind {
	case KindUser:
		u, err := s.graphUser(ctx, r)
		if err != nil {
			return "", err
		}
		return u.ObjectID, nil
	case KindGroup:
		g, err := s.graphGroupOf(ctx, r)
		if err != nil {
			return "", err
		}
		return g.ObjectID, nil
	case KindSP:
		sp, err := s.graphSPOf(ctx, r)
		if err != nil {
			return "", err
		}
		return sp.ObjectID, nil
	case KindApplication:
		app, err := s.graphAppOf(ctx, r)
		if err != nil {
			return "", err
		}
		return app.ObjectID, nil
	}
	_, id, err := pathKey(r)
	if err != nil {
		return "", err
	}
	found, err := s.kindOf(ctx, r.Principal.TenantID, id)
	if err != nil {
		return "", err
	}
	if found == "" {
		return "", notFound("object", id)
	}
	r.Resource = string(found) + " " + strings.ToLower(id)
	return strings.ToLower(id), nil
}

// shownObject is an object of any kind in its wire form, with @odata.type; nil if the tenant has none of that id.
func (s *Service) shownObject(ctx context.Context, tenantID, id string) (any, filterable, ObjectKind, error) {
	kind, err := s.kindOf(ctx, tenantID, id)
	if err != nil || kind == "" {
		return nil, nil, "", err
	}
	r, err := s.at(ctx, tenantID, objectKey(kind)+strings.ToLower(id))
	if err == nil && kind == KindSP {
		r.sp, err = s.PrincipalByObjectID(ctx, tenantID, id)
	}
	if err != nil {
		return nil, nil, "", err
	}
	switch {
	case r.user != nil:
		v := viewUser(r.user)
		v.Type = typeName(kind)
		return v, r.user, kind, nil
	case r.group != nil:
		v := viewGroup(r.group)
		v.Type = typeName(kind)
		return v, r.group, kind, nil
	case r.app != nil:
		v := viewApp(r.app)
		v.Type = typeName(kind)
		return v, r.app, kind, nil
	case r.sp != nil:
		v, err := s.showSP(ctx, r.sp)
		if err != nil {
			return nil, nil, "", err
		}
		v.Type = typeName(kind)
		return v, r.sp, kind, nil
	}
	return nil, nil, "", nil // removed between the two looks
}

func typeName(kind ObjectKind) string { return "#microsoft.graph." + string(kind) }

// objectPage answers those of the objects that are there, in the order of their ids.
func (s *Service) objectPage(ctx context.Context, r *wire.Request, ids []string) (any, error) {
	page, err := newPager(r, "directoryObjects")
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		shown, fields, _, err := s.shownObject(ctx, r.Principal.TenantID, id)
		if err != nil {
			return nil, err
		}
		if shown == nil {
			continue
		}
		if more, err := page.add(id, shown, fields); err != nil {
			return nil, err
		} else if !more {
			break
		}
	}
	return page.answer(), nil
}

func (s *Service) graphGetObject(ctx context.Context, r *wire.Request) (any, error) {
	id, err := s.graphIDOf(ctx, r, "")
	if err != nil {
		return nil, err
	}
	shown, _, _, err := s.shownObject(ctx, r.Principal.TenantID, id)
	if err != nil {
		return nil, err
	}
	if shown == nil {
		return nil, notFound("object", id)
	}
	return entityAnswer(r, "directoryObjects", shown)
}

type getByIDsBody struct {
	IDs   []string `json:"ids"`
	Types []string `json:"types"`
}

// idsMax is how many ids Graph takes in one getByIds.
const idsMax = 1000

func (s *Service) graphGetByIDs(ctx context.Context, r *wire.Request, in *getByIDsBody) (any, error) {
	if len(in.IDs) == 0 || len(in.IDs) > idsMax {
		return nil, badRequest("ids", "Property 'ids' must have 1 to 1000 object ids.")
	}
	wanted := map[ObjectKind]bool{}
	for _, t := range in.Types {
		if strings.EqualFold(t, "directoryObject") {
			wanted = nil
			break
		}
		for _, kind := range []ObjectKind{KindUser, KindGroup, KindSP, KindApplication} {
			if strings.EqualFold(t, string(kind)) {
				wanted[kind] = true
			}
		}
	}
	out := collection{Context: graphContext(r, "directoryObjects"), Value: []any{}}
	seen := map[string]bool{}
	for _, id := range in.IDs {
		if !ids.IsGUID(id) {
			return nil, badRequest("ids", "Invalid GUID:"+clip(id))
		}
		if id = strings.ToLower(id); seen[id] {
			continue
		}
		seen[id] = true
		shown, _, kind, err := s.shownObject(ctx, r.Principal.TenantID, id)
		if err != nil {
			return nil, err
		}
		if shown == nil || len(in.Types) > 0 && wanted != nil && !wanted[kind] {
			continue
		}
		if shown, err = selected(r, shown); err != nil {
			return nil, err
		}
		out.Value = append(out.Value, shown)
	}
	return out, nil
}

// subjectOf is the object whose memberships are asked for: the signed-in user of /me, or what the path names.
func (s *Service) subjectOf(ctx context.Context, r *wire.Request, kind ObjectKind) (string, error) {
	if r.Param("id") == "" {
		u, err := graphUserOf(r)
		if err != nil {
			return "", err
		}
		return u.ObjectID, nil
	}
	return s.graphIDOf(ctx, r, kind)
}

func (s *Service) graphMemberOf(kind ObjectKind, transitive bool) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		id, err := s.subjectOf(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		prefix := keyMember // see loadRelated
		if transitive {
			prefix = keyMemberOf
		}
		above, err := s.at(ctx, r.Principal.TenantID, prefix+id)
		if err != nil {
			return nil, err
		}
		return s.objectPage(ctx, r, above.groups)
	}
}

// stringList is an answer that lists ids.
type stringList struct {
	Context string   `json:"@odata.context"`
	Value   []string `json:"value"`
}

func listIDs(r *wire.Request, ids []string) stringList {
	return stringList{graphContext(r, "Collection(Edm.String)"), append([]string{}, ids...)}
}

type memberGroupsBody struct {
	SecurityOnly *bool `json:"securityEnabledOnly"`
}

func (s *Service) graphMemberGroups(kind ObjectKind) func(context.Context, *wire.Request, *memberGroupsBody) (any, error) {
	return func(ctx context.Context, r *wire.Request, _ *memberGroupsBody) (any, error) {
		id, err := s.subjectOf(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		groups, err := s.GroupsOf(ctx, r.Principal.TenantID, id)
		return listIDs(r, groups), err
	}
}

type checkGroupsBody struct {
	GroupIDs []string `json:"groupIds"`
	IDs      []string `json:"ids"` // of checkMemberObjects
}

func (s *Service) graphCheckGroups(kind ObjectKind) func(context.Context, *wire.Request, *checkGroupsBody) (any, error) {
	return func(ctx context.Context, r *wire.Request, in *checkGroupsBody) (any, error) {
		asked := slices.Concat(in.GroupIDs, in.IDs)
		if len(asked) == 0 || len(asked) > 20 {
			return nil, badRequest("groupIds", "Property 'groupIds' must have 1 to 20 group ids.")
		}
		id, err := s.subjectOf(ctx, r, kind)
		if err != nil {
			return nil, err
		}
		groups, err := s.GroupsOf(ctx, r.Principal.TenantID, id)
		if err != nil {
			return nil, err
		}
		var in20 []string
		for _, group := range asked {
			if slices.Contains(groups, strings.ToLower(group)) {
				in20 = append(in20, group)
			}
		}
		return listIDs(r, in20), nil
	}
}

// refBody names an object by its address in Graph.
type refBody struct {
	ID string `json:"@odata.id"`
}

// target is the object id at the end of the address.
func (b *refBody) target() (string, error) {
	id := b.ID[strings.LastIndexByte(b.ID, '/')+1:]
	if name, value, ok := alternateKey(id[max(strings.IndexByte(id, '('), 0):]); ok && name == "" {
		id = value
	}
	if !ids.IsGUID(id) {
		return "", badRequest("@odata.id", "Property '@odata.id' must be the address of a directory object, such as https://graph.microsoft.com/v1.0/directoryObjects/{id}.")
	}
	return strings.ToLower(id), nil
}

// optional is a property of a PATCH body: left out, null (the zero value), or a value.
type optional[T any] struct {
	Set   bool
	Value T
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *optional[T]) UnmarshalJSON(b []byte) error {
	*o = optional[T]{Set: true}
	return json.Unmarshal(b, &o.Value)
}

// into stores the value, if there is one.
func (o optional[T]) into(to *T) {
	if o.Set {
		*to = o.Value
	}
}

// nullable shows an empty text as null.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
