// Package enrol is how a machine's agent proves which machine it is: what enrolment left in a folder, and tokens for it.
//
// The folder (0700) holds, beside the queue:
//
//	agent.json   which machine this is and where the platform is
//	key.pem      the machine's private key (0600); it is made here and never leaves
//	root.pem     the platform's root certificate; no other is trusted
//
// A token is had for an assertion signed with the key (ES256), as the system-assigned identity of the machine's resource. Nothing else is kept that opens anything.
package enrol
