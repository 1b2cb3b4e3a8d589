// Package packed tells whether a program's file is packed: written by UPX or the like, so that what it does is only to be seen once it has unpacked itself in memory. Software that is
// installed hardly ever is; what an intruder brings along often is, to be small and to look like nothing known.
//
// Two things are looked for in an ELF file, of which no more than a bounded part is read: the mark that UPX leaves, and code that has the look of chance (its bytes are spread so evenly that it
// can't be instructions). A Checker looks at the file of a program once, when it is first started from somewhere else than where the system keeps its programs.
//
// It also takes the file's hash (SHA-256), that of a script where an interpreter was told to run one: detection compares it with hashes of known attackers' files, and knows by it whether a
// recurring job is what it was.
package packed
