package goclients

import (
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/google/uuid"
)

// pollDone waits for a long-running operation.
func pollDone[T any](t *testing.T, what string) func(*runtime.Poller[T], error) T {
	return func(p *runtime.Poller[T], err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		out, err := p.PollUntilDone(t.Context(), nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return out
	}
}

func TestResourceGroups(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		c, err := armresources.NewResourceGroupsClient(p.Run.SubscriptionID, administrator(t, p, w), w.ARMOptions())
		if err != nil {
			t.Fatal(err)
		}
		ctx, name := t.Context(), harness.Name("rg-")
		must(c.CreateOrUpdate(ctx, name, armresources.ResourceGroup{Location: to.Ptr("westeurope"), Tags: map[string]*string{"a": to.Ptr("1")}}, nil))(t, "create")
		got := must(c.Get(ctx, name, nil))(t, "get")
		if *got.Name != name || *got.Location != "westeurope" || *got.Tags["a"] != "1" || *got.Properties.ProvisioningState != "Succeeded" {
			t.Errorf("get: got %+v", got.ResourceGroup)
		}
		found := false
		for pager := c.NewListPager(nil); pager.More(); {
			for _, g := range must(pager.NextPage(ctx))(t, "list").Value {
				found = found || *g.Name == name
			}
		}
		if !found {
			t.Error("the list does not have the group")
		}
		poller, err := c.BeginDelete(ctx, name, nil)
		pollDone[armresources.ResourceGroupsClientDeleteResponse](t, "delete")(poller, err)
		_, err = c.Get(ctx, name, nil)
		wantStatus(t, "get of a deleted group", err, http.StatusNotFound, "ResourceGroupNotFound")
	})
}

func TestVaultsOfARM(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		c, err := armkeyvault.NewVaultsClient(p.Run.SubscriptionID, administrator(t, p, w), w.ARMOptions())
		if err != nil {
			t.Fatal(err)
		}
		ctx, name := t.Context(), harness.Name("kv")
		group := groupName(p.PutGroup(t))
		poller, err := c.BeginCreateOrUpdate(ctx, group, name, armkeyvault.VaultCreateOrUpdateParameters{
			Location: to.Ptr("westeurope"),
			Properties: &armkeyvault.VaultProperties{
				TenantID: to.Ptr(p.Run.TenantID), SKU: &armkeyvault.SKU{Family: to.Ptr(armkeyvault.SKUFamilyA), Name: to.Ptr(armkeyvault.SKUNameStandard)},
				AccessPolicies: []*armkeyvault.AccessPolicyEntry{},
			},
		}, nil)
		made := pollDone[armkeyvault.VaultsClientCreateOrUpdateResponse](t, "create")(poller, err)
		if got, want := strings.TrimSuffix(*made.Properties.VaultURI, "/"), w.Vault(name); got != want {
			t.Errorf("vaultUri: got %s, want %s", got, want)
		}
		got := must(c.Get(ctx, group, name, nil))(t, "get")
		if !*got.Properties.EnableSoftDelete {
			t.Error("a new vault has no soft delete")
		}
		must(c.Delete(ctx, group, name, nil))(t, "delete")
		_, err = c.Get(ctx, group, name, nil)
		wantStatus(t, "get of a deleted vault", err, http.StatusNotFound, "ResourceNotFound")
		must(c.GetDeleted(ctx, name, "westeurope", nil))(t, "get deleted")
		purge, err := c.BeginPurgeDeleted(ctx, name, "westeurope", nil)
		pollDone[armkeyvault.VaultsClientPurgeDeletedResponse](t, "purge")(purge, err)
	})
}

func TestAccountsOfARM(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		c, err := armcosmos.NewDatabaseAccountsClient(p.Run.SubscriptionID, administrator(t, p, w), w.ARMOptions())
		if err != nil {
			t.Fatal(err)
		}
		ctx, name := t.Context(), harness.Name("db")
		group := groupName(p.PutGroup(t))
		poller, err := c.BeginCreateOrUpdate(ctx, group, name, armcosmos.DatabaseAccountCreateUpdateParameters{
			Location: to.Ptr("westeurope"),
			Properties: &armcosmos.DatabaseAccountCreateUpdateProperties{
				DatabaseAccountOfferType: to.Ptr("Standard"), Locations: []*armcosmos.Location{{LocationName: to.Ptr("westeurope"), FailoverPriority: to.Ptr[int32](0)}},
			},
		}, nil)
		made := pollDone[armcosmos.DatabaseAccountsClientCreateOrUpdateResponse](t, "create")(poller, err)
		if got, want := *made.Properties.DocumentEndpoint, w.Account(name); !strings.HasPrefix(got, want) {
			t.Errorf("documentEndpoint: got %s, want %s", got, want)
		}
		keys := must(c.ListKeys(ctx, group, name, nil))(t, "listKeys")
		seen := map[string]bool{}
		for _, k := range []*string{keys.PrimaryMasterKey, keys.SecondaryMasterKey, keys.PrimaryReadonlyMasterKey, keys.SecondaryReadonlyMasterKey} {
			if k == nil || len(*k) != 88 || seen[*k] {
				t.Fatal("listKeys: want four different keys of 64 bytes")
			}
			seen[*k] = true
		}
		del, err := c.BeginDelete(ctx, group, name, nil)
		pollDone[armcosmos.DatabaseAccountsClientDeleteResponse](t, "delete")(del, err)
	})
}

// contributor is the built-in role's id, the same everywhere.
const accountContributor = "5bd9cd88-fe45-4216-938b-f97437e15450"

func TestRoleAssignments(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		group := p.PutGroup(t)
		account := p.PutAccount(t, group)
		scope := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account
		// The daemon lives in another tenant than the account's subscription.
		daemon := p.CreateApp(t, p.CreateTenant(t, harness.Name("Publisher ")), harness.Name("daemon-"))
		keys, err := armcosmos.NewDatabaseAccountsClient(p.Run.SubscriptionID, secretCredential(t, w, daemon), w.ARMOptions())
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		_, err = keys.ListKeys(ctx, groupName(group), account, nil)
		wantStatus(t, "listKeys without a role", err, http.StatusForbidden, "AuthorizationFailed")

		c, err := armauthorization.NewRoleAssignmentsClient(p.Run.SubscriptionID, administrator(t, p, w), w.ARMOptions())
		if err != nil {
			t.Fatal(err)
		}
		name := uuid.NewString()
		role := "/subscriptions/" + p.Run.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + accountContributor
		must(c.Create(ctx, scope, name, armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
			PrincipalID: to.Ptr(daemon.Principal), RoleDefinitionID: to.Ptr(role), PrincipalType: to.Ptr(armauthorization.PrincipalTypeServicePrincipal),
		}}, nil))(t, "assign")
		must(keys.ListKeys(ctx, groupName(group), account, nil))(t, "listKeys with the role")
		other := p.PutAccount(t, group)
		_, err = keys.ListKeys(ctx, groupName(group), other, nil)
		wantStatus(t, "listKeys of the neighbour", err, http.StatusForbidden, "AuthorizationFailed")
		must(c.Delete(ctx, scope, name, nil))(t, "remove")
		_, err = keys.ListKeys(ctx, groupName(group), account, nil)
		wantStatus(t, "listKeys after the role was removed", err, http.StatusForbidden, "AuthorizationFailed")
	})
}

// groupName is the last segment of a group's id.
func groupName(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
