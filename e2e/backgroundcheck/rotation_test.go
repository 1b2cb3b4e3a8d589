package backgroundcheck

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// testKeysRegenerated: all four keys of an account are new, the old ones are dead, and the next request is served.
func (s *stage) testKeysRegenerated(t *testing.T) {
	s.as(t, s.contoso, "GET", "/checks/demo-1", nil, http.StatusOK)
	old := s.keys(t, s.contoso)
	for _, kind := range []armcosmos.KeyKind{armcosmos.KeyKindPrimary, armcosmos.KeyKindSecondary, armcosmos.KeyKindPrimaryReadonly, armcosmos.KeyKindSecondaryReadonly} {
		poller, err := s.accounts(t, s.contoso).BeginRegenerateKey(t.Context(), s.contoso.group(), s.contoso.account(),
			armcosmos.DatabaseAccountRegenerateKeyParameters{KeyKind: to.Ptr(kind)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := poller.PollUntilDone(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	s.as(t, s.contoso, "GET", "/checks/demo-1", nil, http.StatusOK)
	fresh := s.keys(t, s.contoso)
	for _, k := range []struct {
		key  string
		good bool
	}{{*old.PrimaryMasterKey, false}, {*old.SecondaryReadonlyMasterKey, false}, {*fresh.PrimaryMasterKey, true}} {
		err := s.readDemo(t, k.key)
		if k.good && err != nil {
			t.Errorf("read with the new key: %v", err)
		}
		if !k.good {
			// azcosmos reads the account first, and tells a failure of that as text only.
			if err == nil || !strings.Contains(err.Error(), "RESPONSE 401") {
				t.Errorf("read with an old key: %v, want 401", err)
			}
		}
	}
}

// readDemo reads Contoso's demo document with a key of its account.
func (s *stage) readDemo(t *testing.T, key string) error {
	t.Helper()
	cred, err := azcosmos.NewKeyCredential(key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azcosmos.NewClientWithKey(s.way.Account(s.contoso.account()), cred, &azcosmos.ClientOptions{ClientOptions: s.way.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	container, err := client.NewContainer("backgroundcheck", "checks")
	if err != nil {
		t.Fatal(err)
	}
	_, err = container.ReadItem(t.Context(), azcosmos.NewPartitionKeyString("demo-1"), "demo-1", nil)
	return err
}

// signsIn tells whether a credential gets a token for Azure Resource Manager.
func signsIn(t *testing.T, cred azcore.TokenCredential) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}})
	return err
}

// testSecretRotated: Contoso's daemon gets a new secret, its old one is removed, and the next request is served.
func (s *stage) testSecretRotated(t *testing.T) {
	c := s.contoso
	s.as(t, c, "GET", "/checks/demo-1", nil, http.StatusOK)
	old, _ := s.stored(t, c.Credential, "")
	before, _ := s.graph(t, s.publisher, "GET", "/applications/"+c.DaemonObjectID, nil).JSON()["passwordCredentials"].([]any)
	added := s.graph(t, s.publisher, "POST", "/applications/"+c.DaemonObjectID+"/addPassword", object{"passwordCredential": object{"displayName": "rotated"}})
	fresh, _ := added.JSON()["secretText"].(string)
	if added.Status != http.StatusOK || fresh == "" || len(before) == 0 {
		t.Fatalf("addPassword: %d; %d secrets before", added.Status, len(before))
	}
	s.seen("the daemon's new secret", fresh)
	if _, err := s.vaultSecrets(t).SetSecret(t.Context(), c.Credential, azsecrets.SetSecretParameters{Value: &fresh}, nil); err != nil {
		t.Fatal(err)
	}
	for _, v := range before {
		removed := s.graph(t, s.publisher, "POST", "/applications/"+c.DaemonObjectID+"/removePassword", object{"keyId": v.(object)["keyId"]})
		if removed.Status != http.StatusNoContent {
			t.Fatalf("removePassword: %d %s", removed.Status, removed.Body)
		}
	}
	if err := signsIn(t, s.clientSecret(t, s.publisher.TenantID, c.DaemonClientID, old)); err == nil {
		t.Error("the removed secret still signs in")
	}
	s.as(t, c, "GET", "/checks/demo-1", nil, http.StatusOK)
}

// testCertificateRotated: the vault makes Fabrikam's daemon a new certificate, the old one is removed, and the next request is served.
func (s *stage) testCertificateRotated(t *testing.T) {
	c := s.fabrikam
	s.as(t, c, "GET", "/checks/same", nil, http.StatusOK)
	_, oldVersion := s.stored(t, c.Credential, "")
	client := s.vaultCertificates(t)
	have, err := client.GetCertificate(t.Context(), c.Credential, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	// As a new key in the vault alone changes nothing about who may sign in, the service must not get in with it before the directory knows it.
	if _, err := client.CreateCertificate(t.Context(), c.Credential, azcertificates.CreateCertificateParameters{CertificatePolicy: have.Policy}, nil); err != nil {
		t.Fatal(err)
	}
	fresh := s.awaitCertificate(t, client, c.Credential, have.ID.Version())
	s.refusedCertificate(t, c)
	patched := s.graph(t, s.publisher, "PATCH", "/applications/"+c.DaemonObjectID, object{"keyCredentials": []object{{
		"type": "AsymmetricX509Cert", "usage": "Verify", "displayName": "rotated", "key": base64.StdEncoding.EncodeToString(fresh.CER),
	}}})
	if patched.Status != http.StatusNoContent {
		t.Fatalf("PATCH keyCredentials: %d %s", patched.Status, patched.Body)
	}
	s.as(t, c, "GET", "/checks/same", nil, http.StatusOK)

	stored, newVersion := s.stored(t, c.Credential, "")
	if newVersion == oldVersion {
		t.Errorf("the vault's secret %s still has the version %s", c.Credential, oldVersion)
	}
	if err := signsIn(t, s.certificate(t, c, stored)); err != nil {
		t.Errorf("the new certificate does not sign in: %v", err)
	}
	stored, _ = s.stored(t, c.Credential, oldVersion)
	if err := signsIn(t, s.certificate(t, c, stored)); err == nil {
		t.Error("the removed certificate still signs in")
	}
}

func (s *stage) refusedCertificate(t *testing.T, c party) {
	t.Helper()
	e := errorOf(s.as(t, c, "GET", "/checks/same", nil, http.StatusBadGateway))
	if e["hop"] != "login" {
		t.Errorf("refused with %v, want hop login", e)
	}
}

// awaitCertificate waits until the certificate has another version than old.
func (s *stage) awaitCertificate(t *testing.T, client *azcertificates.Client, name, old string) azcertificates.Certificate {
	t.Helper()
	for range 100 {
		got, err := client.GetCertificate(t.Context(), name, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID.Version() != old {
			return got.Certificate
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the vault made no new version of %s", name)
	return azcertificates.Certificate{}
}

// certificate is a daemon's credential of what the vault holds, as PFX in base64.
func (s *stage) certificate(t *testing.T, c party, stored string) azcore.TokenCredential {
	t.Helper()
	pfx, err := base64.StdEncoding.DecodeString(stored)
	if err != nil {
		t.Fatal(err)
	}
	certs, key, err := azidentity.ParseCertificates(pfx, nil)
	if err != nil {
		t.Fatal(err)
	}
	cred, err := azidentity.NewClientCertificateCredential(s.publisher.TenantID, c.DaemonClientID, certs, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: s.way.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}
