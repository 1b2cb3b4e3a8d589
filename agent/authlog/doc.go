// Package authlog reads the log of sign-ins that syslog keeps (auth.log, secure): sshd's lines, sudo's, su's and those of the programs that change accounts. testdata
// has the logs of the distributions it is known to read.
//
//	Dec 10 11:02:44 LabSZ sshd[25399]: Failed password for invalid user admin from 183.62.140.253 port 42294 ssh2
//
// is an attempt of "admin", an account that doesn't exist, from 183.62.140.253. Lines begin with the time of old ("Dec 10 11:02:44", in the machine's time zone, without
// a year) or with RFC 3339's, and as journalctl writes them. "message repeated N times: [ ... ]" tells of N attempts.
//
// Who connects chooses the account's name, with blanks and whatever else: so a line is read from its right end, where the name can't reach, and an address
// written into a name is part of the name. What the same attempt is told by besides (PAM's line, "Invalid user", the disconnect) is an Auth event, which nobody
// counts as an attempt. Lines that tell nothing are skipped.
package authlog
