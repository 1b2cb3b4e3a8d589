// Package netrule decides by a client's network: lists of addresses, subnets of virtual networks, and network security groups. It is pure: who asks loads
// what is asked about.
//
// # What a subnet is on one machine
//
// On Azure, traffic that leaves a subnet by a service endpoint carries the identity of the subnet. Here a client is known by the source address of its
// connection, as the kernel reports it: it is in a subnet if one of the subnet's prefixes contains that address. The platform makes no networks; whoever runs it
// gives machines, network namespaces or containers addresses of those prefixes and lets it listen where they can reach it. From that follows:
//
//   - Nobody outside can claim an address that is not routed back to them: a TLS handshake needs both directions. Who can put an address on an interface
//     of the machine, or of its network, is in the subnet. That is the trust to be placed in the network the platform listens on.
//   - A subnet is asked about only where a rule names it. Two virtual networks, also of two tenants, may have the same prefixes, as on Azure; here they are then
//     the same clients. A rule opens a resource to what its owner named, never to what somebody else declared.
//   - A client that comes through the platform's proxy has the address it had towards the proxy; one of exec --isolate comes from loopback, as do sites and
//     the platform's calls to itself.
//
// # A firewall
//
//	f := netrule.Firewall{Service: "Microsoft.KeyVault", Tags: netrule.ServiceTags("AzureKeyVault", "westeurope"), Subnets: rules, Addresses: list}
//	v, err := f.Admit(ctx, client, lookup)
//
// admits a client in a subnet that a rule names and that has the service's endpoint, if the subnet's security group lets it out to the service; else one whose
// address the list contains. A client in such a subnet is not looked for in the list: with the endpoint, Azure sees no public address of it.
//
// # Security groups
//
// A Group has rules for both directions, evaluated by priority, first match decides, with Azure's default rules at the end. Decide is what ipFlowVerify answers and
// what Admit asks. A service's address stands for its tags: the platform has one address for all services, which says nothing.
//
// Left out: application security groups, peered networks, routes.
package netrule
