// Package machines is machines that run elsewhere and are watched from here: as resources, with an identity of their own, and as senders of what happened on them.
//
// Namespaces: Microsoft.HybridCompute/machines, api-versions from 2019-08-02-preview on, and, so that a machine may be known by the id it has in Azure,
// Microsoft.Compute/virtualMachines as a mere registration: nothing is started by it.
//
// # Enrolment
//
// A machine makes a key pair; the public half becomes part of its resource: the property clientPublicKey of a hybrid machine, the action enrolAgent of a virtual
// machine, both for whom roles allow it. From then on it gets tokens as the resource's system-assigned identity for assertions that it signs (Keys, which the token service
// asks at each request): there is no secret on the platform's side. Another key replaces the first; deleting the resource, or taking its identity away, ends all.
//
// # What a machine sends
//
// Routes on the control plane's host, for managed identities of machines only. Which machine it is about is read from the token, so none can send as another:
//
//	POST /bulkhead/agent/activity?sequence=7     a packed batch (agent/batch)
//
//	200 {"acknowledged":7}
//
//	POST /bulkhead/agent/heartbeat
//	{"agentVersion":"1.0","osName":"Debian GNU/Linux","facts":{"sshd.passwordauthentication":"yes"}}
//
//	200 {"acknowledged":7,"interval":60}
//
// What becomes of a batch is the Sink's affair; acknowledged is up to which it has everything. A number that was acknowledged before changes nothing. A platform that has
// too much to do answers 429 or 503 with Retry-After, one without room 507; batches that are none are refused for good (400, 413).
//
// A machine that said nothing for DisconnectedAfter is Disconnected. Its last word is kept in the shard "machines", apart from the resource: it is no change of that.
//
// What of Azure's machines is missing is in docs/divergences/machines.md.
package machines
