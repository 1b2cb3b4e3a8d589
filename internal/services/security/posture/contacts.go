package posture

import (
	"context"
	"encoding/json"
	"maps"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// contact is kept as the newest api-version says it; older ones are shown and read in their own words.
type contact struct {
	Emails  string          `json:"emails"`
	Phone   string          `json:"phone"`
	Enabled bool            `json:"isEnabled"`
	Sources []contactSource `json:"notificationsSources"`
	ByRole  contactRoles    `json:"notificationsByRole"`
}

type contactSource struct {
	Type     string `json:"sourceType"`
	Severity string `json:"minimalSeverity,omitempty"`
	Risk     string `json:"minimalRiskLevel,omitempty"`
}

type contactRoles struct {
	State string   `json:"state"`
	Roles []string `json:"roles"`
}

const (
	contactsOldest = "2017-08-01-preview"
	contactsMiddle = "2020-01-01-preview"
	contactsNewest = "2023-12-01-preview"
)

var (
	contactName = regexp.MustCompile(`^(?i:default)[0-9]?$`)
	severities  = []string{"High", "Medium", "Low"}
	roles       = []string{"AccountAdmin", "ServiceAdmin", "Owner", "Contributor"}
)

// contactType has whom to tell of alerts. It is kept and shown: no mail is sent, automations tell.
func (s *Service) contactType() arm.Type {
	return arm.Type{
		Name: namespace + "/securityContacts", Scope: arm.InSubscription, Untracked: true, Versions: []string{contactsOldest, contactsMiddle, contactsNewest}, OnDelete: 204,
		Put:   func(_ context.Context, c *arm.Call) error { return putContact(c) },
		Patch: patchContact,
		Render: func(_ context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
			return showContact(c.Version, r)
		},
	}
}

func putContact(c *arm.Call) error {
	if !contactName.MatchString(c.New.Name) {
		return bad("A security contact is named default, not '%.60s'.", c.New.Name)
	}
	in, err := body(c)
	if err != nil {
		return err
	}
	k := contact{Enabled: true, ByRole: contactRoles{"Off", []string{}}}
	switch c.Version {
	case contactsOldest:
		err = k.readOldest(in)
	case contactsMiddle:
		err = k.readMiddle(in)
	default:
		err = k.readNewest(in)
	}
	if err != nil {
		return err
	}
	for _, address := range strings.Split(k.Emails, ";") {
		if address = strings.TrimSpace(address); address == "" && len(k.ByRole.Roles) > 0 {
			continue
		}
		if a, err := mail.ParseAddress(address); err != nil || a.Address != address {
			return bad("'%.100s' is not a mail address; several are separated by semicolons.", address)
		}
	}
	c.New.Properties, c.New.ETag = raw(k), ""
	return nil
}

// patchContact merges what was sent, in the words of the api-version asked for.
func patchContact(_ context.Context, c *arm.Call) error {
	in, err := body(c)
	if err != nil {
		return err
	}
	shown, err := showContact(c.Version, c.Old)
	if err != nil {
		return err
	}
	var whole arm.Object
	if err := json.Unmarshal(shown, &whole); err != nil {
		return err
	}
	for k, v := range in {
		maps.DeleteFunc(whole, func(have string, _ json.RawMessage) bool { return strings.EqualFold(have, k) })
		whole[k] = v
	}
	sent := c.Body
	defer func() { c.Body = sent }()
	c.Body = arm.Object{"properties": raw(whole)}
	return putContact(c)
}

func (k *contact) readOldest(in arm.Object) error {
	k.Emails, k.Phone = in.String("email"), in.String("phone")
	alerts, err := oneOf(in, "alertNotifications", "Off", "On", "Off")
	if err != nil {
		return err
	}
	if alerts == "On" {
		k.Sources = []contactSource{{Type: "Alert", Severity: "High"}}
	}
	k.ByRole.State, err = oneOf(in, "alertsToAdmins", "Off", "On", "Off")
	if k.ByRole.State == "On" {
		k.ByRole.Roles = []string{"Owner"}
	}
	return err
}

func (k *contact) readMiddle(in arm.Object) error {
	k.Emails, k.Phone = in.String("emails"), in.String("phone")
	n := in.Object("alertNotifications")
	state, err := oneOf(n, "state", "Off", "On", "Off")
	if err != nil {
		return err
	}
	severity, err := oneOf(n, "minimalSeverity", "High", severities...)
	if err != nil {
		return err
	}
	if state == "On" {
		k.Sources = []contactSource{{Type: "Alert", Severity: severity}}
	}
	return k.readRoles(in)
}

func (k *contact) readNewest(in arm.Object) error {
	k.Emails, k.Phone = in.String("emails"), in.String("phone")
	if err := in.Decode("isEnabled", &k.Enabled); err != nil {
		return err
	}
	var sources []arm.Object
	if err := in.Decode("notificationsSources", &sources); err != nil {
		return err
	}
	for _, o := range sources {
		typ, err := oneOf(o, "sourceType", "", "Alert", "AttackPath")
		if err != nil {
			return err
		}
		src := contactSource{Type: typ}
		if typ == "Alert" {
			src.Severity, err = oneOf(o, "minimalSeverity", "High", severities...)
		} else {
			src.Risk, err = oneOf(o, "minimalRiskLevel", "Critical", "Critical", "High", "Medium", "Low")
		}
		if err != nil {
			return err
		}
		k.Sources = append(k.Sources, src)
	}
	return k.readRoles(in)
}

func (k *contact) readRoles(in arm.Object) error {
	n := in.Object("notificationsByRole")
	var err error
	if k.ByRole.State, err = oneOf(n, "state", "Off", "On", "Off"); err != nil {
		return err
	}
	var sent []string
	if err := n.Decode("roles", &sent); err != nil {
		return err
	}
	for _, r := range sent {
		i := slices.IndexFunc(roles, func(have string) bool { return strings.EqualFold(have, r) })
		if i < 0 {
			return bad("'%.60s' is none of the roles that can be told: %s.", r, strings.Join(roles, ", "))
		}
		k.ByRole.Roles = append(k.ByRole.Roles, roles[i])
	}
	return nil
}

func showContact(version string, r *arm.Resource) (json.RawMessage, error) {
	var k contact
	if err := json.Unmarshal(r.Properties, &k); err != nil {
		return nil, err
	}
	state, severity := "Off", "High"
	for _, src := range k.Sources {
		if src.Type == "Alert" {
			state, severity = "On", src.Severity
		}
	}
	switch version {
	case contactsOldest:
		return raw(map[string]any{"email": k.Emails, "phone": k.Phone, "alertNotifications": state, "alertsToAdmins": k.ByRole.State}), nil
	case contactsMiddle:
		return raw(map[string]any{
			"emails": k.Emails, "phone": k.Phone, "alertNotifications": map[string]any{"state": state, "minimalSeverity": severity}, "notificationsByRole": k.ByRole,
		}), nil
	}
	if k.Sources == nil {
		k.Sources = []contactSource{}
	}
	return raw(k), nil
}
