// Command quickstart is the quick start of azcosmos against the emulator: database, container, upsert, read, query, delete. Prints what it saw as JSON.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
)

type product struct {
	ID        string  `json:"id"`
	Category  string  `json:"category"`
	Name      string  `json:"name"`
	Quantity  int     `json:"quantity"`
	Price     float32 `json:"price"`
	Clearance bool    `json:"clearance"`
}

type seen struct {
	Database  string   `json:"database"`
	Container string   `json:"container"`
	Created   string   `json:"created"`
	Replaced  int      `json:"replaced"`
	Read      int      `json:"read"`
	Query     []string `json:"query"`
	Gone      int      `json:"gone"`
	Left      []string `json:"left"`
}

func main() {
	log.SetFlags(0)
	s, err := run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		log.Fatal(err)
	}
}

// connect verifies the certificate by the authority in SSL_CERT_FILE, or not at all.
func connect() (*azcosmos.Client, error) {
	endpoint, key := os.Getenv("ENDPOINT"), os.Getenv("KEY")
	o := &azcosmos.ClientOptions{}
	if os.Getenv("VERIFY") != "true" {
		o.ClientOptions = azcore.ClientOptions{Transport: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as the emulator's documentation has it
		}}}
	}
	if os.Getenv("BY") == "connection string" {
		return azcosmos.NewClientFromConnectionString("AccountEndpoint="+endpoint+";AccountKey="+key+";", o)
	}
	cred, err := azcosmos.NewKeyCredential(key)
	if err != nil {
		return nil, err
	}
	return azcosmos.NewClientWithKey(endpoint, cred, o)
}

func run(ctx context.Context) (*seen, error) {
	client, err := connect()
	if err != nil {
		return nil, err
	}
	name := os.Getenv("DATABASE")
	if _, err := client.CreateDatabase(ctx, azcosmos.DatabaseProperties{ID: name}, nil); err != nil {
		return nil, err
	}
	database, err := client.NewDatabase(name)
	if err != nil {
		return nil, err
	}
	throughput := azcosmos.NewManualThroughputProperties(400)
	created, err := database.CreateContainer(ctx, azcosmos.ContainerProperties{ID: "products", PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Paths: []string{"/category"}}},
		&azcosmos.CreateContainerOptions{ThroughputProperties: &throughput})
	if err != nil {
		return nil, err
	}
	container, err := database.NewContainer("products")
	if err != nil {
		return nil, err
	}
	s := &seen{Database: name, Container: created.ContainerProperties.ID, Left: []string{}}
	if err := items(ctx, container, s); err != nil {
		return nil, err
	}
	if _, err := database.Delete(ctx, nil); err != nil {
		return nil, err
	}
	for pages := client.NewQueryDatabasesPager("SELECT * FROM dbs d WHERE d.id = '"+name+"'", nil); pages.More(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range page.Databases {
			s.Left = append(s.Left, d.ID)
		}
	}
	return s, nil
}

func items(ctx context.Context, container *azcosmos.ContainerClient, s *seen) error {
	surfboards := azcosmos.NewPartitionKeyString("gear-surf-surfboards")
	put := func(p product) (out product, err error) {
		b, err := json.Marshal(p)
		if err != nil {
			return out, err
		}
		a, err := container.UpsertItem(ctx, surfboards, b, &azcosmos.ItemOptions{EnableContentResponseOnWrite: true})
		if err != nil {
			return out, err
		}
		return out, json.Unmarshal(a.Value, &out)
	}
	item := product{ID: "70b63682-b93a-4c77-aad2-65501347265f", Category: "gear-surf-surfboards", Name: "Yamba Surfboard", Quantity: 12, Price: 850}
	got, err := put(item)
	if err != nil {
		return err
	}
	s.Created, item.Quantity = got.Name, 14
	if got, err = put(item); err != nil {
		return err
	}
	s.Replaced = got.Quantity
	if _, err := put(product{ID: "25a68543-b90c-439d-8332-7ef41e06a0e0", Category: item.Category, Name: "Kiama Classic Surfboard", Quantity: 9}); err != nil {
		return err
	}
	read, err := container.ReadItem(ctx, surfboards, item.ID, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(read.Value, &got); err != nil {
		return err
	}
	s.Read = got.Quantity
	for pages := container.NewQueryItemsPager("SELECT * FROM products p WHERE p.category = @category ORDER BY p.name", surfboards,
		&azcosmos.QueryOptions{QueryParameters: []azcosmos.QueryParameter{{Name: "@category", Value: item.Category}}}); pages.More(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, raw := range page.Items {
			var p product
			if err := json.Unmarshal(raw, &p); err != nil {
				return err
			}
			s.Query = append(s.Query, p.Name)
		}
	}
	if _, err := container.DeleteItem(ctx, surfboards, item.ID, nil); err != nil {
		return err
	}
	var refused *azcore.ResponseError
	if _, err := container.ReadItem(ctx, surfboards, item.ID, nil); !errors.As(err, &refused) {
		return fmt.Errorf("the deleted item is read: %w", err)
	}
	s.Gone = refused.StatusCode
	return nil
}
