package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	processingName = management + "/actionRules"

	removeGroups = "RemoveAllActionGroups"
	addGroups    = "AddActionGroups"

	maxProcessingScopes     = 500
	maxProcessingConditions = 20
	maxProcessingValues     = 100
	maxProcessingGroups     = 10
)

// processingRule is an alert processing rule's properties (swagger: AlertProcessingRuleProperties of 2021-08-08). It changes who is told of alerts, and nothing else of them.
type processingRule struct {
	Scopes      []string           `json:"scopes"`
	Conditions  []processingField  `json:"conditions,omitempty"`
	Schedule    *schedule          `json:"schedule,omitempty"`
	Actions     []processingAction `json:"actions"`
	Description string             `json:"description,omitempty"`
	Enabled     bool               `json:"enabled"`
}

type processingField struct {
	Field    string   `json:"field"`
	Operator string   `json:"operator"`
	Values   []string `json:"values"`
}

type processingAction struct {
	Type   string   `json:"actionType"`
	Groups []string `json:"actionGroupIds,omitempty"`
}

func (s *Service) processingType() arm.Type {
	return arm.Type{
		Name: processingName, Signed: true, Versions: []string{"2021-08-08-preview", "2021-08-08", "2023-05-01-preview"},
		Put: func(_ context.Context, c *arm.Call) error { return putProcessing(c) },
		Commit: func(tx store.Tx, c *arm.Call) error {
			if err := tx.Put([]byte(keyProcessing+c.New.GUID), c.Prepared.([]byte)); err != nil {
				return err
			}
			return bump(tx, keyProcessingVersion)
		},
		CommitDelete: func(tx store.Tx, c *arm.Call) error {
			if err := tx.Delete([]byte(keyProcessing + c.Old.GUID)); err != nil {
				return err
			}
			return bump(tx, keyProcessingVersion)
		},
	}
}

func putProcessing(c *arm.Call) error {
	r, err := readProcessing(c.Body.Object("properties"), c.ID.Subscription)
	if err != nil {
		return err
	}
	c.New.Properties = raw(r)
	c.Prepared, err = ruleCodec.Encode(c.New.ID)
	return err
}

// readProcessing reads what a client sent.
func readProcessing(in arm.Object, subscription string) (*processingRule, error) {
	if in == nil {
		return nil, bad("The property 'properties' is required.")
	}
	r := &processingRule{Description: in.String("description"), Enabled: true}
	for name, v := range map[string]any{"scopes": &r.Scopes, "conditions": &r.Conditions, "schedule": &r.Schedule, "actions": &r.Actions, "enabled": &r.Enabled} {
		if !in.Has(name) {
			continue
		}
		if err := in.Decode(name, v); err != nil {
			return nil, err
		}
	}
	if len(r.Scopes) == 0 || len(r.Scopes) > maxProcessingScopes {
		return nil, bad("An alert processing rule has 1 to %d scopes.", maxProcessingScopes)
	}
	for _, scope := range r.Scopes {
		if id, err := arm.ParseID(scope); err != nil {
			return nil, err
		} else if !strings.EqualFold(id.Subscription, subscription) {
			return nil, bad("The scope '%.300s' is in another subscription than the alert processing rule.", scope)
		}
	}
	if len(r.Conditions) > maxProcessingConditions {
		return nil, bad("An alert processing rule has at most %d conditions.", maxProcessingConditions)
	}
	for i := range r.Conditions {
		if err := r.Conditions[i].check(); err != nil {
			return nil, err
		}
	}
	if r.Schedule != nil {
		if _, err := r.Schedule.read(); err != nil {
			return nil, err
		}
	}
	return r, r.checkActions()
}

func processingFields() []string {
	return []string{
		"Severity", "MonitorService", "MonitorCondition", "SignalType", "TargetResource", "TargetResourceType", "TargetResourceGroup", "AlertRuleId", "AlertRuleName", "Description",
		"AlertContext",
	}
}

func (f *processingField) check() error {
	for _, one := range []struct {
		what string
		to   *string
		of   []string
	}{{"field", &f.Field, processingFields()}, {"operator", &f.Operator, []string{"Equals", "NotEquals", "Contains", "DoesNotContain"}}} {
		i := indexFold(one.of, *one.to)
		if i < 0 {
			return bad("The %s '%.60s' of a condition is none of %s.", one.what, *one.to, strings.Join(one.of, ", "))
		}
		*one.to = one.of[i]
	}
	if len(f.Values) == 0 || len(f.Values) > maxProcessingValues {
		return bad("A condition of the field %s has 1 to %d values.", f.Field, maxProcessingValues)
	}
	return nil
}

func (r *processingRule) checkActions() error {
	if len(r.Actions) != 1 {
		return bad("An alert processing rule has one action: %s or %s.", removeGroups, addGroups)
	}
	a := &r.Actions[0]
	switch {
	case strings.EqualFold(a.Type, removeGroups):
		a.Type, a.Groups = removeGroups, nil
	case strings.EqualFold(a.Type, addGroups):
		a.Type = addGroups
		if len(a.Groups) == 0 || len(a.Groups) > maxProcessingGroups {
			return bad("The action %s names 1 to %d actionGroupIds.", addGroups, maxProcessingGroups)
		}
		for _, g := range a.Groups {
			if err := checkActions([]alertAction{{Group: g}}); err != nil {
				return err
			}
		}
	default:
		return bad("The actionType '%.60s' is neither %s nor %s.", a.Type, removeGroups, addGroups)
	}
	return nil
}

// matches tells whether the rule says something about a transition.
func (r *processor) matches(e *event) bool {
	target := fold(e.Alert.Target)
	in := false
	for _, scope := range r.Scopes {
		scope = strings.TrimRight(fold(scope), "/")
		in = in || target == scope || strings.HasPrefix(target, scope+"/")
	}
	if !in || !r.Enabled {
		return false
	}
	for i := range r.Conditions {
		if !r.Conditions[i].holds(e) {
			return false
		}
	}
	at := e.Alert.Fired
	if e.Condition == resolved {
		at = e.Alert.Resolved
	}
	return r.times == nil || r.times.hold(at)
}

// holds compares in any case. A condition of several values holds for one of them; one that is negated for none.
func (f *processingField) holds(e *event) bool {
	have := fold(f.of(e))
	found := false
	for _, v := range f.Values {
		v = fold(v)
		if strings.HasSuffix(f.Operator, "Equals") {
			found = found || have == v
		} else {
			found = found || strings.Contains(have, v)
		}
	}
	return found == (f.Operator == "Equals" || f.Operator == "Contains")
}

func (f *processingField) of(e *event) string {
	shown := e.Alert.show(false, false).Essentials
	switch f.Field {
	case "Severity":
		return shown.Severity
	case "MonitorService":
		return shown.Service
	case "MonitorCondition":
		return e.Condition
	case "SignalType":
		return shown.Signal
	case "TargetResource":
		return shown.Target
	case "TargetResourceType":
		return shown.TargetType
	case "TargetResourceGroup":
		return shown.TargetGroup
	case "AlertRuleId":
		return shown.Rule
	case "AlertRuleName":
		return e.Alert.RuleName
	case "Description":
		return shown.Description
	}
	return string(e.Alert.Context)
}

// processor is an alert processing rule as it is applied.
type processor struct {
	processingRule
	name  string
	times *calendar
}

// processing keeps the rules of subscriptions as long as they don't change.
type processing struct {
	mu    sync.Mutex
	known map[string]processors // by folded subscription
}

type processors struct {
	version int64
	rules   []*processor
}

// processors gives the alert processing rules of a subscription.
func (s *Service) processors(ctx context.Context, subscription string) ([]*processor, error) {
	version, err := get(ctx, s.deps.Store, subShard(subscription), []byte(keyProcessingVersion), sliceCodec)
	if err != nil || version == nil {
		return nil, err
	}
	s.processing.mu.Lock()
	have, ok := s.processing.known[fold(subscription)]
	s.processing.mu.Unlock()
	if ok && have.version == *version {
		return have.rules, nil
	}
	_, list, err := all(ctx, s.deps.Store, subShard(subscription), keyProcessing, ruleCodec)
	if err != nil {
		return nil, err
	}
	have = processors{version: *version}
	for _, id := range list {
		r, _, err := s.deps.Resources.Resource(ctx, id)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		p := &processor{name: r.Name}
		if err := json.Unmarshal(r.Properties, &p.processingRule); err != nil {
			return nil, fmt.Errorf("alert processing rule %s: %w", r.ID, err)
		}
		if p.Schedule != nil {
			if p.times, err = p.Schedule.read(); err != nil {
				return nil, fmt.Errorf("alert processing rule %s: %w", r.ID, err)
			}
		}
		have.rules = append(have.rules, p)
	}
	s.processing.mu.Lock()
	defer s.processing.mu.Unlock()
	s.processing.known[fold(subscription)] = have
	return have.rules, nil
}

// verdict is what alert processing rules say about a transition.
type verdict struct {
	suppressedBy string // name of a rule; "": its action groups are told
	added        []groupRef
	addedBy      []string
}

func (v *verdict) nothing() bool { return v.suppressedBy == "" && len(v.addedBy) == 0 }

// process applies a subscription's alert processing rules. One that suppresses is stronger than those that add.
func (s *Service) process(ctx context.Context, e *event) (v verdict, err error) {
	rules, err := s.processors(ctx, e.Alert.Subscription)
	if err != nil {
		return v, err
	}
	for _, r := range rules {
		if !r.matches(e) {
			continue
		}
		if r.Actions[0].Type == removeGroups {
			return verdict{suppressedBy: r.name}, nil
		}
		v.addedBy = append(v.addedBy, r.name)
		for _, g := range r.Actions[0].Groups {
			v.added = append(v.added, groupRef{ID: g})
		}
	}
	return v, nil
}

// note makes the rows that tell of a verdict in the alert's history: once for each of its transitions, however often they are spread.
func (v *verdict) note(a *alert, condition string, at time.Time) ([]write, error) {
	if a.Processed == condition || v.nothing() && !a.Suppressed {
		return nil, nil
	}
	a.Processed, a.Suppressed = condition, v.suppressedBy != ""
	var list []happening
	if v.suppressedBy != "" {
		list = append(list,
			happening{Event: "ActionRuleSuppressed", At: at, By: systemName, Text: "The alert processing rule " + v.suppressedBy + " applies to the alert that is " + condition + "."},
			happening{Event: "ActionsSuppressed", At: at, By: systemName, Text: "No action group was told that the alert is " + condition + "."})
	}
	for _, name := range v.addedBy {
		list = append(list, happening{Event: "ActionRuleTriggered", At: at, By: systemName, Text: "The alert processing rule " + name + " added action groups to those that are told that the alert is " + condition + "."})
	}
	return record(a, false, list...)
}

// commit writes a verdict into the history of the alert as it is now.
func (v *verdict) commit(tx store.Tx, e *event, at time.Time) error {
	b, err := tx.Get(alertKey(e.Alert.ID))
	if err != nil || b == nil {
		return err
	}
	a, err := alertCodec.Decode(b)
	if err != nil {
		return err
	}
	rows, err := v.note(&a, e.Condition, at)
	if err != nil {
		return err
	}
	return commit(tx, rows)
}
