package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const (
	kindNotify  = "monitor.notify"
	agentName   = "IcMBroadcaster/1.0" // what Azure's action groups call themselves
	execTimeout = 30 * time.Second
)

// event is one transition, as it is told.
type event struct {
	Alert     alert        `json:"alert"`
	Condition string       `json:"condition"`
	Shape     string       `json:"shape,omitempty"`
	Facts     webhookFacts `json:"facts,omitzero"`
}

// notice is the outbox row of a transition.
type notice struct {
	Event   event   `json:"event"`
	Actions actions `json:"actions"`
}

// payload is a delivery's.
type payload struct {
	Event      event             `json:"event"`
	Kind       string            `json:"kind"`
	Name       string            `json:"name"`
	Group      string            `json:"group,omitempty"` // id of the action group
	Owner      string            `json:"owner"`           // GUID of the action group or rule
	Properties map[string]string `json:"properties,omitempty"`
	Inline     *inlineRef        `json:"inline,omitempty"` // instead of a group's
	Test       string            `json:"test,omitempty"`
}

// newDelivery gives a payload its stable id.
func newDelivery(subscription string, now time.Time, p payload) notify.Delivery {
	return notify.Delivery{
		ID: derivedID(p.Event.Alert.ID, p.Event.Condition, p.Owner, p.Kind, p.Name), Endpoint: p.Owner + "|" + p.Kind + "|" + p.Name, Order: p.Event.Alert.ID,
		Created: now, Due: now, Payload: raw(p),
	}
}

// spread queues a delivery for each receiver of a transition.
func (s *Service) spread(ctx context.Context, shard string, b []byte) error {
	var n notice
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	now := s.deps.Clock.Now().UTC()
	var list []notify.Delivery
	sub := n.Event.Alert.Subscription
	told := map[string]bool{}
	said, err := s.process(ctx, &n.Event)
	if err != nil {
		return err
	}
	groups := slices.Concat(n.Actions.Groups, said.added)
	if said.suppressedBy != "" {
		groups = nil
	}
	for _, ref := range groups {
		r, _, err := s.deps.Resources.Resource(ctx, ref.ID)
		if err != nil {
			return err
		}
		if r == nil || told[r.GUID] || !strings.EqualFold(r.Type, groupTypeName) {
			continue
		}
		told[r.GUID] = true
		g, err := s.openGroup(r)
		if err != nil {
			return err
		}
		for _, one := range g.active() {
			list = append(list, newDelivery(sub, now, payload{Event: n.Event, Kind: one.Kind, Name: one.Name, Group: r.ID, Owner: r.GUID, Properties: ref.Properties}))
		}
	}
	for _, ref := range n.Actions.Inline {
		one, err := s.openInline(shard, n.Event.Alert.RuleGUID, &ref)
		if err != nil {
			return err
		}
		list = append(list, newDelivery(sub, now, payload{Event: n.Event, Kind: one.Kind, Name: one.Name, Owner: n.Event.Alert.RuleGUID, Properties: one.Properties, Inline: &ref}))
	}
	if len(list) == 0 && said.nothing() && !n.Event.Alert.Suppressed {
		return nil
	}
	_, err = s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		if err := said.commit(tx, &n.Event, now); err != nil {
			return err
		}
		return notify.Put(tx, list)
	})
	s.queue.Wake()
	return err
}

func (s *Service) openInline(shard, owner string, ref *inlineRef) (r receiver, err error) {
	b, err := s.deps.Sealer.Open(shard, receiverKey(owner, ref.Name), ref.Sealed)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(b, &r)
}

// deliver makes one attempt.
func (s *Service) deliver(ctx context.Context, shard string, d notify.Delivery) error {
	var p payload
	if err := json.Unmarshal(d.Payload, &p); err != nil {
		return notify.Permanent(err)
	}
	r, err := s.receiver(ctx, shard, &p)
	if err != nil {
		return err
	}
	switch r.Kind {
	case kindEmail:
		subject, text := mailOf(&p.Event, p.Group)
		return s.deps.Mailer.Send(ctx, notify.Mail{ID: d.ID, To: r.Email, Subject: subject, Text: text, Time: d.Created})
	case kindWebhook, kindFunction, kindLogicApp:
		body := bodyOf(&p.Event, r.Common, p.Properties)
		if name, ok := strings.CutPrefix(r.URI, "exec:"); ok {
			return s.execute(ctx, name, d.ID, body)
		}
		return s.post(ctx, r, d.ID, body)
	}
	return notify.Permanent(fmt.Errorf("receivers of the kind %s are not implemented", r.Kind))
}

// receiver finds who a delivery is for, as it is now; one that is gone is nobody's any more.
func (s *Service) receiver(ctx context.Context, shard string, p *payload) (receiver, error) {
	if p.Inline != nil {
		r, err := s.openInline(shard, p.Owner, p.Inline)
		if err != nil {
			return r, notify.Permanent(err)
		}
		return r, nil
	}
	g, _, err := s.deps.Resources.Resource(ctx, p.Group)
	if err != nil {
		return receiver{}, err
	}
	if g != nil && g.GUID == p.Owner {
		group, err := s.openGroup(g)
		if err != nil {
			return receiver{}, err
		}
		for _, r := range group.active() {
			if r.Kind == p.Kind && r.Name == p.Name {
				return r, nil
			}
		}
	}
	return receiver{}, notify.Permanent(errors.New("the receiver is not in the action group any more, or is disabled"))
}

func (s *Service) post(ctx context.Context, r receiver, id string, body []byte) error {
	h := http.Header{}
	if r.Identifier != "" {
		if s.deps.Token == nil {
			return notify.Permanent(errors.New("there are no tokens for secure webhooks"))
		}
		token, err := s.deps.Token(ctx, r.Tenant, r.Identifier)
		if err != nil {
			return notify.Permanent(fmt.Errorf("token for the secure webhook: %w", err))
		}
		h.Set("Authorization", "Bearer "+token)
	}
	return s.webhooks.Post(ctx, notify.Message{URL: r.URI, ID: id, Agent: agentName, Header: h, Body: body})
}

// execute runs a program of the folder that is set up for them, with the body as its input and the id of the delivery as its argument.
func (s *Service) execute(ctx context.Context, name, id string, body []byte) error {
	if s.deps.Programs == "" {
		return notify.Permanent(errors.New("receivers that run programs are turned off (--alert-programs)"))
	}
	if !execName.MatchString("exec:" + name) {
		return notify.Permanent(errors.New("the name of the program can't be used"))
	}
	ctx, cancel := context.WithTimeout(ctx, execTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.deps.Programs, name), id)
	cmd.Stdin, cmd.WaitDelay, cmd.Env = bytes.NewReader(body), time.Second, []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the program %s: %w", name, err)
	}
	return nil
}

// settle writes what became of a delivery into the alert's history, or the test's record.
func settle(tx store.Tx, d notify.Delivery, failure string, at time.Time) error {
	var p payload
	if err := json.Unmarshal(d.Payload, &p); err != nil {
		return nil //nolint:nilerr // it was never a delivery of ours: nothing to tell
	}
	if p.Test != "" {
		return settleTest(tx, &p, failure, at)
	}
	b, err := tx.Get(alertKey(p.Event.Alert.ID))
	if err != nil || b == nil {
		return err
	}
	a, err := alertCodec.Decode(b)
	if err != nil {
		return err
	}
	h := happening{Event: "ActionsTriggered", At: at, By: systemName, Text: "Told " + p.Kind + " " + p.Name + " that the alert is " + p.Event.Condition + "."}
	if failure != "" {
		h.Event, h.Text = "ActionsFailed", "Could not tell "+p.Kind+" "+p.Name+" that the alert is "+p.Event.Condition+": "+failure
	}
	rows, err := record(&a, false, h)
	if err != nil {
		return err
	}
	return commit(tx, rows)
}

func settleTest(tx store.Tx, p *payload, failure string, at time.Time) error {
	key := []byte(tagTest + p.Test)
	b, err := tx.Get(key)
	if err != nil || b == nil {
		return err
	}
	t, err := testCodec.Decode(b)
	if err != nil {
		return err
	}
	open := 0
	for i := range t.Details {
		r := &t.Details[i]
		if r.Mechanism == p.Kind && r.Name == p.Name {
			r.Status, r.SendTime = "Completed", at.UTC().Format(time.RFC3339)
			if r.Detail = failure; failure != "" {
				r.Status = "Failed"
			}
		}
		if r.Status == "InProgress" {
			open++
		}
	}
	if open == 0 {
		t.Done = at.UTC()
	}
	if b, err = testCodec.Encode(t); err != nil {
		return err
	}
	return tx.Put(key, b)
}

// sampleAlert is what a test tells.
func sampleAlert(id, subscription string, group *arm.Resource, now time.Time) alert {
	context := map[string]any{
		"properties": nil, "conditionType": "SingleResourceMultipleMetricCriteria",
		"condition": map[string]any{"windowSize": "PT5M", "allOf": []any{map[string]any{
			"metricName": "Percentage CPU", "metricNamespace": "Microsoft.Compute/virtualMachines", "operator": "GreaterThan", "threshold": "25", "timeAggregation": "Average",
			"dimensions": []any{}, "metricValue": 31.1105,
		}}, "windowStartTime": now.Add(-5 * time.Minute).Format(time.RFC3339), "windowEndTime": now.Format(time.RFC3339)},
	}
	return alert{
		ID: id, Subscription: subscription, RuleID: group.ID, RuleGUID: group.GUID, RuleName: "test-" + group.Name, Severity: 3, Signal: "Metric", Service: "Platform",
		Condition: fired, State: stateNew, Description: "This is a test of the action group " + group.Name + ".", Target: group.ID, Origin: id, Fired: now, Modified: now,
		By: systemName, Context: raw(context),
	}
}
