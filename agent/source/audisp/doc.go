// Package audisp is the source of events that the audit daemon hands to its plugins, through a Unix socket.
//
// auditd's plugin af_unix makes a socket (/var/run/audispd_events) and writes every record to who connects to it; so does this package, and connects again when the daemon was started anew.
// It can also be the one that listens, for a program that connects and writes records, such as a plugin of one's own. Records come as lines of text, in the plugin's
// format "string":
//
//	active = yes
//	direction = out
//	path = builtin_af_unix
//	type = builtin
//	args = 0640 /var/run/audispd_events
//	format = string
//
// (The daemon from version 3.1 on has path = /sbin/audisp-af_unix, type = always and args = 0640 /var/run/audispd_events string.) The format "binary" is told as an error.
//
// What is sent while nobody is connected is gone, and so is what the daemon's own queue (q_depth) can't hold: serials that never came tell of it. The daemon must not wait for
// us, since it makes the kernel's queue full and that the machine's processes slow: a goroutine that does nothing else moves what comes into bounded memory.
package audisp
