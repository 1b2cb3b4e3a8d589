package keyvault

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Keys of a vault's shard. mac is the 32-byte HMAC of the folded name, so that a key tells nothing; kind is 's', 'c' or 'k'.
//
//	h|<kind>|mac            the live object: a copy of its newest version
//	v|<kind>|mac|version    each version (16 raw bytes), also while the object is deleted
//	d|<kind>|mac            the soft-deleted object: its newest version and when it goes
//	q|c|mac                 the last operation of a certificate
//	i|c|mac                 a certificate issuer, by the MAC of its name
//	g|c|contacts            the certificate contacts
//	r|k|mac                 the rotation policy of a key, also while it is deleted
//	p|time|<kind>|mac       what is to be purged at that time (big-endian seconds); no value
//	t|time|<kind>|mac       which live object is to be looked at then: it may be near its expiry or due for renewal; no value
//	e|time|id               what happened, for event subscribers (big-endian nanoseconds, 16 bytes)
//	m|v                     the vault's name, for workers that find the shard first; not sealed
//	m|t                     that every object of this shard has its timer; not sealed
//
// Values but those of p, t and m are sealed, bound to their own key.
const (
	tagHead    = 'h'
	tagVersion = 'v'
	tagDeleted = 'd'
	tagPending = 'q'
	tagPurge   = 'p'

	tagIssuer   = 'i'
	tagRotation = 'r'
	tagTimer    = 't'
	tagEvent    = 'e'
)

const macSize = 32

// record is one version of a secret, certificate or key as stored.
type record struct {
	Name        string            `json:"n"`
	Version     string            `json:"v"`
	Enabled     bool              `json:"e"`
	NotBefore   *int64            `json:"nb,omitempty"` // unix seconds, as all times here
	Expires     *int64            `json:"ex,omitempty"`
	Created     int64             `json:"c"`
	Updated     int64             `json:"u"`
	Tags        map[string]string `json:"t,omitempty"`
	ContentType string            `json:"ct,omitempty"`
	Managed     bool              `json:"m,omitempty"` // belongs to the certificate of the same name

	Told notice `json:"told,omitempty"`

	Value string `json:"val,omitempty"` // a secret's

	Certificate []byte  `json:"cer,omitempty"` // a certificate's, DER
	Policy      *policy `json:"pol,omitempty"`
	Issued      bool    `json:"iss,omitempty"` // by a merge

	PrivateKey []byte   `json:"key,omitempty"` // a key's, PKCS #8
	Operations []string `json:"ops,omitzero"`  // a key's; nil (as of a certificate's key): all of its type

	// Of a soft-deleted object.
	DeletedAt int64 `json:"del,omitempty"`
	PurgeAt   int64 `json:"pur,omitempty"`
}

// operation is the last operation of a certificate: what made its newest version, or what will make its next one.
type operation struct {
	Name       string    `json:"n"`
	CSR        []byte    `json:"csr"`
	RequestID  string    `json:"id"`
	Status     string    `json:"st"`
	Issuer     issuerRef `json:"iss"`
	TargetName string    `json:"tn"`

	// Of one that waits for its merge.
	PrivateKey []byte            `json:"key,omitempty"` // PKCS #8
	Policy     *policy           `json:"pol,omitempty"`
	Tags       map[string]string `json:"t,omitempty"`
	Enabled    *bool             `json:"e,omitempty"`

	Cancelled bool   `json:"can,omitempty"`
	Failure   string `json:"f,omitempty"` // of one that failed
}

var (
	recordCodec    = store.Codec[record]{Kind: 'K', Version: 1}
	operationCodec = store.Codec[operation]{Kind: 'Q', Version: 1}
	deletedCodec   = store.Codec[deletedVault]{Kind: 'V', Version: 1}
)

// kind is one of the three kinds of object.
type kind struct {
	tag     byte
	noun    string // "secret"
	plural  string // as in paths and permissions
	deleted string // "deletedsecrets"
	missing string // fault code of an absent one
	title   string // "Secret"
}

var (
	secrets      = &kind{'s', "secret", "secrets", "deletedsecrets", "SecretNotFound", "Secret"}
	certificates = &kind{'c', "certificate", "certificates", "deletedcertificates", "CertificateNotFound", "Certificate"}
	keys         = &kind{'k', "key", "keys", "deletedkeys", "KeyNotFound", "Key"}
)

func key(tag, kind byte, mac []byte) []byte {
	k := make([]byte, 0, 4+macSize+17)
	k = append(k, tag, '|', kind, '|')
	return append(k, mac...)
}

// versionKey is the key of one version; version has been checked to be 32 hexadecimal digits.
func versionKey(kind byte, mac []byte, version string) []byte {
	k := append(key(tagVersion, kind, mac), '|')
	raw, _ := hex.DecodeString(version)
	return append(k, raw...)
}

// timeKey is the key of an entry of p or t.
func timeKey(tag byte, at int64, kind byte, mac []byte) []byte {
	k := make([]byte, 0, 13+macSize)
	k = append(k, tag, '|')
	k = binary.BigEndian.AppendUint64(k, uint64(max(at, 0)))
	k = append(k, '|', kind, '|')
	return append(k, mac...)
}

// parseTimeKey undoes timeKey.
func parseTimeKey(k []byte) (at int64, kind byte, mac []byte, ok bool) {
	if len(k) != 13+macSize {
		return 0, 0, nil, false
	}
	return int64(binary.BigEndian.Uint64(k[2:])), k[11], k[13:], true
}

// mac names an object in its vault's shard.
func (s *Service) mac(v *vault, name string) []byte {
	return s.deps.Sealer.MAC(v.shard, "object", strings.ToLower(name))
}

// sealed is a record ready to be put.
type sealed struct{ key, value []byte }

func (s *Service) seal(shard string, key []byte, r *record) (sealed, error) {
	return sealRow(s, shard, key, recordCodec, *r)
}

func (s *Service) open(shard string, key, value []byte) (*record, error) {
	return openRow(s, shard, key, value, recordCodec)
}

// sealRow seals a value of any kind of record under its key.
func sealRow[T any](s *Service, shard string, key []byte, codec store.Codec[T], v T) (sealed, error) {
	raw, err := codec.Encode(v)
	if err != nil {
		return sealed{}, err
	}
	value, err := s.deps.Sealer.Seal(shard, key, raw)
	if err != nil {
		return sealed{}, fmt.Errorf("seal record: %w", err)
	}
	return sealed{key, value}, nil
}

// openRow undoes sealRow.
func openRow[T any](s *Service, shard string, key, value []byte, codec store.Codec[T]) (*T, error) {
	raw, err := s.deps.Sealer.Open(shard, key, value)
	if err != nil {
		return nil, fmt.Errorf("open record of %s: %w", shard, err)
	}
	v, err := codec.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("decode record of %s: %w", shard, err)
	}
	return &v, nil
}

// loadSealed reads what sealRow made, and the bytes it was read as; nil when there is none.
func loadSealed[T any](ctx context.Context, s *Service, shard string, key []byte, codec store.Codec[T]) (*T, []byte, error) {
	var raw []byte
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		b, err := sn.Get(key)
		raw = bytes.Clone(b)
		return err
	})
	if err != nil || raw == nil {
		return nil, nil, err
	}
	v, err := openRow(s, shard, key, raw, codec)
	return v, raw, err
}

// mark is what a vault's shard says of itself.
type mark struct {
	Name string `json:"name,omitempty"`
}

var markCodec = store.Codec[mark]{Kind: 'M', Version: 1}

func keyOfVault() []byte  { return []byte("m|v") }
func keyOfTimers() []byte { return []byte("m|t") }

// loaded is a record together with the bytes it was read as: a later transaction that finds the same bytes knows it is unchanged.
type loaded struct {
	*record
	raw []byte
}

// load reads and opens one record; nil when there is none.
func (s *Service) load(ctx context.Context, shard string, key []byte) (*loaded, error) {
	return s.loadIf(ctx, shard, nil, key)
}

// loadIf is load that finds nothing unless the key guard (nil: none) exists too.
func (s *Service) loadIf(ctx context.Context, shard string, guard, key []byte) (*loaded, error) {
	var raw []byte
	err := s.deps.Store.View(ctx, shard, func(sn store.Snapshot) error {
		raw = nil
		if guard != nil {
			if b, err := sn.Get(guard); b == nil || err != nil {
				return err
			}
		}
		b, err := sn.Get(key)
		raw = bytes.Clone(b)
		return err
	})
	if err != nil || raw == nil {
		return nil, err
	}
	r, err := s.open(shard, key, raw)
	if err != nil {
		return nil, err
	}
	return &loaded{r, raw}, nil
}

// unchanged is errChanged unless key still holds raw.
func unchanged(sn store.Snapshot, key, raw []byte) error {
	b, err := sn.Get(key)
	if err == nil && !bytes.Equal(b, raw) {
		err = errChanged
	}
	return err
}

func putAll(tx store.Tx, rows []sealed) error {
	for _, row := range rows {
		if err := tx.Put(row.key, row.value); err != nil {
			return err
		}
	}
	return nil
}

// deletedVault is a soft-deleted vault, in its subscription's shard at s|keyvault|deleted|<location>|<name>.
type deletedVault struct {
	ID         string            `json:"id"` // of the vault
	Name       string            `json:"name"`
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags,omitempty"`
	GUID       string            `json:"guid"`
	Properties json.RawMessage   `json:"properties"`
	Deleted    time.Time         `json:"deleted"`
	Purge      time.Time         `json:"purge"`
	Protected  bool              `json:"protected,omitempty"`
}

const deletedPrefix = "s|keyvault|deleted|"

func deletedVaultKey(location, name string) []byte {
	location = strings.ReplaceAll(strings.ToLower(location), " ", "") // "West Europe" is westeurope
	return []byte(deletedPrefix + location + "|" + strings.ToLower(name))
}
