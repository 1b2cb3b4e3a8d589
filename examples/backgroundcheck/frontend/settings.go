package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// How a daemon proves who it is.
const (
	kindSecret      = "secret"
	kindCertificate = "certificate"
)

// Customer says where a customer's data is and as whom it is reached. None of it is secret.
type Customer struct {
	Name           string   `json:"name"`
	TenantID       string   `json:"tenantId"`       // the directory its callers sign in to
	SubscriptionID string   `json:"subscriptionId"` // where its account is
	ResourceGroup  string   `json:"resourceGroup"`
	Account        string   `json:"account"`
	DaemonClientID string   `json:"daemonClientId"` // application in the publisher's directory with a role on that account
	Credential     string   `json:"credential"`     // name of its secret or certificate in the publisher's vault
	Kind           string   `json:"kind"`           // kindSecret or kindCertificate
	Callers        []string `json:"callers"`        // client ids that may call; empty: every application of the customer's directory
}

// Settings are the service's app settings.
type Settings struct {
	Host        string // to listen on; "" is every address
	Port        string
	Authority   string   // without a final slash
	Audiences   []string // what a caller's token may be for: the identifier URI (version 1.0 tokens) or the client id (2.0)
	PublisherID string   // tenant of the daemons
	VaultURL    string
	Database    string
	Container   string
	Customers   map[string]*Customer // by tenant id, lower case
}

// loadSettings reads the environment, which is how App Service hands settings to a site.
func loadSettings() (*Settings, error) {
	s := &Settings{
		Port: os.Getenv("PORT"), Authority: strings.TrimSuffix(os.Getenv("AZURE_AUTHORITY_HOST"), "/"), PublisherID: os.Getenv("PUBLISHER_TENANT_ID"),
		VaultURL: os.Getenv("VAULT_URL"), Database: os.Getenv("DATABASE"), Container: os.Getenv("CONTAINER"),
	}
	if os.Getenv("HTTP_PLATFORM_PORT") != "" { // App Service's HTTP platform handler connects from this machine, and nobody else should
		s.Host = "127.0.0.1"
	}
	for _, name := range []string{"API_URI", "API_CLIENT_ID"} {
		if v := os.Getenv(name); v != "" {
			s.Audiences = append(s.Audiences, v)
		}
	}
	for _, d := range []struct {
		to        *string
		otherwise string
	}{{&s.Port, "8080"}, {&s.Authority, "https://login.microsoftonline.com"}, {&s.Database, "backgroundcheck"}, {&s.Container, "checks"}} {
		if *d.to == "" {
			*d.to = d.otherwise
		}
	}
	if s.VaultURL == "" || s.PublisherID == "" || len(s.Audiences) == 0 {
		return nil, errors.New("VAULT_URL, PUBLISHER_TENANT_ID and API_URI or API_CLIENT_ID must be set")
	}
	var err error
	if s.Customers, err = parseCustomers(os.Getenv("CUSTOMERS")); err != nil {
		return nil, fmt.Errorf("CUSTOMERS: %w", err)
	}
	return s, nil
}

// parseCustomers reads the JSON list of customers. Two customers never share a directory, an account or a daemon: each is a compartment of its own.
func parseCustomers(text string) (map[string]*Customer, error) {
	var list []*Customer
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&list); err != nil {
		return nil, err
	}
	out := map[string]*Customer{}
	seen := map[string]string{}
	for _, c := range list {
		c.TenantID = strings.ToLower(c.TenantID)
		if !isGUID(c.TenantID) {
			return nil, fmt.Errorf("customer %q: tenantId %q is not a GUID", c.Name, c.TenantID)
		}
		if c.Kind != kindSecret && c.Kind != kindCertificate {
			return nil, fmt.Errorf("customer %q: kind %q: want %s or %s", c.Name, c.Kind, kindSecret, kindCertificate)
		}
		for what, v := range map[string]string{
			"name": c.Name, "subscriptionId": c.SubscriptionID, "resourceGroup": c.ResourceGroup, "account": c.Account,
			"daemonClientId": c.DaemonClientID, "credential": c.Credential,
		} {
			if v == "" {
				return nil, fmt.Errorf("customer %q: %s is missing", c.Name, what)
			}
		}
		for _, own := range []string{"directory " + c.TenantID, "account " + c.Account, "daemon " + c.DaemonClientID, "credential " + c.Credential} {
			if other, taken := seen[strings.ToLower(own)]; taken {
				return nil, fmt.Errorf("customers %q and %q share the %s", other, c.Name, own)
			}
			seen[strings.ToLower(own)] = c.Name
		}
		out[c.TenantID] = c
	}
	if len(out) == 0 {
		return nil, errors.New("there is no customer")
	}
	return out, nil
}
