package goclients

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func TestClientSecretCredential(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		app := p.CreateApp(t, "", harness.Name("app-"))
		cred := secretCredential(t, w, app)
		for _, resource := range []string{w.VaultAudience(), "https://vault.azure.net", "https://management.core.windows.net/", "https://graph.microsoft.com"} {
			token, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}})
			if err != nil {
				t.Fatalf("token for %s: %v", resource, err)
			}
			if left := time.Until(token.ExpiresOn); left < 50*time.Minute || left > 25*time.Hour {
				t.Errorf("token for %s ends in %s", resource, left)
			}
		}
		_, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://nobody.example/.default"}})
		wantAuthError(t, err, "AADSTS500011")
		app.Secret.SecretText = "wrong"
		_, err = secretCredential(t, w, app).GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}})
		wantAuthError(t, err, "AADSTS7000215")
	})
}

func TestClientSecretCredential_UnknownTenant(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		app := p.CreateApp(t, "", harness.Name("app-"))
		app.TenantID = "11111111-2222-3333-4444-555555555555"
		_, err := secretCredential(t, w, app).GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}})
		if err == nil || !strings.Contains(err.Error(), "AADSTS90002") {
			t.Fatalf("got %v, want AADSTS90002", err)
		}
	})
}

func wantAuthError(t *testing.T, err error, code string) {
	t.Helper()
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), code) {
		t.Fatalf("got %v, want %s", err, code)
	}
}

func TestClientCertificateCredential(t *testing.T) {
	t.Parallel()
	cert, key, file := newCertificate(t)
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		app := p.CreateApp(t, "", harness.Name("app-"), "--secret=false", "--certificate", file)
		for name, chain := range map[string]bool{"thumbprint": false, "chain": true} {
			t.Run(name, func(t *testing.T) {
				cred := certificateCredential(t, w, app, cert, key, chain)
				if _, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}}); err != nil {
					t.Fatal(err)
				}
			})
		}
		other, otherKey, _ := newCertificate(t)
		_, err := certificateCredential(t, w, app, other, otherKey, false).GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}})
		wantAuthError(t, err, "AADSTS700027")
	})
}

func certificateCredential(t *testing.T, w harness.Way, a harness.App, cert *x509.Certificate, key crypto.PrivateKey, chain bool) *azidentity.ClientCertificateCredential {
	t.Helper()
	cred, err := azidentity.NewClientCertificateCredential(a.TenantID, a.AppID, []*x509.Certificate{cert}, key, &azidentity.ClientCertificateCredentialOptions{
		ClientOptions: w.ClientOptions(), DisableInstanceDiscovery: !w.Public, SendCertificateChain: chain,
	})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

// newCertificate makes a self-signed certificate, and a PEM file with it alone.
func newCertificate(t *testing.T) (*x509.Certificate, *rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSigned(t, key)
	return cert, key, pemFile(t, cert.Raw)
}

func selfSigned(t *testing.T, key crypto.Signer) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "daemon"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// pemFile writes a certificate into a file.
func pemFile(t *testing.T, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
