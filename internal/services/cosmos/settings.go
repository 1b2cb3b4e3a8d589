package cosmos

import (
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
)

// settings are an account's properties as stored; a PATCH is merged into them and read again like a PUT.
type settings struct {
	OfferType          string            `json:"databaseAccountOfferType"`
	Consistency        consistencyPolicy `json:"consistencyPolicy"`
	Locations          []location        `json:"locations"`
	IPRules            []ipRule          `json:"ipRules"`
	IPRangeFilter      *string           `json:"ipRangeFilter,omitempty"` // of old api-versions; becomes IPRules
	FilterEnabled      bool              `json:"isVirtualNetworkFilterEnabled"`
	PublicAccess       string            `json:"publicNetworkAccess"`
	LocalAuthDisabled  bool              `json:"disableLocalAuth"`
	KeyMetadataDenied  bool              `json:"disableKeyBasedMetadataWriteAccess"`
	AutomaticFailover  bool              `json:"enableAutomaticFailover"`
	FreeTier           bool              `json:"enableFreeTier"`
	MinimalTLS         string            `json:"minimalTlsVersion"`
	NetworkBypass      string            `json:"networkAclBypass"`
	Capabilities       []capability      `json:"capabilities"`
	DefaultIdentity    string            `json:"defaultIdentity"`
	BackupPolicy       json.RawMessage   `json:"backupPolicy,omitempty"`
	MultipleWrite      bool              `json:"enableMultipleWriteLocations"`
	AnalyticalStorage  bool              `json:"enableAnalyticalStorage,omitempty"`
	VirtualNetworks    []networkRule     `json:"virtualNetworkRules,omitempty"`
	Cors               []corsPolicy      `json:"cors,omitempty"`
	NetworkBypassIDs   []string          `json:"networkAclBypassResourceIds,omitempty"`
	KeyVaultKey        string            `json:"keyVaultKeyUri,omitempty"`
	CreateMode         string            `json:"createMode,omitempty"`
	CassandraConnector bool              `json:"enableCassandraConnector,omitempty"`
	Capacity           *capacity         `json:"capacity,omitempty"`
	PartitionMerge     bool              `json:"enablePartitionMerge"`
}

type consistencyPolicy struct {
	Level       string `json:"defaultConsistencyLevel"`
	MaxInterval int    `json:"maxIntervalInSeconds"`
	MaxPrefix   int    `json:"maxStalenessPrefix"`
}

type location struct {
	Name      string `json:"locationName"`
	Priority  int    `json:"failoverPriority"`
	Redundant bool   `json:"isZoneRedundant"`
}

type ipRule struct {
	Address string `json:"ipAddressOrRange"`
}

type capability struct {
	Name string `json:"name"`
}

type capacity struct {
	Limit int `json:"totalThroughputLimit"`
}

func bad(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "BadRequest", format, args...)
}

// decodeSettings reads stored settings.
func decodeSettings(raw json.RawMessage) (*settings, error) {
	var s settings
	return &s, json.Unmarshal(raw, &s)
}

// parseSettings reads and checks a request's properties, and fills defaults in.
func parseSettings(properties arm.Object, region string) (*settings, error) {
	s := &settings{}
	if properties != nil {
		holder := arm.Object{}
		raw, err := json.Marshal(map[string]json.RawMessage(properties))
		if err != nil {
			return nil, err
		}
		holder["properties"] = raw
		if err := holder.Decode("properties", s); err != nil {
			return nil, err
		}
	}
	if err := s.refuse(); err != nil {
		return nil, err
	}
	if s.OfferType == "" {
		s.OfferType = "Standard"
	}
	if !strings.EqualFold(s.OfferType, "Standard") {
		return nil, bad("The databaseAccountOfferType '%s' is invalid; it is Standard.", s.OfferType)
	}
	if len(s.Locations) == 0 {
		s.Locations = []location{{Name: region}}
	}
	if s.Locations[0].Name == "" || s.Locations[0].Priority != 0 {
		return nil, bad("The locations of the account need a locationName and, for a single region, failoverPriority 0.")
	}
	for _, check := range []func() error{s.checkCORS, s.checkConsistency, s.checkIPRules, s.checkChoices} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// refuse names what an account can't have here, rather than store what would not be kept.
func (s *settings) refuse() error {
	unsupported := func(what string) error {
		return bad("%s: not supported by this platform yet. Nothing was changed.", what)
	}
	switch {
	case len(s.Locations) > 1 || s.MultipleWrite:
		return unsupported("More than one region (locations, enableMultipleWriteLocations)")
	case len(s.NetworkBypassIDs) > 0:
		return unsupported("Firewall bypass by resource (networkAclBypassResourceIds)")
	case s.KeyVaultKey != "":
		return unsupported("Customer-managed keys (keyVaultKeyUri)")
	case s.AnalyticalStorage:
		return unsupported("The analytical store (enableAnalyticalStorage)")
	case s.CassandraConnector:
		return unsupported("The Cassandra connector (enableCassandraConnector)")
	case s.CreateMode != "" && !strings.EqualFold(s.CreateMode, "Default"):
		return unsupported("The create mode " + s.CreateMode)
	case s.Capacity != nil && s.Capacity.Limit >= 0:
		return unsupported("A limit of the account's throughput (capacity.totalThroughputLimit)")
	}
	for _, c := range s.Capabilities {
		if !strings.EqualFold(c.Name, "EnableServerless") {
			return unsupported("The capability " + c.Name)
		}
	}
	return nil
}

func (s *settings) checkConsistency() error {
	p := &s.Consistency
	if p.Level == "" {
		p.Level = "Session"
	}
	found := false
	for _, l := range []string{"Eventual", "ConsistentPrefix", "Session", "BoundedStaleness", "Strong"} {
		if strings.EqualFold(l, p.Level) {
			p.Level, found = l, true
		}
	}
	if !found {
		return bad("The defaultConsistencyLevel '%s' is invalid; it is Eventual, ConsistentPrefix, Session, BoundedStaleness or Strong.", p.Level)
	}
	if p.MaxInterval == 0 {
		p.MaxInterval = 5
	}
	if p.MaxPrefix == 0 {
		p.MaxPrefix = 100
	}
	if p.MaxInterval < 5 || p.MaxInterval > 86400 || p.MaxPrefix < 10 {
		return bad("The consistencyPolicy is invalid: maxIntervalInSeconds is from 5 to 86400, maxStalenessPrefix 10 or more.")
	}
	return nil
}

func (s *settings) checkIPRules() error {
	if s.IPRangeFilter != nil {
		s.IPRules = []ipRule{}
		for part := range strings.SplitSeq(*s.IPRangeFilter, ",") {
			if part = strings.TrimSpace(part); part != "" {
				s.IPRules = append(s.IPRules, ipRule{part})
			}
		}
		s.IPRangeFilter = nil
	}
	if s.IPRules == nil {
		s.IPRules = []ipRule{}
	}
	for _, r := range s.IPRules {
		if _, err := netrule.ParsePrefix(r.Address); err != nil {
			return bad("The IP rule '%s' is invalid: an IP address or a range in CIDR form is expected.", r.Address)
		}
	}
	return nil
}

func (s *settings) checkChoices() error {
	for _, c := range []struct {
		value *string
		name  string
		from  []string
	}{
		{&s.PublicAccess, "publicNetworkAccess", []string{"Enabled", "Disabled"}},
		{&s.MinimalTLS, "minimalTlsVersion", []string{"Tls12", "Tls11", "Tls"}},
		{&s.NetworkBypass, "networkAclBypass", []string{"None", "AzureServices"}},
	} {
		if *c.value == "" {
			*c.value = c.from[0]
			continue
		}
		ok := false
		for _, v := range c.from {
			if strings.EqualFold(v, *c.value) {
				*c.value, ok = v, true
			}
		}
		if !ok {
			return bad("The %s '%s' is invalid or not supported; it is one of %s.", c.name, *c.value, strings.Join(c.from, ", "))
		}
	}
	if s.DefaultIdentity == "" {
		s.DefaultIdentity = "FirstPartyIdentity"
	}
	if s.Capabilities == nil {
		s.Capabilities = []capability{}
	}
	return nil
}

func (s *settings) serverless() bool { return len(s.Capabilities) > 0 }

// account is what the gateway needs of the settings.
func (s *settings) account(r *arm.Resource) (*gateway.Account, error) {
	a := &gateway.Account{
		ID: r.ID, Name: strings.ToLower(r.Name), GUID: r.GUID, Filtered: len(s.IPRules) > 0 || s.FilterEnabled, Public: s.PublicAccess != "Disabled",
		LocalAuthDisabled: s.LocalAuthDisabled, KeyMetadataDenied: s.KeyMetadataDenied, Serverless: s.serverless(), Consistency: s.Consistency.Level,
		Location: s.Locations[0].Name, CORS: s.cors(),
	}
	a.Throttling, _ = gateway.ParseThrottling(tag(r.Tags, gateway.ThrottlingTag)) // a value that is none leaves the default
	for _, rule := range s.IPRules {
		p, err := netrule.ParsePrefix(rule.Address)
		if err != nil {
			return nil, err
		}
		// 0.0.0.0 stands for callers from within Azure, which here are the platform's own.
		if p.Addr().IsUnspecified() && p.IsSingleIP() {
			a.AllowPlatform = true
			continue
		}
		a.Firewall.Addresses = append(a.Firewall.Addresses, p)
	}
	a.Firewall.Service, a.Firewall.Tags = endpointName, netrule.ServiceTags("AzureCosmosDB", r.Location)
	if s.FilterEnabled {
		a.Firewall.Subnets = s.subnetRules()
	}
	return a, nil
}

// tag finds a tag; case does not count in names of tags.
func tag(tags map[string]string, name string) string {
	for k, v := range tags {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}
