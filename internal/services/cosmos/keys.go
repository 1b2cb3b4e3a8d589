package cosmos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// accountKeys are an account's four keys. They print as redacted.
type accountKeys struct {
	Keys      [gateway.KeyCount]string    `json:"keys"` // base64
	Generated [gateway.KeyCount]time.Time `json:"generated"`
}

// LogValue implements slog.LogValuer.
func (accountKeys) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String implements fmt.Stringer.
func (accountKeys) String() string { return "[redacted]" }

var keysCodec = store.Codec[accountKeys]{Kind: 'K', Version: 1}

func keysKey(guid string) []byte { return []byte("s|cosmos|keys|" + guid) }

// subscriptionShard is where a resource of the subscription lives.
func subscriptionShard(id string) string { return "sub/" + id }

// sealedKeys is a row ready to be put.
type sealedKeys struct {
	key, value []byte
	old        []byte // what the row must hold before; nil: nothing
}

func newKeys(now time.Time) *accountKeys {
	k := &accountKeys{}
	for i := range k.Keys {
		k.Keys[i], k.Generated[i] = masterkey.Generate(), now
	}
	return k
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

func openKeys(sealer Sealer, shard, guid string, sealed []byte) (*accountKeys, error) {
	raw, err := sealer.Open(shard, keysKey(guid), sealed)
	if err != nil {
		return nil, fmt.Errorf("open keys of account %s: %w", guid, err)
	}
	k, err := keysCodec.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("decode keys of account %s: %w", guid, err)
	}
	return &k, nil
}

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

// errNoKeys is of an account that is gone, or not yet all there.
var errNoKeys = errors.New("it has no keys")

// loadKeys reads an account's keys and the row they came from.
func (s *Service) loadKeys(ctx context.Context, shard, guid string) (*accountKeys, []byte, error) {
	var raw []byte
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		b, err := sn.Get(keysKey(guid))
		raw = bytes.Clone(b)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if raw == nil {
		return nil, nil, fmt.Errorf("account %s: %w", guid, errNoKeys)
	}
	k, err := openKeys(s.deps.Sealer, shard, guid, raw)
	return k, raw, err
}
