package vaults

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// group is the name of the vault's resource group.
func (v vault) groupName() string { return v.group[strings.LastIndexByte(v.group, '/')+1:] }

func TestARM_SecretsAndKeys(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, v vault) {
		env := v.p.Env(t, "")
		admin := v.way.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"])
		ctx, group := t.Context(), v.groupName()
		secrets := ok(armkeyvault.NewSecretsClient(v.p.Run.SubscriptionID, admin, v.way.ARMOptions()))(t, "secrets client")
		made := ok(secrets.CreateOrUpdate(ctx, group, v.name, "s", armkeyvault.SecretCreateOrUpdateParameters{
			Properties: &armkeyvault.SecretProperties{Value: to.Ptr("from a template"), ContentType: to.Ptr("text/plain")}, Tags: map[string]*string{"a": to.Ptr("b")},
		}, nil))(t, "create secret")
		if made.Properties.Value != nil || !strings.HasPrefix(*made.Properties.SecretURIWithVersion, v.way.Vault(v.name)+"/secrets/s/") {
			t.Errorf("made: %+v", made.Properties)
		}
		data := ok(azsecrets.NewClient(v.way.Vault(v.name), v.cred, &azsecrets.ClientOptions{ClientOptions: v.way.ClientOptions()}))(t, "client")
		if got := ok(data.GetSecret(ctx, "s", "", nil))(t, "get"); *got.Value != "from a template" || string(*got.ID) != *made.Properties.SecretURIWithVersion {
			t.Errorf("the vault has %s %s", *got.ID, *got.Value)
		}
		changed := ok(secrets.Update(ctx, group, v.name, "s", armkeyvault.SecretPatchParameters{
			Properties: &armkeyvault.SecretPatchProperties{ContentType: to.Ptr("text/html")},
		}, nil))(t, "update")
		if *changed.Properties.SecretURIWithVersion != *made.Properties.SecretURIWithVersion || *changed.Properties.ContentType != "text/html" {
			t.Errorf("changed: %+v", changed.Properties)
		}
		got := ok(secrets.Get(ctx, group, v.name, "s", nil))(t, "get by ARM")
		if got.Properties.Value != nil || *got.Tags["a"] != "b" || *got.Type != "Microsoft.KeyVault/vaults/secrets" {
			t.Errorf("got: %+v", got)
		}
		n := 0
		for pager := secrets.NewListPager(group, v.name, nil); pager.More(); {
			n += len(ok(pager.NextPage(ctx))(t, "list secrets").Value)
		}
		if n != 1 {
			t.Errorf("%d secrets", n)
		}
		_, err := secrets.Get(ctx, group, v.name, "nope", nil)
		wantCode(t, "absent secret", err, 404, "SecretNotFound")
		armKeys(t, v, ok(armkeyvault.NewKeysClient(v.p.Run.SubscriptionID, admin, v.way.ARMOptions()))(t, "keys client"))
	})
}

func armKeys(t *testing.T, v vault, c *armkeyvault.KeysClient) {
	t.Helper()
	ctx, group := t.Context(), v.groupName()
	wanted := armkeyvault.KeyCreateParameters{Properties: &armkeyvault.KeyProperties{
		Kty: to.Ptr(armkeyvault.JSONWebKeyTypeEC), CurveName: to.Ptr(armkeyvault.JSONWebKeyCurveNameP256), KeyOps: to.SliceOfPtrs(armkeyvault.JSONWebKeyOperationSign),
	}}
	made := ok(c.CreateIfNotExist(ctx, group, v.name, "k", wanted, nil))(t, "create key")
	again := ok(c.CreateIfNotExist(ctx, group, v.name, "k", wanted, nil))(t, "create key again")
	if *made.Properties.KeyURIWithVersion != *again.Properties.KeyURIWithVersion {
		t.Error("a key that was there is another now")
	}
	if *made.Properties.Kty != armkeyvault.JSONWebKeyTypeEC || len(made.Properties.KeyOps) != 1 || *made.Properties.CurveName != armkeyvault.JSONWebKeyCurveNameP256 {
		t.Errorf("made: %+v", made.Properties)
	}
	rotated := ok(keysClient(t, v).RotateKey(ctx, "k", nil))(t, "rotate")
	got := ok(c.Get(ctx, group, v.name, "k", nil))(t, "get key")
	if *got.Properties.KeyURIWithVersion != string(*rotated.Key.KID) {
		t.Errorf("ARM has %s, the vault %s", *got.Properties.KeyURIWithVersion, *rotated.Key.KID)
	}
	versions, keys := 0, 0
	for pager := c.NewListVersionsPager(group, v.name, "k", nil); pager.More(); {
		versions += len(ok(pager.NextPage(ctx))(t, "versions").Value)
	}
	for pager := c.NewListPager(group, v.name, nil); pager.More(); {
		keys += len(ok(pager.NextPage(ctx))(t, "list keys").Value)
	}
	if versions != 2 || keys != 1 {
		t.Errorf("%d versions of %d keys", versions, keys)
	}
	first := azkeys.ID(*made.Properties.KeyURIWithVersion)
	old := ok(c.GetVersion(ctx, group, v.name, "k", first.Version(), nil))(t, "get version")
	if *old.Properties.KeyURIWithVersion != string(first) {
		t.Errorf("version: %s", *old.Properties.KeyURIWithVersion)
	}
}

func TestARM_Refusals(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	id := p.PutGroup(t) + "/providers/Microsoft.KeyVault/vaults/"
	id += p.PutVault(t, id[:strings.Index(id, "/providers/")], "")
	properties := func(p map[string]any) map[string]any { return map[string]any{"properties": p} }
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		{"GET", "/secrets/nope", nil, 404, "SecretNotFound"},
		{"PATCH", "/secrets/nope", properties(map[string]any{"contentType": "x"}), 404, "SecretNotFound"},
		{"PUT", "/secrets/s", map[string]any{}, 400, "BadRequest"},
		{"PUT", "/secrets/s", properties(map[string]any{}), 400, "BadParameter"},
		{"PUT", "/secrets/s_s", properties(map[string]any{"value": "x"}), 400, "BadParameter"},
		{"GET", "/keys/nope/versions/00000000000000000000000000000000", nil, 404, "KeyNotFound"},
		{"PUT", "/keys/k", properties(map[string]any{"kty": "RSA-HSM"}), 501, "NotImplemented"},
		{"PUT", "/keys/k", properties(map[string]any{"kty": "EC", "rotationPolicy": map[string]any{}}), 501, "NotImplemented"},
		{"PUT", "/keys/k", properties(map[string]any{"kty": "EC", "attributes": map[string]any{"exportable": true}}), 501, "NotImplemented"},
	} {
		a := p.TryARM(t, c.method, id+c.path+"?api-version=2022-07-01", c.body)
		failure, _ := a.JSON()["error"].(map[string]any)
		if a.Status != c.status || failure["code"] != c.code {
			t.Errorf("%s %s %v: got %d %s, want %d %s", c.method, c.path, c.body, a.Status, a.Body, c.status, c.code)
		}
	}
}
