package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/reach/armclient"
	"github.com/bulkheadhq/bulkhead/internal/wire"
	"github.com/spf13/cobra"
)

func newARMClient() *cobra.Command {
	return &cobra.Command{
		Use:   `armclient [--data DIR] [--as CLIENT_ID] VERB PATH [@FILE|BODY] [-verbose] [-h "NAME: VALUE"]`,
		Short: "Send a request to Resource Manager, in the words of ARMClient",
		Long: `Send a request to Resource Manager, in the words of ARMClient: command lines of posts and documentation work as they are
printed there. The answer's JSON is printed; the exit code is 1 if its status is an error.

It signs in as the administrator or, with --as or under bulkhead exec --as, as an application. login, azlogin and listcache tell as whom;
token [RESOURCE] prints a token.`,
		Example: `  bulkhead armclient GET "subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups?api-version=2021-04-01"
  bulkhead armclient put /subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/rg1?api-version=2021-04-01 "{'location':'westeurope'}" -verbose
  bulkhead armclient PUT "subscriptions/...?api-version=2018-08-31-preview" @file.json`,
		DisableFlagParsing: true, // -verbose and -h are ARMClient's
		RunE: func(cmd *cobra.Command, args []string) error {
			data, as, args, err := ownFlags(args)
			if err != nil {
				return err
			}
			if len(args) == 0 || len(args) == 1 && (args[0] == "--help" || args[0] == "-help" || args[0] == "-h" || args[0] == "/?") {
				return cmd.Help()
			}
			line, err := armclient.Parse(args)
			if errors.Is(err, armclient.ErrUsage) {
				return err
			}
			return action(func(cmd *cobra.Command, _ []string) error {
				if err != nil {
					return err
				}
				return sendLine(cmd, data, as, line)
			})(cmd, nil)
		},
	}
}

// ownFlags takes --data and --as out of the arguments, wherever they stand.
func ownFlags(args []string) (data, as string, rest []string, err error) {
	data = defaultData()
	for i := 0; i < len(args); i++ {
		name, value, ok := strings.Cut(args[i], "=")
		var to *string
		switch name {
		case "--data":
			to = &data
		case "--as":
			to = &as
		default:
			rest = append(rest, args[i])
			continue
		}
		if !ok {
			if i++; i == len(args) {
				return "", "", nil, fmt.Errorf("flag needs an argument: %s", name)
			}
			value = args[i]
		}
		*to = value
	}
	return data, as, rest, nil
}

func sendLine(cmd *cobra.Command, data, as string, line armclient.Line) error {
	for _, n := range line.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "bulkhead:", n)
	}
	abs, err := filepath.Abs(data)
	if err != nil {
		return err
	}
	env, err := signIn(cmd.Context(), abs, as)
	if err != nil {
		return err
	}
	r, err := app.ReadRun(abs)
	if err != nil {
		return err
	}
	c, err := armclient.NewClient(r.FrontDoor, r.Root, runHosts(r))
	if err != nil {
		return err
	}
	defer c.Close()
	c.Tenant, c.AppID, c.Secret = env.TenantID, env.ClientID, env.ClientSecret
	if line.SignIn() {
		return c.Answer(cmd.Context(), line, cmd.OutOrStdout())
	}
	return c.Do(cmd.Context(), line, cmd.OutOrStdout())
}

// signIn is as whom the request is sent: the application named, whoever bulkhead exec or env of this platform made the shell, or the administrator.
func signIn(ctx context.Context, data, as string) (reach.Environment, error) {
	if dir := os.Getenv("AZURE_CONFIG_DIR"); as == "" && dir != "" && filepath.Dir(filepath.Dir(dir)) == data {
		env := reach.Environment{
			TenantID: os.Getenv("AZURE_TENANT_ID"), ClientID: os.Getenv("AZURE_CLIENT_ID"), ClientSecret: os.Getenv("AZURE_CLIENT_SECRET"),
		}
		if env.TenantID != "" && env.ClientID != "" && env.ClientSecret != "" {
			return env, nil
		}
	}
	return environment(ctx, data, as)
}

// runHosts are the names that the platform of run.json serves.
func runHosts(r app.Run) wire.Hosts {
	h := wire.Hosts{Suffix: r.Suffix}
	if _, port, err := net.SplitHostPort(r.FrontDoor); err == nil {
		h.Port, _ = strconv.Atoi(port)
	}
	return h
}
