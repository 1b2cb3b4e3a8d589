// Package cipherfs is a vfs.FS for Pebble that encrypts the content of every file: tables, write-ahead logs, manifests, options.
//
// # A file
//
// Each file begins with a header of HeaderSize bytes; positions and sizes that callers see do not count it. The header travels with the
// content, so links, renames and copies of the raw file stay readable.
//
//	8 bytes   magic
//	1 byte    version, 1
//	7 bytes   zero
//	8 bytes   id of the data key
//	24 bytes  file id, random
//	16 bytes  HMAC-SHA-256 over the above, cut, by a key derived from the data key
//
// From data key and file id HKDF-SHA-256 derives the file's own AES-256 key and first counter block; the content is AES-256-CTR. A file id is
// drawn anew whenever a file is created AND whenever one is reused for writing, as Pebble does with its logs, so that no two contents are ever
// encrypted with the same keystream. For the same reason nothing is ever written twice in place: WriteAt appends, or fails with
// ErrOverwrite. Pebble, as the engine configures it, only ever appends.
//
// # Crashes
//
// The header is synced before Create or ReuseForWrite returns. A file that ends inside its header, or is nothing but zeros as long as one,
// was cut off by a crash before anybody wrote into it, and reads as empty. Any other header that is not ours is ErrHeader, and one made with
// a key we don't have is ErrKey. What a reused log holds beyond what was written since is random bytes, which Pebble's log reader takes
// for the end, as it does with the remains of the log that lay there before.
//
// # What it does not do
//
// It hides content from whoever gets at the disk, a backup or a copy of the folder. It hides neither names, numbers and sizes of files, nor
// when they change. It does not authenticate content: counter mode lets one who can write to the disk flip bits unseen by this package, or
// put an older file back. Pebble's checksums find damage by chance but are no defence against purpose; records of class secret are sealed
// besides (package seal), with AES-GCM bound to their place, so what matters most cannot be altered unnoticed. Whole-file
// authentication was not chosen: it needs a tag a page, which moves every offset, and still would not stop an older state of the whole
// folder from being put back.
//
// # Cost
//
// Writes are encrypted in the caller's slice, as vfs.File allows, by one running stream: no copy and no allocation. ReadAt decrypts in place;
// the counter state for a place costs one small allocation, none for reads of at most smallRead bytes.
package cipherfs
