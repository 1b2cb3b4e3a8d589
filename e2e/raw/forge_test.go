package raw

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// jwt is a token taken apart, to be put together otherwise.
type jwt struct {
	header, claims map[string]any
	signature      string
}

func parse(t *testing.T, token string) jwt {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the token has %d parts", len(parts))
	}
	j := jwt{signature: parts[2]}
	for i, to := range []*map[string]any{&j.header, &j.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, to); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

func (j jwt) signed(t *testing.T) string {
	t.Helper()
	h, err := json.Marshal(j.header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(j.claims)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
}

// forgeries are tokens an attacker could make of a good one, by what was done. An expired token that the platform itself signed can't be made from
// outside; expiry is tested beside the verifier, with its clock.
func forgeries(t *testing.T, good string) map[string]string {
	t.Helper()
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	resign := func(j jwt) string {
		sum := sha256.Sum256([]byte(j.signed(t)))
		sig, err := rsa.SignPKCS1v15(rand.Reader, own, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return j.signed(t) + "." + base64.RawURLEncoding.EncodeToString(sig)
	}
	changed := func(change func(jwt)) jwt {
		j := parse(t, good)
		change(j)
		return j
	}
	kept := func(j jwt) string { return j.signed(t) + "." + j.signature }

	none := changed(func(j jwt) { j.header["alg"] = "none" })
	hs := changed(func(j jwt) { j.header["alg"] = "HS256" })
	mac := hmac.New(sha256.New, own.PublicKey.N.Bytes())
	mac.Write([]byte(hs.signed(t)))
	flipped := []byte(good)
	at := len(flipped) - 20
	flipped[at] = map[bool]byte{true: 'A', false: 'B'}[flipped[at] != 'A']
	return map[string]string{
		"signed with another key":      resign(parse(t, good)),
		"key named, and brought along": resign(changed(func(j jwt) { j.header["jwk"] = map[string]any{"kty": "RSA"}; j.header["kid"] = "own" })),
		"object id changed":            kept(changed(func(j jwt) { j.claims["oid"] = "00000000-0000-0000-0000-000000000001" })),
		"expiry moved":                 kept(changed(func(j jwt) { j.claims["exp"] = 4102444800 })),
		"issuer and key of one's own":  resign(changed(func(j jwt) { j.claims["iss"] = "https://sts.example.com/" + j.claims["tid"].(string) + "/" })),
		"issuer changed":               kept(changed(func(j jwt) { j.claims["iss"] = "https://sts.windows.net/00000000-0000-0000-0000-000000000001/" })),
		"audience changed":             kept(changed(func(j jwt) { j.claims["aud"] = "https://elsewhere.example" })),
		"algorithm none":               none.signed(t) + ".",
		"algorithm none, signature":    kept(none),
		"algorithm HS256":              hs.signed(t) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"signature changed":            string(flipped),
		"signature cut off":            good[:strings.LastIndexByte(good, '.')+1],
		"two parts":                    good[:strings.LastIndexByte(good, '.')],
		"not a token":                  "abc",
		"empty parts":                  "..",
	}
}
