// Package cognitive is Azure Cognitive Services: the resource type Microsoft.CognitiveServices/accounts and what its accounts serve.
//
// # What it models
//
// An account has a kind (TextAnalytics, Face, ComputerVision, or CognitiveServices for all of them), a SKU, two keys and a place: its region's endpoint
// {region}.api.cognitive.microsoft.com, which accounts share, and, if it has a custom subdomain, {name}.cognitiveservices.azure.com. The APIs are values (package api) that
// are given to New; here they stand behind keys or tokens, network rules, rate limits and quotas. Package container serves the same values on a port of their own.
//
// # Keys
//
// A key has 84 letters and digits. Its end names the account it is of (keys.go): that is how a region's endpoint finds the account, by way of package names, without a
// table of keys. Keys are sealed at rest.
//
// # Usage
//
// Transactions are counted by month and feature in the account's own shard (usage.go): of the free SKU with each request, before it is answered, since its quota depends on
// it; of others once a second. Containers report theirs to POST /containers/v1.0/usage (billing.go); a report that is sent again counts once.
//
// # Invariants
//
//   - A key or token is checked before anything is told, also whether there is such an operation's model.
//   - The key of an account of another kind is refused like a wrong one.
//   - A deleted account answers nobody from the moment the call returns. It can be restored with its keys, data and names for 48 hours (deleted.go), until it is purged.
//   - A regenerated key is refused from the moment the call returns.
//
// # What it leaves out
//
// Private endpoints, customer-managed keys, deployments and commitment plans are refused or absent. See
// docs/divergences/cognitive.md.
//
// # One exchange
//
//	POST /text/analytics/v3.1/languages HTTP/1.1
//	Host: westeurope.api.cognitive.microsoft.com
//	Ocp-Apim-Subscription-Key: wrong
//
//	HTTP/1.1 401 Unauthorized
//
//	{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription
//	 and use a correct regional API endpoint for your resource."}}
package cognitive
