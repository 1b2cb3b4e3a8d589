package keyvault

import (
	"crypto/x509"
	"encoding/json"
	"net/url"
	"testing"
)

func FuzzObjectPath(f *testing.F) {
	for _, s := range [][2]string{{"s", ""}, {"a_b", "x"}, {"%2F", "00000000000000000000000000000000"}, {"..", "versions"}, {"\x00", "\xff"}} {
		f.Add(s[0], s[1])
	}
	p := newPlatform(f)
	p.vault("kv1", nil)
	f.Fuzz(func(t *testing.T, name, version string) {
		q := *p
		q.t = t
		a := q.as(alice, "GET", "/secrets/"+url.PathEscape(name)+"/"+url.PathEscape(version), "")
		if a.status == 200 && version != "versions" && name != "" || a.status >= 500 {
			t.Errorf("%q %q: %d %s", name, version, a.status, a.text)
		}
	})
}

func FuzzSkipToken(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	p := newPlatform(f)
	p.vault("kv1", nil)
	f.Fuzz(func(t *testing.T, token string) {
		q := *p
		q.t = t
		if a := q.as(alice, "GET", "/secrets?$skiptoken="+url.QueryEscape(token), ""); a.status != 200 && a.status != 400 {
			t.Errorf("%q: %d %s", token, a.status, a.text)
		}
	})
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "")
	f.Add([]byte("MIIB"), "p")
	f.Fuzz(func(t *testing.T, value []byte, password string) {
		m, _, err := parseImport(string(value), password)
		if err == nil && (m.leaf == nil || m.signer == nil) {
			t.Error("accepted without certificate or key")
		}
		if m, err := parsePFX(value, password); err == nil && m.leaf == nil {
			t.Error("accepted without certificate")
		}
	})
}

func FuzzSubject(f *testing.F) {
	f.Add(`CN="a, b"+OU=c\,d;O=e`)
	f.Fuzz(func(t *testing.T, text string) {
		if seq, err := parseSubject(text); err == nil {
			for _, set := range seq {
				if len(set) == 0 {
					t.Errorf("%q: an empty set", text)
				}
			}
		}
	})
}

func FuzzJWK(f *testing.F) {
	rsaKey, _ := rsaKeyJWK(f, 2048)
	for _, k := range []*jwk{rsaKey, ecKeyJWK(f), {Type: "RSA"}, {Type: "EC", Curve: "P-521", D: "AA"}, {Type: "oct"}} {
		b, err := json.Marshal(k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var k jwk
		if json.Unmarshal(body, &k) != nil {
			return
		}
		signer, err := k.private()
		if err != nil {
			return
		}
		der, err := x509.MarshalPKCS8PrivateKey(signer)
		if err != nil {
			t.Fatalf("an accepted key cannot be stored: %v", err)
		}
		if _, err := publicJWK(&record{PrivateKey: der}); err != nil {
			t.Errorf("an accepted key cannot be shown: %v", err)
		}
		for name, a := range signings() {
			u := use{in: &useInput{Algorithm: name}, signer: signer}
			text := b64(make([]byte, a.hash.Size()))
			if _, sum, err := u.signing("value", &text); err == nil {
				sig, err := a.sign(signer, sum)
				if err != nil || !a.verify(signer, sum, sig) {
					t.Errorf("%s: an accepted key does not sign: %v", name, err)
				}
			}
		}
	})
}

func FuzzMerge(f *testing.F) {
	key, ca, leaf := chain(f)
	f.Add(leaf.Raw, ca.Raw)
	f.Add([]byte("x"), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		certs, err := parseChain([][]byte{a, b})
		if err != nil {
			return
		}
		if m, err := matched(key, certs); err == nil && !key.PublicKey.Equal(m.leaf.PublicKey) {
			t.Error("merged with another key's certificate")
		}
	})
}

func FuzzSigningRequest(f *testing.F) {
	f.Add("CN=a", "a.example", "a@b.c", "1.3.6.1.5.5.7.3.1", "digitalSignature")
	f.Add(`CN="é"`, "*.a", "", "2.999.1", "decipherOnly")
	key, _, _ := chain(f)
	f.Fuzz(func(t *testing.T, subject, dns, email, eku, usage string) {
		p := &policy{
			Issuer: &issuerRef{Name: issuerUnknown}, Key: &keyProps{Type: "EC"},
			X509: &x509Props{Subject: subject, SANs: &sans{DNSNames: []string{dns}, Emails: []string{email}}, EKUs: []string{eku}, KeyUsage: []string{usage}},
		}
		if p.settle(true) != nil {
			return
		}
		der, err := signingRequest(p, key)
		if err != nil {
			return
		}
		req, err := x509.ParseCertificateRequest(der)
		if err != nil {
			t.Fatalf("a request that cannot be read: %v", err)
		}
		if err := req.CheckSignature(); err != nil || !key.PublicKey.Equal(req.PublicKey) {
			t.Errorf("request: %v", err)
		}
	})
}

func FuzzPeriod(f *testing.F) {
	f.Add("P1Y2M3W4D")
	f.Fuzz(func(t *testing.T, text string) {
		if p, ok := parsePeriod(text); ok && (p.after(0) < 0 || p.before(0) > 0) {
			t.Errorf("%q: %v", text, p)
		}
	})
}

func FuzzRestore(f *testing.F) {
	p := newPlatform(f)
	p.vault("kv1", nil)
	p.ok(200, alice, "POST", "/keys/k/create", `{"kty":"EC"}`)
	raw, err := decodeBase64(p.ok(200, alice, "POST", "/keys/k/backup", "").str("value"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, blob []byte) {
		q := *p
		q.t = t
		a := q.as(alice, "POST", "/keys/restore", `{"value":"`+b64(blob)+`"}`)
		if a.status != 400 && a.status != 409 { // 409: a seed, the key is there
			t.Errorf("%d %s", a.status, a.text)
		}
	})
}
