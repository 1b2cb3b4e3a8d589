package alerts

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// readMetrics is what a caller must be allowed to do at whatever a rule that is tried looks at: the answer tells values.
const readMetrics = "Microsoft.Insights/metrics/read"

const (
	maxTryPoints = 2000 // of one line
	maxTryLines  = 20
)

// TryLine is what one criterion of a rule looked at, for one resource and combination of dimensions.
type TryLine struct {
	Resource   string           `json:"resource"`
	Metric     string           `json:"metricName"`
	Dimensions []alerting.Value `json:"dimensions"`
	Points     []TryPoint       `json:"points"`
}

// TryPoint is an evaluation. One without data is left out of its line.
type TryPoint struct {
	At        time.Time `json:"timeStamp"`
	Value     float64   `json:"value"`
	Threshold *float64  `json:"threshold,omitempty"` // of a static criterion
	Low       *float64  `json:"low,omitempty"`       // of a dynamic one, once enough is learnt
	High      *float64  `json:"high,omitempty"`
}

// tryLines collects every nth evaluation.
type tryLines struct {
	rule  *compiled
	every int64 // 0: none
	at    int64
	by    map[string]int // index in all
	all   []TryLine
}

func newTryLines(rule *compiled, evaluations int64, points int) *tryLines {
	l := &tryLines{rule: rule, by: map[string]int{}}
	if points > 0 {
		l.every = max((evaluations+int64(points)-1)/int64(points), 1)
	}
	return l
}

func (l *tryLines) next() { l.at++ }

func (l *tryLines) add(ev *alerting.Evaluator, o *alerting.Outcome, minute int64) {
	if l.every == 0 || l.at%l.every != 0 {
		return
	}
	key := o.Key()
	for i := range o.Measured {
		m, c := o.Measured[i], &l.rule.Criteria[i]
		if !m.Has {
			continue
		}
		name := strconv.Itoa(i) + "|" + key
		n, ok := l.by[name]
		if !ok {
			if len(l.all) == maxTryLines {
				continue
			}
			n = len(l.all)
			l.by[name] = n
			l.all = append(l.all, TryLine{Resource: o.Resource, Metric: c.Metric, Dimensions: append([]alerting.Value{}, o.Dimensions...)})
		}
		p := TryPoint{At: timeOf(minute), Value: m.Value}
		if c.Dynamic == nil {
			p.Threshold = &m.Threshold
		} else if lo, hi, ok := ev.Edges(&l.rule.Rule, c, key, minute); ok {
			p.Low, p.High = &lo, &hi
		}
		l.all[n].Points = append(l.all[n].Points, p)
	}
}

// tryRule answers what a rule would have done over what is stored: the one of the body, which need not exist and is not made, or without a body the stored one. An extension:
//
//	POST .../metricAlerts/{name}/try?from=2026-01-02T00:00:00Z&to=2026-01-02T03:00:00Z&points=500
func (s *Service) tryRule(ctx context.Context, c *arm.Call) (any, error) {
	from, err := time.Parse(time.RFC3339, c.Query("from"))
	to, err2 := time.Parse(time.RFC3339, c.Query("to"))
	if err != nil || err2 != nil {
		return nil, bad("The query parameters from and to are '%.60s' and '%.60s'; both must be times such as 2026-01-02T03:04:05Z.", c.Query("from"), c.Query("to"))
	}
	points := 0
	if v := c.Query("points"); v != "" {
		if points, err = strconv.Atoi(v); err != nil || points < 0 || points > maxTryPoints {
			return nil, bad("The query parameter points is '%.60s'; it must be a number from 0 to %d.", v, maxTryPoints)
		}
	}
	r := c.Old
	if c.Body.Has("properties") {
		a, err := s.readMetricAlert(c.Body.Object("properties"), c.ID.Subscription)
		if err != nil {
			return nil, err
		}
		r = &arm.Resource{ID: c.ID.String(), Name: c.ID.Name(), Type: metricAlertName, Properties: raw(a), Private: raw(ruleState{})}
	}
	if r == nil {
		return nil, fault.New(fault.NotFound, "ResourceNotFound", "There is no metric alert '%.300s'. To try one that is not there, send its properties.", c.ID)
	}
	rule, err := s.compiledNow(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, scope := range append(append([]string{}, rule.scopes...), rule.Resources...) {
		d, err := s.deps.Access.Check(ctx, c.Principal, readMetrics, false, scope)
		if err != nil {
			return nil, err
		}
		if !d.Allowed {
			return nil, fault.New(fault.Forbidden, "AuthorizationFailed", "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid.",
				c.Principal.AppID, c.Principal.ObjectID, readMetrics, strings.ToLower(scope))
		}
	}
	return s.try(ctx, rule, from, to, points)
}
