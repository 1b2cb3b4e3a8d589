package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// The hops of a request, as errors and logs name them.
const (
	hopIdentity   = "identity"   // this service's own token
	hopVault      = "vault"      // the daemon's credential
	hopLogin      = "login"      // the daemon's token
	hopManagement = "management" // the account's keys
	hopDocuments  = "documents"
)

// Chain reaches a customer's documents, hop by hop. What it holds itself opens nothing but the vault, and that only as long as the vault's owner lets it.
type Chain struct {
	settings *Settings
	options  azcore.ClientOptions
	vault    *azsecrets.Client
}

// NewChain makes the chain's one lasting client, the vault's, which signs in as the managed identity of the site.
func NewChain(s *Settings) (*Chain, error) {
	c := &Chain{settings: s, options: azcore.ClientOptions{PerCallPolicies: []policy.Policy{correlate{}}, Retry: policy.RetryOptions{MaxRetries: 1}}}
	identity, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: c.options})
	if err != nil {
		return nil, err
	}
	c.vault, err = azsecrets.NewClient(s.VaultURL, identity, &azsecrets.ClientOptions{ClientOptions: c.options})
	return c, err
}

// Open returns the customer's container, for the request of ctx alone.
func (c *Chain) Open(ctx context.Context, customer *Customer) (*azcosmos.ContainerClient, error) {
	stored, err := c.vault.GetSecret(ctx, customer.Credential, "", nil)
	if err != nil {
		return nil, &hopError{hop: signInOr(err, hopIdentity, hopVault), err: err}
	}
	daemon, err := c.become(customer, &stored.Secret)
	if err != nil {
		return nil, &hopError{hop: hopVault, err: err}
	}
	accounts, err := armcosmos.NewDatabaseAccountsClient(customer.SubscriptionID, daemon, &arm.ClientOptions{ClientOptions: c.options, DisableRPRegistration: true})
	if err != nil {
		return nil, &hopError{hop: hopManagement, err: err}
	}
	keys, err := accounts.ListKeys(ctx, customer.ResourceGroup, customer.Account, nil)
	if err != nil {
		return nil, &hopError{hop: signInOr(err, hopLogin, hopManagement), err: err}
	}
	if keys.PrimaryMasterKey == nil {
		return nil, &hopError{hop: hopManagement, err: errors.New("the answer holds no key")}
	}
	return c.container(customer, *keys.PrimaryMasterKey)
}

// become makes the daemon's credential of what the vault holds. It lives in the publisher's directory, whoever the customer is.
func (c *Chain) become(customer *Customer, stored *azsecrets.Secret) (azcore.TokenCredential, error) {
	if stored.Value == nil {
		return nil, fmt.Errorf("%s has no value", customer.Credential)
	}
	if customer.Kind == kindSecret {
		return azidentity.NewClientSecretCredential(c.settings.PublisherID, customer.DaemonClientID, *stored.Value,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: c.options})
	}
	bundle := []byte(*stored.Value)
	if stored.ContentType == nil || *stored.ContentType != "application/x-pem-file" {
		pfx, err := base64.StdEncoding.DecodeString(*stored.Value)
		if err != nil {
			return nil, fmt.Errorf("%s is no certificate with its key", customer.Credential)
		}
		bundle = pfx
	}
	chain, key, err := azidentity.ParseCertificates(bundle, nil)
	if err != nil {
		return nil, fmt.Errorf("%s is no certificate with its key", customer.Credential)
	}
	return azidentity.NewClientCertificateCredential(c.settings.PublisherID, customer.DaemonClientID, chain, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: c.options})
}

func (c *Chain) container(customer *Customer, key string) (*azcosmos.ContainerClient, error) {
	cred, err := azcosmos.NewKeyCredential(key)
	if err != nil {
		return nil, &hopError{hop: hopManagement, err: errors.New("the answer holds a malformed key")}
	}
	client, err := azcosmos.NewClientWithKey("https://"+customer.Account+".documents.azure.com:443/", cred, &azcosmos.ClientOptions{ClientOptions: c.options})
	if err != nil {
		return nil, &hopError{hop: hopDocuments, err: err}
	}
	container, err := client.NewContainer(c.settings.Database, c.settings.Container)
	if err != nil {
		return nil, &hopError{hop: hopDocuments, err: err}
	}
	return container, nil
}

// signInOr names the hop that failed: a client signs in before it calls its service, and says so when that is what went wrong.
func signInOr(err error, signIn, service string) string {
	var failed *azidentity.AuthenticationFailedError
	if errors.As(err, &failed) {
		return signIn
	}
	return service
}
