package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// siteType is Microsoft.Web/sites.
func (s *Service) siteType() arm.Type {
	return arm.Type{
		Name: siteTypeName, Versions: versions, Identity: true, OnCreate: http.StatusOK,
		Put: s.putSite, Commit: commitSite, Applied: s.siteApplied, Render: s.renderSite, Move: s.moveSite,
		CommitDelete: func(tx store.Tx, c *arm.Call) error {
			r := rowsOf(c.Old.GUID)
			return tx.DeleteRange(r.Start, r.End)
		},
		HostNames: func(r *arm.Resource) []arm.HostName { return []arm.HostName{{Kind: wire.HostSite, Name: r.Name}} },
		Actions: []arm.Action{
			{Verb: "start", Writes: true, Handler: s.setStopped(false)},
			{Verb: "stop", Writes: true, Handler: s.setStopped(true)},
			{Verb: "restart", Writes: true, Handler: s.restart},
			{Verb: "publishxml", Handler: s.publishXML},
			{Verb: "checknameavailability", Collection: true, Operation: "Microsoft.Web/checknameavailability/action", Handler: s.checkName},
		},
	}
}

// slotType refuses deployment slots by name instead of by an unknown type.
func slotType() arm.Type {
	return arm.Type{
		Name: "Microsoft.Web/sites/slots", Versions: versions,
		Put: func(context.Context, *arm.Call) error { return notImplemented("Deployment slots are") },
	}
}

func notImplemented(what string) error {
	return fault.New(fault.NotImplemented, "NotImplemented", "%s not implemented by this platform yet.", what)
}

// siteProperties is what is kept of a site's properties; its configuration has a row of its own.
type siteProperties struct {
	ServerFarmID              string `json:"serverFarmId"`
	Enabled                   bool   `json:"enabled"`
	HTTPSOnly                 bool   `json:"httpsOnly"`
	Reserved                  bool   `json:"reserved"`
	ClientAffinityEnabled     bool   `json:"clientAffinityEnabled"`
	KeyVaultReferenceIdentity string `json:"keyVaultReferenceIdentity"`
}

func (s *Service) putSite(ctx context.Context, c *arm.Call) error {
	if err := checkSiteName(c.New.Name); err != nil {
		return err
	}
	kind := strings.ToLower(c.New.Kind)
	switch {
	case strings.Contains(kind, "functionapp"):
		return notImplemented("Function apps are")
	case strings.Contains(kind, "container"):
		return notImplemented("Sites made of container images are")
	case c.New.Kind == "":
		c.New.Kind = "app"
	}
	var in map[string]json.RawMessage
	if err := decodeField(c.Body, "properties", &in); err != nil {
		return err
	}
	if err := refuseSiteFeatures(in); err != nil {
		return err
	}
	p := siteProperties{Enabled: true}
	if c.Old != nil {
		if err := json.Unmarshal(c.Old.Properties, &p); err != nil {
			return err
		}
	}
	if raw := field(c.Body, "properties"); !isNull(raw) {
		if err := decode(raw, "properties", &p); err != nil {
			return err
		}
	}
	if err := s.checkPlan(ctx, c, &p); err != nil {
		return err
	}
	if err := checkReferenceIdentity(p.KeyVaultReferenceIdentity); err != nil {
		return err
	}
	if strings.HasPrefix(strings.ToLower(c.New.Kind), "app") && p.Reserved && !strings.Contains(kind, "linux") {
		c.New.Kind = "app,linux"
	}
	var err error
	if c.New.Properties, err = json.Marshal(p); err != nil {
		return err
	}
	return s.prepareSite(ctx, c, p.ServerFarmID, field(in, "siteConfig"))
}

// checkReferenceIdentity wants the name of an identity. Whether it is assigned is seen when references are resolved, and shown as their status.
func checkReferenceIdentity(text string) error {
	if ownIdentity(text) {
		return nil
	}
	if id, err := arm.ParseID(text); err != nil || id.Collection() || !strings.EqualFold(id.Type(), arm.TypeUserIdentity) {
		return fault.New(fault.Invalid, "BadRequest", "properties.keyVaultReferenceIdentity %.200q is neither SystemAssigned nor the resource id of a user-assigned identity.", text)
	}
	return nil
}

// refuseSiteFeatures names what a site asks for and would not get.
func refuseSiteFeatures(in map[string]json.RawMessage) error {
	for name, what := range map[string]string{
		"hostingEnvironmentProfile": "App Service environments are", "virtualNetworkSubnetId": "Virtual networks are",
		"clientCertEnabled": "Client certificates are", "cloningInfo": "Cloning is", "functionAppConfig": "Function apps are",
		"managedEnvironmentId": "Container app environments are",
	} {
		if isSet(field(in, name)) {
			return notImplemented(what)
		}
	}
	var access string
	if raw := field(in, "publicNetworkAccess"); !isNull(raw) && json.Unmarshal(raw, &access) == nil && strings.EqualFold(access, "Disabled") {
		return notImplemented("Private access (publicNetworkAccess Disabled) is")
	}
	return nil
}

func checkSiteName(name string) error {
	if len(name) < 2 || len(name) > 60 || !dnsLabel(name) || name[0] == '-' || name[len(name)-1] == '-' {
		return fault.New(fault.Invalid, "BadRequest", "The site name %q is not one: 2 to 60 letters, digits and hyphens, with no hyphen at either end.", name)
	}
	return nil
}

// checkPlan makes sure that the plan exists, in the site's subscription, and writes its id in the one form.
func (s *Service) checkPlan(ctx context.Context, c *arm.Call, p *siteProperties) error {
	id := p.ServerFarmID
	if id == "" {
		return fault.New(fault.Invalid, "BadRequest", "properties.serverFarmId is missing: a site needs a plan (Microsoft.Web/serverfarms).")
	}
	if !strings.HasPrefix(id, "/") { // 2015's clients send the plan's name
		id = "/subscriptions/" + c.ID.Subscription + "/resourceGroups/" + c.ID.ResourceGroup + "/providers/Microsoft.Web/serverfarms/" + id
	}
	shard, err := shardOf(id)
	var plan *arm.Resource
	if err == nil && shard == "sub/"+strings.ToLower(c.ID.Subscription) {
		if plan, _, err = s.deps.Resources.Resource(ctx, id); err != nil {
			return err
		}
	}
	if plan == nil || !strings.EqualFold(plan.Type, planTypeName) {
		return noPlan(p.ServerFarmID)
	}
	p.ServerFarmID = plan.ID
	return nil
}

// commitSite writes the site's rows if its plan is still there and not on the move.
func commitSite(tx store.Tx, c *arm.Call) error {
	ch := c.Prepared.(*change)
	if there, err := arm.InPlace(tx, ch.plan); err != nil {
		return err
	} else if !there {
		return noPlan(ch.plan)
	}
	return ch.write(tx)
}

func noPlan(id string) error {
	return fault.New(fault.NotFound, "NotFound", "Cannot find the server farm %q in the site's subscription.", id)
}

// prepareSite works out the site's further rows: on creation all of them, later what siteConfig brings. A PUT without settings leaves them alone.
func (s *Service) prepareSite(ctx context.Context, c *arm.Call, plan string, raw json.RawMessage) error {
	shard, err := shardOf(c.New.ID)
	if err != nil {
		return err
	}
	ch := &change{plan: plan}
	c.Prepared = ch
	guid := c.New.GUID
	var config map[string]json.RawMessage
	if !isNull(raw) {
		if err := decode(raw, "properties.siteConfig", &config); err != nil {
			return err
		}
	}
	have := rows{}
	if c.Old == nil {
		if err := putPlain(ch, siteCodec, guid, nounSite, siteRecord{ResourceID: c.New.ID}); err != nil {
			return err
		}
		if err := putSealed(s, ch, publishingCodec, shard, guid, nounPublishing, publishing{Password: rand.Text() + rand.Text()}); err != nil {
			return err
		}
	} else if have, err = s.loadRows(ctx, shard, guid); err != nil {
		return err
	}
	if settings, ok, err := settingsList(field(config, "appSettings")); err != nil {
		return err
	} else if ok {
		if err := putSealed(s, ch, stringsCodec, shard, guid, nounSettings, settings); err != nil {
			return err
		}
	}
	if conns, ok, err := connectionList(field(config, "connectionStrings")); err != nil {
		return err
	} else if ok {
		if err := putSealed(s, ch, connectionCodec, shard, guid, nounConnections, conns); err != nil {
			return err
		}
	}
	if len(config) == 0 {
		return nil
	}
	return s.mergeConfig(ctx, c, ch, guid, have, config)
}

// mergeConfig prepares the configuration row: what is stored, with the given members over it.
func (s *Service) mergeConfig(ctx context.Context, c *arm.Call, ch *change, guid string, have rows, in map[string]json.RawMessage) error {
	old, err := decodeRow(configCodec, have, nounConfig)
	if err != nil {
		return err
	}
	cfg := old.merge(in)
	if err := cfg.check(); err != nil {
		return err
	}
	if err := s.joinSubnets(ctx, c, cfg, old); err != nil {
		return err
	}
	ch.expect = &rowPut{rowKey(guid, nounConfig), have[nounConfig]}
	return putPlain(ch, configCodec, guid, nounConfig, cfg)
}

// siteApplied makes the host follow: a new or changed site is (re)started, a deleted one is stopped for good.
func (s *Service) siteApplied(ctx context.Context, c *arm.Call) error {
	if c.New == nil {
		if c.Old != nil {
			s.host.remove(c.Old.GUID)
		}
		return nil
	}
	if c.Old != nil && c.Old.ID != c.New.ID { // what the process of before was told soon is no more
		s.deps.Identities.Moved(c.Old.ID, c.New.ID)
		s.host.hold(c.New.GUID)
	}
	return s.host.changed(ctx, c.New.GUID, c.New.ID)
}

// setStopped is the actions start and stop.
func (s *Service) setStopped(stopped bool) func(context.Context, *arm.Call) (any, error) {
	return func(ctx context.Context, c *arm.Call) (any, error) {
		ch := &change{}
		if err := putPlain(ch, siteCodec, c.Old.GUID, nounSite, siteRecord{ResourceID: c.Old.ID, Stopped: stopped}); err != nil {
			return nil, err
		}
		if err := c.Commit(ctx, ch.write); err != nil {
			return nil, err
		}
		return wire.Reply{Status: http.StatusOK}, s.host.changed(ctx, c.Old.GUID, c.Old.ID)
	}
}

// restart changes nothing that is stored; the commit is for the checks and the activity log.
func (s *Service) restart(ctx context.Context, c *arm.Call) (any, error) {
	if err := c.Commit(ctx, func(store.Tx) error { return nil }); err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusOK}, s.host.changed(ctx, c.Old.GUID, c.Old.ID)
}

// nameAvailability is the answer of checknameavailability.
type nameAvailability struct {
	NameAvailable bool   `json:"nameAvailable"`
	Reason        string `json:"reason"`
	Message       string `json:"message"`
}

func (s *Service) checkName(ctx context.Context, c *arm.Call) (any, error) {
	var name, kind string
	if err := decodeField(c.Body, "name", &name); err != nil {
		return nil, err
	}
	if err := decodeField(c.Body, "type", &kind); err != nil {
		return nil, err
	}
	if k := strings.ToLower(kind); k != "site" && k != "microsoft.web/sites" {
		return nil, fault.New(fault.Invalid, "BadRequest", "Names of the type %q can't be checked; Site and Microsoft.Web/sites can.", kind)
	}
	if err := checkSiteName(name); err != nil {
		return nameAvailability{Reason: "Invalid", Message: fault.As(err).Message}, nil
	}
	e, err := s.deps.Names.Lookup(ctx, wire.HostSite, strings.ToLower(name))
	if err != nil {
		return nil, err
	}
	if e != nil {
		return nameAvailability{Reason: "AlreadyExists", Message: "Hostname '" + name + "' already exists. Please select a different name."}, nil
	}
	return nameAvailability{NameAvailable: true}, nil
}

// sslState is one entry of hostNameSslStates; deployment tools find the scm host by its hostType.
type sslState struct {
	Name     string `json:"name"`
	SSLState string `json:"sslState"`
	HostType string `json:"hostType"`
}

func (s *Service) renderSite(ctx context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	var p siteProperties
	if err := json.Unmarshal(r.Properties, &p); err != nil {
		return nil, err
	}
	shard, err := shardOf(r.ID)
	if err != nil {
		return nil, err
	}
	have, err := s.loadRows(ctx, shard, r.GUID)
	if err != nil {
		return nil, err
	}
	rec, err := decodeRow(siteCodec, have, nounSite)
	if err != nil {
		return nil, err
	}
	cfg, err := decodeRow(configCodec, have, nounConfig)
	if err != nil {
		return nil, err
	}
	state := "Running"
	if rec.Stopped || !p.Enabled {
		state = "Stopped"
	}
	tier, err := s.planTier(ctx, p.ServerFarmID)
	if err != nil {
		return nil, err
	}
	if ownIdentity(p.KeyVaultReferenceIdentity) {
		p.KeyVaultReferenceIdentity = "SystemAssigned"
	}
	name := strings.ToLower(r.Name)
	site, scm := c.Hosts.Authority(c.Host, wire.HostSite, name), c.Hosts.Authority(c.Host, wire.HostSCM, name)
	return json.Marshal(struct {
		siteProperties
		Name                        string     `json:"name"`
		State                       string     `json:"state"`
		SKU                         string     `json:"sku,omitempty"` // its plan's tier
		HostNames                   []string   `json:"hostNames"`
		EnabledHostNames            []string   `json:"enabledHostNames"`
		HostNameSSLStates           []sslState `json:"hostNameSslStates"`
		DefaultHostName             string     `json:"defaultHostName"`
		RepositorySiteName          string     `json:"repositorySiteName"`
		UsageState                  string     `json:"usageState"`
		AvailabilityState           string     `json:"availabilityState"`
		AdminEnabled                bool       `json:"adminEnabled"`
		ResourceGroup               string     `json:"resourceGroup"`
		OutboundIPAddresses         string     `json:"outboundIpAddresses"`
		PossibleOutboundIPAddresses string     `json:"possibleOutboundIpAddresses"`
		LastModifiedTimeUTC         string     `json:"lastModifiedTimeUtc"`
		SiteConfig                  any        `json:"siteConfig"`
	}{
		p, r.Name, state, tier,
		[]string{site},
		[]string{site, scm},
		[]sslState{{site, "Disabled", "Standard"}, {scm, "Disabled", "Repository"}},
		site, r.Name, "Normal", "Normal", true, c.ID.ResourceGroup,
		"127.0.0.1", "127.0.0.1", r.Changed.UTC().Format(time.RFC3339), cfg.summary(),
	})
}
