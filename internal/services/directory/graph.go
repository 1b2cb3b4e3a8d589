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
	c := &graphClient{}
	if p.Kind == authn.User {
		c.user, err = s.FindUser(ctx, p.TenantID, p.ObjectID)
	} else {
		c.sp, err = s.PrincipalByObjectID(ctx, p.TenantID, p.ObjectID)
	}
	if err != nil {
		return err
	}
	if c.user == nil && (c.sp == nil || c.sp.Disabled) || c.user != nil && c.user.Disabled {
		return fault.New(fault.Unauthenticated, "Authorization_IdentityNotFound", "The identity of the calling application could not be established.")
	}
	r.Principal, r.State = p, c
	return nil
}

// graphClient is who calls Graph: a service principal for itself, or a user through a client application.
type graphClient struct {
	sp   *SP
	user *User
}

func graphClientOf(r *wire.Request) *graphClient {
	c, _ := r.State.(*graphClient)
	if c == nil {
		return &graphClient{}
	}
	return c
}

// graphUserOf is the signed-in user that /me names.
func graphUserOf(r *wire.Request) (*User, error) {
	u := graphClientOf(r).user
	if u == nil {
		return nil, fault.New(fault.Invalid, "BadRequest", "/me request is only valid with delegated authentication flow.")
	}
	r.Resource = "user " + u.ObjectID
	return u, nil
}

func (s *Service) graphChallenge(r *wire.Request, message string) *fault.Error {
	f := fault.New(fault.Unauthenticated, "InvalidAuthenticationToken", "%s", message)
	f.Header = http.Header{"Www-Authenticate": {fmt.Sprintf(`Bearer realm="", authorization_uri="%s/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`,
		r.URL(wire.HostLogin, ""))}}
	return f
}

// administrators lets those through whom the tenant made administrators of its directory. A user's client application needs the scope as well.
func (s *Service) administrators(_ context.Context, r *wire.Request) error {
	c := graphClientOf(r)
	switch {
	case c.sp != nil && c.sp.Administrator:
	case c.user != nil && c.user.Administrator && hasScope(r.Principal.Scopes, writeScope):
	default:
		return fault.New(fault.Forbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	}
	r.AllowedBy = "directory administrator"
	return nil
}

// readers are administrators and all users of the tenant.
func (s *Service) readers(ctx context.Context, r *wire.Request) error {
	if graphClientOf(r).user == nil || !hasScope(r.Principal.Scopes, readScope) {
		return s.administrators(ctx, r)
	}
	r.AllowedBy = "user of the directory"
	return nil
}

// members are all who have an identity in the tenant.
func (s *Service) members(_ context.Context, r *wire.Request) error {
	r.AllowedBy = "signed in"
	return nil
}

func hasScope(scopes string, ok func(string) bool) bool {
	return slices.ContainsFunc(strings.Fields(scopes), ok)
}

func writeScope(scope string) bool {
	return scope == "Directory.AccessAsUser.All" || scope == "Directory.ReadWrite.All"
}

func readScope(scope string) bool {
	return strings.HasPrefix(scope, "Directory.") || strings.HasSuffix(scope, ".Read.All") || strings.HasSuffix(scope, ".ReadWrite.All")
}

// graphTime is how Graph writes times.
func graphTime(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// collection is a page of a Graph list.
type collection struct {
	Context  string `json:"@odata.context"`
	Count    *int   `json:"@odata.count,omitempty"`
	NextLink string `json:"@odata.nextLink,omitempty"`
	Value    []any  `json:"value"`
}

// Page sizes of Graph's directory objects.
const (
	graphPage    = 100
	graphPageMax = 999
)

// listQuery is what a request for a list asks for.
type listQuery struct {
	filter filter
	search search
	top    int
	count  bool
	after  string // id of the last object of the page before
}

func parseListQuery(r *wire.Request) (*listQuery, error) {
	for _, option := range []string{"$expand", "$orderby", "$apply", "$skip", "$compute"} {
		if r.Query(option) != "" {
			return nil, fault.New(fault.Invalid, "Request_UnsupportedQuery", "The query option %s is not supported here.", option)
		}
	}
	q := &listQuery{count: strings.EqualFold(r.Query("$count"), "true")}
	var err error
	if q.filter, err = parseFilter(r.Query("$filter")); err != nil {
		return nil, fault.New(fault.Invalid, "BadRequest", "Invalid filter clause: %s.", err.Error())
	}
	if text := r.Query("$search"); text != "" {
		if !strings.EqualFold(r.HTTP.Header.Get("ConsistencyLevel"), "eventual") {
			return nil, fault.New(fault.Invalid, "Request_UnsupportedQuery", "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
		}
		if q.search, err = parseSearch(text); err != nil {
			return nil, fault.New(fault.Invalid, "BadRequest", "Invalid $search clause: %s.", err.Error())
		}
	}
	if q.top, err = r.QueryInt("$top", graphPage, 1, graphPageMax); err != nil {
		return nil, err
	}
	after, err := r.SkipToken()
	q.after = string(after)
	return q, err
}

// matches tells whether an object is one that was asked for.
func (q *listQuery) matches(fields filterable) (bool, error) {
	ok, err := q.filter.matches(fields)
	if err == nil && ok {
		ok, err = q.search.matches(fields)
	}
	if err != nil {
		return false, fault.New(fault.Invalid, "Request_UnsupportedQuery", "%s.", err.Error())
	}
	return ok, nil
}

// pager collects one page of objects that come in the order of their ids.
type pager struct {
	r    *wire.Request
	q    *listQuery
	out  collection
	last string
	n    int // objects that match, over all pages
}

func newPager(r *wire.Request, entity string) (*pager, error) {
	q, err := parseListQuery(r)
	if err != nil {
		return nil, err
	}
	return &pager{r: r, q: q, out: collection{Context: graphContext(r, entity), Value: []any{}}}, nil
}

// add takes an object into the page if it belongs there. more is false once the rest need not be looked at.
func (p *pager) add(id string, shown any, fields filterable) (more bool, err error) {
	ok, err := p.q.matches(fields)
	if err != nil || !ok {
		return true, err
	}
	p.n++
	switch {
	case id <= p.q.after: // on a page before
	case len(p.out.Value) == p.q.top:
		if p.out.NextLink == "" {
			p.out.NextLink = p.r.NextLink([]byte(p.last))
		}
		return p.q.count, nil
	default:
		if shown, err = selected(p.r, shown); err != nil {
			return false, err
		}
		p.out.Value, p.last = append(p.out.Value, shown), id
	}
	return true, nil
}

// answer is the page.
func (p *pager) answer() collection {
	if p.q.count {
		p.out.Count = &p.n
	}
	return p.out
}

// graphList scans the rows under prefix, and answers those that match the query. view turns a row into its wire form.
func graphList[T any](ctx context.Context, s *Service, r *wire.Request, prefix string, codec store.Codec[T], entity string,
	view func(*T) (any, filterable),
) (any, error) {
	page, err := newPager(r, entity)
	if err != nil {
		return nil, err
	}
	if _, fields := view(new(T)); fields != nil { // a filter that can't be evaluated is refused, also where there is nothing to filter
		if _, err := page.q.matches(fields); err != nil {
			return nil, err
		}
	}
	after := []byte(page.q.after)
	if page.q.count {
		after = nil
	}
	raws, err := s.rowsUnder(ctx, r.Principal.TenantID, prefix, after)
	if err != nil {
		return nil, err
	}
	for _, raw := range raws {
		v, err := codec.Decode(raw.value)
		if err != nil {
			return nil, fmt.Errorf("decode %s %s: %w", entity, raw.id, err)
		}
		shown, fields := view(&v)
		if more, err := page.add(raw.id, shown, fields); err != nil {
			return nil, err
		} else if !more {
			break
		}
	}
	return page.answer(), nil
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

// selected keeps only the properties that $select names, or those that are shown without it: some have more than they show unasked.
func selected(r *wire.Request, v any) (any, error) {
	list := r.Query("$select")
	if d, ok := v.(interface{ defaults() string }); ok && list == "" {
		list = d.defaults()
	}
	if list == "" || list == "*" {
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
			if strings.EqualFold(have, strings.TrimSpace(name)) || have == odataType {
				out[have] = value
			}
		}
	}
	return out, nil
}

const odataType = "@odata.type"

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
