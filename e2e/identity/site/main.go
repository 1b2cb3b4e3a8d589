// Site is a web application as one would deploy it: at every request it reads a secret as its managed identity. With ?by=client, object or resource and &id= it asks for the
// one of its identities that is named so, and with &vault= reads another vault; each such request begins with no token.
//
// With GENERATION=2017 it sees of App Service only what there was then, MSI_ENDPOINT and MSI_SECRET.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// answer is what the site found: a value, or the vault's refusal.
type answer struct {
	Value  string
	Status int    `json:",omitempty"`
	Code   string `json:",omitempty"`
	Error  string `json:",omitempty"`
}

func main() {
	if os.Getenv("GENERATION") == "2017" {
		for _, name := range []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER"} {
			if err := os.Unsetenv(name); err != nil {
				log.Fatal(err)
			}
		}
	}
	credential, err := azidentity.NewManagedIdentityCredential(nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err := azsecrets.NewClient(os.Getenv("VAULT_URL"), credential, nil)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /secret/{name}", func(w http.ResponseWriter, r *http.Request) {
		by := client
		if vault := r.URL.Query().Get("vault"); vault != "" {
			var err error
			if by, err = named(vault, r.URL.Query().Get("by"), r.URL.Query().Get("id")); err != nil {
				log.Fatal(err)
			}
		}
		a := read(r.Context(), by, r.PathValue("name"))
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(a); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)) //nolint:gosec // a test's own
}

// named is a client of the vault as the identity that is named so.
func named(vault, by, id string) (*azsecrets.Client, error) {
	var o azidentity.ManagedIdentityCredentialOptions
	switch by {
	case "client":
		o.ID = azidentity.ClientID(id)
	case "object":
		o.ID = azidentity.ObjectID(id)
	case "resource":
		o.ID = azidentity.ResourceID(id)
	}
	credential, err := azidentity.NewManagedIdentityCredential(&o)
	if err != nil {
		return nil, err
	}
	return azsecrets.NewClient(vault, credential, nil)
}

func read(ctx context.Context, client *azsecrets.Client, name string) answer {
	secret, err := client.GetSecret(ctx, name, "", nil)
	var refused *azcore.ResponseError
	switch {
	case errors.As(err, &refused):
		return answer{Status: refused.StatusCode, Code: refused.ErrorCode, Error: err.Error()}
	case err != nil:
		return answer{Error: err.Error()}
	}
	return answer{Value: *secret.Value}
}
