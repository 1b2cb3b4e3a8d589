package netrule

import (
	"context"
	"net/netip"
	"slices"
	"strings"
)

// Subnet is a subnet as services that decide by it need it. Shared: read only.
type Subnet struct {
	ID       string
	GUID     string   // immutable; another subnet of the same name has another
	Prefixes Prefixes // its addresses
	Network  Prefixes // those of its virtual network
	Services []string // whose service endpoints it has, in lower case: "microsoft.keyvault"
	Group    *Group   // nil: it has no security group
}

// Reaches tells whether the subnet has the service endpoint ("Microsoft.KeyVault", in any case).
func (s *Subnet) Reaches(service string) bool {
	return slices.Contains(s.Services, strings.ToLower(service))
}

// Lookup gives the present state of a subnet; nil if there is none.
type Lookup func(ctx context.Context, id string) (*Subnet, error)

// SubnetRule lets a subnet's clients in.
type SubnetRule struct {
	ID   string
	GUID string // of the subnet the rule was made for: another one that takes its name later is not meant
	// IgnoreMissing lets the rule be made before the subnet has the service's endpoint. Its clients are admitted once it has.
	IgnoreMissing bool
}

// Firewall is the network rules of one resource.
type Firewall struct {
	Service   string   // whose endpoint a subnet needs: "Microsoft.KeyVault"
	Tags      []string // of the resource's address, see ServiceTags
	Addresses Prefixes
	Subnets   []SubnetRule
}

// servicePort is where clients reach services by their own names.
const servicePort = 443

// Verdict is what a Firewall decides, and what it found out on the way.
type Verdict struct {
	Allowed bool
	Subnet  *Subnet // the client's, of those the rules name; nil: it is in none of them
	By      *Rule   // of the subnet's security group, which stopped the client; nil: the group did not, or it has no rules
	Blocked bool    // by the subnet's security group
}

// Admit decides about a client by the subnet rules, then by the list of addresses.
func (f *Firewall) Admit(ctx context.Context, client netip.Addr, subnet Lookup) (Verdict, error) {
	client = client.Unmap()
	var out Verdict
	for _, rule := range f.Subnets {
		s, err := subnet(ctx, rule.ID)
		if err != nil {
			return Verdict{}, err
		}
		if s == nil || s.GUID != rule.GUID || !s.Prefixes.Contains(client) {
			continue
		}
		allow, by := s.Group.Decide(Flow{
			Direction: Outbound, Protocol: "tcp", Source: Peer{Addr: client}, Destination: Peer{Port: servicePort, Tags: f.Tags}, LocalNetwork: s.Network,
		})
		switch {
		case !allow:
			out = Verdict{Subnet: s, By: by, Blocked: true}
		case s.Reaches(f.Service):
			return Verdict{Allowed: true, Subnet: s}, nil
		case out.Subnet == nil:
			out.Subnet = s
		}
	}
	if !out.Blocked && f.Addresses.Contains(client) {
		out.Allowed = true
	}
	return out, nil
}

// ByText names the rule that stopped the client, for a message: " (rule securityRules/x)".
func (v *Verdict) ByText() string {
	if v.By == nil {
		return ""
	}
	return " (rule " + v.By.String() + ")"
}
