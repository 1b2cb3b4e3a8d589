// Package identity is managed identities: the user-assigned ones as resources of their own, and the endpoints where a process that runs as an Azure resource gets tokens
// without holding a credential. What a resource's identity block says is the control plane's (package arm).
//
// Namespace: Microsoft.ManagedIdentity: userAssignedIdentities, their federatedIdentityCredentials, identities/default of any resource; api-versions from
// 2015-08-31-preview on, federated credentials from 2022-01-31-preview.
//
// Host: plain HTTP on loopback (wire.HostMachine), which the proxy also reaches by 169.254.169.254. Paths: /msi/token, in any case, with or without a final slash, as App
// Service serves it in 2019-08-01 (header X-IDENTITY-HEADER) and 2017-09-01 (header Secret); /metadata/identity/oauth2/token (header Metadata: true, from 2018-02-01 on) and
// /metadata/instance, the instance metadata service's.
//
// Who asks: at /msi/token, each process has a secret of its own from Register when it is started; it stands for one resource and is kept in memory only, as a hash. The metadata
// service has no secret; a process is known by its proxy credentials. Which identities the resource has is read at each request: of a site that was deleted, or an identity
// that was taken away or deleted, the very next request is refused.
//
// Which identity is meant: the one named by client id, object id or resource id. If none is named, /msi/token gives the system-assigned one or refuses; the metadata service
// also gives a user-assigned one if it is the only one. Refusals are 400, which no client tries again.
//
//	GET /msi/token?api-version=2019-08-01&resource=https://vault.azure.net&client_id=..
//	X-IDENTITY-HEADER: 3f0c..
//
//	200 {"access_token":"eyJ..","client_id":"..","expires_on":"1586984735","resource":"https://vault.azure.net","token_type":"Bearer"}
//
// The service principal of a user-assigned identity is made and removed by way of the outbox, its ids chosen before anything is stored. Issuer and subject of federated credentials are
// unique within an identity by rows that the same transaction writes; FederatedCredentials reads them for the token service.
//
// Left out: regional isolation, flexible federated credentials, everything of the instance metadata but the resource itself. See docs/divergences/identity.md.
package identity
