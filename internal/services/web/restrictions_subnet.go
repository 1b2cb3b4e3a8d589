package web

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

// endpointName is the service endpoint a subnet needs to be told apart.
const endpointName = "Microsoft.Web"

// subnetRule matches the clients of the restriction's subnet: those in it while it has the endpoint and its security group lets them out to App Service.
func (r restriction) subnetRule() *netrule.Firewall {
	return &netrule.Firewall{Service: endpointName, Subnets: []netrule.SubnetRule{{ID: r.VnetSubnetResourceID, GUID: r.SubnetGUID}}}
}

// locate tells the rules where the site is, which security groups may ask.
func (a accessRules) locate(location string) {
	for _, r := range a.rules {
		if r.subnet != nil {
			r.subnet.Tags = netrule.ServiceTags("AppService", location)
		}
	}
}

// joinSubnets settles the subnets that cfg's restrictions name: one that old's do not needs to exist, and a caller who may join it. App Service makes the rule with or
// without the endpoint, which its clients then need.
func (s *Service) joinSubnets(ctx context.Context, c *arm.Call, cfg, old webConfig) error {
	for _, name := range []string{restrictionsName(false), restrictionsName(true)} {
		list, err := subnetsIn(cfg, name)
		if err != nil || list == nil {
			if err != nil {
				return err
			}
			continue
		}
		before, err := subnetsIn(old, name)
		if err != nil {
			return err
		}
		if s.deps.Subnet == nil {
			return notImplemented("Access restrictions by virtual network are")
		}
		rules, err := arm.SubnetRules(ctx, s.deps.Access, c, s.deps.Subnet, endpointName, rulesOf(list), rulesOf(before))
		if err != nil {
			return err
		}
		for i := range list {
			list[i].SubnetGUID = ""
			for _, r := range rules {
				if strings.EqualFold(r.ID, list[i].VnetSubnetResourceID) {
					list[i].VnetSubnetResourceID, list[i].SubnetGUID = r.ID, r.GUID
				}
			}
		}
		raw, err := json.Marshal(list)
		if err != nil {
			return err
		}
		for known := range cfg.Values {
			if strings.EqualFold(known, name) {
				cfg.Values[known] = raw
			}
		}
	}
	return nil
}

// subnetsIn reads a list of restrictions; nil if none of them is by subnet.
func subnetsIn(cfg webConfig, name string) ([]restriction, error) {
	var list []restriction
	if raw := field(cfg.Values, name); !isNull(raw) {
		if err := decode(raw, "siteConfig."+name, &list); err != nil {
			return nil, err
		}
	}
	if len(rulesOf(list)) == 0 {
		return nil, nil
	}
	return list, nil
}

func rulesOf(list []restriction) []netrule.SubnetRule {
	var out []netrule.SubnetRule
	for _, r := range list {
		if r.VnetSubnetResourceID != "" {
			out = append(out, netrule.SubnetRule{ID: r.VnetSubnetResourceID, GUID: r.SubnetGUID, IgnoreMissing: true})
		}
	}
	return out
}

// SubnetUsers lists the ids of sites, in any subscription, whose access restrictions name a subnet of the network with that id.
func (s *Service) SubnetUsers(ctx context.Context, networkID string) ([]string, error) {
	sites, _, err := s.allSites(ctx)
	if err != nil {
		return nil, err
	}
	prefix := strings.ToLower(networkID) + "/"
	var out []string
	for guid, id := range sites {
		shard, err := shardOf(id)
		if err != nil {
			return nil, err
		}
		have, err := s.loadRows(ctx, shard, guid)
		if err != nil {
			return nil, err
		}
		cfg, err := decodeRow(configCodec, have, nounConfig)
		if err != nil {
			return nil, err
		}
		for _, name := range []string{restrictionsName(false), restrictionsName(true)} {
			list, err := subnetsIn(cfg, name)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(rulesOf(list), func(r netrule.SubnetRule) bool { return strings.HasPrefix(strings.ToLower(r.ID), prefix) }) {
				out = append(out, id)
				break
			}
		}
	}
	slices.Sort(out)
	return out, nil
}
