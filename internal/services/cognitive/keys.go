package cognitive

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// hostKey is the kind of names under which accounts are found by their guid, which keys carry. No host answers to it.
const hostKey wire.HostKind = "cognitive-key"

// A key is randomLength random characters, keyMark, and the account's guid as a number of base 36 with locatorLength digits.
const (
	randomLength  = 52
	keyMark       = "JQQJ99"
	locatorLength = 26
	keyLength     = randomLength + len(keyMark) + locatorLength
)

// newKey makes a key of an account.
func newKey(guid string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	out := make([]byte, 0, keyLength)
	var room [64]byte
	for len(out) < randomLength {
		_, _ = rand.Read(room[:]) // never fails
		for _, b := range room {
			if int(b) < len(alphabet)*4 && len(out) < randomLength { // 248 of 256: each character is as likely as another
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	out = append(out, keyMark...)
	return string(out) + locator(guid)
}

// locator is a guid as keys carry it.
func locator(guid string) string {
	raw, _ := hex.DecodeString(strings.ReplaceAll(guid, "-", ""))
	text := strings.ToUpper(new(big.Int).SetBytes(raw).Text(36))
	return strings.Repeat("0", max(locatorLength-len(text), 0)) + text
}

// ownerOf is the guid a key carries, "" for what is no key.
func ownerOf(key string) string {
	if len(key) != keyLength || key[randomLength:randomLength+len(keyMark)] != keyMark {
		return ""
	}
	n, ok := new(big.Int).SetString(key[randomLength+len(keyMark):], 36)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return ""
	}
	var raw [16]byte
	h := hex.EncodeToString(n.FillBytes(raw[:]))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// accountKeys are an account's two keys. They print as redacted.
type accountKeys struct {
	Keys [2]string `json:"keys"`
}

// LogValue implements slog.LogValuer.
func (accountKeys) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String implements fmt.Stringer.
func (accountKeys) String() string { return "[redacted]" }

// holds tells whether key is one of the two, in the time it takes to look at both.
func (k *accountKeys) holds(key string) bool {
	found := 0
	for _, one := range k.Keys {
		found |= subtle.ConstantTimeCompare([]byte(one), []byte(key))
	}
	return found == 1
}

var keysCodec = store.Codec[accountKeys]{Kind: 'K', Version: 1}

func keysKey(guid string) []byte { return []byte("s|cognitive|keys|" + guid) }

// subscriptionShard is where a resource of the subscription lives.
func subscriptionShard(id string) string { return "sub/" + strings.ToLower(id) }

// sealedKeys is a row ready to be put.
type sealedKeys struct {
	key, value []byte
	old        []byte // what the row must hold before; nil: nothing
}

var errKeysChanged = errors.New("cognitive: the account's keys changed meanwhile")

// put writes the row unless someone else changed it meanwhile.
func (r *sealedKeys) put(tx store.Tx) error {
	b, err := tx.Get(r.key)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, r.old) {
		return errKeysChanged
	}
	return tx.Put(r.key, r.value)
}

func (s *Service) sealKeys(shard, guid string, k *accountKeys, old []byte) (*sealedKeys, error) {
	raw, err := keysCodec.Encode(*k)
	if err != nil {
		return nil, err
	}
	row := &sealedKeys{key: keysKey(guid), old: old}
	if row.value, err = s.deps.Sealer.Seal(shard, row.key, raw); err != nil {
		return nil, fmt.Errorf("seal keys of account %s: %w", guid, err)
	}
	return row, nil
}

// openedKeys is what an account's row holds, kept as long as the row is the same.
type openedKeys struct {
	sealed []byte
	keys   accountKeys
}

// loadKeys gives an account's keys, never older than the last commit.
func (s *Service) loadKeys(ctx context.Context, shard, guid string) (*openedKeys, error) {
	sealed, err := s.keys.Get(ctx, shard, string(keysKey(guid)))
	if err != nil {
		return nil, fmt.Errorf("keys of account %s: %w", guid, err)
	}
	if had, ok := s.opened.Load(guid); ok && bytes.Equal(had.(*openedKeys).sealed, sealed) {
		return had.(*openedKeys), nil
	}
	if len(sealed) == 0 {
		return nil, fault.New(fault.Unavailable, "503", "The account's keys are not there yet. Try again.")
	}
	raw, err := s.deps.Sealer.Open(shard, keysKey(guid), sealed)
	if err != nil {
		return nil, fmt.Errorf("open keys of account %s: %w", guid, err)
	}
	o := &openedKeys{sealed: sealed}
	if o.keys, err = keysCodec.Decode(raw); err != nil {
		return nil, fmt.Errorf("decode keys of account %s: %w", guid, err)
	}
	s.opened.Store(guid, o)
	return o, nil
}
