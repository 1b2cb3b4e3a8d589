package monitor

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// maxBatch is how many resources one request may be about, as on Azure.
const maxBatch = 50

const batchAudience = "https://metrics.monitor.azure.com"

// wireBatch is the answer (swagger: MetricResultsResponse of 2024-02-01).
type wireBatch struct {
	Values []wireBatchOne `json:"values"`
}

type wireBatchOne struct {
	Start     string       `json:"starttime"`
	End       string       `json:"endtime"`
	Interval  string       `json:"interval"`
	Namespace string       `json:"namespace"`
	Region    string       `json:"resourceregion"`
	Resource  string       `json:"resourceid"`
	Value     []wireMetric `json:"value"`
}

func (s *Service) batchRoute() wire.Route {
	return wire.Route{
		Host: wire.HostBatch, Method: http.MethodPost, Pattern: "/subscriptions/{subscriptionId}/metrics:getBatch", Operation: readMetrics,
		Versions: wire.Versions{Required: true, First: "2023-05-01-preview"}, Auth: wire.Authenticator{Name: "bearer token (metrics)", Check: s.authenticateBatch},
		Authorize: func(context.Context, *wire.Request) error { return nil }, // of each resource, by the handler
		Handler:   wire.Handle(s.getBatch), Quiet: true,
	}
}

func (s *Service) authenticateBatch(ctx context.Context, r *wire.Request) error {
	return s.authenticateFor(ctx, r, batchAudience, func(audience string) bool {
		return strings.TrimSuffix(audience, "/") == batchAudience || forMonitoring(r, audience)
	})
}

// getBatch answers metrics of several resources of one type and region.
func (s *Service) getBatch(ctx context.Context, r *wire.Request) (*wireBatch, error) {
	var body struct {
		Resources []string `json:"resourceids"`
	}
	if err := wire.Bind(r, &body); err != nil {
		return nil, err
	}
	if len(body.Resources) == 0 || len(body.Resources) > maxBatch {
		return nil, badRequest("A batch is of 1 to %d resourceids.", maxBatch)
	}
	a, err := batchQuery(r)
	if err != nil {
		return nil, err
	}
	scopes := make([]*scope, len(body.Resources))
	for i, id := range body.Resources {
		if scopes[i], err = s.batchScope(ctx, r, id); err != nil {
			return nil, err
		}
	}
	out := &wireBatch{Values: []wireBatchOne{}}
	for _, sc := range scopes {
		r.State = sc
		m, err := s.chart(ctx, r, a)
		if err != nil {
			return nil, err
		}
		from, to, _ := strings.Cut(m.Timespan, "/")
		out.Values = append(out.Values, wireBatchOne{from, to, m.Interval, m.Namespace, m.Region, sc.resource.ID, m.Value})
	}
	return out, nil
}

// batchQuery reads the query: as of the control plane's metrics, but with a time each for start and end.
func batchQuery(r *wire.Request) (asked, error) {
	a, err := fromQuery(r)
	if err != nil {
		return a, err
	}
	a.Filter = cmp.Or(r.Query("filter"), a.Filter)
	if a.Namespace == "" || a.Names == "" {
		return a, badRequest("The parameters 'metricnamespace' and 'metricnames' are required.")
	}
	start, end := r.Query("starttime"), r.Query("endtime")
	if start == "" && end != "" {
		return a, badRequest("There is an 'endtime' without a 'starttime'.")
	}
	if start != "" {
		a.Timespan = start + "/" + cmp.Or(end, r.Time.UTC().Format(time.RFC3339))
	}
	return a, nil
}

// batchScope finds one of a batch's resources, and whether the caller may read its metrics.
func (s *Service) batchScope(ctx context.Context, r *wire.Request, text string) (*scope, error) {
	id, err := arm.ParseID(text)
	if err != nil {
		return nil, err
	}
	if id.Namespace == "" || id.Collection() || !strings.EqualFold(id.Subscription, r.Param("subscriptionId")) {
		return nil, badRequest("'%.300s' is no resource of the subscription.", text)
	}
	d, err := s.deps.Access.Check(ctx, r.Principal, readMetrics, false, id.String())
	if err != nil {
		return nil, err
	}
	if !d.Allowed {
		return nil, refusal(r.Principal, readMetrics, id.String(), d)
	}
	res, _, err := s.deps.Resources.Resource(ctx, id.String())
	if err != nil {
		return nil, err
	}
	if res == nil {
		return nil, fault.New(fault.NotFound, "ResourceNotFound", "The Resource '%s/%s' under resource group '%s' was not found.", id.Type(), id.Name(), id.ResourceGroup)
	}
	if at := r.Host.Name; at != "global" && region(res.Location) != "global" && region(res.Location) != at {
		return nil, badRequest("The resource '%.300s' is in the region %s, not in %s.", res.ID, region(res.Location), at)
	}
	return &scope{id: id, resource: res}, nil
}
