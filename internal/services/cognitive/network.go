package cognitive

import (
	"context"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	// endpointName is the service endpoint a subnet needs.
	endpointName = "Microsoft.CognitiveServices"

	maxRules = 100 // of each kind
)

// networkACLs are an account's network rules, as stored and as sent.
type networkACLs struct {
	DefaultAction string       `json:"defaultAction"`
	IPRules       []ipRule     `json:"ipRules"`
	Subnets       []subnetRule `json:"virtualNetworkRules"`
}

type ipRule struct {
	Value string `json:"value"`
}

type subnetRule struct {
	ID            string `json:"id"`
	IgnoreMissing bool   `json:"ignoreMissingVnetServiceEndpoint,omitempty"`
	GUID          string `json:"bulkheadGuid,omitempty"` // of the subnet; never taken from a client, never shown
}

// shown is what the wire shows of network rules.
func (n *networkACLs) shown() *networkACLs {
	if n == nil {
		return nil
	}
	out := *n
	out.Subnets = make([]subnetRule, len(n.Subnets))
	for i, r := range n.Subnets {
		out.Subnets[i] = subnetRule{ID: r.ID, IgnoreMissing: r.IgnoreMissing}
	}
	return &out
}

func (n *networkACLs) subnetRules() []netrule.SubnetRule {
	if n == nil {
		return nil
	}
	out := make([]netrule.SubnetRule, len(n.Subnets))
	for i, r := range n.Subnets {
		out[i] = netrule.SubnetRule{ID: r.ID, GUID: r.GUID, IgnoreMissing: r.IgnoreMissing}
	}
	return out
}

// settleNetwork checks p's network rules; old is nil for a new account.
func (s *Service) settleNetwork(ctx context.Context, c *arm.Call, p, old *properties) error {
	n := p.NetworkACLs
	if n == nil {
		return nil
	}
	switch {
	case n.DefaultAction == "" || strings.EqualFold(n.DefaultAction, "Allow"):
		n.DefaultAction = "Allow"
	case strings.EqualFold(n.DefaultAction, "Deny"):
		n.DefaultAction = "Deny"
	default:
		return bad("InvalidNetworkAcls", "The property networkAcls.defaultAction is '%s'; it is Allow or Deny.", clip(n.DefaultAction))
	}
	if len(n.IPRules) > maxRules || len(n.Subnets) > maxRules {
		return bad("InvalidNetworkAcls", "networkAcls has %d ipRules and %d virtualNetworkRules; at most %d of each are allowed.", len(n.IPRules), len(n.Subnets), maxRules)
	}
	for _, r := range n.IPRules {
		if _, err := netrule.ParsePrefix4(r.Value); err != nil {
			return bad("InvalidNetworkAcls", "networkAcls.ipRules: %s.", err)
		}
	}
	if n.IPRules == nil {
		n.IPRules = []ipRule{}
	}
	if len(n.Subnets) == 0 {
		n.Subnets = []subnetRule{}
		return nil
	}
	if s.deps.Subnet == nil {
		return bad("InvalidNetworkAcls", "There are no virtual networks here that networkAcls.virtualNetworkRules could name.")
	}
	var had []netrule.SubnetRule
	if old != nil {
		had = old.NetworkACLs.subnetRules()
	}
	rules, err := arm.SubnetRules(ctx, s.deps.Access, c, s.deps.Subnet, endpointName, n.subnetRules(), had)
	if err != nil {
		return err
	}
	n.Subnets = make([]subnetRule, len(rules))
	for i, r := range rules {
		n.Subnets[i] = subnetRule{ID: r.ID, GUID: r.GUID, IgnoreMissing: r.IgnoreMissing}
	}
	return nil
}

// firewall gives an account's rules as they are applied; nil when everybody is let in.
func (p *properties) firewall(res *arm.Resource) (*netrule.Firewall, error) {
	n := p.NetworkACLs
	if n == nil || n.DefaultAction != "Deny" {
		return nil, nil
	}
	f := &netrule.Firewall{Service: endpointName, Tags: netrule.ServiceTags("CognitiveServicesManagement", res.Location), Subnets: n.subnetRules()}
	for _, r := range n.IPRules {
		prefix, err := netrule.ParsePrefix4(r.Value)
		if err != nil {
			return nil, fmt.Errorf("stored ip rule of %s: %w", res.ID, err)
		}
		f.Addresses = append(f.Addresses, prefix)
	}
	return f, nil
}

// network is the stage that finds the account of a custom subdomain and asks its network rules. At a region's endpoint the account is known only by its key.
func (s *Service) network(ctx context.Context, r *wire.Request) error {
	v := new(visit)
	r.State = v
	if r.Host.Regional() {
		return nil
	}
	a, err := s.accountNamed(ctx, wire.HostCognitive, r.Host.Name)
	if err != nil {
		return err
	}
	if a == nil {
		return fault.New(fault.NotFound, "404", "There is no Cognitive Services account with the custom subdomain %s. On Azure this host name would not resolve.", clip(r.Host.Name))
	}
	v.account = a
	return s.letIn(ctx, r, a)
}

// letIn asks an account's network rules about a client.
func (s *Service) letIn(ctx context.Context, r *wire.Request, a *account) error {
	if a.public && a.firewall == nil {
		return nil
	}
	if a.public {
		verdict, err := a.firewall.Admit(ctx, r.Client, s.deps.Subnet)
		if err != nil || verdict.Allowed {
			return err
		}
		return fault.New(fault.Forbidden, "403", "Access denied due to Virtual Network/Firewall rules.")
	}
	return fault.New(fault.Forbidden, "403", "Public access is disabled. Please configure private endpoint.")
}
