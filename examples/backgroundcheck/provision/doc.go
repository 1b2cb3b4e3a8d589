// Command provision makes everything the background-check service needs, through the public APIs of Microsoft Graph, Azure Resource Manager, Key Vault, Cosmos DB and
// App Service. Tenants and subscriptions are there already; who signs in to each is said by the input (see Input).
//
// It may be run again: what is there stays, what is missing is made, and the service is deployed anew.
package main
