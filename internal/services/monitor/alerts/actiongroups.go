package alerts

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	groupTypeName = insights + "/actionGroups"
	maxShortName  = 12
	maxReceivers  = 100
)

// The kinds of receivers that are told. Others are named as what they are.
const (
	kindEmail    = "Email"
	kindWebhook  = "Webhook"
	kindFunction = "AzureFunction"
	kindLogicApp = "LogicApp"
)

// actionGroup is an action group's properties. They are stored sealed, whole: addresses hold signatures.
type actionGroup struct {
	ShortName string             `json:"groupShortName"`
	Enabled   bool               `json:"enabled"`
	Emails    []emailReceiver    `json:"emailReceivers"`
	SMS       []json.RawMessage  `json:"smsReceivers"`
	Webhooks  []webhookReceiver  `json:"webhookReceivers"`
	ITSM      []json.RawMessage  `json:"itsmReceivers"`
	Push      []json.RawMessage  `json:"azureAppPushReceivers"`
	Runbooks  []json.RawMessage  `json:"automationRunbookReceivers"`
	Voice     []json.RawMessage  `json:"voiceReceivers"`
	LogicApps []logicAppReceiver `json:"logicAppReceivers"`
	Functions []functionReceiver `json:"azureFunctionReceivers"`
	Roles     []json.RawMessage  `json:"armRoleReceivers"`
	EventHubs []json.RawMessage  `json:"eventHubReceivers"`
}

type emailReceiver struct {
	Name   string `json:"name"`
	To     string `json:"emailAddress"`
	Common bool   `json:"useCommonAlertSchema"`
	Status string `json:"status"`
}

type webhookReceiver struct {
	Name       string `json:"name"`
	URI        string `json:"serviceUri"`
	Common     bool   `json:"useCommonAlertSchema"`
	AAD        bool   `json:"useAadAuth"`
	ObjectID   string `json:"objectId,omitempty"`
	Identifier string `json:"identifierUri,omitempty"`
	Tenant     string `json:"tenantId,omitempty"`
	Identity   string `json:"managedIdentity,omitempty"` // kept only
}

type logicAppReceiver struct {
	Name     string `json:"name"`
	Resource string `json:"resourceId"`
	Callback string `json:"callbackUrl"`
	Common   bool   `json:"useCommonAlertSchema"`
	Identity string `json:"managedIdentity,omitempty"` // kept only
}

type functionReceiver struct {
	Name     string `json:"name"`
	App      string `json:"functionAppResourceId"`
	Function string `json:"functionName"`
	Trigger  string `json:"httpTriggerUrl"`
	Common   bool   `json:"useCommonAlertSchema"`
	Identity string `json:"managedIdentity,omitempty"` // kept only
}

// receiver is one of any kind.
type receiver struct {
	Kind       string            `json:"kind"`
	Name       string            `json:"name"`
	Email      string            `json:"email,omitempty"`
	URI        string            `json:"uri,omitempty"`
	Common     bool              `json:"common,omitempty"`
	Tenant     string            `json:"tenant,omitempty"` // with Identifier: of a secure webhook
	Identifier string            `json:"identifier,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
}

func (s *Service) groupType() arm.Type {
	return arm.Type{
		Name:     groupTypeName,
		Versions: []string{"2017-04-01", "2018-03-01", "2018-09-01", "2019-03-01", "2019-06-01", "2021-09-01", "2022-04-01", "2022-06-01", "2023-01-01", "2023-09-01-preview", "2024-10-01-preview"},
		Put:      func(_ context.Context, c *arm.Call) error { return s.putGroup(c) },
		Patch:    func(_ context.Context, c *arm.Call) error { return s.patchGroup(c) },
		Render: func(_ context.Context, _ *arm.Call, r *arm.Resource) (json.RawMessage, error) {
			g, err := s.openGroup(r)
			return raw(g), err
		},
		Actions: []arm.Action{
			{Verb: "subscribe", Writes: true, Handler: s.subscribe},
			{Verb: "createNotifications", Writes: true, Handler: s.createNotifications},
			{Verb: "notificationStatus/{notificationId}", Method: http.MethodGet, Operation: groupTypeName + "/read", Handler: s.notificationStatus},
		},
	}
}

func groupKey(guid string) []byte { return []byte("actiongroup|" + guid) }

// sealGroup is a group's private part.
func (s *Service) sealGroup(c *arm.Call, g *actionGroup) error {
	sealed, err := s.deps.Sealer.Seal(subShard(c.ID.Subscription), groupKey(c.New.GUID), raw(g))
	if err != nil {
		return err
	}
	c.New.Properties, c.New.Private = raw(map[string]any{"groupShortName": g.ShortName, "enabled": g.Enabled}), raw(sealed)
	return nil
}

func (s *Service) openGroup(r *arm.Resource) (*actionGroup, error) {
	var sealed []byte
	if err := json.Unmarshal(r.Private, &sealed); err != nil {
		return nil, err
	}
	id, err := arm.ParseID(r.ID)
	if err != nil {
		return nil, err
	}
	b, err := s.deps.Sealer.Open(subShard(id.Subscription), groupKey(r.GUID), sealed)
	if err != nil {
		return nil, err
	}
	g := &actionGroup{}
	return g, json.Unmarshal(b, g)
}

func (s *Service) putGroup(c *arm.Call) error {
	var had *actionGroup
	if c.Old != nil {
		var err error
		if had, err = s.openGroup(c.Old); err != nil {
			return err
		}
	}
	g, err := readGroup(c.Body.Object("properties"), had)
	if err != nil {
		return err
	}
	return s.sealGroup(c, g)
}

// patchGroup changes what a PATCH of a group may: whether it is enabled (and its tags).
func (s *Service) patchGroup(c *arm.Call) error {
	g, err := s.openGroup(c.Old)
	if err != nil {
		return err
	}
	if err := c.Body.Object("properties").Decode("enabled", &g.Enabled); err != nil {
		return err
	}
	return s.sealGroup(c, g)
}

// readGroup reads what a client sent. Who unsubscribed stays so.
func readGroup(in arm.Object, had *actionGroup) (*actionGroup, error) {
	if in == nil {
		return nil, bad("The property 'properties' is required.")
	}
	g := &actionGroup{ShortName: in.String("groupShortName"), Enabled: true}
	lists := map[string]any{
		"emailReceivers": &g.Emails, "smsReceivers": &g.SMS, "webhookReceivers": &g.Webhooks, "itsmReceivers": &g.ITSM, "azureAppPushReceivers": &g.Push,
		"automationRunbookReceivers": &g.Runbooks, "voiceReceivers": &g.Voice, "logicAppReceivers": &g.LogicApps, "azureFunctionReceivers": &g.Functions,
		"armRoleReceivers": &g.Roles, "eventHubReceivers": &g.EventHubs, "enabled": &g.Enabled,
	}
	for name, v := range lists {
		if !in.Has(name) {
			continue
		}
		if err := in.Decode(name, v); err != nil {
			return nil, err
		}
	}
	if g.ShortName == "" || len(g.ShortName) > maxShortName {
		return nil, bad("The groupShortName of an action group has 1 to %d characters.", maxShortName)
	}
	g.fill(had)
	return g, g.check()
}

// fill makes absent lists empty ones, and sets the state of mail receivers.
func (g *actionGroup) fill(had *actionGroup) {
	for _, l := range []*[]json.RawMessage{&g.SMS, &g.ITSM, &g.Push, &g.Runbooks, &g.Voice, &g.Roles, &g.EventHubs} {
		if *l == nil {
			*l = []json.RawMessage{}
		}
	}
	if g.Emails == nil {
		g.Emails = []emailReceiver{}
	}
	if g.Webhooks == nil {
		g.Webhooks = []webhookReceiver{}
	}
	if g.LogicApps == nil {
		g.LogicApps = []logicAppReceiver{}
	}
	if g.Functions == nil {
		g.Functions = []functionReceiver{}
	}
	preset(g.SMS, "status", `"Enabled"`)
	preset(g.EventHubs, "useCommonAlertSchema", "false")
	for i := range g.Emails {
		g.Emails[i].Status = "Enabled"
		if had == nil {
			continue
		}
		for _, h := range had.Emails {
			if strings.EqualFold(h.Name, g.Emails[i].Name) && h.To == g.Emails[i].To {
				g.Emails[i].Status = h.Status
			}
		}
	}
}

// preset gives receivers that are only kept a property that they were sent without.
func preset(list []json.RawMessage, name, value string) {
	for i, b := range list {
		var o arm.Object
		if json.Unmarshal(b, &o) != nil || o == nil || o.Has(name) {
			continue // refused later, for having no name
		}
		o[name] = json.RawMessage(value)
		list[i] = raw(o)
	}
}

// Names of programs that may be called: of one folder, and no way out of it.
var execName = regexp.MustCompile(`^exec:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)

func (g *actionGroup) check() error {
	seen := map[string]bool{}
	named := func(kind, name string) error {
		switch key := kind + "|" + fold(name); {
		case name == "":
			return bad("Each receiver of an action group has a name.")
		case seen[key]:
			return bad("Two %s receivers have the name '%.100s'.", kind, name)
		case len(seen) >= maxReceivers:
			return bad("An action group has at most %d receivers.", maxReceivers)
		default:
			seen[key] = true
		}
		return nil
	}
	for _, r := range g.all() {
		if err := named(r.Kind, r.Name); err != nil {
			return err
		}
		switch r.Kind {
		case kindEmail:
			if !notify.CheckAddress(r.Email) {
				return bad("The emailAddress of the receiver '%.100s' is no mail address.", r.Name)
			}
		case kindWebhook, kindFunction, kindLogicApp:
			if !notify.CheckURL(r.URI) && !execName.MatchString(r.URI) {
				return bad("The address of the receiver '%.100s' must be an http or https address with a host, and without a user.", r.Name) // never the address
			}
		}
	}
	for _, w := range g.Webhooks {
		if w.AAD && w.Identifier == "" {
			return bad("The webhook receiver '%.100s' with useAadAuth has no identifierUri.", w.Name)
		}
	}
	return nil
}

// all are the group's receivers, also those that are kept only. Mail receivers who unsubscribed are among them.
func (g *actionGroup) all() (out []receiver) {
	for _, r := range g.Emails {
		out = append(out, receiver{Kind: kindEmail, Name: r.Name, Email: r.To, Common: r.Common})
	}
	for _, r := range g.Webhooks {
		one := receiver{Kind: kindWebhook, Name: r.Name, URI: r.URI, Common: r.Common}
		if r.AAD {
			one.Tenant, one.Identifier = r.Tenant, r.Identifier
		}
		out = append(out, one)
	}
	for _, r := range g.LogicApps {
		out = append(out, receiver{Kind: kindLogicApp, Name: r.Name, URI: r.Callback, Common: r.Common})
	}
	for _, r := range g.Functions {
		out = append(out, receiver{Kind: kindFunction, Name: r.Name, URI: r.Trigger, Common: r.Common})
	}
	for _, kept := range []struct {
		kind string
		list []json.RawMessage
	}{
		{"Sms", g.SMS}, {"Itsm", g.ITSM}, {"AzureAppPush", g.Push}, {"AutomationRunbook", g.Runbooks}, {"Voice", g.Voice}, {"ArmRole", g.Roles}, {"EventHub", g.EventHubs},
	} {
		for _, b := range kept.list {
			var o arm.Object
			_ = json.Unmarshal(b, &o) // one without a name is refused for that
			out = append(out, receiver{Kind: kept.kind, Name: o.String("name")})
		}
	}
	return out
}

// active are those who are told.
func (g *actionGroup) active() (out []receiver) {
	if !g.Enabled {
		return nil
	}
	off := map[string]bool{}
	for _, e := range g.Emails {
		off[e.Name] = e.Status == "Disabled"
	}
	for _, r := range g.all() {
		if r.Kind != kindEmail || !off[r.Name] {
			out = append(out, r)
		}
	}
	return out
}

// subscribe enables a mail receiver that was disabled.
func (s *Service) subscribe(ctx context.Context, c *arm.Call) (any, error) {
	g, err := s.openGroup(c.Old)
	if err != nil {
		return nil, err
	}
	name := c.Body.String("receiverName")
	for i := range g.Emails {
		e := &g.Emails[i]
		if !strings.EqualFold(e.Name, name) {
			continue
		}
		if e.Status != "Disabled" {
			return nil, fault.New(fault.Conflict, "ReceiverAlreadyEnabled", "The receiver '%.100s' is enabled already.", name)
		}
		e.Status = "Enabled"
		fresh := *c.Old
		c.New = &fresh
		if err := s.sealGroup(c, g); err != nil {
			return nil, err
		}
		return wire.Reply{Status: http.StatusOK}, c.Commit(ctx, nil)
	}
	return nil, fault.New(fault.NotFound, "ReceiverNotFound", "The action group has no email receiver '%.100s'.", name)
}

// test is a test of receivers, as it is kept.
type test struct {
	Group   string         `json:"group"` // GUID
	Created time.Time      `json:"created"`
	Done    time.Time      `json:"done,omitzero"`
	Kind    string         `json:"kind"`
	Details []testReceiver `json:"details"`
}

type testReceiver struct {
	Mechanism string `json:"MechanismType"`
	Name      string `json:"Name"`
	Status    string `json:"Status"`
	SubState  string `json:"SubState"`
	SendTime  string `json:"SendTime,omitempty"`
	Detail    string `json:"Detail"`
}

const kindTest = "monitor.test"

// testRow carries a test into the shard of alerts.
type testRow struct {
	ID         string            `json:"id"`
	Test       test              `json:"test"`
	Deliveries []notify.Delivery `json:"deliveries"`
}

// createNotifications sends a made-up alert to the receivers of the body.
func (s *Service) createNotifications(ctx context.Context, c *arm.Call) (any, error) {
	body := c.Body
	if body == nil {
		body = arm.Object{}
	}
	kind := body.String("alertType")
	if kind == "" {
		return nil, bad("The property 'alertType' is required.")
	}
	sent := arm.Object{"groupShortName": json.RawMessage(`"test"`)}
	for k, v := range body {
		if !strings.EqualFold(k, "alertType") {
			sent[k] = v
		}
	}
	g, err := readGroup(sent, nil)
	if err != nil {
		return nil, err
	}
	now, id := s.deps.Clock.Now().UTC(), ids.New()
	row := testRow{ID: id, Test: test{Group: c.Old.GUID, Created: now, Kind: kind}}
	a := sampleAlert(id, c.ID.Subscription, c.Old, now)
	for _, r := range g.all() {
		row.Test.Details = append(row.Test.Details, testReceiver{Mechanism: r.Kind, Name: r.Name, Status: "InProgress", SubState: "Default"})
		name := "test|" + id + "|" + r.Kind + "|" + r.Name
		sealed, err := s.deps.Sealer.Seal(shardOf(c.ID.Subscription), receiverKey(c.Old.GUID, name), raw(r))
		if err != nil {
			return nil, err
		}
		row.Deliveries = append(row.Deliveries, newDelivery(c.ID.Subscription, now, payload{
			Event: event{Alert: a, Condition: fired}, Kind: r.Kind, Name: r.Name, Owner: c.Old.GUID, Inline: &inlineRef{name, sealed}, Test: id,
		}))
	}
	if len(row.Deliveries) == 0 {
		return nil, bad("The body names no receiver.")
	}
	encoded := raw(row)
	err = c.Commit(ctx, func(tx store.Tx) error { return outbox.PutOrdered(tx, kindTest, id, encoded) })
	if err != nil {
		return nil, err
	}
	at := c.ID.String() + "/notificationStatus/" + id + "?api-version=" + c.Version
	h := http.Header{"Location": {c.URL(wire.HostARM, "") + at}, "Retry-After": {"1"}}
	return wire.Reply{Status: http.StatusAccepted, Header: h, Body: map[string]string{"notificationId": id}}, nil
}

// putTest queues the deliveries of a test.
func (s *Service) putTest(ctx context.Context, shard string, b []byte) error {
	var row testRow
	if err := json.Unmarshal(b, &row); err != nil {
		return err
	}
	value, err := testCodec.Encode(row.Test)
	if err != nil {
		return err
	}
	_, err = s.deps.Store.Update(ctx, shardPrefix+strings.TrimPrefix(shard, "sub/"), func(tx store.Tx) error {
		key := []byte(tagTest + row.ID)
		if have, err := tx.Get(key); err != nil || have != nil {
			return err // done before
		}
		if err := tx.Put(key, value); err != nil {
			return err
		}
		return notify.Put(tx, row.Deliveries)
	})
	s.queue.Wake()
	return err
}

// notificationStatus tells how a test went.
func (s *Service) notificationStatus(ctx context.Context, c *arm.Call) (any, error) {
	id := fold(c.Param("notificationId"))
	t, err := get(ctx, s.deps.Store, shardOf(c.ID.Subscription), []byte(tagTest+id), testCodec)
	if err != nil {
		return nil, err
	}
	if t == nil || t.Group != c.Old.GUID {
		return nil, fault.New(fault.NotFound, "NotificationNotFound", "The action group has no notification '%.100s'.", id)
	}
	state := "InProgress"
	if !t.Done.IsZero() {
		state = "Completed"
	}
	return map[string]any{
		"context": map[string]string{"notificationSource": "Microsoft.Insights/TestNotification", "contextType": "Microsoft.Insights/" + t.Kind},
		"state":   state, "createdTime": t.Created.Format(time.RFC3339), "completedTime": t.Done.Format(time.RFC3339), "actionDetails": t.Details,
	}, nil
}
