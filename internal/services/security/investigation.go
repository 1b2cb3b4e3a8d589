package security

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/correlate"
)

// investigation is the action that draws the graph around an alert. It is Bulkhead's own: Azure's was a page of the portal, without an API.
//
//	GET .../locations/{location}/alerts/{name}/investigation?depth=3&from=2018-11-20T01:00:00Z&to=...&focus=ip:203.0.113.7
//
// All parameters may be left out. The answer is correlate.Investigation. What the caller's scope doesn't show, the graph doesn't either.
func (s *Service) investigation() arm.Action {
	return arm.Action{Verb: "investigation", Method: http.MethodGet, Operation: alertTypeName + "/read", Handler: s.investigate}
}

func (s *Service) investigate(ctx context.Context, c *arm.Call) (any, error) {
	scope, err := parseScope(c.Query)
	if err != nil {
		return nil, err
	}
	a, err := s.find(ctx, c)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, fault.New(fault.NotFound, "ResourceNotFound", "The alert '%.100s' was not found.", c.ID.Name())
	}
	related, err := s.engine.Related(ctx, c.ID.Subscription, a)
	if err != nil {
		return nil, err
	}
	related = slices.DeleteFunc(related, func(x *alerts.Alert) bool { return !within(c, x) })
	graph, found := correlate.Investigate(a, related, scope)
	if !found {
		return nil, fault.New(fault.Invalid, "InvalidFocus", "The focus '%.200s' is no node of the graph around this alert at the time asked for.", scope.Focus)
	}
	return graph, nil
}

// parseScope reads what part of the graph is asked for. Errors are faults.
func parseScope(get func(name string) string) (scope correlate.Scope, err error) {
	scope = correlate.Scope{Focus: get("focus"), Depth: correlate.DefaultDepth}
	if text := get("depth"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > correlate.MaxDepth {
			return scope, fault.New(fault.Invalid, "InvalidDepth", "The depth '%.20s' is no number from 0 to %d.", text, correlate.MaxDepth)
		}
		scope.Depth = n
	}
	for name, to := range map[string]*time.Time{"from": &scope.From, "to": &scope.To} {
		if text := get(name); text != "" {
			if *to, err = time.Parse(time.RFC3339, text); err != nil {
				return scope, fault.New(fault.Invalid, "InvalidTime", "The time '%.40s' in '%s' is not as in 2018-11-20T01:00:00Z.", text, name)
			}
		}
	}
	if !scope.From.IsZero() && !scope.To.IsZero() && scope.To.Before(scope.From) {
		return scope, fault.New(fault.Invalid, "InvalidTime", "The time in 'to' is before that in 'from'.")
	}
	return scope, nil
}
