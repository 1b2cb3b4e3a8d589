package alerts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	classicName   = insights + "/alertrules"
	classicModels = "Microsoft.Azure.Management.Insights.Models."
	// classicFrequency is how often a classic rule is judged, in minutes.
	classicFrequency = 5
)

// classicRule is a classic alert rule's properties; the addresses of its webhooks are in the private part.
type classicRule struct {
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	Enabled     bool             `json:"isEnabled"`
	Condition   classicCondition `json:"condition"`
	Actions     []classicAction  `json:"actions"`
	Updated     *time.Time       `json:"lastUpdatedTime,omitempty"`
}

type classicCondition struct {
	Type        string        `json:"odata.type"`
	Source      classicSource `json:"dataSource"`
	Operator    string        `json:"operator"`
	Threshold   *float64      `json:"threshold"`
	Window      string        `json:"windowSize"`
	Aggregation string        `json:"timeAggregation"`
}

type classicSource struct {
	Type      string `json:"odata.type"`
	Resource  string `json:"resourceUri"`
	Namespace string `json:"metricNamespace,omitempty"`
	Metric    string `json:"metricName"`
}

type classicAction struct {
	Type       string            `json:"odata.type"`
	Owners     *bool             `json:"sendToServiceOwners,omitempty"`
	Emails     []string          `json:"customEmails,omitempty"`
	URI        string            `json:"serviceUri,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
}

func (s *Service) classicType() arm.Type {
	return arm.Type{
		Name: classicName, Versions: []string{"2014-04-01", "2016-03-01"},
		Put:    func(_ context.Context, c *arm.Call) error { return s.putClassic(c) },
		Commit: commitRule, CommitDelete: forgetRule,
		Render: func(_ context.Context, _ *arm.Call, r *arm.Resource) (json.RawMessage, error) {
			return s.shownClassic(r)
		},
		// A patch names only what changes; the addresses that were not sent are those that are there.
		Patch: func(_ context.Context, c *arm.Call) error {
			have, err := s.shownClassic(c.Old)
			if err != nil {
				return err
			}
			merged, err := mergedProperties(have, c.Body.Get("properties"))
			if err != nil {
				return err
			}
			c.Body = arm.Object{"properties": merged}
			return s.putClassic(c)
		},
		Actions: []arm.Action{
			{Verb: "incidents", Method: "GET", Operation: classicName + "/incidents/read", Handler: s.incidents},
			{Verb: "incidents/{incidentName}", Method: "GET", Operation: classicName + "/incidents/read", Handler: s.incidents},
		},
	}
}

// mergedProperties lays the properties of a patch over those that are there.
func mergedProperties(have, sent json.RawMessage) (json.RawMessage, error) {
	whole, patch := arm.Object{}, arm.Object{}
	if err := json.Unmarshal(have, &whole); err != nil {
		return nil, err
	}
	if sent != nil {
		if err := json.Unmarshal(sent, &patch); err != nil {
			return nil, bad("The property 'properties' is an object.")
		}
	}
	for k, v := range patch {
		for h := range whole {
			if strings.EqualFold(h, k) {
				delete(whole, h)
			}
		}
		whole[k] = v
	}
	return raw(map[string]json.RawMessage(whole)), nil
}

func receiverKey(guid, name string) []byte { return []byte("receiver|" + guid + "|" + name) }

func (s *Service) putClassic(c *arm.Call) error {
	r, err := readClassic(c.Body.Object("properties"), c.ID)
	if err != nil {
		return err
	}
	var had classicRule
	if c.Old != nil {
		if err := json.Unmarshal(c.Old.Properties, &had); err != nil {
			return err
		}
	}
	now := s.deps.Clock.Now().UTC()
	r.Updated = &now
	var sealed [][]byte
	for i := range r.Actions {
		b, err := s.deps.Sealer.Seal(subShard(c.ID.Subscription), receiverKey(c.New.GUID, strconv.Itoa(i)), []byte(r.Actions[i].URI))
		if err != nil {
			return err
		}
		sealed = append(sealed, b)
		r.Actions[i].URI = ""
	}
	c.New.Properties = raw(r)
	return s.prepareRule(c, r.watches() == had.watches(), sealed)
}

func (r *classicRule) watches() string { return string(raw([]any{r.Enabled, r.Condition})) }

func readClassic(in arm.Object, id arm.ID) (*classicRule, error) {
	if in == nil {
		return nil, bad("The property 'properties' is required.")
	}
	r := &classicRule{Name: cmp.Or(in.String("name"), id.Name()), Description: in.String("description"), Enabled: true, Actions: []classicAction{}}
	single := in.Get("action")
	for name, v := range map[string]any{"isEnabled": &r.Enabled, "condition": &r.Condition, "actions": &r.Actions} {
		if !in.Has(name) {
			continue
		}
		if err := in.Decode(name, v); err != nil {
			return nil, err
		}
	}
	if single != nil && len(r.Actions) == 0 && string(single) != "null" {
		var one classicAction
		if err := in.Decode("action", &one); err != nil {
			return nil, err
		}
		r.Actions = append(r.Actions, one)
	}
	if err := r.Condition.check(id.Subscription); err != nil {
		return nil, err
	}
	for i := range r.Actions {
		if err := r.Actions[i].check(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (k *classicCondition) check(subscription string) error {
	switch {
	case strings.EqualFold(k.Type, classicModels+"ThresholdRuleCondition"):
	case strings.EqualFold(k.Type, classicModels+"LocationThresholdRuleCondition"), strings.EqualFold(k.Type, classicModels+"ManagementEventRuleCondition"):
		return notImplemented("Conditions of the type "+k.Type+" are", "Use ThresholdRuleCondition, or an activity log alert.")
	default:
		return bad("The odata.type '%.150s' of the condition is not known.", k.Type)
	}
	if !strings.EqualFold(k.Source.Type, classicModels+"RuleMetricDataSource") {
		return notImplemented("Data sources of the type '"+k.Source.Type[:min(len(k.Source.Type), 150)]+"' are", "Use RuleMetricDataSource.")
	}
	id, err := arm.ParseID(k.Source.Resource)
	if err != nil {
		return err
	}
	if id.Namespace == "" || !strings.EqualFold(id.Subscription, subscription) || k.Source.Metric == "" {
		return bad("The dataSource names a resource of the rule's subscription, and a metric.")
	}
	_, err = k.meaning()
	return err
}

// meaning is the condition as a criterion.
func (k *classicCondition) meaning() (out alerting.Criterion, err error) {
	out = alerting.Criterion{Name: "condition", Namespace: k.Source.Namespace, Metric: k.Source.Metric}
	var ok bool
	if out.Operator, ok = alerting.ParseOperator(k.Operator); !ok || out.Operator > alerting.LessThanOrEqual {
		return out, bad("The operator '%.60s' is not one of GreaterThan, GreaterThanOrEqual, LessThan and LessThanOrEqual.", k.Operator)
	}
	if k.Threshold == nil {
		return out, bad("The condition has no threshold.")
	}
	out.Threshold = *k.Threshold
	if strings.EqualFold(k.Aggregation, "Last") {
		return out, notImplemented("The timeAggregation Last is", "Use Average, Minimum, Maximum or Total.")
	}
	if out.Aggregation, ok = alerting.ParseAggregation(cmp.Or(k.Aggregation, "Average")); !ok || out.Aggregation == alerting.Count {
		return out, bad("The timeAggregation '%.60s' is not one of Average, Minimum, Maximum and Total.", k.Aggregation)
	}
	if w, ok := parseMinutes(cmp.Or(k.Window, "PT5M")); !ok || w < classicFrequency {
		return out, bad("The windowSize '%.60s' is not a duration of whole minutes from 5 minutes to a day.", k.Window)
	}
	return out, nil
}

func (a *classicAction) check() error {
	switch {
	case strings.EqualFold(a.Type, classicModels+"RuleEmailAction"):
		for _, to := range a.Emails {
			if !notify.CheckAddress(to) {
				return bad("'%.100s' is no mail address.", to)
			}
		}
	case strings.EqualFold(a.Type, classicModels+"RuleWebhookAction"):
		if !notify.CheckURL(a.URI) {
			return bad("The serviceUri of an action must be an http or https address with a host, and without a user.")
		}
	default:
		return notImplemented("Actions of the type '"+a.Type[:min(len(a.Type), 150)]+"' are", "Use RuleEmailAction or RuleWebhookAction.")
	}
	return nil
}

// openClassic reads a stored classic rule with its addresses.
func (s *Service) openClassic(r *arm.Resource) (*classicRule, *ruleState, error) {
	var c classicRule
	var state ruleState
	if err := errors.Join(json.Unmarshal(r.Properties, &c), json.Unmarshal(r.Private, &state)); err != nil {
		return nil, nil, err
	}
	id, err := arm.ParseID(r.ID)
	if err != nil {
		return nil, nil, err
	}
	for i := range c.Actions {
		if i >= len(state.Sealed) {
			break
		}
		b, err := s.deps.Sealer.Open(subShard(id.Subscription), receiverKey(r.GUID, strconv.Itoa(i)), state.Sealed[i])
		if err != nil {
			return nil, nil, err
		}
		c.Actions[i].URI = string(b)
	}
	return &c, &state, nil
}

func (s *Service) shownClassic(r *arm.Resource) (json.RawMessage, error) {
	c, _, err := s.openClassic(r)
	if err != nil {
		return nil, err
	}
	return raw(c), nil
}

// compileClassic makes a stored classic rule one of the same machine; nil if it is turned off.
func (s *Service) compileClassic(r *arm.Resource) (*compiled, error) {
	c, state, err := s.openClassic(r)
	if err != nil || !c.Enabled {
		return nil, err
	}
	id, err := arm.ParseID(r.ID)
	if err != nil {
		return nil, err
	}
	k, err := c.Condition.meaning()
	if err != nil {
		return nil, err
	}
	out := &compiled{resource: named{r.ID, r.Name, r.GUID}, state: lives{state.Generation, state.Since}, telling: &telling{kind: "SingleResourceMultipleMetricCriteria", severity: 3, description: c.Description}}
	out.ID, out.Frequency, out.AutoMitigate, out.Resources, out.Criteria = r.ID, classicFrequency, true, []string{c.Condition.Source.Resource}, []alerting.Criterion{k}
	out.Window, _ = parseMinutes(cmp.Or(c.Condition.Window, "PT5M"))
	out.actions.Shape = "classic"
	for i := range c.Actions {
		for _, rec := range c.Actions[i].receivers(i) {
			name := "classic|" + rec.Name
			b, err := s.deps.Sealer.Seal(shardOf(id.Subscription), receiverKey(r.GUID, name), raw(rec))
			if err != nil {
				return nil, err
			}
			out.actions.Inline = append(out.actions.Inline, inlineRef{name, b})
		}
	}
	out.Compile()
	return out, nil
}

// receivers are who an action tells.
func (a *classicAction) receivers(i int) (out []receiver) {
	if a.URI != "" {
		return []receiver{{Kind: kindWebhook, Name: "webhook " + strconv.Itoa(i), URI: a.URI, Properties: a.Properties}}
	}
	for _, to := range a.Emails {
		out = append(out, receiver{Kind: kindEmail, Name: to, Email: to})
	}
	if a.Owners != nil && *a.Owners {
		out = append(out, receiver{Kind: "the service owners' mail", Name: "service owners"})
	}
	return out
}

// incident is a time in which a classic rule's condition held.
type incident struct {
	Name      string     `json:"name"`
	Rule      string     `json:"ruleName"`
	Active    bool       `json:"isActive"`
	Activated time.Time  `json:"activatedTime"`
	Resolved  *time.Time `json:"resolvedTime,omitempty"`
}

func (s *Service) incidents(ctx context.Context, c *arm.Call) (any, error) {
	name := c.Param("incidentName")
	out := []incident{}
	err := s.eachAlert(ctx, c.ID.Subscription, time.Time{}, func(a *alert) bool {
		if a.RuleGUID == c.Old.GUID && (name == "" || strings.EqualFold(a.ID, name)) {
			i := incident{a.ID, c.Old.ID, a.Condition == fired, a.Fired, nil}
			if !a.Resolved.IsZero() {
				i.Resolved = &a.Resolved
			}
			out = append(out, i)
		}
		return len(out) < 1000
	})
	if err != nil || name == "" {
		return wire.NewPage(out, ""), err
	}
	if i := slices.IndexFunc(out, func(i incident) bool { return strings.EqualFold(i.Name, name) }); i >= 0 {
		return out[i], nil
	}
	return nil, fault.New(fault.NotFound, "ResourceNotFound", "The rule '%s' has no incident '%.100s'.", c.Old.Name, name)
}
