package goclients

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/google/uuid"
)

// TestCosmosRoles: databases, containers and roles are made by armcosmos; an application works with its token by azcosmos as far as its role goes, and no
// further, and until it is taken away.
func TestCosmosRoles(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		ctx, group := t.Context(), p.PutGroup(t)
		account := p.PutAccount(t, group)
		rg := group[len("/subscriptions/"+p.Run.SubscriptionID+"/resourceGroups/"):]
		f := must(armcosmos.NewClientFactory(p.Run.SubscriptionID, administrator(t, p, w), w.ARMOptions()))(t, "armcosmos")
		sql := f.NewSQLResourcesClient()
		dbs, err := sql.BeginCreateUpdateSQLDatabase(ctx, rg, account, "app", armcosmos.SQLDatabaseCreateUpdateParameters{
			Properties: &armcosmos.SQLDatabaseCreateUpdateProperties{Resource: &armcosmos.SQLDatabaseResource{ID: to.Ptr("app")}},
		}, nil)
		pollDone[armcosmos.SQLResourcesClientCreateUpdateSQLDatabaseResponse](t, "create database")(dbs, err)
		colls, err := sql.BeginCreateUpdateSQLContainer(ctx, rg, account, "app", "people", armcosmos.SQLContainerCreateUpdateParameters{
			Properties: &armcosmos.SQLContainerCreateUpdateProperties{
				Resource: &armcosmos.SQLContainerResource{ID: to.Ptr("people"), PartitionKey: &armcosmos.ContainerPartitionKey{Paths: []*string{to.Ptr("/customer")}, Kind: to.Ptr(armcosmos.PartitionKindHash)}},
				Options:  &armcosmos.CreateUpdateOptions{Throughput: to.Ptr[int32](500)},
			},
		}, nil)
		made := pollDone[armcosmos.SQLResourcesClientCreateUpdateSQLContainerResponse](t, "create container")(colls, err)
		if *made.Properties.Resource.ID != "people" || *made.Properties.Resource.PartitionKey.Paths[0] != "/customer" {
			t.Errorf("container %+v", made.Properties.Resource)
		}
		scripts(t, sql, rg, account, "app", "people")
		if got := must(sql.GetSQLContainerThroughput(ctx, rg, account, "app", "people", nil))(t, "throughput"); *got.Properties.Resource.Throughput != 500 {
			t.Errorf("throughput %+v", got.Properties.Resource)
		}

		app := p.CreateApp(t, "", harness.Name("app-"))
		open := func() (*azcosmos.Client, *azcosmos.ContainerClient) {
			t.Helper()
			client := must(azcosmos.NewClient(w.Account(account)+"/", secretCredential(t, w, app), &azcosmos.ClientOptions{ClientOptions: w.ClientOptions()}))(t, "client")
			return client, must(client.NewContainer("app", "people"))(t, "container")
		}
		pk := azcosmos.NewPartitionKeyString("contoso")
		body, _ := json.Marshal(person{"1", "contoso", "Ada", 36})
		_, people := open()
		// The client asks for the account first, and wraps what it is told.
		if _, err = people.CreateItem(ctx, pk, body, nil); err == nil || !strings.Contains(err.Error(), "RESPONSE 403") || !strings.Contains(err.Error(), "does not have required RBAC permissions") {
			t.Fatalf("create without a role: %v", err)
		}

		assign := func(id, role, scope string) {
			t.Helper()
			base := group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account
			poller, err := sql.BeginCreateUpdateSQLRoleAssignment(ctx, id, rg, account, armcosmos.SQLRoleAssignmentCreateUpdateParameters{
				Properties: &armcosmos.SQLRoleAssignmentResource{RoleDefinitionID: to.Ptr(base + "/sqlRoleDefinitions/" + role), Scope: to.Ptr(base + scope), PrincipalID: to.Ptr(app.Principal)},
			}, nil)
			pollDone[armcosmos.SQLResourcesClientCreateUpdateSQLRoleAssignmentResponse](t, "assign")(poller, err)
		}
		reads, writes := uuid.NewString(), uuid.NewString()
		assign(reads, "00000000-0000-0000-0000-000000000001", "")
		client, people := open()
		_, err = people.ReadItem(ctx, pk, "1", nil)
		wantRefused(t, "read of what is not there", err, http.StatusNotFound)
		_, err = people.CreateItem(ctx, pk, body, nil)
		wantRefused(t, "create with the reader's role", err, http.StatusForbidden)
		assign(writes, "00000000-0000-0000-0000-000000000002", "/dbs/app/colls/people")
		must(people.CreateItem(ctx, pk, body, nil))(t, "create")
		must(people.UpsertItem(ctx, pk, body, nil))(t, "upsert")
		batch := people.NewTransactionalBatch(pk)
		batch.ReadItem("1", nil)
		if got := must(people.ExecuteTransactionalBatch(ctx, batch, nil))(t, "batch"); !got.Success {
			t.Errorf("batch %+v", got)
		}
		if page := must(people.NewQueryItemsPager("SELECT * FROM c", pk, nil).NextPage(ctx))(t, "query"); len(page.Items) != 1 {
			t.Errorf("query %s", page.Items)
		}
		_, err = client.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: "more"}, nil)
		wantRefused(t, "create a database with a token", err, http.StatusForbidden)

		for _, id := range []string{writes, reads} {
			gone, err := sql.BeginDeleteSQLRoleAssignment(ctx, id, rg, account, nil)
			pollDone[armcosmos.SQLResourcesClientDeleteSQLRoleAssignmentResponse](t, "take away")(gone, err)
		}
		_, err = people.ReadItem(ctx, pk, "1", nil)
		wantRefused(t, "read after the role was taken away", err, http.StatusForbidden)
	})
}

// scripts makes one of each kind by armcosmos, and takes it away.
func scripts(t *testing.T, sql *armcosmos.SQLResourcesClient, rg, account, db, coll string) {
	t.Helper()
	ctx, body := t.Context(), to.Ptr("function () {}")
	procedure, err := sql.BeginCreateUpdateSQLStoredProcedure(ctx, rg, account, db, coll, "p", armcosmos.SQLStoredProcedureCreateUpdateParameters{
		Properties: &armcosmos.SQLStoredProcedureCreateUpdateProperties{Resource: &armcosmos.SQLStoredProcedureResource{ID: to.Ptr("p"), Body: body}},
	}, nil)
	pollDone[armcosmos.SQLResourcesClientCreateUpdateSQLStoredProcedureResponse](t, "create stored procedure")(procedure, err)
	trigger, err := sql.BeginCreateUpdateSQLTrigger(ctx, rg, account, db, coll, "t", armcosmos.SQLTriggerCreateUpdateParameters{
		Properties: &armcosmos.SQLTriggerCreateUpdateProperties{Resource: &armcosmos.SQLTriggerResource{
			ID: to.Ptr("t"), Body: body, TriggerType: to.Ptr(armcosmos.TriggerTypePost), TriggerOperation: to.Ptr(armcosmos.TriggerOperationReplace),
		}},
	}, nil)
	pollDone[armcosmos.SQLResourcesClientCreateUpdateSQLTriggerResponse](t, "create trigger")(trigger, err)
	function, err := sql.BeginCreateUpdateSQLUserDefinedFunction(ctx, rg, account, db, coll, "f", armcosmos.SQLUserDefinedFunctionCreateUpdateParameters{
		Properties: &armcosmos.SQLUserDefinedFunctionCreateUpdateProperties{Resource: &armcosmos.SQLUserDefinedFunctionResource{ID: to.Ptr("f"), Body: body}},
	}, nil)
	pollDone[armcosmos.SQLResourcesClientCreateUpdateSQLUserDefinedFunctionResponse](t, "create function")(function, err)
	if got := must(sql.GetSQLStoredProcedure(ctx, rg, account, db, coll, "p", nil))(t, "stored procedure"); *got.Properties.Resource.Body != *body || *got.Properties.Resource.ID != "p" {
		t.Errorf("stored procedure %+v", got.Properties.Resource)
	}
	if got := must(sql.GetSQLTrigger(ctx, rg, account, db, coll, "t", nil))(t, "trigger").Properties.Resource; *got.TriggerType != armcosmos.TriggerTypePost || *got.TriggerOperation != armcosmos.TriggerOperationReplace {
		t.Errorf("trigger %+v", got)
	}
	for page := sql.NewListSQLUserDefinedFunctionsPager(rg, account, db, coll, nil); page.More(); {
		if got := must(page.NextPage(ctx))(t, "functions").Value; len(got) != 1 || *got[0].Name != "f" {
			t.Errorf("functions %+v", got)
		}
	}
	gone, err := sql.BeginDeleteSQLStoredProcedure(ctx, rg, account, db, coll, "p", nil)
	pollDone[armcosmos.SQLResourcesClientDeleteSQLStoredProcedureResponse](t, "delete stored procedure")(gone, err)
	_, err = sql.GetSQLStoredProcedure(ctx, rg, account, db, coll, "p", nil)
	wantStatus(t, "read of a deleted stored procedure", err, http.StatusNotFound, "ResourceNotFound")
}
