package goclients

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func secretsClient(t *testing.T, w harness.Way, vault string, cred azcore.TokenCredential) *azsecrets.Client {
	t.Helper()
	c, err := azsecrets.NewClient(w.Vault(vault), cred, &azsecrets.ClientOptions{ClientOptions: w.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		app := p.CreateApp(t, "", harness.Name("app-"))
		vault := p.PutVault(t, p.PutGroup(t), "", harness.Policy{ObjectID: app.Principal, Secrets: []string{"all", "purge"}})
		c, ctx := secretsClient(t, w, vault, secretCredential(t, w, app)), t.Context()

		_, err := c.GetSecret(ctx, "db", "", nil)
		wantStatus(t, "get of a secret that is not there", err, http.StatusNotFound, "SecretNotFound")
		first := must(c.SetSecret(ctx, "db", azsecrets.SetSecretParameters{
			Value: to.Ptr("one"), ContentType: to.Ptr("text/plain"), Tags: map[string]*string{"team": to.Ptr("a")},
		}, nil))(t, "set")
		second := must(c.SetSecret(ctx, "db", azsecrets.SetSecretParameters{Value: to.Ptr("two ü\n")}, nil))(t, "set again")
		if first.ID.Version() == second.ID.Version() {
			t.Fatal("both versions have one id")
		}
		if want := azsecrets.ID(w.Vault(vault) + "/secrets/db/" + second.ID.Version()); *second.ID != want {
			t.Errorf("id: got %s, want %s", *second.ID, want)
		}
		if got := must(c.GetSecret(ctx, "db", "", nil))(t, "get latest"); *got.Value != "two ü\n" {
			t.Errorf("latest: got %q", *got.Value)
		}
		got := must(c.GetSecret(ctx, "db", first.ID.Version(), nil))(t, "get first")
		if *got.Value != "one" || *got.ContentType != "text/plain" || *got.Tags["team"] != "a" {
			t.Errorf("first: got %q %q %v", *got.Value, *got.ContentType, got.Tags)
		}
		updateSecret(t, c, first.ID.Version())
		removeSecret(t, c)
	})
}

// updateSecret disables the version and enables it again.
func updateSecret(t *testing.T, c *azsecrets.Client, version string) {
	t.Helper()
	ctx := t.Context()
	for _, enabled := range []bool{false, true} {
		up := must(c.UpdateSecretProperties(ctx, "db", version, azsecrets.UpdateSecretPropertiesParameters{
			SecretAttributes: &azsecrets.SecretAttributes{Enabled: to.Ptr(enabled), Expires: to.Ptr(time.Now().Add(time.Hour))},
		}, nil))(t, "update")
		if *up.Attributes.Enabled != enabled || up.Attributes.Expires == nil {
			t.Errorf("update: got %+v", up.Attributes)
		}
		_, err := c.GetSecret(ctx, "db", version, nil)
		if enabled && err != nil {
			t.Errorf("get of an enabled secret: %v", err)
		}
		if !enabled {
			wantStatus(t, "get of a disabled secret", err, http.StatusForbidden, "Forbidden")
		}
	}
}

// removeSecret deletes, recovers, deletes again and purges.
func removeSecret(t *testing.T, c *azsecrets.Client) {
	t.Helper()
	ctx := t.Context()
	del := must(c.DeleteSecret(ctx, "db", nil))(t, "delete")
	if del.RecoveryID == nil || del.ScheduledPurgeDate == nil || !del.ScheduledPurgeDate.After(time.Now()) {
		t.Errorf("delete: got %+v", del.DeletedSecret)
	}
	_, err := c.GetSecret(ctx, "db", "", nil)
	wantStatus(t, "get of a deleted secret", err, http.StatusNotFound, "SecretNotFound")
	_, err = c.SetSecret(ctx, "db", azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
	wantStatus(t, "set of a deleted secret", err, http.StatusConflict, "Conflict")
	eventually(t, 5*time.Second, func(ctx context.Context) error { _, err := c.GetDeletedSecret(ctx, "db", nil); return err })
	must(c.RecoverDeletedSecret(ctx, "db", nil))(t, "recover")
	eventually(t, 5*time.Second, func(ctx context.Context) error {
		got, err := c.GetSecret(ctx, "db", "", nil)
		if err == nil && *got.Value != "two ü\n" {
			return fmt.Errorf("recovered value: %q", *got.Value)
		}
		return err
	})
	must(c.DeleteSecret(ctx, "db", nil))(t, "delete again")
	must(c.PurgeDeletedSecret(ctx, "db", nil))(t, "purge")
	_, err = c.GetDeletedSecret(ctx, "db", nil)
	wantStatus(t, "get of a purged secret", err, http.StatusNotFound, "SecretNotFound")
	must(c.SetSecret(ctx, "db", azsecrets.SetSecretParameters{Value: to.Ptr("new")}, nil))(t, "set after purge")
}

func TestSecrets_Lists(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		app := p.CreateApp(t, "", harness.Name("app-"))
		vault := p.PutVault(t, p.PutGroup(t), "", harness.Policy{ObjectID: app.Principal, Secrets: harness.All})
		c, ctx := secretsClient(t, w, vault, secretCredential(t, w, app)), t.Context()
		const count = 57 // three pages of 25
		var want []string
		for i := range count {
			name := fmt.Sprintf("secret-%02d", i)
			want = append(want, name)
			must(c.SetSecret(ctx, name, azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil))(t, "set")
		}
		var got []string
		pages := 0
		for pager := c.NewListSecretPropertiesPager(nil); pager.More(); pages++ {
			for _, s := range must(pager.NextPage(ctx))(t, "list").Value {
				got = append(got, s.ID.Name())
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("list: got %v", got)
		}
		if pages < 3 {
			t.Errorf("list came in %d pages, want at least 3", pages)
		}
		for range 29 {
			must(c.SetSecret(ctx, "secret-00", azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil))(t, "set")
		}
		versions := map[string]bool{}
		for pager := c.NewListSecretPropertiesVersionsPager("secret-00", nil); pager.More(); {
			for _, s := range must(pager.NextPage(ctx))(t, "versions").Value {
				versions[s.ID.Version()] = true
			}
		}
		if len(versions) != 30 {
			t.Errorf("versions: got %d, want 30", len(versions))
		}
	})
}

func TestSecrets_Permissions(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		group := p.PutGroup(t)
		writer, reader, stranger := p.CreateApp(t, "", harness.Name("w-")), p.CreateApp(t, "", harness.Name("r-")), p.CreateApp(t, "", harness.Name("s-"))
		policies := []harness.Policy{{ObjectID: writer.Principal, Secrets: harness.All}, {ObjectID: reader.Principal, Secrets: []string{"get"}}}
		vault := p.PutVault(t, group, "", policies...)
		ctx := t.Context()
		must(secretsClient(t, w, vault, secretCredential(t, w, writer)).SetSecret(ctx, "db", azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil))(t, "set")
		r := secretsClient(t, w, vault, secretCredential(t, w, reader))
		must(r.GetSecret(ctx, "db", "", nil))(t, "get by the reader")
		_, err := r.SetSecret(ctx, "db", azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil)
		wantStatus(t, "set by the reader", err, http.StatusForbidden, "Forbidden")
		_, err = r.NewListSecretPropertiesPager(nil).NextPage(ctx)
		wantStatus(t, "list by the reader", err, http.StatusForbidden, "Forbidden")
		_, err = secretsClient(t, w, vault, secretCredential(t, w, stranger)).GetSecret(ctx, "db", "", nil)
		wantStatus(t, "get by a stranger", err, http.StatusForbidden, "Forbidden")
		p.PutVault(t, group, vault, policies[0])
		_, err = r.GetSecret(ctx, "db", "", nil)
		wantStatus(t, "get by the former reader", err, http.StatusForbidden, "Forbidden")
	})
}
