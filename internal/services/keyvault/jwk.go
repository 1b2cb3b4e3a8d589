package keyvault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
)

// jwk is a JSON Web Key (RFC 7517, RFC 7518 section 6) with Key Vault's key operations. Answers have the public members only.
type jwk struct {
	ID         string   `json:"kid,omitempty"`
	Type       string   `json:"kty"`
	Operations []string `json:"key_ops,omitzero"`
	N          string   `json:"n,omitempty"`
	E          string   `json:"e,omitempty"`
	Curve      string   `json:"crv,omitempty"`
	X          string   `json:"x,omitempty"`
	Y          string   `json:"y,omitempty"`

	// Private; only in an import.
	D  string `json:"d,omitempty"`
	P  string `json:"p,omitempty"`
	Q  string `json:"q,omitempty"`
	DP string `json:"dp,omitempty"`
	DQ string `json:"dq,omitempty"`
	QI string `json:"qi,omitempty"`
}

// String keeps private members out of logs.
func (k *jwk) String() string { return "jwk " + k.Type }

// GoString keeps private members out of logs.
func (k *jwk) GoString() string { return k.String() }

// operationsOf is what a key of its type can do.
func operationsOf(signer crypto.Signer) []string {
	if _, ok := signer.(*rsa.PrivateKey); ok {
		return []string{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"}
	}
	return []string{"sign", "verify"}
}

// publicJWK is the public part of a stored key.
func publicJWK(rec *record) (*jwk, error) {
	signer, err := parseKey(rec.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("stored key of version %s: %w", rec.Version, err)
	}
	out := &jwk{Operations: rec.Operations}
	if rec.Operations == nil {
		out.Operations = operationsOf(signer)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := signer.(type) {
	case *rsa.PrivateKey:
		out.Type, out.N, out.E = "RSA", b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PrivateKey:
		point, err := k.PublicKey.Bytes() // 4 || x || y
		if err != nil {
			return nil, fmt.Errorf("stored key of version %s: %w", rec.Version, err)
		}
		half := (len(point) - 1) / 2
		out.Type, out.Curve, out.X, out.Y = "EC", k.Curve.Params().Name, b64(point[1:1+half]), b64(point[1+half:])
	default:
		return nil, fmt.Errorf("stored key of version %s is a %T", rec.Version, signer)
	}
	return out, nil
}

// maxMember bounds each number of an imported key, in bytes; an RSA modulus of 4096 bits has 512.
const maxMember = 520

// member decodes a number of a key.
func (k *jwk) member(name, value string) ([]byte, error) {
	raw, err := decodeBase64(value)
	if err != nil || len(raw) == 0 || len(raw) > maxMember {
		return nil, badParameter("Property key.%s has invalid value: it must be a number in base64url.", name)
	}
	return raw, nil
}

// private makes the key pair of an import. Everything is checked that a broken key could later betray.
func (k *jwk) private() (crypto.Signer, error) {
	switch k.Type {
	case "RSA":
		return k.privateRSA()
	case "EC":
		return k.privateEC()
	}
	p := &keyProps{Type: k.Type, Curve: k.Curve}
	if err := p.settle("key.", 0); err != nil {
		return nil, err
	}
	return nil, badParameter("Property key.kty has invalid value: it must be RSA or EC.")
}

func (k *jwk) privateRSA() (crypto.Signer, error) {
	var n, e, d, p, q big.Int
	for _, m := range []struct {
		name, value string
		into        *big.Int
	}{{"n", k.N, &n}, {"e", k.E, &e}, {"d", k.D, &d}, {"p", k.P, &p}, {"q", k.Q, &q}} {
		raw, err := k.member(m.name, m.value)
		if err != nil {
			return nil, err
		}
		m.into.SetBytes(raw)
	}
	if bits := n.BitLen(); bits != 2048 && bits != 3072 && bits != 4096 {
		return nil, badParameter("Property key.n has invalid value: the modulus has %d bits; it must have 2048, 3072 or 4096.", bits)
	}
	if e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0 {
		return nil, badParameter("Property key.e has invalid value: the exponent must be odd and from 3 to 2147483647.")
	}
	broken := badParameter("Property key has invalid value: its members are not those of one RSA key pair.")
	if p.BitLen() < 512 || q.BitLen() < 512 || p.Cmp(&q) == 0 || !p.ProbablyPrime(1) || !q.ProbablyPrime(1) {
		return nil, broken
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: &n, E: int(e.Int64())}, D: &d, Primes: []*big.Int{&p, &q}}
	if key.Validate() != nil {
		return nil, broken
	}
	key.Precompute()
	for _, m := range []struct {
		name, value string
		want        *big.Int
	}{{"dp", k.DP, key.Precomputed.Dp}, {"dq", k.DQ, key.Precomputed.Dq}, {"qi", k.QI, key.Precomputed.Qinv}} {
		if m.value == "" {
			continue
		}
		raw, err := k.member(m.name, m.value)
		if err != nil {
			return nil, err
		}
		if new(big.Int).SetBytes(raw).Cmp(m.want) != 0 {
			return nil, broken
		}
	}
	return key, nil
}

func (k *jwk) privateEC() (crypto.Signer, error) {
	p := &keyProps{Type: "EC", Curve: k.Curve}
	if k.Curve == "" {
		return nil, badParameter("Property key.crv is required.")
	}
	if err := p.settle("key.", 0); err != nil {
		return nil, err
	}
	c := curve(p.Curve)
	size := (c.Params().BitSize + 7) / 8
	fixed := make([][]byte, 3)
	for i, m := range []struct{ name, value string }{{"d", k.D}, {"x", k.X}, {"y", k.Y}} {
		raw, err := k.member(m.name, m.value)
		if err != nil {
			return nil, err
		}
		n := new(big.Int).SetBytes(raw)
		if n.BitLen() > 8*size {
			return nil, badParameter("Property key.%s has invalid value: it is longer than the curve %s allows.", m.name, p.Curve)
		}
		fixed[i] = n.FillBytes(make([]byte, size))
	}
	key, err := ecdsa.ParseRawPrivateKey(c, fixed[0])
	if err != nil {
		return nil, badParameter("Property key.d has invalid value: it is no private key of the curve %s.", p.Curve)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil || string(point[1:]) != string(fixed[1])+string(fixed[2]) {
		return nil, badParameter("Property key has invalid value: x and y are not the public key of d.")
	}
	return key, nil
}

// settle checks what kind of key is asked for and fills in Key Vault's defaults; at is the path of the properties for errors, exponent 0 for any.
func (p *keyProps) settle(at string, exponent int) error {
	if exponent != 0 && exponent != 65537 {
		return badParameter("Property %spublic_exponent has invalid value: it is %d; only 65537 is supported.", at, exponent)
	}
	switch p.Type {
	case "", "RSA":
		p.Type, p.Curve = "RSA", ""
		if p.Size == 0 {
			p.Size = 2048
		}
		if p.Size != 2048 && p.Size != 3072 && p.Size != 4096 {
			return badParameter("Property %skey_size has invalid value: it is %d; it must be 2048, 3072 or 4096.", at, p.Size)
		}
	case "EC":
		if p.Curve == "" {
			p.Curve = "P-256"
		}
		c := curve(p.Curve)
		if c == nil {
			if p.Curve == "P-256K" || p.Curve == "SECP256K1" {
				return notImplemented("The curve " + p.Curve)
			}
			return badParameter("Property %scrv has invalid value: it is '%s'; it must be P-256, P-384 or P-521.", at, clip(p.Curve))
		}
		if p.Size != 0 && p.Size != c.Params().BitSize {
			return badParameter("Property %skey_size has invalid value: it is %d, but the curve %s has %d bits.", at, p.Size, p.Curve, c.Params().BitSize)
		}
		p.Size = c.Params().BitSize
	case "RSA-HSM", "EC-HSM", "oct", "oct-HSM":
		return notImplemented("The key type " + p.Type)
	default:
		return badParameter("Property %skty has invalid value: it is '%s'; it must be RSA or EC.", at, strings.ToValidUTF8(clip(p.Type), ""))
	}
	return nil
}
