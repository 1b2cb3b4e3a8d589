package goclients

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		app := p.CreateApp(t, "", harness.Name("app-"))
		vault := p.PutVault(t, p.PutGroup(t), "", harness.Policy{ObjectID: app.Principal, Secrets: harness.All, Certificates: harness.All})
		cred := secretCredential(t, w, app)
		c, err := azcertificates.NewClient(w.Vault(vault), cred, &azcertificates.ClientOptions{ClientOptions: w.ClientOptions()})
		if err != nil {
			t.Fatal(err)
		}
		secrets, ctx := secretsClient(t, w, vault, cred), t.Context()

		must(c.CreateCertificate(ctx, "daemon", azcertificates.CreateCertificateParameters{CertificatePolicy: &azcertificates.CertificatePolicy{
			IssuerParameters:          &azcertificates.IssuerParameters{Name: to.Ptr("Self")},
			KeyProperties:             &azcertificates.KeyProperties{KeyType: to.Ptr(azcertificates.KeyTypeRSA), KeySize: to.Ptr[int32](2048), Exportable: to.Ptr(true)},
			SecretProperties:          &azcertificates.SecretProperties{ContentType: to.Ptr("application/x-pkcs12")},
			X509CertificateProperties: &azcertificates.X509CertificateProperties{Subject: to.Ptr("CN=daemon"), ValidityInMonths: to.Ptr[int32](12)},
		}}, nil))(t, "create")
		eventually(t, 20*time.Second, func(ctx context.Context) error {
			op, err := c.GetCertificateOperation(ctx, "daemon", nil)
			if err == nil && *op.Status != "completed" {
				err = fmt.Errorf("status %s", *op.Status)
			}
			return err
		})
		made := must(c.GetCertificate(ctx, "daemon", "", nil))(t, "get")
		pfx := must(secrets.GetSecret(ctx, "daemon", "", nil))(t, "secret of the certificate")
		raw := must(base64.StdEncoding.DecodeString(*pfx.Value))(t, "PFX")
		certs, key, err := azidentity.ParseCertificates(raw, nil)
		if err != nil {
			t.Fatalf("azidentity reads the PFX: %v", err)
		}
		if !bytes.Equal(certs[0].Raw, made.CER) {
			t.Error("the PFX holds another certificate than cer")
		}
		signInWith(t, p, w, made.CER, certs, key)
		importPEM(t, c)
	})
}

// signInWith registers the certificate with a new application and signs in with what the vault gave out.
func signInWith(t *testing.T, p *harness.Platform, w harness.Way, der []byte, certs []*x509.Certificate, key any) {
	t.Helper()
	app := p.CreateApp(t, "", harness.Name("daemon-"), "--secret=false", "--certificate", pemFile(t, der))
	if _, err := certificateCredential(t, w, app, certs[0], key, false).GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://vault.azure.net/.default"}}); err != nil {
		t.Errorf("sign-in with the vault's certificate: %v", err)
	}
}

func importPEM(t *testing.T, c *azcertificates.Client) {
	t.Helper()
	key := ecKey(t)
	cert := selfSigned(t, key)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	must(c.ImportCertificate(t.Context(), "imported", azcertificates.ImportCertificateParameters{
		Base64EncodedCertificate: &text,
		CertificatePolicy:        &azcertificates.CertificatePolicy{SecretProperties: &azcertificates.SecretProperties{ContentType: to.Ptr("application/x-pem-file")}},
	}, nil))(t, "import")
	got := must(c.GetCertificate(t.Context(), "imported", "", nil))(t, "get imported")
	if !bytes.Equal(got.CER, cert.Raw) {
		t.Error("the imported certificate came back as another")
	}
}
