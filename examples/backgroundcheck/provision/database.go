package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
)

// Names within each customer's account.
const (
	databaseName  = "backgroundcheck"
	containerName = "checks"
)

// ensureContainer makes the database and its container in an account, with the account's own key.
func (a *admin) ensureContainer(ctx context.Context, id, name string) error {
	var keys struct {
		Primary string `json:"primaryMasterKey"`
	}
	if err := a.arm.call(ctx, http.MethodPost, id+"/listKeys"+accountVersion, nil, &keys); err != nil {
		return err
	}
	cred, err := azcosmos.NewKeyCredential(keys.Primary)
	if err != nil {
		return errors.New("the account's key is malformed")
	}
	client, err := azcosmos.NewClientWithKey("https://"+name+".documents.azure.com:443/", cred, nil)
	if err != nil {
		return err
	}
	if _, err := client.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: databaseName}, nil); err != nil && !conflict(err) {
		return err
	}
	database, err := client.NewDatabase(databaseName)
	if err != nil {
		return err
	}
	_, err = database.CreateContainer(ctx, azcosmos.ContainerProperties{
		ID: containerName, PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/id"}, Kind: azcosmos.PartitionKeyKindHash, Version: 2},
	}, nil)
	if conflict(err) {
		return nil
	}
	return err
}

func conflict(err error) bool {
	var answer *azcore.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusConflict
}
