package security

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/engine"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	alertTypeName = namespace + "/locations/alerts"
	allTypeName   = namespace + "/alerts"
	shownTypeName = namespace + "/Locations/alerts"
	// secondShape is the first api-version whose alerts have today's shape.
	secondShape = "2020-01-01"
	pageSize    = 100
)

func alertVersions() []string {
	return []string{"2015-06-01-preview", "2019-01-01", "2020-01-01", "2021-01-01", "2021-11-01", "2022-01-01"}
}

// alertType is an alert: read and acted on below its location.
func (s *Service) alertType() arm.Type {
	to := func(verb string, status alerts.Status, operation string) arm.Action {
		return arm.Action{Verb: verb, Writes: true, Operation: alertTypeName + "/" + operation + "/action", Handler: func(ctx context.Context, c *arm.Call) (any, error) {
			return nil, s.setStatus(ctx, c, status)
		}}
	}
	return arm.Type{
		Name: alertTypeName, Versions: alertVersions(), Scope: arm.InEither, Untracked: true, Get: s.getAlert, List: s.listAlerts,
		Actions: []arm.Action{
			to("dismiss", alerts.Dismissed, "dismiss"), to("resolve", alerts.Resolved, "resolve"), to("inProgress", alerts.InProgress, "inProgress"),
			to("activate", alerts.Active, "activate"), to("reactivate", alerts.Active, "activate"), // the latter until 2019-01-01
			s.investigation(),
			{Verb: "locations/{location}/alerts/default/simulate", Collection: true, Writes: true, Operation: alertTypeName + "/simulate/action", Handler: s.simulate},
			{Verb: "locations/{location}/operationResults/{operation}", Method: http.MethodGet, Collection: true, Operation: alertTypeName + "/read", Handler: s.simulated},
		},
	}
}

// allAlertsType is the list of alerts of all locations; one alert is addressed by its location.
func (s *Service) allAlertsType() arm.Type {
	return arm.Type{
		Name: allTypeName, Versions: alertVersions(), Scope: arm.InEither, Untracked: true, List: s.listAlerts,
		Get: func(context.Context, *arm.Call) (*arm.Resource, error) { return nil, nil },
	}
}

// here reports whether the location in an id is the one alerts are in.
func here(id arm.ID) bool { return len(id.Types) == 1 || strings.EqualFold(id.Names[0], alerts.Region) }

// groupOf is the resource group that an alert is shown in: its machine's; "" for those of the whole subscription.
func groupOf(a *alerts.Alert) string {
	id, err := arm.ParseID(a.Machine)
	if err != nil {
		return ""
	}
	return id.ResourceGroup
}

// within reports whether an alert is in the scope of a call.
func within(c *arm.Call, a *alerts.Alert) bool {
	return c.ID.ResourceGroup == "" || strings.EqualFold(c.ID.ResourceGroup, groupOf(a))
}

func (s *Service) find(ctx context.Context, c *arm.Call) (*alerts.Alert, error) {
	if !here(c.ID) {
		return nil, nil
	}
	a, err := s.engine.Get(ctx, c.ID.Subscription, strings.ToLower(c.ID.Name()))
	if err != nil || a == nil || !within(c, a) {
		return nil, err
	}
	return a, nil
}

func (s *Service) getAlert(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	a, err := s.find(ctx, c)
	if err != nil || a == nil {
		return nil, err
	}
	return s.resource(c, a, nil)
}

func (s *Service) listAlerts(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
	q, err := parseQuery(c.Query)
	if err != nil || !here(c.ID) {
		return nil, err
	}
	from, err := c.SkipToken()
	if err != nil {
		return nil, err
	}
	wanted, err := s.wanted(ctx, c, q)
	if err != nil {
		return nil, err
	}
	wanted.Keep = func(a *alerts.Alert) bool { return within(c, a) && q.keeps(a) }
	top, err := c.QueryInt("$top", pageSize, 1, pageSize)
	if err != nil {
		return nil, err
	}
	found, next, err := s.engine.Find(ctx, c.ID.Subscription, wanted, string(from), top)
	if err != nil {
		return nil, err
	}
	if next != "" {
		c.Next = []byte(next)
	}
	out := make([]*arm.Resource, len(found))
	for i, a := range found {
		if out[i], err = s.resource(c, a, q); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// wanted is what a query asks the index. The alerts of an incident are found by the incident.
func (s *Service) wanted(ctx context.Context, c *arm.Call, q *query) (engine.Query, error) {
	out := q.narrowed()
	for _, t := range q.terms {
		if t.name != "correlationkey" || t.op != "eq" || out.Names != nil {
			continue
		}
		in, err := s.engine.Get(ctx, c.ID.Subscription, strings.ToLower(t.value))
		if err != nil {
			return out, err
		}
		out.Names = []string{}
		if in != nil {
			out.Names = append(slices.Clone(in.Members), in.Name)
			slices.Sort(out.Names)
		}
	}
	return out, nil
}

// resource is an alert in the shape of the call's api-version.
func (s *Service) resource(c *arm.Call, a *alerts.Alert, q *query) (*arm.Resource, error) {
	var shape any
	if c.Version < secondShape {
		shape = renderOld(a)
	} else {
		shape = render(a, alertID(a), c.URL(wire.HostPortal, ""))
	}
	properties, err := json.Marshal(shape)
	if err != nil {
		return nil, err
	}
	if properties, err = q.chosen(properties); err != nil {
		return nil, err
	}
	return &arm.Resource{ID: alertID(a), Name: a.Name, Type: shownTypeName, Properties: properties}, nil
}

func alertID(a *alerts.Alert) string {
	id := "/subscriptions/" + a.Subscription
	if g := groupOf(a); g != "" {
		id += "/resourceGroups/" + g
	}
	return id + "/providers/" + namespace + "/locations/" + alerts.Region + "/alerts/" + a.Name
}

// setStatus commits that somebody decided about an alert; the change itself follows from the row.
func (s *Service) setStatus(ctx context.Context, c *arm.Call, to alerts.Status) error {
	name := strings.ToLower(c.ID.Name())
	payload, err := json.Marshal(engine.StatusChange{Subscription: c.ID.Subscription, Name: name, Status: to})
	if err != nil {
		return err
	}
	return c.Commit(ctx, func(tx store.Tx) error { return outbox.PutOrdered(tx, engine.StatusKind, name, payload) })
}
