package catalog

import (
	"context"
	"encoding/json"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/rid"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// EncryptionKey is a stored client encryption key of a database. The service never sees the key itself: clients wrap it with a key of Key Vault,
// encrypt by it, and find here how it was wrapped.
type EncryptionKey struct {
	Name     string            `json:"name"`
	Number   uint32            `json:"number"`
	Database uint32            `json:"database"`
	Time     int64             `json:"time"`
	ETag     string            `json:"etag"`
	Spec     EncryptionKeySpec `json:"spec"`
}

// EncryptionKeySpec is what clients say of a client encryption key.
type EncryptionKeySpec struct {
	Algorithm    string          `json:"encryptionAlgorithm"`
	Wrapped      []byte          `json:"wrappedDataEncryptionKey"`
	WrapMetadata json.RawMessage `json:"keyWrapMetadata"`
}

// RID is its resource id.
func (k *EncryptionKey) RID() rid.ID {
	return rid.NewClientEncryptionKey(rid.NewDatabase(k.Database), k.Number)
}

// encryptionAlgorithm is the one that the SDKs have.
const encryptionAlgorithm = "AEAD_AES_256_CBC_HMAC_SHA256"

func (s *EncryptionKeySpec) check() error {
	var wrap struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	switch {
	case s.Algorithm != encryptionAlgorithm:
		return invalid("The encryption algorithm '%s' of a client encryption key is not supported; it is %s.", s.Algorithm, encryptionAlgorithm)
	case len(s.Wrapped) == 0:
		return invalid("A client encryption key needs its wrappedDataEncryptionKey.")
	case json.Unmarshal(s.WrapMetadata, &wrap) != nil || wrap.Type == "" || wrap.Name == "" || wrap.Value == "":
		return invalid("The keyWrapMetadata of a client encryption key needs a type, a name and a value.")
	}
	return nil
}

var encryptionKeyCodec = store.Codec[EncryptionKey]{Kind: 'E', Version: 1}

func encryptionKeysPrefix(db uint32) []byte { return append(numbered('E', db), '|') }
func encryptionKeyKey(db uint32, name string) []byte {
	return append(encryptionKeysPrefix(db), name...)
}
func encryptionKeyNameKey(db, number uint32) []byte { return numbered('e', db, number) }

// CreateEncryptionKey adds a client encryption key to a database. A name in use: a 409 fault; an absent database: 404.
func (c *Catalog) CreateEncryptionKey(ctx context.Context, acct, db, name string, spec EncryptionKeySpec, audit Audit) (*EncryptionKey, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	out := &EncryptionKey{Name: name, Spec: spec}
	out.Time, out.ETag = c.stamp()
	err := c.update(ctx, acct, audit, func(tx store.Tx) error {
		parent, err := needDatabase(tx, db)
		if err != nil {
			return err
		}
		if b, err := tx.Get(encryptionKeyKey(parent.Number, name)); err != nil {
			return err
		} else if b != nil {
			return conflict(name)
		}
		out.Database = parent.Number
		if out.Number, err = count(tx, func(n *counters) *uint32 { return &n.EncryptionKeys }); err != nil {
			return err
		}
		if err := tx.Put(encryptionKeyNameKey(parent.Number, out.Number), []byte(name)); err != nil {
			return err
		}
		return put(tx, encryptionKeyCodec, encryptionKeyKey(parent.Number, name), *out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ReplaceEncryptionKey changes how a client encryption key is wrapped. It keeps its name and its algorithm.
func (c *Catalog) ReplaceEncryptionKey(ctx context.Context, acct, db, ref, ifMatch, name string, spec EncryptionKeySpec, audit Audit) (*EncryptionKey, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	var out *EncryptionKey
	now, etag := c.stamp()
	err := c.update(ctx, acct, audit, func(tx store.Tx) error {
		k, err := presentEncryptionKey(tx, db, ref)
		switch {
		case err != nil:
			return err
		case ifMatch != "" && !items.MatchETag(ifMatch, `"`+k.ETag+`"`):
			return precondition()
		case name != k.Name:
			return invalid("The id of a client encryption key cannot be changed.")
		}
		k.Spec, k.Time, k.ETag = spec, now, etag
		out = k
		return put(tx, encryptionKeyCodec, encryptionKeyKey(k.Database, k.Name), *k)
	})
	return out, err
}

// EncryptionKey finds a client encryption key by name or resource id. Absent: a 404 fault.
func (c *Catalog) EncryptionKey(ctx context.Context, acct, db, ref string) (out *EncryptionKey, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = presentEncryptionKey(sn, db, ref)
		return err
	})
	return out, err
}

// EncryptionKeys lists a database's client encryption keys by name.
func (c *Catalog) EncryptionKeys(ctx context.Context, acct string, db *Database) (out []*EncryptionKey, err error) {
	err = c.st.View(ctx, Shard(acct), func(sn store.Snapshot) error {
		out, err = scan(sn, encryptionKeyCodec, encryptionKeysPrefix(db.Number))
		return err
	})
	return out, err
}

func presentEncryptionKey(sn store.Snapshot, db, ref string) (*EncryptionKey, error) {
	parent, err := needDatabase(sn, db)
	if err != nil {
		return nil, err
	}
	k, err := get(sn, encryptionKeyCodec, encryptionKeyKey(parent.Number, ref))
	if k != nil || err != nil {
		return k, err
	}
	id, err := rid.Parse(ref)
	if err != nil || id.Kind() != rid.ClientEncryptionKey || id.Parent() != parent.RID() {
		return nil, notFoundHere()
	}
	name, err := sn.Get(encryptionKeyNameKey(parent.Number, uint32(id.Number())))
	if err != nil {
		return nil, err
	}
	if name != nil {
		k, err = get(sn, encryptionKeyCodec, encryptionKeyKey(parent.Number, string(name)))
	}
	if k == nil && err == nil {
		err = notFoundHere()
	}
	return k, err
}

func removeEncryptionKeys(tx store.Tx, db uint32) error {
	for _, tag := range []byte{'E', 'e'} {
		if err := deletePrefix(tx, append(numbered(tag, db), '|')); err != nil {
			return err
		}
	}
	return nil
}
