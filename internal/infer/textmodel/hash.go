package textmodel

import "strings"

// HashStart and HashPrime are FNV-1a's: a word's hash begins with the one; for each of its bytes (or characters) v it becomes (h ^ v) * HashPrime.
const (
	HashStart = 14695981039346656037
	HashPrime = 1099511628211
)

// Mix spreads a hash's bits, so that its high ones may name a bucket.
func Mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	return h
}

// Primary is the language of a tag, in lower case: pt of pt-BR, zh of zh_chs.
func Primary(tag string) string {
	if i := strings.IndexAny(tag, "-_"); i >= 0 {
		tag = tag[:i]
	}
	return strings.ToLower(tag)
}
