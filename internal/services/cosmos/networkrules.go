package cosmos

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

const (
	// endpointName is the service endpoint a subnet needs.
	endpointName = "Microsoft.AzureCosmosDB"

	maxSubnetRules = 256 // each request is held against all of them
)

// networkRule lets a subnet's clients in.
type networkRule struct {
	ID            string `json:"id"`
	IgnoreMissing bool   `json:"ignoreMissingVNetServiceEndpoint"`
	GUID          string `json:"bulkheadGuid,omitempty"` // of the subnet; never taken from a client, never shown
}

func (s *settings) subnetRules() []netrule.SubnetRule {
	out := make([]netrule.SubnetRule, len(s.VirtualNetworks))
	for i, r := range s.VirtualNetworks {
		out[i] = netrule.SubnetRule{ID: r.ID, GUID: r.GUID, IgnoreMissing: r.IgnoreMissing}
	}
	return out
}

// shownNetworkRules are the rules on the wire.
func (s *settings) shownNetworkRules() []networkRule {
	out := make([]networkRule, len(s.VirtualNetworks))
	for i, r := range s.VirtualNetworks {
		out[i] = networkRule{ID: r.ID, IgnoreMissing: r.IgnoreMissing}
	}
	return out
}

// settleNetworkRules checks the rules of st that was does not have; was is nil for a new account.
func (s *Service) settleNetworkRules(ctx context.Context, c *arm.Call, st, was *settings) error {
	if len(st.VirtualNetworks) == 0 {
		return nil
	}
	if len(st.VirtualNetworks) > maxSubnetRules {
		return bad("There are %d virtualNetworkRules, more than %d.", len(st.VirtualNetworks), maxSubnetRules)
	}
	if s.deps.Access == nil {
		return bad("Virtual network rules (virtualNetworkRules): not supported here. Nothing was changed.")
	}
	var had []netrule.SubnetRule
	if was != nil {
		had = was.subnetRules()
	}
	rules, err := arm.SubnetRules(ctx, s.deps.Access, c, s.deps.Subnet, endpointName, st.subnetRules(), had)
	if err != nil {
		return err
	}
	st.VirtualNetworks = st.VirtualNetworks[:0]
	for _, r := range rules {
		st.VirtualNetworks = append(st.VirtualNetworks, networkRule{ID: r.ID, GUID: r.GUID, IgnoreMissing: r.IgnoreMissing})
	}
	return nil
}
