package monitor

import (
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	providerPath = "/{scope*}/providers/Microsoft.Insights/"
	readMetrics  = "Microsoft.Insights/metrics/read"
)

// metricRoutes are those of metrics on the control plane's host.
func (s *Service) metricRoutes() []wire.Route {
	arms := func(method, name, operation, first string, h wire.Handler) wire.Route {
		return wire.Route{
			Host: wire.HostARM, Method: method, Pattern: providerPath + name, Operation: operation, Versions: wire.Versions{Required: true, First: first},
			Auth: s.deps.SignedIn, Authorize: s.mayRead(operation), Handler: h, Quiet: true,
		}
	}
	out := []wire.Route{
		arms(http.MethodGet, "metricDefinitions", "Microsoft.Insights/metricDefinitions/read", "2016-03-01", wire.Handle(s.listDefinitions)),
		arms(http.MethodGet, "metricNamespaces", "Microsoft.Insights/metricNamespaces/read", "2017-12-01-preview", wire.Handle(s.listNamespaces)),
		arms(http.MethodGet, "metrics", readMetrics, "2016-06-01", wire.Handle(s.getMetrics)),
		arms(http.MethodPost, "metrics", readMetrics, "2021-05-01", wire.Handle(s.postMetrics)),
		arms(http.MethodGet, "metricBaselines", "Microsoft.Insights/metricBaselines/read", "2018-09-01", wire.Handle(s.listBaselines)),
	}
	return append(append(out, s.dataRoutes()...), s.batchRoute())
}

// scope is what a request asks about.
type scope struct {
	id       arm.ID
	resource *arm.Resource // nil for a subscription or a group
}

// mayRead makes the stage that decides whether the caller may do the operation at the path's scope, and whether the scope exists.
func (s *Service) mayRead(operation string) func(ctx context.Context, r *wire.Request) error {
	return func(ctx context.Context, r *wire.Request) error { return s.judge(ctx, r, operation, false) }
}

func (s *Service) judge(ctx context.Context, r *wire.Request, operation string, data bool) error {
	id, err := arm.ParseID("/" + r.Param("scope"))
	if err != nil {
		return err
	}
	if id.Collection() || id.Subscription == "" {
		return fault.New(fault.Invalid, "InvalidResourceId", "'%s' is the id of no resource and no subscription.", id)
	}
	r.Resource = id.String()
	d, err := s.deps.Access.Check(ctx, r.Principal, operation, data, id.String())
	if err != nil {
		return err
	}
	if !d.Allowed {
		return refusal(r.Principal, operation, id.String(), d)
	}
	r.AllowedBy = d.By
	sc := &scope{id: id}
	if id.Namespace != "" {
		if sc.resource, _, err = s.deps.Resources.Resource(ctx, id.String()); err != nil {
			return err
		}
		if sc.resource == nil {
			return fault.New(fault.NotFound, "ResourceNotFound", "The Resource '%s/%s' under resource group '%s' was not found.", id.Type(), id.Name(), id.ResourceGroup)
		}
		sc.id, err = arm.ParseID(sc.resource.ID)
	}
	r.State = sc
	return err
}

// refusal words the 403; it is the same for what does not exist.
func refusal(who *authn.Principal, operation, scope string, d arm.Decision) error {
	code, why := "AuthorizationFailed", "or the scope is invalid. If access was recently granted, please refresh your credentials."
	if d.Denied {
		code, why = "DenyAssignmentAuthorizationFailed", "because of the deny assignment "+d.By+"."
	}
	return fault.New(fault.Forbidden, code, "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' %s", who.AppID, who.ObjectID, operation, scope, why)
}

// region is a location as Azure stores it.
func region(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }

// selected lists the resources that a request is about: the one of its path, or those of a type in a region of the path's subscription or group.
func (s *Service) selected(ctx context.Context, r *wire.Request, where, namespace string) ([]*arm.Resource, error) {
	sc := r.State.(*scope)
	if sc.resource != nil {
		return []*arm.Resource{sc.resource}, nil
	}
	if where == "" {
		return nil, fault.New(fault.Invalid, "BadRequest", "Metrics of a subscription are of one region: the parameter 'region' is missing.")
	}
	all, err := s.deps.Inventory.Inventory(ctx, sc.id.Subscription)
	if err != nil {
		return nil, err
	}
	var out []*arm.Resource
	for _, res := range all {
		if (namespace == "" || strings.EqualFold(res.Type, namespace)) && region(res.Location) == region(where) && below(res.ID, sc.id.String()) {
			out = append(out, res)
		}
	}
	return out, nil
}

// below tells whether an id is in a scope.
func below(id, scope string) bool {
	return len(id) > len(scope) && strings.EqualFold(id[:len(scope)], scope) && id[len(scope)] == '/'
}
