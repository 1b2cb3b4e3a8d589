// Site is a web application as one would deploy it: at every request it reads a secret as its managed identity.
//
// With GENERATION=2017 it sees of App Service only what there was then, MSI_ENDPOINT and MSI_SECRET.
package main

import (
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
		var a answer
		secret, err := client.GetSecret(r.Context(), r.PathValue("name"), "", nil)
		var refused *azcore.ResponseError
		switch {
		case errors.As(err, &refused):
			a = answer{Status: refused.StatusCode, Code: refused.ErrorCode, Error: err.Error()}
		case err != nil:
			a.Error = err.Error()
		default:
			a.Value = *secret.Value
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(a); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)) //nolint:gosec // a test's own
}
