package keyvault

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

const (
	// endpointName is the service endpoint a subnet needs.
	endpointName = "Microsoft.KeyVault"

	maxSubnetRules = 200
)

func (n *networkACLs) subnetRules() []netrule.SubnetRule {
	if n == nil {
		return nil
	}
	out := make([]netrule.SubnetRule, len(n.VirtualNetworkRules))
	for i, r := range n.VirtualNetworkRules {
		out[i] = netrule.SubnetRule{ID: r.ID, GUID: r.GUID, IgnoreMissing: r.IgnoreMissing}
	}
	return out
}

// settleSubnets checks the virtual network rules of p that old does not have; old is nil for a new vault.
func (s *Service) settleSubnets(ctx context.Context, c *arm.Call, p, old *properties) error {
	if p.NetworkACLs == nil || len(p.NetworkACLs.VirtualNetworkRules) == 0 {
		return nil
	}
	if len(p.NetworkACLs.VirtualNetworkRules) > maxSubnetRules {
		return badRequest("BadRequest", "networkAcls.virtualNetworkRules has %d rules, more than %d.", len(p.NetworkACLs.VirtualNetworkRules), maxSubnetRules)
	}
	if s.deps.Subnet == nil {
		return badRequest("BadRequest", "There are no virtual networks here that networkAcls.virtualNetworkRules could name.")
	}
	var had []netrule.SubnetRule
	if old != nil {
		had = old.NetworkACLs.subnetRules()
	}
	rules, err := arm.SubnetRules(ctx, s.deps.Access, c, s.deps.Subnet, endpointName, p.NetworkACLs.subnetRules(), had)
	if err != nil {
		return err
	}
	p.NetworkACLs.VirtualNetworkRules = make([]subnetRule, len(rules))
	for i, r := range rules {
		p.NetworkACLs.VirtualNetworkRules[i] = subnetRule{ID: strings.ToLower(r.ID), GUID: r.GUID, IgnoreMissing: r.IgnoreMissing}
	}
	return nil
}

// shown is what the wire shows of network rules.
func (n *networkACLs) shown() *networkACLs {
	if n == nil {
		return nil
	}
	out := *n
	out.VirtualNetworkRules = make([]subnetRule, len(n.VirtualNetworkRules))
	for i, r := range n.VirtualNetworkRules {
		out.VirtualNetworkRules[i] = subnetRule{ID: r.ID, IgnoreMissing: r.IgnoreMissing}
	}
	return &out
}
