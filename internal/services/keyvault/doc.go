// Package keyvault is Azure Key Vault: the resource type Microsoft.KeyVault/vaults and the data plane behind {vault}.vault.azure.net.
//
// # What it models
//
// A vault is an ARM resource in its subscription's shard and a data shard of its own, vault/<guid>, named by the resource's immutable id. The data
// plane finds the vault by host name (package names), reads its properties through arm.Reader, which is never older than the last commit, and so sees a
// changed access policy or firewall rule at once.
//
// Objects are secrets, certificates and keys. A certificate is three objects of one name and version, as on Azure: the certificate, the key (public part
// usable) and the secret that holds key and chain as PFX or PEM. Keys of their own are RSA or EC and protected by software; what is done with them is in
// keyops.go, the algorithms in algorithms.go.
//
// A worker purges what was deleted long ago, rotates keys, renews self-signed certificates and tells of versions near their expiry. What it has to look at,
// and when, are timers in the vault's shard (due.go); what happened are events there (events.go).
//
// # Invariants
//
//   - Every request proves who it is before it learns anything, even whether its body is well-formed: the SDKs send their first request without token
//     and body, to be challenged.
//   - A token counts only if it is for Key Vault and of the vault's own tenant.
//   - A name is stored nowhere in clear but in audit records, a value nowhere at all: records are sealed whole, keys carry an HMAC of the folded name.
//   - All writes of one operation, its audit record and its events included, are one transaction.
//   - Keys are made outside transactions, a bounded number at a time (heavy.go). A private part never leaves but inside a backup or a certificate's secret.
//   - Who does not know what a worker did can read it: a rotation or renewal is in the audit trail as the vault's own deed.
//
// # What it leaves out
//
// Hardware modules and what needs one (symmetric keys, release), certificates from authorities, and storage accounts are refused with
// an error that names them. See docs/divergences/keyvault.md.
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
