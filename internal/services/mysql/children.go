package mysql

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// follow is the Applied of a server's children: the server's instance takes the change up.
func (s *Service) follow(ctx context.Context, c *arm.Call) error {
	r, _, err := s.deps.Resources.Resource(ctx, c.ID.Parent().String())
	if err != nil || r == nil { // gone with its server
		return err
	}
	return s.host.changed(ctx, r.GUID, r.ID)
}

func (s *Service) firewallType() arm.Type {
	return arm.Type{
		Name: serverTypeName + "/firewallRules", Versions: versions(), Untracked: true, OnCreate: http.StatusAccepted, OnUpdate: http.StatusAccepted, OnDelete: http.StatusAccepted,
		Put: s.putFirewallRule, Delete: s.deleteFirewallRule, Commit: commitChange, CommitDelete: commitChange, Applied: s.follow,
	}
}

type firewallProperties struct {
	Start string `json:"startIpAddress"`
	End   string `json:"endIpAddress"`
}

func (s *Service) putFirewallRule(_ context.Context, c *arm.Call) error {
	if problem := ruleName(c.ID.Name()); problem != "" {
		return invalid("The firewall rule name '%s' is invalid: %s.", clip(c.ID.Name()), problem)
	}
	var p firewallProperties
	if c.Old != nil {
		if err := json.Unmarshal(c.Old.Properties, &p); err != nil {
			return err
		}
	}
	if err := c.Body.Decode("properties", &p); err != nil {
		return err
	}
	from, err := netip.ParseAddr(p.Start)
	if err != nil || !from.Is4() {
		return fault.New(fault.Invalid, "InvalidFirewallRule", "The startIpAddress '%s' is not an IPv4 address.", clip(p.Start))
	}
	to, err := netip.ParseAddr(p.End)
	if err != nil || !to.Is4() {
		return fault.New(fault.Invalid, "InvalidFirewallRule", "The endIpAddress '%s' is not an IPv4 address.", clip(p.End))
	}
	if to.Less(from) {
		return fault.New(fault.Invalid, "InvalidFirewallRule", "The startIpAddress %s is above the endIpAddress %s.", from, to)
	}
	if at, err := propertiesOf(c.Parent); err != nil {
		return err
	} else if at.Attach != nil {
		return fault.New(fault.NotImplemented, "NotImplemented", "An attached server has no firewall here.")
	}
	ch := &change{}
	s.begin(c, ch, c.Parent, opGate)
	if err := put(ch, spanCodec, rowKey(c.Parent.GUID, nounFirewall, c.ID.Name()), span{from, to}); err != nil {
		return err
	}
	c.New.Properties, err = json.Marshal(firewallProperties{from.String(), to.String()})
	return err
}

func (s *Service) deleteFirewallRule(_ context.Context, c *arm.Call) error {
	if c.Along() { // deleted with its server, whose rows go as a whole
		return nil
	}
	ch := &change{drops: [][]byte{rowKey(c.Parent.GUID, nounFirewall, c.ID.Name())}}
	s.begin(c, ch, c.Parent, opGate)
	return nil
}

func ruleName(name string) string {
	if len(name) < 1 || len(name) > 128 {
		return "it must have 1 to 128 characters"
	}
	for _, c := range []byte(name) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "it may have only letters, digits, dashes and underscores"
		}
	}
	return ""
}

// databaseType shows what the server really has, whoever made it.
func (s *Service) databaseType() arm.Type {
	return arm.Type{
		Name: serverTypeName + "/databases", Versions: versions(), Untracked: true, OnCreate: http.StatusAccepted, OnUpdate: http.StatusAccepted, OnDelete: http.StatusAccepted,
		Get: s.getDatabase, List: s.listDatabases, Put: s.putDatabase, Delete: s.deleteDatabase, Commit: commitChange, CommitDelete: commitChange, Applied: s.follow,
	}
}

func systemDatabases() []string {
	return []string{"information_schema", "mysql", "performance_schema", "sys"}
}

// databasesOf gives a server's databases: what it tells itself or, while it can't, what was asked for.
func (s *Service) databasesOf(ctx context.Context, server *arm.Resource) (map[string]databaseRecord, error) {
	if found, err := s.host.databases(ctx, server.GUID); err == nil {
		return found, nil
	}
	d, err := s.load(ctx, server.ID)
	if err != nil || d == nil {
		return nil, err
	}
	return d.databases, nil
}

func shownDatabase(server *arm.Resource, name string, d databaseRecord) (*arm.Resource, error) {
	p, err := json.Marshal(d)
	return &arm.Resource{ID: server.ID + "/databases/" + name, Name: name, Type: serverTypeName + "/databases", Properties: p}, err
}

func (s *Service) getDatabase(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	if c.Parent == nil {
		return nil, nil
	}
	all, err := s.databasesOf(ctx, c.Parent)
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(c.ID.Name())
	d, ok := all[name]
	if !ok {
		return nil, nil
	}
	return shownDatabase(c.Parent, name, d)
}

func (s *Service) listDatabases(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
	all, err := s.databasesOf(ctx, c.Parent)
	if err != nil {
		return nil, err
	}
	var out []*arm.Resource
	for name, d := range all {
		r, err := shownDatabase(c.Parent, name, d)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *arm.Resource) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func word(s string, extra string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '_' && !strings.ContainsRune(extra, rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func (s *Service) putDatabase(_ context.Context, c *arm.Call) error {
	name := strings.ToLower(c.ID.Name())
	if !word(name, "$-") || slices.Contains(systemDatabases(), name) {
		return invalid("The database name '%s' is invalid: it must have 1 to 64 letters, digits, _, $ and -, and not be one of the server's own.", clip(name))
	}
	if p, err := propertiesOf(c.Parent); err != nil {
		return err
	} else if p.Attach != nil {
		return errAttached()
	}
	d := databaseRecord{Charset: "utf8mb4", Collation: "utf8mb4_general_ci"}
	if c.Old != nil {
		if err := json.Unmarshal(c.Old.Properties, &d); err != nil {
			return err
		}
	}
	var sent databaseRecord
	if err := c.Body.Decode("properties", &sent); err != nil {
		return err
	}
	if sent.Charset != "" {
		d = databaseRecord{Charset: strings.ToLower(sent.Charset)}
	}
	if sent.Collation != "" {
		d.Collation = strings.ToLower(sent.Collation)
		if sent.Charset == "" {
			d.Charset, _, _ = strings.Cut(d.Collation, "_")
		}
	}
	if !word(d.Charset, "") || d.Collation != "" && !word(d.Collation, "") {
		return invalid("The charset '%s' or the collation '%s' is none.", clip(d.Charset), clip(d.Collation))
	}
	ch := &change{drops: [][]byte{rowKey(c.Parent.GUID, nounDrop, name)}}
	s.begin(c, ch, c.Parent, opChange)
	if err := put(ch, databaseCodec, rowKey(c.Parent.GUID, nounDatabase, name), storedDatabase{d, ch.op.id}); err != nil {
		return err
	}
	var err error
	c.New.Properties, err = json.Marshal(d)
	return err
}

// deleteDatabase asks for a database to go, whoever made it.
func (s *Service) deleteDatabase(_ context.Context, c *arm.Call) error {
	if c.Along() { // deleted with its server, files and all
		return nil
	}
	name := strings.ToLower(c.ID.Name())
	ch := &change{drops: [][]byte{rowKey(c.Parent.GUID, nounDatabase, name)}}
	s.begin(c, ch, c.Parent, opChange)
	return put(ch, dropCodec, rowKey(c.Parent.GUID, nounDrop, name), dropRecord{ch.op.id})
}

// configurationType shows the parameters that may be set; those that were have a row.
func (s *Service) configurationType() arm.Type {
	return arm.Type{
		Name: serverTypeName + "/configurations", Versions: versions(), Untracked: true, OnCreate: http.StatusAccepted, OnUpdate: http.StatusAccepted,
		Get: s.getConfiguration, List: s.listConfigurations, Put: s.putConfiguration, Commit: commitChange, Applied: s.follow,
		Delete: func(context.Context, *arm.Call) error {
			return fault.New(fault.MethodNotAllowed, "MethodNotAllowed", "A configuration can't be deleted: set it to its default with source system-default.")
		},
	}
}

type shownConfiguration struct {
	Value         string `json:"value"`
	Description   string `json:"description"`
	DefaultValue  string `json:"defaultValue"`
	DataType      string `json:"dataType"`
	AllowedValues string `json:"allowedValues"`
	Source        string `json:"source"`
}

func showConfiguration(d *desired, p parameter) (*arm.Resource, error) {
	def := p.standard(d.limits)
	out := shownConfiguration{def, p.about, def, p.kind, p.allowed(d.limits), "system-default"}
	if v, ok := d.settings[p.name]; ok {
		out.Value, out.Source = v, "user-override"
	}
	b, err := json.Marshal(out)
	return &arm.Resource{ID: d.server.ID + "/configurations/" + p.name, Name: p.name, Type: serverTypeName + "/configurations", Properties: b}, err
}

func (s *Service) getConfiguration(ctx context.Context, c *arm.Call) (*arm.Resource, error) {
	p, ok := parameterNamed(c.ID.Name())
	if !ok || c.Parent == nil {
		return nil, nil
	}
	d, err := s.load(ctx, c.Parent.ID)
	if err != nil || d == nil {
		return nil, err
	}
	return showConfiguration(d, p)
}

func (s *Service) listConfigurations(ctx context.Context, c *arm.Call) ([]*arm.Resource, error) {
	d, err := s.load(ctx, c.Parent.ID)
	if err != nil || d == nil {
		return nil, err
	}
	var out []*arm.Resource
	for _, p := range parameters() {
		r, err := showConfiguration(d, p)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (s *Service) putConfiguration(ctx context.Context, c *arm.Call) error {
	p, ok := parameterNamed(c.ID.Name())
	if !ok {
		return fault.New(fault.NotFound, "ConfigurationNotExists", "The configuration '%s' does not exist for a server here.", clip(c.ID.Name()))
	}
	d, err := s.load(ctx, c.Parent.ID)
	if err != nil {
		return err
	}
	if d == nil {
		return fault.New(fault.NotFound, "ResourceNotFound", "The server '%s' is gone.", c.Parent.Name)
	}
	if d.props.Attach != nil {
		return fault.New(fault.NotImplemented, "NotImplemented", "An attached server's configuration is not changed from here.")
	}
	var sent struct{ Value, Source string }
	if err := c.Body.Decode("properties", &sent); err != nil {
		return err
	}
	ch := &change{}
	s.begin(c, ch, c.Parent, opChange)
	key := rowKey(c.Parent.GUID, nounSetting, p.name)
	if sent.Source == "system-default" && sent.Value == "" || sent.Value == p.standard(d.limits) {
		ch.drops = [][]byte{key}
		delete(d.settings, p.name)
	} else {
		value, ok := p.accept(sent.Value, d.limits)
		if !ok {
			return fault.New(fault.Invalid, "InvalidParameterValue", "The value '%s' of configuration '%s' is not one of: %s.", clip(sent.Value), p.name, p.allowed(d.limits))
		}
		set := settingRecord{Value: value, Operation: ch.op.id}
		if was, ok := d.settings[p.name]; ok {
			set.Before = &was
		}
		if err := put(ch, settingCodec, key, set); err != nil {
			return err
		}
		d.settings[p.name] = value
	}
	shown, err := showConfiguration(d, p)
	if err != nil {
		return err
	}
	c.New.Properties = shown.Properties
	return nil
}
