// Package gateway is the data plane of Cosmos DB accounts, {account}.documents.azure.com: the REST protocol that the SDKs speak in gateway mode
// (https://learn.microsoft.com/rest/api/cosmos-db/).
//
// The path of a request: the host name leads to the account, whose firewall is asked; the authorization header is checked against the account's
// four keys, and a read-only key only reads and queries; then the handler parses, and asks package catalog (databases, containers, offers)
// or package items (documents). Every successful answer carries a charge, and where documents are concerned the session token of their range.
//
// What is not here answers 501 and names it: attachments, direct mode's addresses. Entra ID tokens are verified, and then judged by
// the account's data-plane role assignments.
package gateway
