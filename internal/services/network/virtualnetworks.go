package network

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"reflect"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

const networkTypeName = "Microsoft.Network/virtualNetworks"

func (s *Service) networkType() arm.Type {
	return arm.Type{
		Name: networkTypeName, Versions: versions(), Rank: 1, Put: s.putNetwork, Commit: commit, Render: s.renderNetwork, Move: s.moveNetwork,
		Delete: func(_ context.Context, c *arm.Call) error {
			n, err := decode[network](c.Old)
			if err != nil {
				return err
			}
			w, err := changeOf(c.Old.ID, n, nil)
			if err != nil {
				return err
			}
			w.vanished = nil // goes with the network
			w.drop = append(w.drop, listedKey(c.Old.GUID))
			c.Prepared = w
			return nil
		},
		CommitDelete: commit,
		Actions: []arm.Action{
			{Verb: "CheckIPAddressAvailability", Method: http.MethodGet, Operation: networkTypeName + "/checkIpAddressAvailability/read", Handler: s.checkAddress},
			{
				Verb: "locations/{location}/virtualNetworkAvailableEndpointServices", Method: http.MethodGet, Collection: true,
				Operation: "Microsoft.Network/locations/virtualNetworkAvailableEndpointServices/read", Handler: listEndpointServices,
			},
		},
	}
}

func bad(code, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, code, format, args...)
}

func notImplemented(what string) error {
	return fault.New(fault.NotImplemented, "NotImplemented", "%s are not implemented by this platform. Nothing was changed.", what)
}

// refuse names what a network or a subnet can't have here.
func refuse(o arm.Object, what map[string]string) error {
	for name, words := range what {
		switch v := strings.TrimSpace(string(o.Get(name))); v {
		case "", "null", "[]", "{}", "false":
		default:
			return notImplemented(words)
		}
	}
	return nil
}

func (s *Service) putNetwork(ctx context.Context, c *arm.Call) error {
	if err := checkName(c.New.Name); err != nil {
		return err
	}
	err := refuse(c.Body.Object("properties"), map[string]string{
		"virtualNetworkPeerings": "Peerings of virtual networks", "enableDdosProtection": "Protection plans of virtual networks", "ddosProtectionPlan": "Protection plans of virtual networks",
		"ipAllocations": "IP allocations of virtual networks", "encryption": "Encrypted virtual networks", "bgpCommunities": "BGP communities",
	})
	if err != nil {
		return err
	}
	var n network
	if err := c.Body.Decode("properties", &n); err != nil {
		return err
	}
	old, err := decode[network](c.Old)
	if err != nil {
		return err
	}
	if n.Subnets == nil {
		n.Subnets = []subnet{}
		if old != nil { // as of the newer api-versions: to remove them, send an empty list
			n.Subnets = old.Subnets
		}
	}
	for i := range n.Subnets {
		if err := s.adopt(ctx, c, c.New.Location, &n.Subnets[i], old); err != nil {
			return err
		}
	}
	var sent struct {
		Subnets []struct {
			Properties arm.Object `json:"properties"`
		} `json:"subnets"`
	}
	if err := c.Body.Decode("properties", &sent); err != nil {
		return err
	}
	for _, sub := range sent.Subnets {
		if err := refuse(sub.Properties, subnetLacks()); err != nil {
			return err
		}
	}
	if err := n.check(c.New.Name, c.New.ID); err != nil {
		return err
	}
	if err := unlocked(c, old, &n); err != nil {
		return err
	}
	w, err := changeOf(c.New.ID, old, &n)
	if err != nil {
		return err
	}
	w.put = append(w.put, putRow{listedKey(c.New.GUID), []byte(networkMark + c.New.ID)})
	c.Prepared = w
	c.New.Properties, err = json.Marshal(n)
	return err
}

// unlocked makes sure that a PUT of the network does nothing to a subnet that a lock at the subnet forbids.
func unlocked(c *arm.Call, old, fresh *network) error {
	if old == nil {
		return nil
	}
	for i := range old.Subnets {
		was := &old.Subnets[i]
		is := fresh.find(was.Name)
		if is != nil && reflect.DeepEqual(is.Properties, was.Properties) {
			continue
		}
		if err := c.PartUnlocked(subnetID(c.New.ID, was.Name), is == nil); err != nil {
			return err
		}
	}
	return nil
}

// adopt takes over what a subnet of the same name had and settles the rest; old may be nil, location is the network's.
func (s *Service) adopt(ctx context.Context, c *arm.Call, location string, sub *subnet, old *network) error {
	var was *subnet
	if old != nil {
		was = old.find(sub.Name)
	}
	sub.GUID = ids.New()
	if was != nil {
		sub.GUID, sub.Name = was.GUID, was.Name
	}
	if err := checkName(sub.Name); err != nil {
		return err
	}
	if err := sub.Properties.settle(sub.Name, location); err != nil {
		return err
	}
	var had *reference
	if was != nil {
		had = was.Properties.Group
	}
	var err error
	sub.Properties.Group, err = s.settleReference(ctx, c, sub.Properties.Group, had, groupTypeName, "join/action", location)
	return err
}

// settleReference makes sure that what is newly referred to is there, in the same subscription and region, and that the caller may join it.
func (s *Service) settleReference(ctx context.Context, c *arm.Call, r, had *reference, typeName, join, location string) (*reference, error) {
	if r == nil || r.ID == "" {
		return nil, nil
	}
	if had != nil && strings.EqualFold(had.ID, r.ID) {
		return had, nil
	}
	id, err := arm.ParseID(r.ID)
	if err != nil {
		return nil, err
	}
	if id.Collection() || !strings.EqualFold(id.Type(), typeName) || id.Subscription != strings.ToLower(c.ID.Subscription) {
		return nil, bad("InvalidResourceReference", "Resource %.200q referenced by resource %s is not of the type %s in the same subscription.", r.ID, c.ID, typeName)
	}
	if err := arm.Linked(ctx, s.deps.Access, c, typeName+"/"+join, id.String()); err != nil {
		return nil, err
	}
	res, _, err := s.deps.Resources.Resource(ctx, id.String())
	if err != nil {
		return nil, err
	}
	if res == nil || res.Location != location {
		return nil, bad("InvalidResourceReference",
			"Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", id, c.ID)
	}
	return &reference{ID: res.ID, GUID: res.GUID}, nil
}

// checkName holds names to what Microsoft.Network allows.
func checkName(name string) error {
	word := func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
	ok := name != "" && len(name) <= 80 && word(name[0]) && word(name[len(name)-1])
	for i := 0; ok && i < len(name); i++ {
		ok = word(name[i]) || name[i] == '.' || name[i] == '-'
	}
	if !ok {
		return bad("InvalidResourceName", "Resource name %.100s is invalid. The name can be up to 80 characters long. It must begin with a word character, and it must end with a word "+
			"character or with '_'. The name may contain word characters or '.', '-', '_'.", name)
	}
	return nil
}

// Bounds of one network.
const (
	maxPrefixes = 1000
	maxSubnets  = 3000 // and as many ranges of subnets
)

// check holds the network together: its ranges, those of its subnets within them, and none over another.
func (n *network) check(name, id string) error {
	if len(n.AddressSpace.Prefixes) == 0 || len(n.AddressSpace.Prefixes) > maxPrefixes || len(n.Subnets) > maxSubnets {
		return bad("InvalidRequestFormat", "The virtual network %s needs an addressSpace with 1 to %d addressPrefixes, and has at most %d subnets.", name, maxPrefixes, maxSubnets)
	}
	if n.FlowTimeout != nil && (*n.FlowTimeout < 4 || *n.FlowTimeout > 30) {
		return bad("InvalidFlowTimeout", "The flowTimeoutInMinutes of %s is %d; it is from 4 to 30.", name, *n.FlowTimeout)
	}
	if n.DHCP != nil {
		for _, a := range n.DHCP.DNSServers {
			if _, err := netip.ParseAddr(a); err != nil {
				return bad("InvalidIPAddress", "The DNS server %.64q of %s is no IP address.", a, name)
			}
		}
	}
	var space netrule.Prefixes
	for _, text := range n.AddressSpace.Prefixes {
		p, err := cidr(text, id)
		if err != nil {
			return err
		}
		if reserved().Overlaps(p) {
			return bad("AddressPrefixNotAllowed", "The address prefix %s of virtual network %s has addresses of one of %s, which no virtual network can have.", p, name, joinPrefixes(reserved()))
		}
		if space.Overlaps(p) {
			return bad("AddressPrefixesOverlap", "The address prefix %s of virtual network %s overlaps with another of its prefixes.", p, name)
		}
		space = append(space, p)
	}
	var used netrule.Prefixes
	seen := map[string]bool{}
	for i := range n.Subnets {
		sub := &n.Subnets[i]
		if folded := strings.ToLower(sub.Name); seen[folded] {
			return bad("DuplicateResourceName", "Resource %s has two child resources with the same name (%s).", id, sub.Name)
		} else {
			seen[folded] = true
		}
		own, err := sub.ranges(name, id, space, used)
		if err != nil {
			return err
		}
		used = append(used, own...)
	}
	return nil
}

// reserved are ranges that no network can have, as on Azure: multicast, broadcast, loopback, link-local, and the host. Callers on this machine come from loopback, so
// nobody can take them into a subnet of theirs.
func reserved() netrule.Prefixes {
	var out netrule.Prefixes
	for _, text := range []string{"224.0.0.0/4", "255.255.255.255/32", "127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "::1/128", "fe80::/10", "ff00::/8"} {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// ranges reads the subnet's prefixes: in the network's space, and over no other subnet's.
func (s *subnet) ranges(network, id string, space, used netrule.Prefixes) (netrule.Prefixes, error) {
	texts := s.Properties.prefixes()
	if len(texts) == 0 || len(texts)+len(used) > maxSubnets {
		return nil, bad("InvalidRequestFormat", "The subnet %s has no addressPrefix, or the virtual network %s more than %d of them.", s.Name, network, maxSubnets)
	}
	var own netrule.Prefixes
	for _, text := range texts {
		p, err := cidr(text, subnetID(id, s.Name))
		if err != nil {
			return nil, err
		}
		switch {
		case p.Addr().Is4() && p.Bits() > 29 || p.Addr().Is6() && p.Bits() != 64:
			return nil, bad("NetcfgInvalidSubnet", "Subnet '%s' is not valid in virtual network '%s': an IPv4 range is /29 or larger, an IPv6 range /64.", s.Name, network)
		case !space.Covers(p):
			return nil, bad("NetcfgSubnetRangeOutsideVnet", "Subnet '%s' is not valid because its IP address range is outside the IP address range of virtual network '%s'.", s.Name, network)
		case used.Overlaps(p) || own.Overlaps(p):
			return nil, bad("NetcfgSubnetRangesOverlap", "Subnet '%s' is not valid because its IP address range overlaps with that of an existing subnet in virtual network '%s'.", s.Name, network)
		}
		own = append(own, p)
	}
	return own, nil
}

// cidr reads a range that must be written with its lowest address.
func cidr(text, id string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return p, bad("InvalidAddressPrefixFormat", "Address prefix %.64s of resource %s is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24.", text, id)
	}
	if m := p.Masked(); m != p {
		return p, bad("InvalidCIDRNotation", "The address prefix %s in resource %s has an invalid CIDR notation. For the given prefix length, the address prefix should be %s.", p, id, m)
	}
	return p, nil
}

// shownNetwork is a network on the wire.
type shownNetwork struct {
	State        string            `json:"provisioningState"`
	GUID         string            `json:"resourceGuid"`
	AddressSpace addressSpace      `json:"addressSpace"`
	DHCP         *dhcpOptions      `json:"dhcpOptions,omitempty"`
	FlowTimeout  *int              `json:"flowTimeoutInMinutes,omitempty"`
	Subnets      []shownPart       `json:"subnets"`
	Peerings     []json.RawMessage `json:"virtualNetworkPeerings"`
	DDoS         bool              `json:"enableDdosProtection"`
}

// shownPart is a subnet or a rule inside of its whole.
type shownPart struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	ETag       string          `json:"etag"`
	Type       string          `json:"type"`
	Properties json.RawMessage `json:"properties"`
}

func (s *Service) renderNetwork(ctx context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	n, err := decode[network](r)
	if err != nil {
		return nil, err
	}
	guids := make([]string, len(n.Subnets))
	for i := range n.Subnets {
		guids[i] = n.Subnets[i].GUID
	}
	users, err := s.usersOf(ctx, c.ID.Subscription, guids...)
	if err != nil {
		return nil, err
	}
	out := shownNetwork{
		State: "Succeeded", GUID: r.GUID, AddressSpace: n.AddressSpace, DHCP: n.DHCP, FlowTimeout: n.FlowTimeout, Subnets: []shownPart{}, Peerings: []json.RawMessage{},
	}
	for i := range n.Subnets {
		sub := &n.Subnets[i]
		props, err := sub.shown(subnetID(r.ID, sub.Name), users[sub.GUID])
		if err != nil {
			return nil, err
		}
		out.Subnets = append(out.Subnets, shownPart{subnetID(r.ID, sub.Name), sub.Name, r.ETag, subnetTypeName, props})
	}
	return json.Marshal(out)
}
