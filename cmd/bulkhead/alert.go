package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/monitor/alerts"
	"github.com/spf13/cobra"
)

func newAlert() *cobra.Command {
	cmd := &cobra.Command{Use: "alert", Short: "Alert rules of Azure Monitor"}
	cmd.AddCommand(newAlertTry())
	return cmd
}

func newAlertTry() *cobra.Command {
	var asJSON bool
	var from, to string
	cmd := &cobra.Command{
		Use:   "try RULE",
		Short: "Tell what an alert rule would have done, over what was measured",
		Long: `Tell what an alert rule would have done, over what was measured: each time it would have fired and resolved, and why.

RULE is the resource id of a metric alert or a classic alert rule, which may be disabled. Nothing is changed and nobody is told. The times are
given as 2026-01-02T03:04:05Z, or as how long ago they were: 24h, 90m.`,
		Args: cobra.ExactArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&from, "from", "24h", "begin")
	cmd.Flags().StringVar(&to, "to", "0s", "end")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		query := url.Values{"rule": {args[0]}}
		for name, text := range map[string]string{"from": from, "to": to} {
			t, err := whenOrAgo(text, time.Now())
			if err != nil {
				return fmt.Errorf("--%s %q: want a time such as 2026-01-02T03:04:05Z, or how long ago it was, such as 24h", name, text)
			}
			query.Set(name, t.UTC().Format(time.RFC3339))
		}
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		var tried alerts.Tried
		if err := a.call(cmd.Context(), "GET", "/alerts/try?"+query.Encode(), nil, &tried); err != nil {
			return err
		}
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(tried)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		for _, c := range tried.Changes {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.At.Format(time.RFC3339), c.Condition, c.Resource, c.Why)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d evaluations from %s to %s, %d of them without data: %d changes\n", tried.Evaluations,
			tried.From.Format(time.RFC3339), tried.To.Format(time.RFC3339), tried.NoData, len(tried.Changes))
		return err
	})
	return cmd
}

// whenOrAgo reads a time, or how long before now it was.
func whenOrAgo(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	return time.Parse(time.RFC3339, text)
}
