// Command frontend is the front-end service of a publisher who keeps each customer's background checks in that customer's own Cosmos DB account.
//
// It holds no access to any customer's data. For every request it becomes, for that request only, the daemon application of the customer who calls: managed
// identity -> the daemon's credential in the publisher's Key Vault -> a token as the daemon -> the keys of the one account the daemon has a role on -> documents.
// Nothing of that is kept. So a key, secret or certificate may be replaced at any time, and whoever steals one of them has opened one compartment.
//
// It uses Azure's SDKs and public endpoints alone.
package main
