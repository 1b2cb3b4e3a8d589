package alerts

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const metricAlertName = insights + "/metricAlerts"

// metricAlert is a metric alert's properties as they are kept and shown.
type metricAlert struct {
	Description  string            `json:"description,omitempty"`
	Severity     int               `json:"severity"`
	Enabled      bool              `json:"enabled"`
	Scopes       []string          `json:"scopes"`
	Frequency    string            `json:"evaluationFrequency"`
	Window       string            `json:"windowSize"`
	TargetType   string            `json:"targetResourceType,omitempty"`
	TargetRegion string            `json:"targetResourceRegion,omitempty"`
	Criteria     *criteria         `json:"criteria"`
	AutoMitigate bool              `json:"autoMitigate"`
	Actions      []alertAction     `json:"actions"`
	Custom       map[string]string `json:"customProperties,omitempty"` // since 2024-03-01-preview
	Updated      *time.Time        `json:"lastUpdatedTime,omitempty"`
	Migrated     bool              `json:"isMigrated"`
}

type alertAction struct {
	Group      string            `json:"actionGroupId"`
	Properties map[string]string `json:"webHookProperties,omitempty"`
}

// ruleState is a rule's private part.
type ruleState struct {
	Generation string    `json:"generation"` // changes with what it looks at: alerts that an earlier one raised are then over
	Since      int64     `json:"since"`      // the minute it began; earlier ones are not judged
	Began      time.Time `json:"began"`
	Sealed     [][]byte  `json:"sealed,omitempty"` // receivers of a classic rule
}

func (s *Service) metricAlertType() arm.Type {
	return arm.Type{
		Name: metricAlertName, Versions: []string{"2018-03-01", "2024-03-01-preview", "2026-01-01"}, OnCreate: 200,
		Put:    func(_ context.Context, c *arm.Call) error { return s.putMetricAlert(c) },
		Commit: commitRule, CommitDelete: forgetRule,
		Actions: []arm.Action{
			{Verb: "status", Method: "GET", Operation: metricAlertName + "/status/read", Handler: s.ruleStatus},
			{Verb: "status/{statusName}", Method: "GET", Operation: metricAlertName + "/status/read", Handler: s.ruleStatus},
			{Verb: "try", Operation: metricAlertName + "/read", Absent: true, Handler: s.tryRule},
		},
	}
}

// commitRule enters a rule of any kind where the engine finds it.
func commitRule(tx store.Tx, c *arm.Call) error {
	if err := tx.Put([]byte(keyRule+c.New.GUID), c.Prepared.([]byte)); err != nil {
		return err
	}
	return changedRule(tx, c.New.GUID)
}

func forgetRule(tx store.Tx, c *arm.Call) error {
	if err := tx.Delete([]byte(keyRule + c.Old.GUID)); err != nil {
		return err
	}
	return changedRule(tx, c.Old.GUID)
}

// changedRule tells the engine which rule to read anew.
func changedRule(tx store.Tx, guid string) error {
	if err := tx.Put(changedKey(int64(tx.LSN())), []byte(guid)); err != nil { //nolint:gosec // far from the bound
		return err
	}
	return bump(tx, keyVersion)
}

// bump tells by a key that something was changed.
func bump(tx store.Tx, key string) error {
	value, err := sliceCodec.Encode(int64(tx.LSN())) //nolint:gosec // far from the bound
	if err != nil {
		return err
	}
	return tx.Put([]byte(key), value)
}

func (s *Service) putMetricAlert(c *arm.Call) error {
	a, err := s.readMetricAlert(c.Body.Object("properties"), c.ID.Subscription)
	if err != nil {
		return err
	}
	now := s.deps.Clock.Now().UTC()
	a.Updated = &now
	c.New.Properties = raw(a)
	var had metricAlert
	if c.Old != nil {
		if err := json.Unmarshal(c.Old.Properties, &had); err != nil {
			return err
		}
	}
	return s.prepareRule(c, had.watches() == a.watches(), nil)
}

// watches is what a change of which ends the alerts that were raised.
func (a *metricAlert) watches() string {
	return string(raw([]any{a.Enabled, a.Scopes, a.Window, a.TargetType, a.TargetRegion, a.Criteria}))
}

// prepareRule fills in what rules of all kinds have.
func (s *Service) prepareRule(c *arm.Call, same bool, sealed [][]byte) error {
	var state ruleState
	if c.Old != nil && same {
		if err := json.Unmarshal(c.Old.Private, &state); err != nil {
			return err
		}
	}
	if state.Generation == "" {
		now := s.deps.Clock.Now().UTC()
		state = ruleState{Generation: ids.New(), Since: minuteOf(now), Began: now}
	}
	state.Sealed = sealed
	c.New.Private = raw(state)
	var err error
	c.Prepared, err = ruleCodec.Encode(c.New.ID)
	return err
}

// readMetricAlert reads what a client sent.
func (s *Service) readMetricAlert(in arm.Object, subscription string) (*metricAlert, error) {
	if in == nil {
		return nil, bad("The property 'properties' is required.")
	}
	a := &metricAlert{
		Description: in.String("description"), Severity: -1, Enabled: true, AutoMitigate: true, Frequency: in.String("evaluationFrequency"), Window: in.String("windowSize"),
		TargetType: in.String("targetResourceType"), TargetRegion: in.String("targetResourceRegion"), Actions: []alertAction{},
	}
	for name, v := range map[string]any{"severity": &a.Severity, "enabled": &a.Enabled, "scopes": &a.Scopes, "autoMitigate": &a.AutoMitigate, "actions": &a.Actions, "customProperties": &a.Custom} {
		if !in.Has(name) {
			continue
		}
		if err := in.Decode(name, v); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"actionProperties", "resolveConfiguration"} {
		if v := strings.TrimSpace(string(in.Get(name))); v != "" && v != "null" && v != "{}" {
			return nil, notImplemented("The property "+name+" of a metric alert is", "Use webHookProperties or customProperties, and autoMitigate.")
		}
	}
	if len(a.Custom) > maxCustom {
		return nil, bad("A metric alert has at most %d customProperties.", maxCustom)
	}
	if a.Severity < 0 || a.Severity > 4 {
		return nil, bad("The severity of an alert rule is a number from 0 to 4.")
	}
	var meaning []alerting.Criterion
	var err error
	if a.Criteria, meaning, err = readCriteria(in.Object("criteria")); err != nil {
		return nil, err
	}
	if err := a.checkTimes(); err != nil {
		return nil, err
	}
	if err := a.checkScopes(subscription); err != nil {
		return nil, err
	}
	if err := checkActions(a.Actions); err != nil {
		return nil, err
	}
	return a, s.checkMetrics(a, meaning)
}

// maxCustom is how many properties of its own making a rule may add to what is told.
const maxCustom = 50

// told is what an action tells beside the alert: the rule's properties, over which the action's own win.
func (a *metricAlert) told(own map[string]string) map[string]string {
	if len(a.Custom) == 0 {
		return own
	}
	all := maps.Clone(a.Custom)
	maps.Copy(all, own)
	return all
}

func (a *metricAlert) checkTimes() error {
	window, ok := parseMinutes(a.Window)
	if !ok {
		return bad("The windowSize '%.60s' is not a duration of whole minutes up to a day, such as PT5M.", a.Window)
	}
	frequency, ok := parseMinutes(a.Frequency)
	if !ok || frequency > 60 {
		return bad("The evaluationFrequency '%.60s' is not a duration of whole minutes up to an hour, such as PT1M.", a.Frequency)
	}
	if frequency > window {
		return bad("The evaluationFrequency %s is longer than the windowSize %s.", a.Frequency, a.Window)
	}
	return nil
}

func (a *metricAlert) checkScopes(subscription string) error {
	if len(a.Scopes) == 0 || len(a.Scopes) > 5000 {
		return bad("A metric alert has 1 to 5000 scopes.")
	}
	if len(a.Scopes) > 1 && a.Criteria.Type == criteriaSingle {
		return bad("Criteria of the type %s have one scope; for more use %s.", criteriaSingle, criteriaMulti)
	}
	for _, scope := range a.Scopes {
		id, err := arm.ParseID(scope)
		if err != nil {
			return err
		}
		if !strings.EqualFold(id.Subscription, subscription) {
			return bad("The scope '%.300s' is in another subscription than the rule.", scope)
		}
		if id.Namespace == "" && (a.TargetType == "" || a.Criteria.Type == criteriaSingle) {
			return bad("The scope '%.300s' is not a resource: a rule for all resources of a group or subscription is of the type %s, and names their targetResourceType.", scope, criteriaMulti)
		}
	}
	return nil
}

func checkActions(list []alertAction) error {
	for _, act := range list {
		id, err := arm.ParseID(act.Group)
		if err != nil {
			return err
		}
		if !strings.EqualFold(id.Type(), groupTypeName) {
			return bad("The actionGroupId '%.300s' is not the id of an action group.", act.Group)
		}
	}
	return nil
}

// checkMetrics refuses metrics that the scopes' types are known not to have.
func (s *Service) checkMetrics(a *metricAlert, meaning []alerting.Criterion) error {
	if s.deps.Known == nil {
		return nil
	}
	for _, scope := range a.Scopes {
		id, err := arm.ParseID(scope)
		if err != nil {
			return err
		}
		typ := id.Type()
		if id.Namespace == "" {
			typ = a.TargetType
		}
		for i := range meaning {
			if a.Criteria.AllOf[i].SkipValidation {
				continue
			}
			if has, known := s.deps.Known(typ, meaning[i].Namespace, meaning[i].Metric); known && !has {
				return bad("Couldn't find a metric named %.100s. If the metric is yet to be sent, set skipMetricValidation of the criterion '%.100s'.", meaning[i].Metric, meaning[i].Name)
			}
		}
	}
	return nil
}

// named is what is kept in memory of a rule's resource: there may be very many.
type named struct{ ID, Name, GUID string }

// lives is what is kept in memory of a rule's private part.
type lives struct {
	Generation string
	Since      int64
}

// compiled is a rule as the engine judges it.
type compiled struct {
	alerting.Rule
	resource named
	state    lives
	*telling
}

// telling is what a rule tells when it fires, and whom, and which resources it finds by itself. Rules that were made alike share one.
type telling struct {
	kind        string // conditionType of the common alert schema
	severity    int
	description string
	actions     actions
	scopes      []string // groups and subscriptions, whose resources of the type and region are watched
	targetType  string
	region      string
}

// compileMetricAlert makes a stored metric alert a rule; nil if it is turned off.
func compileMetricAlert(r *arm.Resource) (*compiled, error) {
	var a metricAlert
	out := &compiled{resource: named{r.ID, r.Name, r.GUID}, telling: &telling{}}
	if err := json.Unmarshal(r.Properties, &a); err != nil {
		return nil, err
	}
	var state ruleState
	if err := json.Unmarshal(r.Private, &state); err != nil || !a.Enabled {
		return nil, err
	}
	out.state = lives{state.Generation, state.Since}
	out.kind, out.severity, out.description, out.targetType, out.region = strings.TrimPrefix(a.Criteria.Type, criteriaPrefix), a.Severity, a.Description, a.TargetType, a.TargetRegion
	out.actions.Facts = webhookFacts{a.TargetType, a.TargetRegion}
	for _, act := range a.Actions {
		out.actions.Groups = append(out.actions.Groups, groupRef{act.Group, a.told(act.Properties)})
	}
	out.ID, out.AutoMitigate = r.ID, a.AutoMitigate
	out.Frequency, _ = parseMinutes(a.Frequency)
	out.Window, _ = parseMinutes(a.Window)
	for _, k := range a.Criteria.AllOf {
		c, err := k.read()
		if err != nil {
			return nil, err
		}
		out.Criteria = append(out.Criteria, c)
	}
	for _, scope := range a.Scopes {
		if id, err := arm.ParseID(scope); err == nil && id.Namespace == "" {
			out.scopes = append(out.scopes, fold(id.String()))
		} else {
			out.Resources = append(out.Resources, scope)
		}
	}
	out.Compile()
	return out, nil
}
