package intel

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Collection is the id of the one collection there is.
const Collection = "6f1c2a4e-0d5b-4c1e-9a76-2f8d10b7e3c5"

const (
	stixType   = "application/stix+json;version=2.1"
	pageSize   = 100
	maxPage    = 1000
	maxContent = 8 << 20
)

// API serves a Store over TAXII 2.1 and over the admin socket.
type API struct {
	Store *Store
	Auth  wire.Authenticator
	// May answers whether the caller may read, or write, indicators.
	May func(ctx context.Context, r *wire.Request, write bool) error
	// Reports takes what honeypots by themselves tell; nil: that isn't served.
	Reports *Reports
}

func (a *API) routes() []wire.Route {
	route := func(method, pattern, op string, write bool, h wire.Handler) wire.Route {
		return wire.Route{
			Host: wire.HostTAXII, Method: method, Pattern: pattern, Operation: op, Auth: a.Auth, BodyLimit: maxContent, Handler: h,
			Authorize: func(ctx context.Context, r *wire.Request) error { return a.May(ctx, r, write) },
		}
	}
	const objects = "/api/collections/{collection}/objects"
	return []wire.Route{
		route("GET", "/taxii2", "TaxiiDiscovery", false, a.accepting(a.discovery)),
		route("GET", "/api", "TaxiiRoot", false, a.accepting(a.root)),
		route("GET", "/api/collections", "TaxiiCollections", false, a.accepting(a.collections)),
		route("GET", "/api/collections/{collection}", "TaxiiCollection", false, a.accepting(a.collection)),
		route("GET", "/api/collections/{collection}/manifest", "TaxiiManifest", false, a.accepting(a.manifest)),
		route("GET", objects, "TaxiiObjects", false, a.accepting(a.objects)),
		route("POST", objects, "TaxiiAddObjects", true, a.accepting(a.addObjects)),
		route("GET", objects+"/{object}", "TaxiiObject", false, a.accepting(a.object)),
		route("GET", objects+"/{object}/versions", "TaxiiVersions", false, a.accepting(a.versions)),
	}
}

// accepting demands what TAXII demands of a request: that the client can read the answer.
func (a *API) accepting(h wire.Handler) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		accept := r.HTTP.Header.Get("Accept")
		ok := accept == ""
		for _, part := range strings.Split(accept, ",") {
			t, params, err := mime.ParseMediaType(part)
			v, versioned := params["version"]
			ok = ok || err == nil && (t == "*/*" || t == "application/*" || t == "application/taxii+json" && (!versioned || v == "2.1"))
		}
		if !ok {
			return nil, fault.New(fault.NotAcceptable, "NotAcceptable", "The answer is of type %s, which the request doesn't accept: %.200s.", wire.TAXIIType, accept)
		}
		return h(ctx, r)
	}
}

func (a *API) discovery(_ context.Context, r *wire.Request) (any, error) {
	root := r.URL(wire.HostTAXII, "") + "/api/"
	return map[string]any{"title": "Bulkhead", "description": "Indicators of this platform: its honeypot's, and imported ones.", "default": root, "api_roots": []string{root}}, nil
}

func (a *API) root(context.Context, *wire.Request) (any, error) {
	return map[string]any{"title": "Indicators", "versions": []string{wire.TAXIIType}, "max_content_length": maxContent}, nil
}

type collection struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	CanRead     bool     `json:"can_read"`
	CanWrite    bool     `json:"can_write"`
	MediaTypes  []string `json:"media_types"`
}

func (a *API) describe(ctx context.Context, r *wire.Request) collection {
	return collection{Collection, "Indicators", "Addresses, domains, URLs, hashes, HASSH and command shingles of attackers.", true, a.May(ctx, r, true) == nil, []string{stixType}}
}

func (a *API) collections(ctx context.Context, r *wire.Request) (any, error) {
	return map[string]any{"collections": []collection{a.describe(ctx, r)}}, nil
}

func known(r *wire.Request) error {
	if id := r.Param("collection"); !strings.EqualFold(id, Collection) {
		return fault.New(fault.NotFound, "CollectionNotFound", "There is no collection %.80q.", id)
	}
	return nil
}

func (a *API) collection(ctx context.Context, r *wire.Request) (any, error) {
	if err := known(r); err != nil {
		return nil, err
	}
	return a.describe(ctx, r), nil
}

// page is what a request for a part of the collection chooses.
type page struct {
	found []*Indicator
	more  bool
	next  string
}

func (p *page) header() http.Header {
	h := http.Header{}
	if len(p.found) > 0 {
		h.Set("X-TAXII-Date-Added-First", p.found[0].Added.UTC().Format(stixTime))
		h.Set("X-TAXII-Date-Added-Last", p.found[len(p.found)-1].Added.UTC().Format(stixTime))
	}
	return h
}

func (a *API) page(r *wire.Request) (*page, error) {
	if err := known(r); err != nil {
		return nil, err
	}
	f := Filter{Kinds: open(), Limit: pageSize}
	if l, ok := r.LookupQuery("limit"); ok {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 {
			return nil, fault.New(fault.Invalid, "InvalidLimit", "The limit %.40q is no positive number.", l)
		}
		f.Limit = min(n, maxPage)
	}
	for _, name := range []string{"added_after", "next"} { // next goes on from a page, so it is the later one
		text, ok := r.LookupQuery(name)
		if !ok {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, fault.New(fault.Invalid, "InvalidTime", "The %s %.60q is no time such as 2026-01-02T03:04:05.678Z.", name, text)
		}
		if at.After(f.After) {
			f.After = at
		}
	}
	if err := match(r, &f); err != nil {
		return nil, err
	}
	p := &page{}
	if f.Limit > 0 {
		p.found, p.more = a.Store.List(f)
	}
	if p.more {
		p.next = p.found[len(p.found)-1].Added.UTC().Format(stixTime)
	}
	return p, nil
}

// match reads match[id], match[type], match[version] and match[spec_version]. There are indicators of version 2.1 only, each in its last version.
func match(r *wire.Request, f *Filter) error {
	has := func(name, want string) bool {
		v, ok := r.LookupQuery("match[" + name + "]")
		if !ok {
			return true
		}
		for _, x := range strings.Split(v, ",") {
			if x == want {
				return true
			}
		}
		return false
	}
	if ids, ok := r.LookupQuery("match[id]"); ok {
		f.IDs = strings.Split(ids, ",")
		if len(f.IDs) > 256 {
			return fault.New(fault.Invalid, "InvalidMatch", "match[id] names more than 256 objects.")
		}
	}
	if v, ok := r.LookupQuery("match[version]"); ok && v != "all" && v != "last" && v != "first" {
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
			return fault.New(fault.Invalid, "InvalidMatch", "match[version] %.60q is neither all, first, last nor a time.", v)
		}
		f.IDs = append(f.IDs, "") // only the last version is kept, and it is not asked for by its time
	}
	if !has("type", "indicator") || !has("spec_version", "2.1") {
		f.Limit, f.IDs = 1, []string{"none"}
	}
	return nil
}

type envelope struct {
	More    bool     `json:"more,omitempty"`
	Next    string   `json:"next,omitempty"`
	Objects []Object `json:"objects,omitempty"`
}

func (a *API) answer(p *page) wire.Reply {
	e := envelope{More: p.more, Next: p.next}
	for _, i := range p.found {
		e.Objects = append(e.Objects, ObjectOf(i, a.Store.deps.Clock.Now()))
	}
	return wire.Reply{Status: http.StatusOK, Header: p.header(), Body: e}
}

func (a *API) objects(_ context.Context, r *wire.Request) (any, error) {
	p, err := a.page(r)
	if err != nil {
		return nil, err
	}
	return a.answer(p), nil
}

// one finds the object that the path names.
func (a *API) one(r *wire.Request) (*page, error) {
	if err := known(r); err != nil {
		return nil, err
	}
	p := &page{}
	p.found, _ = a.Store.List(Filter{Kinds: open(), IDs: []string{r.Param("object")}})
	if len(p.found) == 0 {
		return nil, fault.New(fault.NotFound, "ObjectNotFound", "There is no object %.80q in the collection.", r.Param("object"))
	}
	return p, nil
}

func (a *API) object(_ context.Context, r *wire.Request) (any, error) {
	p, err := a.one(r)
	if err != nil {
		return nil, err
	}
	return a.answer(p), nil
}

func (a *API) versions(_ context.Context, r *wire.Request) (any, error) {
	p, err := a.one(r)
	if err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusOK, Header: p.header(), Body: map[string]any{"versions": []string{p.found[0].Added.UTC().Format(stixTime)}}}, nil
}

func (a *API) manifest(_ context.Context, r *wire.Request) (any, error) {
	p, err := a.page(r)
	if err != nil {
		return nil, err
	}
	type entry struct {
		ID        string `json:"id"`
		DateAdded string `json:"date_added"`
		Version   string `json:"version"`
		MediaType string `json:"media_type"`
	}
	body := struct {
		More    bool    `json:"more,omitempty"`
		Next    string  `json:"next,omitempty"`
		Objects []entry `json:"objects,omitempty"`
	}{More: p.more, Next: p.next}
	for _, i := range p.found {
		at := i.Added.UTC().Format(stixTime)
		body.Objects = append(body.Objects, entry{i.ID, at, at, stixType})
	}
	return wire.Reply{Status: http.StatusOK, Header: p.header(), Body: body}, nil
}

// addObjects takes an envelope, and answers TAXII's status of it, complete at once.
func (a *API) addObjects(ctx context.Context, r *wire.Request) (any, error) {
	if err := known(r); err != nil {
		return nil, err
	}
	if !json.Valid(r.Body) {
		return nil, fault.New(fault.Invalid, "InvalidEnvelope", "The body is no JSON.")
	}
	done, err := a.Store.Import(ctx, STIX, r.Body, "taxii:"+r.Principal.ObjectID, 0)
	if err != nil {
		return nil, err
	}
	taken := done.Objects - done.Skipped
	return wire.Reply{Status: http.StatusAccepted, Body: map[string]any{
		"id": r.RequestID, "status": "complete", "request_timestamp": r.Time.UTC().Format(stixTime), "total_count": done.Objects, "success_count": taken, "failure_count": done.Skipped, "pending_count": 0,
	}}, nil
}
