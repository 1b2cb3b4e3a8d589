package keyvault

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// keyOperation is what can be done with a key.
type keyOperation struct {
	name   string // as in key_ops
	action string // of RBAC
	title  string
	always bool // also outside the key's times, so that what was made with it stays readable
	run    func(u *use) (any, error)
}

func keyOperations() []keyOperation {
	return []keyOperation{
		{"encrypt", "encrypt", "KeyEncrypt", false, (*use).encrypt},
		{"decrypt", "decrypt", "KeyDecrypt", true, (*use).decrypt},
		{"wrapKey", "wrap", "KeyWrap", false, (*use).encrypt},
		{"unwrapKey", "unwrap", "KeyUnwrap", true, (*use).decrypt},
		{"sign", "sign", "KeySign", false, (*use).sign},
		{"verify", "verify", "KeyVerify", true, (*use).verify},
	}
}

// useInput is the body of an operation with a key.
type useInput struct {
	Algorithm string  `json:"alg"`
	Value     *string `json:"value"`
	Digest    *string `json:"digest"` // of verify
	IV        string  `json:"iv"`
	AAD       string  `json:"aad"`
	Tag       string  `json:"tag"`
}

// useAnswer is the result of all operations but verify.
type useAnswer struct {
	ID    string `json:"kid"`
	Value string `json:"value"`
}

type verifyAnswer struct {
	Value bool `json:"value"`
}

// use is one operation with a key that may do it.
type use struct {
	in     *useInput
	id     string
	signer crypto.Signer
}

// operate is the handler of an operation with a key.
func (s *Service) operate(op keyOperation) handler {
	return func(ctx context.Context, r *wire.Request, v *vault) (any, error) {
		var in useInput
		if err := wire.Bind(r, &in); err != nil {
			return nil, err
		}
		rec, err := s.object(ctx, v, keys, r.Param("name"), r.Param("version"))
		if err != nil {
			return nil, err
		}
		signer, err := parseKey(rec.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("stored key of version %s: %w", rec.Version, err)
		}
		if err := op.allowed(rec, signer, s.deps.Clock.Now().Unix()); err != nil {
			return nil, err
		}
		return op.run(&use{&in, keys.id(baseURL(r, v), rec.Name, rec.Version), signer})
	}
}

// allowed tells whether the key's attributes let it be used so. Decrypting, unwrapping and verifying go on outside the key's times, but not while it is disabled.
func (op keyOperation) allowed(rec *record, signer crypto.Signer, now int64) error {
	ops := rec.Operations
	if ops == nil {
		ops = operationsOf(signer)
	}
	switch {
	case !rec.Enabled:
		return forbidden("KeyDisabled", "Operation %s is not allowed on a disabled key.", op.name)
	case !op.always && rec.NotBefore != nil && now < *rec.NotBefore:
		return forbidden("KeyNotYetValid", "Operation %s is not allowed on a key that is not yet valid.", op.name)
	case !op.always && rec.Expires != nil && now >= *rec.Expires:
		return forbidden("KeyExpired", "Operation %s is not allowed on an expired key.", op.name)
	case !slices.Contains(ops, op.name):
		return forbidden("KeyOperationForbidden", "Operation %s is not permitted on this key.", op.name)
	}
	return nil
}

// bytes decodes a required member of the body.
func (u *use) bytes(name string, value *string) ([]byte, error) {
	if value == nil {
		return nil, badParameter("The property %s is required.", name)
	}
	raw, err := decodeBase64(*value)
	if err != nil {
		return nil, badParameter("Property %s has invalid value: it is not base64url.", name)
	}
	return raw, nil
}

func (u *use) answer(value []byte) *useAnswer {
	return &useAnswer{u.id, base64.RawURLEncoding.EncodeToString(value)}
}

// encrypting finds the algorithm and the RSA key for it.
func (u *use) encrypting() (encryption, *rsa.PrivateKey, error) {
	a, ok := encryptions()[u.in.Algorithm]
	switch {
	case u.in.Algorithm == "":
		return a, nil, badParameter("The property alg is required.")
	case slices.Contains([]string{
		"A128KW", "A192KW", "A256KW", "A128GCM", "A192GCM", "A256GCM", "A128CBC", "A192CBC", "A256CBC", "A128CBCPAD", "A192CBCPAD", "A256CBCPAD", "CKM_AES_KEY_WRAP",
		"CKM_AES_KEY_WRAP_PAD",
	}, u.in.Algorithm):
		return a, nil, notImplemented("The algorithm " + u.in.Algorithm + ", which needs a symmetric key of a hardware security module,")
	case !ok:
		return a, nil, badParameter("Property alg has invalid value: '%s' is no encryption algorithm; use RSA-OAEP-256, RSA-OAEP or RSA1_5.", clip(u.in.Algorithm))
	case u.in.IV != "" || u.in.AAD != "" || u.in.Tag != "":
		return a, nil, badParameter("The properties iv, aad and tag belong to symmetric algorithms; %s is none.", u.in.Algorithm)
	}
	k, ok := u.signer.(*rsa.PrivateKey)
	if !ok {
		return a, nil, badParameter("Key and encryption algorithm are incompatible. Key %s is of type 'EC', and algorithm '%s' can only be used with a key of type 'RSA' or 'RSA-HSM'.",
			u.id, u.in.Algorithm)
	}
	return a, k, nil
}

func (u *use) encrypt() (any, error) {
	a, k, err := u.encrypting()
	if err != nil {
		return nil, err
	}
	plain, err := u.bytes("value", u.in.Value)
	if err != nil {
		return nil, err
	}
	if most := a.longest(&k.PublicKey); len(plain) > most {
		return nil, badParameter("Invalid length of 'value': %d bytes. %s with a key of %d bits encrypts at most %d bytes.", len(plain), u.in.Algorithm, k.N.BitLen(), most)
	}
	out, err := a.encrypt(&k.PublicKey, plain)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return u.answer(out), nil
}

func (u *use) decrypt() (any, error) {
	a, k, err := u.encrypting()
	if err != nil {
		return nil, err
	}
	secret, err := u.bytes("value", u.in.Value)
	if err != nil {
		return nil, err
	}
	if len(secret) != k.Size() {
		return nil, badParameter("Invalid length of 'value': %d bytes. What this key encrypted has %d bytes.", len(secret), k.Size())
	}
	plain, err := a.decrypt(k, secret)
	if err != nil { // whatever it was, one text
		return nil, badParameter("The parameter is incorrect.")
	}
	return u.answer(plain), nil
}

// signing finds the algorithm, checks that the key is of its type, and the digest's length.
func (u *use) signing(name string, value *string) (signing, []byte, error) {
	alg := u.in.Algorithm
	a, ok := signings()[alg]
	switch {
	case alg == "":
		return a, nil, badParameter("The property alg is required.")
	case alg == "ES256K" || alg == "HS256" || alg == "HS384" || alg == "HS512" || alg == "RSNULL":
		return a, nil, notImplemented("The algorithm " + alg)
	case !ok:
		return a, nil, badParameter("Property alg has invalid value: '%s' is no signature algorithm.", clip(alg))
	}
	incompatible := func(format string, args ...any) *fault.Error {
		return badParameter("Key and signing algorithm are incompatible. Key %s "+format, append([]any{u.id}, args...)...)
	}
	switch k := u.signer.(type) {
	case *rsa.PrivateKey:
		if a.curve != "" {
			return a, nil, incompatible("is of type 'RSA', and algorithm '%s' can only be used with a key of type 'EC' or 'EC-HSM'.", alg)
		}
	case *ecdsa.PrivateKey:
		if a.curve == "" {
			return a, nil, incompatible("is of type 'EC', and algorithm '%s' can only be used with a key of type 'RSA' or 'RSA-HSM'.", alg)
		}
		if has := k.Curve.Params().Name; has != a.curve {
			return a, nil, incompatible("uses curve '%s', and algorithm '%s' can only be used with curve '%s'.", has, alg, a.curve)
		}
	}
	digest, err := u.bytes(name, value)
	if err != nil {
		return a, nil, err
	}
	if len(digest) != a.hash.Size() {
		return a, nil, badParameter("Invalid length of '%s': %d bytes. %s requires %d bytes, encoded with base64url.", name, len(digest), alg, a.hash.Size())
	}
	return a, digest, nil
}

func (u *use) sign() (any, error) {
	a, digest, err := u.signing("value", u.in.Value)
	if err != nil {
		return nil, err
	}
	sig, err := a.sign(u.signer, digest)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return u.answer(sig), nil
}

func (u *use) verify() (any, error) {
	a, digest, err := u.signing("digest", u.in.Digest)
	if err != nil {
		return nil, err
	}
	sig, err := u.bytes("value", u.in.Value)
	if err != nil {
		return nil, err
	}
	return verifyAnswer{a.verify(u.signer, digest, sig)}, nil
}

const maxRandom = 128

// randomBytes answers up to 128 random bytes.
func (s *Service) randomBytes(_ context.Context, r *wire.Request, _ *vault) (any, error) {
	var in struct {
		Count int `json:"count"`
	}
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	if in.Count < 1 || in.Count > maxRandom {
		return nil, badParameter("Property count has invalid value: it is %d; it must be from 1 to %d.", in.Count, maxRandom)
	}
	b := make([]byte, in.Count)
	_, _ = rand.Read(b) // never fails
	return struct {
		Value string `json:"value"`
	}{base64.RawURLEncoding.EncodeToString(b)}, nil
}
