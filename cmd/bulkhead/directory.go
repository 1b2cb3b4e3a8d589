package main

import (
	"encoding/json"
	"os"

	"github.com/spf13/cobra"
)

// adminCommand makes a command that sends one request and prints the JSON answer.
func adminCommand(use, short, method, path string, body func() (any, error), args cobra.PositionalArgs) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: args}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		var in any
		if body != nil {
			b, err := body()
			if err != nil {
				return err
			}
			in = b
		}
		return printAdminCall(cmd, *data, method, path, in)
	})
	return cmd
}

// printAdminCall sends one request to the admin socket and prints the JSON answer.
func printAdminCall(cmd *cobra.Command, data, method, path string, in any) error {
	a, err := openAdmin(cmd.Context(), data, false)
	if err != nil {
		return err
	}
	defer a.close()
	var out any
	if err := a.call(cmd.Context(), method, path, in, &out); err != nil {
		return err
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

// group is a command that only has others below it.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(children...)
	return cmd
}

func newTenant() *cobra.Command {
	var in struct {
		DisplayName string `json:"displayName"`
		Domain      string `json:"domain,omitempty"`
	}
	create := adminCommand("create", "Make a directory tenant", "POST", "/tenants", func() (any, error) { return in, nil }, cobra.NoArgs)
	create.Flags().StringVar(&in.DisplayName, "name", "", "display name")
	create.Flags().StringVar(&in.Domain, "domain", "", "domain name; default NAME.onmicrosoft.com")
	_ = create.MarkFlagRequired("name")
	list := adminCommand("list", "List the tenants", "GET", "/tenants", nil, cobra.NoArgs)
	return group("tenant", "Directory tenants", create, list)
}

func newSubscription() *cobra.Command {
	var in struct {
		Tenant string `json:"tenant"`
		Name   string `json:"name"`
		Owner  string `json:"owner"`
	}
	create := adminCommand("create", "Make a subscription", "POST", "/subscriptions", func() (any, error) { return in, nil }, cobra.NoArgs)
	create.Flags().StringVar(&in.Tenant, "tenant", "", "tenant id it belongs to")
	create.Flags().StringVar(&in.Name, "name", "", "display name")
	create.Flags().StringVar(&in.Owner, "owner", "", "object id of the principal that becomes its Owner")
	for _, f := range []string{"tenant", "name", "owner"} {
		_ = create.MarkFlagRequired(f)
	}
	return group("subscription", "Subscriptions", create)
}

func newApp() *cobra.Command {
	var in struct {
		Tenant         string   `json:"tenant"`
		DisplayName    string   `json:"displayName"`
		IdentifierURIs []string `json:"identifierUris,omitempty"`
		Secret         bool     `json:"secret"`
		Certificate    string   `json:"certificate,omitempty"` // PEM
		Administrator  bool     `json:"administrator,omitempty"`
	}
	var file string
	create := adminCommand("create", "Make an application with its service principal; a secret is shown once", "POST", "/apps", func() (any, error) {
		if file != "" {
			b, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			in.Certificate = string(b)
		}
		return in, nil
	}, cobra.NoArgs)
	f := create.Flags()
	f.StringVar(&in.Tenant, "tenant", "", "tenant id or domain")
	f.StringVar(&in.DisplayName, "name", "", "display name")
	f.StringSliceVar(&in.IdentifierURIs, "identifier-uri", nil, "audience that tokens for it may name; may be repeated")
	f.BoolVar(&in.Secret, "secret", true, "make a client secret")
	f.StringVar(&file, "certificate", "", "PEM file with a certificate to sign in with")
	f.BoolVar(&in.Administrator, "administrator", false, "may manage the tenant's directory through Microsoft Graph")
	_ = create.MarkFlagRequired("tenant")
	_ = create.MarkFlagRequired("name")
	return group("app", "Applications of a directory", create)
}
