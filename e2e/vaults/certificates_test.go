package vaults

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"
)

func certificatesClient(t *testing.T, v vault) *azcertificates.Client {
	t.Helper()
	c, err := azcertificates.NewClient(v.way.Vault(v.name), v.cred, &azcertificates.ClientOptions{ClientOptions: v.way.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wanted(issuer string) azcertificates.CreateCertificateParameters {
	return azcertificates.CreateCertificateParameters{CertificatePolicy: &azcertificates.CertificatePolicy{
		IssuerParameters: &azcertificates.IssuerParameters{Name: &issuer},
		KeyProperties:    &azcertificates.KeyProperties{KeyType: to.Ptr(azcertificates.KeyTypeEC), Curve: to.Ptr(azcertificates.CurveNameP256)},
		X509CertificateProperties: &azcertificates.X509CertificateProperties{
			Subject: to.Ptr("CN=app.contoso.com"), SubjectAlternativeNames: &azcertificates.SubjectAlternativeNames{DNSNames: to.SliceOfPtrs("app.contoso.com")},
		},
	}}
}

func TestCertificates_RequestAndMerge(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, v vault) {
		c, ctx := certificatesClient(t, v), t.Context()
		op := ok(c.CreateCertificate(ctx, "app", wanted("Unknown"), nil))(t, "create")
		if *op.Status != "inProgress" {
			t.Fatalf("status %s", *op.Status)
		}
		request := ok(x509.ParseCertificateRequest(op.CSR))(t, "signing request")
		if request.CheckSignature() != nil || request.DNSNames[0] != "app.contoso.com" || request.Subject.CommonName != "app.contoso.com" {
			t.Errorf("request: %+v", request.Subject)
		}
		key := ok(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t, "authority's key")
		ca := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(99 * time.Hour), IsCA: true,
			BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
		root := ok(x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key))(t, "authority")
		leaf := ok(x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: request.Subject, DNSNames: request.DNSNames, NotBefore: ca.NotBefore, NotAfter: time.Now().Add(9 * time.Hour),
		}, ca, request.PublicKey, key))(t, "issue")
		_, err := c.MergeCertificate(ctx, "app", azcertificates.MergeCertificateParameters{X509Certificates: [][]byte{root}}, nil)
		wantCode(t, "merge with a certificate of another key", err, 400, "BadParameter")
		merged := ok(c.MergeCertificate(ctx, "app", azcertificates.MergeCertificateParameters{X509Certificates: [][]byte{leaf, root}}, nil))(t, "merge")
		if !bytes.Equal(merged.CER, leaf) {
			t.Error("merged another certificate")
		}
		done := ok(c.GetCertificateOperation(ctx, "app", nil))(t, "operation")
		if *done.Status != "completed" {
			t.Errorf("status %s", *done.Status)
		}
		// The second request is given up.
		ok(c.CreateCertificate(ctx, "app", wanted("Unknown"), nil))(t, "create again")
		cancelled := ok(c.UpdateCertificateOperation(ctx, "app", azcertificates.UpdateCertificateOperationParameter{CancellationRequested: to.Ptr(true)}, nil))(t, "cancel")
		if !*cancelled.CancellationRequested || *cancelled.Status != "cancelled" {
			t.Errorf("cancelled: %s", *cancelled.Status)
		}
		ok(c.DeleteCertificateOperation(ctx, "app", nil))(t, "delete operation")
		_, err = c.GetCertificateOperation(ctx, "app", nil)
		wantCode(t, "a deleted operation", err, 404, "PendingCertificateNotFound")
		blob := ok(c.BackupCertificate(ctx, "app", nil))(t, "backup")
		ok(c.DeleteCertificate(ctx, "app", nil))(t, "delete")
		ok(c.PurgeDeletedCertificate(ctx, "app", nil))(t, "purge")
		restored := ok(c.RestoreCertificate(ctx, azcertificates.RestoreCertificateParameters{CertificateBackup: blob.Value}, nil))(t, "restore")
		if !bytes.Equal(restored.CER, leaf) {
			t.Error("restored another certificate")
		}
	})
}

func TestCertificates_IssuersAndContacts(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, v vault) {
		c, ctx := certificatesClient(t, v), t.Context()
		ok(c.SetIssuer(ctx, "ca1", azcertificates.SetIssuerParameters{
			Provider: to.Ptr("DigiCert"), Credentials: &azcertificates.IssuerCredentials{AccountID: to.Ptr("me"), Password: to.Ptr("secret")},
		}, nil))(t, "set issuer")
		got := ok(c.GetIssuer(ctx, "ca1", nil))(t, "get issuer")
		if *got.Provider != "DigiCert" || *got.Credentials.AccountID != "me" || got.Credentials.Password != nil {
			t.Errorf("issuer: %+v", got)
		}
		op := ok(c.CreateCertificate(ctx, "app", wanted("ca1"), nil))(t, "create with an authority")
		if *op.Status != "failed" || op.Error == nil {
			t.Errorf("operation: %s %v", *op.Status, op.Error)
		}
		issuers := 0
		for pager := c.NewListIssuerPropertiesPager(nil); pager.More(); {
			issuers += len(ok(pager.NextPage(ctx))(t, "issuers").Value)
		}
		if issuers != 1 {
			t.Errorf("%d issuers", issuers)
		}
		ok(c.DeleteIssuer(ctx, "ca1", nil))(t, "delete issuer")
		ok(c.SetContacts(ctx, azcertificates.Contacts{ContactList: []*azcertificates.Contact{{Email: to.Ptr("ops@contoso.com")}}}, nil))(t, "set contacts")
		contacts := ok(c.GetContacts(ctx, nil))(t, "get contacts")
		if len(contacts.ContactList) != 1 || *contacts.ContactList[0].Email != "ops@contoso.com" {
			t.Errorf("contacts: %+v", contacts.ContactList)
		}
		ok(c.DeleteContacts(ctx, nil))(t, "delete contacts")
	})
}
