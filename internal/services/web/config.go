package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// The names under sites/config beside those that name a row.
const (
	configPublishing = "publishingcredentials"
	configReferences = "configreferences"
)

// configType is Microsoft.Web/sites/config: several views of one site under fixed names. Those that hold secrets are read by POST {name}/list, which is an action of its
// own, so that a Reader does not see them.
func (s *Service) configType() arm.Type {
	return arm.Type{
		Name: "Microsoft.Web/sites/config", Versions: versions, Untracked: true, OnCreate: http.StatusOK,
		Put: s.putConfig, Patch: s.patchConfig, Commit: commitChange, Applied: s.configApplied,
		Get: s.getConfig, Render: s.renderConfig,
		List: func(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
			site, err := s.siteOf(ctx, c.ID)
			if err != nil || site == nil {
				return nil, err
			}
			return []*arm.Resource{configResource(site, nounConfig)}, nil
		},
		Delete:  func(context.Context, *arm.Call) error { return notAllowed("A site's configuration can't be deleted.") },
		Actions: []arm.Action{{Verb: "list", Handler: s.listConfig}},
	}
}

func notAllowed(text string) error {
	return fault.New(fault.MethodNotAllowed, "MethodNotAllowed", "%s", text)
}

// siteOf loads the site a config id lies under; nil if there is none.
func (s *Service) siteOf(ctx context.Context, id arm.ID) (*arm.Resource, error) {
	site := id
	site.Types, site.Names = id.Types[:1], id.Names[:1]
	r, _, err := s.deps.Resources.Resource(ctx, site.String())
	return r, err
}

// canonical names of the configs, by lower case; the value is as answers show it.
var configNames = map[string]string{
	nounSettings: "appsettings", nounConnections: "connectionstrings", nounMetadata: "metadata", nounConfig: "web",
	nounSlots: "slotConfigNames", configPublishing: "publishingcredentials", configReferences: "configreferences",
}

// laterConfigs exist in Azure and not here yet.
var laterConfigs = map[string]string{
	"authsettings": "App Service authentication is", "authsettingsv2": "App Service authentication is", "logs": "Log settings are",
	"azurestorageaccounts": "Storage mounts are", "backup": "Backups are", "pushsettings": "Push settings are",
}

// configName is the lower-case name of the config in id. A name that is none is an error that says so.
func configName(id arm.ID) (string, error) {
	name := strings.ToLower(id.Names[1])
	if _, ok := configNames[name]; ok {
		return name, nil
	}
	if what, ok := laterConfigs[name]; ok {
		return "", notImplemented(what)
	}
	return "", fault.New(fault.NotFound, "NotFound", "A site has no configuration named %q.", id.Names[1])
}

func configResource(site *arm.Resource, name string) *arm.Resource {
	return &arm.Resource{
		ID: site.ID + "/config/" + configNames[name], Name: configNames[name], Type: "Microsoft.Web/sites/config", Location: site.Location,
		Properties: json.RawMessage("{}"), GUID: site.GUID, Created: site.Created, Changed: site.Changed,
	}
}

func (s *Service) getConfig(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	name, err := configName(c.ID)
	if err != nil {
		return nil, err
	}
	site, err := s.siteOf(ctx, c.ID)
	if err != nil || site == nil {
		return nil, err
	}
	return configResource(site, name), nil
}

func (s *Service) putConfig(ctx context.Context, c *arm.Call) error { return s.prepareConfig(ctx, c) }

// patchConfig: config/web is merged by PUT and PATCH alike, as clients send it whole or in part by either; the maps are replaced whole and have no PATCH.
func (s *Service) patchConfig(ctx context.Context, c *arm.Call) error {
	name, err := configName(c.ID)
	if err != nil {
		return err
	}
	if name != nounConfig {
		return notAllowed("config/" + configNames[name] + " is replaced whole, by PUT.")
	}
	return s.prepareConfig(ctx, c)
}

// prepareConfig works out the row and the answer of a PUT or PATCH.
func (s *Service) prepareConfig(ctx context.Context, c *arm.Call) error {
	name, err := configName(c.ID)
	if err != nil {
		return err
	}
	site, err := s.siteOf(ctx, c.ID)
	if err != nil {
		return err
	}
	if site == nil {
		return fault.New(fault.NotFound, "ParentResourceNotFound", "The site %q does not exist.", c.ID.Names[0])
	}
	shard, err := shardOf(site.ID)
	if err != nil {
		return err
	}
	ch := &change{}
	c.Prepared = ch
	c.New.Properties = json.RawMessage("{}")
	raw := field(c.Body, "properties")
	switch name {
	case nounSettings, nounMetadata:
		m, err := settingsMap(name, raw)
		if err != nil {
			return err
		}
		ch.answer = m
		return putSealed(s, ch, stringsCodec, shard, site.GUID, name, m)
	case nounConnections:
		m, err := connectionMap(raw)
		if err != nil {
			return err
		}
		ch.answer = m
		return putSealed(s, ch, connectionCodec, shard, site.GUID, name, m)
	case nounSlots:
		var v slotNames
		if err := decodeField(c.Body, "properties", &v); err != nil {
			return err
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return putPlain(ch, slotsCodec, site.GUID, name, json.RawMessage(b))
	case nounConfig:
		return s.prepareWeb(ctx, c, ch, shard, site.GUID, raw)
	default:
		return notAllowed("config/" + configNames[name] + " can't be written.")
	}
}

// slotNames says which settings stay with a slot.
type slotNames struct {
	AppSettingNames         []string `json:"appSettingNames"`
	ConnectionStringNames   []string `json:"connectionStringNames"`
	AzureStorageConfigNames []string `json:"azureStorageConfigNames"`
}

// prepareWeb is config/web; its body may bring settings too.
func (s *Service) prepareWeb(ctx context.Context, c *arm.Call, ch *change, shard, guid string, raw json.RawMessage) error {
	in := map[string]json.RawMessage{}
	if !isNull(raw) {
		if err := decode(raw, "properties", &in); err != nil {
			return err
		}
	}
	if settings, ok, err := settingsList(field(in, "appSettings")); err != nil {
		return err
	} else if ok {
		if err := putSealed(s, ch, stringsCodec, shard, guid, nounSettings, settings); err != nil {
			return err
		}
	}
	if conns, ok, err := connectionList(field(in, "connectionStrings")); err != nil {
		return err
	} else if ok {
		if err := putSealed(s, ch, connectionCodec, shard, guid, nounConnections, conns); err != nil {
			return err
		}
	}
	have, err := s.loadRows(ctx, shard, guid)
	if err != nil {
		return err
	}
	return s.mergeConfig(ctx, c, ch, guid, have, in)
}

func (s *Service) configApplied(ctx context.Context, c *arm.Call) error {
	site, err := s.siteOf(ctx, c.ID)
	if err != nil || site == nil {
		return err
	}
	return s.host.changed(ctx, site.GUID, site.ID)
}

// renderConfig shows what a PUT stored, or what may be read with GET.
func (s *Service) renderConfig(ctx context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	if ch, ok := c.Prepared.(*change); ok && ch.answer != nil {
		return json.Marshal(ch.answer)
	}
	id := c.ID
	if len(id.Names) < 2 { // an item of the list
		id.Names = append(id.Names[:1:1], r.Name)
	}
	name, err := configName(id)
	if err != nil {
		return nil, err
	}
	site, err := s.siteOf(ctx, c.ID)
	if err != nil || site == nil {
		return nil, err
	}
	shard, err := shardOf(site.ID)
	if err != nil {
		return nil, err
	}
	have, err := s.loadRows(ctx, shard, site.GUID)
	if err != nil {
		return nil, err
	}
	switch name {
	case nounConfig:
		cfg, err := decodeRow(configCodec, have, nounConfig)
		if err != nil {
			return nil, err
		}
		return json.Marshal(cfg.view())
	case nounSlots:
		v, err := decodeRow(slotsCodec, have, nounSlots)
		if err == nil && v == nil {
			v = json.RawMessage(`{"appSettingNames":null,"connectionStringNames":null,"azureStorageConfigNames":null}`)
		}
		return v, err
	case configReferences:
		return nil, fault.New(fault.NotFound, "NotFound", "Ask for config/configreferences/appsettings or config/configreferences/connectionstrings.")
	default:
		return nil, notAllowed("config/" + configNames[name] + " is read by POST to config/" + configNames[name] + "/list.")
	}
}

// configEnvelope is the answer of config/{name}/list.
type configEnvelope struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Location   string `json:"location,omitempty"`
	Properties any    `json:"properties"`
}

func (s *Service) listConfig(ctx context.Context, c *arm.Call) (any, error) {
	name, err := configName(c.ID)
	if err != nil {
		return nil, err
	}
	site, err := s.siteOf(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if site == nil {
		return nil, fault.New(fault.NotFound, "ParentResourceNotFound", "The site %q does not exist.", c.ID.Names[0])
	}
	shard, err := shardOf(site.ID)
	if err != nil {
		return nil, err
	}
	have, err := s.loadRows(ctx, shard, site.GUID)
	if err != nil {
		return nil, err
	}
	r := configResource(site, name)
	out := configEnvelope{ID: r.ID, Name: r.Name, Type: r.Type, Location: r.Location}
	switch name {
	case nounSettings, nounMetadata:
		m, err := openRow(s, stringsCodec, shard, site.GUID, have, name)
		if m == nil {
			m = map[string]string{}
		}
		out.Properties = m
		return out, err
	case nounConnections:
		m, err := openRow(s, connectionCodec, shard, site.GUID, have, name)
		if m == nil {
			m = map[string]connection{}
		}
		out.Properties = m
		return out, err
	case configPublishing:
		out.Type = "Microsoft.Web/sites/publishingcredentials"
		out.Properties, err = s.publishingCredentials(c, shard, site, have)
		return out, err
	default:
		return nil, notAllowed("config/" + configNames[name] + " is read by GET.")
	}
}

// publishingUser is how deployment tools sign in at the scm host.
type publishingUser struct {
	Name                   string  `json:"name"`
	PublishingUserName     string  `json:"publishingUserName"`
	PublishingPassword     string  `json:"publishingPassword"`
	PublishingPasswordHash *string `json:"publishingPasswordHash"`
	SCMURI                 string  `json:"scmUri"`
}

func (s *Service) publishingCredentials(c *arm.Call, shard string, site *arm.Resource, have rows) (publishingUser, error) {
	p, err := openRow(s, publishingCodec, shard, site.GUID, have, nounPublishing)
	if err != nil {
		return publishingUser{}, err
	}
	user := "$" + site.Name
	scm := c.Hosts.Authority(c.Host, wire.HostSCM, site.Name)
	uri := url.URL{Scheme: "https", User: url.UserPassword(user, p.Password), Host: scm}
	return publishingUser{Name: site.Name, PublishingUserName: user, PublishingPassword: p.Password, SCMURI: uri.String()}, nil
}
