package network

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/ids"
)

const subnetTypeName = networkTypeName + "/subnets"

func (s *Service) subnetType() arm.Type {
	return partOf(arm.Type{
		Name: subnetTypeName, Versions: versions(), Untracked: true, Put: s.putSubnet, Commit: commit, Render: s.renderSubnet, Delete: s.deleteSubnet, CommitDelete: commit,
	}, func(n *network, whole *arm.Resource) ([]*arm.Resource, error) { return resources(n.Subnets, whole) })
}

// resource is the subnet as a resource of its own.
func (s subnet) resource(network *arm.Resource) (*arm.Resource, error) {
	props, err := json.Marshal(s.Properties)
	return &arm.Resource{
		ID: subnetID(network.ID, s.Name), Name: s.Name, Type: subnetTypeName, Properties: props, ETag: network.ETag, GUID: s.GUID,
		Created: network.Created, Changed: network.Changed, By: network.By,
	}, err
}

func (s *Service) putSubnet(ctx context.Context, c *arm.Call) error {
	if err := refuse(c.Body.Object("properties"), subnetLacks()); err != nil {
		return err
	}
	old, err := decode[network](c.Parent)
	if err != nil {
		return err
	}
	sub := subnet{Name: c.ID.Name()}
	if err := c.Body.Decode("properties", &sub.Properties); err != nil {
		return err
	}
	if err := s.adopt(ctx, c, c.Parent.Location, &sub, old); err != nil {
		return err
	}
	fresh := *old
	fresh.Subnets = slices.Clone(old.Subnets)
	if was := fresh.find(sub.Name); was != nil {
		*was = sub
	} else {
		fresh.Subnets = append(fresh.Subnets, sub)
	}
	if err := fresh.check(c.Parent.Name, c.Parent.ID); err != nil {
		return err
	}
	c.New.ID, c.New.Name, c.New.GUID = subnetID(c.Parent.ID, sub.Name), sub.Name, sub.GUID
	if c.New.Properties, err = json.Marshal(sub.Properties); err != nil {
		return err
	}
	return wholeOf(c, old, &fresh, c.New.ETag)
}

func (s *Service) deleteSubnet(_ context.Context, c *arm.Call) error {
	old, err := decode[network](c.Parent)
	if err != nil {
		return err
	}
	fresh := *old
	fresh.Subnets = slices.DeleteFunc(slices.Clone(old.Subnets), func(sub subnet) bool { return strings.EqualFold(sub.Name, c.ID.Name()) })
	return wholeOf(c, old, &fresh, ids.New())
}

// wholeOf prepares the row of the network that a subnet's change makes.
func wholeOf(c *arm.Call, old, fresh *network, etag string) error {
	w, err := changeOf(c.Parent.ID, old, fresh)
	if err != nil {
		return err
	}
	if w.row, err = rowWith(c, fresh, etag); err != nil {
		return err
	}
	c.Prepared = w
	return nil
}

// rowWith is the row of the call's parent with other properties.
func rowWith(c *arm.Call, properties any, etag string) (*arm.Row, error) {
	whole := *c.Parent
	whole.ETag, whole.Changed, whole.By = etag, c.Time, c.Principal.ObjectID
	var err error
	if whole.Properties, err = json.Marshal(properties); err != nil {
		return nil, err
	}
	row, err := arm.NewRow(&whole)
	return &row, err
}

// subnetLacks are properties of subnets that this platform has not.
func subnetLacks() map[string]string {
	return map[string]string{
		"routeTable": "Route tables", "natGateway": "NAT gateways", "serviceEndpointPolicies": "Service endpoint policies", "ipAllocations": "IP allocations of subnets",
		"applicationGatewayIPConfigurations": "Application gateways", "sharingScope": "Shared subnets", "ipamPoolPrefixAllocations": "Address pools",
	}
}

// services are those a subnet can have an endpoint of.
func services() []string {
	return []string{
		"Microsoft.AzureCosmosDB", "Microsoft.KeyVault", "Microsoft.Web", "Microsoft.Storage", "Microsoft.Storage.Global", "Microsoft.Sql", "Microsoft.EventHub", "Microsoft.ServiceBus",
		"Microsoft.ContainerRegistry", "Microsoft.CognitiveServices", "Microsoft.AzureActiveDirectory",
	}
}

// listEndpointServices answers which services a subnet can have an endpoint of.
func listEndpointServices(_ context.Context, c *arm.Call) (any, error) {
	type service struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Type string `json:"type"`
	}
	out := []service{}
	for _, name := range services() {
		out = append(out, service{
			"/subscriptions/" + c.ID.Subscription + "/providers/Microsoft.Network/virtualNetworkEndpointServices/" + name, name, "Microsoft.Network/virtualNetworkEndpointServices",
		})
	}
	return map[string]any{"value": out}, nil
}

// settle checks what does not depend on other subnets and fills defaults in.
func (p *subnetProperties) settle(name, location string) error {
	if p.Prefix != "" && len(p.Prefixes) > 0 && !slices.Contains(p.Prefixes, p.Prefix) {
		return bad("InvalidRequestFormat", "The subnet %s has the addressPrefix %.64s, which is not among its addressPrefixes.", name, p.Prefix)
	}
	if len(p.Prefixes) > 0 {
		p.Prefix = ""
	}
	var kept []endpoint
	for _, e := range p.Endpoints {
		i := slices.IndexFunc(services(), func(known string) bool { return strings.EqualFold(known, e.Service) })
		if i < 0 {
			return bad("SubnetHasInvalidServiceEndpoint", "The service endpoint %.100q of the subnet %s is none of %s.", e.Service, name, strings.Join(services(), ", "))
		}
		e.Service = services()[i]
		if slices.ContainsFunc(kept, func(k endpoint) bool { return k.Service == e.Service }) {
			return bad("InvalidRequestFormat", "The subnet %s has the service endpoint %s twice.", name, e.Service)
		}
		if len(e.Locations) == 0 {
			e.Locations = []string{"*"}
			if e.Service == "Microsoft.Storage" || e.Service == "Microsoft.Sql" {
				e.Locations = []string{location}
			}
		}
		kept = append(kept, e)
	}
	p.Endpoints = kept
	for _, d := range p.Delegations {
		if d.Name == "" || d.Properties.Service == "" {
			return bad("InvalidRequestFormat", "A delegation of the subnet %s needs a name and properties.serviceName.", name)
		}
	}
	for _, c := range []struct {
		value *string
		name  string
		from  []string
	}{
		{&p.Private, "privateEndpointNetworkPolicies", []string{"Disabled", "Enabled", "NetworkSecurityGroupEnabled", "RouteTableEnabled"}},
		{&p.PrivateLink, "privateLinkServiceNetworkPolicies", []string{"Enabled", "Disabled"}},
	} {
		i := slices.IndexFunc(c.from, func(v string) bool { return strings.EqualFold(v, *c.value) })
		switch {
		case *c.value == "":
			*c.value = c.from[0]
		case i < 0:
			return bad("InvalidRequestFormat", "The %s of the subnet %s is %.100q; it is one of %s.", c.name, name, *c.value, strings.Join(c.from, ", "))
		default:
			*c.value = c.from[i]
		}
	}
	return nil
}

// shownSubnet is a subnet on the wire.
type shownSubnet struct {
	State       string            `json:"provisioningState"`
	Prefix      string            `json:"addressPrefix,omitempty"`
	Prefixes    []string          `json:"addressPrefixes,omitempty"`
	Group       *reference        `json:"networkSecurityGroup,omitempty"`
	Users       []reference       `json:"ipConfigurations,omitempty"`
	Endpoints   []shownEndpoint   `json:"serviceEndpoints"`
	Delegations []shownDelegation `json:"delegations"`
	Private     string            `json:"privateEndpointNetworkPolicies"`
	PrivateLink string            `json:"privateLinkServiceNetworkPolicies"`
	Outbound    *bool             `json:"defaultOutboundAccess,omitempty"`
}

type shownEndpoint struct {
	State string `json:"provisioningState"`
	endpoint
}

type shownDelegation struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Properties struct {
		State   string `json:"provisioningState"`
		Service string `json:"serviceName"`
	} `json:"properties"`
}

// shown renders the subnet of that id.
func (s *subnet) shown(id string, users []string) (json.RawMessage, error) {
	p := &s.Properties
	out := shownSubnet{
		State: "Succeeded", Prefix: p.Prefix, Prefixes: p.Prefixes, Endpoints: []shownEndpoint{}, Delegations: []shownDelegation{}, Private: p.Private, PrivateLink: p.PrivateLink,
		Outbound: p.Outbound,
	}
	if p.Group != nil {
		out.Group = &reference{ID: p.Group.ID}
	}
	for _, u := range users {
		out.Users = append(out.Users, reference{ID: u})
	}
	for _, e := range p.Endpoints {
		out.Endpoints = append(out.Endpoints, shownEndpoint{"Succeeded", e})
	}
	for _, d := range p.Delegations {
		x := shownDelegation{ID: id + "/delegations/" + d.Name, Name: d.Name, Type: subnetTypeName + "/delegations"}
		x.Properties.State, x.Properties.Service = "Succeeded", d.Properties.Service
		out.Delegations = append(out.Delegations, x)
	}
	return json.Marshal(out)
}

func (s *Service) renderSubnet(ctx context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	p, err := decode[subnetProperties](r)
	if err != nil {
		return nil, err
	}
	users, err := s.usersOf(ctx, c.ID.Subscription, r.GUID)
	if err != nil {
		return nil, err
	}
	return (&subnet{Name: r.Name, Properties: *p}).shown(r.ID, users[r.GUID])
}
