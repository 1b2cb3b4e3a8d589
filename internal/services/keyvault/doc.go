// Package keyvault is Azure Key Vault: the resource type Microsoft.KeyVault/vaults and the data plane behind {vault}.vault.azure.net.
//
// # What it models
//
// A vault is an ARM resource in its subscription's shard and a data shard of its own, vault/<guid>, named by the resource's immutable id. The data
// plane finds the vault by host name (package names), reads its properties through arm.Reader, which is never older than the last commit, and so sees a
// changed access policy or firewall rule at once.
//
// Objects are secrets, certificates and keys. A certificate is three objects of one name and version, as on Azure: the certificate, the key (public part
// readable) and the secret that holds key and chain as PFX or PEM. Keys cannot be created or used by themselves yet.
//
// # Invariants
//
//   - Every request proves who it is before it learns anything, even whether its body is well-formed: the SDKs send their first request without token
//     and body, to be challenged.
//   - A token counts only if it is for Key Vault and of the vault's own tenant.
//   - A name is stored nowhere in clear but in audit records, a value nowhere at all: records are sealed whole, keys carry an HMAC of the folded name.
//   - All writes of one operation, its audit record included, are one transaction.
//
// # What it leaves out
//
// Key operations, issuers other than Self, pending certificates that wait for a merge, contacts, storage accounts and virtual network rules are refused
// with an error that names them. See docs/divergences/keyvault.md.
//
// # One exchange
//
//	GET /secrets/db-password/?api-version=7.4 HTTP/1.1
//	Host: kv1.vault.azure.net
//
//	HTTP/1.1 401 Unauthorized
//	WWW-Authenticate: Bearer authorization="https://login.microsoftonline.com/{tenant}", resource="https://vault.azure.net"
//
// and, with a token,
//
//	HTTP/1.1 200 OK
//
//	{"value":"...","id":"https://kv1.vault.azure.net/secrets/db-password/{version}","attributes":{"enabled":true,"created":1,"updated":1,
//	 "recoveryLevel":"Recoverable+Purgeable","recoverableDays":90}}
package keyvault
