package network

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

const interfaceTypeName = "Microsoft.Network/networkInterfaces"

// nic is a network interface's properties as stored: an address in a subnet, and who guards it. No machine has it yet.
type nic struct {
	Configs []ipConfig `json:"ipConfigurations"`
	Group   *reference `json:"networkSecurityGroup,omitempty"`
}

type ipConfig struct {
	Name       string             `json:"name"`
	Properties ipConfigProperties `json:"properties"`
}

type ipConfigProperties struct {
	Address string     `json:"privateIPAddress,omitempty"`
	Method  string     `json:"privateIPAllocationMethod,omitempty"`
	Version string     `json:"privateIPAddressVersion,omitempty"`
	Primary bool       `json:"primary"`
	Subnet  *reference `json:"subnet,omitempty"`
}

func (s *Service) interfaceType() arm.Type {
	return arm.Type{
		Name: interfaceTypeName, Versions: versions(), Put: s.putInterface, Commit: commit, Move: s.moveInterface,
		Render: func(_ context.Context, _ *arm.Call, r *arm.Resource) (json.RawMessage, error) {
			return renderInterface(r)
		},
		Delete: func(_ context.Context, c *arm.Call) error {
			n, err := decode[nic](c.Old)
			if err == nil {
				c.Prepared = &change{drop: n.rows(c.Old.GUID)}
			}
			return err
		},
		CommitDelete: commit,
		Actions:      []arm.Action{{Verb: "effectiveNetworkSecurityGroups", Handler: s.effectiveGroups}},
	}
}

// rows are the keys of what an interface keeps beside its own row.
func (n *nic) rows(guid string) [][]byte {
	var out [][]byte
	if n.Group != nil {
		out = append(out, use{Of: n.Group.GUID, By: guid}.key())
	}
	for _, c := range n.Configs {
		out = append(out, use{Of: c.Properties.Subnet.GUID, By: guid}.key(), addressKey(c.Properties.Subnet.GUID, c.Properties.Address))
	}
	return out
}

func (s *Service) putInterface(ctx context.Context, c *arm.Call) error {
	if err := checkName(c.New.Name); err != nil {
		return err
	}
	var n nic
	if err := c.Body.Decode("properties", &n); err != nil {
		return err
	}
	if err := refuseParts(c.Body); err != nil {
		return err
	}
	old, err := decode[nic](c.Old)
	if err != nil {
		return err
	}
	if old == nil {
		old = &nic{}
	}
	if len(n.Configs) == 0 || len(n.Configs) > 256 {
		return bad("InvalidRequestFormat", "The network interface %s needs 1 to 256 ipConfigurations.", c.New.Name)
	}
	if n.Group, err = s.settleReference(ctx, c, n.Group, old.Group, groupTypeName, "join/action", c.New.Location); err != nil {
		return err
	}
	w := &change{drop: old.rows(c.New.GUID)}
	if n.Group != nil {
		w.needs = append(w.needs, n.Group.ID)
		if err := w.use(use{Of: n.Group.GUID, By: c.New.GUID, ID: c.New.ID}); err != nil {
			return err
		}
	}
	names, mine := map[string]bool{}, map[netip.Addr]bool{}
	for i := range n.Configs {
		x := &n.Configs[i]
		if names[strings.ToLower(x.Name)] {
			return bad("DuplicateResourceName", "Resource %s has two child resources with the same name (%s).", c.New.ID, x.Name)
		}
		names[strings.ToLower(x.Name)] = true
		if err := s.settleConfig(ctx, c, x, old, mine, w); err != nil {
			return err
		}
		x.Properties.Primary = i == 0
	}
	c.Prepared = w
	c.New.Properties, err = json.Marshal(n)
	return err
}

// refuseParts names what an interface can't have here.
func refuseParts(body arm.Object) error {
	props := body.Object("properties")
	if err := refuse(props, map[string]string{"enableIPForwarding": "Interfaces that forward", "privateLinkService": "Private link services"}); err != nil {
		return err
	}
	var configs []struct {
		Properties arm.Object `json:"properties"`
	}
	if err := props.Decode("ipConfigurations", &configs); err != nil {
		return err
	}
	for _, x := range configs {
		err := refuse(x.Properties, map[string]string{
			"publicIPAddress": "Public IP addresses", "loadBalancerBackendAddressPools": "Load balancers", "applicationSecurityGroups": "Application security groups",
			"applicationGatewayBackendAddressPools": "Application gateways", "loadBalancerInboundNatRules": "Load balancers", "virtualNetworkTaps": "Network taps",
			"gatewayLoadBalancer": "Load balancers",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settleConfig gives a configuration its subnet and its address. mine are the addresses of those before it.
func (s *Service) settleConfig(ctx context.Context, c *arm.Call, x *ipConfig, old *nic, mine map[netip.Addr]bool, w *change) error {
	if err := checkName(x.Name); err != nil {
		return err
	}
	p := &x.Properties
	if p.Version == "" {
		p.Version = "IPv4"
	}
	if !strings.EqualFold(p.Version, "IPv4") {
		return notImplemented("Interfaces with IPv6 addresses")
	}
	p.Version = "IPv4"
	static := strings.EqualFold(p.Method, "Static")
	if !static && p.Method != "" && !strings.EqualFold(p.Method, "Dynamic") {
		return bad("InvalidRequestFormat", "The privateIPAllocationMethod %.60q is neither Dynamic nor Static.", p.Method)
	}
	p.Method = map[bool]string{true: "Static", false: "Dynamic"}[static]
	var had *ipConfig
	for i := range old.Configs {
		if strings.EqualFold(old.Configs[i].Name, x.Name) {
			had = &old.Configs[i]
		}
	}
	sub, err := s.settleSubnet(ctx, c, p, had, w)
	if err != nil {
		return err
	}
	want := ""
	switch {
	case static:
		want = p.Address
	case had != nil && had.Properties.Subnet.GUID == sub.GUID:
		want = had.Properties.Address // an address is kept for as long as the interface is in the subnet
	}
	addr, err := s.address(ctx, c, sub, want, mine)
	if err != nil {
		return err
	}
	mine[addr] = true
	p.Address = addr.String()
	key := addressKey(sub.GUID, p.Address)
	owner := []byte(addressMark + c.New.GUID)
	w.taken = append(w.taken, claim{key: key, by: owner, fault: func(string) *fault.Error {
		if static {
			return bad("PrivateIPAddressIsAllocated", "IP configuration %s/ipConfigurations/%s is using the private IP address %s which is already allocated.", c.New.ID, x.Name, p.Address)
		}
		return busy()
	}})
	w.same = append(w.same, putRow{subnetKey(sub.GUID), []byte(subnetMark + joinPrefixes(sub.Prefixes))})
	w.put = append(w.put, putRow{key, owner})
	return w.use(use{Of: sub.GUID, By: c.New.GUID, ID: c.New.ID})
}

func joinPrefixes(list netrule.Prefixes) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return strings.Join(texts, " ")
}

// settleSubnet finds the configuration's subnet. Who newly puts an interface into it must be allowed to.
func (s *Service) settleSubnet(ctx context.Context, c *arm.Call, p *ipConfigProperties, had *ipConfig, w *change) (*netrule.Subnet, error) {
	if p.Subnet == nil {
		return nil, bad("SubnetIsRequired", "An IP configuration of the network interface %s has no subnet.", c.New.Name)
	}
	id, err := arm.ParseID(p.Subnet.ID)
	if err != nil {
		return nil, err
	}
	if had == nil || !strings.EqualFold(had.Properties.Subnet.ID, p.Subnet.ID) {
		if err := arm.Linked(ctx, s.deps.Access, c, subnetTypeName+"/join/action", id.String()); err != nil {
			return nil, err
		}
	}
	missing := bad("InvalidResourceReference",
		"Resource %.200s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", p.Subnet.ID, c.New.ID)
	if id.Subscription != strings.ToLower(c.ID.Subscription) {
		return nil, missing
	}
	sub, err := s.Subnet(ctx, id.String())
	if err != nil {
		return nil, err
	}
	net, _, err := s.deps.Resources.Resource(ctx, id.Parent().String())
	if err != nil {
		return nil, err
	}
	if sub == nil || net == nil || net.Location != c.New.Location {
		return nil, missing
	}
	p.Subnet = &reference{ID: sub.ID, GUID: sub.GUID}
	w.needs = append(w.needs, net.ID)
	return sub, nil
}

// address is the one asked for, or the first of the subnet that is free.
func (s *Service) address(ctx context.Context, c *arm.Call, sub *netrule.Subnet, want string, mine map[netip.Addr]bool) (netip.Addr, error) {
	if want != "" {
		a, err := netip.ParseAddr(want)
		if err != nil || !a.Is4() {
			return a, bad("InvalidIPAddress", "The private IP address %.64q of %s is no IPv4 address.", want, c.New.ID)
		}
		if !usable(sub.Prefixes, a) || mine[a] {
			return a, bad("PrivateIPAddressNotInSubnet", "Private static IP address %s does not belong to the range of subnet prefix %s, or is one of its reserved addresses.", a, joinPrefixes(sub.Prefixes))
		}
		return a, nil
	}
	free, err := s.free(ctx, c.ID.Subscription, sub, mine, 1)
	if err != nil {
		return netip.Addr{}, err
	}
	if len(free) == 0 {
		return netip.Addr{}, bad("SubnetIsFull", "Subnet %s with address prefix %s does not have enough capacity for 1 IP addresses.", sub.ID, joinPrefixes(sub.Prefixes))
	}
	return free[0], nil
}

// usable tells whether the subnet may give the address: its first four are the platform's, its last is the broadcast address.
func usable(list netrule.Prefixes, a netip.Addr) bool {
	for _, p := range list {
		if !p.Contains(a) {
			continue
		}
		first := p.Addr()
		for range 4 {
			if a == first {
				return false
			}
			first = first.Next()
		}
		next := a.Next()
		return next.IsValid() && p.Contains(next)
	}
	return false
}

// free gives up to n addresses of the subnet that nobody has.
func (s *Service) free(ctx context.Context, subscription string, sub *netrule.Subnet, mine map[netip.Addr]bool, n int) ([]netip.Addr, error) {
	taken := map[string]bool{}
	prefix := addressKey(sub.GUID, "")
	err := s.deps.Store.View(ctx, shardOf(subscription), func(sn store.Snapshot) error {
		clear(taken)
		return sn.Scan(store.Prefix(prefix), func(k, _ []byte) bool {
			taken[string(k[len(prefix):])] = true
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, p := range sub.Prefixes {
		if !p.Addr().Is4() {
			continue
		}
		for a := p.Addr(); p.Contains(a) && len(out) < n; a = a.Next() {
			if usable(sub.Prefixes, a) && !mine[a] && !taken[a.String()] {
				out = append(out, a)
			}
		}
	}
	return out, nil
}

// shownNIC is an interface on the wire.
type shownNIC struct {
	State   string      `json:"provisioningState"`
	GUID    string      `json:"resourceGuid"`
	Configs []shownPart `json:"ipConfigurations"`
	Group   *reference  `json:"networkSecurityGroup,omitempty"`
	Primary bool        `json:"primary"`
}

func renderInterface(r *arm.Resource) (json.RawMessage, error) {
	n, err := decode[nic](r)
	if err != nil {
		return nil, err
	}
	out := shownNIC{State: "Succeeded", GUID: r.GUID, Configs: []shownPart{}, Primary: true}
	if n.Group != nil {
		out.Group = &reference{ID: n.Group.ID}
	}
	for _, x := range n.Configs {
		p := x.Properties
		p.Subnet = &reference{ID: p.Subnet.ID}
		props, err := json.Marshal(struct {
			State string `json:"provisioningState"`
			ipConfigProperties
		}{"Succeeded", p})
		if err != nil {
			return nil, err
		}
		out.Configs = append(out.Configs, shownPart{r.ID + "/ipConfigurations/" + x.Name, x.Name, r.ETag, interfaceTypeName + "/ipConfigurations", props})
	}
	return json.Marshal(out)
}

// checkAddress answers whether an address of the network is free, and which others are.
func (s *Service) checkAddress(ctx context.Context, c *arm.Call) (any, error) {
	a, err := netip.ParseAddr(c.Query("ipAddress"))
	if err != nil {
		return nil, bad("InvalidIPAddress", "The ipAddress %.64q is no IP address.", c.Query("ipAddress"))
	}
	subnets, err := s.networks.of(c.Old)
	if err != nil {
		return nil, err
	}
	for _, x := range subnets {
		if !x.subnet.Prefixes.Contains(a) {
			continue
		}
		const shown = 5
		free, err := s.free(ctx, c.ID.Subscription, &x.subnet, nil, 1<<16)
		if err != nil {
			return nil, err
		}
		out := struct {
			Available bool         `json:"available"`
			Others    []netip.Addr `json:"availableIPAddresses,omitempty"`
			Reserved  bool         `json:"isPlatformReserved"`
		}{Available: slices.Contains(free, a), Reserved: !usable(x.subnet.Prefixes, a)}
		if !out.Available {
			out.Others = free[:min(shown, len(free))]
		}
		return out, nil
	}
	return nil, bad("PrivateIPAddressNotInAnySubnet", "Private static IP address %s does not belong to the range of any subnet in the virtual network %s.", a, c.Old.ID)
}
