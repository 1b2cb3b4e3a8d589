// Plain is a program as one would write it for Azure: no endpoint, proxy or certificate is set anywhere in it.
//
// It signs in as its environment says, stores and reads a secret in VAULT_URL, fetches the keys of ACCOUNT_ID, and writes and reads an item of that account at
// ACCOUNT_URL.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// output is what the program prints.
type output struct{ Secret, Item string }

func main() {
	out, err := run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (output, error) {
	var out output
	cred, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return out, err
	}
	secrets, err := azsecrets.NewClient(os.Getenv("VAULT_URL"), cred, nil)
	if err != nil {
		return out, err
	}
	if _, err := secrets.SetSecret(ctx, "plain", azsecrets.SetSecretParameters{Value: to.Ptr("hello")}, nil); err != nil {
		return out, fmt.Errorf("set: %w", err)
	}
	got, err := secrets.GetSecret(ctx, "plain", "", nil)
	if err != nil {
		return out, fmt.Errorf("get: %w", err)
	}
	out.Secret = *got.Value
	out.Item, err = item(ctx, cred)
	return out, err
}

// item goes from the account's resource id to its keys to an item in it.
func item(ctx context.Context, cred azcore.TokenCredential) (string, error) {
	parts := strings.Split(os.Getenv("ACCOUNT_ID"), "/")
	if len(parts) != 9 {
		return "", errors.New("ACCOUNT_ID is not the id of an account")
	}
	accounts, err := armcosmos.NewDatabaseAccountsClient(parts[2], cred, nil)
	if err != nil {
		return "", err
	}
	keys, err := accounts.ListKeys(ctx, parts[4], parts[8], nil)
	if err != nil {
		return "", fmt.Errorf("listKeys: %w", err)
	}
	key, err := azcosmos.NewKeyCredential(*keys.PrimaryMasterKey)
	if err != nil {
		return "", err
	}
	client, err := azcosmos.NewClientWithKey(os.Getenv("ACCOUNT_URL"), key, nil)
	if err != nil {
		return "", err
	}
	if _, err := client.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: "plain"}, nil); err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	db, err := client.NewDatabase("plain")
	if err != nil {
		return "", err
	}
	if _, err := db.CreateContainer(ctx, azcosmos.ContainerProperties{
		ID: "items", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/id"}},
	}, nil); err != nil {
		return "", fmt.Errorf("create container: %w", err)
	}
	items, err := db.NewContainer("items")
	if err != nil {
		return "", err
	}
	pk := azcosmos.NewPartitionKeyString("1")
	if _, err := items.CreateItem(ctx, pk, []byte(`{"id":"1","text":"written"}`), nil); err != nil {
		return "", fmt.Errorf("create item: %w", err)
	}
	read, err := items.ReadItem(ctx, pk, "1", nil)
	if err != nil {
		return "", fmt.Errorf("read item: %w", err)
	}
	var doc struct{ Text string }
	err = json.Unmarshal(read.Value, &doc)
	return doc.Text, err
}
