package goclients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

type person struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Name     string `json:"name"`
	Age      int    `json:"age"`
}

func cosmosClient(t *testing.T, w harness.Way, account, key string) *azcosmos.Client {
	t.Helper()
	cred, err := azcosmos.NewKeyCredential(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := azcosmos.NewClientWithKey(w.Account(account)+"/", cred, &azcosmos.ClientOptions{ClientOptions: w.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantRefused checks the status of a refusal; azcosmos makes the code of an error out of the status line.
func wantRefused(t *testing.T, what string, err error, status int) {
	t.Helper()
	wantStatus(t, what, err, status, fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// newContainer makes a database and a container in it.
func newContainer(t *testing.T, c *azcosmos.Client) *azcosmos.ContainerClient {
	t.Helper()
	ctx := t.Context()
	must(c.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: "app"}, nil))(t, "create database")
	db := must(c.NewDatabase("app"))(t, "database")
	must(db.CreateContainer(ctx, azcosmos.ContainerProperties{
		ID: "people", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/customer"}, Kind: azcosmos.PartitionKeyKindHash, Version: 2},
	}, nil))(t, "create container")
	return must(db.NewContainer("people"))(t, "container")
}

func TestCosmosItems(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		group := p.PutGroup(t)
		account := p.PutAccount(t, group)
		people := newContainer(t, cosmosClient(t, w, account, p.Key(t, group, account, "primaryMasterKey")))
		ctx, pk := t.Context(), azcosmos.NewPartitionKeyString("contoso")
		body := func(v person) []byte { b, _ := json.Marshal(v); return b }

		one := person{"1", "contoso", "Ada", 36}
		made := must(people.CreateItem(ctx, pk, body(one), nil))(t, "create")
		if made.RequestCharge <= 0 || made.SessionToken == nil || *made.SessionToken == "" || made.ETag == "" {
			t.Errorf("create: charge %v, session %v, etag %q", made.RequestCharge, made.SessionToken, made.ETag)
		}
		_, err := people.CreateItem(ctx, pk, body(one), nil)
		wantRefused(t, "create of the same id", err, http.StatusConflict)
		must(people.CreateItem(ctx, azcosmos.NewPartitionKeyString("fabrikam"), body(person{"1", "fabrikam", "Bob", 1}), nil))(t, "same id, other partition")

		one.Age = 37
		changed := must(people.ReplaceItem(ctx, pk, "1", body(one), &azcosmos.ItemOptions{IfMatchEtag: &made.ETag}))(t, "replace with the right etag")
		_, err = people.ReplaceItem(ctx, pk, "1", body(one), &azcosmos.ItemOptions{IfMatchEtag: &made.ETag})
		wantRefused(t, "replace with an old etag", err, http.StatusPreconditionFailed)

		read := must(people.ReadItem(ctx, pk, "1", &azcosmos.ItemOptions{SessionToken: changed.SessionToken}))(t, "read")
		var got struct {
			person
			RID  string `json:"_rid"`
			ETag string `json:"_etag"`
			TS   int64  `json:"_ts"`
		}
		if err := json.Unmarshal(read.Value, &got); err != nil {
			t.Fatal(err)
		}
		if got.person != one || got.RID == "" || got.TS == 0 || azcore.ETag(got.ETag) != read.ETag || read.ETag == made.ETag {
			t.Errorf("read: got %s, etag %s", read.Value, read.ETag)
		}
		must(people.UpsertItem(ctx, pk, body(person{"2", "contoso", "Cem", 20}), nil))(t, "upsert of a new item")
		must(people.UpsertItem(ctx, pk, body(person{"2", "contoso", "Cem", 21}), nil))(t, "upsert of an old item")
		must(people.DeleteItem(ctx, pk, "2", nil))(t, "delete")
		_, err = people.ReadItem(ctx, pk, "2", nil)
		wantRefused(t, "read of a deleted item", err, http.StatusNotFound)

		readOnly := cosmosClient(t, w, account, p.Key(t, group, account, "primaryReadonlyMasterKey"))
		same := must(readOnly.NewContainer("app", "people"))(t, "container")
		must(same.ReadItem(ctx, pk, "1", nil))(t, "read with the read-only key")
		_, err = same.DeleteItem(ctx, pk, "1", nil)
		wantRefused(t, "delete with the read-only key", err, http.StatusForbidden)
	})
}

func TestCosmosQuery(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		group := p.PutGroup(t)
		account := p.PutAccount(t, group)
		people := newContainer(t, cosmosClient(t, w, account, p.Key(t, group, account, "primaryMasterKey")))
		ctx, pk := t.Context(), azcosmos.NewPartitionKeyString("contoso")
		for i := range 25 {
			b, _ := json.Marshal(person{fmt.Sprint(i), "contoso", fmt.Sprintf("name %02d", i), i})
			must(people.CreateItem(ctx, pk, b, nil))(t, "create")
		}
		for _, c := range []struct {
			query  string
			params []azcosmos.QueryParameter
			want   int
		}{
			{"SELECT * FROM c", nil, 25},
			{"SELECT * FROM c WHERE c.age >= @from AND c.age < @to", []azcosmos.QueryParameter{{Name: "@from", Value: 5}, {Name: "@to", Value: 15}}, 10},
			{"SELECT c.id, c.name FROM c WHERE c.name = 'name 07' OR NOT (c.age < 23)", nil, 3},
			{"SELECT * FROM c WHERE c.missing = null", nil, 0},
			{"SELECT VALUE c.age FROM c WHERE c.age > 20", nil, 4},
		} {
			got, pages := 0, 0
			pager := people.NewQueryItemsPager(c.query, pk, &azcosmos.QueryOptions{QueryParameters: c.params, PageSizeHint: 4})
			for ; pager.More(); pages++ {
				page := must(pager.NextPage(ctx))(t, c.query)
				if len(page.Items) > 4 {
					t.Errorf("%s: a page of %d items, want at most 4", c.query, len(page.Items))
				}
				got += len(page.Items)
			}
			if got != c.want {
				t.Errorf("%s: got %d items in %d pages, want %d", c.query, got, pages, c.want)
			}
		}
		_, err := people.NewQueryItemsPager("SELECT * FORM c", pk, nil).NextPage(ctx)
		wantRefused(t, "query with a mistake", err, http.StatusBadRequest)
	})
}

func TestCosmosKey_OldOneStopsAtOnce(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, p *harness.Platform, w harness.Way) {
		group := p.PutGroup(t)
		account := p.PutAccount(t, group)
		old := p.Key(t, group, account, "primaryMasterKey")
		people := newContainer(t, cosmosClient(t, w, account, old))
		p.ARM(t, "POST", group+"/providers/Microsoft.DocumentDB/databaseAccounts/"+account+"/regenerateKey?api-version=2021-10-15", map[string]string{"keyKind": "primary"})
		_, err := people.Read(t.Context(), nil)
		wantRefused(t, "read with the old key", err, http.StatusUnauthorized)
		for _, which := range []string{"primaryMasterKey", "secondaryMasterKey"} {
			c := must(cosmosClient(t, w, account, p.Key(t, group, account, which)).NewContainer("app", "people"))(t, "container")
			must(c.Read(t.Context(), nil))(t, "read with the "+which)
		}
	})
}
