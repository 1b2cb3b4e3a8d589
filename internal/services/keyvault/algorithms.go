package keyvault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // RSA-OAEP is defined with SHA-1
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"errors"
	"math/big"
)

// signing is a signature algorithm of JSON Web Algorithms (RFC 7518 section 3).
type signing struct {
	hash  crypto.Hash
	curve string // of an EC algorithm
	pss   bool
}

func signings() map[string]signing {
	return map[string]signing{
		"RS256": {hash: crypto.SHA256}, "RS384": {hash: crypto.SHA384}, "RS512": {hash: crypto.SHA512},
		"PS256": {hash: crypto.SHA256, pss: true}, "PS384": {hash: crypto.SHA384, pss: true}, "PS512": {hash: crypto.SHA512, pss: true},
		"ES256": {hash: crypto.SHA256, curve: "P-256"}, "ES384": {hash: crypto.SHA384, curve: "P-384"}, "ES512": {hash: crypto.SHA512, curve: "P-521"},
	}
}

func (a signing) options() crypto.SignerOpts {
	if a.pss {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
	}
	return a.hash
}

// sign makes a signature of a digest: for EC as r || s, each as long as the curve's order.
func (a signing) sign(signer crypto.Signer, digest []byte) ([]byte, error) {
	sig, err := signer.Sign(rand.Reader, digest, a.options())
	if err != nil {
		return nil, err
	}
	k, ok := signer.(*ecdsa.PrivateKey)
	if !ok {
		return sig, nil
	}
	var pair struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &pair); err != nil || len(rest) > 0 {
		return nil, errors.New("ECDSA made no pair of numbers")
	}
	size := (k.Curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	pair.R.FillBytes(out[:size])
	pair.S.FillBytes(out[size:])
	return out, nil
}

// verify tells whether sig is signer's signature of the digest.
func (a signing) verify(signer crypto.Signer, digest, sig []byte) bool {
	switch k := signer.(type) {
	case *rsa.PrivateKey:
		if a.pss {
			return rsa.VerifyPSS(&k.PublicKey, a.hash, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(&k.PublicKey, a.hash, digest, sig) == nil
	case *ecdsa.PrivateKey:
		size := (k.Curve.Params().BitSize + 7) / 8
		if len(sig) != 2*size {
			return false
		}
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])})
		return err == nil && ecdsa.VerifyASN1(&k.PublicKey, digest, der)
	}
	return false
}

// encryption is a key encryption algorithm (RFC 7518 sections 4.2 and 4.3); without hash it is RSA1_5.
type encryption struct{ hash crypto.Hash }

func encryptions() map[string]encryption {
	return map[string]encryption{"RSA1_5": {}, "RSA-OAEP": {crypto.SHA1}, "RSA-OAEP-256": {crypto.SHA256}}
}

// longest is how many bytes one call can encrypt with the key.
func (a encryption) longest(k *rsa.PublicKey) int {
	if a.hash == 0 {
		return k.Size() - 11
	}
	return k.Size() - 2*a.hash.Size() - 2
}

func (a encryption) encrypt(k *rsa.PublicKey, plain []byte) ([]byte, error) {
	if a.hash == 0 {
		//lint:ignore SA1019 Key Vault still has RSA1_5, for what was encrypted long ago
		return rsa.EncryptPKCS1v15(rand.Reader, k, plain)
	}
	return rsa.EncryptOAEP(a.hash.New(), rand.Reader, k, plain, nil)
}

func (a encryption) decrypt(k *rsa.PrivateKey, secret []byte) ([]byte, error) {
	if a.hash == 0 {
		//lint:ignore SA1019 as above
		return rsa.DecryptPKCS1v15(nil, k, secret)
	}
	return rsa.DecryptOAEP(a.hash.New(), nil, k, secret, nil)
}
