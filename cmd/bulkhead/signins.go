package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
	"github.com/spf13/cobra"
)

func newKeys() *cobra.Command {
	return group("keys", "Keys that sign tokens",
		adminCommand("list", "List the signing keys whose tokens may still be about", "GET", "/keys", nil, cobra.NoArgs),
		adminCommand("rotate", "Sign with a new key; tokens of the old one stay valid until they expire", "POST", "/keys/rotate", nil, cobra.NoArgs))
}

func newSignIns() *cobra.Command {
	var tenant string
	var limit int
	var asJSON bool
	cmd := &cobra.Command{Use: "signins", Short: "List a tenant's latest sign-ins: who tried what, and why it was refused", Args: cobra.NoArgs}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&tenant, "tenant", "", "tenant id or domain; default the platform's first tenant")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many, newest first")
	cmd.Flags().BoolVar(&asJSON, "json", false, "the records themselves")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		if tenant == "" {
			run, err := app.ReadRun(a.data)
			if err != nil {
				return fmt.Errorf("--tenant is needed while the platform does not run: %w", err)
			}
			tenant = run.TenantID
		}
		var page struct {
			Value []directory.SignIn `json:"value"`
		}
		path := "/signins?tenant=" + url.QueryEscape(tenant) + "&limit=" + strconv.Itoa(limit)
		if err := a.call(cmd.Context(), "GET", path, nil, &page); err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(page.Value)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		for _, r := range page.Value {
			who, result := r.UserName, "ok"
			if who == "" {
				who = "-"
			}
			if r.Code != 0 {
				result = fmt.Sprintf("AADSTS%d %s", r.Code, r.Reason)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Time.Format(time.RFC3339), r.Client, r.Grant, who, r.AppName, r.Resource, result)
		}
		return w.Flush()
	})
	return cmd
}
