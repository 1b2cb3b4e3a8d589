package armwide

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/managementgroups/armmanagementgroups"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/google/uuid"
)

const readerRole = "acdd72a7-3385-48ef-bd42-f606fba81ae7"

// assign gives the application a role.
func assign(t *testing.T, f *armauthorization.ClientFactory, scope, role string, app harness.App) string {
	t.Helper()
	name := uuid.NewString()
	_, err := f.NewRoleAssignmentsClient().Create(t.Context(), scope, name, armauthorization.RoleAssignmentCreateParameters{
		Properties: &armauthorization.RoleAssignmentProperties{PrincipalID: to.Ptr(app.Principal), RoleDefinitionID: to.Ptr(role)},
	}, nil)
	check(t, "assign", err)
	return name
}

func TestCustomRoles(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		ctx, admin, sub := t.Context(), operator(t, p, w), "/subscriptions/"+p.Run.SubscriptionID
		group := p.PutGroup(t)
		account := p.PutAccount(t, group)
		rbac, err := armauthorization.NewClientFactory(p.Run.SubscriptionID, admin, w.ARMOptions())
		check(t, "client", err)
		defs, id, name := rbac.NewRoleDefinitionsClient(), uuid.NewString(), harness.Name("Key reader ")
		role := armauthorization.RoleDefinition{Properties: &armauthorization.RoleDefinitionProperties{
			RoleName: to.Ptr(name), Description: to.Ptr("reads keys"), AssignableScopes: []*string{to.Ptr(sub)},
			Permissions: []*armauthorization.Permission{{Actions: []*string{to.Ptr("Microsoft.DocumentDB/databaseAccounts/readonlykeys/action")}}},
		}}
		made, err := defs.CreateOrUpdate(ctx, sub, id, role, nil)
		check(t, "create", err)
		_, err = defs.CreateOrUpdate(ctx, sub, uuid.NewString(), role, nil)
		refused(t, "a second role of the name", err, http.StatusConflict, "RoleDefinitionWithSameNameExists")
		found := pages(t, defs.NewListPager(group, &armauthorization.RoleDefinitionsClientListOptions{Filter: to.Ptr("roleName eq '" + name + "'")}),
			func(r armauthorization.RoleDefinitionsClientListResponse) []*armauthorization.RoleDefinition {
				return r.Value
			})
		if len(found) != 1 || *found[0].ID != *made.ID || *found[0].Properties.RoleType != "CustomRole" {
			t.Fatalf("list by name: got %d", len(found))
		}

		app := p.CreateApp(t, "", harness.Name("app-"))
		accounts, err := armcosmos.NewDatabaseAccountsClient(p.Run.SubscriptionID, w.Credential(t, app.TenantID, app.AppID, app.Secret.SecretText), w.ARMOptions())
		check(t, "client", err)
		groupName := group[len(sub+"/resourceGroups/"):]
		_, err = accounts.ListReadOnlyKeys(ctx, groupName, account, nil)
		refused(t, "keys without a role", err, http.StatusForbidden, "AuthorizationFailed")
		assignment := assign(t, rbac, group, *made.ID, app)
		_, err = accounts.ListReadOnlyKeys(ctx, groupName, account, nil)
		check(t, "keys with the role", err)
		_, err = accounts.ListKeys(ctx, groupName, account, nil)
		refused(t, "keys the role does not name", err, http.StatusForbidden, "AuthorizationFailed")
		// The role's change is there at once.
		role.Properties.Permissions[0].NotActions = []*string{to.Ptr("*/readonlykeys/action")}
		_, err = defs.CreateOrUpdate(ctx, sub, id, role, nil)
		check(t, "change", err)
		_, err = accounts.ListReadOnlyKeys(ctx, groupName, account, nil)
		refused(t, "keys after the change", err, http.StatusForbidden, "AuthorizationFailed")
		_, err = defs.Delete(ctx, sub, id, nil)
		refused(t, "delete while assigned", err, http.StatusBadRequest, "RoleDefinitionHasAssignments")
		_, err = rbac.NewRoleAssignmentsClient().Delete(ctx, group, assignment, nil)
		check(t, "unassign", err)
		_, err = defs.Delete(ctx, sub, id, nil)
		check(t, "delete", err)
		_, err = defs.GetByID(ctx, *made.ID, nil)
		refused(t, "get of a deleted role", err, http.StatusNotFound, "ResourceNotFound")

		ops, err := rbac.NewProviderOperationsMetadataClient().Get(ctx, "Microsoft.DocumentDB", nil)
		check(t, "operations", err)
		listed := false
		for _, rt := range ops.ResourceTypes {
			for _, o := range rt.Operations {
				listed = listed || *o.Name == "Microsoft.DocumentDB/databaseAccounts/listKeys/action"
			}
		}
		if !listed {
			t.Error("the operations of Microsoft.DocumentDB lack listKeys")
		}
	})
}

func TestManagementGroups(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		ctx, admin := t.Context(), operator(t, p, w)
		f, err := armmanagementgroups.NewClientFactory(admin, w.ARMOptions())
		check(t, "client", err)
		groups, members := f.NewClient(), f.NewManagementGroupSubscriptionsClient()
		top, child := harness.Name("top-"), harness.Name("child-")
		create := func(name, parent string) {
			t.Helper()
			body := armmanagementgroups.CreateManagementGroupRequest{Properties: &armmanagementgroups.CreateManagementGroupProperties{DisplayName: to.Ptr("The " + name)}}
			if parent != "" {
				body.Properties.Details = &armmanagementgroups.CreateManagementGroupDetails{
					Parent: &armmanagementgroups.CreateParentGroupInfo{ID: to.Ptr("/providers/Microsoft.Management/managementGroups/" + parent)},
				}
			}
			poller, err := groups.BeginCreateOrUpdate(ctx, name, body, nil)
			finish(t, "create "+name, poller, err)
		}
		create(top, "")
		create(child, top)
		_, err = members.Create(ctx, child, p.Run.SubscriptionID, nil)
		check(t, "add the subscription", err)
		got, err := groups.Get(ctx, top, &armmanagementgroups.ClientGetOptions{
			Expand: to.Ptr(armmanagementgroups.ManagementGroupExpandTypeChildren), Recurse: to.Ptr(true),
		})
		check(t, "get", err)
		if c := got.Properties.Children; len(c) != 1 || *c[0].Name != child || len(c[0].Children) != 1 || *c[0].Children[0].Name != p.Run.SubscriptionID {
			t.Errorf("children of %s: %+v", top, c)
		}

		app := p.CreateApp(t, "", harness.Name("app-"))
		rbac, err := armauthorization.NewClientFactory(p.Run.SubscriptionID, admin, w.ARMOptions())
		check(t, "client", err)
		rgs, err := armresources.NewResourceGroupsClient(p.Run.SubscriptionID, w.Credential(t, app.TenantID, app.AppID, app.Secret.SecretText), w.ARMOptions())
		check(t, "client", err)
		group := p.PutGroup(t)
		name := group[len("/subscriptions/"+p.Run.SubscriptionID+"/resourceGroups/"):]
		_, err = rgs.Get(ctx, name, nil)
		refused(t, "without a role", err, http.StatusForbidden, "AuthorizationFailed")
		assign(t, rbac, "/providers/Microsoft.Management/managementGroups/"+top, "/providers/Microsoft.Authorization/roleDefinitions/"+readerRole, app)
		_, err = rgs.Get(ctx, name, nil)
		check(t, "with a role two groups up", err)
		_, err = members.Delete(ctx, child, p.Run.SubscriptionID, nil)
		check(t, "remove the subscription", err)
		_, err = rgs.Get(ctx, name, nil)
		refused(t, "outside of the group", err, http.StatusForbidden, "AuthorizationFailed")
		for _, g := range []string{child, top} {
			poller, err := groups.BeginDelete(ctx, g, nil)
			finish(t, "delete "+g, poller, err)
		}
	})
}
