package monitor

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

type localized struct {
	Value string `json:"value"`
	Local string `json:"localizedValue"`
}

// wireDefinition is a metric's definition as the wire shows it (swagger: MetricDefinition).
type wireDefinition struct {
	ID           string         `json:"id"`
	ResourceID   string         `json:"resourceId"`
	Namespace    string         `json:"namespace"`
	Category     string         `json:"category,omitempty"`
	Name         localized      `json:"name"`
	Description  string         `json:"displayDescription,omitempty"`
	Required     bool           `json:"isDimensionRequired"`
	Unit         string         `json:"unit"`
	Primary      string         `json:"primaryAggregationType"`
	Supported    []string       `json:"supportedAggregationTypes"`
	Availability []availability `json:"metricAvailabilities"`
	Dimensions   []localized    `json:"dimensions,omitempty"`
}

type availability struct {
	Grain     string `json:"timeGrain"`
	Retention string `json:"retention"`
}

// grains are the intervals that charts may have.
var grains = []struct {
	name  string
	grain time.Duration
}{
	{"PT1M", time.Minute},
	{"PT5M", 5 * time.Minute},
	{"PT15M", 15 * time.Minute},
	{"PT30M", 30 * time.Minute},
	{"PT1H", time.Hour},
	{"PT6H", 6 * time.Hour},
	{"PT12H", 12 * time.Hour},
	{"P1D", 24 * time.Hour},
}

// definitions gives the metrics of a resource in a namespace ("": that of its type): those defined for the type, and those measured that nobody defined.
func (s *Service) definitions(res *arm.Resource, namespace string) []metrics.Definition {
	if namespace == "" {
		namespace = res.Type
	}
	var out []metrics.Definition
	for _, d := range s.deps.Definitions.Of(res.Type) {
		if strings.EqualFold(d.Namespace, namespace) {
			out = append(out, d)
		}
	}
	defined := len(out)
	for _, sel := range s.deps.Metrics.Select(metrics.Selector{Resource: res.ID, Namespace: namespace}) {
		i := slices.IndexFunc(out, func(d metrics.Definition) bool { return strings.EqualFold(d.Name, sel.Name) })
		if i >= 0 && i < defined {
			continue
		}
		if i < 0 {
			i = len(out)
			out = append(out, metrics.Definition{Name: sel.Name, DisplayName: sel.Name, Namespace: sel.Namespace, Unit: "Unspecified", Primary: metrics.Average})
		}
		for _, dim := range sel.Dimensions {
			if !slices.ContainsFunc(out[i].Dimensions, func(d string) bool { return strings.EqualFold(d, dim.Name) }) {
				out[i].Dimensions = append(out[i].Dimensions, dim.Name)
			}
		}
	}
	return out
}

func render(res string, d metrics.Definition) wireDefinition {
	out := wireDefinition{
		ID: res + "/providers/microsoft.insights/metricdefinitions/" + d.Name, ResourceID: res, Namespace: d.Namespace, Category: d.Category,
		Name: localized{d.Name, cmp.Or(d.DisplayName, d.Name)}, Description: d.Description, Unit: cmp.Or(d.Unit, "Unspecified"), Primary: primary(d).String(),
	}
	for _, a := range supported(d) {
		out.Supported = append(out.Supported, a.String())
	}
	for _, g := range grains {
		out.Availability = append(out.Availability, availability{g.name, "P93D"})
	}
	for _, dim := range d.Dimensions {
		out.Dimensions = append(out.Dimensions, localized{dim, dim})
	}
	return out
}

func primary(d metrics.Definition) metrics.Aggregation {
	return cmp.Or(d.Primary, metrics.Average)
}

func supported(d metrics.Definition) []metrics.Aggregation {
	if len(d.Aggregations) > 0 {
		return d.Aggregations
	}
	return []metrics.Aggregation{metrics.Average, metrics.Total, metrics.Minimum, metrics.Maximum, metrics.Count}
}

func (s *Service) listDefinitions(ctx context.Context, r *wire.Request) (wire.Page[wireDefinition], error) {
	namespace := r.Query("metricnamespace")
	list, err := s.selected(ctx, r, r.Query("region"), namespace)
	if err != nil {
		return wire.Page[wireDefinition]{}, err
	}
	// Of a subscription each metric is shown once, whichever resource has it.
	one, seen := r.State.(*scope).resource != nil, map[string]bool{}
	var out []wireDefinition
	for _, res := range list {
		for _, d := range s.definitions(res, namespace) {
			k := strings.ToLower(d.Namespace + "/" + d.Name)
			if one || !seen[k] {
				out = append(out, render(scopeID(r, res), d))
			}
			seen[k] = true
		}
	}
	return wire.NewPage(out, ""), nil
}

// scopeID is the id that what is shown of a resource carries: its own, or that of the subscription that was asked.
func scopeID(r *wire.Request, res *arm.Resource) string {
	if sc := r.State.(*scope); sc.resource == nil {
		return sc.id.String()
	}
	return res.ID
}

// wireNamespace is a namespace of metrics as the wire shows it (swagger: MetricNamespace).
type wireNamespace struct {
	ID             string        `json:"id"`
	Type           string        `json:"type"`
	Name           string        `json:"name"`
	Classification string        `json:"classification"`
	Properties     namespaceName `json:"properties"`
}

type namespaceName struct {
	Name string `json:"metricNamespaceName"`
}

func (s *Service) listNamespaces(ctx context.Context, r *wire.Request) (wire.Page[wireNamespace], error) {
	list, err := s.selected(ctx, r, r.Query("region"), "")
	if err != nil {
		return wire.Page[wireNamespace]{}, err
	}
	var out []wireNamespace
	seen := map[string]bool{}
	add := func(res *arm.Resource, name, class string) {
		if k := strings.ToLower(name); !seen[k] {
			seen[k] = true
			id := scopeID(r, res) + "/providers/microsoft.insights/metricNamespaces/" + name
			out = append(out, wireNamespace{id, "Microsoft.Insights/metricNamespaces", name, class, namespaceName{name}})
		}
	}
	for _, res := range list {
		for _, d := range s.deps.Definitions.Of(res.Type) {
			add(res, d.Namespace, "Platform")
		}
		for _, sel := range s.deps.Metrics.Select(metrics.Selector{Resource: res.ID}) {
			add(res, sel.Namespace, "Custom")
		}
	}
	return wire.NewPage(out, ""), nil
}
