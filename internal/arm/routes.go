package arm

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// kind is what a route of a type addresses.
type kind uint8

const (
	onInstance kind = iota
	onCollection
	onAction
	onCollectionAction
)

// endpoint is one route of a type.
type endpoint struct {
	p         *Pipeline
	typ       *Type
	kind      kind
	method    string
	act       *Action
	operation string // RBAC action
}

// The names of path parameters.
const (
	paramSub   = "subscriptionId"
	paramGroup = "resourceGroupName"
	paramScope = "scope"
)

func paramName(i int) string { return "name" + strconv.Itoa(i) }

const (
	subPath   = "/subscriptions/{" + paramSub + "}"
	groupPath = subPath + "/resourceGroups/{" + paramGroup + "}"
)

// routes derives the routes of all types and adds the fixed ones.
func (p *Pipeline) routes() []wire.Route {
	var out []wire.Route
	for _, t := range p.types {
		out = append(out, p.typeRoutes(t)...)
	}
	out = append(out, p.subscriptionRoutes()...)
	out = append(out, p.providerRoutes()...)
	out = append(out, p.listRoutes()...)
	out = append(out, p.activityLogRoutes()...)
	out = append(out, p.managementRoutes()...)
	out = append(out, p.tagNameRoutes()...)
	out = append(out, p.operationRoutes()...)
	out = append(out, p.asyncRoutes()...)
	out = append(out, p.moveRoutes()...)
	out = append(out, p.adminRoutes()...)
	return append(out, p.unknownRoutes()...)
}

func (p *Pipeline) typeRoutes(t *Type) []wire.Route {
	var out []wire.Route
	add := func(pattern string, e endpoint) {
		e.p, e.typ = p, t
		out = append(out, e.route(pattern))
	}
	instances, collections := t.patterns()
	for _, instance := range instances {
		add(instance, endpoint{method: http.MethodGet, operation: t.action("read")})
		add(instance, endpoint{method: http.MethodHead, operation: t.action("read")})
		if t.Put != nil {
			add(instance, endpoint{method: http.MethodPut, operation: t.action("write")})
			if t.Patch != nil || !t.virtual() {
				add(instance, endpoint{method: http.MethodPatch, operation: t.action("write")})
			}
			add(instance, endpoint{method: http.MethodDelete, operation: t.action("delete")})
		}
	}
	for _, c := range collections {
		add(c, endpoint{kind: onCollection, method: http.MethodGet, operation: t.action("read")})
	}
	ns, _ := t.split()
	for i := range t.Actions {
		a := &t.Actions[i]
		e := endpoint{kind: onAction, method: a.Method, act: a, operation: a.operation(t)}
		if e.method == "" {
			e.method = http.MethodPost
		}
		if a.Collection {
			e.kind = onCollectionAction
			prefix := subPath
			if t.Scope == InTenant {
				prefix = ""
			}
			add(prefix+"/providers/"+ns+"/"+a.Verb, e)
			continue
		}
		for _, instance := range instances {
			add(instance+"/"+a.Verb, e)
		}
	}
	return out
}

// patterns gives the paths of an instance and those of the collections it is listed in.
func (t *Type) patterns() (instances, collections []string) {
	if t.Name == typeGroup {
		return []string{groupPath}, []string{subPath + "/resourceGroups"}
	}
	ns, types := t.split()
	var tail strings.Builder
	tail.WriteString("/providers/" + ns)
	for i, name := range types {
		tail.WriteString("/" + name)
		if i < len(types)-1 {
			tail.WriteString("/{" + paramName(i) + "}")
		}
	}
	last := "/{" + paramName(len(types)-1) + "}"
	switch t.Scope {
	case AtAnyScope:
		c := "/{" + paramScope + "*}" + tail.String()
		return []string{c + last}, []string{c}
	case InSubscription:
		c := subPath + tail.String()
		return []string{c + last}, []string{c}
	case InEither:
		sub, group := subPath+tail.String(), groupPath+tail.String()
		return []string{sub + last, group + last}, []string{sub, group}
	case InTenant:
		return []string{tail.String() + last}, []string{tail.String()}
	}
	collections = []string{groupPath + tail.String()}
	if len(types) == 1 {
		collections = append(collections, subPath+tail.String())
	}
	return []string{groupPath + tail.String() + last}, collections
}

func (e endpoint) route(pattern string) wire.Route {
	return wire.Route{
		Host: wire.HostARM, Method: e.method, Pattern: pattern, Operation: e.operation,
		Versions:  wire.Versions{Required: true, First: e.typ.Versions[0], Known: strings.Join(e.typ.Versions, ", ")},
		Auth:      e.p.bearer(),
		Authorize: e.authorize,
		Handler:   e.handle,
	}
}

// id builds the resource id a request addresses.
func (e *endpoint) id(r *wire.Request) (ID, error) {
	var id ID
	ns, types := e.typ.split()
	if e.typ.Scope == AtAnyScope {
		scope, err := ParseID("/" + r.Param(paramScope))
		if err != nil {
			return id, err
		}
		if scope.Collection() {
			return id, badID(scope.String(), "a collection can't be a scope")
		}
		scope = e.p.canonical(scope)
		id = ID{Subscription: scope.Subscription, ResourceGroup: scope.ResourceGroup, Extension: true}
		if id.Scope = scope.String(); id.Scope == "/" {
			id.Scope = ""
		}
	} else if e.typ.Scope != InTenant {
		if err := id.setSubscription(r.Param(paramSub)); err != nil {
			return id, err
		}
		if g := r.Param(paramGroup); g != "" {
			if err := id.setGroup(g); err != nil {
				return id, err
			}
		}
		if e.typ.Name == typeGroup {
			return id, nil
		}
	}
	if e.kind == onCollectionAction {
		return id, nil
	}
	id.Namespace, id.Types = ns, types
	n := len(types)
	if e.kind == onCollection {
		n--
	}
	for i := range n {
		name := r.Param(paramName(i))
		if err := checkName(name); err != nil {
			return id, err
		}
		id.Names = append(id.Names, name)
	}
	if len(id.String()) > maxID {
		return id, badID(id.String(), fmt.Sprintf("it is longer than %d bytes", maxID))
	}
	return id, nil
}

// canonical writes the types of an id as they were registered.
func (p *Pipeline) canonical(id ID) ID {
	if id.Namespace == "" {
		return id
	}
	if t := p.byName[strings.ToLower(id.Type())]; t != nil {
		ns, types := t.split()
		id.Namespace, id.Types = ns, types
	}
	return id
}

// handle runs what the route is for.
func (e endpoint) handle(ctx context.Context, r *wire.Request) (any, error) {
	c := r.State.(*Call)
	switch {
	case e.kind == onCollection:
		return e.p.list(ctx, c)
	case e.act != nil:
		return e.p.act(ctx, c, e.act)
	case e.method == http.MethodGet:
		return e.p.get(ctx, c)
	case e.method == http.MethodHead:
		return nil, nil
	case e.method == http.MethodDelete:
		return e.p.delete(ctx, c)
	}
	return e.p.put(ctx, c, e.method == http.MethodPatch)
}
