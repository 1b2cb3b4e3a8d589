package catalog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/pkey"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// encryptionPolicy is a container's clientEncryptionPolicy: which properties clients encrypt, and by which keys of the database.
type encryptionPolicy struct {
	Paths   []encryptedPath `json:"includedPaths"`
	Version *int            `json:"policyFormatVersion"`
}

type encryptedPath struct {
	Path      string `json:"path"`
	Key       string `json:"clientEncryptionKeyId"`
	Type      string `json:"encryptionType"`
	Algorithm string `json:"encryptionAlgorithm"`
}

const deterministic = "Deterministic"

// parseEncryption checks a clientEncryptionPolicy, and names the keys it needs.
func parseEncryption(raw json.RawMessage, key *pkey.Definition) (keys []string, err error) {
	if !present(raw) {
		return nil, nil
	}
	var p encryptionPolicy
	if json.Unmarshal(raw, &p) != nil || p.Paths == nil {
		return nil, invalid("The clientEncryptionPolicy of the container is invalid; it has includedPaths.")
	}
	version := 1
	if p.Version != nil {
		version = *p.Version
	}
	if version != 1 && version != 2 {
		return nil, invalid("The policyFormatVersion %d of the client encryption policy is not supported; it is 1 or 2.", version)
	}
	seen := map[string]bool{}
	for _, e := range p.Paths {
		if err := e.check(version, key); err != nil {
			return nil, err
		}
		if seen[e.Path] {
			return nil, invalid("Duplicate path found: %s in client encryption policy.", e.Path)
		}
		seen[e.Path] = true
		if !slices.Contains(keys, e.Key) {
			keys = append(keys, e.Key)
		}
	}
	return keys, nil
}

func (e *encryptedPath) check(version int, key *pkey.Definition) error {
	keyed := e.Path == "/id" || key != nil && slices.ContainsFunc(key.Paths, func(p string) bool { return p == e.Path || strings.HasPrefix(p, e.Path+"/") })
	switch {
	case len(e.Path) < 2 || e.Path[0] != '/' || strings.LastIndexByte(e.Path, '/') != 0:
		return invalid("The path '%s' of the client encryption policy is invalid: only top-level paths such as '/name' can be encrypted.", e.Path)
	case e.Key == "":
		return invalid("The path '%s' of the client encryption policy needs a clientEncryptionKeyId.", e.Path)
	case e.Type != deterministic && e.Type != "Randomized":
		return invalid("The encryptionType '%s' of the path '%s' is invalid; it is Deterministic or Randomized.", e.Type, e.Path)
	case e.Algorithm != encryptionAlgorithm:
		return invalid("The encryptionAlgorithm '%s' of the path '%s' is not supported; it is %s.", e.Algorithm, e.Path, encryptionAlgorithm)
	case keyed && version < 2:
		return invalid("The path '%s' is the id or part of the partition key, which only a client encryption policy of policyFormatVersion 2 can encrypt.", e.Path)
	case keyed && e.Type != deterministic:
		return invalid("The path '%s' is the id or part of the partition key, which can only be encrypted by the Deterministic encryptionType.", e.Path)
	}
	return nil
}

// haveKeys makes sure that the database has the client encryption keys.
func haveKeys(sn store.Snapshot, db uint32, keys []string) error {
	for _, name := range keys {
		b, err := sn.Get(encryptionKeyKey(db, name))
		if err != nil {
			return err
		}
		if b == nil {
			return invalid("The client encryption key '%s', which the client encryption policy names, does not exist in the database.", name)
		}
	}
	return nil
}

// sameEncryption tells whether a replacement keeps the client encryption policy; one that does not speak of it does.
func sameEncryption(spec *Spec, con *Container) error {
	sent, have := property(spec.Properties, "clientEncryptionPolicy"), property(con.Properties, "clientEncryptionPolicy")
	if sent == nil || bytes.Equal(canonical(sent), canonical(have)) {
		return nil
	}
	return invalid("'clientEncryptionPolicy' cannot be modified as part of replace operation.")
}

func property(properties json.RawMessage, name string) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(properties, &all) != nil || !present(all[name]) {
		return nil
	}
	return all[name]
}

// canonical is JSON with its members in order.
func canonical(raw json.RawMessage) []byte {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return raw
	}
	b, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return b
}
