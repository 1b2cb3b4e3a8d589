package arm

import (
	"context"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

// Linked makes sure that the caller of a write may also do an action on another resource the body refers to, such as joining a subnet.
func Linked(ctx context.Context, access Access, c *Call, action, scope string) error {
	d, err := access.Check(ctx, c.Principal, action, false, scope)
	if err != nil || d.Allowed {
		return err
	}
	client := c.Principal.AppID
	if client == "" {
		client = c.Principal.Name
	}
	does := c.Type.action("write")
	if c.run != nil && c.run.e != nil {
		does = c.run.e.operation
	}
	return fault.New(fault.Forbidden, "LinkedAuthorizationFailed",
		"The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, it does not have permission to perform action(s) '%s' on the linked scope(s) "+
			"'%s' (respectively) or the linked scope(s) are invalid.", client, c.Principal.ObjectID, does, c.ID, action, clip(scope))
}

const (
	typeSubnet = "Microsoft.Network/virtualNetworks/subnets"
	joinSubnet = typeSubnet + "/joinViaServiceEndpoint/action"
)

// SubnetRules settles the virtual network rules of a resource of a service ("Microsoft.KeyVault"). had are those it has: they stay as they are, whatever became of
// their subnets. A new one needs a subnet that exists and has the service's endpoint, unless it ignores that, and a caller who may join it. The GUIDs of wanted don't count.
func SubnetRules(ctx context.Context, access Access, c *Call, subnets netrule.Lookup, service string, wanted, had []netrule.SubnetRule) ([]netrule.SubnetRule, error) {
	out := make([]netrule.SubnetRule, 0, len(wanted))
	seen := map[string]bool{}
	for _, want := range wanted {
		id, err := ParseID(want.ID)
		if err != nil {
			return nil, err
		}
		if id.Collection() || !strings.EqualFold(id.Type(), typeSubnet) || id.ResourceGroup == "" || id.Extension {
			return nil, badID(want.ID, "it is no subnet of a virtual network")
		}
		folded := id.Fold()
		if seen[folded] {
			continue
		}
		seen[folded] = true
		rule, ok := ruleFor(had, folded)
		if !ok {
			if rule, err = newSubnetRule(ctx, access, c, subnets, service, id, want.IgnoreMissing); err != nil {
				return nil, err
			}
		}
		rule.IgnoreMissing = want.IgnoreMissing
		out = append(out, rule)
	}
	return out, nil
}

func ruleFor(had []netrule.SubnetRule, folded string) (netrule.SubnetRule, bool) {
	for _, r := range had {
		if strings.ToLower(r.ID) == folded {
			return r, true
		}
	}
	return netrule.SubnetRule{}, false
}

func newSubnetRule(ctx context.Context, access Access, c *Call, subnets netrule.Lookup, service string, id ID, ignoreMissing bool) (netrule.SubnetRule, error) {
	// Who may not join it is not told whether it exists.
	if err := Linked(ctx, access, c, joinSubnet, id.String()); err != nil {
		return netrule.SubnetRule{}, err
	}
	s, err := subnets(ctx, id.String())
	if err != nil {
		return netrule.SubnetRule{}, err
	}
	if s == nil {
		return netrule.SubnetRule{}, fault.New(fault.Invalid, "InvalidResourceReference",
			"Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists.", id, c.ID)
	}
	if !ignoreMissing && !s.Reaches(service) {
		return netrule.SubnetRule{}, fault.New(fault.Invalid, "SubnetsHaveNoServiceEndpointsConfigured",
			"Subnets %s of virtual network %s do not have ServiceEndpoints for %s resources configured. Add %s to subnet's ServiceEndpoints collection before trying to ACL %s resources to these subnets.",
			id.Name(), id.Parent(), service, service, service)
	}
	return netrule.SubnetRule{ID: s.ID, GUID: s.GUID}, nil
}
