// Package linuxaudit reads the records of the Linux audit system and puts the records of an event together.
//
// The kernel tells of one event, such as the start of a program, in several records that share a time stamp and a serial number and that come
// interleaved with those of other events:
//
//	type=SYSCALL msg=audit(1492037291.036:59): arch=c000003e syscall=59 success=yes ... comm="grep" exe="/usr/bin/grep"
//	type=EXECVE msg=audit(1492037291.036:59): argc=3 a0="grep" a1="--color=auto" a2="mapping"
//	type=CWD msg=audit(1492037291.036:59):  cwd="/root"
//	type=PATH msg=audit(1492037291.036:59): item=0 name="/usr/bin/grep" ...
//	type=PROCTITLE msg=audit(1492037291.036:59): proctitle=67726570...
//
// A Reassembler takes such lines (from audit.log, from an audisp plugin) or messages (from netlink) in any order and hands out Events: decoded records,
// whole command lines, and the raw records for evidence. It never loses a part of a command line: arguments that the kernel spread over several
// records, or over several pieces of one argument, are joined, and what did not arrive is counted (Exec.Missing).
//
// Every byte is foreign: a malformed line is counted and skipped, a field that makes no sense is left at its zero value, and memory is bounded. Nothing
// is allocated per record or event once the buffers have grown; an Event is valid only until its handler returns.
//
// Left out: text that ausearch has interpreted (-i), and binary logs. Of enriched logs the appended names are kept (Record.Enriched), not used.
package linuxaudit
