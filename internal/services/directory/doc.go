// Package directory is the platform's Entra ID: tenants, users, groups, applications, service principals, the token endpoints and a part of Microsoft Graph.
//
// Hosts: login.microsoftonline.com and its aliases (tokens, discovery), graph.microsoft.com (v1.0: what az ad and provisioning call), the admin socket
// (tenants, applications, users). It also keeps the service principals of managed identities, whose ids their owners choose.
//
// Invariants:
//
//   - A tenant's rows live in its own shard, tenant/<guid>, under "D|"; the list of tenants and their domain names in the shard platform. An application
//     lives in one tenant; service principals of it may live in several. Azure's own applications have a service principal in every tenant, made of no row.
//
//   - A client secret is stored only as a keyed MAC and shown once, a certificate only in its public form, a password as the keyed MAC of its argon2id. No
//     credential is ever read back. argon2id runs outside of transactions, a few at a time.
//
//   - Signing in reads the rows as of the store's last commit: a removed credential, application, user or service principal is refused at the next request.
//     Group membership is not taken from tokens: Standing reads it anew for each call, through groups in groups.
//
//   - What is deleted through Graph is kept for 30 days and may be restored, with its memberships, roles and consents; until then nothing counts that names it.
//
//   - A token's audience is the string the client asked for (version 1.0) or the API's client id (2.0); the version is the API's choice.
//
//   - What a client or browser holds of a sign-in (code, refresh token, device code, session cookie) is an artifact: the id of a row under a MAC. The rows are in
//     shards of their own, signin/<guid> and signin, and end by themselves; the artifacts are nowhere. A code, and a device code, is used once by a
//     transaction, also across a crash. A page keeps nothing until its user has signed in: the request travels in the form, sealed.
//
//   - A sign-in counts only while its user is there, enabled, and has the password it was made with, and while client and consent are there: looked up at
//     each use.
//
//   - An id_token opens nothing: it has no idtyp, and verification refuses it.
//
//   - Keys are fetched from foreign issuers only when the operator names the issuer and an application has a federated credential of it.
//
// Files: token.go has the endpoint, grant_*.go a grant each; authorize*.go, signin*.go and consent.go the pages; federated*.go other issuers' tokens. What of
// Entra ID and Graph is missing is in docs/divergences/directory.md.
//
// One exchange:
//
//	POST /contoso.onmicrosoft.com/oauth2/v2.0/token
//	client_id=...&client_secret=...&grant_type=client_credentials&scope=https://vault.azure.net/.default
//
//	200 {"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"eyJ0..."}
package directory
