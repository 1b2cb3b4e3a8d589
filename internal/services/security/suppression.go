package security

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/engine"
)

const suppressionTypeName = namespace + "/alertsSuppressionRules"

// suppression is a rule's properties, as sent, stored and shown.
type suppression struct {
	AlertType    string            `json:"alertType"`
	Modified     string            `json:"lastModifiedUtc,omitempty"`
	Expires      string            `json:"expirationDateUtc,omitempty"`
	Reason       string            `json:"reason"`
	State        string            `json:"state"`
	Comment      string            `json:"comment,omitempty"`
	AlertsScopes *suppressionScope `json:"suppressionAlertsScope,omitempty"`
}

type suppressionScope struct {
	AllOf []scopeElement `json:"allOf"`
}

type scopeElement struct {
	Field    string    `json:"field"`
	In       texts     `json:"in,omitempty"`
	Contains *contains `json:"contains,omitempty"`
}

// texts are several, or one, or, as az sends them, several as a list in one text.
type texts []string

// UnmarshalJSON takes all three.
func (c *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) != nil {
		return json.Unmarshal(b, (*[]string)(c))
	}
	if strings.HasPrefix(one, "[") && json.Unmarshal([]byte(one), (*[]string)(c)) == nil {
		return nil
	}
	*c = texts{one}
	return nil
}

// contains are texts of which one is shown as such.
type contains texts

// UnmarshalJSON takes what texts do.
func (c *contains) UnmarshalJSON(b []byte) error { return (*texts)(c).UnmarshalJSON(b) }

// MarshalJSON gives one text as such.
func (c contains) MarshalJSON() ([]byte, error) {
	if len(c) == 1 {
		return json.Marshal(c[0])
	}
	return json.Marshal([]string(c))
}

// Bounds of a rule.
const (
	maxElements = 20
	maxValues   = 1000
	maxText     = 1000 // bytes of a comment or value
)

func (s *Service) suppressionType() arm.Type {
	return arm.Type{
		Name: suppressionTypeName, Versions: []string{"2019-01-01-preview"}, Scope: arm.InSubscription, Untracked: true, OnCreate: 200, OnDelete: 204,
		Put: s.putSuppression, Render: s.renderSuppression, Applied: s.applySuppression, Keep: func(c *arm.Call, r *arm.Resource) bool {
			want := c.Query("AlertType")
			var have suppression
			return want == "" || json.Unmarshal(r.Properties, &have) == nil && strings.EqualFold(have.AlertType, want)
		},
	}
}

func badRule(format string, args ...any) error {
	return fault.New(fault.Invalid, "InvalidSuppressionRule", format, args...)
}

func (s *Service) putSuppression(_ context.Context, c *arm.Call) error {
	var p suppression
	if err := c.Body.Decode("properties", &p); err != nil {
		return err
	}
	switch {
	case p.AlertType == "" || len(p.AlertType) > maxText:
		return badRule("A rule needs properties.alertType: the type of the alerts it dismisses, or \"*\".")
	case p.Reason == "" || len(p.Reason) > maxText:
		return badRule("A rule needs properties.reason.")
	case len(p.Comment) > maxText:
		return badRule("A comment has at most %d bytes.", maxText)
	}
	for _, state := range []string{"Enabled", "Disabled", "Expired"} {
		if strings.EqualFold(p.State, state) {
			p.State = state
		}
	}
	if p.State != "Enabled" && p.State != "Disabled" && p.State != "Expired" {
		return badRule("The state %.60q is none of Enabled, Disabled and Expired.", p.State)
	}
	if p.Expires != "" {
		at, err := parseTime(p.Expires)
		if err != nil {
			return badRule("The expirationDateUtc %.60q is no time.", p.Expires)
		}
		p.Expires = stamp(at)
	}
	if err := p.AlertsScopes.check(); err != nil {
		return err
	}
	p.Modified = stamp(s.deps.Clock.Now())
	var err error
	c.New.Properties, err = json.Marshal(p)
	return err
}

// parseTime reads what clients send, with or without a zone.
func parseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05.999999999", text)
	}
	if err == nil && (at.Year() < 1970 || at.Year() > 9999) {
		return at, badRule("The expirationDateUtc %.60q is out of range.", text)
	}
	return at, err
}

func (x *suppressionScope) check() error {
	if x == nil {
		return nil
	}
	if len(x.AllOf) > maxElements {
		return badRule("A rule has at most %d conditions.", maxElements)
	}
	for _, e := range x.AllOf {
		name, ok := strings.CutPrefix(strings.ToLower(e.Field), "entities.")
		if ok {
			_, ok = (&alerts.Alert{}).Fields(name)
		}
		if !ok {
			return badRule("The field %.100q is not known. Known are entities.ip.address, account.name, host.hostName, host.azureID, process.commandLine, process.ancestor.commandLine, "+
				"process.imageFile.name, process.imageFile.directory, file.name, file.directory, dns.domainName, url.url and network.prefix.", e.Field)
		}
		var values []string
		if e.Contains != nil {
			values = *e.Contains
		}
		if len(e.In) > 0 == (len(values) > 0) || len(e.In)+len(values) > maxValues {
			return badRule("The condition on %s needs either \"in\" with values or \"contains\" with a text, of at most %d.", e.Field, maxValues)
		}
		for _, v := range append(values[:len(values):len(values)], e.In...) {
			if v == "" || len(v) > maxText {
				return badRule("A value of the condition on %s is empty or longer than %d bytes.", e.Field, maxText)
			}
		}
	}
	return nil
}

func (s *Service) renderSuppression(_ context.Context, _ *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	var p suppression
	if err := json.Unmarshal(r.Properties, &p); err != nil {
		return nil, err
	}
	if at, err := parseTime(p.Expires); err == nil && !s.deps.Clock.Now().Before(at) {
		p.State = "Expired"
	}
	return json.Marshal(p)
}

// applySuppression brings a rule to where alerts are made.
func (s *Service) applySuppression(ctx context.Context, c *arm.Call) error {
	name := strings.ToLower(c.ID.Name())
	if c.New == nil {
		return s.engine.RemoveRule(ctx, c.ID.Subscription, name)
	}
	var p suppression
	if err := json.Unmarshal(c.New.Properties, &p); err != nil {
		return err
	}
	r := engine.Rule{Name: name, Type: p.AlertType, Enabled: p.State == "Enabled"}
	if p.Expires != "" {
		var err error
		if r.Expires, err = parseTime(p.Expires); err != nil {
			return err
		}
	}
	if p.AlertsScopes != nil {
		for _, e := range p.AlertsScopes.AllOf {
			x := engine.Scope{Field: strings.TrimPrefix(strings.ToLower(e.Field), "entities."), In: e.In}
			if e.Contains != nil {
				x.Contains = *e.Contains
			}
			r.AllOf = append(r.AllOf, x)
		}
	}
	return s.engine.PutRule(ctx, c.ID.Subscription, r)
}
