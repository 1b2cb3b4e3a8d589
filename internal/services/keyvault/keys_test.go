package keyvault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

var b64 = base64.RawURLEncoding.EncodeToString

// publicKey reads the public key of a bundle as a client would.
func publicKey(t testing.TB, a answer) crypto.PublicKey {
	t.Helper()
	number := func(name string) *big.Int {
		raw, err := base64.RawURLEncoding.DecodeString(a.str("key", name))
		if err != nil || len(raw) == 0 {
			t.Fatalf("key.%s of %s: %v", name, a.text, err)
		}
		return new(big.Int).SetBytes(raw)
	}
	if a.str("key", "kty") == "RSA" {
		return &rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}
	}
	c := curve(a.str("key", "crv"))
	size := (c.Params().BitSize + 7) / 8
	point := number("x").FillBytes(make([]byte, size))
	pub, err := ecdsa.ParseUncompressedPublicKey(c, append(append([]byte{4}, point...), number("y").FillBytes(make([]byte, size))...))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// path is what follows the host in a kid or id.
func path(id string) string { return strings.TrimPrefix(id, "https://kv1.vault.azure.net") }

func digest(t testing.TB, h crypto.Hash, text string) []byte {
	t.Helper()
	d := h.New()
	d.Write([]byte(text))
	return d.Sum(nil)
}

// jwsVerify checks a signature with nothing of the vault but the public key.
func jwsVerify(pub crypto.PublicKey, a signing, sum, sig []byte) bool {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if a.pss {
			return rsa.VerifyPSS(k, a.hash, sum, sig, &rsa.PSSOptions{SaltLength: a.hash.Size()}) == nil
		}
		return rsa.VerifyPKCS1v15(k, a.hash, sum, sig) == nil
	case *ecdsa.PublicKey:
		half := len(sig) / 2
		return len(sig) == 2*((k.Curve.Params().BitSize+7)/8) && ecdsa.Verify(k, sum, new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:]))
	}
	return false
}

func TestKey_SignAndVerify(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	made := map[string]answer{"": p.ok(200, alice, "POST", "/keys/rsa/create", `{"kty":"RSA","key_size":2048}`)}
	for _, c := range []string{"P-256", "P-384", "P-521"} {
		made[c] = p.ok(200, alice, "POST", "/keys/ec-"+c+"/create", `{"kty":"EC","crv":"`+c+`"}`)
	}
	for name, a := range signings() {
		key := made[a.curve]
		at := path(key.str("key", "kid"))
		sum := digest(t, a.hash, "hello")
		sig := p.ok(200, alice, "POST", at+"/sign", fmt.Sprintf(`{"alg":%q,"value":%q}`, name, b64(sum)))
		if sig.str("kid") != key.str("key", "kid") {
			t.Errorf("%s: kid %s", name, sig.str("kid"))
		}
		raw, err := base64.RawURLEncoding.DecodeString(sig.str("value"))
		if err != nil {
			t.Fatal(err)
		}
		if !jwsVerify(publicKey(t, key), a, sum, raw) {
			t.Errorf("%s: the signature does not verify locally", name)
		}
		verify := func(sum []byte, sig string) bool {
			out := p.ok(200, alice, "POST", at+"/verify", fmt.Sprintf(`{"alg":%q,"digest":%q,"value":%q}`, name, b64(sum), sig))
			return out.body["value"] == true
		}
		if !verify(sum, sig.str("value")) {
			t.Errorf("%s: the vault does not verify its own signature", name)
		}
		if verify(digest(t, a.hash, "other"), sig.str("value")) {
			t.Errorf("%s: verified for another digest", name)
		}
		raw[len(raw)-1] ^= 1
		if verify(sum, b64(raw)) || verify(sum, "AAAA") || verify(sum, "") {
			t.Errorf("%s: verified a changed signature", name)
		}
	}
}

func TestKey_EncryptAndWrap(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	key := p.ok(200, alice, "POST", "/keys/rsa/create", `{"kty":"RSA"}`)
	pub := publicKey(t, key).(*rsa.PublicKey)
	plain := []byte("a data encryption key of 32 byte")
	for _, ops := range [][2]string{{"encrypt", "decrypt"}, {"wrapkey", "unwrapkey"}} {
		for alg := range encryptions() {
			there := p.ok(200, alice, "POST", "/keys/rsa/"+ops[0], fmt.Sprintf(`{"alg":%q,"value":%q}`, alg, b64(plain))) // no version: the newest
			back := p.ok(200, alice, "POST", path(there.str("kid"))+"/"+ops[1], fmt.Sprintf(`{"alg":%q,"value":%q}`, alg, there.str("value")))
			if got := back.str("value"); got != b64(plain) {
				t.Errorf("%s %s: came back as %s", ops[0], alg, got)
			}
		}
		// What a client encrypts with the public key alone comes back, too.
		for alg, hash := range map[string]crypto.Hash{"RSA-OAEP": crypto.SHA1, "RSA-OAEP-256": crypto.SHA256} {
			secret, err := rsa.EncryptOAEP(hash.New(), rand.Reader, pub, plain, nil)
			if err != nil {
				t.Fatal(err)
			}
			back := p.ok(200, alice, "POST", "/keys/rsa//"+ops[1], fmt.Sprintf(`{"alg":%q,"value":%q}`, alg, b64(secret)))
			if got := back.str("value"); got != b64(plain) {
				t.Errorf("%s %s: came back as %s", ops[1], alg, got)
			}
		}
	}
}

func TestKey_UseRefusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	now := p.clock.Now().Unix()
	p.ok(200, alice, "POST", "/keys/rsa/create", `{"kty":"RSA"}`)
	p.ok(200, alice, "POST", "/keys/ec/create", `{"kty":"EC"}`)
	p.ok(200, alice, "POST", "/keys/signer/create", `{"kty":"RSA","key_ops":["sign"]}`)
	p.ok(200, alice, "POST", "/keys/off/create", `{"kty":"EC","attributes":{"enabled":false}}`)
	p.ok(200, alice, "POST", "/keys/early/create", fmt.Sprintf(`{"kty":"EC","attributes":{"nbf":%d}}`, now+100))
	p.ok(200, alice, "POST", "/keys/late/create", fmt.Sprintf(`{"kty":"EC","attributes":{"exp":%d}}`, now+1))
	p.clock.Advance(10 * time.Second)
	sum := b64(make([]byte, sha256.Size))
	sign := func(alg, value string) string { return fmt.Sprintf(`{"alg":%q,"value":%q}`, alg, value) }
	long := b64(make([]byte, 191)) // one more than RSA-OAEP-256 with 2048 bits takes
	for _, c := range []struct {
		name, url, body string
		status          int
		code            string
	}{
		{"digest too long", "/keys/rsa/sign", sign("RS256", b64(make([]byte, 33))), 400, "BadParameter"},
		{"digest too short", "/keys/rsa/sign", sign("PS512", sum), 400, "BadParameter"},
		{"no digest", "/keys/rsa/sign", `{"alg":"RS256"}`, 400, "BadParameter"},
		{"no base64", "/keys/rsa/sign", sign("RS256", "*"), 400, "BadParameter"},
		{"verify short", "/keys/rsa/verify", `{"alg":"RS256","digest":"AAAA","value":"AAAA"}`, 400, "BadParameter"},
		{"verify without digest", "/keys/rsa/verify", sign("RS256", sum), 400, "BadParameter"},
		{"EC algorithm, RSA key", "/keys/rsa/sign", sign("ES256", sum), 400, "BadParameter"},
		{"RSA algorithm, EC key", "/keys/ec/sign", sign("RS256", sum), 400, "BadParameter"},
		{"other curve", "/keys/ec/sign", sign("ES384", b64(make([]byte, 48))), 400, "BadParameter"},
		{"no such algorithm", "/keys/ec/sign", sign("ES999", sum), 400, "BadParameter"},
		{"no algorithm", "/keys/ec/sign", `{"value":"AAAA"}`, 400, "BadParameter"},
		{"ES256K", "/keys/ec/sign", sign("ES256K", sum), 501, "NotImplemented"},
		{"AES", "/keys/rsa/encrypt", sign("A256GCM", sum), 501, "NotImplemented"},
		{"too long to encrypt", "/keys/rsa/encrypt", sign("RSA-OAEP-256", long), 400, "BadParameter"},
		{"no ciphertext", "/keys/rsa/decrypt", sign("RSA-OAEP", "AAAA"), 400, "BadParameter"},
		{"another's ciphertext", "/keys/rsa/decrypt", sign("RSA-OAEP", b64(make([]byte, 256))), 400, "BadParameter"},
		{"EC does not encrypt", "/keys/ec/encrypt", sign("RSA-OAEP", "AAAA"), 403, "Forbidden/KeyOperationForbidden"},
		{"not in key_ops", "/keys/signer/verify", `{"alg":"RS256","digest":"` + sum + `","value":"AAAA"}`, 403, "Forbidden/KeyOperationForbidden"},
		{"in key_ops", "/keys/signer/sign", sign("RS256", sum), 200, ""},
		{"disabled", "/keys/off/sign", sign("ES256", sum), 403, "Forbidden/KeyDisabled"},
		{"disabled verifies not", "/keys/off/verify", `{"alg":"ES256","digest":"` + sum + `","value":"AAAA"}`, 403, "Forbidden/KeyDisabled"},
		{"not yet valid", "/keys/early/sign", sign("ES256", sum), 403, "Forbidden/KeyNotYetValid"},
		{"not yet valid verifies", "/keys/early/verify", `{"alg":"ES256","digest":"` + sum + `","value":"AAAA"}`, 200, ""},
		{"expired", "/keys/late/sign", sign("ES256", sum), 403, "Forbidden/KeyExpired"},
		{"expired verifies", "/keys/late/verify", `{"alg":"ES256","digest":"` + sum + `","value":"AAAA"}`, 200, ""},
		{"absent", "/keys/nope/sign", sign("RS256", sum), 404, "KeyNotFound"},
		{"absent version", "/keys/rsa/00000000000000000000000000000000/sign", sign("RS256", sum), 404, "KeyNotFound"},
		{"bad version", "/keys/rsa/zzz/sign", sign("RS256", sum), 400, "BadParameter"},
		{"release", "/keys/rsa/release", `{"target":"x"}`, 501, "NotImplemented"},
		{"rng 0", "/rng", `{"count":0}`, 400, "BadParameter"},
		{"rng 129", "/rng", `{"count":129}`, 400, "BadParameter"},
		{"create HSM", "/keys/x/create", `{"kty":"RSA-HSM"}`, 501, "NotImplemented"},
		{"create oct", "/keys/x/create", `{"kty":"oct","key_size":256}`, 501, "NotImplemented"},
		{"create P-256K", "/keys/x/create", `{"kty":"EC","crv":"P-256K"}`, 501, "NotImplemented"},
		{"create exportable", "/keys/x/create", `{"kty":"EC","attributes":{"exportable":true}}`, 501, "NotImplemented"},
		{"create 1024", "/keys/x/create", `{"kty":"RSA","key_size":1024}`, 400, "BadParameter"},
		{"create exponent", "/keys/x/create", `{"kty":"RSA","public_exponent":3}`, 400, "BadParameter"},
		{"create typeless", "/keys/x/create", `{}`, 400, "BadParameter"},
		{"create EC that encrypts", "/keys/x/create", `{"kty":"EC","key_ops":["encrypt"]}`, 400, "BadParameter"},
		{"create bad name", "/keys/x_y/create", `{"kty":"EC"}`, 400, "BadParameter"},
		{"rotate absent", "/keys/x/rotate", ``, 404, "KeyNotFound"},
	} {
		if a := p.as(alice, "POST", c.url, c.body); a.status != c.status || a.errorCode() != c.code && c.code != "" {
			t.Errorf("%s: got %d %s, want %d %s: %s", c.name, a.status, a.errorCode(), c.status, c.code, a.text)
		}
	}
	if a := p.as(alice, "POST", "/keys/rsa/sign", sign("RS256", b64(make([]byte, 33)))); a.message() != "Invalid length of 'value': 33 bytes. RS256 requires 32 bytes, encoded with base64url." {
		t.Errorf("text: %s", a.message())
	}
	if a := p.ok(200, alice, "POST", "/rng", `{"count":16}`); len(a.str("value")) != 22 {
		t.Errorf("16 random bytes: %s", a.text)
	}
}

func TestKey_LifeCycle(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", nil)
	first := p.ok(200, alice, "POST", "/keys/K/create", `{"kty":"EC","tags":{"a":"b"},"key_ops":["SIGN","verify"]}`)
	second := p.ok(200, alice, "POST", "/keys/k/create", `{"kty":"EC"}`)
	if !strings.HasPrefix(second.str("key", "kid"), "https://kv1.vault.azure.net/keys/K/") || second.str("key", "kid") == first.str("key", "kid") {
		t.Errorf("second version %s", second.str("key", "kid"))
	}
	if got := p.ok(200, alice, "GET", "/keys/k", ""); got.str("key", "x") != second.str("key", "x") {
		t.Error("the newest is not the second")
	}
	if n := len(p.ok(200, alice, "GET", "/keys/k/versions", "").body["value"].([]any)); n != 2 {
		t.Errorf("%d versions", n)
	}
	changed := p.ok(200, alice, "PATCH", path(first.str("key", "kid")), `{"key_ops":["verify"],"attributes":{"enabled":false},"tags":{}}`)
	if got := fmt.Sprint(changed.body["key"].(map[string]any)["key_ops"]); got != "[verify]" || changed.body["attributes"].(map[string]any)["enabled"] != false {
		t.Errorf("updated: %s", changed.text)
	}
	if got := p.ok(200, alice, "GET", path(first.str("key", "kid")), ""); got.text != changed.text {
		t.Errorf("a disabled key can be read: %s", got.text)
	}
	blob := p.ok(200, alice, "POST", "/keys/k/backup", "").str("value")
	if a := p.as(alice, "POST", "/keys/restore", `{"value":"`+blob+`"}`); a.status != 409 {
		t.Errorf("restored over a live key: %d %s", a.status, a.text)
	}
	if a := p.as(alice, "POST", "/secrets/restore", `{"value":"`+blob+`"}`); a.status != 400 {
		t.Errorf("a key restored as a secret: %d %s", a.status, a.text)
	}
	p.ok(200, alice, "PUT", "/keys/k/rotationpolicy", `{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P90D"},"action":{"type":"rotate"}}]}`)
	p.ok(200, alice, "DELETE", "/keys/k", "")
	for _, c := range []struct{ method, url, body string }{{"POST", "/keys/k/create", `{"kty":"EC"}`}, {"PUT", "/keys/k", importJSON(t, ecKeyJWK(t))}} {
		if a := p.as(alice, c.method, c.url, c.body); a.status != 409 || a.errorCode() != "Conflict/ObjectIsDeletedButRecoverable" {
			t.Errorf("%s of a deleted key: %d %s", c.url, a.status, a.text)
		}
	}
	for _, url := range []string{"/keys/k", "/keys/k/rotationpolicy", path(first.str("key", "kid"))} {
		if a := p.as(alice, "GET", url, ""); a.status != 404 || a.errorCode() != "KeyNotFound" {
			t.Errorf("%s of a deleted key: %d %s", url, a.status, a.text)
		}
	}
	p.ok(200, alice, "POST", "/deletedkeys/k/recover", "")
	if a := p.ok(200, alice, "GET", "/keys/k/rotationpolicy", ""); !strings.Contains(a.text, "P90D") {
		t.Errorf("the policy did not come back: %s", a.text)
	}
	p.ok(200, alice, "DELETE", "/keys/k", "")
	p.ok(204, alice, "DELETE", "/deletedkeys/k", "")
	if err := p.s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.box.Drain(t.Context(), shardOf(res.GUID)); err != nil {
		t.Fatal(err)
	}
	if rows := p.objectRows(shardOf(res.GUID)); len(rows) != 0 {
		t.Errorf("a purged key leaves %d rows", len(rows))
	}
	p.ok(200, alice, "POST", "/keys/restore", `{"value":"`+blob+`"}`)
	if got := p.ok(200, alice, "GET", path(first.str("key", "kid")), ""); got.str("key", "x") != first.str("key", "x") {
		t.Errorf("restored: %s", got.text)
	}
}

func TestKey_OfACertificate(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.ok(202, alice, "POST", "/certificates/c/create", policyJSON(`{"kty":"EC"}`, typePEM, ""))
	for _, c := range []struct{ method, url, body string }{
		{"POST", "/keys/c/create", `{"kty":"EC"}`},
		{"PUT", "/keys/c", importJSON(t, ecKeyJWK(t))},
		{"PATCH", "/keys/c", `{"tags":{}}`},
		{"DELETE", "/keys/c", ``},
		{"POST", "/keys/c/rotate", ``},
		{"POST", "/keys/c/backup", ``},
		{"PUT", "/keys/c/rotationpolicy", `{"lifetimeActions":[]}`},
	} {
		if a := p.as(alice, c.method, c.url, c.body); a.status != 403 || a.errorCode() != "Forbidden/OperationNotAllowed" {
			t.Errorf("%s %s: %d %s", c.method, c.url, a.status, a.text)
		}
	}
	p.ok(200, alice, "POST", "/keys/c/sign", fmt.Sprintf(`{"alg":"ES256","value":%q}`, b64(make([]byte, 32))))
}

func importJSON(t testing.TB, k *jwk) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"key": k})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func ecKeyJWK(t testing.TB) *jwk {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve("P-256"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, _ := k.PublicKey.Bytes()
	d, _ := k.Bytes()
	return &jwk{Type: "EC", Curve: "P-256", X: b64(point[1:33]), Y: b64(point[33:]), D: b64(d)}
}

func rsaKeyJWK(t testing.TB, bits int) (*jwk, *rsa.PrivateKey) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	n := func(x *big.Int) string { return b64(x.Bytes()) }
	return &jwk{
		Type: "RSA", N: n(k.N), E: "AQAB", D: n(k.D), P: n(k.Primes[0]), Q: n(k.Primes[1]), DP: n(k.Precomputed.Dp), DQ: n(k.Precomputed.Dq), QI: n(k.Precomputed.Qinv),
	}, k
}

func TestKey_Import(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	k, private := rsaKeyJWK(t, 2048)
	k.Operations = []string{"sign", "verify"}
	got := p.ok(200, alice, "PUT", "/keys/mine", importJSON(t, k))
	if !private.PublicKey.Equal(publicKey(t, got)) || fmt.Sprint(got.body["key"].(map[string]any)["key_ops"]) != "[sign verify]" {
		t.Errorf("imported: %s", got.text)
	}
	for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		if _, ok := got.body["key"].(map[string]any)[secret]; ok {
			t.Errorf("the answer has %s", secret)
		}
	}
	sum := digest(t, crypto.SHA256, "x")
	sig := p.ok(200, alice, "POST", "/keys/mine/sign", fmt.Sprintf(`{"alg":"RS256","value":%q}`, b64(sum))).str("value")
	raw, _ := base64.RawURLEncoding.DecodeString(sig)
	if rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, sum, raw) != nil {
		t.Error("signed with another key")
	}
	p.ok(200, alice, "PUT", "/keys/curve", importJSON(t, ecKeyJWK(t)))

	bad := func(name string, change func(k *jwk)) {
		t.Helper()
		c := *k
		change(&c)
		if a := p.as(alice, "PUT", "/keys/bad", importJSON(t, &c)); a.status != 400 || a.errorCode() != "BadParameter" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	other, _ := rsaKeyJWK(t, 2048)
	small, _ := rsaKeyJWK(t, 1024)
	bad("no d", func(k *jwk) { k.D = "" })
	bad("no primes", func(k *jwk) { k.P, k.Q = "", "" })
	bad("another d", func(k *jwk) { k.D = other.D })
	bad("another n", func(k *jwk) { k.N = other.N })
	bad("a p that is no prime", func(k *jwk) { k.P = b64(append([]byte{0x80}, make([]byte, 127)...)) })
	bad("p twice", func(k *jwk) { k.Q = k.P })
	bad("even exponent", func(k *jwk) { k.E = "AQAA" })
	bad("exponent 1", func(k *jwk) { k.E = "AQ" })
	bad("wrong dp", func(k *jwk) { k.DP = k.DQ })
	bad("1024 bits", func(k *jwk) { *k = *small })
	bad("no type", func(k *jwk) { k.Type = "" })
	bad("huge", func(k *jwk) { k.N = b64(make([]byte, 2000)) })
	curve, second := ecKeyJWK(t), ecKeyJWK(t)
	bad("EC: another point", func(k *jwk) { *k = *curve; k.X, k.Y = second.X, second.Y })
	bad("EC: zero", func(k *jwk) { *k = *curve; k.D = "AA" })
	bad("EC: too long", func(k *jwk) { *k = *curve; k.D = b64(append([]byte{1}, make([]byte, 40)...)) })
	bad("EC: no curve", func(k *jwk) { *k = *curve; k.Curve = "" })
	bad("EC: other curve", func(k *jwk) { *k = *curve; k.Curve = "P-384" })
	if a := p.as(alice, "PUT", "/keys/bad", strings.Replace(importJSON(t, k), "{", `{"Hsm":true,`, 1)); a.status != 501 {
		t.Errorf("HSM: %d %s", a.status, a.text)
	}
	if a := p.as(alice, "PUT", "/keys/bad", `{}`); a.status != 400 {
		t.Errorf("no key: %d %s", a.status, a.text)
	}
}
