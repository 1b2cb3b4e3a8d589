// Record runs a command and writes what the kernel's audit system tells of it, and of everything it starts, to a file in the form of audit.log. It wants root, and Linux.
//
//	record -out FILE [-append] [-auid N] [-connects] [-files] -- COMMAND [ARG...]
//
// The command runs signed in as a number that nobody has (-auid), which its descendants keep whatever account they change to: so the rules are about them alone, and the
// recording has nothing of the machine's other users. It is the material for measuring how often detection is wrong about honest work: "bulkhead scan FILE".
//
// The recording holds command lines as they were, secrets in them included. Keep it to yourself.
package main
