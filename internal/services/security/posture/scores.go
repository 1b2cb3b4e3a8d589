package posture

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
)

const (
	scoreTypeName   = namespace + "/secureScores"
	controlTypeName = scoreTypeName + "/secureScoreControls"
	scoreName       = "ascScore"
)

var scoreVersions = []string{"2020-01-01-preview", "2020-01-01"}

// shownScore is a score on the wire.
type shownScore struct {
	Max        int     `json:"max"`
	Current    float64 `json:"current"`
	Percentage float64 `json:"percentage"`
}

// scores adds a subscription up.
func (s *Service) scores(ctx context.Context, subscription string) ([]assess.ControlScore, assess.Score, error) {
	all, _, err := s.evaluate(ctx, subscription)
	verdicts := make([]assess.Verdict, 0, len(all))
	for _, j := range all {
		verdicts = append(verdicts, j.Verdict)
	}
	by, whole := assess.Scores(verdicts)
	return by, whole, err
}

// scoreType has the one score of a subscription.
func (s *Service) scoreType() arm.Type {
	one := func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
		by, whole, err := s.scores(ctx, c.ID.Subscription)
		weight := 0
		for i := range by {
			weight += by[i].Weight()
		}
		return &arm.Resource{
			ID: "/subscriptions/" + c.ID.Subscription + "/providers/" + scoreTypeName + "/" + scoreName, Name: scoreName, Type: scoreTypeName,
			Properties: raw(map[string]any{"displayName": "ASC score", "score": shownScore(whole), "weight": weight}),
		}, err
	}
	return arm.Type{
		Name: scoreTypeName, Scope: arm.InSubscription, Untracked: true, Versions: scoreVersions,
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			if !strings.EqualFold(c.ID.Name(), scoreName) {
				return nil, nil
			}
			return one(ctx, c)
		},
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			r, err := one(ctx, c)
			return []*arm.Resource{r}, err
		},
	}
}

// controlOfScoreType has the controls of the score; controlType lists the same beside it, as Azure does.
func (s *Service) controlOfScoreType() arm.Type { return s.controls(controlTypeName) }

func (s *Service) controlType() arm.Type { return s.controls(namespace + "/secureScoreControls") }

func (s *Service) controls(name string) arm.Type {
	list := func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
		if len(c.ID.Types) > 1 && !strings.EqualFold(c.ID.Names[0], scoreName) {
			return nil, nil
		}
		definition := false
		switch x := c.Query("$expand"); {
		case strings.EqualFold(x, "definition"):
			definition = true
		case x != "":
			return nil, bad("Invalid $expand: '%.60s' is not definition.", x)
		}
		by, _, err := s.scores(ctx, c.ID.Subscription)
		var out []*arm.Resource
		for _, sc := range by {
			out = append(out, controlResource(c.ID.Subscription, sc, definition))
		}
		return out, err
	}
	return arm.Type{
		Name: name, Scope: arm.InSubscription, Untracked: true, Versions: scoreVersions, List: list,
		Get: func(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
			all, err := list(ctx, c)
			for _, r := range all {
				if strings.EqualFold(r.Name, c.ID.Name()) {
					return r, nil
				}
			}
			return nil, err
		},
	}
}

func controlResource(subscription string, sc assess.ControlScore, definition bool) *arm.Resource {
	props := map[string]any{
		"displayName": sc.Control.DisplayName, "score": shownScore(sc.Score), "healthyResourceCount": sc.Healthy, "unhealthyResourceCount": sc.Unhealthy,
		"notApplicableResourceCount": sc.NotApplicable, "weight": sc.Weight(),
	}
	if definition {
		props["definition"] = definitionItem(sc.Control)
	}
	return &arm.Resource{
		ID:   "/subscriptions/" + subscription + "/providers/" + scoreTypeName + "/" + scoreName + "/secureScoreControls/" + sc.Control.Name,
		Name: sc.Control.Name, Type: controlTypeName, Properties: raw(props),
	}
}

func definitionItem(c assess.Control) shownItem {
	var of []map[string]string
	for _, check := range assess.Checks() {
		if check.Control == c.Name {
			of = append(of, map[string]string{"id": "/providers/" + metadataTypeName + "/" + check.Name})
		}
	}
	return shownItem{"/providers/" + definitionTypeName + "/" + c.Name, c.Name, definitionTypeName, map[string]any{
		"displayName": c.DisplayName, "description": c.Description, "maxScore": c.Max, "source": map[string]string{"sourceType": "BuiltIn"}, "assessmentDefinitions": of,
	}}
}

// controlDefinitionType lists what the controls are, by way of a subscription.
func (s *Service) controlDefinitionType() arm.Type {
	one := func(c assess.Control) *arm.Resource {
		item := definitionItem(c)
		return &arm.Resource{ID: item.ID, Name: item.Name, Type: item.Type, Properties: raw(item.Properties)}
	}
	return arm.Type{
		Name: definitionTypeName, Scope: arm.InSubscription, Untracked: true, Versions: scoreVersions,
		Get: func(_ context.Context, c *arm.Call) (*arm.Resource, error) {
			for _, have := range assess.Controls() {
				if strings.EqualFold(have.Name, c.ID.Name()) {
					return one(have), nil
				}
			}
			return nil, nil
		},
		List: func(context.Context, *arm.Call) ([]*arm.Resource, error) {
			var out []*arm.Resource
			for _, have := range assess.Controls() {
				out = append(out, one(have))
			}
			return out, nil
		},
	}
}
