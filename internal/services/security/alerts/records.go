package alerts

import "github.com/bulkheadhq/bulkhead/internal/store"

// The shard security/<subscription id> holds, beside what other packages of the service keep there:
//
//	A|<name>    an alert (Record): newest first
//	K|<key>     the name of the latest alert of a Key, by the SHA-256 of it
//
// The engine's own keys are in its records.go.

// Shard is that of a subscription's alerts.
func Shard(subscription string) string { return "security/" + subscription }

// Record is how an alert is stored.
var Record = store.Codec[Alert]{Kind: 'A', Version: 1}

// RecordKey is where the alert of a name is stored, in Shard.
func RecordKey(name string) []byte { return []byte("A|" + name) }

// Records is the range of all alerts of a shard.
func Records() store.Range { return store.Prefix([]byte("A|")) }
