package directory

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// An artifact is what a client or browser holds of a sign-in: an authorization code, a refresh token, a device code, a session cookie. It is the
// tenant, the id of a row and a number, under a MAC that only the platform can make. The store has the row, never the artifact: who reads
// the store can make none, and a row that is gone revokes them all.
type artifact struct {
	kind     artifactKind
	tenantID string   // "" for a device code, which no tenant has yet
	id       [16]byte // of the row
	n        int64    // when it ends (of a refresh token: when it was issued), Unix seconds
}

// artifactKind keeps one kind from passing for another. It is also the row's place: "G|" + kind + "|" + hexadecimal id.
type artifactKind string

const (
	codeArtifact    artifactKind = "c"
	refreshArtifact artifactKind = "f"
	deviceArtifact  artifactKind = "d"
	sessionArtifact artifactKind = "s"
)

const (
	artifactPrefix = "1."
	artifactSize   = 16 + 16 + 8 + 32
)

// signinShard holds a tenant's codes, refresh-token families and sessions ("G|...") and its sign-in log ("L|..."), apart from the directory's own rows,
// whose cache a write would empty. Device codes live in that of no tenant.
func signinShard(tenantID string) string {
	if tenantID == "" {
		return "signin"
	}
	return "signin/" + tenantID
}

func newArtifact(kind artifactKind, tenantID string, n int64) artifact {
	a := artifact{kind: kind, tenantID: tenantID, n: n}
	_, _ = rand.Read(a.id[:]) // never fails
	return a
}

// key is the row's.
func (a *artifact) key() string { return "G|" + string(a.kind) + "|" + a.name() }

// name is the row's id as text.
func (a *artifact) name() string { return hex.EncodeToString(a.id[:]) }

// mint writes an artifact out. The result is a credential: never log or store it.
func (s *Service) mint(a artifact) string {
	b := make([]byte, 0, artifactSize)
	tenant := make([]byte, 16)
	if a.tenantID != "" {
		tenant, _ = hex.DecodeString(strings.ReplaceAll(a.tenantID, "-", "")) // a tenant's id is a GUID
	}
	b = append(append(b, tenant...), a.id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(a.n)) //nolint:gosec // read back the same way
	b = append(b, s.artifactMAC(a.kind, b)...)
	return artifactPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func (s *Service) artifactMAC(kind artifactKind, b []byte) []byte {
	return s.Sealer.MAC(signinShard(""), "artifact", string(kind), string(b))
}

// openArtifact reads what mint wrote. Anything else, foreign bytes included, is not ok.
func (s *Service) openArtifact(kind artifactKind, text string) (a artifact, ok bool) {
	encoded, found := strings.CutPrefix(text, artifactPrefix)
	if !found || len(encoded) != base64.RawURLEncoding.EncodedLen(artifactSize) {
		return a, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(b) != artifactSize || !hmac.Equal(b[artifactSize-32:], s.artifactMAC(kind, b[:artifactSize-32])) {
		return a, false
	}
	a = artifact{kind: kind, n: int64(binary.BigEndian.Uint64(b[32:40]))} //nolint:gosec // written the same way
	copy(a.id[:], b[16:32])
	if [16]byte(b[:16]) != ([16]byte{}) {
		h := hex.EncodeToString(b[:16])
		a.tenantID = h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	}
	return a, a.tenantID == "" || ids.IsGUID(a.tenantID)
}

// Rows of sign-ins end by themselves: each has an entry in an index by time, and whoever writes one removes some that have ended.
const (
	keyEnds    = "G|x|"
	sweepBatch = 16
)

func endsKey(until time.Time, key string) []byte {
	return fmt.Appendf(nil, "%s%016x|%s", keyEnds, until.Unix(), key)
}

// putEnding stores a row that ends at until, in place of one that ended at before (zero: it is new).
func putEnding(tx store.Tx, key string, value []byte, before, until time.Time) error {
	if !before.IsZero() && !before.Equal(until) {
		if err := tx.Delete(endsKey(before, key)); err != nil {
			return err
		}
	}
	if before.IsZero() || !before.Equal(until) {
		if err := tx.Put(endsKey(until, key), []byte{}); err != nil {
			return err
		}
	}
	return tx.Put([]byte(key), value)
}

func deleteEnding(tx store.Tx, key string, until time.Time) error {
	if err := tx.Delete(endsKey(until, key)); err != nil {
		return err
	}
	return tx.Delete([]byte(key))
}

// sweep removes some rows that ended before now; keys lists them, so that a caller may see to what belongs to them.
func sweep(tx store.Tx, now time.Time) error {
	var ended []string
	until := fmt.Appendf(nil, "%s%016x|", keyEnds, max(now.Unix(), 0))
	err := tx.Scan(store.Range{Start: []byte(keyEnds), End: until}, func(key, _ []byte) bool {
		ended = append(ended, string(key))
		return len(ended) < sweepBatch
	})
	if err != nil {
		return err
	}
	for _, index := range ended {
		if err := tx.Delete([]byte(index)); err != nil {
			return err
		}
		if row := index[len(keyEnds)+17:]; row != "" {
			if err := tx.Delete([]byte(row)); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadSignin reads one row of a sign-in shard, nil if it is not there.
func loadSignin[T any](ctx context.Context, s *Service, codec store.Codec[T], a artifact) (*T, error) {
	var v *T
	err := s.Store.View(ctx, signinShard(a.tenantID), func(snap store.Snapshot) error {
		var err error
		v, err = load(snap, codec, a.key())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read sign-in row: %w", err)
	}
	return v, nil
}
