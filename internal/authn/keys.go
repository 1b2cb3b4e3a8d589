package authn

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // x5t is defined as SHA-1; nothing rests on its strength
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"sort"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// The signing keys live in the platform shard under "K|" + key id, their private part sealed.
const (
	keyShard  = "platform"
	keyPrefix = "K|"
	keyBits   = 2048
	// keyLife is how long the certificate around a signing key is valid; validators of 2018 look at it.
	keyLife = 5 * 365 * 24 * time.Hour
)

// Sealer protects what must not be readable in the store. Implemented by *seal.Sealer.
type Sealer interface {
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// keyRecord is the stored form of a signing key.
type keyRecord struct {
	KeyID       string    `json:"keyId"`
	Created     time.Time `json:"created"`
	Certificate []byte    `json:"certificate"` // DER
	Private     []byte    `json:"private"`     // PKCS #8 DER, sealed
}

var keyCodec = store.Codec[keyRecord]{Kind: 'K', Version: 1}

// signingKey is one key of the ring, ready for use.
type signingKey struct {
	id          string // base64url of the certificate's SHA-1: kid and x5t, as Entra ID names its keys
	created     time.Time
	private     *rsa.PrivateKey
	certificate *x509.Certificate
	headerV1    string // encoded JOSE headers, the same for every token
	headerV2    string
}

// newKey makes a signing key and its stored form.
func newKey(s Sealer, now time.Time) (*keyRecord, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "accounts.accesscontrol.windows.net"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(keyLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, fmt.Errorf("certify signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encode signing key: %w", err)
	}
	id := keyID(certificate)
	sealed, err := s.Seal(keyShard, []byte(keyPrefix+id), der)
	if err != nil {
		return nil, fmt.Errorf("seal signing key: %w", err)
	}
	return &keyRecord{KeyID: id, Created: now, Certificate: certificate, Private: sealed}, nil
}

func keyID(certificate []byte) string {
	sum := sha1.Sum(certificate) //nolint:gosec // see the import
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// open makes a stored key usable.
func (rec *keyRecord) open(s Sealer) (*signingKey, error) {
	der, err := s.Open(keyShard, []byte(keyPrefix+rec.KeyID), rec.Private)
	if err != nil {
		return nil, fmt.Errorf("open signing key %s: %w", rec.KeyID, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("parse signing key %s: %w", rec.KeyID, err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing key %s is a %T, want RSA", rec.KeyID, parsed)
	}
	certificate, err := x509.ParseCertificate(rec.Certificate)
	if err != nil {
		return nil, fmt.Errorf("parse certificate of signing key %s: %w", rec.KeyID, err)
	}
	if keyID(rec.Certificate) != rec.KeyID || !private.PublicKey.Equal(certificate.PublicKey) {
		return nil, fmt.Errorf("signing key %s and its certificate do not belong together", rec.KeyID)
	}
	k := &signingKey{id: rec.KeyID, created: rec.Created, private: private, certificate: certificate}
	encode := base64.RawURLEncoding.EncodeToString
	k.headerV1 = encode([]byte(`{"typ":"JWT","alg":"RS256","x5t":"` + k.id + `","kid":"` + k.id + `"}`))
	k.headerV2 = encode([]byte(`{"typ":"JWT","alg":"RS256","kid":"` + k.id + `"}`))
	return k, nil
}

// ring is an immutable set of keys, newest first.
type ring []*signingKey

// until is when the last token signed with key i has expired at every verifier; zero for the key that signs.
func (r ring) until(i int) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return r[i-1].created.Add(MaxLifetime + skew)
}

// usable are the keys whose tokens may still be about.
func (r ring) usable(now time.Time) ring {
	for i := 1; i < len(r); i++ {
		if now.After(r.until(i)) {
			return r[:i] // those behind it are older still
		}
	}
	return r
}

func (r ring) find(id string) *signingKey {
	for _, k := range r {
		if k.id == id {
			return k
		}
	}
	return nil
}

// loadRing reads all keys; with create it makes the first one where there is none.
func loadRing(ctx context.Context, st store.Store, s Sealer, c clock.Clock, create bool) (ring, error) {
	var records []keyRecord
	err := st.View(ctx, keyShard, func(snap store.Snapshot) error {
		records = nil
		return scanKeys(snap, func(rec keyRecord) { records = append(records, rec) })
	})
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	if len(records) == 0 && create {
		if err := addKey(ctx, st, s, c.Now(), true); err != nil {
			return nil, err
		}
		return loadRing(ctx, st, s, c, false)
	}
	out := make(ring, 0, len(records))
	for i := range records {
		k, err := records[i].open(s)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no signing key in shard %s", keyShard)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].created.After(out[j].created) })
	return out, nil
}

// addKey stores a new key; with first, only if there is none yet.
func addKey(ctx context.Context, st store.Store, s Sealer, now time.Time, first bool) error {
	rec, err := newKey(s, now)
	if err != nil {
		return err
	}
	value, err := keyCodec.Encode(*rec)
	if err != nil {
		return fmt.Errorf("encode signing key record: %w", err)
	}
	_, err = st.Update(ctx, keyShard, func(tx store.Tx) error {
		if first {
			found := false
			if err := tx.Scan(store.Prefix([]byte(keyPrefix)), func(_, _ []byte) bool { found = true; return false }); err != nil {
				return err
			}
			if found {
				return nil
			}
		}
		return tx.Put([]byte(keyPrefix+rec.KeyID), value)
	})
	if err != nil {
		return fmt.Errorf("store signing key: %w", err)
	}
	return nil
}

// dropKeys removes keys for good.
func dropKeys(ctx context.Context, st store.Store, old ring) error {
	if len(old) == 0 {
		return nil
	}
	_, err := st.Update(ctx, keyShard, func(tx store.Tx) error {
		for _, k := range old {
			if err := tx.Delete([]byte(keyPrefix + k.id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove expired signing keys: %w", err)
	}
	return nil
}

func scanKeys(snap store.Snapshot, add func(keyRecord)) error {
	var bad error
	err := snap.Scan(store.Prefix([]byte(keyPrefix)), func(key, value []byte) bool {
		rec, err := keyCodec.Decode(value)
		if err != nil {
			bad = fmt.Errorf("signing key %s: %w", key[len(keyPrefix):], err)
			return false
		}
		add(rec)
		return true
	})
	if err != nil {
		return err
	}
	return bad
}
