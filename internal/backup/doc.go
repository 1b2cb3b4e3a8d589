// Package backup is the form of a backup: one file that holds every shard of a store as of one moment, and the files beside it.
//
// It is read and written in one pass, in bounded memory. What it leaves out: it is always whole, there are no increments.
//
//	16 bytes  "bulkhead backup\n"
//	4 bytes   length of the header, big endian
//	n bytes   Header, JSON in clear: formats, the key ring (which the master key opens), no name and no secret (unless the key itself was asked for)
//	frames    kind (1 byte), length (4 bytes, big endian), body
//
// A frame of kind 'D' or, the last one, 'E' is a piece of one zstd stream, sealed with the ring's sealing key (package seal) for its place: the header's
// digest, its number and its kind. So nobody without that key reads it, and a frame that was changed, left out, moved or cut off is found. A frame
// of kind 'X' holds, in clear, why the writer gave up.
//
// The stream in it is a sequence of entries; numbers are uvarints, strings have their length in front:
//
//	'S' name LSN               a shard; its records follow
//	'K' key value              a record
//	'F' path mode {chunk} 0    a file, in chunks of some length; the path has forward slashes and stays inside the data folder
//	'T' shards records files bytes sha256    the end: how much there was, and the digest of all before
package backup
