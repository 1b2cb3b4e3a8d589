package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
	"github.com/google/uuid"
)

// TestMoveToAnotherSubscription: a site with its plan and its identities, the vault it reads and a Cosmos DB account go to another subscription. While they do, the
// vault and the account answer every request; afterwards everything is where it was, under ids of the other subscription.
func TestMoveToAnotherSubscription(t *testing.T) {
	t.Parallel()
	p := shared.Platform(t)
	way := p.ProxyWay(t)
	ctx := t.Context()
	env := p.Env(t, "")
	cred := way.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"])
	admin := p.AdminToken(t, "https://graph.microsoft.com")
	me := way.Do(t, "GET", way.Graph()+"/v1.0/servicePrincipals(appId='"+env["AZURE_CLIENT_ID"]+"')", harness.Bearer(admin), nil)
	owner, _ := me.JSON()["id"].(string)
	if owner == "" {
		t.Fatalf("who the administrator is: %d %s", me.Status, me.Body)
	}
	other := p.CreateSubscription(t, p.Run.TenantID, harness.Name("Moved "), owner)
	from, into := p.PutGroup(t), "/subscriptions/"+other+"/resourceGroups/"+harness.Name("rg-")
	p.ARM(t, "PUT", into+"?api-version=2021-04-01", map[string]any{"location": "westeurope"})

	identity := p.PutIdentity(t, p.PutGroup(t))
	site := deployed(t, p, from)
	assign(t, p, site, map[string]any{"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": map[string]any{identity.ID: map[string]any{}}})
	policies := []harness.Policy{
		{ObjectID: owner, Secrets: harness.All}, {ObjectID: site.Principal, Secrets: []string{"get"}}, {ObjectID: identity.PrincipalID, Secrets: []string{"get"}},
	}
	vault := p.PutVault(t, from, "", policies...)
	secrets, err := azsecrets.NewClient(way.Vault(vault), cred, &azsecrets.ClientOptions{ClientOptions: way.ClientOptions()})
	fatal(t, "secrets client", err)
	_, err = secrets.SetSecret(ctx, secretName, azsecrets.SetSecretParameters{Value: to.Ptr(vault)}, nil)
	fatal(t, "set the secret", err)
	account := p.PutAccount(t, from)
	key := p.Key(t, from, account, "primaryMasterKey")
	items := harness.PutContainer(t, way.Cosmos(t, account, key, way.ClientOptions()))
	_, err = items.CreateItem(ctx, azcosmos.NewPartitionKeyString("a"), []byte(`{"id":"1","pk":"a","n":42}`), nil)
	fatal(t, "create an item", err)
	// By a role of the account, too, which is kept beside it.
	p.ARM(t, "PUT", from+"/providers/Microsoft.DocumentDB/databaseAccounts/"+account+"/sqlRoleAssignments/"+uuid.NewString()+"?api-version=2021-10-15", map[string]any{"properties": map[string]any{
		"roleDefinitionId": from + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account + "/sqlRoleDefinitions/00000000-0000-0000-0000-000000000001",
		"scope":            from + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account, "principalId": owner,
	}})
	byToken, err := azcosmos.NewClient(way.Account(account), cred, &azcosmos.ClientOptions{ClientOptions: way.ClientOptions()})
	fatal(t, "client by token", err)
	itemsByToken, err := byToken.NewContainer("d", "c")
	fatal(t, "container by token", err)
	sees := func(when string) {
		t.Helper()
		for by, id := range map[string]string{"": "", "client": identity.ClientID} {
			if f := asks(t, way, site, vault, by, id); f.Value != vault {
				t.Errorf("%s the site found %+v as %q", when, f, id)
			}
		}
	}
	sees("before")

	plan := p.ARM(t, "GET", site.ID+"?api-version=2022-03-01", nil)["properties"].(map[string]any)["serverFarmId"].(string)
	below := func(group, id string) string { return group + id[strings.Index(id, "/providers/"):] }
	ids := []string{
		site.ID, plan, from + "/providers/Microsoft.KeyVault/vaults/" + vault, from + "/providers/Microsoft.DocumentDB/databaseAccounts/" + account,
	}
	c, err := armresources.NewClient(p.Run.SubscriptionID, cred, way.ARMOptions())
	fatal(t, "resources client", err)
	info := func(ids ...string) armresources.MoveInfo {
		m := armresources.MoveInfo{TargetResourceGroup: to.Ptr(into)}
		for _, id := range ids {
			m.Resources = append(m.Resources, to.Ptr(id))
		}
		return m
	}
	group := from[strings.LastIndex(from, "/")+1:]
	for what, refused := range map[string][]string{"a site without its plan": {site.ID}, "a plan without its site": {plan}} {
		poller, err := c.BeginValidateMoveResources(ctx, group, info(refused...), nil)
		if err == nil {
			_, err = poller.PollUntilDone(ctx, nil)
		}
		var re *azcore.ResponseError
		if !errors.As(err, &re) || re.StatusCode != 409 || re.ErrorCode != "ResourceMoveProviderValidationFailed" {
			t.Errorf("%s: %v", what, err)
		}
	}
	valid, err := c.BeginValidateMoveResources(ctx, group, info(ids...), nil)
	fatal(t, "validate", err)
	_, err = valid.PollUntilDone(ctx, nil)
	fatal(t, "validate", err)

	// Readers go on all the while.
	busy, stop := context.WithCancel(ctx)
	var readers sync.WaitGroup
	reads := 0
	readers.Go(func() {
		for ; busy.Err() == nil; reads++ {
			if got, err := secrets.GetSecret(ctx, secretName, "", nil); err != nil || *got.Value != vault {
				t.Errorf("the secret amid the move: %v", err)
			}
			if _, err := items.ReadItem(ctx, azcosmos.NewPartitionKeyString("a"), "1", nil); err != nil {
				t.Errorf("the item amid the move: %v", err)
			}
			if _, err := itemsByToken.ReadItem(ctx, azcosmos.NewPartitionKeyString("a"), "1", nil); err != nil {
				t.Errorf("the item by token amid the move: %v", err)
			}
		}
	})
	moving, err := c.BeginMoveResources(ctx, group, info(ids...), nil)
	if err == nil {
		_, err = moving.PollUntilDone(ctx, nil)
	}
	stop()
	readers.Wait()
	fatal(t, "move", err)
	if reads == 0 {
		t.Error("nobody read amid the move")
	}

	for _, id := range ids {
		if a := p.TryARM(t, "GET", id+"?api-version=2022-03-01", nil); a.Status != 404 {
			t.Errorf("%s: %d, want 404", id, a.Status)
		}
	}
	moved := harness.Site{ID: below(into, site.ID), Name: site.Name, Principal: site.Principal}
	shown := p.ARM(t, "GET", moved.ID+"?api-version=2022-03-01", nil)
	if got, want := shown["properties"].(map[string]any)["serverFarmId"], below(into, plan); got != want {
		t.Errorf("the site's plan is %v, want %s", got, want)
	}
	sees("after")
	_, err = itemsByToken.ReadItem(ctx, azcosmos.NewPartitionKeyString("a"), "1", nil)
	fatal(t, "the item by token after the move", err)
	if got := p.Key(t, into, account, "primaryMasterKey"); got != key {
		t.Error("the account has another key")
	}
	settings := p.ARM(t, "POST", moved.ID+"/config/appsettings/list?api-version=2022-03-01", nil)["properties"]
	if fmt.Sprint(settings) != "map[VAULT_URL:https://any.vault.azure.net]" {
		t.Errorf("the site's settings are %v", settings)
	}
	// The directory knows the identity by the new id, and so do its tokens.
	sp := way.Do(t, "GET", way.Graph()+"/v1.0/servicePrincipals/"+site.Principal, harness.Bearer(admin), nil)
	if names, _ := json.Marshal(sp.JSON()["alternativeNames"]); !strings.Contains(string(names), moved.ID) {
		t.Errorf("the identity's service principal: %s", sp.Body)
	}
	p.Deploy(t, moved, map[string][]byte{"site": program(t)})
	deadline := time.Now().Add(20 * time.Second)
	for f := asks(t, way, moved, vault, "", ""); f.Value != vault; f = asks(t, way, moved, vault, "", "") {
		if time.Now().After(deadline) {
			t.Fatalf("deployed anew, the site found %+v", f)
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.ARM(t, "DELETE", into+"?api-version=2021-04-01", nil)
}

func fatal(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
