// Package gate stands between the clients of one MySQL server and the server: every connection is made through it.
//
// MySQL can't enforce what Azure's front does, so the gate does: which addresses may come (firewall rules, error 9000), that the connection is encrypted
// (error 9002), how many there may be (error 1040), and that a login may be written user@server. It ends TLS itself, so that the private key of the server's
// certificate is never in a file, and follows the exchange up to the server's verdict, so that each refused connection is counted once and with its reason.
// From the verdict on it only copies bytes.
//
// The server behind listens on a Unix socket alone. It learns the client's address from a PROXY protocol header, so its own user hosts, process list
// and log tell the truth.
//
// Left out: compression and authentication methods are the server's matter and pass through. A client certificate is not asked for, so accounts made with REQUIRE SSL
// or REQUIRE X509 can't log in: the server itself sees no TLS.
package gate
