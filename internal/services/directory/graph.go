package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func (s *Service) graphRoutes() []wire.Route {
	auth := wire.Authenticator{Name: "graph token", Check: s.graphCaller}
	route := func(method, pattern, operation string, h wire.Handler) wire.Route {
		return wire.Route{Host: wire.HostGraph, Method: method, Pattern: "/v1.0" + pattern, Operation: operation, Auth: auth, Authorize: s.administrators, Handler: h}
	}
	return []wire.Route{
		route("GET", "/applications", "Microsoft.Graph/applications/list", s.graphListApps),
		route("POST", "/applications", "Microsoft.Graph/applications/create", wire.HandleBody(s.graphCreateApp)),
		route("GET", "/applications/{id}", "Microsoft.Graph/applications/get", s.graphGetApp),
		route("PATCH", "/applications/{id}", "Microsoft.Graph/applications/update", wire.HandleBody(s.graphPatchApp)),
		route("DELETE", "/applications/{id}", "Microsoft.Graph/applications/delete", s.graphDeleteApp),
		route("POST", "/applications/{id}/addPassword", "Microsoft.Graph/applications/addPassword", s.graphAddPassword),
		route("POST", "/applications/{id}/removePassword", "Microsoft.Graph/applications/removePassword", wire.HandleBody(s.graphRemovePassword)),
		route("GET", "/servicePrincipals", "Microsoft.Graph/servicePrincipals/list", s.graphListSPs),
		route("POST", "/servicePrincipals", "Microsoft.Graph/servicePrincipals/create", wire.HandleBody(s.graphCreateSP)),
		route("GET", "/servicePrincipals/{id}", "Microsoft.Graph/servicePrincipals/get", s.graphGetSP),
		route("PATCH", "/servicePrincipals/{id}", "Microsoft.Graph/servicePrincipals/update", wire.HandleBody(s.graphPatchSP)),
		route("DELETE", "/servicePrincipals/{id}", "Microsoft.Graph/servicePrincipals/delete", s.graphDeleteSP),
	}
}

// graphCaller verifies the bearer token: issued here, for Graph, to a service principal that still exists.
func (s *Service) graphCaller(ctx context.Context, r *wire.Request) error {
	scheme, raw, _ := strings.Cut(r.HTTP.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return s.graphChallenge(r, "Access token is empty.")
	}
	p, err := s.Tokens.Verify(ctx, strings.TrimSpace(raw))
	if err != nil {
		var bad *authn.VerifyError
		if !errors.As(err, &bad) {
			return err
		}
		words := map[authn.Reason]string{
			authn.Malformed: "CompactToken parsing failed.", authn.BadSignature: "Access token validation failure. Invalid signature.",
			authn.BadIssuer: "Access token validation failure. Invalid issuer.", authn.Expired: "Lifetime validation failed, the token is expired.",
			authn.NotYetValid: "Lifetime validation failed, the token is not yet valid.",
		}
		return s.graphChallenge(r, words[bad.Reason]).WithCause(err)
	}
	graph := slices.IndexFunc(firstParties, func(f firstParty) bool { return f.host == wire.HostGraph })
	if !firstParties[graph].matches(r.Hosts, strings.ToLower(p.Audience)) {
		return s.graphChallenge(r, "Access token validation failure. Invalid audience.")
	}
	sp, err := s.PrincipalByObjectID(ctx, p.TenantID, p.ObjectID)
	if err != nil {
		return err
	}
	if sp == nil || sp.Disabled {
		return fault.New(fault.Unauthenticated, "Authorization_IdentityNotFound", "The identity of the calling application could not be established.")
	}
	r.Principal = p
	return nil
}

func (s *Service) graphChallenge(r *wire.Request, message string) *fault.Error {
	f := fault.New(fault.Unauthenticated, "InvalidAuthenticationToken", "%s", message)
	f.Header = http.Header{"Www-Authenticate": {fmt.Sprintf(`Bearer realm="", authorization_uri="%s/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`,
		r.URL(wire.HostLogin, ""))}}
	return f
}

// administrators lets those through whom the tenant made administrators of its directory.
func (s *Service) administrators(ctx context.Context, r *wire.Request) error {
	sp, err := s.PrincipalByObjectID(ctx, r.Principal.TenantID, r.Principal.ObjectID)
	if err != nil {
		return err
	}
	if sp == nil || !sp.Administrator {
		return fault.New(fault.Forbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	r.AllowedBy = "directory administrator"
	return nil
}

// graphTime is how Graph writes times.
func graphTime(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// collection is a page of a Graph list.
type collection struct {
	Context  string `json:"@odata.context"`
	NextLink string `json:"@odata.nextLink,omitempty"`
	Value    []any  `json:"value"`
}

// Page sizes of Graph's directory objects.
const (
	graphPage    = 100
	graphPageMax = 999
)

// graphList scans the rows under prefix from where $skiptoken says, and answers those that match $filter. view turns a row into its wire form.
func graphList[T any](ctx context.Context, s *Service, r *wire.Request, prefix string, codec store.Codec[T], entity string,
	view func(*T) (any, filterable),
) (any, error) {
	for _, option := range []string{"$expand", "$orderby", "$search", "$apply", "$skip"} {
		if r.Query(option) != "" {
			return nil, fault.New(fault.Invalid, "Request_UnsupportedQuery", "The query option %s is not supported here.", option)
		}
	}
	conditions, err := parseFilter(r.Query("$filter"))
	if err != nil {
		return nil, fault.New(fault.Invalid, "BadRequest", "Invalid filter clause: %s.", err.Error())
	}
	top, err := r.QueryInt("$top", graphPage, 1, graphPageMax)
	if err != nil {
		return nil, err
	}
	after, err := r.SkipToken()
	if err != nil {
		return nil, err
	}
	raws, err := s.rowsUnder(ctx, r.Principal.TenantID, prefix, after)
	if err != nil {
		return nil, err
	}
	out := collection{Context: graphContext(r, entity), Value: []any{}}
	for _, raw := range raws {
		v, err := codec.Decode(raw.value)
		if err != nil {
			return nil, fmt.Errorf("decode %s %s: %w", entity, raw.id, err)
		}
		shown, fields := view(&v)
		ok, err := conditions.matches(fields)
		if err != nil {
			return nil, fault.New(fault.Invalid, "Request_UnsupportedQuery", "%s.", err.Error())
		}
		if !ok {
			continue
		}
		if len(out.Value) == top {
			out.NextLink = r.NextLink([]byte(after))
			break
		}
		if shown, err = selected(r, shown); err != nil {
			return nil, err
		}
		out.Value = append(out.Value, shown)
		after = []byte(raw.id)
	}
	return out, nil
}

type rawRow struct {
	id    string
	value []byte
}

// rowsUnder copies the rows after the one with id after.
func (s *Service) rowsUnder(ctx context.Context, tenantID, prefix string, after []byte) ([]rawRow, error) {
	var rows []rawRow
	span := store.Prefix([]byte(prefix))
	if len(after) > 0 {
		span.Start = append(append([]byte(prefix), after...), 0)
	}
	err := s.Store.View(ctx, tenantShard(tenantID), func(snap store.Snapshot) error {
		rows = nil
		return snap.Scan(span, func(key, value []byte) bool {
			rows = append(rows, rawRow{string(key[len(prefix):]), slices.Clone(value)})
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list directory rows: %w", err)
	}
	return rows, nil
}

func graphContext(r *wire.Request, entity string) string {
	return r.URL(wire.HostGraph, "") + "/v1.0/$metadata#" + entity
}

// selected keeps only the properties that $select names.
func selected(r *wire.Request, v any) (any, error) {
	list := r.Query("$select")
	if list == "" {
		return v, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode directory object: %w", err)
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("decode directory object: %w", err)
	}
	out := map[string]json.RawMessage{}
	for name := range strings.SplitSeq(list, ",") {
		for have, value := range all {
			if strings.EqualFold(have, strings.TrimSpace(name)) {
				out[have] = value
			}
		}
	}
	return out, nil
}

// entity answers one object with its context.
func entityAnswer(r *wire.Request, kind string, v any) (any, error) {
	v, err := selected(r, v)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode directory object: %w", err)
	}
	head, err := json.Marshal(graphContext(r, kind+"/$entity"))
	if err != nil {
		return nil, fmt.Errorf("encode context: %w", err)
	}
	out := append([]byte(`{"@odata.context":`), head...)
	if string(b) != "{}" {
		out = append(out, ',')
	}
	return json.RawMessage(append(out, b[1:]...)), nil
}
