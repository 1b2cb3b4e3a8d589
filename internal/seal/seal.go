package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

const (
	// KeySize is the length of a key.
	KeySize = 32

	version   = 1
	idSize    = 8
	headSize  = 1 + idSize
	gcmExtra  = 12 + 16 // nonce and tag
	maxCached = 4096    // derived keys kept
)

// Errors of Open. ErrDamaged tells nothing of why, on purpose.
var (
	ErrDamaged    = errors.New("seal: record does not open: damaged, or not of this place")
	ErrUnknownKey = errors.New("seal: record was sealed with another sealing key")
	ErrVersion    = errors.New("seal: record has an unknown version")
)

// Sealer seals and opens. It is safe for concurrent use and prints as redacted.
type Sealer struct {
	masters []master // first: seals; last: makes MACs

	mu      sync.RWMutex
	derived map[derivedKey]cipher.AEAD
	macKeys map[string][]byte
}

type master struct {
	id  [idSize]byte
	key []byte
}

type derivedKey struct {
	id    [idSize]byte
	shard string
}

// New returns a Sealer that seals with current and also opens what the older keys sealed, newest first. Each has
// KeySize bytes, which are copied.
func New(current []byte, older ...[]byte) (*Sealer, error) {
	s := &Sealer{derived: map[derivedKey]cipher.AEAD{}, macKeys: map[string][]byte{}}
	for i, key := range append([][]byte{current}, older...) {
		if len(key) != KeySize {
			return nil, fmt.Errorf("seal: sealing key %d has %d bytes, must have %d", i+1, len(key), KeySize)
		}
		m := master{key: append([]byte(nil), key...)}
		id, err := hkdf.Key(sha256.New, m.key, nil, "bulkhead seal v1 key id", idSize)
		if err != nil {
			return nil, fmt.Errorf("seal: derive key id: %w", err)
		}
		copy(m.id[:], id)
		s.masters = append(s.masters, m)
	}
	return s, nil
}

// KeyID names the sealing key that seals; it is no secret.
func (s *Sealer) KeyID() string { return hex.EncodeToString(s.masters[0].id[:]) }

// Current tells whether a sealed record was sealed with the present sealing key, so that rotation may pass it over.
func (s *Sealer) Current(sealed []byte) bool {
	return len(sealed) >= headSize && sealed[0] == version && [idSize]byte(sealed[1:headSize]) == s.masters[0].id
}

// Seal encrypts plaintext for its place. Sealing the same twice gives different bytes.
func (s *Sealer) Seal(shard string, key, plaintext []byte) ([]byte, error) {
	m := s.masters[0]
	aead, err := s.aead(m, shard)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, headSize+gcmExtra+len(plaintext))
	out = append(append(out, version), m.id[:]...)
	return aead.Seal(out, nil, plaintext, aad(m.id, shard, key)), nil
}

// Open decrypts what Seal made for the same place.
func (s *Sealer) Open(shard string, key, sealed []byte) ([]byte, error) {
	if len(sealed) < headSize+gcmExtra {
		return nil, ErrDamaged
	}
	if sealed[0] != version {
		return nil, fmt.Errorf("%w: %d, this program knows %d", ErrVersion, sealed[0], version)
	}
	id := [idSize]byte(sealed[1:headSize])
	for _, m := range s.masters {
		if m.id != id {
			continue
		}
		aead, err := s.aead(m, shard)
		if err != nil {
			return nil, err
		}
		plain, err := aead.Open(nil, nil, sealed[headSize:], aad(id, shard, key))
		if err != nil {
			return nil, ErrDamaged
		}
		return plain, nil
	}
	return nil, fmt.Errorf("%w: %x", ErrUnknownKey, id)
}

// MAC returns 32 bytes that depend on the shard and on each part, and that nobody without the sealing key can make:
// for keys that would otherwise name a secret, and for checking secrets of high entropy (compare with hmac.Equal).
func (s *Sealer) MAC(shard string, parts ...string) []byte {
	h := hmac.New(sha256.New, s.macKey(shard))
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		io.WriteString(h, p) //nolint:errcheck // a hash never fails
	}
	return h.Sum(nil)
}

func (s *Sealer) macKey(shard string) []byte {
	s.mu.RLock()
	k := s.macKeys[shard]
	s.mu.RUnlock()
	if k != nil {
		return k
	}
	k, err := hkdf.Key(sha256.New, s.masters[len(s.masters)-1].key, nil, "bulkhead seal v1 mac "+shard, sha256.Size)
	if err != nil {
		panic("seal: hkdf refused 32 bytes: " + err.Error()) // it refuses only more than 255 hashes' length
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.macKeys) >= maxCached {
		clear(s.macKeys)
	}
	s.macKeys[shard] = k
	return k
}

func (s *Sealer) aead(m master, shard string) (cipher.AEAD, error) {
	at := derivedKey{m.id, shard}
	s.mu.RLock()
	a := s.derived[at]
	s.mu.RUnlock()
	if a != nil {
		return a, nil
	}
	k, err := hkdf.Key(sha256.New, m.key, nil, "bulkhead seal v1 aes "+shard, 32)
	if err != nil {
		return nil, fmt.Errorf("seal: derive key: %w", err)
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if a, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.derived) >= maxCached {
		clear(s.derived)
	}
	s.derived[at] = a
	return a, nil
}

// aad is what the tag covers besides the ciphertext; the length keeps shard and key apart.
func aad(id [idSize]byte, shard string, key []byte) []byte {
	b := make([]byte, 0, headSize+8+len(shard)+len(key))
	b = append(append(b, version), id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(shard)))
	return append(append(b, shard...), key...)
}

const redacted = "[redacted]"

// String implements fmt.Stringer.
func (s *Sealer) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (s *Sealer) GoString() string { return redacted }

// Format implements fmt.Formatter: no verb shows a key.
func (s *Sealer) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) } //nolint:errcheck // nothing to do about it

// LogValue implements slog.LogValuer.
func (s *Sealer) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (s *Sealer) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
