package network

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

const ruleTypeName = groupTypeName + "/securityRules"

// rule is one of a group's, as sent and as stored.
type rule struct {
	Name       string         `json:"name"`
	Properties ruleProperties `json:"properties"`
}

type ruleProperties struct {
	Description      string   `json:"description,omitempty"`
	Protocol         string   `json:"protocol"`
	SourcePort       string   `json:"sourcePortRange,omitempty"`
	SourcePorts      []string `json:"sourcePortRanges"`
	DestinationPort  string   `json:"destinationPortRange,omitempty"`
	DestinationPorts []string `json:"destinationPortRanges"`
	Source           string   `json:"sourceAddressPrefix,omitempty"`
	Sources          []string `json:"sourceAddressPrefixes"`
	Destination      string   `json:"destinationAddressPrefix,omitempty"`
	Destinations     []string `json:"destinationAddressPrefixes"`
	Access           string   `json:"access"`
	Priority         int      `json:"priority"`
	Direction        string   `json:"direction"`

	SourceGroups      []json.RawMessage `json:"sourceApplicationSecurityGroups,omitempty"`
	DestinationGroups []json.RawMessage `json:"destinationApplicationSecurityGroups,omitempty"`
}

func (s *Service) ruleType() arm.Type {
	return partOf(arm.Type{
		Name: ruleTypeName, Versions: versions(), Untracked: true, Put: putRule, Commit: commit, Delete: deleteRule, CommitDelete: commit,
		Render: func(_ context.Context, _ *arm.Call, r *arm.Resource) (json.RawMessage, error) {
			p, err := decode[ruleProperties](r)
			if err != nil {
				return nil, err
			}
			return (&rule{Properties: *p}).shown()
		},
	}, func(g *group, whole *arm.Resource) ([]*arm.Resource, error) { return resources(g.Rules, whole) })
}

func deleteRule(_ context.Context, c *arm.Call) error {
	g, err := decode[group](c.Parent)
	if err != nil {
		return err
	}
	g.Rules = slices.DeleteFunc(g.Rules, func(r rule) bool { return strings.EqualFold(r.Name, c.ID.Name()) })
	row, err := rowWith(c, g, ids.New())
	c.Prepared = &change{row: row, vanished: []string{c.Old.ID}}
	return err
}

func ruleID(group, name string) string { return group + "/securityRules/" + name }

// resource is the rule as a resource of its own.
func (r rule) resource(group *arm.Resource) (*arm.Resource, error) {
	props, err := json.Marshal(r.Properties)
	return &arm.Resource{
		ID: ruleID(group.ID, r.Name), Name: r.Name, Type: ruleTypeName, Properties: props, ETag: group.ETag, GUID: group.GUID,
		Created: group.Created, Changed: group.Changed, By: group.By,
	}, err
}

func putRule(_ context.Context, c *arm.Call) error {
	g, err := decode[group](c.Parent)
	if err != nil {
		return err
	}
	fresh := rule{Name: c.ID.Name()}
	if err := c.Body.Decode("properties", &fresh.Properties); err != nil {
		return err
	}
	at := g.find(fresh.Name)
	if at == nil {
		g.Rules = append(g.Rules, rule{})
		at = &g.Rules[len(g.Rules)-1]
	} else {
		fresh.Name = at.Name
	}
	*at = fresh
	if err := g.check(c.Parent.ID); err != nil { // settles the rule, too
		return err
	}
	c.New.ID, c.New.Name = ruleID(c.Parent.ID, at.Name), at.Name
	if c.New.Properties, err = json.Marshal(at.Properties); err != nil {
		return err
	}
	row, err := rowWith(c, g, c.New.ETag)
	c.Prepared = &change{row: row}
	return err
}

// The bounds of priorities of own rules.
const (
	firstPriority = 100
	lastPriority  = 4096
)

// settle checks a rule and writes the words of closed sets as Azure does.
func (r *rule) settle() error {
	if err := checkName(r.Name); err != nil {
		return err
	}
	p := &r.Properties
	if len(p.SourceGroups)+len(p.DestinationGroups) > 0 {
		return notImplemented("Application security groups")
	}
	if p.Priority < firstPriority || p.Priority > lastPriority {
		return bad("SecurityRuleInvalidPriority", "Security rule has invalid Priority. Value provided: %d Allowed range %d-%d.", p.Priority, firstPriority, lastPriority)
	}
	for _, c := range []struct {
		value *string
		code  string
		name  string
		from  []string
	}{
		{&p.Protocol, "SecurityRuleInvalidProtocol", "Protocol", []string{"*", "Tcp", "Udp", "Icmp", "Esp", "Ah"}},
		{&p.Access, "SecurityRuleInvalidAccess", "Access", []string{"Allow", "Deny"}},
		{&p.Direction, "SecurityRuleInvalidDirection", "Direction", []string{"Inbound", "Outbound"}},
	} {
		i := slices.IndexFunc(c.from, func(v string) bool { return strings.EqualFold(v, *c.value) })
		if i < 0 {
			return bad(c.code, "Security rule %s has invalid %s. Value provided: %.60s Allowed: %s.", r.Name, c.name, *c.value, strings.Join(c.from, ", "))
		}
		*c.value = c.from[i]
	}
	for _, list := range []*[]string{&p.SourcePorts, &p.DestinationPorts, &p.Sources, &p.Destinations} {
		if *list == nil {
			*list = []string{}
		}
	}
	_, err := r.compile()
	return err
}

// compile makes what decides of a rule.
func (r *rule) compile() (netrule.Rule, error) {
	p := &r.Properties
	out := netrule.Rule{Name: r.Name, Priority: p.Priority, Allow: p.Access == "Allow", Protocol: strings.ToLower(p.Protocol)}
	if p.Direction == "Outbound" {
		out.Direction = netrule.Outbound
	}
	var err error
	if out.Sources, err = parseAll(r.Name, "SourceAddressPrefix", p.Source, p.Sources, netrule.ParseMatch); err != nil {
		return out, err
	}
	if out.Destinations, err = parseAll(r.Name, "DestinationAddressPrefix", p.Destination, p.Destinations, netrule.ParseMatch); err != nil {
		return out, err
	}
	if out.SourcePorts, err = parseAll(r.Name, "SourcePortRange", p.SourcePort, p.SourcePorts, netrule.ParsePorts); err != nil {
		return out, err
	}
	out.DestinationPorts, err = parseAll(r.Name, "DestinationPortRange", p.DestinationPort, p.DestinationPorts, netrule.ParsePorts)
	return out, err
}

// parseAll reads a property that may be sent as one value, as a list, or both.
func parseAll[T any](rule, name, one string, list []string, parse func(string) (T, error)) ([]T, error) {
	if one != "" {
		list = append([]string{one}, list...)
	}
	if len(list) == 0 {
		return nil, bad("SecurityRuleParameterNotSpecified", "Required security rule parameters are missing for security rule %s. Security rule must specify either %s or %ss.", rule, name, name)
	}
	var out []T
	for _, text := range list {
		v, err := parse(text)
		if err != nil {
			return nil, bad("SecurityRuleInvalid"+name, "Security rule %s has invalid %s: %s.", rule, name, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// shown is the rule on the wire.
func (r *rule) shown() (json.RawMessage, error) {
	p := r.Properties
	for _, list := range []*[]string{&p.SourcePorts, &p.DestinationPorts, &p.Sources, &p.Destinations} {
		if *list == nil {
			*list = []string{}
		}
	}
	return json.Marshal(struct {
		State string `json:"provisioningState"`
		ruleProperties
	}{"Succeeded", p})
}
