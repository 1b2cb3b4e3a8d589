package keyvault

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	oldpkcs12 "golang.org/x/crypto/pkcs12"
	"software.sslmate.com/src/go-pkcs12"
)

func policyJSON(keyProps, contentType, more string) string {
	return `{"policy":{"key_props":` + keyProps + `,"secret_props":{"contentType":"` + contentType + `"},"issuer":{"name":"Self"},
	 "x509_props":{"subject":"CN=app.contoso.com, O=\"Contoso, Ltd.\"","sans":{"dns_names":["app.contoso.com","*.contoso.com"]},"validity_months":6` + more + `}}}`
}

func (p *platform) certificate(path string) (answer, *x509.Certificate) {
	p.t.Helper()
	a := p.ok(200, alice, "GET", path, "")
	der, err := base64.StdEncoding.DecodeString(a.str("cer"))
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	if sum := sha1.Sum(der); a.str("x5t") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		p.t.Errorf("x5t %s", a.str("x5t"))
	}
	return a, c
}

// split takes the value of a certificate's secret apart.
func split(t testing.TB, contentType, value string) (crypto.Signer, *x509.Certificate, int) {
	t.Helper()
	if contentType == typePEM {
		m, err := parsePEM([]byte(value))
		if err != nil {
			t.Fatal(err)
		}
		return m.signer, m.leaf, len(m.chain)
	}
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oldpkcs12.ToPEM(raw, ""); err != nil {
		t.Errorf("readers that know only the old algorithms fail: %v", err)
	}
	k, leaf, chain, err := pkcs12.DecodeChain(raw, "")
	if err != nil {
		t.Fatal(err)
	}
	return k.(crypto.Signer), leaf, len(chain)
}

func TestCertificate_Create(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ props, contentType, kty, crv string }{
		{`{"kty":"RSA","key_size":2048}`, typePFX, "RSA", ""},
		{`{"kty":"RSA","key_size":3072}`, typePEM, "RSA", ""},
		{`{"kty":"EC","crv":"P-256"}`, typePEM, "EC", "P-256"},
		{`{"kty":"EC","crv":"P-384"}`, typePFX, "EC", "P-384"},
		{`{"kty":"EC","crv":"P-521","key_size":521}`, typePFX, "EC", "P-521"},
	} {
		t.Run(c.kty+c.crv+c.props, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			p.vault("kv1", nil)
			op := p.ok(202, alice, "POST", "/certificates/Cert/create", policyJSON(c.props, c.contentType, ""))
			if op.str("status") != "inProgress" || op.str("target") != "" || op.str("issuer", "name") != "Self" {
				t.Errorf("operation: %s", op.text)
			}
			csr, err := base64.StdEncoding.DecodeString(op.str("csr"))
			if err != nil {
				t.Fatal(err)
			}
			req, err := x509.ParseCertificateRequest(csr)
			if err != nil || req.CheckSignature() != nil {
				t.Errorf("signing request: %v", err)
			}
			if got := p.ok(200, alice, "GET", "/certificates/cert/pending", ""); got.str("status") != "completed" || got.str("target") != "https://kv1.vault.azure.net/certificates/Cert" || got.str("csr") != op.str("csr") {
				t.Errorf("pending: %s", got.text)
			}
			a, cert := p.certificate("/certificates/cert/")
			if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
				t.Errorf("not signed by its own key: %v", err)
			}
			now := p.clock.Now()
			if !cert.NotBefore.Equal(now.Add(-10*time.Minute)) || !cert.NotAfter.Equal(now.AddDate(0, 6, 0)) {
				t.Errorf("valid from %s to %s", cert.NotBefore, cert.NotAfter)
			}
			if cert.Subject.CommonName != "app.contoso.com" || cert.Subject.Organization[0] != "Contoso, Ltd." || fmt.Sprint(cert.DNSNames) != "[app.contoso.com *.contoso.com]" {
				t.Errorf("subject %s, names %v", cert.Subject, cert.DNSNames)
			}
			if cert.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment || len(cert.ExtKeyUsage) != 2 || cert.IsCA {
				t.Errorf("usage %b %v %t", cert.KeyUsage, cert.ExtKeyUsage, cert.IsCA)
			}
			if a.body["attributes"].(map[string]any)["exp"] != float64(cert.NotAfter.Unix()) {
				t.Errorf("attributes: %s", a.text)
			}
			version := a.str("id")[strings.LastIndex(a.str("id"), "/")+1:]
			for field, kind := range map[string]string{"id": "certificates", "kid": "keys", "sid": "secrets"} {
				if want := "https://kv1.vault.azure.net/" + kind + "/Cert/" + version; a.str(field) != want {
					t.Errorf("%s: got %s, want %s", field, a.str(field), want)
				}
			}
			secret := p.ok(200, alice, "GET", a.str("sid"), "")
			if secret.str("contentType") != c.contentType || secret.body["managed"] != true || secret.str("kid") != a.str("kid") {
				t.Errorf("secret: %s", secret.text)
			}
			signer, leaf, chain := split(t, c.contentType, secret.str("value"))
			if !leaf.Equal(cert) || chain != 0 || !signer.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(cert.PublicKey) {
				t.Error("the secret is not the certificate with its key")
			}
			key := p.ok(200, alice, "GET", a.str("kid"), "")
			if key.str("key", "kty") != c.kty || key.str("key", "crv") != c.crv || key.str("key", "kid") != a.str("kid") {
				t.Errorf("key: %s", key.text)
			}
			b64 := func(s string) *big.Int {
				raw, err := base64.RawURLEncoding.DecodeString(s)
				if err != nil {
					t.Fatal(err)
				}
				return new(big.Int).SetBytes(raw)
			}
			switch pub := cert.PublicKey.(type) {
			case *rsa.PublicKey:
				if b64(key.str("key", "n")).Cmp(pub.N) != 0 || b64(key.str("key", "e")).Int64() != int64(pub.E) {
					t.Errorf("key: %s", key.text)
				}
			case *ecdsa.PublicKey:
				point, err := pub.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				x, _ := base64.RawURLEncoding.DecodeString(key.str("key", "x"))
				y, _ := base64.RawURLEncoding.DecodeString(key.str("key", "y"))
				if !bytes.Equal(append(append([]byte{4}, x...), y...), point) {
					t.Errorf("key: %s", key.text)
				}
			}
		})
	}
}

func TestCertificate_Refusals(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	p.ok(200, alice, "PUT", "/secrets/plain", `{"value":"v"}`)
	ec := `{"kty":"EC"}`
	for _, c := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"no policy", `{}`, 400, "BadParameter"},
		{"unknown issuer", `{"policy":{"issuer":{"name":"DigiCert"},"x509_props":{"subject":"CN=a"}}}`, 400, "BadParameter"},
		{"renewed by nobody", `{"policy":{"issuer":{"name":"Unknown"},"x509_props":{"subject":"CN=a"},` +
			`"lifetime_actions":[{"trigger":{"lifetime_percentage":80},"action":{"action_type":"AutoRenew"}}]}}`, 400, "BadParameter"},
		{"renewed at once", `{"policy":{"issuer":{"name":"Self"},"x509_props":{"subject":"CN=a","validity_months":1},` +
			`"lifetime_actions":[{"trigger":{"days_before_expiry":28},"action":{"action_type":"AutoRenew"}}]}}`, 400, "BadParameter"},
		{"no subject", `{"policy":{"issuer":{"name":"Self"}}}`, 400, "BadParameter"},
		{"bad subject", `{"policy":{"issuer":{"name":"Self"},"x509_props":{"subject":"app"}}}`, 400, "BadParameter"},
		{"bad subject 2", `{"policy":{"issuer":{"name":"Self"},"x509_props":{"subject":"CN=a,"}}}`, 400, "BadParameter"},
		{"HSM", `{"policy":{"issuer":{"name":"Self"},"key_props":{"kty":"RSA-HSM"},"x509_props":{"subject":"CN=a"}}}`, 501, "NotImplemented"},
		{"key size", `{"policy":{"issuer":{"name":"Self"},"key_props":{"kty":"RSA","key_size":1024},"x509_props":{"subject":"CN=a"}}}`, 400, "BadParameter"},
		{"content type", policyJSON(ec, "text/plain", ""), 400, "BadParameter"},
		{"key usage", policyJSON(ec, typePEM, `,"key_usage":["everything"]`), 400, "BadParameter"},
		{"EKU", policyJSON(ec, typePEM, `,"ekus":["x.y"]`), 400, "BadParameter"},
		{"months", policyJSON(ec, typePEM, `,"validity_months":-1`), 400, "BadParameter"},
		{"CA", policyJSON(ec, typePEM, `,"basic_constraints":{"ca":true}`), 501, "NotImplemented"},
	} {
		if a := p.as(alice, "POST", "/certificates/c/create", c.body); a.status != c.status || a.errorCode() != c.code {
			t.Errorf("%s: got %d %s, want %d %s: %s", c.name, a.status, a.errorCode(), c.status, c.code, a.text)
		}
	}
	if a := p.as(alice, "POST", "/certificates/plain/create", policyJSON(ec, typePEM, "")); a.status != 409 {
		t.Errorf("over a plain secret: %d %s", a.status, a.text)
	}
	for _, url := range []string{"/certificates/nope", "/certificates/nope/policy", "/certificates/nope/pending"} {
		if a := p.as(alice, "GET", url, ""); a.status != 404 {
			t.Errorf("%s: %d %s", url, a.status, a.text)
		}
	}
	for _, body := range []string{`{"value":""}`, `{"value":"AAAA"}`, `{"value":"-----BEGIN CERTIFICATE-----"}`, `{"value":"*"}`} {
		if a := p.as(alice, "POST", "/certificates/c/import", body); a.status != 400 || a.errorCode() != "BadParameter" {
			t.Errorf("import %s: %d %s", body, a.status, a.text)
		}
	}
}

func TestCertificate_LifeCycle(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	res := p.vault("kv1", nil)
	create := policyJSON(`{"kty":"EC","reuse_key":true}`, typePEM, "")
	p.ok(202, alice, "POST", "/certificates/c/create", create)
	one, first := p.certificate("/certificates/c")
	p.ok(202, alice, "POST", "/certificates/c/create", "{\"tags\":{\"a\":\"b\"}}")
	two, second := p.certificate("/certificates/c")
	if one.str("id") == two.str("id") || !first.PublicKey.(*ecdsa.PublicKey).Equal(second.PublicKey) || first.Equal(second) {
		t.Error("the second version is not a new certificate of the same key")
	}
	if a := p.ok(200, alice, "GET", "/certificates/c/versions", ""); len(a.body["value"].([]any)) != 2 || !strings.Contains(a.text, `"x5t"`) {
		t.Errorf("versions: %s", a.text)
	}
	p.ok(200, alice, "GET", one.str("id"), "")

	// The secret and the key belong to the certificate.
	for _, c := range []struct{ method, url, body string }{
		{"PUT", "/secrets/c", `{"value":"v"}`}, {"PATCH", "/secrets/c", `{"tags":{}}`}, {"DELETE", "/secrets/c", ""}, {"POST", "/secrets/c/backup", ""},
	} {
		if a := p.as(alice, c.method, c.url, c.body); a.status != 403 || a.errorCode() != "Forbidden/OperationNotAllowed" {
			t.Errorf("%s %s: %d %s", c.method, c.url, a.status, a.text)
		}
	}
	if a := p.ok(200, alice, "GET", "/secrets", ""); !strings.Contains(a.text, `"managed":true`) {
		t.Errorf("list of secrets: %s", a.text)
	}

	p.ok(200, alice, "PATCH", "/certificates/c", `{"attributes":{"enabled":false}}`)
	if a := p.as(alice, "GET", "/secrets/c", ""); a.errorCode() != "Forbidden/SecretDisabled" {
		t.Errorf("the secret of a disabled certificate: %d %s", a.status, a.text)
	}
	p.ok(200, alice, "PATCH", "/certificates/c", `{"attributes":{"enabled":true}}`)

	pol := p.ok(200, alice, "PATCH", "/certificates/c/policy", `{"x509_props":{"validity_months":24},"key_props":{"reuse_key":false}}`)
	if pol.body["x509_props"].(map[string]any)["validity_months"] != 24.0 || pol.str("x509_props", "subject") == "" || pol.str("key_props", "kty") != "EC" {
		t.Errorf("policy: %s", pol.text)
	}
	p.ok(202, alice, "POST", "/certificates/c/create", "{}")
	if _, third := p.certificate("/certificates/c"); !third.NotAfter.Equal(p.clock.Now().AddDate(2, 0, 0)) || third.PublicKey.(*ecdsa.PublicKey).Equal(second.PublicKey) {
		t.Errorf("third version: until %s", third.NotAfter)
	}

	d := p.ok(200, alice, "DELETE", "/certificates/c", "")
	if d.str("recoveryId") != "https://kv1.vault.azure.net/deletedcertificates/c" {
		t.Errorf("delete: %s", d.text)
	}
	for _, url := range []string{"/certificates/c", "/secrets/c", "/keys/c", "/certificates/c/pending"} {
		if a := p.as(alice, "GET", url, ""); a.status != 404 {
			t.Errorf("%s of a deleted certificate: %d", url, a.status)
		}
	}
	p.ok(200, alice, "GET", "/deletedsecrets/c", "")
	p.ok(200, alice, "GET", "/deletedkeys/c", "")
	if a := p.as(alice, "POST", "/deletedsecrets/c/recover", ""); a.status != 403 {
		t.Errorf("recover the secret alone: %d", a.status)
	}
	for _, c := range []struct{ method, url, body string }{{"PUT", "/secrets/c", `{"value":"v"}`}, {"POST", "/certificates/c/create", create}} {
		if a := p.as(alice, c.method, c.url, c.body); a.status != 409 || a.errorCode() != "Conflict/ObjectIsDeletedButRecoverable" {
			t.Errorf("%s %s: %d %s", c.method, c.url, a.status, a.text)
		}
	}
	p.ok(200, alice, "POST", "/deletedcertificates/c/recover", "")
	p.ok(200, alice, "GET", "/secrets/c", "")
	p.ok(200, alice, "GET", "/certificates/c/pending", "")
	p.ok(200, alice, "DELETE", "/certificates/c", "")
	p.ok(204, alice, "DELETE", "/deletedcertificates/c", "")
	if err := p.box.Drain(t.Context(), shardOf(res.GUID)); err != nil {
		t.Fatal(err)
	}
	if err := p.s.Sweep(t.Context()); err != nil { // takes the timer
		t.Fatal(err)
	}
	if rows := p.objectRows(shardOf(res.GUID)); len(rows) != 0 {
		t.Errorf("a purged certificate leaves %d rows", len(rows))
	}
}

// chain makes a CA and a leaf signed by it.
func chain(t testing.TB) (*ecdsa.PrivateKey, *x509.Certificate, *x509.Certificate) {
	t.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	caKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: now, NotAfter: now.AddDate(5, 0, 0), IsCA: true, BasicConstraintsValid: true,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	ca, _ = x509.ParseCertificate(caDER)
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, NotBefore: now, NotAfter: now.AddDate(1, 0, 0), DNSNames: []string{"leaf.example"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ = x509.ParseCertificate(der)
	return key, leaf, ca
}

func TestCertificate_Import(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	key, leaf, ca := chain(t)
	pfx, err := pkcs12.Modern.Encode(key, leaf, []*x509.Certificate{ca}, "pass word")
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	// The chain comes first, to see that the leaf is found by its key.
	text := block("CERTIFICATE", ca.Raw) + block("PRIVATE KEY", pkcs8) + block("CERTIFICATE", leaf.Raw)
	body := func(value, password, policy string) string {
		b, _ := json.Marshal(map[string]any{"value": value, "pwd": password})
		return strings.TrimSuffix(string(b), "}") + policy + "}"
	}
	b64 := base64.StdEncoding.EncodeToString(pfx)
	for _, c := range []struct{ name, body, contentType string }{
		{"pfx", body(b64, "pass word", ""), typePFX},
		{"pem", body(text, "", ""), typePEM},
		{"pem64", body(base64.StdEncoding.EncodeToString([]byte(text)), "", ""), typePEM},
		{"pfxaspem", body(b64, "pass word", `,"policy":{"secret_props":{"contentType":"application/x-pem-file"}}`), typePEM},
	} {
		a := p.ok(200, alice, "POST", "/certificates/"+c.name+"/import", c.body)
		if a.str("policy", "issuer", "name") != "Unknown" || a.str("policy", "x509_props", "subject") != "CN=leaf" || a.str("policy", "key_props", "crv") != "P-256" {
			t.Errorf("%s: %s", c.name, a.text)
		}
		if _, got := p.certificate("/certificates/" + c.name); !got.Equal(leaf) {
			t.Errorf("%s: another certificate", c.name)
		}
		secret := p.ok(200, alice, "GET", "/secrets/"+c.name, "")
		signer, got, above := split(t, c.contentType, secret.str("value"))
		if !got.Equal(leaf) || above != 1 || !key.Equal(signer) {
			t.Errorf("%s: the secret differs", c.name)
		}
		if a := p.as(alice, "GET", "/certificates/"+c.name+"/pending", ""); a.status != 404 {
			t.Errorf("%s: pending %d", c.name, a.status)
		}
	}
	p.ok(200, alice, "POST", "/certificates/closed/import", body(b64, "pass word", `,"policy":{"key_props":{"exportable":false},"secret_props":{"contentType":"application/x-pem-file"}}`))
	if a := p.ok(200, alice, "GET", "/secrets/closed", ""); strings.Contains(a.text, "PRIVATE KEY") || !strings.Contains(a.text, "CERTIFICATE") {
		t.Errorf("a key that is not exportable: %s", a.text)
	}
	for name, b := range map[string]string{
		"wrong password": body(b64, "x", ""), "no key": body(block("CERTIFICATE", leaf.Raw), "", ""), "other key": body(block("PRIVATE KEY", pkcs8)+block("CERTIFICATE", ca.Raw), "", ""),
		"encrypted": body(block("ENCRYPTED PRIVATE KEY", pkcs8)+block("CERTIFICATE", leaf.Raw), "", ""),
	} {
		if a := p.as(alice, "POST", "/certificates/bad/import", b); a.status != 400 || a.errorCode() != "BadParameter" || strings.Contains(a.text, "pass word") {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
}

func TestImport_BoundedWork(t *testing.T) {
	t.Parallel()
	key, leaf, _ := chain(t)
	pfx, err := pkcs12.Modern.WithIterations(5_000).Encode(key, leaf, nil, "p")
	if err != nil {
		t.Fatal(err)
	}
	if !bounded(pfx, 0) {
		t.Error("an ordinary PFX is refused")
	}
	type parameters struct {
		Salt   []byte
		Rounds int64
	}
	for rounds, want := range map[int64]bool{1: true, 600_000: true, maxIterations: true, maxIterations + 1: false, 1 << 40: false} {
		inner, err := asn1.Marshal(parameters{make([]byte, 8), rounds})
		if err != nil {
			t.Fatal(err)
		}
		outer, err := asn1.Marshal([]any{1, inner}) // inside an octet string, as in a PFX
		if err != nil {
			t.Fatal(err)
		}
		if got := bounded(outer, 0); got != want {
			t.Errorf("%d rounds: bounded %t, want %t", rounds, got, want)
		}
	}
}

func TestParseSubject(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"CN=a":                            "CN=a",
		"CN=a, O=b ,C=US":                 "CN=a,O=b,C=US",
		`CN="a, b", OU=x`:                 `CN=a\, b,OU=x`,
		`CN=a\,b;O=c`:                     `CN=a\,b,O=c`,
		"CN=a+OU=b, O=c":                  "CN=a+OU=b,O=c",
		"OID.2.5.4.3=a":                   "CN=a",
		"":                                "",
		"CN=ünï":                          "CN=ünï",
		"CN=\"quoted \\\" and \\\\ end\"": `CN=quoted \" and \\ end`,
	} {
		seq, err := parseSubject(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := seq.String(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"a", "CN", "CN=", "=a", "CN=a,", "CN=a,,O=b", "XX=a", `CN="a`, `CN="a"b`, `CN=a"b`, "CN=a,O"} {
		if seq, err := parseSubject(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, seq)
		}
	}
}
