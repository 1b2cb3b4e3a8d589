package network

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// network is a virtual network's properties as stored. A PATCH is merged into them and read again like a PUT, so they have the wire's names.
type network struct {
	AddressSpace addressSpace `json:"addressSpace"`
	DHCP         *dhcpOptions `json:"dhcpOptions,omitempty"`
	FlowTimeout  *int         `json:"flowTimeoutInMinutes,omitempty"`
	Subnets      []subnet     `json:"subnets"`
}

type addressSpace struct {
	Prefixes []string `json:"addressPrefixes"`
}

type dhcpOptions struct {
	DNSServers []string `json:"dnsServers"`
}

// subnet is one of a network's.
type subnet struct {
	GUID       string           `json:"bulkheadGuid,omitempty"` // immutable; never taken from a client
	Name       string           `json:"name"`
	Properties subnetProperties `json:"properties"`
}

type subnetProperties struct {
	Prefix      string       `json:"addressPrefix,omitempty"`
	Prefixes    []string     `json:"addressPrefixes,omitempty"`
	Endpoints   []endpoint   `json:"serviceEndpoints,omitempty"`
	Group       *reference   `json:"networkSecurityGroup,omitempty"`
	Delegations []delegation `json:"delegations,omitempty"`
	Private     string       `json:"privateEndpointNetworkPolicies,omitempty"`
	PrivateLink string       `json:"privateLinkServiceNetworkPolicies,omitempty"`
	Outbound    *bool        `json:"defaultOutboundAccess,omitempty"`
}

// reference names another resource of the same subscription.
type reference struct {
	ID   string `json:"id"`
	GUID string `json:"bulkheadGuid,omitempty"` // never taken from a client
}

type endpoint struct {
	Service   string   `json:"service"`
	Locations []string `json:"locations,omitempty"`
}

type delegation struct {
	Name       string `json:"name"`
	Properties struct {
		Service string `json:"serviceName"`
	} `json:"properties"`
}

// prefixes are the subnet's ranges, by whichever name they were sent.
func (p *subnetProperties) prefixes() []string {
	if len(p.Prefixes) > 0 {
		return p.Prefixes
	}
	if p.Prefix == "" {
		return nil
	}
	return []string{p.Prefix}
}

func (p *subnetProperties) group() string {
	if p.Group == nil {
		return ""
	}
	return p.Group.ID
}

// find gives the subnet of a name, in any case; nil if there is none.
func (n *network) find(name string) *subnet {
	for i := range n.Subnets {
		if strings.EqualFold(n.Subnets[i].Name, name) {
			return &n.Subnets[i]
		}
	}
	return nil
}

// decode reads the stored properties of a resource; nil of none.
func decode[T any](r *arm.Resource) (*T, error) {
	if r == nil {
		return nil, nil
	}
	v := new(T)
	if err := json.Unmarshal(r.Properties, v); err != nil {
		return nil, fmt.Errorf("properties of %s: %w", r.ID, err)
	}
	return v, nil
}

// use says that a resource refers to another: a subnet to its security group, an interface to its subnet and group. Its row is in the subscription's shard at
//
//	s|network|use|<GUID of what is used>|<GUID of the user>
//
// Beside it, s|network|subnet|<GUID> has a subnet's ranges, and s|network|address|<GUID of the subnet>|<address> the GUID of the interface that has the address.
type use struct {
	Of string `json:"-"` // GUID
	By string `json:"-"` // GUID
	ID string `json:"id"`
}

var useCodec = store.Codec[use]{Kind: 'u', Version: 1}

const usesPrefix = "s|network|use|"

func usePrefix(of string) []byte { return []byte(usesPrefix + of + "|") }

func (u use) key() []byte { return append(usePrefix(u.Of), u.By...) }

// Kind and version of rows that hold one plain text.
const (
	subnetMark  = "n\x01"
	addressMark = "a\x01"
	networkMark = "v\x01"
)

// listedPrefix is where each network of the subscription has its id, by its GUID.
const listedPrefix = "s|network|vnet|"

func listedKey(guid string) []byte { return []byte(listedPrefix + guid) }

func subnetKey(guid string) []byte { return []byte("s|network|subnet|" + guid) }

func addressKey(subnet, address string) []byte {
	return []byte("s|network|address|" + subnet + "|" + address)
}

func shardOf(subscription string) string { return "sub/" + strings.ToLower(subscription) }

// usersOf gives the ids of what uses each of the GUIDs.
func (s *Service) usersOf(ctx context.Context, subscription string, guids ...string) (map[string][]string, error) {
	rows := map[string][][]byte{}
	err := s.deps.Store.View(ctx, shardOf(subscription), func(sn store.Snapshot) error {
		clear(rows)
		for _, g := range guids {
			err := sn.Scan(store.Prefix(usePrefix(g)), func(_, v []byte) bool {
				rows[g] = append(rows[g], bytes.Clone(v))
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for g, list := range rows {
		for _, row := range list {
			u, err := useCodec.Decode(row)
			if err != nil {
				return nil, fmt.Errorf("use of %s: %w", g, err)
			}
			out[g] = append(out[g], u.ID)
		}
	}
	return out, nil
}
