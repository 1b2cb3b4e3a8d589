// Package scan looks through logs that a machine has written, audit.log or sshd's, and tells what detect finds in them.
//
// Files are read once, in the order given, line by line; ".gz" ones are unpacked on the way. Records that name their machine (node=, the host of syslog's lines) are
// kept apart by it. Several findings of the same kind in the same session are one Result with a count.
// Results that tell of one intruder are joined into an Incident (package correlate).
package scan
