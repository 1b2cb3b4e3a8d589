// Package memfs is the file system that visitors of the honeypot see: in memory from end to end.
//
// A Tree is what a persona's disk holds, made once and shared by all; an FS is one visitor's view of it, with what that visitor wrote, removed and moved lying over
// the tree. Nothing in this package, and nothing it imports, opens a file of the host; a test keeps that.
//
// An FS is bounded: so many bytes and so many files may be written into it, then it answers ErrNoSpace, as a full disk would. It checks owners and permissions
// roughly as Linux does (root may all; others by the owner's or the others' bits; groups are not looked at). Safe for concurrent use: a source may have several
// sessions at once.
package memfs
