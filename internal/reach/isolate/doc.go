// Package isolate runs a command in namespaces of its own (user, mount, network, process) where Azure's host names lead to the platform. It serves clients that no
// proxy variable reaches: those that ignore it (@azure/cosmos on Node, Node's fetch, Java) and those with a certificate list of the system's alone.
//
// What the command sees there:
//
//	127.0.0.1:443         the front door, under every served name (resolv.conf names 127.0.0.1, which answers for served names and no others)
//	127.0.0.1:80          sites by plain HTTP
//	127.0.0.1:PORT        the front door again, for names under the own suffix
//	169.254.169.254:80    the instance metadata service
//	the system's CA file  the same roots and the platform's
//
// and nothing else: no other host, not even this machine's own loopback. Outside, nothing changes.
//
// A listening socket belongs to the namespace it was made in, whoever holds it. So the first process inside opens the sockets and passes them out; the parent, which
// stays outside, accepts on them and forwards each connection through the platform's proxy with the credentials of this one command. Those say who is calling; the
// command itself holds no credential for it. That first process then stays as process 1 of its namespace: when it or the parent ends, however that happens, the kernel
// kills everything the command started.
//
// Left out: exceptions for other hosts, and ways in to a server that the command starts.
package isolate
