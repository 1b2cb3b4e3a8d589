package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

var testHosts = wire.Hosts{Suffix: "bulkhead.localhost", Port: 8443}

func TestParseReference(t *testing.T) {
	t.Parallel()
	const ver = "ec96f02080254f109c51a1f14cdb1931"
	plain, pinned := reference{"kv1", "db", ""}, reference{"kv1", "db", ver}
	for _, c := range []struct {
		value string
		want  reference // the zero value: InvalidSyntax
	}{
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db/)", plain},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db)", plain},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db/" + ver + ")", pinned},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db/" + ver + "/)", pinned},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net//secrets//db//)", plain},
		{"@microsoft.keyvault( secreturi = HTTPS://KV1.vault.azure.net/Secrets/db )  ", plain},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net:443/secrets/db)", plain},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.bulkhead.localhost:8443/secrets/db)", plain},
		{"@Microsoft.KeyVault(VaultName=kv1;SecretName=db)", plain},
		{"@Microsoft.KeyVault(VaultName=KV1;SecretName=db;SecretVersion=" + ver + ")", pinned},
		{"@Microsoft.KeyVault( vaultname = kv1 ; secretversion = " + ver + " ; SECRETNAME = db ; )", pinned},
		{"@Microsoft.KeyVault(VaultName=kv1;SecretName=db;SecretVersion=)", plain},

		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db", reference{}},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db) and more", reference{}},
		{"see @Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db)", reference{}},
		{"@Microsoft.KeyVault()", reference{}},
		{"@Microsoft.KeyVault(VaultName=kv1)", reference{}},
		{"@Microsoft.KeyVault(SecretName=db)", reference{}},
		{"@Microsoft.KeyVault(VaultName=kv1;SecretName=db;Colour=blue)", reference{}},
		{"@Microsoft.KeyVault(VaultName=kv1;VaultName=kv2;SecretName=db)", reference{}},
		{"@Microsoft.KeyVault(VaultName=kv1;SecretName=a/b)", reference{}},
		{"@Microsoft.KeyVault(VaultName=evil.example/x;SecretName=db)", reference{}},
		{"@Microsoft.KeyVault(SecretUri=http://kv1.vault.azure.net/secrets/db)", reference{}},
		{"@Microsoft.KeyVault(SecretUri=https://user@kv1.vault.azure.net/secrets/db)", reference{}},
		{"@Microsoft.KeyVault(SecretUri=https://evil.example/secrets/db)", reference{}},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net.evil.example/secrets/db)", reference{}},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/keys/db)", reference{}},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db/" + ver + "/x)", reference{}},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db?x=y)", reference{}},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/%2e%2e)", reference{}},
		{"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db;VaultName=kv1)", reference{}},
	} {
		got, problem := parseReference(c.value, testHosts)
		if got != c.want || (problem == "") != (c.want != reference{}) {
			t.Errorf("%s\n got %+v %q\nwant %+v", c.value, got, problem, c.want)
		}
	}
}

func TestIsReference(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		" @MICROSOFT.keyvault(": true, "@Microsoft.KeyVault(x)": true,
		"": false, "@Microsoft.KeyVault": false, "a@Microsoft.KeyVault(x)": false, "@Microsoft.AppConfiguration(x)": false,
	} {
		if got := isReference(value); got != want {
			t.Errorf("%q: got %v", value, got)
		}
	}
}

// References are read as the identity that keyVaultReferenceIdentity names, if it is assigned and there.
func TestResolve_AsUserAssigned(t *testing.T) {
	t.Parallel()
	const id = groupID + "/providers/" + arm.TypeUserIdentity + "/uai-1"
	u := arm.UserAssigned{PrincipalID: "0b000000-0000-4000-8000-0000000000b1", ClientID: "c1000000-0000-4000-8000-0000000000b1"}
	for _, c := range []struct {
		name, identity string
		assigned       map[string]arm.UserAssigned
		system, gone   bool
		want           refStatus
	}{
		{"assigned", strings.ToUpper(id), map[string]arm.UserAssigned{id: u}, false, false, refResolved},
		{"its own, which the vault does not know", "systemassigned", map[string]arm.UserAssigned{id: u}, true, false, refDenied},
		{"its own by default, which it has not", "", map[string]arm.UserAssigned{id: u}, false, false, refNoIdentity},
		{"not assigned", id, nil, true, false, refNoIdentity},
		{"deleted", id, map[string]arm.UserAssigned{id: u}, true, true, refNoIdentity},
		{"made anew", id, map[string]arm.UserAssigned{id: {PrincipalID: "other", ClientID: "other"}}, true, false, refNoIdentity},
	} {
		props, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		p := &platform{resources: map[string]*arm.Resource{}, vault: &vault{secrets: map[string]string{"db": "s3cret"}, allowed: map[string]bool{"token of " + u.PrincipalID: true}}}
		if !c.gone {
			p.resources[strings.ToLower(id)] = &arm.Resource{ID: id, Type: arm.TypeUserIdentity, Properties: props}
		}
		site := &arm.Resource{ID: groupID + "/providers/Microsoft.Web/sites/web1", Identity: &arm.Identity{UserAssigned: c.assigned}}
		if c.system {
			site.Identity.PrincipalID = principalID
		}
		v := resolver{tokens: p, resources: p, client: &http.Client{Transport: p.vault}, hosts: testHosts}
		r := v.resolve(t.Context(), reader{site: site, tenant: tenantID, identity: c.identity}, "@Microsoft.KeyVault(VaultName=kv1;SecretName=db)")
		if r.status != c.want || (r.value == "s3cret") != (c.want == refResolved) {
			t.Errorf("%s: %s (%s), want %s", c.name, r.status, r.details, c.want)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	f.Add("@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db/)")
	f.Add("@Microsoft.KeyVault(VaultName=kv1;SecretName=db;SecretVersion=1)")
	f.Fuzz(func(t *testing.T, value string) {
		ref, problem := parseReference(value, testHosts)
		if (problem == "") == (ref == reference{}) {
			t.Fatalf("%q: %+v and problem %q", value, ref, problem)
		}
		if problem != "" {
			return
		}
		again := "@Microsoft.KeyVault(VaultName=" + ref.Vault + ";SecretName=" + ref.Secret + ";SecretVersion=" + ref.Version + ")"
		if got, p := parseReference(again, testHosts); got != ref || p != "" {
			t.Fatalf("%q: %+v became %+v (%s)", value, ref, got, p)
		}
		if strings.ContainsAny(ref.Vault+ref.Secret+ref.Version, "/?#:@%. \t\n") {
			t.Fatalf("%q: %+v would change the URL", value, ref)
		}
	})
}
