// Package activity tells what a machine did, whoever reported it: the kernel's audit records, sshd's log, later others.
//
// A Normalizer makes an Event of a linuxaudit.Event; package authlog makes them of sshd's lines. Detection sees nothing but Events, so a program started is the same
// thing whether audit.log, netlink or a file given to a scan told of it:
//
//	Exec  pid 13393 (parent 12041) of session 2, signed in as 1000: /usr/bin/grep, "grep --color=auto 'model name' /proc/cpuinfo" in /srv
//
// Call numbers are read for x86-64, 32-bit x86 and 64-bit ARM. A call that no detection looks at is of the kind Other and keeps what it says.
package activity
