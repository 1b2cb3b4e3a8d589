// Command firstvault makes a resource group and a key vault through Azure's public APIs and lets the caller use the vault's secrets. It needs nothing but the
// environment: AZURE_TENANT_ID, AZURE_SUBSCRIPTION_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, as `bulkhead exec` sets them.
//
//	bulkhead exec -- go run . [VAULT]
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const arm = "https://management.azure.com/"

func main() {
	log.SetFlags(0)
	vault := "bulkhead-demo"
	if len(os.Args) > 1 {
		vault = os.Args[1]
	}
	if err := run(vault); err != nil {
		log.Fatal("firstvault: ", err)
	}
}

func run(vault string) error {
	tenant := os.Getenv("AZURE_TENANT_ID")
	token, err := signIn(tenant, arm)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	me, err := objectID(token)
	if err != nil {
		return err
	}
	group := arm + "subscriptions/" + os.Getenv("AZURE_SUBSCRIPTION_ID") + "/resourceGroups/demo"
	if err := put(token, group+"?api-version=2021-04-01", map[string]any{"location": "westeurope"}); err != nil {
		return err
	}
	return put(token, group+"/providers/Microsoft.KeyVault/vaults/"+vault+"?api-version=2022-07-01", map[string]any{
		"location": "westeurope",
		"properties": map[string]any{
			"tenantId": tenant, "sku": map[string]string{"family": "A", "name": "standard"},
			"accessPolicies": []any{map[string]any{"tenantId": tenant, "objectId": me, "permissions": map[string]any{"secrets": []string{"all"}}}},
		},
	})
}

// signIn gets a token for the resource with the client secret of the environment.
func signIn(tenant, resource string) (string, error) {
	resp, err := http.PostForm("https://login.microsoftonline.com/"+tenant+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {os.Getenv("AZURE_CLIENT_ID")}, "client_secret": {os.Getenv("AZURE_CLIENT_SECRET")},
		"scope": {resource + ".default"},
	})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var t struct {
		Token       string `json:"access_token"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&t); err != nil {
		return "", err
	}
	if t.Token == "" {
		return "", fmt.Errorf("%s: %s", resp.Status, t.Description)
	}
	return t.Token, nil
}

// objectID reads who a token is for.
func objectID(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("the token is not a JWT")
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct{ OID string }
	err = json.Unmarshal(b, &claims)
	return claims.OID, err
}

func put(token, target string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPut, target, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode > 299 {
		return fmt.Errorf("PUT %s: %s: %s", target, resp.Status, answer)
	}
	return nil
}
