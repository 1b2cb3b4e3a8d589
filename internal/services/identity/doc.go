// Package identity is the managed identity endpoint: where a process that runs as an Azure resource gets tokens without holding a credential.
//
// Host: plain HTTP on loopback (wire.HostMachine). Paths: /msi/token, in any case, with or without a final slash.
// Versions: 2019-08-01 (header X-IDENTITY-HEADER) and 2017-09-01 (header Secret), as App Service serves them.
//
// Each process gets a secret of its own from Register when it is started; it stands for one resource and is kept in memory only, as a hash. Which identity the
// resource has is read at each request: of a site that was deleted, or whose identity was taken away, the very next request is refused.
//
//	GET /msi/token?api-version=2019-08-01&resource=https://vault.azure.net
//	X-IDENTITY-HEADER: 3f0c..
//
//	200 {"access_token":"eyJ..","client_id":"..","expires_on":"1586984735","resource":"https://vault.azure.net","token_type":"Bearer"}
//
// Left out: user-assigned identities and the instance metadata service (IMDS), whose path answers 400 and says so.
package identity
