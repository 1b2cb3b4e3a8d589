package authn

import (
	"encoding/base64"
	"math/big"
)

// JWKS is a key set document, RFC 7517.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWK is one public signing key as Entra ID publishes it.
type JWK struct {
	Type        string   `json:"kty"`
	Use         string   `json:"use"`
	KeyID       string   `json:"kid"`
	Thumbprint  string   `json:"x5t"` // base64url SHA-1 of the certificate
	Modulus     string   `json:"n"`
	Exponent    string   `json:"e"`
	Certificate []string `json:"x5c"` // standard base64 DER, one entry
	Issuer      string   `json:"issuer,omitempty"`
}

// JWKS lists every key whose tokens may still be about, newest first. Set Issuer on the entries where the document calls for it.
func (t *Tokens) JWKS() JWKS {
	keys := t.keys.Load().usable(t.clock.Now())
	out := JWKS{Keys: make([]JWK, 0, len(keys))}
	for _, k := range keys {
		public := k.private.PublicKey
		out.Keys = append(out.Keys, JWK{
			Type: "RSA", Use: "sig", KeyID: k.id, Thumbprint: k.id,
			Modulus:     base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
			Exponent:    base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
			Certificate: []string{base64.StdEncoding.EncodeToString(k.certificate.Raw)},
		})
	}
	return out
}
