package alerts

import (
	"context"
	"net/http"
	"sort"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// grouped is one level of a summary.
type grouped struct {
	Name   string    `json:"name,omitempty"`
	Count  int       `json:"count"`
	By     string    `json:"groupedby,omitempty"`
	Values []grouped `json:"values,omitempty"`
}

// groupings are what alerts can be counted by.
func groupings() []string {
	return []string{"severity", "alertState", "monitorCondition", "monitorService", "signalType", "alertRule"}
}

func groupValue(a *alert, by string) string {
	e := a.show(false, false).Essentials
	switch by {
	case "severity":
		return e.Severity
	case "alertState":
		return e.State
	case "monitorCondition":
		return e.Condition
	case "monitorService":
		return e.Service
	case "signalType":
		return e.Signal
	}
	return e.Rule
}

// summary counts alerts by up to three properties, one within the other.
func (s *Service) summary(ctx context.Context, c *arm.Call) (any, error) {
	return s.summaryOf(ctx, c.Request, arm.ID{Subscription: c.ID.Subscription, ResourceGroup: c.ID.ResourceGroup})
}

func (s *Service) summaryOf(ctx context.Context, r *wire.Request, scope arm.ID) (any, error) {
	text := r.Query("groupby")
	if text == "" {
		return nil, bad("The query parameter groupby is required: one or more of %s, with commas.", strings.Join(groupings(), ", "))
	}
	var by []string
	for _, g := range strings.Split(text, ",") {
		name, err := known("groupby", strings.TrimSpace(g), groupings())
		if err != nil {
			return nil, err
		}
		by = append(by, name)
	}
	if len(by) > 3 {
		return nil, bad("The query parameter groupby has at most three names.")
	}
	q, err := parseQuery(r.Query, r.Time)
	if err != nil {
		return nil, err
	}
	found, err := s.selected(ctx, scope, q)
	if err != nil {
		return nil, err
	}
	properties := map[string]any{"total": len(found), "groupedby": by[0], "values": group(found, by), "smartGroupsCount": 0}
	return map[string]any{
		"id": scope.String() + "/providers/" + management + "/alertsSummary/current", "name": "current", "type": management + "/alertsSummary",
		"properties": properties,
	}, nil
}

func group(list []alert, by []string) []grouped {
	parts := map[string][]alert{}
	for _, a := range list {
		v := groupValue(&a, by[0])
		parts[v] = append(parts[v], a)
	}
	out := make([]grouped, 0, len(parts))
	for name, part := range parts {
		g := grouped{Name: name, Count: len(part)}
		if len(by) > 1 {
			g.By, g.Values = by[1], group(part, by[1:])
		}
		out = append(out, g)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// tenantRoutes are those that are of no subscription.
func (s *Service) tenantRoutes() []wire.Route {
	return []wire.Route{{
		Host: wire.HostARM, Method: http.MethodGet, Pattern: "/providers/" + management + "/alertsMetaData", Operation: management + "/alertsMetaData/read",
		Versions: wire.Versions{Required: true, First: "2019-03-01-preview"}, Auth: s.deps.SignedIn, Handler: metadata,
	}, {
		Host: wire.HostARM, Method: http.MethodGet, Pattern: "/providers/" + management + "/operations", Operation: management + "/operations/read",
		Versions: wire.Versions{Required: true, First: "2018-05-05"}, Auth: s.deps.SignedIn, Handler: operations,
	}}
}

// metadata lists the monitor services that may raise alerts.
func metadata(_ context.Context, r *wire.Request) (any, error) {
	if !strings.EqualFold(r.Query("identifier"), "MonitorServiceList") {
		return nil, bad("The query parameter identifier is '%.60s'; it must be MonitorServiceList.", r.Query("identifier"))
	}
	type service struct {
		Name  string `json:"name"`
		Shown string `json:"displayName"`
	}
	return map[string]any{"properties": map[string]any{
		"metadataIdentifier": "MonitorServiceList", "identifier": "MonitorServiceList", // the one is in the specification, the other in its examples
		"data": []service{{"Platform", "Platform"}, {activityService, "Activity Log - Administrative"}, {"VM Insights", "VM Insights"}},
	}}, nil
}
