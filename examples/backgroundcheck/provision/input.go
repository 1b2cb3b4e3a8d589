package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Input is who takes part. It holds no secret: the one of an administrator is read from the environment variable NAME_CLIENT_SECRET, and where there is none, `az` is
// asked for tokens.
type Input struct {
	Prefix    string     `json:"prefix"` // of every name; names of sites, vaults and accounts are shared with all the world
	Location  string     `json:"location"`
	Publisher Party      `json:"publisher"`
	Customers []Customer `json:"customers"`
}

// Party is an organisation: a directory, a subscription in it, and the application that administers both.
type Party struct {
	Name           string `json:"name"`
	TenantID       string `json:"tenantId"`
	SubscriptionID string `json:"subscriptionId"`
	ClientID       string `json:"clientId"`
}

// Customer is a party whose background checks are kept.
type Customer struct {
	Party
	Kind    string   `json:"kind"`    // how its daemon proves who it is: "secret" or "certificate"
	Callers []string `json:"callers"` // client ids of the applications that may call
}

// Output is what was made, for whoever wants to call or examine it.
type Output struct {
	URL       string           `json:"url"`
	APIURI    string           `json:"apiUri"` // what callers' tokens are for
	Site      string           `json:"site"`   // resource ids
	Vault     string           `json:"vault"`
	VaultURL  string           `json:"vaultUrl"`
	Customers []OutputCustomer `json:"customers"`
}

// OutputCustomer is what was made for one customer.
type OutputCustomer struct {
	Customer
	Account    string `json:"account"`  // resource id
	Database   string `json:"database"` //
	Container  string `json:"container"`
	Daemon     string `json:"daemonClientId"`
	DaemonApp  string `json:"daemonObjectId"` // of the application, as Microsoft Graph counts it
	Credential string `json:"credential"`     // name in the vault
}

func readInput(path string) (*Input, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	in := &Input{Prefix: "bgcheck", Location: "westeurope"}
	if err := json.Unmarshal(b, in); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, c := range in.Customers {
		if c.Kind != "secret" && c.Kind != "certificate" {
			return nil, fmt.Errorf("%s: customer %q: kind %q: want secret or certificate", path, c.Name, c.Kind)
		}
	}
	return in, nil
}

// signIn makes the credential of a party's administrator.
func (p *Party) signIn() (azcore.TokenCredential, error) {
	secret := os.Getenv(strings.ToUpper(p.Name) + "_CLIENT_SECRET")
	if secret == "" {
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: p.TenantID, Subscription: p.SubscriptionID})
	}
	return azidentity.NewClientSecretCredential(p.TenantID, p.ClientID, secret, nil)
}
