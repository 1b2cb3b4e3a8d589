package goclients

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/msi/armmsi"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

func TestUserAssignedIdentities(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		ctx, group, name := t.Context(), p.PutGroup(t), harness.Name("uai-")
		clients, err := armmsi.NewClientFactory(p.Run.SubscriptionID, administrator(t, p, w), w.ARMOptions())
		if err != nil {
			t.Fatal(err)
		}
		c, rg := clients.NewUserAssignedIdentitiesClient(), groupName(group)
		made := must(c.CreateOrUpdate(ctx, rg, name, armmsi.Identity{Location: to.Ptr("westeurope"), Tags: map[string]*string{"a": to.Ptr("1")}}, nil))(t, "create")
		if *made.Properties.TenantID != p.Run.TenantID || *made.Properties.PrincipalID == *made.Properties.ClientID {
			t.Errorf("create: %+v", made.Properties)
		}
		changed := must(c.Update(ctx, rg, name, armmsi.IdentityUpdate{Tags: map[string]*string{"b": to.Ptr("2")}}, nil))(t, "update")
		got := must(c.Get(ctx, rg, name, nil))(t, "get")
		if *got.Properties.PrincipalID != *made.Properties.PrincipalID || *got.Tags["b"] != "2" || *changed.ID != *made.ID || *got.Type != "Microsoft.ManagedIdentity/userAssignedIdentities" {
			t.Errorf("get: %+v", got.Identity)
		}
		listed := 0
		for pager := c.NewListByResourceGroupPager(rg, nil); pager.More(); {
			for _, i := range must(pager.NextPage(ctx))(t, "list of the group").Value {
				if *i.ID == *made.ID {
					listed++
				}
			}
		}
		for pager := c.NewListBySubscriptionPager(nil); pager.More(); {
			for _, i := range must(pager.NextPage(ctx))(t, "list of the subscription").Value {
				if *i.ID == *made.ID {
					listed++
				}
			}
		}
		if listed != 2 {
			t.Errorf("the two lists have the identity %d times", listed)
		}
		site := p.PutSite(t, group, "", nil)
		own := must(clients.NewSystemAssignedIdentitiesClient().GetByScope(ctx, site.ID[1:], nil))(t, "system-assigned identity")
		if *own.Properties.PrincipalID != site.Principal || *own.Properties.ClientID == "" {
			t.Errorf("system-assigned identity: %+v, want principal %s", own.Properties, site.Principal)
		}
		federated(t, clients.NewFederatedIdentityCredentialsClient(), rg, name)

		must(c.Delete(ctx, rg, name, nil))(t, "delete")
		_, err = c.Get(ctx, rg, name, nil)
		wantStatus(t, "get of a deleted identity", err, http.StatusNotFound, "ResourceNotFound")
		must(c.Delete(ctx, rg, name, nil))(t, "delete again")
	})
}

// federated makes, changes, lists and removes a federated credential.
func federated(t *testing.T, c *armmsi.FederatedIdentityCredentialsClient, group, identity string) {
	t.Helper()
	ctx := t.Context()
	put := func(name, subject string) error {
		_, err := c.CreateOrUpdate(ctx, group, identity, name, armmsi.FederatedIdentityCredential{Properties: &armmsi.FederatedIdentityCredentialProperties{
			Issuer: to.Ptr("https://oidc.example/1"), Subject: to.Ptr(subject), Audiences: []*string{to.Ptr("api://AzureADTokenExchange")},
		}}, nil)
		return err
	}
	for _, subject := range []string{"first", "second"} {
		if err := put("fic-1", subject); err != nil {
			t.Fatalf("put: %v", err)
		}
	}
	wantStatus(t, "the same issuer and subject", put("fic-2", "second"), http.StatusConflict, "Conflict")
	got := must(c.Get(ctx, group, identity, "fic-1", nil))(t, "get")
	if *got.Properties.Subject != "second" || *got.Properties.Issuer != "https://oidc.example/1" || *got.Properties.Audiences[0] != "api://AzureADTokenExchange" {
		t.Errorf("get: %+v", got.Properties)
	}
	count := 0
	for pager := c.NewListPager(group, identity, nil); pager.More(); {
		count += len(must(pager.NextPage(ctx))(t, "list").Value)
	}
	if count != 1 {
		t.Errorf("the list has %d credentials, want 1", count)
	}
	must(c.Delete(ctx, group, identity, "fic-1", nil))(t, "delete")
	_, err := c.Get(ctx, group, identity, "fic-1", nil)
	wantStatus(t, "get of a deleted credential", err, http.StatusNotFound, "ResourceNotFound")
}
