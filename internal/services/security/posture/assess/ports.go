package assess

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

const (
	typeGroup    = "Microsoft.Network/networkSecurityGroups"
	groupVersion = "?api-version=2024-05-01"
	lowest       = 100 // priority of the first rule
	closing      = "DenyManagementPortsFromInternet"
)

// managed are the ports that administer machines.
var managed = []int{22, 3389}

// group is what is looked at of a security group.
type group struct {
	Rules []rule `json:"securityRules"`
}

type rule struct {
	Name       string `json:"name"`
	Properties struct {
		Access    string   `json:"access"`
		Direction string   `json:"direction"`
		Protocol  string   `json:"protocol"`
		Priority  int      `json:"priority"`
		Source    string   `json:"sourceAddressPrefix"`
		Sources   []string `json:"sourceAddressPrefixes"`
		Port      string   `json:"destinationPortRange"`
		Ports     []string `json:"destinationPortRanges"`
	} `json:"properties"`
}

// everybody tells whether the rule is about the whole Internet.
func (r *rule) everybody() bool {
	return slices.ContainsFunc(append([]string{r.Properties.Source}, r.Properties.Sources...), func(s string) bool {
		return slices.Contains([]string{"*", "any", "internet", "0.0.0.0/0", "0.0.0.0", "/0", "::/0"}, strings.ToLower(s))
	})
}

// covers tells whether the rule is about a TCP port.
func (r *rule) covers(port int) bool {
	if p := r.Properties.Protocol; !strings.EqualFold(p, "Tcp") && p != "*" {
		return false
	}
	return slices.ContainsFunc(append([]string{r.Properties.Port}, r.Properties.Ports...), func(s string) bool {
		if s == "*" {
			return true
		}
		from, to, ok := strings.Cut(s, "-")
		if !ok {
			to = from
		}
		a, err1 := strconv.Atoi(strings.TrimSpace(from))
		b, err2 := strconv.Atoi(strings.TrimSpace(to))
		return err1 == nil && err2 == nil && a <= port && port <= b
	})
}

// opening finds the rule that lets the Internet reach a port: the first that is about both decides.
func (g *group) opening(port int) *rule {
	for i := range g.Rules {
		r := &g.Rules[i]
		if !strings.EqualFold(r.Properties.Direction, "Inbound") || !r.everybody() || !r.covers(port) {
			continue
		}
		if strings.EqualFold(r.Properties.Access, "Allow") {
			return r
		}
		return nil
	}
	return nil
}

func readGroup(r *arm.Resource) *group {
	g := properties[group](r, typeGroup)
	if g != nil {
		slices.SortStableFunc(g.Rules, func(a, b rule) int { return cmp.Compare(a.Properties.Priority, b.Properties.Priority) })
	}
	return g
}

func judgePorts(_ *State, r *arm.Resource) *Verdict {
	g := readGroup(r)
	if g == nil {
		return nil
	}
	var parts []Part
	for _, port := range managed {
		if by := g.opening(port); by != nil {
			parts = append(parts, Part{
				Key: by.Name + "/" + strconv.Itoa(port), DisplayName: fmt.Sprintf("Port %d is open to the Internet", port),
				Description: fmt.Sprintf("The rule %s of priority %d allows it.", by.Name, by.Properties.Priority),
			})
		}
	}
	if len(parts) == 0 {
		return healthy()
	}
	return unhealthy("ManagementPortsOpen", "The Internet may reach ports 22 or 3389 of what the group protects.", parts...)
}

// fixPorts puts a rule before the first that opens a port, which denies both to the Internet and leaves alone what else that rule allows.
func fixPorts(_ *State, v *Verdict, _ arm.Object) ([]Step, error) {
	g := readGroup(v.Resource)
	before := 1 << 16
	for _, port := range managed {
		if by := g.opening(port); by != nil {
			before = min(before, by.Properties.Priority)
		}
	}
	free := before - 1
	for free >= lowest && slices.ContainsFunc(g.Rules, func(r rule) bool {
		return r.Properties.Priority == free && strings.EqualFold(r.Properties.Direction, "Inbound") && r.Name != closing
	}) {
		free--
	}
	if free < lowest {
		return nil, invalid("There is no free priority before %d in the security group '%s' for a rule that closes the ports: renumber its rules.", before, v.Resource.Name)
	}
	return []Step{{Method: "PUT", Path: v.Resource.ID + "/securityRules/" + closing + groupVersion, Body: map[string]any{"properties": map[string]any{
		"access": "Deny", "direction": "Inbound", "protocol": "*", "priority": free, "sourceAddressPrefix": "Internet", "sourcePortRange": "*",
		"destinationAddressPrefix": "*", "destinationPortRanges": []string{"22", "3389"}, "description": "Management ports are closed to the Internet.",
	}}}}, nil
}
