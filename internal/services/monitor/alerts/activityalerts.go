package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	activityAlertName = insights + "/activityLogAlerts"
	activityService   = "ActivityLog Administrative"
	// activityOverlap is how much of the log is looked at again: a record may be committed a little after one with a later time.
	activityOverlap = 2 * time.Minute
	maxConditions   = 40
)

// activityAlert is an activity log alert's properties.
type activityAlert struct {
	Description string            `json:"description,omitempty"`
	Enabled     bool              `json:"enabled"`
	Scopes      []string          `json:"scopes"`
	Condition   activityCondition `json:"condition"`
	Actions     activityActions   `json:"actions"`
}

type activityCondition struct {
	AllOf []activityLeaf `json:"allOf"`
}

type activityLeaf struct {
	Field    string         `json:"field,omitempty"`
	Equals   *string        `json:"equals,omitempty"`
	Contains []string       `json:"containsAny,omitempty"`
	AnyOf    []activityLeaf `json:"anyOf,omitempty"`
}

type activityActions struct {
	Groups []activityGroup `json:"actionGroups"`
}

type activityGroup struct {
	ID         string            `json:"actionGroupId"`
	Properties map[string]string `json:"webhookProperties,omitempty"`
}

func (s *Service) activityAlertType() arm.Type {
	return arm.Type{
		Name: activityAlertName, Versions: []string{"2017-03-01-preview", "2017-04-01", "2020-10-01", "2023-01-01-preview", "2026-01-01"},
		Put:    func(_ context.Context, c *arm.Call) error { return s.putActivityAlert(c) },
		Commit: commitRule, CommitDelete: forgetRule,
	}
}

func (s *Service) putActivityAlert(c *arm.Call) error {
	in := c.Body.Object("properties")
	if in == nil {
		return bad("The property 'properties' is required.")
	}
	a := activityAlert{Description: in.String("description"), Enabled: true}
	for name, v := range map[string]any{"enabled": &a.Enabled, "scopes": &a.Scopes, "condition": &a.Condition, "actions": &a.Actions} {
		if !in.Has(name) {
			continue
		}
		if err := in.Decode(name, v); err != nil {
			return err
		}
	}
	if len(a.Scopes) == 0 || len(a.Condition.AllOf) == 0 {
		return bad("An activity log alert has scopes, and a condition with allOf.")
	}
	for _, scope := range a.Scopes {
		if id, err := arm.ParseID(rooted(scope)); err != nil {
			return err
		} else if !strings.EqualFold(id.Subscription, c.ID.Subscription) {
			return bad("The scope '%.300s' is in another subscription than the alert.", scope)
		}
	}
	leaves := 0
	for i := range a.Condition.AllOf {
		if err := a.Condition.AllOf[i].check(&leaves, true); err != nil {
			return err
		}
	}
	if a.Actions.Groups == nil {
		a.Actions.Groups = []activityGroup{}
	}
	for _, g := range a.Actions.Groups {
		if err := checkActions([]alertAction{{Group: g.ID}}); err != nil {
			return err
		}
	}
	c.New.Properties = raw(a)
	var had activityAlert
	if c.Old != nil {
		if err := json.Unmarshal(c.Old.Properties, &had); err != nil {
			return err
		}
	}
	return s.prepareRule(c, had.Enabled == a.Enabled, nil)
}

// rooted is a scope with the slash that it begins with: it may be sent without.
func rooted(scope string) string {
	if !strings.HasPrefix(scope, "/") {
		return "/" + scope
	}
	return scope
}

func (l *activityLeaf) check(leaves *int, outer bool) error {
	if *leaves++; *leaves > maxConditions {
		return bad("An activity log alert has at most %d conditions.", maxConditions)
	}
	switch {
	case len(l.AnyOf) > 0 && outer && l.Field == "":
		for i := range l.AnyOf {
			if err := l.AnyOf[i].check(leaves, false); err != nil {
				return err
			}
		}
	case l.Field == "" || (l.Equals == nil) == (len(l.Contains) == 0):
		return bad("A condition has a field and one of equals and containsAny; or anyOf.")
	case !knownField(l.Field):
		return notImplemented("The field '"+l.Field[:min(len(l.Field), 60)]+"' of activity log alerts is", "There are category, level, status, caller, operationName, resourceId, resourceGroup, resourceProvider and resourceType.")
	}
	return nil
}

func knownField(f string) bool {
	switch fold(f) {
	case "category", "level", "status", "substatus", "caller", "operationname", "resourceid", "resourcegroup", "resourceprovider", "resourcetype", "eventname", "correlationid":
		return true
	}
	return false
}

// activityRule is an activity log alert as it is judged.
type activityRule struct {
	activityAlert
	resource *arm.Resource
	state    ruleState
}

// compileActivity makes a stored activity log alert one that can be judged; nil if it is turned off.
func compileActivity(r *arm.Resource) (*activityRule, error) {
	out := &activityRule{resource: r}
	if err := json.Unmarshal(r.Properties, &out.activityAlert); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(r.Private, &out.state); err != nil || !out.Enabled {
		return nil, err
	}
	return out, nil
}

// fieldOf is a record's value of a field that conditions name.
func fieldOf(e *arm.LogEvent, field string) string {
	localized := func(name string) string {
		b, _ := json.Marshal(e.Shown[name])
		var v struct {
			Value string `json:"value"`
		}
		_ = json.Unmarshal(b, &v) // of own making
		return v.Value
	}
	switch fold(field) {
	case "operationname":
		return e.Operation
	case "resourceid":
		return e.ResourceID
	case "resourcegroup":
		return e.Group
	case "resourcetype":
		return e.ResourceType
	case "caller":
		return e.Caller
	case "resourceprovider":
		ns, _, _ := strings.Cut(e.ResourceType, "/")
		return ns
	case "category", "status", "substatus", "eventname":
		return localized(map[string]string{"category": "category", "status": "status", "substatus": "subStatus", "eventname": "eventName"}[fold(field)])
	case "level", "correlationid":
		s, _ := e.Shown[map[string]string{"level": "level", "correlationid": "correlationId"}[fold(field)]].(string)
		return s
	}
	return ""
}

func (l *activityLeaf) holds(e *arm.LogEvent) bool {
	for i := range l.AnyOf {
		if l.AnyOf[i].holds(e) {
			return true
		}
	}
	if len(l.AnyOf) > 0 {
		return false
	}
	v := fieldOf(e, l.Field)
	if l.Equals != nil {
		return strings.EqualFold(v, *l.Equals)
	}
	for _, part := range l.Contains {
		if strings.Contains(fold(v), fold(part)) {
			return true
		}
	}
	return false
}

func (r *activityRule) matches(e *arm.LogEvent) bool {
	inScope := false
	for _, scope := range r.Scopes {
		scope = strings.TrimRight(fold(rooted(scope)), "/")
		inScope = inScope || fold(e.ResourceID) == scope || strings.HasPrefix(fold(e.ResourceID), scope+"/")
	}
	for i := range r.Condition.AllOf {
		if !inScope || !r.Condition.AllOf[i].holds(e) {
			return false
		}
	}
	return inScope && e.Time.After(r.state.Began)
}

// activity looks at what is new in a subscription's activity log, once a minute. An alert's id is made of rule and record: what was told of once isn't again.
func (e *engine) activity(ctx context.Context, w *watched, now time.Time) error {
	if len(w.log) == 0 || w.looked == minuteOf(now) {
		return nil
	}
	from := w.cursor.Add(-activityOverlap)
	if w.cursor.IsZero() || w.cursor.After(now) {
		from = now.Add(-activityOverlap)
	}
	events, err := e.s.deps.Inventory.ActivityLog(ctx, w.sub, from)
	if err != nil {
		return err
	}
	c := change{s: e.s, w: w}
	seen := now
	if len(events) > 0 && events[len(events)-1].Time.After(from) {
		seen = events[len(events)-1].Time
	}
	for i := range events {
		for _, r := range w.log {
			if !r.matches(&events[i]) {
				continue
			}
			if err := c.raise(ctx, r, &events[i], now); err != nil {
				return err
			}
		}
		if len(c.notices) >= perCommit {
			seen = events[i].Time
			break
		}
	}
	mark, err := cursorCodec.Encode(seen)
	if err != nil {
		return err
	}
	c.rows = append(c.rows, write{[]byte(keyLog), mark})
	if err := c.commit(ctx); err != nil {
		return err
	}
	c.apply()
	w.cursor, w.looked = seen, minuteOf(now)
	return nil
}

// raise prepares the alert of one record, unless it was raised before.
func (c *change) raise(ctx context.Context, r *activityRule, e *arm.LogEvent, now time.Time) error {
	a := alert{
		ID: derivedID(r.resource.GUID, e.ID), Subscription: c.w.sub, RuleID: r.resource.ID, RuleGUID: r.resource.GUID, RuleName: r.resource.Name, Severity: 4, Signal: "Activity Log",
		Service: activityService, Condition: fired, State: stateNew, Description: r.Description, Target: e.ResourceID, Origin: e.ID, Fired: now.UTC(), Modified: now.UTC(), By: systemName,
		Context: raw(e.Shown),
	}
	var have []byte
	err := c.s.deps.Store.View(ctx, shardOf(c.w.sub), func(s store.Snapshot) (err error) {
		have, err = s.Get(alertKey(a.ID))
		return err
	})
	if err != nil || have != nil {
		return err
	}
	rows, err := record(&a, true, happening{Event: "AlertCreated", At: a.Fired, By: systemName, New: fired, Text: fmt.Sprintf("%s by %s", e.Operation, e.Caller)})
	if err != nil {
		return err
	}
	c.rows = append(c.rows, rows...)
	var to actions
	for _, g := range r.Actions.Groups {
		to.Groups = append(to.Groups, groupRef(g))
	}
	return c.tell(ctx, &a, to)
}
