// Package reach is how clients get to the platform: the front door (one HTTPS listener for every service), the CONNECT proxy that sends Azure's host
// names there, the environment a client process is given, and the cloud metadata document that clients with a configurable cloud ask for.
//
// The proxy serves unmodified clients with real host names. It asks every client for credentials, since they say which process, and so which managed identity, is
// calling:
//
//	CONNECT kv1.vault.azure.net:443 HTTP/1.1
//	Proxy-Authorization: Basic aWQ6c2VjcmV0
//
//	HTTP/1.1 200 Connection established
//
// Inside the tunnel the client speaks TLS with the front door itself; nothing is copied between sockets. By plain HTTP the proxy serves the instance metadata service
// (169.254.169.254) and sites. This machine's own loopback is relayed, since clients send localhost to a proxy too. Any other host that is not Azure's is refused
// (403) unless the operator allowed passing through.
//
// The front door is net/http's server, with a lane beside it for requests that are answered at once: docs/adr/0007-lane.md.
//
// Package isolate below it serves clients that ignore proxies; package armclient the command lines of the tool of that name; package trust the stores of roots
// that browsers read. docs/reach.md tells the four ways with an example each.
package reach
