// Package network is Microsoft.Network: virtual networks with their subnets, network security groups with their rules, network interfaces, and
// Network Watcher's IP flow verification. It has a control plane only (hosts management.azure.com); it makes no networks. What a subnet means on one machine
// is told in package netrule.
//
// Subnets and rules are a part of their network and group: one row holds the whole, so that checks for overlap, conflict and use are made against what is committed
// with them, and one etag covers it, as on Azure. As resources of their own (virtualNetworks/subnets, networkSecurityGroups/securityRules) they are views of it. What
// refers to what is kept in rows beside (s|network|use|...), in the same transaction.
//
// Other services learn a subnet's state by Subnet, through the cache that confirms the subscription's LSN: a removed endpoint, a changed rule, a deleted
// subnet count at the next call. A subnet has an immutable GUID: one that is made anew under an old name is another.
//
// Faithful: address spaces and their checks, service endpoints, security rules with service tags, default rules, first match by priority, refusals to delete what is in use,
// etags, join permissions on what is referred to. Left out, each with an error that names it: peerings, route tables, NAT gateways, endpoint policies, application
// security groups, private endpoints, public addresses. docs/divergences/network.md tells more.
//
// # One exchange
//
//	PUT .../providers/Microsoft.Network/virtualNetworks/v1/subnets/s1?api-version=2024-05-01
//	{"properties":{"addressPrefix":"10.0.1.0/24","serviceEndpoints":[{"service":"Microsoft.KeyVault"}]}}
//
//	201 Created
//	{"id":"...","name":"s1","etag":"...","properties":{"provisioningState":"Succeeded","addressPrefix":"10.0.1.0/24","serviceEndpoints":[...],...}}
package network
