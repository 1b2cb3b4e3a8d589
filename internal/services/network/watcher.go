package network

import (
	"context"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
)

const watcherTypeName = "Microsoft.Network/networkWatchers"

func (s *Service) watcherType() arm.Type {
	return arm.Type{
		Name: watcherTypeName, Versions: versions(), Put: func(_ context.Context, c *arm.Call) error {
			c.New.Properties = json.RawMessage(`{"provisioningState":"Succeeded","runningOperationIds":[]}`)
			return checkName(c.New.Name)
		},
		Actions: []arm.Action{{Verb: "ipFlowVerify", Handler: s.verifyFlow}},
	}
}

// verifyFlow answers whether the security groups of an interface and of its subnet let a packet through, and which rule decides.
func (s *Service) verifyFlow(ctx context.Context, c *arm.Call) (any, error) {
	target := c.Body.String("targetNicResourceId")
	if target == "" {
		target = c.Body.String("targetResourceId")
	}
	id, err := arm.ParseID(target)
	if err != nil {
		return nil, err
	}
	if id.Collection() || !strings.EqualFold(id.Type(), interfaceTypeName) {
		return nil, fault.New(fault.NotImplemented, "NotImplemented", "IP flow verification is implemented for network interfaces: name one by targetNicResourceId or targetResourceId.")
	}
	if err := arm.Linked(ctx, s.deps.Access, c, interfaceTypeName+"/read", id.String()); err != nil {
		return nil, err
	}
	r, _, err := s.deps.Resources.Resource(ctx, id.String())
	if err != nil {
		return nil, err
	}
	n, err := decode[nic](r)
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, bad("ResourceNotFound", "The network interface '%s' was not found.", id)
	}
	local, remote, flow, err := parseFlow(c.Body)
	if err != nil {
		return nil, err
	}
	var at *ipConfig
	for i := range n.Configs {
		if n.Configs[i].Properties.Address == local.Addr.String() {
			at = &n.Configs[i]
		}
	}
	if at == nil {
		return nil, bad("InvalidParameter", "The localIPAddress %s is no address of the network interface '%s'.", local.Addr, r.ID)
	}
	sub, err := s.Subnet(ctx, at.Properties.Subnet.ID)
	if err != nil {
		return nil, err
	}
	if sub == nil || sub.GUID != at.Properties.Subnet.GUID {
		return nil, bad("ResourceNotFound", "The subnet '%s' was not found.", at.Properties.Subnet.ID)
	}
	flow.LocalNetwork, flow.Source, flow.Destination = sub.Network, remote, local
	if flow.Direction == netrule.Outbound {
		flow.Source, flow.Destination = local, remote
	}
	var own *netrule.Group
	if n.Group != nil {
		if own, err = s.group(ctx, n.Group); err != nil {
			return nil, err
		}
	}
	return verdictOf(flow, sub.Group, own), nil
}

// flowVerdict is the answer of ipFlowVerify.
type flowVerdict struct {
	Access string `json:"access"`
	Rule   string `json:"ruleName"`
}

// verdictOf asks both groups in the order a packet meets them. Each must allow it.
func verdictOf(f netrule.Flow, subnet, own *netrule.Group) flowVerdict {
	order := []*netrule.Group{subnet, own}
	if f.Direction == netrule.Outbound {
		order = []*netrule.Group{own, subnet}
	}
	out := flowVerdict{Access: "Allow"}
	for _, g := range order {
		allow, by := g.Decide(f)
		if by != nil {
			out.Rule = by.String()
		}
		if !allow {
			out.Access = "Deny"
			return out
		}
	}
	return out
}

func parseFlow(body arm.Object) (local, remote netrule.Peer, f netrule.Flow, err error) {
	switch d := body.String("direction"); {
	case strings.EqualFold(d, "Inbound"):
	case strings.EqualFold(d, "Outbound"):
		f.Direction = netrule.Outbound
	default:
		return local, remote, f, bad("InvalidParameter", "The direction %.60q is neither Inbound nor Outbound.", d)
	}
	f.Protocol = strings.ToLower(body.String("protocol"))
	if f.Protocol != "tcp" && f.Protocol != "udp" {
		return local, remote, f, bad("InvalidParameter", "The protocol %.60q is neither TCP nor UDP.", f.Protocol)
	}
	if local, err = parsePeer(body, "local"); err == nil {
		remote, err = parsePeer(body, "remote")
	}
	return local, remote, f, err
}

func parsePeer(body arm.Object, side string) (netrule.Peer, error) {
	text := body.String(side + "IPAddress")
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netrule.Peer{}, bad("InvalidParameter", "The %sIPAddress %.64q is no IP address.", side, text)
	}
	text = body.String(side + "Port")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return netrule.Peer{}, bad("InvalidParameter", "The %sPort %.64q is no port from 0 to 65535.", side, text)
	}
	return netrule.Peer{Addr: a.Unmap(), Port: uint16(port)}, nil
}
