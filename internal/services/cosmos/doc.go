// Package cosmos is Azure Cosmos DB for NoSQL: the resource type Microsoft.DocumentDB/databaseAccounts on the control plane, and the
// data plane {account}.documents.azure.com.
//
// An account's settings are its resource in the subscription's shard, its four keys a sealed row beside it (s|cosmos|keys|guid), so that a
// regenerated key, a firewall change or a deletion counts from the moment the call that made it returns. Databases and containers live in account/<guid>,
// documents in range/<guid>. Data-plane roles and their assignments are rows beside the keys (s|cosmos|role|guid|id, s|cosmos|grant|guid|id), by
// the account's guid and with scopes relative to it. sqlDatabases, containers, their scripts and throughputSettings are resources without rows: a view of the catalog.
//
//	masterkey  the authorization header and its signatures     rid, pkey  resource ids and partition keys
//	catalog    databases, containers, offers, users             items      documents of a range
//	query      the SQL engine                                   gateway    the REST protocol on top of them
//	index      indexing policies, terms, the planner
//
// Faithful: authorization with four keys, resource tokens and data-plane roles, IP firewall, CORS, disableLocalAuth, create/read/replace/upsert/delete/patch/batch of documents with
// partition keys, etags and session tokens, feeds and queries with continuation, offers (enforced by token buckets). One region.
// docs/divergences/cosmos.md says what differs from Azure. Worked exchange: gateway/testdata.
package cosmos
