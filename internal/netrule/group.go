package netrule

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Direction is which way traffic goes, as seen from the subnet or machine a group protects.
type Direction uint8

// The directions.
const (
	Inbound Direction = iota
	Outbound
)

// String is Azure's word.
func (d Direction) String() string {
	if d == Outbound {
		return "Outbound"
	}
	return "Inbound"
}

// Peer is one end of a flow.
type Peer struct {
	Addr netip.Addr // the zero address is in no range
	Port uint16
	Tags []string // of a service, in lower case; nil: no service of the platform
}

// Flow is what a group decides about.
type Flow struct {
	Direction    Direction
	Protocol     string // "tcp", "udp", "icmp", in lower case
	Source       Peer
	Destination  Peer
	LocalNetwork Prefixes // address space of the virtual network the group is in
}

// Ports is a range of ports, both ends included.
type Ports struct{ From, To uint16 }

// ParsePorts reads "*", "80" or "8000-8080".
func ParsePorts(text string) (Ports, error) {
	if text == "*" {
		return Ports{0, 65535}, nil
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	a, err := parsePort(from)
	if err != nil {
		return Ports{}, err
	}
	b, err := parsePort(to)
	if err == nil && b < a {
		err = fmt.Errorf("the port range %q ends before it begins", clip(text))
	}
	return Ports{a, b}, err
}

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || strings.HasPrefix(text, "+") {
		return 0, fmt.Errorf("%q is no port from 0 to 65535", clip(text))
	}
	return uint16(n), nil
}

// Match is one source or destination of a rule: anything, a range, or a service tag.
type Match struct {
	Any    bool
	Prefix netip.Prefix
	Tag    string // in lower case
}

// ParseMatch reads "*", an address, a range or a service tag.
func ParseMatch(text string) (Match, error) {
	if text == "*" || strings.EqualFold(text, "Any") {
		return Match{Any: true}, nil
	}
	if p, err := ParsePrefix(text); err == nil {
		return Match{Prefix: p}, nil
	}
	tag := strings.ToLower(text)
	name, region, hasRegion := strings.Cut(tag, ".")
	if !slices.Contains(knownTags(), name) || hasRegion && (region == "" || placeTag(name)) {
		return Match{}, fmt.Errorf("%q is no address, no range and no known service tag", clip(text))
	}
	return Match{Tag: tag}, nil
}

// The tags that say where an address is.
const (
	tagNetwork  = "virtualnetwork"
	tagBalancer = "azureloadbalancer"
	tagInternet = "internet"
	tagCloud    = "azurecloud"
)

func placeTag(name string) bool {
	return name == tagNetwork || name == tagBalancer || name == tagInternet
}

// knownTags are the service tags rules may name, in lower case and without a region.
func knownTags() []string {
	return []string{
		tagNetwork, tagBalancer, tagInternet, tagCloud, "azurecosmosdb", "azurekeyvault", "azureactivedirectory", "azureresourcemanager", "appservice",
		"appservicemanagement", "azuremonitor", "storage", "sql", "eventhub", "servicebus", "azurecontainerregistry", "cognitiveservicesmanagement",
		"cognitiveservicesfrontend", "azurefrontdoor", "azuretrafficmanager", "apimanagement", "azurebackup", "azurecontainerappsservice", "azuredatabricks",
		"azureadvancedthreatprotection", "azuredevops", "azureeventgrid", "azuremachinelearning", "azureplatformdns", "azureplatformimds", "azureplatformlkm",
		"azuresignalr", "azuresiterecovery", "batchnodemanagement", "gatewaymanager", "guestandhybridmanagement", "hdinsight", "logicapps", "logicappsmanagement",
		"microsoftcontainerregistry", "powerbi", "sqlmanagement", "windowsvirtualdesktop",
	}
}

// ServiceTags are the tags of a service's address in a location, in lower case: its own and AzureCloud's, each with and without the region.
func ServiceTags(service, location string) []string {
	service, region := strings.ToLower(service), strings.ToLower(strings.ReplaceAll(location, " ", ""))
	return []string{service, service + "." + region, tagCloud, tagCloud + "." + region}
}

// The address of Azure's host, which the load balancer's probes come from.
func isHost(a netip.Addr) bool { return a == netip.AddrFrom4([4]byte{168, 63, 129, 16}) }

func (m Match) holds(p Peer, local Prefixes) bool {
	switch {
	case m.Any:
		return true
	case m.Tag == "":
		return p.Addr.IsValid() && m.Prefix.Contains(p.Addr.Unmap())
	}
	inside := p.Tags == nil && (local.Contains(p.Addr) || isHost(p.Addr.Unmap()))
	switch m.Tag {
	case tagNetwork:
		return inside
	case tagBalancer:
		return p.Tags == nil && isHost(p.Addr.Unmap())
	case tagInternet:
		return !inside && (p.Tags != nil || p.Addr.IsValid())
	}
	return slices.Contains(p.Tags, m.Tag)
}

// Rule is one rule of a group.
type Rule struct {
	Name             string
	Default          bool // one of those every group ends with
	Priority         int  // the lowest is asked first
	Direction        Direction
	Allow            bool
	Protocol         string // "*" or in lower case
	Sources          []Match
	SourcePorts      []Ports
	Destinations     []Match
	DestinationPorts []Ports
}

// String names the rule as Network Watcher does.
func (r *Rule) String() string {
	if r.Default {
		return "defaultSecurityRules/" + r.Name
	}
	return "securityRules/" + r.Name
}

func (r *Rule) matches(f *Flow) bool {
	return r.Direction == f.Direction && (r.Protocol == "*" || r.Protocol == f.Protocol) && portIn(r.SourcePorts, f.Source.Port) &&
		portIn(r.DestinationPorts, f.Destination.Port) && anyHolds(r.Sources, f.Source, f.LocalNetwork) && anyHolds(r.Destinations, f.Destination, f.LocalNetwork)
}

func portIn(list []Ports, port uint16) bool {
	return slices.ContainsFunc(list, func(p Ports) bool { return port >= p.From && port <= p.To })
}

func anyHolds(list []Match, p Peer, local Prefixes) bool {
	return slices.ContainsFunc(list, func(m Match) bool { return m.holds(p, local) })
}

// Group is a network security group. The zero Group denies everything; a nil one, as of a subnet without a group, allows everything.
type Group struct{ rules []Rule }

// NewGroup makes a group of its own rules and the default ones.
func NewGroup(rules []Rule) *Group {
	all := append(slices.Clone(rules), DefaultRules()...)
	slices.SortStableFunc(all, func(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return &Group{all}
}

// DefaultRules are those every group has.
func DefaultRules() []Rule {
	everything := []Ports{{0, 65535}}
	anyone, network := []Match{{Any: true}}, []Match{{Tag: tagNetwork}}
	rule := func(name string, priority int, d Direction, allow bool, from, to []Match) Rule {
		return Rule{
			Name: name, Default: true, Priority: priority, Direction: d, Allow: allow, Protocol: "*",
			Sources: from, SourcePorts: everything, Destinations: to, DestinationPorts: everything,
		}
	}
	return []Rule{
		rule("AllowVnetInBound", 65000, Inbound, true, network, network),
		rule("AllowAzureLoadBalancerInBound", 65001, Inbound, true, []Match{{Tag: tagBalancer}}, anyone),
		rule("DenyAllInBound", 65500, Inbound, false, anyone, anyone),
		rule("AllowVnetOutBound", 65000, Outbound, true, network, network),
		rule("AllowInternetOutBound", 65001, Outbound, true, anyone, []Match{{Tag: tagInternet}}),
		rule("DenyAllOutBound", 65500, Outbound, false, anyone, anyone),
	}
}

// Decide gives what the group does with a flow, and the rule that says so: the first in order of priority that matches. by is nil where there is no rule to name.
func (g *Group) Decide(f Flow) (allow bool, by *Rule) {
	if g == nil {
		return true, nil
	}
	for i := range g.rules {
		if r := &g.rules[i]; r.matches(&f) {
			return r.Allow, r
		}
	}
	return false, nil
}

func clip(text string) string {
	const most = 64
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
