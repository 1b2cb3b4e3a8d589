package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
)

func main() {
	in := flag.String("in", "", "JSON file that says who takes part")
	program := flag.String("frontend", "", "the built front-end service")
	flag.Parse()
	if *in == "" || *program == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *in, *program); err != nil {
		fmt.Fprintln(os.Stderr, "provision:", err)
		os.Exit(1)
	}
}

// say tells people what is going on; standard output is the result.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }

func run(ctx context.Context, path, program string) error {
	in, err := readInput(path)
	if err != nil {
		return err
	}
	pub, err := in.Publisher.admin()
	if err != nil {
		return err
	}
	api, err := pub.ensureAPI(ctx, in.Prefix+" background checks")
	if err != nil {
		return err
	}
	group, err := pub.ensureGroup(ctx, in.Prefix+"-service", in.Location)
	if err != nil {
		return err
	}
	out := &Output{APIURI: api.IdentifierURIs[0], Site: group + "/providers/Microsoft.Web/sites/" + in.Prefix, Vault: group + "/providers/Microsoft.KeyVault/vaults/" + in.Prefix + "-vault"}
	host, identity, err := pub.ensureSite(ctx, out.Site, group+"/providers/Microsoft.Web/serverfarms/"+in.Prefix, in.Location)
	if err != nil {
		return err
	}
	out.URL = "https://" + host
	if out.VaultURL, err = pub.ensureVault(ctx, out.Vault, in.Location, identity); err != nil {
		return err
	}
	say("%s: the site %s, whose identity may get secrets from %s", in.Publisher.Name, out.URL, out.VaultURL)
	for _, c := range in.Customers {
		made, err := enrol(ctx, in, pub, api, out.VaultURL, c)
		if err != nil {
			return fmt.Errorf("customer %s: %w", c.Name, err)
		}
		out.Customers = append(out.Customers, *made)
	}
	settings, err := siteSettings(in, api, out)
	if err != nil {
		return err
	}
	if err := pub.arm.call(ctx, http.MethodPut, out.Site+"/config/appsettings"+webVersion, object{"properties": settings}, nil); err != nil {
		return err
	}
	if err := pub.deploy(ctx, host, strings.Replace(host, ".", ".scm.", 1), program); err != nil {
		return err
	}
	say("deployed, and up")
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// enrol makes one customer's compartment: an account of its own, and a daemon of its own that can open this account and no other.
func enrol(ctx context.Context, in *Input, pub *admin, api *application, vaultURL string, c Customer) (*OutputCustomer, error) {
	customer, err := c.admin()
	if err != nil {
		return nil, err
	}
	name := in.Prefix + "-" + strings.ToLower(c.Name)
	group, err := customer.ensureGroup(ctx, in.Prefix+"-data", in.Location)
	if err != nil {
		return nil, err
	}
	out := &OutputCustomer{
		Customer: c, Account: group + "/providers/Microsoft.DocumentDB/databaseAccounts/" + name, Database: databaseName, Container: containerName,
		Credential: strings.ToLower(c.Name) + "-daemon",
	}
	if err := customer.ensureAccount(ctx, out.Account, in.Location); err != nil {
		return nil, err
	}
	if err := customer.ensureContainer(ctx, out.Account, name); err != nil {
		return nil, err
	}
	daemon, err := pub.ensureApplication(ctx, in.Prefix+" daemon for "+c.Name, "AzureADMyOrg")
	if err != nil {
		return nil, err
	}
	out.Daemon, out.DaemonApp = daemon.AppID, daemon.ID
	principal, err := pub.ensurePrincipal(ctx, daemon.AppID)
	if err != nil {
		return nil, err
	}
	ensure := pub.ensureSecret
	if c.Kind == "certificate" {
		ensure = pub.ensureCertificate
	}
	if err := ensure(ctx, vaultURL, out.Credential, daemon); err != nil {
		return nil, err
	}
	if err := customer.ensureRole(ctx, out.Account, accountContributor, principal); err != nil {
		return nil, err
	}
	// The customer's directory learns of the service, so that its applications can ask for tokens.
	if _, err := customer.ensurePrincipal(ctx, api.AppID); err != nil {
		return nil, err
	}
	say("%s: the account %s; %s's daemon with a %s has a role on it", c.Name, name, in.Publisher.Name, c.Kind)
	return out, nil
}

// siteSettings are the service's app settings; see the package frontend. There is no secret among them.
func siteSettings(in *Input, api *application, out *Output) (map[string]string, error) {
	type setting struct {
		Name           string   `json:"name"`
		TenantID       string   `json:"tenantId"`
		SubscriptionID string   `json:"subscriptionId"`
		ResourceGroup  string   `json:"resourceGroup"`
		Account        string   `json:"account"`
		Daemon         string   `json:"daemonClientId"`
		Credential     string   `json:"credential"`
		Kind           string   `json:"kind"`
		Callers        []string `json:"callers,omitempty"`
	}
	var list []setting
	for _, c := range out.Customers {
		list = append(list, setting{
			c.Name, c.TenantID, c.SubscriptionID, in.Prefix + "-data", c.Account[strings.LastIndexByte(c.Account, '/')+1:], c.Daemon, c.Credential, c.Kind, c.Callers,
		})
	}
	customers, err := json.Marshal(list)
	return map[string]string{
		"PUBLISHER_TENANT_ID": in.Publisher.TenantID, "VAULT_URL": out.VaultURL, "API_URI": out.APIURI, "API_CLIENT_ID": api.AppID,
		"DATABASE": databaseName, "CONTAINER": containerName, "CUSTOMERS": string(customers),
	}, err
}
