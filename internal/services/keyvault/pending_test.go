package keyvault

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"
)

const unknownPolicy = `{"policy":{"issuer":{"name":"Unknown"},"key_props":{"kty":"EC"},"secret_props":{"contentType":"application/x-pem-file"},"x509_props":{` +
	`"subject":"CN=app.contoso.com, O=Contoso","sans":{"dns_names":["app.contoso.com"],"emails":["a@contoso.com"]},"key_usage":["digitalSignature","keyAgreement"],` +
	`"ekus":["1.3.6.1.5.5.7.3.1"]}},"tags":{"a":"b"}}`

// requestOf reads the signing request of an operation.
func requestOf(t testing.TB, op answer) *x509.CertificateRequest {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(op.str("csr"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := req.CheckSignature(); err != nil {
		t.Errorf("the request is not signed by its key: %v", err)
	}
	return req
}

// authority signs requests.
type authority struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key, ca, _ := chain(t)
	return authority{key, ca}
}

func (a authority) issue(t testing.TB, pub crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(7), DNSNames: []string{"app.contoso.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	}, a.cert, pub, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func mergeJSON(t testing.TB, x5c ...[]byte) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"x5c": x5c})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPending_Merge(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	op := p.ok(202, alice, "POST", "/certificates/c/create", unknownPolicy)
	if op.str("status") != "inProgress" || op.str("target") != "" {
		t.Errorf("operation: %s", op.text)
	}
	req := requestOf(t, op)
	if req.Subject.CommonName != "app.contoso.com" || req.DNSNames[0] != "app.contoso.com" || req.EmailAddresses[0] != "a@contoso.com" {
		t.Errorf("request: %v %v %v", req.Subject, req.DNSNames, req.EmailAddresses)
	}
	extensions := map[string]string{}
	for _, e := range req.Extensions {
		extensions[e.Id.String()] = string(e.Value)
	}
	if extensions["2.5.29.15"] != "\x03\x02\x03\x88" || !strings.Contains(extensions["2.5.29.37"], "\x2b\x06\x01\x05\x05\x07\x03\x01") {
		t.Errorf("usages of the request: %x", extensions)
	}
	if a := p.as(alice, "GET", "/certificates/c", ""); a.status != 404 {
		t.Errorf("a certificate before its merge: %d", a.status)
	}
	if a := p.as(alice, "POST", "/certificates/c/create", unknownPolicy); a.status != 409 || a.errorCode() != "Conflict/PendingCertificateOperationInProgress" {
		t.Errorf("a second request: %d %s", a.status, a.text)
	}
	ca := newAuthority(t)
	other, err := x509.ParsePKIXPublicKey(must(x509.MarshalPKIXPublicKey(newAuthority(t).key.Public())))
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"another key": mergeJSON(t, ca.issue(t, other)), "nothing": mergeJSON(t), "no certificate": mergeJSON(t, []byte("x")), "no base64": `{"x5c":["*"]}`,
	} {
		if a := p.as(alice, "POST", "/certificates/c/pending/merge", body); a.status != 400 || a.errorCode() != "BadParameter" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	leaf := ca.issue(t, req.PublicKey)
	merged := p.ok(201, alice, "POST", "/certificates/c/pending/merge", mergeJSON(t, leaf, ca.cert.Raw))
	if merged.str("cer") != base64.StdEncoding.EncodeToString(leaf) || merged.str("tags", "a") != "b" || merged.str("policy", "issuer", "name") != "Unknown" {
		t.Errorf("merged: %s", merged.text)
	}
	value := p.ok(200, alice, "GET", "/secrets/c", "").str("value")
	m, _, err := parseImport(value, "")
	if err != nil || string(m.leaf.Raw) != string(leaf) || len(m.chain) != 1 {
		t.Errorf("secret: %v\n%s", err, value)
	}
	if block, _ := pem.Decode([]byte(value)); block == nil || block.Type != "PRIVATE KEY" {
		t.Errorf("the secret has no key: %s", value)
	}
	done := p.ok(200, alice, "GET", "/certificates/c/pending", "")
	if done.str("status") != "completed" || done.str("target") != "https://kv1.vault.azure.net/certificates/c" {
		t.Errorf("operation: %s", done.text)
	}
	if a := p.as(alice, "POST", "/certificates/c/pending/merge", mergeJSON(t, leaf)); a.status != 409 {
		t.Errorf("merged twice: %d %s", a.status, a.text)
	}
	// The next version by the same policy.
	if again := p.ok(202, alice, "POST", "/certificates/c/create", `{}`); again.str("status") != "inProgress" || again.str("csr") == op.str("csr") {
		t.Errorf("again: %s", again.text)
	}
	// A backup brings the versions and what belongs to them.
	blob := p.ok(200, alice, "POST", "/certificates/c/backup", "").str("value")
	p.vault("kv2", nil)
	to := "https://kv2.vault.azure.net"
	p.ok(200, alice, "POST", to+"/certificates/restore", `{"value":"`+blob+`"}`)
	if got := p.ok(200, alice, "GET", to+"/secrets/c", "").str("value"); got != value {
		t.Error("the restored secret is another")
	}
	if got := p.ok(200, alice, "GET", to+"/certificates/c", "").str("x5t"); got != merged.str("x5t") {
		t.Error("the restored certificate is another")
	}
	if a := p.as(alice, "POST", to+"/certificates/restore", `{"value":"`+blob+`"}`); a.status != 409 {
		t.Errorf("restored twice: %d", a.status)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestPending_CancelAndDelete(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	op := p.ok(202, alice, "POST", "/certificates/c/create", unknownPolicy)
	if a := p.as(alice, "PATCH", "/certificates/c/pending", `{"cancellation_requested":false}`); a.status != 400 {
		t.Errorf("no cancellation: %d", a.status)
	}
	if a := p.ok(200, alice, "PATCH", "/certificates/c/pending", `{"cancellation_requested":true}`); a.str("status") != "cancelled" || a.body["cancellation_requested"] != true {
		t.Errorf("cancelled: %s", a.text)
	}
	leaf := newAuthority(t).issue(t, requestOf(t, op).PublicKey)
	if a := p.as(alice, "POST", "/certificates/c/pending/merge", mergeJSON(t, leaf)); a.status != 409 {
		t.Errorf("merged after it was cancelled: %d %s", a.status, a.text)
	}
	p.ok(200, alice, "DELETE", "/certificates/c/pending", "")
	for _, c := range [][2]string{{"GET", "/certificates/c/pending"}, {"DELETE", "/certificates/c/pending"}} {
		if a := p.as(alice, c[0], c[1], ""); a.status != 404 || a.errorCode() != "PendingCertificateNotFound" {
			t.Errorf("%s: %d %s", c, a.status, a.text)
		}
	}
	p.ok(202, alice, "POST", "/certificates/c/create", unknownPolicy)
}

func TestIssuers(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	set := p.ok(200, alice, "PUT", "/certificates/issuers/ca1", `{"provider":"DigiCert","credentials":{"account_id":"me","pwd":"to-hide"},"org_details":{"admin_details":[{"email":"a@b.c"}]}}`)
	if set.str("id") != "https://kv1.vault.azure.net/certificates/issuers/ca1" || set.str("credentials", "account_id") != "me" || strings.Contains(set.text, "to-hide") {
		t.Errorf("set: %s", set.text)
	}
	changed := p.ok(200, alice, "PATCH", "/certificates/issuers/CA1", `{"attributes":{"enabled":false}}`)
	if got := p.ok(200, alice, "GET", "/certificates/issuers/ca1", ""); got.text != changed.text || got.str("provider") != "DigiCert" {
		t.Errorf("changed: %s\nread: %s", changed.text, got.text)
	}
	if got := p.ok(200, alice, "GET", "/certificates/issuers", ""); !strings.Contains(got.text, `{"id":"https://kv1.vault.azure.net/certificates/issuers/ca1","provider":"DigiCert"}`) {
		t.Errorf("list: %s", got.text)
	}
	op := p.ok(202, alice, "POST", "/certificates/c/create", `{"policy":{"issuer":{"name":"ca1"},"key_props":{"kty":"EC"},"x509_props":{"subject":"CN=c"}}}`)
	if op.str("status") != "failed" || op.str("error", "code") != "CertificateProviderNotAvailable" || !strings.Contains(op.str("error", "message"), "DigiCert") {
		t.Errorf("operation with an authority: %s", op.text)
	}
	p.ok(200, alice, "DELETE", "/certificates/issuers/ca1", "")
	for _, c := range []struct {
		method, url, body string
		status            int
		code              string
	}{
		{"GET", "/certificates/issuers/ca1", "", 404, "CertificateIssuerNotFound"},
		{"PATCH", "/certificates/issuers/ca1", `{"provider":"x"}`, 404, "CertificateIssuerNotFound"},
		{"DELETE", "/certificates/issuers/ca1", "", 404, "CertificateIssuerNotFound"},
		{"PUT", "/certificates/issuers/ca1", `{}`, 400, "BadParameter"},
		{"PUT", "/certificates/issuers/c_a", `{"provider":"x"}`, 400, "BadParameter"},
		{"GET", "/certificates/contacts", "", 404, "ContactsNotFound"},
		{"DELETE", "/certificates/contacts", "", 404, "ContactsNotFound"},
		{"PUT", "/certificates/contacts", `{"contacts":[]}`, 400, "BadParameter"},
		{"PUT", "/certificates/contacts", `{"contacts":[{"email":"x"}]}`, 400, "BadParameter"},
	} {
		if a := p.as(alice, c.method, c.url, c.body); a.status != c.status || a.errorCode() != c.code {
			t.Errorf("%s %s %s: got %d %s, want %d %s", c.method, c.url, c.body, a.status, a.text, c.status, c.code)
		}
	}
	put := p.ok(200, alice, "PUT", "/certificates/contacts", `{"contacts":[{"email":"a@b.c","name":"A","phone":"1"}]}`)
	if got := p.ok(200, alice, "GET", "/certificates/contacts", ""); got.text != put.text || got.str("id") != "https://kv1.vault.azure.net/certificates/contacts" {
		t.Errorf("contacts: %s", got.text)
	}
	p.ok(200, alice, "DELETE", "/certificates/contacts", "")
}

// Of many that begin or merge at the same time one does.
func TestPending_OneOfMany(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.vault("kv1", nil)
	together := func(method, url, body string, won int) {
		t.Helper()
		var mu sync.Mutex
		got := map[int]int{}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				a := p.as(alice, method, url, body)
				mu.Lock()
				got[a.status]++
				mu.Unlock()
			})
		}
		wg.Wait()
		if got[won] != 1 || got[409] != 7 {
			t.Errorf("%s: %v, want one %d and 409 for the others", url, got, won)
		}
	}
	together("POST", "/certificates/c/create", unknownPolicy, 202)
	leaf := newAuthority(t).issue(t, requestOf(t, p.ok(200, alice, "GET", "/certificates/c/pending", "")).PublicKey)
	together("POST", "/certificates/c/pending/merge", mergeJSON(t, leaf), 201)
	if n := len(p.ok(200, alice, "GET", "/certificates/c/versions", "").body["value"].([]any)); n != 1 {
		t.Errorf("%d versions", n)
	}
}
