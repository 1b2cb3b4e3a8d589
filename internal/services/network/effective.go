package network

import (
	"cmp"
	"context"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

// effectiveGroup is a security group that guards an interface, and where it is set.
type effectiveGroup struct {
	Group       reference       `json:"networkSecurityGroup"`
	Association association     `json:"association"`
	Rules       []effectiveRule `json:"effectiveSecurityRules"`
}

type association struct {
	Subnet    *reference `json:"subnet,omitempty"`
	Interface *reference `json:"networkInterface,omitempty"`
}

// effectiveRule is a rule as it is evaluated: in order, the default ones included.
type effectiveRule struct {
	Name             string   `json:"name"`
	Protocol         string   `json:"protocol"`
	SourcePorts      []string `json:"sourcePortRanges"`
	DestinationPorts []string `json:"destinationPortRanges"`
	Sources          []string `json:"sourceAddressPrefixes"`
	Destinations     []string `json:"destinationAddressPrefixes"`
	Access           string   `json:"access"`
	Priority         int      `json:"priority"`
	Direction        string   `json:"direction"`
}

// effectiveGroups lists the groups a packet to an interface meets: the subnet's, then its own.
func (s *Service) effectiveGroups(ctx context.Context, c *arm.Call) (any, error) {
	n, err := decode[nic](c.Old)
	if err != nil {
		return nil, err
	}
	out := []effectiveGroup{}
	seen := map[string]bool{}
	for _, x := range n.Configs {
		at := x.Properties.Subnet
		ref, err := s.groupOfSubnet(ctx, at)
		if err != nil {
			return nil, err
		}
		if ref == nil || seen[at.GUID] {
			continue
		}
		seen[at.GUID] = true
		if out, err = s.addEffective(ctx, out, ref, association{Subnet: &reference{ID: at.ID}}); err != nil {
			return nil, err
		}
	}
	if n.Group != nil {
		if out, err = s.addEffective(ctx, out, n.Group, association{Interface: &reference{ID: c.Old.ID}}); err != nil {
			return nil, err
		}
	}
	return map[string]any{"value": out}, nil
}

// groupOfSubnet is the reference of a subnet to its group; nil if it has none.
func (s *Service) groupOfSubnet(ctx context.Context, at *reference) (*reference, error) {
	id, err := arm.ParseID(at.ID)
	if err != nil {
		return nil, err
	}
	r, _, err := s.deps.Resources.Resource(ctx, id.Parent().String())
	if err != nil {
		return nil, err
	}
	v, err := decode[network](r)
	if err != nil || v == nil {
		return nil, err
	}
	if sub := v.find(id.Name()); sub != nil && sub.GUID == at.GUID {
		return sub.Properties.Group, nil
	}
	return nil, nil
}

func (s *Service) addEffective(ctx context.Context, list []effectiveGroup, ref *reference, where association) ([]effectiveGroup, error) {
	r, _, err := s.deps.Resources.Resource(ctx, ref.ID)
	if err != nil {
		return nil, err
	}
	g, err := decode[group](r)
	if err != nil {
		return nil, err
	}
	if g == nil {
		g = &group{}
	}
	out := effectiveGroup{Group: reference{ID: ref.ID}, Association: where}
	for i := range g.Rules {
		out.Rules = append(out.Rules, effectiveOf("securityRules/"+g.Rules[i].Name, &g.Rules[i].Properties))
	}
	for _, d := range netrule.DefaultRules() {
		p := defaultProperties(d)
		out.Rules = append(out.Rules, effectiveOf(d.String(), &p))
	}
	slices.SortStableFunc(out.Rules, func(a, b effectiveRule) int { return cmp.Compare(a.Priority, b.Priority) })
	return append(list, out), nil
}

func effectiveOf(name string, p *ruleProperties) effectiveRule {
	both := func(one string, list []string, everything string) []string {
		if one != "" {
			list = append([]string{one}, list...)
		}
		for i, text := range list {
			if text == "*" {
				list = slices.Clone(list)
				list[i] = everything
			}
		}
		return list
	}
	const allPorts, allAddresses = "0-65535", "0.0.0.0/0"
	protocol := p.Protocol
	if protocol == "*" {
		protocol = "All"
	}
	return effectiveRule{
		Name: name, Protocol: protocol, SourcePorts: both(p.SourcePort, p.SourcePorts, allPorts), DestinationPorts: both(p.DestinationPort, p.DestinationPorts, allPorts),
		Sources: both(p.Source, p.Sources, allAddresses), Destinations: both(p.Destination, p.Destinations, allAddresses),
		Access: p.Access, Priority: p.Priority, Direction: p.Direction,
	}
}
