package arm

import (
	"context"
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
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

// providers lists what is served, by namespace. A subscription is registered for all but those it was unregistered from.
func (p *Pipeline) providers(sub string, withdrawn map[string]bool) []shownProvider {
	by := map[string]*shownProvider{}
	for _, t := range p.types {
		ns, types := t.split()
		s := by[ns]
		if s == nil {
			s = &shownProvider{ID: "/subscriptions/" + sub + "/providers/" + ns, Namespace: ns, RegistrationState: "Registered", RegistrationRule: "RegistrationRequired"}
			if sub == "" {
				s.ID = "/providers/" + ns
			}
			if withdrawn[strings.ToLower(ns)] {
				s.RegistrationState = "Unregistered"
			}
			if free(ns) {
				s.RegistrationRule = "RegistrationFree"
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

// free tells whether a namespace needs no registration: what ARM itself consists of.
func free(ns string) bool {
	return strings.EqualFold(ns, "Microsoft.Resources") || strings.EqualFold(ns, "Microsoft.Authorization") || strings.EqualFold(ns, "Microsoft.Management")
}

func (p *Pipeline) providerRoutes() []wire.Route {
	const first, one = "2014-04-01", subPath + "/providers/{" + namespaceParam + "}"
	const read = "Microsoft.Resources/subscriptions/providers/read"
	return []wire.Route{
		p.plain("GET", subPath+"/providers", read, first, func(ctx context.Context, r *wire.Request) (any, error) {
			pol, err := p.knownIn(ctx, r, read)
			if err != nil {
				return nil, err
			}
			return wire.NewPage(p.providers(strings.ToLower(r.Param(paramSub)), pol.withdrawn), ""), nil
		}),
		p.plain("GET", one, read, first, func(ctx context.Context, r *wire.Request) (any, error) {
			pol, err := p.knownIn(ctx, r, read)
			if err != nil {
				return nil, err
			}
			return p.provider(r, pol.withdrawn)
		}),
		p.plain("POST", one+"/register", "Microsoft.Resources/subscriptions/providers/register/action", first, func(ctx context.Context, r *wire.Request) (any, error) {
			return p.register(ctx, r, r.Param(namespaceParam)+"/register/action", true)
		}),
		p.plain("POST", one+"/unregister", "Microsoft.Resources/subscriptions/providers/unregister/action", first, func(ctx context.Context, r *wire.Request) (any, error) {
			return p.register(ctx, r, r.Param(namespaceParam)+"/unregister/action", false)
		}),
		p.plain("GET", "/providers", "Microsoft.Resources/providers/read", first, func(context.Context, *wire.Request) (any, error) {
			return wire.NewPage(p.providers("", nil), ""), nil
		}),
		p.plain("GET", "/providers/{"+namespaceParam+"}", "Microsoft.Resources/providers/read", first, func(_ context.Context, r *wire.Request) (any, error) {
			return p.provider(r, nil)
		}),
	}
}

func (p *Pipeline) provider(r *wire.Request, withdrawn map[string]bool) (any, error) {
	for _, s := range p.providers(strings.ToLower(r.Param(paramSub)), withdrawn) {
		if strings.EqualFold(s.Namespace, r.Param(namespaceParam)) {
			return s, nil
		}
	}
	return nil, noNamespace(r.Param(namespaceParam))
}

// register changes whether a subscription is registered for a namespace. One that has resources of it stays so.
func (p *Pipeline) register(ctx context.Context, r *wire.Request, operation string, registered bool) (any, error) {
	c, err := p.scopeCall(ctx, r, operation)
	if err != nil {
		return nil, err
	}
	if err := readOptionalBody(c); err != nil { // may ask for consent to others' providers; there are none
		return nil, err
	}
	if _, err := p.provider(r, nil); err != nil {
		return nil, err
	}
	ns := strings.ToLower(r.Param(namespaceParam))
	if free(ns) && !registered {
		return nil, fault.New(fault.Conflict, "CannotUnregister", "The namespace '%s' needs no registration and can't be unregistered.", r.Param(namespaceParam))
	}
	row, err := providerCodec.Encode(providerState{ns, registered})
	if err != nil {
		return nil, err
	}
	_, err = p.again(ctx, c, func() (any, error) {
		if c.run.judged.own.withdrawn[ns] != registered {
			return nil, nil
		}
		return nil, c.run.commitTx(ctx, c, http.StatusOK, func(tx store.Tx) error {
			used := ""
			err := tx.Scan(store.Prefix([]byte(tagResource)), func(k, _ []byte) bool {
				if strings.Contains(string(k), "/providers/"+ns+"/") {
					used = string(k[len(tagResource):])
				}
				return used == ""
			})
			switch {
			case err != nil:
				return err
			case used != "" && !registered:
				return fault.New(fault.Conflict, "CannotUnregisterProviderWithResources", "The namespace '%s' can't be unregistered: the subscription has resources of it, such as '%s'.", ns, used)
			}
			if err := tx.Put([]byte(tagProvider+ns), row); err != nil {
				return err
			}
			return bumpVersion(tx)
		})
	})
	if err != nil {
		return nil, err
	}
	withdrawn := map[string]bool{}
	if !registered {
		withdrawn[ns] = true
	}
	return p.provider(r, withdrawn)
}

// registered refuses to write what the subscription is not registered for.
func (u *run) registered(c *Call) error {
	ns, _, _ := strings.Cut(c.Type.Name, "/")
	if !u.judged.own.withdrawn[strings.ToLower(ns)] {
		return nil
	}
	return fault.New(fault.Conflict, "MissingSubscriptionRegistration",
		"The subscription is not registered to use namespace '%s'. See https://aka.ms/rps-not-found for how to register subscriptions.", ns)
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
