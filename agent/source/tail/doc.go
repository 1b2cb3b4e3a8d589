// Package tail is the source of events that a growing log file tells: audit.log, or the log of sign-ins (auth.log, secure).
//
// A file is known by its inode and by the sum of its first bytes, not by its name, so that it is found again after it was rotated, in each of these ways:
//
//	renamed     audit.log becomes audit.log.1, a new audit.log begins: the old one is read to its end first, and any rotated between the two
//	copied      the log is copied, then cut to nothing (copytruncate): what wasn't read yet is read from the copy
//	compressed  audit.log.2.gz: it is read only if it has something that wasn't read yet
//
// A position is where in which file the next line begins, with the records of audit events whose end hasn't come. A source that goes on from a position delivers what came after
// it, once, whatever happened to the files meanwhile; what can't be found any more is told as lost.
//
// A last line without its end is left until the rest comes, or the file has been rotated. Longer lines than any log has are passed over and counted.
package tail
