package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/reach/armclient"
)

const (
	mysqlVersion = "2017-12-01"
	alertVersion = "2018-03-01"
)

func newMySQL() *cobra.Command {
	cmd := &cobra.Command{Use: "mysql", Short: "Azure Database for MySQL"}
	cmd.AddCommand(newMySQLRecommend())
	return cmd
}

func newMySQLRecommend() *cobra.Command {
	var group, as string
	var dry bool
	cmd := &cobra.Command{
		Use:   "recommend SERVER --action-group GROUP",
		Short: "Make the alert rules that watch a MySQL server as the best practice says",
		Long: `Make the alert rules that watch a MySQL server as the best practice says: active and failed connections, CPU, memory, IO and storage, all
checked every five minutes. Run it again after the server was scaled: the rules are the same, what they advise has the new numbers.

SERVER is a server's name or resource id; GROUP an action group's resource id, or its name in the server's resource group.`,
		Example: `  bulkhead mysql recommend db1 --action-group on-call`,
		Args:    cobra.ExactArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&group, "action-group", "", "who is told")
	cmd.Flags().StringVar(&as, "as", "", "make them as this application instead of the administrator")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "print the rules and make none")
	_ = cmd.MarkFlagRequired("action-group")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		abs, err := filepath.Abs(*data)
		if err != nil {
			return err
		}
		c, err := openARM(cmd.Context(), abs, as)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.recommend(cmd, args[0], group, dry)
	})
	return cmd
}

// armCaller sends requests to Resource Manager for commands that need more than one.
type armCaller struct {
	*armclient.Client
	subscription string
}

func openARM(ctx context.Context, data, as string) (*armCaller, error) {
	env, err := signIn(ctx, data, as)
	if err != nil {
		return nil, err
	}
	r, err := app.ReadRun(data)
	if err != nil {
		return nil, err
	}
	c, err := armclient.NewClient(r.FrontDoor, r.Root, runHosts(r))
	if err != nil {
		return nil, err
	}
	c.Tenant, c.AppID, c.Secret = env.TenantID, env.ClientID, env.ClientSecret
	sub := env.SubscriptionID
	if sub == "" {
		sub = r.SubscriptionID
	}
	return &armCaller{c, sub}, nil
}

// call sends in (nil: nothing) and decodes the answer into out (nil: thrown away).
func (c *armCaller) call(ctx context.Context, verb, id, version string, in, out any) error {
	line := armclient.Line{Verb: verb, URL: &url.URL{Scheme: "https", Host: "management.azure.com", Path: id, RawQuery: "api-version=" + version}}
	if in != nil {
		var err error
		if line.Body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	var answer bytes.Buffer
	if err := c.Do(ctx, line, &answer); err != nil {
		if answer.Len() > 0 {
			return fmt.Errorf("%w: %s", err, bytes.TrimSpace(answer.Bytes()))
		}
		return err
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Bytes(), out)
}

// server finds a server's resource id.
func (c *armCaller) server(ctx context.Context, name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return name, nil
	}
	var list struct{ Value []struct{ ID, Name string } }
	if err := c.call(ctx, "GET", "/subscriptions/"+c.subscription+"/providers/Microsoft.DBforMySQL/servers", mysqlVersion, nil, &list); err != nil {
		return "", err
	}
	for _, s := range list.Value {
		if strings.EqualFold(s.Name, name) {
			return s.ID, nil
		}
	}
	return "", fmt.Errorf("there is no MySQL server %s in the subscription %s", name, c.subscription)
}

// recommendation is what the platform recommends for a server: a rule without its actions, and what to check when it fires.
type recommendation struct {
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties"`
	Advice     [][2]string    `json:"advice"`
}

func (c *armCaller) recommend(cmd *cobra.Command, name, group string, dry bool) error {
	ctx := cmd.Context()
	server, err := c.server(ctx, name)
	if err != nil {
		return err
	}
	in, _, ok := strings.Cut(server, "/providers/")
	if !ok {
		return fmt.Errorf("%s is not the resource id of a server", server)
	}
	if !strings.HasPrefix(group, "/") {
		group = in + "/providers/Microsoft.Insights/actionGroups/" + group
	}
	var rules struct{ Value []recommendation }
	if err := c.call(ctx, "GET", server+"/recommendations", mysqlVersion, nil, &rules); err != nil {
		return err
	}
	for _, r := range rules.Value {
		advice := map[string]string{}
		for _, a := range r.Advice {
			advice[a[0]] = a[1]
		}
		r.Properties["actions"] = []any{map[string]any{"actionGroupId": group, "webHookProperties": advice}}
		body := map[string]any{"location": "global", "properties": r.Properties}
		if dry {
			b, err := json.MarshalIndent(map[string]any{"name": r.Name, "body": body}, "", "  ")
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), string(b))
			continue
		}
		if err := c.call(ctx, "PUT", in+"/providers/Microsoft.Insights/metricAlerts/"+r.Name, alertVersion, body, nil); err != nil {
			return fmt.Errorf("rule %s: %w", r.Name, err)
		}
		fmt.Fprintln(cmd.OutOrStdout(), r.Name)
	}
	return nil
}
