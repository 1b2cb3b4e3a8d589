package harness

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
)

// Cosmos is a client of an account by its key.
func (w Way) Cosmos(t testing.TB, account, key string, o azcore.ClientOptions) *azcosmos.Client {
	t.Helper()
	cred, err := azcosmos.NewKeyCredential(key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azcosmos.NewClientWithKey(w.Account(account), cred, &azcosmos.ClientOptions{ClientOptions: o})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// PutContainer makes database d with container c, partitioned by /pk, and returns its client.
func PutContainer(t testing.TB, client *azcosmos.Client) *azcosmos.ContainerClient {
	t.Helper()
	if _, err := client.CreateDatabase(t.Context(), azcosmos.DatabaseProperties{ID: "d"}, nil); err != nil {
		t.Fatal(err)
	}
	db, err := client.NewDatabase("d")
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.CreateContainer(t.Context(), azcosmos.ContainerProperties{
		ID: "c", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/pk"}, Kind: azcosmos.PartitionKeyKindHash, Version: 2},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewContainer("d", "c")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
