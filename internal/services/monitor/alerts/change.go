package alerts

import (
	"context"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// change is what one transaction of the engine writes.
type change struct {
	s      *Service
	w      *watched
	minute int64

	rows    []write
	edits   []func(tx store.Tx) error // of alerts as they are when it commits: what users and deliveries wrote meanwhile stays
	notices []queued
	states  map[string]*instance // nil: not fired any more
}

type queued struct {
	order   string
	payload []byte
}

// add prepares one judgement's rows.
func (c *change) add(ctx context.Context, j *judgement) error {
	if c.states == nil {
		c.states = map[string]*instance{}
	}
	switch j.transition {
	case alerting.Fire:
		return c.fire(ctx, j)
	case alerting.Resolve:
		return c.resolve(ctx, j)
	}
	next := *j.before
	next.State = j.state
	return c.keep(&next)
}

// keep stores a fired instance's state.
func (c *change) keep(i *instance) error {
	value, err := stateCodec.Encode(*i)
	if err != nil {
		return err
	}
	c.rows = append(c.rows, write{stateKey(i.RuleGUID, i.Key), value})
	c.states[i.name()] = i
	return nil
}

func (c *change) fire(ctx context.Context, j *judgement) error {
	r := j.rule
	at := timeOf(c.minute)
	a := alert{
		ID: derivedID(r.resource.GUID, r.state.Generation, j.key, fmt.Sprint(c.minute)), Subscription: c.w.sub, RuleID: r.resource.ID, RuleGUID: r.resource.GUID,
		RuleName: r.resource.Name, Severity: r.severity, Signal: "Metric", Service: "Platform", Condition: fired, State: stateNew, Description: r.description, Target: j.outcome.Resource,
		Origin: derivedID(r.resource.GUID, j.key), Fired: at, Modified: at, By: systemName,
	}
	if c.s.deps.Advise != nil {
		a.Advice = c.s.deps.Advise(ctx, j.outcome.Resource, r.Criteria[0].Metric)
	}
	a.Context = raw(r.context(&j.outcome, c.minute, a.Advice))
	rows, err := record(&a, true, happening{Event: "AlertCreated", At: at, By: systemName, New: fired, Text: r.explain(&j.outcome)})
	if err != nil {
		return err
	}
	c.rows = append(c.rows, rows...)
	i := &instance{RuleGUID: r.resource.GUID, RuleID: r.resource.ID, Generation: r.state.Generation, Key: j.key, State: j.state, Alert: a.ID, Actions: r.actions}
	if err := c.keep(i); err != nil {
		return err
	}
	return c.tell(ctx, &a, r.actions)
}

func (c *change) resolve(ctx context.Context, j *judgement) error {
	c.rows = append(c.rows, write{stateKey(j.before.RuleGUID, j.key), nil})
	c.states[j.before.name()] = nil
	a, err := get(ctx, c.s.deps.Store, shardOf(c.w.sub), alertKey(j.before.Alert), alertCodec)
	if err != nil || a == nil {
		return err
	}
	at := timeOf(c.minute)
	h := happening{Event: "MonitorConditionChange", Old: fired, New: resolved, At: at, By: systemName}
	to := j.before.Actions
	switch {
	case j.rule == nil:
		h.Text = "The alert rule was deleted or disabled, or looks at something else now."
	case j.gone:
		to, h.Text = j.rule.actions, "The resource was deleted."
	default:
		to, h.Text = j.rule.actions, j.rule.explain(&j.outcome)
		a.Context = raw(j.rule.context(&j.outcome, c.minute, a.Advice))
	}
	id, context := a.ID, a.Context
	settle := func(a *alert) {
		a.Condition, a.Resolved, a.Modified, a.By, a.Context = resolved, at, at, systemName, context
	}
	c.edits = append(c.edits, func(tx store.Tx) error { return edit(tx, id, settle, h) })
	settle(a)
	return c.tell(ctx, a, to)
}

// edit changes an alert as it is stored, and adds to its history.
func edit(tx store.Tx, id string, fn func(*alert), entries ...happening) error {
	b, err := tx.Get(alertKey(id))
	if err != nil || b == nil {
		return err
	}
	a, err := alertCodec.Decode(b)
	if err != nil {
		return err
	}
	fn(&a)
	rows, err := record(&a, false, entries...)
	if err != nil {
		return err
	}
	return commit(tx, rows)
}

// tell queues that the alert's receivers are told.
func (c *change) tell(ctx context.Context, a *alert, to actions) error {
	if to.empty() { // an alert processing rule may add somebody
		rules, err := c.s.processors(ctx, c.w.sub)
		if err != nil || len(rules) == 0 {
			return err
		}
	}
	n := notice{Event: event{Alert: *a, Condition: a.Condition, Shape: to.Shape, Facts: to.Facts}, Actions: to}
	c.notices = append(c.notices, queued{a.ID, raw(n)})
	return nil
}

func (c *change) commit(ctx context.Context) error {
	_, err := c.s.deps.Store.Update(ctx, shardOf(c.w.sub), func(tx store.Tx) error {
		if err := commit(tx, c.rows); err != nil {
			return err
		}
		for _, edit := range c.edits {
			if err := edit(tx); err != nil {
				return err
			}
		}
		for _, q := range c.notices {
			if err := outbox.PutOrdered(tx, kindNotify, q.order, q.payload); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// apply makes what was committed what is known.
func (c *change) apply() {
	for name, i := range c.states {
		had := c.w.states[name]
		switch {
		case i != nil && had == nil:
			c.w.fired[i.RuleGUID]++
		case i == nil && had != nil:
			if c.w.fired[had.RuleGUID]--; c.w.fired[had.RuleGUID] == 0 {
				delete(c.w.fired, had.RuleGUID)
			}
		}
		if i == nil {
			delete(c.w.states, name)
		} else {
			c.w.states[name] = i
		}
	}
	c.w.inBox = c.w.inBox || len(c.notices) > 0
}

// context is the alertContext of the common alert schema.
func (r *compiled) context(o *alerting.Outcome, minute int64, advice string) map[string]any {
	allOf := make([]measuredShown, 0, len(r.Criteria))
	for i := range r.Criteria {
		k := &r.Criteria[i]
		m := measuredShown{Metric: k.Metric, Namespace: k.Namespace, Operator: k.Operator.String(), Aggregation: k.Aggregation.String(), Dimensions: []shownValue{}}
		if m.Namespace == "" {
			if id, err := arm.ParseID(o.Resource); err == nil {
				m.Namespace = id.Type()
			}
		}
		if k.Dynamic == nil {
			m.Threshold = number64(k.Threshold)
		}
		if i < len(o.Measured) {
			if v := o.Measured[i]; v.Has {
				m.Value = &v.Value
			}
			if k.Dynamic != nil {
				m.Threshold = number64(o.Measured[i].Threshold)
			}
		}
		for _, d := range o.Dimensions {
			m.Dimensions = append(m.Dimensions, shownValue(d))
		}
		allOf = append(allOf, m)
	}
	var properties any
	if advice != "" {
		properties = map[string]string{"thingsToCheck": advice}
	}
	return map[string]any{
		"properties": properties, "conditionType": r.kind, "condition": map[string]any{
			"windowSize": formatMinutes(r.Window), "allOf": allOf,
			"windowStartTime": timeOf(minute - r.Window).Format(time.RFC3339), "windowEndTime": timeOf(minute).Format(time.RFC3339),
		},
	}
}

// explain says in a line what an outcome was judged by.
func (r *compiled) explain(o *alerting.Outcome) string {
	text := ""
	for i := range o.Measured {
		k, m := &r.Criteria[i], o.Measured[i]
		if text != "" {
			text += " and "
		}
		if !m.Has {
			text += fmt.Sprintf("%s of %s: no data", k.Aggregation, k.Metric)
			continue
		}
		text += fmt.Sprintf("%s of %s over %s is %s (%s %s)", k.Aggregation, k.Metric, formatMinutes(r.Window), number64(m.Value), k.Operator, number64(m.Threshold))
	}
	for _, d := range o.Dimensions {
		text += fmt.Sprintf(", %s = %s", d.Name, d.Value)
	}
	return text
}
