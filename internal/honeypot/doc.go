// Package honeypot is a decoy: SSH and telnet that look like a forgotten Linux machine, let intruders in by the passwords they try, and record what they do.
//
// It is of medium interaction: package shell answers commands from a file system in memory, package persona makes the machine up once per installation, package record
// keeps what happened. Nothing a visitor does reaches the host: no program is run, no file but the records is opened, no connection is made. Downloads are recorded by
// their address and fail as behind a firewall.
//
// What is learned of an intruder goes to Config.Observe at once, as Observations: addresses, domains, URLs, hashes of files, client fingerprints (HASSH), credentials
// and shingles of commands. Config.Attack is told of each visit, so that whoever knows our own machines can tell when one of them was the visitor.
//
// # Limits
//
// Connections in all and for each source, the time and the bytes of each, the memory of what each source wrote, the commands of each line and the size of the records are
// all bounded: see Limits. What a source wrote is there again at its next visit, until it has to make room.
//
// # What it does not hide
//
// Key exchange offers what x/crypto/ssh has, in OpenSSH's order: no sntrup761, no UMAC, no compression, so the fingerprint of the server is that of a hardened sshd, not of a
// distribution's default. Editors don't open, perl and python run nothing.
package honeypot
