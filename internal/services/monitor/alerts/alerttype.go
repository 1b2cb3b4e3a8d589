package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	alertTypeName = management + "/alerts"
	kindChange    = "monitor.changestate"
	maxComment    = 2000
)

func alertVersions() []string {
	return []string{"2017-11-15-privatepreview", "2018-05-05", "2018-05-05-preview", "2019-03-01", "2019-03-01-preview", "2019-05-05-preview", "2023-01-01-preview", "2023-07-12-preview", "2024-01-01-preview"}
}

// alertType is the alerts of a subscription or resource group: read, and acted on.
func (s *Service) alertType() arm.Type {
	read := alertTypeName + "/read"
	return arm.Type{
		Name: alertTypeName, Versions: alertVersions(), Scope: arm.InEither, Untracked: true, Get: s.getAlert, List: s.listAlerts,
		Actions: []arm.Action{
			{Verb: "changestate", Writes: true, Operation: alertTypeName + "/changestate/action", Handler: s.postState},
			{Verb: "history", Method: http.MethodGet, Operation: alertTypeName + "/history/read", Handler: s.history},
			{Verb: "alertsSummary", Method: http.MethodGet, Collection: true, Operation: management + "/alertsSummary/read", Handler: s.summary},
			{Verb: "alertsSummaryList", Method: http.MethodGet, Collection: true, Operation: read, Handler: s.summary}, // its name in 2018-05-05
		},
	}
}

// shownAlert is an alert's properties.
type shownAlert struct {
	Essentials shownEssentials `json:"essentials"`
	Context    json.RawMessage `json:"context"`
	Egress     shownEgress     `json:"egressConfig"`
}

type shownEgress struct {
	Target []json.RawMessage `json:"target,omitzero"`
}

type shownEssentials struct {
	Severity      string            `json:"severity"`
	Signal        string            `json:"signalType"`
	State         string            `json:"alertState"`
	Condition     string            `json:"monitorCondition"`
	Target        string            `json:"targetResource"`
	TargetName    string            `json:"targetResourceName"`
	TargetGroup   string            `json:"targetResourceGroup"`
	TargetType    string            `json:"targetResourceType"`
	Service       string            `json:"monitorService"`
	Rule          string            `json:"alertRule"`
	Source        string            `json:"sourceCreatedId"`
	Group         string            `json:"smartGroupId"`
	GroupReason   string            `json:"smartGroupingReason"`
	Start         string            `json:"startDateTime"`
	Modified      string            `json:"lastModifiedDateTime"`
	Resolved      string            `json:"monitorConditionResolvedDateTime,omitempty"`
	By            string            `json:"lastModifiedUserName"`
	Action        shownActionStatus `json:"actionStatus"`
	Description   string            `json:"description"`
	ThingsToCheck string            `json:"thingsToCheck,omitempty"` // Bulkhead's own
}

type shownActionStatus struct {
	Suppressed bool `json:"isSuppressed"`
}

func (a *alert) show(context, egress bool) shownAlert {
	id, _ := arm.ParseID(a.Target)
	typ := "Microsoft.Resources/subscriptions"
	if id.Namespace != "" {
		typ = id.Type()
	}
	out := shownAlert{Essentials: shownEssentials{
		Severity: severity(a.Severity), Signal: a.signal(), State: a.State, Condition: a.Condition, Target: a.Target, TargetName: nameOf(a.Target), TargetGroup: id.ResourceGroup,
		TargetType: fold(typ), Service: a.Service, Rule: a.RuleID, Source: a.Origin, Start: stamp(a.Fired), Modified: stamp(a.Modified), By: a.By, Description: a.Description,
		ThingsToCheck: a.Advice, Action: shownActionStatus{a.Suppressed},
	}}
	if !a.Resolved.IsZero() {
		out.Essentials.Resolved = stamp(a.Resolved)
	}
	out.Context = json.RawMessage("{}")
	if context {
		out.Context = raw(map[string]any{"context": a.Context})
	}
	if egress {
		out.Egress = shownEgress{Target: []json.RawMessage{}}
	}
	return out
}

// signal is the signal type by the name that this API has for it.
func (a *alert) signal() string {
	if a.Service == activityService {
		return "Log"
	}
	return a.Signal
}

func (a *alert) resource(context, egress bool) *arm.Resource {
	return &arm.Resource{ID: alertPath(a), Name: a.ID, Type: alertTypeName, Properties: raw(a.show(context, egress)), GUID: a.ID}
}

// eachAlert gives a subscription's alerts from the one fired last to those fired at a time, until fn returns false.
func (s *Service) eachAlert(ctx context.Context, subscription string, since time.Time, fn func(*alert) bool) error {
	r := store.Prefix([]byte(tagTime))
	r.Start, r.Reverse = timeKey(since, ""), true
	for {
		var rows [][]byte
		var last []byte
		err := s.deps.Store.View(ctx, shardOf(subscription), func(snap store.Snapshot) error {
			rows, last = nil, nil
			var ids []string
			err := snap.Scan(r, func(k, v []byte) bool {
				ids, last = append(ids, string(v)), bytes.Clone(k)
				return len(ids) < perCommit
			})
			for _, id := range ids {
				v, getErr := snap.Get(alertKey(id))
				if getErr != nil {
					return getErr
				}
				rows = append(rows, v)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row == nil {
				continue
			}
			a, err := alertCodec.Decode(row)
			if err != nil {
				return err
			}
			if !fn(&a) {
				return nil
			}
		}
		if len(rows) < perCommit {
			return nil
		}
		r.End = last
	}
}

// find is the alert of a call; nil if there is none in its scope.
func (s *Service) find(ctx context.Context, c *arm.Call) (*alert, error) {
	a, err := get(ctx, s.deps.Store, shardOf(c.ID.Subscription), alertKey(fold(c.ID.Name())), alertCodec)
	if err != nil || a == nil || !within(c.ID, a) {
		return nil, err
	}
	return a, nil
}

// within tells whether an alert is of a scope: its target is the resource or below it, or in the group or subscription. Of an alert's own id that is where it is read at.
func within(scope arm.ID, a *alert) bool {
	if scope.Namespace != "" && !strings.EqualFold(scope.Type(), alertTypeName) {
		at, target := fold(scope.String()), fold(a.Target)
		return target == at || strings.HasPrefix(target, at+"/")
	}
	if scope.ResourceGroup == "" {
		return true
	}
	id, err := arm.ParseID(a.Target)
	return err == nil && strings.EqualFold(id.ResourceGroup, scope.ResourceGroup)
}

func (s *Service) getAlert(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	a, err := s.find(ctx, c)
	if err != nil || a == nil {
		return nil, err
	}
	return a.resource(true, true), nil
}

func (s *Service) listAlerts(ctx context.Context, c *arm.Call) (out []*arm.Resource, err error) {
	out, c.Next, err = s.page(ctx, c.Request, c.ID)
	return out, err
}

// page gives those alerts of a scope that a request asks for, and where the next page goes on; nil: nowhere.
func (s *Service) page(ctx context.Context, r *wire.Request, scope arm.ID) (out []*arm.Resource, next []byte, err error) {
	q, err := parseQuery(r.Query, r.Time)
	if err != nil {
		return nil, nil, err
	}
	found, err := s.selected(ctx, scope, q)
	if err != nil {
		return nil, nil, err
	}
	from := 0
	token, err := r.SkipToken()
	if err != nil {
		return nil, nil, err
	}
	if token != nil { // the id of the last one of the page before
		for i := range found {
			if found[i].ID == string(token) {
				from = i + 1
			}
		}
	}
	to := min(from+q.page, len(found))
	for _, a := range found[from:to] {
		out = append(out, a.resource(q.context, q.egress))
	}
	if to < len(found) {
		next = []byte(found[to-1].ID)
	}
	return out, next, nil
}

// selected are the alerts that a query asks for, in its order.
func (s *Service) selected(ctx context.Context, scope arm.ID, q *query) ([]alert, error) {
	var out []alert
	err := s.eachAlert(ctx, scope.Subscription, q.from, func(a *alert) bool {
		if within(scope, a) && q.keeps(a) {
			out = append(out, *a)
		}
		return len(out) < maxSelected
	})
	if err != nil {
		return nil, err
	}
	q.sort(out)
	return out, nil
}

// stateChange is the outbox row of a user's change.
type stateChange struct {
	ID      string    `json:"id"`
	State   string    `json:"state"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty"`
	Request string    `json:"request"` // of the same request, the change is made once
}

// postState changes what users made of an alert. The condition, which the system sees, stays.
func (s *Service) postState(ctx context.Context, c *arm.Call) (any, error) {
	to := c.Query("newState")
	i := indexFold(states(), to)
	if i < 0 {
		return nil, bad("The query parameter newState is '%.60s'; it must be one of %s.", to, strings.Join(states(), ", "))
	}
	a, err := s.find(ctx, c)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, errors.New("the alert is gone meanwhile") // alerts never go
	}
	change := stateChange{ID: a.ID, State: states()[i], By: c.Principal.ObjectID, At: c.Time, Request: c.RequestID}
	if c.Body != nil {
		change.Comment = c.Body.String("comments")
		if change.Comment == "" {
			change.Comment = c.Body.String("comment")
		}
		if len(change.Comment) > maxComment {
			return nil, bad("A comment has at most %d characters.", maxComment)
		}
	}
	payload := raw(change)
	if err := c.Commit(ctx, func(tx store.Tx) error { return outbox.PutOrdered(tx, kindChange, a.ID, payload) }); err != nil {
		return nil, err
	}
	if a, err = s.find(ctx, c); err != nil || a == nil {
		return nil, errors.Join(err, errors.New("the alert is gone meanwhile"))
	}
	r := a.resource(true, true)
	return map[string]any{"id": r.ID, "name": r.Name, "type": r.Type, "properties": r.Properties}, nil
}

// changeState makes a user's change where alerts are.
func (s *Service) changeState(ctx context.Context, shard string, payload []byte) error {
	var change stateChange
	if err := json.Unmarshal(payload, &change); err != nil {
		return err
	}
	at := shardPrefix + strings.TrimPrefix(shard, "sub/")
	_, err := s.deps.Store.Update(ctx, at, func(tx store.Tx) error {
		b, err := tx.Get(alertKey(change.ID))
		if err != nil || b == nil {
			return err
		}
		a, err := alertCodec.Decode(b)
		if err != nil || a.State == change.State {
			return err // made before, or nothing to make
		}
		h := happening{Event: "StateChange", Old: a.State, New: change.State, At: change.At, By: change.By, Comment: change.Comment}
		a.State, a.Modified, a.By = change.State, change.At, change.By
		rows, err := record(&a, false, h)
		if err != nil {
			return err
		}
		return commit(tx, rows)
	})
	return err
}

// history tells what happened to an alert, the last first.
func (s *Service) history(ctx context.Context, c *arm.Call) (any, error) {
	a, err := s.find(ctx, c)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	if a != nil {
		_, entries, err := all(ctx, s.deps.Store, shardOf(c.ID.Subscription), tagHistory+a.ID+"|", historyCodec)
		if err != nil {
			return nil, err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			h := entries[i]
			list = append(list, map[string]any{
				"modificationEvent": h.Event, "oldValue": h.Old, "newValue": h.New, "modifiedAt": stamp(h.At), "modifiedBy": h.By, "comments": h.Comment, "description": h.Text,
			})
		}
	}
	return map[string]any{
		"id": c.ID.String() + "/history/default", "name": c.ID.Name(), "type": alertTypeName + "/history",
		"properties": map[string]any{"alertId": c.ID.Name(), "modifications": list},
	}, nil
}

// ruleStatus tells how each instance of a rule is: as far as it is fired by what is stored, else by what is measured now.
func (s *Service) ruleStatus(ctx context.Context, c *arm.Call) (any, error) {
	_, held, err := all(ctx, s.deps.Store, shardOf(c.ID.Subscription), tagState+c.Old.GUID+"|", stateCodec)
	if err != nil {
		return nil, err
	}
	type shown struct {
		Name       string `json:"name"`
		ID         string `json:"id"`
		Type       string `json:"type"`
		Properties any    `json:"properties"`
	}
	out := []shown{}
	add := func(key, status string, at time.Time, dims map[string]string) {
		name := derivedID(c.Old.GUID, key)
		if n := c.Param("statusName"); n == "" || strings.EqualFold(n, name) {
			out = append(out, shown{name, c.Old.ID + "/status/" + name, metricAlertName + "/status", map[string]any{"dimensions": dims, "status": status, "timestamp": stamp(at)}})
		}
	}
	outcomes, now, err := s.judgeNow(ctx, c.Old)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, h := range held {
		seen[h.Key] = true
		add(h.Key, "Unhealthy", timeOf(h.State.Last), dimensionsOf(h.Key))
	}
	for i := range outcomes {
		if o := &outcomes[i]; !seen[o.Key()] {
			status := "Healthy" // also of one that is about to fire
			if o.Verdict == 0 {
				status = "Unknown"
			}
			add(o.Key(), status, timeOf(now), dimensionsOf(o.Key()))
		}
	}
	return wire.NewPage(out, ""), nil
}

// dimensionsOf reads an instance's key back.
func dimensionsOf(key string) map[string]string {
	resource, rest, _ := strings.Cut(key, "|")
	out := map[string]string{"microsoft.resourceId": resource, "resourceId": resource}
	for _, part := range strings.Split(rest, "|") {
		var name, value string
		if k, v, ok := strings.Cut(part, "="); ok && json.Unmarshal([]byte(k), &name) == nil && json.Unmarshal([]byte(v), &value) == nil {
			out[name] = value
		}
	}
	return out
}
