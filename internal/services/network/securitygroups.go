package network

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const groupTypeName = "Microsoft.Network/networkSecurityGroups"

// group is a security group's properties as stored.
type group struct {
	Rules []rule `json:"securityRules"`
	Flush bool   `json:"flushConnection,omitempty"`
}

func (s *Service) groupType() arm.Type {
	return arm.Type{
		Name: groupTypeName, Versions: versions(), Rank: 2, Put: putGroup, Render: s.renderGroup, Move: s.moveGroup,
		CommitDelete: func(tx store.Tx, c *arm.Call) error {
			return unused(tx, c.Old.GUID, func(user string) *fault.Error {
				return bad("InUseNetworkSecurityGroupCannotBeDeleted", "Network security group %s cannot be deleted because it is in use by the following resources: %s. "+
					"In order to delete the Network security group, remove the association with the resource(s). To learn how to do this, see aka.ms/deletensg.", c.Old.ID, user)
			})
		},
		Actions: []arm.Action{
			{Verb: "defaultSecurityRules", Method: http.MethodGet, Operation: groupTypeName + "/defaultSecurityRules/read", Handler: listDefaults},
			{Verb: "defaultSecurityRules/{rule}", Method: http.MethodGet, Operation: groupTypeName + "/defaultSecurityRules/read", Handler: getDefault},
		},
	}
}

// unused refuses, in the words of say, while somebody uses the resource with that GUID.
func unused(tx store.Tx, guid string, say func(user string) *fault.Error) error {
	return (&claim{of: guid, fault: say}).check(tx)
}

func putGroup(_ context.Context, c *arm.Call) error {
	if err := checkName(c.New.Name); err != nil {
		return err
	}
	var g group
	if err := c.Body.Decode("properties", &g); err != nil {
		return err
	}
	if g.Rules == nil {
		g.Rules = []rule{}
	}
	if err := g.check(c.New.ID); err != nil {
		return err
	}
	old, err := decode[group](c.Old)
	if err != nil {
		return err
	}
	if old == nil {
		old = &group{}
	}
	for i := range old.Rules { // what a lock at a rule forbids, a PUT of the group does not do either
		was := &old.Rules[i]
		is := g.find(was.Name)
		if is != nil && reflect.DeepEqual(is.Properties, was.Properties) {
			continue
		}
		if err := c.PartUnlocked(ruleID(c.New.ID, was.Name), is == nil); err != nil {
			return err
		}
	}
	c.New.Properties, err = json.Marshal(g)
	return err
}

// Bounds of one group: each request of a client it guards is held against all of it.
const (
	maxRules    = 1000
	maxMatchers = 4000 // addresses and ports of all rules
)

// check settles the group's rules and looks at them together: no two of one name, none of the same priority and direction.
func (g *group) check(id string) error {
	if len(g.Rules) > maxRules {
		return bad("SecurityRuleLimitReached", "The network security group %s has %d rules; %d are allowed.", id, len(g.Rules), maxRules)
	}
	type place struct {
		priority  int
		direction string
	}
	matchers := 0
	names, places := map[string]bool{}, map[place]string{}
	for i := range g.Rules {
		r := &g.Rules[i]
		p := &r.Properties
		if matchers += len(p.Sources) + len(p.Destinations) + len(p.SourcePorts) + len(p.DestinationPorts); matchers > maxMatchers {
			return bad("SecurityRuleLimitReached", "The rules of the network security group %s have more than %d addresses and ports.", id, maxMatchers)
		}
		if err := r.settle(); err != nil {
			return err
		}
		if folded := strings.ToLower(r.Name); names[folded] {
			return bad("DuplicateResourceName", "Resource %s has two child resources with the same name (%s).", id, r.Name)
		} else {
			names[folded] = true
		}
		at := place{r.Properties.Priority, r.Properties.Direction}
		if other, ok := places[at]; ok {
			return bad("SecurityRuleConflict", "Security rule %s conflicts with rule %s. Rules cannot have the same Priority and Direction.", r.Name, other)
		}
		places[at] = r.Name
	}
	return nil
}

// find gives the rule of a name, in any case; nil if there is none.
func (g *group) find(name string) *rule {
	for i := range g.Rules {
		if strings.EqualFold(g.Rules[i].Name, name) {
			return &g.Rules[i]
		}
	}
	return nil
}

// compileGroup makes what decides of a stored group.
func compileGroup(r *arm.Resource) (*netrule.Group, error) {
	g, err := decode[group](r)
	if err != nil {
		return nil, err
	}
	var rules []netrule.Rule
	for i := range g.Rules {
		x, err := g.Rules[i].compile()
		if err != nil {
			return nil, err
		}
		rules = append(rules, x)
	}
	return netrule.NewGroup(rules), nil
}

// shownGroup is a group on the wire.
type shownGroup struct {
	State      string      `json:"provisioningState"`
	GUID       string      `json:"resourceGuid"`
	Rules      []shownPart `json:"securityRules"`
	Defaults   []shownPart `json:"defaultSecurityRules"`
	Subnets    []reference `json:"subnets,omitempty"`
	Interfaces []reference `json:"networkInterfaces,omitempty"`
	Flush      bool        `json:"flushConnection,omitempty"`
}

func (s *Service) renderGroup(ctx context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	g, err := decode[group](r)
	if err != nil {
		return nil, err
	}
	users, err := s.usersOf(ctx, c.ID.Subscription, r.GUID)
	if err != nil {
		return nil, err
	}
	out := shownGroup{State: "Succeeded", GUID: r.GUID, Rules: []shownPart{}, Defaults: defaultsOf(r), Flush: g.Flush}
	for i := range g.Rules {
		props, err := g.Rules[i].shown()
		if err != nil {
			return nil, err
		}
		out.Rules = append(out.Rules, shownPart{ruleID(r.ID, g.Rules[i].Name), g.Rules[i].Name, r.ETag, ruleTypeName, props})
	}
	for _, u := range users[r.GUID] {
		if strings.Contains(u, "/subnets/") {
			out.Subnets = append(out.Subnets, reference{ID: u})
		} else {
			out.Interfaces = append(out.Interfaces, reference{ID: u})
		}
	}
	return json.Marshal(out)
}

// defaultsOf shows the default rules of a group.
func defaultsOf(r *arm.Resource) []shownPart {
	var out []shownPart
	for _, d := range netrule.DefaultRules() {
		props, _ := (&rule{Name: d.Name, Properties: defaultProperties(d)}).shown() // of plain fields: can't fail
		out = append(out, shownPart{r.ID + "/defaultSecurityRules/" + d.Name, d.Name, r.ETag, groupTypeName + "/defaultSecurityRules", props})
	}
	return out
}

// defaultProperties writes a default rule as a client would.
func defaultProperties(d netrule.Rule) ruleProperties {
	p := ruleProperties{
		Description: describeDefault(d.Name), Protocol: "*", SourcePort: "*", DestinationPort: "*", Source: tagText(d.Sources[0]), Destination: tagText(d.Destinations[0]),
		Access: "Deny", Priority: d.Priority, Direction: d.Direction.String(),
	}
	if d.Allow {
		p.Access = "Allow"
	}
	return p
}

func tagText(m netrule.Match) string {
	switch {
	case m.Any:
		return "*"
	case m.Tag == "virtualnetwork":
		return "VirtualNetwork"
	case m.Tag == "azureloadbalancer":
		return "AzureLoadBalancer"
	}
	return "Internet"
}

func describeDefault(name string) string {
	return map[string]string{
		"AllowVnetInBound": "Allow inbound traffic from all VMs in VNET", "AllowAzureLoadBalancerInBound": "Allow inbound traffic from azure load balancer",
		"DenyAllInBound": "Deny all inbound traffic", "AllowVnetOutBound": "Allow outbound traffic from all VMs to all VMs in VNET",
		"AllowInternetOutBound": "Allow outbound traffic from all VMs to Internet", "DenyAllOutBound": "Deny all outbound traffic",
	}[name]
}

func listDefaults(_ context.Context, c *arm.Call) (any, error) {
	return map[string]any{"value": defaultsOf(c.Old)}, nil
}

func getDefault(_ context.Context, c *arm.Call) (any, error) {
	for _, d := range defaultsOf(c.Old) {
		if strings.EqualFold(d.Name, c.Param("rule")) {
			return d, nil
		}
	}
	return nil, fault.New(fault.NotFound, "NotFound", "The network security group %s has no default rule %.100q.", c.Old.ID, c.Param("rule"))
}
