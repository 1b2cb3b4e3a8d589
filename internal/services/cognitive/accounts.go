package cognitive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	namespace = "Microsoft.CognitiveServices"
	typeName  = namespace + "/accounts"
)

// Types is what the control plane learns from Cognitive Services.
func (s *Service) Types() []arm.Type {
	get := func(verb, operation string, collection bool, h func(context.Context, *arm.Call) (any, error)) arm.Action {
		return arm.Action{Verb: verb, Method: http.MethodGet, Operation: namespace + "/" + operation, Collection: collection, Handler: h}
	}
	return []arm.Type{{
		Name: typeName,
		Versions: []string{
			"2016-02-01-preview", "2017-04-18", "2021-04-30", "2021-10-01", "2022-03-01", "2022-10-01", "2022-12-01", "2023-05-01", "2023-10-01-preview", "2024-04-01-preview",
			"2024-06-01-preview", "2024-10-01", "2025-06-01",
		},
		Identity: true, Move: s.move, Put: s.putAccount, Commit: commitAccount, CommitDelete: commitDelete, Applied: s.applied, Render: renderAccount, HostNames: hostNames,
		Actions: append([]arm.Action{
			{Verb: "listKeys", Operation: typeName + "/listKeys/action", Handler: s.listKeys},
			{Verb: "regenerateKey", Operation: typeName + "/regenerateKey/action", Writes: true, Handler: s.regenerateKey},
			get("skus", "accounts/skus/read", false, accountSKUs),
			get("usages", "accounts/usages/read", false, s.accountUsages),
			get("skus", "skus/read", true, allSKUs),
			get("locations/{location}/usages", "locations/usages/read", true, noUsages),
			{Verb: "checkDomainAvailability", Collection: true, Operation: namespace + "/checkDomainAvailability/action", Handler: s.checkDomain},
			{
				Verb: "locations/{location}/checkSkuAvailability", Collection: true, Operation: namespace + "/locations/checkSkuAvailability/action", Handler: checkSKU,
			},
		}, s.deletedActions()...),
	}}
}

// properties is what is stored of an account's properties, and what the wire shows but for what renderAccount adds.
type properties struct {
	SubDomain     string       `json:"customSubDomainName,omitempty"`
	NetworkACLs   *networkACLs `json:"networkAcls,omitempty"`
	PublicAccess  string       `json:"publicNetworkAccess,omitempty"`
	DisableLocal  bool         `json:"disableLocalAuth,omitempty"`
	Created       time.Time    `json:"dateCreated"`
	RestrictedOut *bool        `json:"restrictOutboundNetworkAccess,omitempty"`
}

func propertiesOf(r *arm.Resource) (*properties, error) {
	p := new(properties)
	if err := json.Unmarshal(r.Properties, p); err != nil {
		return nil, fmt.Errorf("properties of %s: %w", r.ID, err)
	}
	return p, nil
}

func skuOf(r *arm.Resource) string {
	var s struct{ Name string }
	_ = json.Unmarshal(r.SKU, &s) // written by putAccount
	return s.Name
}

func hostNames(r *arm.Resource) []arm.HostName {
	out := []arm.HostName{{Kind: hostKey, Name: r.GUID, Retain: true}}
	if p, err := propertiesOf(r); err == nil && p.SubDomain != "" {
		out = append(out, arm.HostName{Kind: wire.HostCognitive, Name: p.SubDomain, Retain: true})
	}
	return out
}

var (
	accountName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,63}$`)
	domainName  = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)
)

func bad(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, code, format, args...)
}

// unsupported are properties that would change what an account does and can't be had.
func unsupported() map[string]string {
	return map[string]string{
		"encryption": "customer-managed keys", "userOwnedStorage": "storage of one's own", "migrationToken": "migration", "apiProperties": "an API that has some", "dynamicThrottlingEnabled": "dynamic throttling",
		"restrictOutboundNetworkAccess": "restriction of what addresses pictures are fetched from", "allowedFqdnList": "list of such addresses", "locations": "more than one region", "amlWorkspace": "machine learning workspaces",
	}
}

// putAccount checks what was sent and settles what will be stored.
func (s *Service) putAccount(ctx context.Context, c *arm.Call) error {
	if c.Old == nil && !accountName.MatchString(c.ID.Name()) {
		return bad("InvalidResourceName", "The account name '%s' is invalid: it has 2 to 64 letters, digits, hyphens, underscores and points, and begins with a letter or digit.", clip(c.ID.Name()))
	}
	if c.Old == nil {
		if restored, err := s.restore(ctx, c); restored || err != nil {
			return err
		}
	}
	if err := settleKind(c); err != nil {
		return err
	}
	body := c.Body.Object("properties")
	for name, what := range unsupported() {
		if v := body.Get(name); v != nil && string(v) != "null" && string(v) != "false" && string(v) != "[]" && string(v) != "{}" {
			return bad("FeatureNotSupported", "The property %s is not supported here: there is no %s.", name, what)
		}
	}
	var p properties
	if err := c.Body.Decode("properties", &p); err != nil {
		return err
	}
	var old *properties
	if c.Old != nil {
		var err error
		if old, err = propertiesOf(c.Old); err != nil {
			return err
		}
	}
	if err := p.settle(old, c.Time); err != nil {
		return err
	}
	if err := s.settleNetwork(ctx, c, &p, old); err != nil {
		return err
	}
	var err error
	if c.New.Properties, err = json.Marshal(&p); err != nil || c.Old != nil {
		return err
	}
	row, err := s.sealKeys(subscriptionShard(c.ID.Subscription), c.New.GUID, &accountKeys{[2]string{newKey(c.New.GUID), newKey(c.New.GUID)}}, nil)
	if err != nil {
		return err
	}
	c.Prepared = row
	return nil
}

// settleKind settles kind and SKU.
func settleKind(c *arm.Call) error {
	name := c.Body.String("kind")
	if name == "" && c.Old != nil {
		name = c.Old.Kind
	}
	if name == "" {
		return bad("InvalidApiSetId", "The kind of the account is missing; it is one of %s.", kindNames())
	}
	k, ok := kindNamed(name)
	if !ok {
		return bad("InvalidApiSetId", "The account type '%s' is either invalid or unavailable in given region. Here are: %s.", clip(name), kindNames())
	}
	if c.Old != nil && c.Old.Kind != k.name {
		return bad("KindChangeNotAllowed", "The kind of an account can't be changed: '%s' is of the kind %s.", c.Old.Name, c.Old.Kind)
	}
	want := c.Body.Object("sku").String("name")
	if want == "" && c.Old != nil {
		want = skuOf(c.Old)
	}
	chosen, ok := k.sku(want)
	if !ok {
		return bad("InvalidSkuId", "The SKU '%s' is invalid for an account of the kind %s; there are %s.", clip(want), k.name, k.skuNames())
	}
	c.New.Kind = k.name
	c.New.SKU = json.RawMessage(`{"name":"` + chosen.name + `"}`)
	return nil
}

// settle checks p as sent and keeps what does not change.
func (p *properties) settle(old *properties, now time.Time) error {
	p.Created = now.Truncate(time.Microsecond)
	if old != nil {
		p.Created = old.Created
		if p.SubDomain == "" {
			p.SubDomain = old.SubDomain
		}
		if old.SubDomain != "" && !strings.EqualFold(p.SubDomain, old.SubDomain) {
			return bad("CustomDomainNameChangeNotAllowed", "The custom subdomain '%s' of the account can't be changed.", old.SubDomain)
		}
	}
	if p.SubDomain != "" && !domainName.MatchString(p.SubDomain) {
		return bad("InvalidCustomDomainName", "The custom subdomain '%s' is invalid: it has up to 63 letters, digits and inner hyphens.", clip(p.SubDomain))
	}
	p.SubDomain = strings.ToLower(p.SubDomain)
	switch {
	case p.PublicAccess == "" || strings.EqualFold(p.PublicAccess, "Enabled"):
		p.PublicAccess = "Enabled"
	case strings.EqualFold(p.PublicAccess, "Disabled"):
		p.PublicAccess = "Disabled"
	default:
		return bad("InvalidPublicNetworkAccess", "The property publicNetworkAccess is '%s'; it is Enabled or Disabled.", clip(p.PublicAccess))
	}
	if p.SubDomain == "" && (p.NetworkACLs != nil || p.DisableLocal) {
		return bad("CustomDomainRequired", "Network rules, and turning keys off, need a custom subdomain: give customSubDomainName, too.")
	}
	return nil
}

// commitAccount stores a new account's keys, or takes a restored one from the deleted ones.
func commitAccount(tx store.Tx, c *arm.Call) error {
	switch p := c.Prepared.(type) {
	case *lying:
		return p.take(tx)
	case *sealedKeys:
		lies, err := tx.Get(deletedKey(c.ID.ResourceGroup, c.ID.Name()))
		if err != nil {
			return err
		}
		if lies != nil { // made and deleted by others meanwhile
			return mustRestore(c.ID.String())
		}
		return p.put(tx)
	}
	return nil
}

// commitDelete keeps an account among the deleted ones.
func commitDelete(tx store.Tx, c *arm.Call) error {
	row, err := deletedCodec.Encode(deletedAccount{Account: *c.Old, Group: c.ID.ResourceGroup, Deleted: c.Time, Purge: c.Time.Add(retained)})
	if err != nil {
		return err
	}
	return tx.Put(deletedKey(c.ID.ResourceGroup, c.Old.Name), row)
}

// applied forgets what was known of an account that is deleted now.
func (s *Service) applied(_ context.Context, c *arm.Call) error {
	if c.New == nil && c.Old != nil {
		s.opened.Delete(c.Old.GUID)
		s.parsed.Delete(c.Old.GUID)
	}
	return nil
}

// move takes an account's keys along; what it used is in a shard of its own.
func (s *Service) move(ctx context.Context, m *arm.Move) error {
	guid := m.Old.GUID
	var sealed []byte
	err := s.deps.Store.View(ctx, m.From, func(sn store.Snapshot) error {
		b, err := sn.Get(keysKey(guid))
		sealed = bytes.Clone(b)
		return err
	})
	if err != nil || sealed == nil {
		return err
	}
	fresh := sealed
	if m.Crosses() { // sealed for the shard
		raw, err := s.deps.Sealer.Open(m.From, keysKey(guid), sealed)
		if err != nil {
			return fmt.Errorf("open keys of account %s: %w", guid, err)
		}
		if fresh, err = s.deps.Sealer.Seal(m.To, keysKey(guid), raw); err != nil {
			return fmt.Errorf("seal keys of account %s: %w", guid, err)
		}
	}
	m.Row(keysKey(guid), sealed, fresh)
	return nil
}

// shown is an account's properties on the wire.
type shown struct {
	ProvisioningState string       `json:"provisioningState"`
	Endpoint          string       `json:"endpoint"`
	InternalID        string       `json:"internalId"`
	SubDomain         string       `json:"customSubDomainName,omitempty"`
	Created           time.Time    `json:"dateCreated"`
	CallRateLimit     *rateLimit   `json:"callRateLimit,omitempty"`
	Capabilities      []string     `json:"capabilities"`
	NetworkACLs       *networkACLs `json:"networkAcls,omitempty"`
	PublicAccess      string       `json:"publicNetworkAccess"`
	DisableLocal      bool         `json:"disableLocalAuth"`
	Private           []string     `json:"privateEndpointConnections"`
	IsMigrated        bool         `json:"isMigrated"`
	RestrictedOut     *bool        `json:"restrictOutboundNetworkAccess,omitempty"`
	Deleted           *time.Time   `json:"deletionDate,omitempty"`       // of a deleted account only
	Purge             *time.Time   `json:"scheduledPurgeDate,omitempty"` // likewise
}

type rateLimit struct {
	Count   float64 `json:"count"`
	Renewal float64 `json:"renewalPeriod"` // seconds
}

func renderAccount(_ context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	out, err := shownOf(c, r)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// shownOf adds the endpoint by the way the client came in: the custom subdomain, or the region's.
func shownOf(c *arm.Call, r *arm.Resource) (*shown, error) {
	p, err := propertiesOf(r)
	if err != nil {
		return nil, err
	}
	out := &shown{
		ProvisioningState: "Succeeded", InternalID: strings.ReplaceAll(r.GUID, "-", ""), SubDomain: p.SubDomain, Created: p.Created, Capabilities: []string{},
		NetworkACLs: p.NetworkACLs.shown(), PublicAccess: p.PublicAccess, DisableLocal: p.DisableLocal, Private: []string{}, RestrictedOut: p.RestrictedOut,
	}
	out.Endpoint = "https://" + c.Hosts.RegionalAuthority(c.Host, region(r.Location)) + "/"
	if p.SubDomain != "" {
		out.Endpoint = c.URL(wire.HostCognitive, p.SubDomain) + "/"
	}
	if k, ok := kindNamed(r.Kind); ok {
		if t, ok := k.sku(skuOf(r)); ok && t.perMinute > 0 {
			out.CallRateLimit = &rateLimit{float64(t.perMinute), 60}
		}
	}
	return out, nil
}

// region is a location as host names have it: "West Europe" is westeurope.
func region(location string) string { return strings.ToLower(strings.ReplaceAll(location, " ", "")) }

type keyList struct {
	Key1 string `json:"key1"`
	Key2 string `json:"key2"`
}

func (s *Service) listKeys(ctx context.Context, c *arm.Call) (any, error) {
	p, err := propertiesOf(c.Old)
	if err != nil {
		return nil, err
	}
	if p.DisableLocal {
		return nil, bad("BadRequest", "Failed to list key. disableLocalAuth is set to be true")
	}
	o, err := s.loadKeys(ctx, subscriptionShard(c.ID.Subscription), c.Old.GUID)
	if err != nil {
		return nil, err
	}
	return keyList{o.keys.Keys[0], o.keys.Keys[1]}, nil
}

// regenerateKey replaces one key; the old one is refused from the moment this returns.
func (s *Service) regenerateKey(ctx context.Context, c *arm.Call) (any, error) {
	which := -1
	for i, name := range []string{"Key1", "Key2"} {
		if strings.EqualFold(name, c.Body.String("keyName")) {
			which = i
		}
	}
	if which < 0 {
		return nil, bad("InvalidKeyName", "The keyName '%s' is invalid; it is Key1 or Key2.", clip(c.Body.String("keyName")))
	}
	shard := subscriptionShard(c.ID.Subscription)
	for range 5 {
		o, err := s.loadKeys(ctx, shard, c.Old.GUID)
		if err != nil {
			return nil, err
		}
		fresh := o.keys
		fresh.Keys[which] = newKey(c.Old.GUID)
		row, err := s.sealKeys(shard, c.Old.GUID, &fresh, o.sealed)
		if err != nil {
			return nil, err
		}
		if err = c.Commit(ctx, row.put); err == nil {
			return keyList{fresh.Keys[0], fresh.Keys[1]}, nil
		}
		if !errors.Is(err, errKeysChanged) {
			return nil, err
		}
	}
	return nil, fault.New(fault.Conflict, "Conflict", "The keys of the account are being regenerated by others. Try again.").WithCause(errKeysChanged)
}

func clip(s string) string {
	if len(s) > 120 {
		return strings.ToValidUTF8(s[:120], "") + "..."
	}
	return s
}
