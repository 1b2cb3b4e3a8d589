package main

import (
	"context"
	"crypto/sha1" //nolint:gosec // a certificate's thumbprint is SHA-1 by definition
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// ensureSecret makes sure that the vault holds a secret of the application.
func (a *admin) ensureSecret(ctx context.Context, vaultURL, name string, app *application) error {
	client, err := azsecrets.NewClient(vaultURL, a.cred, nil)
	if err != nil {
		return err
	}
	_, err = client.GetSecret(ctx, name, "", nil)
	switch {
	case err == nil && len(app.Passwords) > 0:
		return nil
	case err != nil && !notFound(err):
		return err
	}
	text, err := a.addPassword(ctx, app)
	if err != nil {
		return err
	}
	_, err = client.SetSecret(ctx, name, azsecrets.SetSecretParameters{Value: &text, ContentType: to.Ptr("client secret of " + app.AppID)}, nil)
	return err
}

// ensureCertificate makes sure that the vault holds a certificate that was made there, so that its key was never elsewhere, and that the application knows it.
func (a *admin) ensureCertificate(ctx context.Context, vaultURL, name string, app *application) error {
	client, err := azcertificates.NewClient(vaultURL, a.cred, nil)
	if err != nil {
		return err
	}
	have, err := client.GetCertificate(ctx, name, "", nil)
	if err != nil {
		if !notFound(err) {
			return err
		}
		if have, err = makeCertificate(ctx, client, name); err != nil {
			return err
		}
	}
	cert, err := x509.ParseCertificate(have.CER)
	if err != nil {
		return err
	}
	thumbprint := sha1.Sum(cert.Raw) //nolint:gosec // see the import
	for _, k := range app.Keys {
		if strings.EqualFold(k.Identifier, hex.EncodeToString(thumbprint[:])) {
			return nil
		}
	}
	return a.setCertificate(ctx, app, cert)
}

// certificatePause is between two looks at a certificate being made.
const certificatePause = 2 * time.Second

func makeCertificate(ctx context.Context, client *azcertificates.Client, name string) (azcertificates.GetCertificateResponse, error) {
	var none azcertificates.GetCertificateResponse
	_, err := client.CreateCertificate(ctx, name, azcertificates.CreateCertificateParameters{CertificatePolicy: &azcertificates.CertificatePolicy{
		IssuerParameters:          &azcertificates.IssuerParameters{Name: to.Ptr("Self")},
		KeyProperties:             &azcertificates.KeyProperties{KeyType: to.Ptr(azcertificates.KeyTypeRSA), KeySize: to.Ptr[int32](2048), Exportable: to.Ptr(true)},
		SecretProperties:          &azcertificates.SecretProperties{ContentType: to.Ptr("application/x-pkcs12")},
		X509CertificateProperties: &azcertificates.X509CertificateProperties{Subject: to.Ptr("CN=" + name), ValidityInMonths: to.Ptr[int32](12)},
	}}, nil)
	if err != nil {
		return none, err
	}
	for {
		op, err := client.GetCertificateOperation(ctx, name, nil)
		switch {
		case err != nil:
			return none, err
		case op.Error != nil:
			return none, fmt.Errorf("certificate %s was not made: %v", name, op.Error)
		case op.Status != nil && *op.Status == "completed":
			return client.GetCertificate(ctx, name, "", nil)
		}
		select {
		case <-ctx.Done():
			return none, ctx.Err()
		case <-time.After(certificatePause):
		}
	}
}

func notFound(err error) bool {
	var answer *azcore.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
