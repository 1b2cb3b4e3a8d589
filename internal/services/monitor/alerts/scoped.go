package alerts

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// resourceRoutes are the alerts of one resource: {resource}/providers/Microsoft.AlertsManagement/alerts[/{id}]; those of a subscription and of a group are the control plane's, by the
// type of alerts. The summary is so of a resource and of a group.
func (s *Service) resourceRoutes() []wire.Route {
	read := func(name, operation string, h wire.Handler) wire.Route {
		return wire.Route{
			Host: wire.HostARM, Method: http.MethodGet, Pattern: "/{scope*}/providers/" + management + "/" + name, Operation: operation,
			Versions: wire.Versions{Required: true, First: "2018-05-05"}, Auth: s.deps.SignedIn, Authorize: s.mayReadAt(operation), Handler: h,
		}
	}
	return []wire.Route{
		read("alerts", alertTypeName+"/read", wire.Handle(s.alertsOf)),
		read("alerts/{alertId}", alertTypeName+"/read", wire.Handle(s.alertOf)),
		read("alertsSummary", management+"/alertsSummary/read", func(ctx context.Context, r *wire.Request) (any, error) { return s.summaryOf(ctx, r, r.State.(arm.ID)) }),
	}
}

// mayReadAt makes the stage that decides whether the caller may read at the path's resource, and whether there is one.
func (s *Service) mayReadAt(operation string) func(ctx context.Context, r *wire.Request) error {
	return func(ctx context.Context, r *wire.Request) error {
		id, err := arm.ParseID("/" + r.Param("scope"))
		if err != nil {
			return err
		}
		if id.Collection() || id.Subscription == "" {
			return fault.New(fault.Invalid, "InvalidResourceId", "'%s' is the id of no resource, group or subscription.", id)
		}
		r.Resource = id.String()
		d, err := s.deps.Access.Check(ctx, r.Principal, operation, false, id.String())
		if err != nil {
			return err
		}
		if !d.Allowed {
			return fault.New(fault.Forbidden, "AuthorizationFailed",
				"The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
				r.Principal.AppID, r.Principal.ObjectID, operation, id)
		}
		r.AllowedBy, r.State = d.By, id
		if id.Namespace == "" && id.ResourceGroup == "" {
			return nil // whoever may read in a subscription knows that it is there
		}
		found, _, err := s.deps.Resources.Resource(ctx, id.String())
		if err != nil {
			return err
		}
		if found == nil && id.Namespace == "" {
			return fault.New(fault.NotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", id.ResourceGroup)
		}
		if found == nil {
			return fault.New(fault.NotFound, "ResourceNotFound", "The Resource '%s/%s' under resource group '%s' was not found.", id.Type(), id.Name(), id.ResourceGroup)
		}
		if id, err = arm.ParseID(found.ID); err == nil {
			r.State = id
		}
		return err
	}
}

// wireAlert is an alert as the control plane shows a resource.
type wireAlert struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Properties json.RawMessage `json:"properties"`
}

func wired(r *arm.Resource) wireAlert { return wireAlert{r.ID, r.Name, r.Type, r.Properties} }

func (s *Service) alertsOf(ctx context.Context, r *wire.Request) (wire.Page[wireAlert], error) {
	list, next, err := s.page(ctx, r, r.State.(arm.ID))
	if err != nil {
		return wire.Page[wireAlert]{}, err
	}
	out := make([]wireAlert, 0, len(list))
	for _, a := range list {
		out = append(out, wired(a))
	}
	link := ""
	if next != nil {
		link = r.NextLink(next)
	}
	return wire.NewPage(out, link), nil
}

func (s *Service) alertOf(ctx context.Context, r *wire.Request) (*wireAlert, error) {
	scope := r.State.(arm.ID)
	a, err := get(ctx, s.deps.Store, shardOf(scope.Subscription), alertKey(fold(r.Param("alertId"))), alertCodec)
	if err != nil {
		return nil, err
	}
	if a == nil || !within(scope, a) {
		return nil, fault.New(fault.NotFound, "ResourceNotFound", "There is no alert '%.60s' of the resource '%s'.", r.Param("alertId"), scope)
	}
	out := wired(a.resource(true, true))
	return &out, nil
}
