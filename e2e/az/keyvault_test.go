package az

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// keeper is a command line signed in as an application that may do everything in a vault of its own, $VAULT.
func keeper(t *testing.T) (c *cli, vault string) {
	t.Helper()
	c = newCLI(t)
	app := c.p.CreateApp(t, "", harness.Name("keeper-"))
	all := []string{"all", "purge"}
	vault = c.p.PutVault(t, c.p.PutGroup(t), "", harness.Policy{ObjectID: app.Principal, Secrets: all, Certificates: all, Keys: all})
	c.set("$APP", app.AppID, "$SECRET", app.Secret.SecretText, "$TENANT", app.TenantID, "$VAULT", vault, "$DIR", t.TempDir())
	c.do(t, "login --service-principal -u $APP -p $SECRET --tenant $TENANT --allow-no-subscriptions")
	return c, vault
}

func TestKeyVaultSecret(t *testing.T) {
	t.Parallel()
	c, _ := keeper(t)
	c.steps(t,
		step{"keyvault secret set --vault-name $VAULT -n s --value 'a value' --tags a=b", "[value, tags.a]", `["a value","b"]`},
		step{"keyvault secret show --vault-name $VAULT -n s", "value", `"a value"`},
		step{"keyvault secret set-attributes --vault-name $VAULT -n s --expires 2099-01-01T00:00:00Z", "attributes.expires", `"2099-01-01T00:00:00+00:00"`},
		step{"keyvault secret list --vault-name $VAULT", "[].name", `["s"]`},
		step{"keyvault secret delete --vault-name $VAULT -n s", "", ""},
		step{"keyvault secret list-deleted --vault-name $VAULT", "[].name", `["s"]`},
		step{"keyvault secret recover --vault-name $VAULT -n s", "", ""},
		step{"keyvault secret show --vault-name $VAULT -n s", "value", `"a value"`},
	)
	c.do(t, "keyvault secret delete --vault-name $VAULT -n s")
	c.do(t, "keyvault secret purge --vault-name $VAULT -n s")
	c.fails(t, "keyvault secret show --vault-name $VAULT -n s", "SecretNotFound")
}

func TestKeyVaultKey(t *testing.T) {
	t.Parallel()
	c, vault := keeper(t)
	c.steps(t,
		step{"keyvault key create --vault-name $VAULT -n k --kty RSA --size 2048 --tags a=b", "[key.kty, tags.a]", `["RSA","b"]`},
		step{"keyvault key create --vault-name $VAULT -n e --kty EC --curve P-384 --ops sign verify", "[key.crv, key.keyOps]", `["P-384",["sign","verify"]]`},
		step{"keyvault key list --vault-name $VAULT", "length(@)", `2`},
		step{"keyvault key rotate --vault-name $VAULT -n k", "key.kty", `"RSA"`},
		step{"keyvault key list-versions --vault-name $VAULT -n k", "length(@)", `2`},
		step{"keyvault key set-attributes --vault-name $VAULT -n e --enabled false", "attributes.enabled", `false`},
		step{"keyvault key rotation-policy show --vault-name $VAULT -n k", "lifetimeActions[0].action", `"Notify"`},
	)
	secret := c.text(t, "keyvault key encrypt --vault-name $VAULT -n k --algorithm RSA-OAEP-256 --value aGVsbG8= --data-type base64 --query result")
	if got := c.text(t, "keyvault key decrypt --vault-name $VAULT -n k --algorithm RSA-OAEP-256 --data-type base64 --query result --value "+secret); got != "aGVsbG8=" {
		t.Errorf("decrypted %q", got)
	}
	c.do(t, "keyvault key backup --vault-name $VAULT -n k --file $DIR/k.backup")
	c.do(t, "keyvault key delete --vault-name $VAULT -n k")
	c.do(t, "keyvault key recover --vault-name $VAULT -n k")
	c.do(t, "keyvault key delete --vault-name $VAULT -n k")
	c.do(t, "keyvault key purge --vault-name $VAULT -n k")
	c.fails(t, "keyvault key show --vault-name $VAULT -n k", "KeyNotFound")
	c.steps(t,
		step{"keyvault key restore --vault-name $VAULT --file $DIR/k.backup", "key.kty", `"RSA"`},
		step{"keyvault key list-versions --vault-name $VAULT -n k", "length(@)", `2`},
	)
	history := string(c.p.Output(t, "audit", "--vault", vault))
	for _, want := range []string{"KeyRotate", "KeyDecrypt", "KeyPurge", "Microsoft.KeyVault.KeyNewVersionCreated"} {
		if !strings.Contains(history, want) {
			t.Errorf("no %s in the vault's history:\n%s", want, history)
		}
	}
}

func TestKeyVaultCertificate(t *testing.T) {
	t.Parallel()
	c, _ := keeper(t)
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, c.do(t, "keyvault certificate get-default-policy"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.do(t, "keyvault certificate create --vault-name $VAULT -n c -p @"+policy)
	c.steps(t,
		step{"keyvault certificate show --vault-name $VAULT -n c", "[policy.issuerParameters.name, policy.keyProperties.keyType]", `["Self","RSA"]`},
		step{"keyvault certificate list --vault-name $VAULT", "[].name", `["c"]`},
		step{"keyvault certificate contact add --vault-name $VAULT --email ops@contoso.com", "", ""},
		step{"keyvault certificate contact list --vault-name $VAULT", "contactList[].emailAddress", `["ops@contoso.com"]`},
		step{"keyvault certificate issuer create --vault-name $VAULT --issuer-name ca1 --provider-name DigiCert", "", ""},
		step{"keyvault certificate issuer list --vault-name $VAULT", "[].provider", `["DigiCert"]`},
		step{"keyvault certificate delete --vault-name $VAULT -n c", "", ""},
		step{"keyvault certificate recover --vault-name $VAULT -n c", "", ""},
	)
	c.do(t, "keyvault certificate delete --vault-name $VAULT -n c")
	c.do(t, "keyvault certificate purge --vault-name $VAULT -n c")
	c.fails(t, "keyvault certificate show --vault-name $VAULT -n c", "CertificateNotFound")
}

// A deleted vault is kept, recovered with all it held, and purged.
func TestKeyVault_Deleted(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	c.do(t, "group create -n az-kvd -l westeurope")
	c.do(t, "keyvault create -n az-deleted-kv -g az-kvd -l westeurope --enable-rbac-authorization false")
	c.do(t, "keyvault set-policy -n az-deleted-kv --spn $APP --secret-permissions all")
	c.do(t, "keyvault secret set --vault-name az-deleted-kv -n s --value kept")
	c.do(t, "keyvault delete -n az-deleted-kv")
	c.steps(t, step{"keyvault list-deleted --resource-type vault", "[?name==`az-deleted-kv`].name", "[\"az-deleted-kv\"]"})
	c.do(t, "keyvault recover -n az-deleted-kv")
	c.steps(t, step{"keyvault secret show --vault-name az-deleted-kv -n s", "value", `"kept"`})
	c.do(t, "keyvault delete -n az-deleted-kv")
	c.do(t, "keyvault purge -n az-deleted-kv")
	c.steps(t, step{"keyvault list-deleted --resource-type vault", "[?name==`az-deleted-kv`].name", "[]"})
	c.do(t, "group delete -n az-kvd -y")
}
