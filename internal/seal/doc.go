// Package seal encrypts the records of class secret (secret values, credentials, account and signing keys) before they
// reach any storage engine, and derives values that only this installation can.
//
// A sealed record is bound to its place: it opens only under the shard and key it was sealed for, so that a record
// copied elsewhere, or to another tenant's shard, stays closed. Layout:
//
//	1 byte    version, 1
//	8 bytes   id of the master key
//	12 bytes  nonce, random
//	n bytes   AES-256-GCM ciphertext
//	16 bytes  tag, over version, id, shard and key too
//
// Each shard has its own AES key, derived from the master key by HKDF-SHA-256. Several master keys may be known: the
// first seals, all of them open, and the last (the oldest) makes the MACs, which stay the same when a newer master key
// is put in front. Rotation is: put a new key first, seal each record again, and leave the oldest where it is.
//
// What it leaves out: it hides neither the length of a record nor how often it changes, and does not detect that a
// whole record was replaced by an older one of the same place.
package seal
