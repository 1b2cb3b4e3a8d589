// Package seal encrypts the records of class secret (secret values, credentials, account and signing keys) before they
// reach any storage engine, and derives values that only this installation can.
//
// A sealed record is bound to its place: it opens only under the shard and key it was sealed for, so that a record
// copied elsewhere, or to another tenant's shard, stays closed. Layout:
//
//	1 byte    version, 1
//	8 bytes   id of the sealing key
//	12 bytes  nonce, random
//	n bytes   AES-256-GCM ciphertext
//	16 bytes  tag, over version, id, shard and key too
//
// Each shard has its own AES key, derived from the sealing key by HKDF-SHA-256. Several sealing keys may be known: the
// first seals, all of them open, and the last (the oldest) makes the MACs, which stay the same when a newer key is put
// in front.
//
// # The key ring
//
// Sealing keys, and the keys of the store's files, are kept in a key ring: one file, encrypted with a key of its own, which
// lies beside them once for each master that opens it. A master is a key in a file of mode 0600, a systemd credential or a
// passphrase (argon2id). Changing it rewrites that one file, in steps that a crash cannot make the data's last: see
// Ring.RotateFile. Before there was a key ring, the master key itself sealed; such a key becomes the ring's sealing key.
//
// What it leaves out: it hides neither the length of a record nor how often it changes, and does not detect that a
// whole record was replaced by an older one of the same place.
package seal
