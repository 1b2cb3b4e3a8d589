package machines

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// maxKey bounds a public key's text; the longest, of 8,192 bits RSA, has some 1,400 letters.
const maxKey = 4 << 10

// parseKey reads a public key: base64 of its SubjectPublicKeyInfo or, as Azure's own agents send it, of PKCS #1.
func parseKey(text string) (crypto.PublicKey, error) {
	bad := fault.New(fault.Invalid, "InvalidClientPublicKey", "A machine's public key must be base64 of the DER form of an EC key on P-256 or of an RSA key of at least 2048 bits.")
	if len(text) > maxKey {
		return nil, bad
	}
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, bad
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		if key, err = x509.ParsePKCS1PublicKey(der); err != nil {
			return nil, bad
		}
	}
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= 2048 && n <= 8192 {
			return k, nil
		}
	}
	return nil, bad
}

// Keys are the public keys of the machine with an ARM id: that it was enrolled with, or none. The token service takes assertions that are signed with them.
func (s *Service) Keys(ctx context.Context, id string) ([]crypto.PublicKey, error) {
	if !isMachine(id) {
		return nil, nil
	}
	r, _, err := s.deps.Resources.Resource(ctx, id)
	if err != nil || r == nil || r.Identity == nil || r.Identity.PrincipalID == "" {
		return nil, err
	}
	text, err := keyOf(r)
	if err != nil || text == "" {
		return nil, err
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	return []crypto.PublicKey{key}, nil
}

// keyOf is the text of a machine's key.
func keyOf(r *arm.Resource) (string, error) {
	if strings.EqualFold(r.Type, hybridTypeName) {
		p, err := hybridOf(r)
		return p.ClientPublicKey, err
	}
	var p virtualPrivate
	if len(r.Private) == 0 {
		return "", nil
	}
	err := json.Unmarshal(r.Private, &p)
	return p.PublicKey, err
}
