package cosmos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const typeName = "Microsoft.DocumentDB/databaseAccounts"

// versions are the api-versions of the type.
var versions = []string{
	"2014-04-01", "2015-04-08", "2015-11-06", "2016-03-19", "2016-03-31", "2019-08-01", "2019-08-01-preview", "2019-12-12", "2020-03-01", "2020-04-01",
	"2020-06-01-preview", "2020-09-01", "2021-01-15", "2021-03-15", "2021-04-15", "2021-05-15", "2021-06-15", "2021-10-15", "2022-02-15-preview", "2022-05-15",
	"2022-08-15", "2022-11-15", "2023-03-15", "2023-04-15", "2023-09-15", "2023-11-15", "2024-05-15", "2024-08-15", "2024-11-15", "2025-04-15", "2025-10-15",
}

// ipRulesSince is the first api-version that knows ipRules; before it the list is one string, ipRangeFilter.
const ipRulesSince = "2020-03-01"

var errKeysChanged = errors.New("cosmos: the account's keys changed meanwhile")

// Types are the resource types of the control plane.
func (s *Service) Types() []arm.Type {
	return slices.Concat([]arm.Type{{
		Name: typeName, Versions: versions, Identity: true, ShowsNone: true, Move: s.move, OnCreate: http.StatusOK, OnDelete: http.StatusNoContent,
		Put: s.putAccount, Commit: s.commitAccount, CommitDelete: s.commitDelete, Applied: s.applied, Render: s.render,
		HostNames: func(r *arm.Resource) []arm.HostName { return []arm.HostName{{Kind: wire.HostCosmos, Name: r.Name}} },
		Actions: append([]arm.Action{
			{Verb: "listKeys", Handler: s.listKeys},
			{Verb: "readonlykeys", Handler: s.readOnlyKeys},
			{Verb: "readonlykeys", Method: http.MethodGet, Operation: typeName + "/readonlykeys/read", Handler: s.readOnlyKeys},
			{Verb: "listConnectionStrings", Handler: s.connectionStrings},
			{Verb: "regenerateKey", Writes: true, Handler: s.regenerateKey},
			{Verb: "failoverPriorityChange", Writes: true, Handler: s.changeFailover},
		}, regionActions()...),
	}, s.definitionsType(), s.assignmentsType(), s.databasesType(), s.containersType(), s.throughputType(databaseType), s.throughputType(containerType)}, s.scriptTypes(), s.oldTypes())
}

var namePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (s *Service) putAccount(ctx context.Context, c *arm.Call) error {
	if c.Old == nil && (len(c.New.Name) < 3 || len(c.New.Name) > 50 || !namePattern.MatchString(c.New.Name)) {
		return bad("DatabaseAccount name '%s' is invalid: 3 to 50 characters, lower-case letters, digits and single hyphens between them.", c.New.Name)
	}
	kind := c.Body.String("kind")
	if kind == "" && c.Old != nil {
		kind = c.Old.Kind
	}
	if kind != "" && !strings.EqualFold(kind, "GlobalDocumentDB") {
		return bad("The kind '%s' of database account is not supported by this platform; it is GlobalDocumentDB.", kind)
	}
	if v := tag(c.New.Tags, gateway.ThrottlingTag); c.Old == nil || v != tag(c.Old.Tags, gateway.ThrottlingTag) {
		if _, ok := gateway.ParseThrottling(v); !ok {
			return bad("The tag %s is '%s'; it is burst, strict or off.", gateway.ThrottlingTag, v)
		}
	}
	c.New.Kind = "GlobalDocumentDB"
	st, err := parseSettings(c.Body.Object("properties"), c.New.Location)
	if err != nil {
		return err
	}
	var was *settings
	if c.Old != nil {
		if was, err = decodeSettings(c.Old.Properties); err != nil {
			return fmt.Errorf("account %s: %w", c.Old.ID, err)
		}
		if was.serverless() != st.serverless() {
			return bad("The capability EnableServerless cannot be added or removed after an account's creation.")
		}
	}
	if err := s.settleNetworkRules(ctx, c, st, was); err != nil {
		return err
	}
	if c.New.Properties, err = json.Marshal(st); err != nil {
		return err
	}
	if c.Old != nil {
		return nil
	}
	row, err := s.sealKeys(subscriptionShard(strings.ToLower(c.ID.Subscription)), c.New.GUID, newKeys(c.Time), nil)
	if err != nil {
		return err
	}
	c.Prepared = row
	return nil
}

func (s *Service) commitAccount(tx store.Tx, c *arm.Call) error {
	if row, ok := c.Prepared.(*sealedKeys); ok {
		return row.put(tx)
	}
	return nil
}

func (s *Service) commitDelete(tx store.Tx, c *arm.Call) error {
	for _, prefix := range [][]byte{rolesPrefix(c.Old.GUID), grantsPrefix(c.Old.GUID)} {
		r := store.Prefix(prefix)
		if err := tx.DeleteRange(r.Start, r.End); err != nil {
			return err
		}
	}
	return tx.Delete(keysKey(c.Old.GUID))
}

// applied makes or drops what the account has outside of its subscription.
func (s *Service) applied(ctx context.Context, c *arm.Call) error {
	if c.New == nil {
		return s.catalog.Drop(ctx, c.Old.GUID)
	}
	return s.catalog.Init(ctx, c.New.GUID)
}

// accountProperties is what a read of the account shows.
type accountProperties struct {
	ProvisioningState string `json:"provisioningState"`
	DocumentEndpoint  string `json:"documentEndpoint"`
	SQLEndpoint       string `json:"sqlEndpoint,omitempty"`
	*settings
	IPRules         *[]ipRule       `json:"ipRules,omitempty"`
	IPRangeFilter   *string         `json:"ipRangeFilter,omitempty"`
	VirtualNetworks []networkRule   `json:"virtualNetworkRules"`
	Cors            []corsPolicy    `json:"cors"`
	BypassIDs       []string        `json:"networkAclBypassResourceIds"`
	Write           []shownLocation `json:"writeLocations"`
	Read            []shownLocation `json:"readLocations"`
	Locations       []shownLocation `json:"locations"`
	Failover        []failover      `json:"failoverPolicies"`
	InstanceID      string          `json:"instanceId"`
}

type shownLocation struct {
	ID                string `json:"id"`
	Name              string `json:"locationName"`
	Endpoint          string `json:"documentEndpoint"`
	ProvisioningState string `json:"provisioningState"`
	Priority          int    `json:"failoverPriority"`
	Redundant         bool   `json:"isZoneRedundant"`
}

type failover struct {
	ID       string `json:"id"`
	Name     string `json:"locationName"`
	Priority int    `json:"failoverPriority"`
}

// endpoint is an account's, as whoever calls reaches it. The emulator's account is served at one place only.
func (s *Service) endpoint(c *arm.Call, name string) string {
	name = strings.ToLower(name)
	if name == gateway.EmulatorAccount && s.deps.Emulator != "" {
		return s.deps.Emulator
	}
	return gateway.Endpoint(c.Request, name)
}

func (s *Service) render(_ context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	st, err := decodeSettings(r.Properties)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", r.ID, err)
	}
	endpoint := s.endpoint(c, r.Name)
	out := accountProperties{
		ProvisioningState: "Succeeded", DocumentEndpoint: endpoint, settings: st, VirtualNetworks: st.shownNetworkRules(), Cors: slices.Concat([]corsPolicy{}, st.Cors),
		BypassIDs: []string{}, InstanceID: r.GUID,
	}
	for _, l := range st.Locations {
		id := strings.ToLower(r.Name) + "-" + strings.ToLower(strings.ReplaceAll(l.Name, " ", ""))
		out.Locations = append(out.Locations, shownLocation{id, l.Name, endpoint, "Succeeded", l.Priority, l.Redundant})
		out.Failover = append(out.Failover, failover{id, l.Name, l.Priority})
	}
	out.Write, out.Read = out.Locations, out.Locations
	if c.Version >= ipRulesSince || c.Version == "" {
		out.IPRules = &st.IPRules
		out.SQLEndpoint = endpoint
	} else {
		list := make([]string, len(st.IPRules))
		for i, rule := range st.IPRules {
			list[i] = rule.Address
		}
		text := strings.Join(list, ",")
		out.IPRangeFilter = &text
	}
	return json.Marshal(out)
}

// keysOf loads the keys of the account a call is about.
func (s *Service) keysOf(ctx context.Context, c *arm.Call) (*accountKeys, []byte, error) {
	return s.loadKeys(ctx, subscriptionShard(strings.ToLower(c.ID.Subscription)), c.Old.GUID)
}

type allKeys struct {
	Primary   string `json:"primaryMasterKey"`
	Secondary string `json:"secondaryMasterKey"`
	readKeys
}

type readKeys struct {
	Primary   string `json:"primaryReadonlyMasterKey"`
	Secondary string `json:"secondaryReadonlyMasterKey"`
}

func (s *Service) listKeys(ctx context.Context, c *arm.Call) (any, error) {
	k, _, err := s.keysOf(ctx, c)
	if err != nil {
		return nil, err
	}
	return allKeys{k.Keys[gateway.Primary], k.Keys[gateway.Secondary], readKeys{k.Keys[gateway.PrimaryReadOnly], k.Keys[gateway.SecondaryReadOnly]}}, nil
}

func (s *Service) readOnlyKeys(ctx context.Context, c *arm.Call) (any, error) {
	k, _, err := s.keysOf(ctx, c)
	if err != nil {
		return nil, err
	}
	return readKeys{k.Keys[gateway.PrimaryReadOnly], k.Keys[gateway.SecondaryReadOnly]}, nil
}

// kinds are the keys' names in requests, by place.
var kinds = [gateway.KeyCount]struct{ kind, shown, title string }{
	{"primary", "Primary", "Primary SQL Connection String"},
	{"secondary", "Secondary", "Secondary SQL Connection String"},
	{"primaryReadonly", "PrimaryReadonly", "Primary Read-Only SQL Connection String"},
	{"secondaryReadonly", "SecondaryReadonly", "Secondary Read-Only SQL Connection String"},
}

type connectionString struct {
	Value       string `json:"connectionString"`
	Description string `json:"description"`
	KeyKind     string `json:"keyKind"`
	Type        string `json:"type"`
}

func (s *Service) connectionStrings(ctx context.Context, c *arm.Call) (any, error) {
	k, _, err := s.keysOf(ctx, c)
	if err != nil {
		return nil, err
	}
	endpoint := s.endpoint(c, c.Old.Name)
	var out struct {
		List []connectionString `json:"connectionStrings"`
	}
	for i, kind := range kinds {
		out.List = append(out.List, connectionString{"AccountEndpoint=" + endpoint + ";AccountKey=" + k.Keys[i] + ";", kind.title, kind.shown, "Sql"})
	}
	return out, nil
}

// regenerateKey replaces one key; the old one is refused from the moment this returns.
func (s *Service) regenerateKey(ctx context.Context, c *arm.Call) (any, error) {
	which := -1
	for i, kind := range kinds {
		if strings.EqualFold(kind.kind, c.Body.String("keyKind")) {
			which = i
		}
	}
	if which < 0 {
		return nil, bad("The keyKind '%s' is invalid; it is primary, secondary, primaryReadonly or secondaryReadonly.", c.Body.String("keyKind"))
	}
	shard := subscriptionShard(strings.ToLower(c.ID.Subscription))
	err := s.replaceKey(ctx, shard, c.Old.GUID, gateway.KeyName(which), masterkey.Generate(), c.Time, func(fn func(store.Tx) error) error { return c.Commit(ctx, fn) })
	if err != nil {
		return nil, err
	}
	return &wire.Reply{Status: http.StatusOK}, nil
}

// replaceKey puts the key fresh in the place of one, unless it is there already, by way of commit.
func (s *Service) replaceKey(ctx context.Context, shard, guid string, which gateway.KeyName, fresh string, now time.Time, commit func(func(store.Tx) error) error) error {
	for range 5 {
		k, raw, err := s.loadKeys(ctx, shard, guid)
		if err != nil || k.Keys[which] == fresh {
			return err
		}
		k.Keys[which], k.Generated[which] = fresh, now
		row, err := s.sealKeys(shard, guid, k, raw)
		if err != nil {
			return err
		}
		if err = commit(row.put); !errors.Is(err, errKeysChanged) {
			return err
		}
	}
	return fault.New(fault.Conflict, "Conflict", "The keys of the account are being regenerated by others. Try again.").WithCause(errKeysChanged)
}
