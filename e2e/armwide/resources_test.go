package armwide

import (
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

const (
	vaultVersion = "2023-07-01"
	lockVersion  = "2016-09-01"
)

func lastSegment(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

func TestTags(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		ctx, group := t.Context(), p.PutGroup(t)
		f, err := armresources.NewClientFactory(p.Run.SubscriptionID, operator(t, p, w), w.ARMOptions())
		check(t, "client", err)
		c, vault := f.NewTagsClient(), group+"/providers/Microsoft.KeyVault/vaults/"+p.PutVault(t, group, "")
		for _, scope := range []string{vault, group} {
			_, err = c.CreateOrUpdateAtScope(ctx, scope, armresources.TagsResource{Properties: &armresources.Tags{Tags: map[string]*string{"env": to.Ptr("test"), "team": to.Ptr("a")}}}, nil)
			check(t, "replace", err)
			_, err = c.UpdateAtScope(ctx, scope, armresources.TagsPatchResource{
				Operation: to.Ptr(armresources.TagsPatchOperationMerge), Properties: &armresources.Tags{Tags: map[string]*string{"Env": to.Ptr("prod")}},
			}, nil)
			check(t, "merge", err)
			got, err := c.UpdateAtScope(ctx, scope, armresources.TagsPatchResource{
				Operation: to.Ptr(armresources.TagsPatchOperationDelete), Properties: &armresources.Tags{Tags: map[string]*string{"team": to.Ptr("a")}},
			}, nil)
			check(t, "delete one", err)
			if tags := got.Properties.Tags; len(tags) != 1 || *tags["env"] != "prod" {
				t.Errorf("tags of %s: %v", scope, tags)
			}
		}
		list := pages(t, f.NewClient().NewListByResourceGroupPager(lastSegment(group), &armresources.ClientListByResourceGroupOptions{
			Filter: to.Ptr("tagName eq 'env' and tagValue eq 'prod'"), Expand: to.Ptr("createdTime,changedTime,provisioningState"),
		}), func(r armresources.ClientListByResourceGroupResponse) []*armresources.GenericResourceExpanded {
			return r.Value
		})
		if len(list) != 1 || list[0].CreatedTime == nil || list[0].ChangedTime == nil || *list[0].ProvisioningState != "Succeeded" {
			t.Errorf("list by tag: %+v", list)
		}
		_, err = c.DeleteAtScope(ctx, vault, nil)
		check(t, "delete all", err)
		got, err := c.GetAtScope(ctx, vault, nil)
		check(t, "get", err)
		if len(got.Properties.Tags) != 0 {
			t.Errorf("tags after their deletion: %v", got.Properties.Tags)
		}
	})
}

// TestLocks goes by id, as a client does that has no package for a type.
func TestLocks(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		ctx, group := t.Context(), p.PutGroup(t)
		f, err := armresources.NewClientFactory(p.Run.SubscriptionID, operator(t, p, w), w.ARMOptions())
		check(t, "client", err)
		c, vault, lock := f.NewClient(), group+"/providers/Microsoft.KeyVault/vaults/"+p.PutVault(t, group, ""), group+"/providers/Microsoft.Authorization/locks/keep"
		level := func(l string) {
			t.Helper()
			poller, err := c.BeginCreateOrUpdateByID(ctx, lock, lockVersion, armresources.GenericResource{Properties: map[string]string{"level": l}}, nil)
			finish(t, "lock", poller, err)
		}
		level("CanNotDelete")
		_, err = c.BeginDeleteByID(ctx, vault, vaultVersion, nil)
		refused(t, "delete a vault of a locked group", err, http.StatusConflict, "ScopeLocked")
		_, err = f.NewResourceGroupsClient().BeginDelete(ctx, lastSegment(group), nil)
		refused(t, "delete a locked group", err, http.StatusConflict, "ScopeLocked")
		update, err := c.BeginUpdateByID(ctx, vault, vaultVersion, armresources.GenericResource{Tags: map[string]*string{"a": to.Ptr("1")}}, nil)
		finish(t, "update under CanNotDelete", update, err)
		level("ReadOnly")
		_, err = c.BeginUpdateByID(ctx, vault, vaultVersion, armresources.GenericResource{Tags: map[string]*string{}}, nil)
		refused(t, "update under ReadOnly", err, http.StatusConflict, "ScopeLocked")
		got, err := c.GetByID(ctx, vault, vaultVersion, nil)
		check(t, "get under ReadOnly", err)
		if *got.Tags["a"] != "1" {
			t.Errorf("tags: %v", got.Tags)
		}
		if ok, err := c.CheckExistenceByID(ctx, vault, vaultVersion, nil); err != nil || !ok.Success {
			t.Errorf("existence: %v, %v", ok.Success, err)
		}
		if ok, err := c.CheckExistenceByID(ctx, vault+"x", vaultVersion, nil); err != nil || ok.Success {
			t.Errorf("existence of what is not there: %v, %v", ok.Success, err)
		}
		unlock, err := c.BeginDeleteByID(ctx, lock, lockVersion, nil)
		finish(t, "unlock", unlock, err)
		del, err := f.NewResourceGroupsClient().BeginDelete(ctx, lastSegment(group), nil)
		finish(t, "delete", del, err)
	})
}

// TestMove moves a vault to another group; its secrets stay where clients find them.
func TestMove(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		ctx, from, target := t.Context(), p.PutGroup(t), p.PutGroup(t)
		app := p.CreateApp(t, "", harness.Name("app-"))
		vault := p.PutVault(t, from, "", harness.Policy{ObjectID: app.Principal, Secrets: harness.All})
		cred, err := azidentity.NewClientSecretCredential(app.TenantID, app.AppID, app.Secret.SecretText, &azidentity.ClientSecretCredentialOptions{
			ClientOptions: w.ClientOptions(), DisableInstanceDiscovery: !w.Public,
		})
		check(t, "credential", err)
		secrets, err := azsecrets.NewClient(w.Vault(vault), cred, &azsecrets.ClientOptions{ClientOptions: w.ClientOptions(), DisableChallengeResourceVerification: !w.Public})
		check(t, "client", err)
		_, err = secrets.SetSecret(ctx, "s", azsecrets.SetSecretParameters{Value: to.Ptr("kept")}, nil)
		check(t, "set", err)

		f, err := armresources.NewClientFactory(p.Run.SubscriptionID, operator(t, p, w), w.ARMOptions())
		check(t, "client", err)
		c, id := f.NewClient(), "/providers/Microsoft.KeyVault/vaults/"+vault
		info := armresources.MoveInfo{Resources: []*string{to.Ptr(from + id)}, TargetResourceGroup: to.Ptr(target)}
		valid, err := c.BeginValidateMoveResources(ctx, lastSegment(from), info, nil)
		finish(t, "validate", valid, err)
		moved, err := c.BeginMoveResources(ctx, lastSegment(from), info, nil)
		finish(t, "move", moved, err)
		_, err = c.GetByID(ctx, from+id, vaultVersion, nil)
		refused(t, "get where it was", err, http.StatusNotFound, "ResourceNotFound")
		_, err = c.GetByID(ctx, target+id, vaultVersion, nil)
		check(t, "get where it is", err)
		got, err := secrets.GetSecret(ctx, "s", "", nil)
		check(t, "get the secret after the move", err)
		if *got.Value != "kept" {
			t.Errorf("secret: got %s", *got.Value)
		}
	})
}

func TestProviders(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	for _, w := range p.Ways(t) {
		t.Run(w.Name, func(t *testing.T) {
			ctx := t.Context()
			f, err := armresources.NewClientFactory(p.Run.SubscriptionID, operator(t, p, w), w.ARMOptions())
			check(t, "client", err)
			c := f.NewProvidersClient()
			off, err := c.Unregister(ctx, "Microsoft.KeyVault", nil)
			check(t, "unregister", err)
			if *off.RegistrationState != "Unregistered" {
				t.Errorf("state: got %s", *off.RegistrationState)
			}
			group := p.PutGroup(t)
			vault := group + "/providers/Microsoft.KeyVault/vaults/" + harness.Name("kv")
			body := armresources.GenericResource{Location: to.Ptr("westeurope"), Properties: map[string]any{
				"tenantId": p.Run.TenantID, "sku": map[string]string{"family": "A", "name": "standard"}, "accessPolicies": []any{},
			}}
			o := w.ARMOptions()
			o.DisableRPRegistration = true
			plain, err := armresources.NewClient(p.Run.SubscriptionID, operator(t, p, w), o)
			check(t, "client", err)
			_, err = plain.BeginCreateOrUpdateByID(ctx, vault, vaultVersion, body, nil)
			refused(t, "create without registration", err, http.StatusConflict, "MissingSubscriptionRegistration")
			// The client as it is registers what it is told is missing, and tries again.
			made, err := f.NewClient().BeginCreateOrUpdateByID(ctx, vault, vaultVersion, body, nil)
			finish(t, "create", made, err)
			on, err := c.Get(ctx, "Microsoft.KeyVault", nil)
			check(t, "get", err)
			if *on.RegistrationState != "Registered" {
				t.Errorf("state: got %s", *on.RegistrationState)
			}
			_, err = c.Unregister(ctx, "Microsoft.KeyVault", nil)
			refused(t, "unregister what is in use", err, http.StatusConflict, "CannotUnregisterProviderWithResources")
			del, err := f.NewResourceGroupsClient().BeginDelete(ctx, lastSegment(group), nil)
			finish(t, "delete", del, err)
		})
	}
}
