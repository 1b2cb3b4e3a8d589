package arm

import (
	"context"
	"net/http"
	"sort"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// shownOperations is a namespace's operations, as roles name them.
type shownOperations struct {
	ID            string               `json:"id"`
	Name          string               `json:"name"`
	Type          string               `json:"type"`
	DisplayName   string               `json:"displayName"`
	ResourceTypes []shownOperationType `json:"resourceTypes"`
	Operations    []shownOperation     `json:"operations"`
}

type shownOperationType struct {
	Name        string           `json:"name"`
	DisplayName string           `json:"displayName"`
	Operations  []shownOperation `json:"operations"`
}

type shownOperation struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
	Origin      string `json:"origin"`
	IsData      bool   `json:"isDataAction"`
}

func (p *Pipeline) operationRoutes() []wire.Route {
	const base, operation, first = "/providers/Microsoft.Authorization/providerOperations", "Microsoft.Authorization/providerOperations/read", "2015-07-01"
	return []wire.Route{
		p.plain(http.MethodGet, base, operation, first, func(context.Context, *wire.Request) (any, error) {
			return wire.NewPage(p.operations(), ""), nil
		}),
		p.plain(http.MethodGet, base+"/{"+namespaceParam+"}", operation, first, func(_ context.Context, r *wire.Request) (any, error) {
			for _, o := range p.operations() {
				if strings.EqualFold(o.Name, r.Param(namespaceParam)) {
					return o, nil
				}
			}
			return nil, noNamespace(r.Param(namespaceParam))
		}),
	}
}

// operations derives what roles may name from the types: each one's reads, writes, deletions and actions, and the data actions that built-in roles name.
func (p *Pipeline) operations() []shownOperations {
	by := map[string]*shownOperations{}
	at := func(ns string) *shownOperations {
		key := strings.ToLower(ns)
		if by[key] == nil {
			by[key] = &shownOperations{
				ID: "/providers/Microsoft.Authorization/providerOperations/" + ns, Name: ns, Type: "Microsoft.Authorization/providerOperations", DisplayName: ns,
				ResourceTypes: []shownOperationType{}, Operations: []shownOperation{},
			}
		}
		return by[key]
	}
	for _, t := range p.types {
		ns, types := t.split()
		o := at(ns)
		st := shownOperationType{Name: strings.Join(types, "/"), DisplayName: strings.Join(types, "/")}
		add := func(name string) {
			st.Operations = append(st.Operations, shownOperation{Name: name, DisplayName: name, Description: name, Origin: "user,system"})
		}
		add(t.action("read"))
		if t.Put != nil {
			add(t.action("write"))
			add(t.action("delete"))
		}
		seen := map[string]bool{}
		for i := range t.Actions {
			if name := t.Actions[i].operation(t); !seen[strings.ToLower(name)] {
				seen[strings.ToLower(name)] = true
				add(name)
			}
		}
		o.ResourceTypes = append(o.ResourceTypes, st)
	}
	p.dataOperations(by)
	out := make([]shownOperations, 0, len(by))
	for _, o := range by {
		out = append(out, *o)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// operation is the RBAC action of an action of a type.
func (a *Action) operation(t *Type) string {
	if a.Operation != "" {
		return a.Operation
	}
	return t.action(a.Verb + "/action")
}

// dataOperations adds the data actions that built-in roles name whole, to the namespaces that are served.
func (p *Pipeline) dataOperations(by map[string]*shownOperations) {
	names := map[string]bool{}
	for _, r := range p.roles.All() {
		for _, perm := range r.Permissions {
			for _, a := range perm.DataActions {
				if !strings.Contains(a, "*") {
					names[a] = true
				}
			}
		}
	}
	sorted := make([]string, 0, len(names))
	for n := range names {
		sorted = append(sorted, n)
	}
	sort.Strings(sorted)
	for _, n := range sorted {
		ns, rest, _ := strings.Cut(n, "/")
		o := by[strings.ToLower(ns)]
		if o == nil {
			continue
		}
		for i := range o.ResourceTypes {
			t := &o.ResourceTypes[i]
			if rbac.Match(t.Name+"/*", rest) {
				t.Operations = append(t.Operations, shownOperation{Name: n, DisplayName: n, Description: n, Origin: "user,system", IsData: true})
				break
			}
		}
	}
}
