// Package gateway is the data plane of Cosmos DB accounts, {account}.documents.azure.com: the REST protocol that the SDKs speak in gateway mode
// (https://learn.microsoft.com/rest/api/cosmos-db/).
//
// The path of a request: the host name leads to the account, whose firewall is asked; the authorization header is checked against the account's
// four keys, and a read-only key only reads and queries; then the handler parses, and asks package catalog (databases, containers, offers)
// or package items (documents). Every successful answer carries a charge, and where documents are concerned the session token of their range.
//
// What is not here yet answers 501 and names it: users, permissions and resource tokens,
// conflicts, client encryption keys, the change feed, direct mode's addresses. Entra ID tokens are verified, and then refused
// for lack of a role, as accounts have no data-plane role assignments yet.
package gateway
