package security

import (
	"context"
	"encoding/json"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

const countTypeName = namespace + "/alertCounts"

// shownCount is how many alerts of a machine are like each other.
type shownCount struct {
	IsIncident bool   `json:"isIncident"`
	Status     string `json:"status"`
	Severity   string `json:"severity"`
	Count      int    `json:"count"`
}

// countType has how many alerts each machine has, kept as they change, so that overviews need not read the alerts. It is Bulkhead's own: Azure's portal asks Resource Graph.
func (s *Service) countType() arm.Type {
	return arm.Type{
		Name: countTypeName, Versions: []string{"2022-01-01"}, Scope: arm.InSubscription, Untracked: true, List: s.listCounts,
		Get: func(context.Context, *arm.Call) (*arm.Resource, error) { return nil, nil },
	}
}

func (s *Service) listCounts(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
	from, err := c.SkipToken()
	if err != nil {
		return nil, err
	}
	top, err := c.QueryInt("$top", 1000, 1, 1000)
	if err != nil {
		return nil, err
	}
	all, next, err := s.engine.Tallies(ctx, c.ID.Subscription, string(from), top)
	if err != nil {
		return nil, err
	}
	if next != "" {
		c.Next = []byte(next)
	}
	out := make([]*arm.Resource, len(all))
	for i, t := range all {
		id := "/subscriptions/" + c.ID.Subscription
		if t.Group != "" {
			id += "/resourceGroups/" + t.Group
		}
		counts := make([]shownCount, len(t.Of))
		for k, n := range t.Of {
			counts[k] = shownCount{n.Incident, string(n.Status), string(n.Severity), n.N}
		}
		properties, err := json.Marshal(map[string]any{"compromisedEntity": t.Host, "counts": counts})
		if err != nil {
			return nil, err
		}
		out[i] = &arm.Resource{ID: id + "/providers/" + countTypeName + "/" + t.Key, Name: t.Key, Type: countTypeName, Properties: properties}
	}
	return out, nil
}
