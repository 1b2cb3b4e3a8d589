// Machine is a program as one would run it on a virtual machine: it reads a secret of the vault named in VAULT_URL as the machine's managed identity.
//
//	machine [client|object|resource ID]    as ManagedIdentityCredential
//	machine default                        as DefaultAzureCredential
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

func main() {
	log.SetFlags(0)
	credential, err := credentialOf(os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	client, err := azsecrets.NewClient(os.Getenv("VAULT_URL"), credential, nil)
	if err != nil {
		log.Fatal(err)
	}
	secret, err := client.GetSecret(context.Background(), "greeting", "", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(*secret.Value)
}

func credentialOf(args []string) (azcore.TokenCredential, error) {
	if len(args) == 1 && args[0] == "default" {
		return azidentity.NewDefaultAzureCredential(nil)
	}
	var o azidentity.ManagedIdentityCredentialOptions
	if len(args) == 2 {
		switch args[0] {
		case "client":
			o.ID = azidentity.ClientID(args[1])
		case "object":
			o.ID = azidentity.ObjectID(args[1])
		case "resource":
			o.ID = azidentity.ResourceID(args[1])
		}
	}
	return azidentity.NewManagedIdentityCredential(&o)
}
