package arm

import (
	"context"
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// shownProvider is a namespace with its types.
type shownProvider struct {
	ID                string      `json:"id"`
	Namespace         string      `json:"namespace"`
	RegistrationState string      `json:"registrationState"`
	RegistrationRule  string      `json:"registrationPolicy"`
	ResourceTypes     []shownType `json:"resourceTypes"`
}

type shownType struct {
	ResourceType string   `json:"resourceType"`
	Locations    []string `json:"locations"`
	APIVersions  []string `json:"apiVersions"`
	Capabilities string   `json:"capabilities"`
}

// providers lists what is registered, by namespace. Every namespace is registered in every subscription.
func (p *Pipeline) providers(sub string) []shownProvider {
	by := map[string]*shownProvider{}
	for _, t := range p.types {
		ns, types := t.split()
		s := by[ns]
		if s == nil {
			s = &shownProvider{ID: "/subscriptions/" + sub + "/providers/" + ns, Namespace: ns, RegistrationState: "Registered", RegistrationRule: "RegistrationRequired"}
			if sub == "" {
				s.ID = "/providers/" + ns
			}
			by[ns] = s
		}
		versions := slices.Clone(t.Versions)
		slices.Reverse(versions)
		st := shownType{ResourceType: strings.Join(types, "/"), Locations: []string{}, APIVersions: versions, Capabilities: "None"}
		if !t.Untracked {
			st.Capabilities = "SupportsTags, SupportsLocation"
			for _, l := range locations {
				st.Locations = append(st.Locations, l.display)
			}
		}
		s.ResourceTypes = append(s.ResourceTypes, st)
	}
	out := make([]shownProvider, 0, len(by))
	for _, s := range by {
		out = append(out, *s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Namespace < out[j].Namespace })
	return out
}

const namespaceParam = "namespace"

func (p *Pipeline) providerRoutes() []wire.Route {
	const first, namespace = "2014-04-01", namespaceParam
	read := "Microsoft.Resources/subscriptions/providers/read"
	one := func(ctx context.Context, r *wire.Request) (any, error) {
		if _, err := p.knownIn(ctx, r, read); err != nil {
			return nil, err
		}
		for _, s := range p.providers(strings.ToLower(r.Param(paramSub))) {
			if strings.EqualFold(s.Namespace, r.Param(namespace)) {
				return s, nil
			}
		}
		return nil, noNamespace(r.Param(namespace))
	}
	return []wire.Route{
		p.plain("GET", subPath+"/providers", read, first, func(ctx context.Context, r *wire.Request) (any, error) {
			if _, err := p.knownIn(ctx, r, read); err != nil {
				return nil, err
			}
			return wire.NewPage(p.providers(strings.ToLower(r.Param(paramSub))), ""), nil
		}),
		p.plain("GET", subPath+"/providers/{"+namespace+"}", read, first, one),
		p.plain("POST", subPath+"/providers/{"+namespace+"}/register", "Microsoft.Resources/subscriptions/providers/register/action", first, func(ctx context.Context, r *wire.Request) (any, error) {
			if _, err := p.mayRead(ctx, r, r.Param(namespace)+"/register/action"); err != nil {
				return nil, err
			}
			if len(r.Body) > 0 { // asks for consent to others' providers; there are none
				if _, err := ParseObject(r.Body); err != nil {
					return nil, err
				}
			}
			return one(ctx, r)
		}),
		p.plain("POST", subPath+"/providers/{"+namespace+"}/unregister", "Microsoft.Resources/subscriptions/providers/unregister/action", first, func(ctx context.Context, r *wire.Request) (any, error) {
			if _, err := p.mayRead(ctx, r, r.Route.Operation); err != nil {
				return nil, err
			}
			return nil, fault.New(fault.Conflict, "CannotUnregister", "The namespaces this platform serves are registered in every subscription and can't be unregistered.")
		}),
		p.plain("GET", "/providers", "Microsoft.Resources/providers/read", first, func(context.Context, *wire.Request) (any, error) {
			return wire.NewPage(p.providers(""), ""), nil
		}),
	}
}

func noNamespace(ns string) error {
	return fault.New(fault.NotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid: this platform does not serve it.", clip(ns))
}

// unknownType says what of an id's type is not served.
func (p *Pipeline) unknownType(id ID, version string) error {
	var have []string
	for _, t := range p.types {
		if ns, types := t.split(); strings.EqualFold(ns, id.Namespace) {
			have = append(have, strings.Join(types, "/"))
		}
	}
	if len(have) == 0 {
		return noNamespace(id.Namespace)
	}
	if t := p.byName[strings.ToLower(id.Type())]; t != nil {
		return fault.New(fault.NotFound, "NoRegisteredProviderFound", "No registered resource provider found for this operation on type '%s' and API version '%s'. The supported api-versions are '%s'.",
			t.Name, clip(version), strings.Join(t.Versions, ", "))
	}
	return fault.New(fault.NotFound, "InvalidResourceType", "The resource type '%s' could not be found in the namespace '%s' for api version '%s': this platform does not serve it. The types it serves are '%s'.",
		clip(strings.Join(id.Types, "/")), id.Namespace, clip(version), strings.Join(have, ", "))
}

// unknownRoutes catch what no type serves: the token is checked first, then what is missing is named.
func (p *Pipeline) unknownRoutes() []wire.Route {
	var out []wire.Route
	for _, m := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		out = append(out, p.plain(m, "/{path*}", "Unknown", "", func(_ context.Context, r *wire.Request) (any, error) {
			id, err := ParseID("/" + r.Param("path"))
			if err == nil && id.Namespace != "" {
				return nil, p.unknownType(id, r.APIVersion)
			}
			return nil, fault.New(fault.NotFound, "NotFound", "There is no operation %s at '%s' on this platform.", r.HTTP.Method, clip(r.HTTP.URL.Path))
		}))
	}
	return out
}
