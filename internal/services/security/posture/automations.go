package posture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const automationTypeName = namespace + "/automations"

// automation is an automation's properties as they are kept and shown; the addresses of its webhooks are in the resource's private part.
type automation struct {
	Description string   `json:"description,omitempty"`
	Enabled     bool     `json:"isEnabled"`
	Scopes      []scope  `json:"scopes"`
	Sources     []source `json:"sources"`
	Actions     []action `json:"actions"`
}

type scope struct {
	Description string `json:"description,omitempty"`
	Path        string `json:"scopePath"`
}

type source struct {
	Event    string    `json:"eventSource"`
	RuleSets []ruleSet `json:"ruleSets,omitempty"`
}

type ruleSet struct {
	Rules []rule `json:"rules"`
}

type action struct {
	Type  string `json:"actionType"`
	Logic string `json:"logicAppResourceId,omitempty"`
}

// sealed is a resource's private part: the addresses of its actions, in their order.
type sealed struct {
	URIs [][]byte `json:"uris"`
}

func uriKey(guid string, i int) []byte { return []byte("automation|" + guid + "|" + strconv.Itoa(i)) }

// automationType has who is told of what, by webhook.
func (s *Service) automationType() arm.Type {
	return arm.Type{
		Name: automationTypeName, Versions: []string{"2019-01-01-preview", "2023-12-01-preview"}, OnDelete: 204, // its clients take no other
		Put: func(_ context.Context, c *arm.Call) error { return s.putAutomation(c) },
		Commit: func(tx store.Tx, c *arm.Call) error {
			return tx.Put(ownKey(tagAutomate, c.New.GUID), c.Prepared.([]byte))
		},
		CommitDelete: func(tx store.Tx, c *arm.Call) error { return tx.Delete(ownKey(tagAutomate, c.Old.GUID)) },
		Applied: func(ctx context.Context, c *arm.Call) error {
			if c.New != nil || c.Old == nil {
				return nil
			}
			return s.deps.Store.Drop(ctx, deliveryShard(c.Old.GUID)) // what was not delivered yet isn't wanted any more
		},
		Actions: []arm.Action{{Verb: "validate", Absent: true, Handler: validateAutomation}},
	}
}

func (s *Service) putAutomation(c *arm.Call) error {
	a, uris, err := readAutomation(c.Body.Object("properties"), c.ID.Subscription)
	if err != nil {
		return err
	}
	var have automation
	var kept sealed
	if c.Old != nil {
		if err := errors.Join(json.Unmarshal(c.Old.Properties, &have), json.Unmarshal(c.Old.Private, &kept)); err != nil {
			return err
		}
	}
	shard := subShard(c.ID.Subscription)
	var private sealed
	for i, uri := range uris {
		if uri == "" { // what was read can't be sent back: it is the one that is there, if the action is
			j := have.same(a.Actions[i], i)
			if j < 0 {
				return bad("The action %d of the automation has no uri.", i)
			}
			b, err := s.deps.Sealer.Open(shard, uriKey(c.New.GUID, j), kept.URIs[j])
			if err != nil {
				return err
			}
			uri = string(b)
		}
		b, err := s.deps.Sealer.Seal(shard, uriKey(c.New.GUID, i), []byte(uri))
		if err != nil {
			return err
		}
		private.URIs = append(private.URIs, b)
	}
	c.New.Properties, c.New.Private = raw(a), raw(private)
	c.Prepared, err = automateCodec.Encode(c.New.ID)
	return err
}

// same finds the action that one sent at a place is meant to be: the equal one there, else the one that names the same app; -1 if there is none.
func (a *automation) same(act action, place int) int {
	if place < len(a.Actions) && a.Actions[place] == act {
		return place
	}
	if act.Logic == "" {
		return -1
	}
	return slices.Index(a.Actions, act)
}

// validateAutomation tells what PUT would say, without an error.
func validateAutomation(_ context.Context, c *arm.Call) (any, error) {
	answer := struct {
		Valid   bool   `json:"isValid"`
		Message string `json:"message"`
	}{true, "Validation succeeded"}
	a, uris, err := readAutomation(c.Body.Object("properties"), c.ID.Subscription)
	if err == nil {
		for i := range a.Actions {
			if uris[i] == "" {
				err = bad("The action %d of the automation has no uri.", i)
			}
		}
	}
	var f *fault.Error
	if errors.As(err, &f) {
		answer.Valid, answer.Message = false, f.Message
		err = nil
	}
	return answer, err
}

// readAutomation reads what a client sent, and the addresses of the actions beside it: "" where it sent none.
func readAutomation(in arm.Object, subscription string) (*automation, []string, error) {
	if in == nil {
		return nil, nil, bad("The property 'properties' is required.")
	}
	a := &automation{Description: in.String("description"), Enabled: true}
	if err := in.Decode("isEnabled", &a.Enabled); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(in.Decode("scopes", &a.Scopes), in.Decode("sources", &a.Sources)); err != nil {
		return nil, nil, err
	}
	if len(a.Scopes) == 0 || len(a.Sources) == 0 {
		return nil, nil, bad("An automation has at least one of scopes and one of sources.")
	}
	for _, sc := range a.Scopes {
		if !within(sc.Path, "/subscriptions/"+subscription) {
			return nil, nil, bad("The scopePath '%.200s' is not in the automation's subscription.", sc.Path)
		}
	}
	for i := range a.Sources {
		if err := a.Sources[i].check(); err != nil {
			return nil, nil, err
		}
	}
	uris, err := a.readActions(in)
	return a, uris, err
}

func (src *source) check() error {
	switch {
	case strings.EqualFold(src.Event, SourceAlerts):
		src.Event = SourceAlerts
	case strings.EqualFold(src.Event, SourceAssessments):
		src.Event = SourceAssessments
	default:
		return notImplemented(fmt.Sprintf("The event source '%.60s' of automations is (Alerts and Assessments are)", src.Event))
	}
	for _, set := range src.RuleSets {
		for i := range set.Rules {
			if err := set.Rules[i].check(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *automation) readActions(in arm.Object) (uris []string, err error) {
	var sent []arm.Object
	if err := in.Decode("actions", &sent); err != nil {
		return nil, err
	}
	if len(sent) == 0 {
		return nil, bad("An automation has at least one of actions.")
	}
	for _, o := range sent {
		typ, err := oneOf(o, "actionType", "", "LogicApp", "EventHub", "Workspace")
		if err != nil {
			return nil, err
		}
		if typ != "LogicApp" {
			return nil, notImplemented("Automation actions of type " + typ + " are (LogicApp is: its uri may be any webhook)")
		}
		act := action{Type: typ, Logic: o.String("logicAppResourceId")}
		if act.Logic != "" {
			if _, err := arm.ParseID(act.Logic); err != nil {
				return nil, err
			}
		}
		uri := o.String("uri")
		if uri != "" && !notify.CheckURL(uri) {
			return nil, bad("The uri of an action must be an http or https address with a host, and without a user.") // never the uri itself: it may hold a signature
		}
		a.Actions, uris = append(a.Actions, act), append(uris, uri)
	}
	return uris, nil
}

// active reads an automation; nil if the resource is none, or it is turned off.
func active(r *arm.Resource) *automation {
	a := &automation{}
	if r == nil || !strings.EqualFold(r.Type, automationTypeName) || json.Unmarshal(r.Properties, a) != nil || !a.Enabled {
		return nil
	}
	return a
}

// wants tells whether any automation listens to a source.
func wants(all []*arm.Resource, event string) bool {
	for _, r := range all {
		if a := active(r); a != nil && slices.ContainsFunc(a.Sources, func(s source) bool { return s.Event == event }) {
			return true
		}
	}
	return false
}
