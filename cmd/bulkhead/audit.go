package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sort"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/services/keyvault"
	"github.com/spf13/cobra"
)

// history is what happened to a vault: who did what, and what it did by itself.
type history struct {
	Records []audit.Record   `json:"records"`
	Events  []keyvault.Event `json:"events"`
}

func newAudit() *cobra.Command {
	var vault, since string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "audit --vault NAME",
		Short: "Tell what happened to a key vault: who, what, when, with what result, and its events",
		Args:  cobra.NoArgs,
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&vault, "vault", "", "the vault's name")
	cmd.Flags().StringVar(&since, "since", "24h", "from when on: a duration back from now, such as 90m or 720h, or a time such as 2026-03-01T12:00:00Z")
	cmd.Flags().BoolVar(&asJSON, "json", false, "the records and events themselves")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if vault == "" {
			return errors.New("name a vault with --vault")
		}
		from, err := parseSince(since, time.Now())
		if err != nil {
			return err
		}
		return action(func(cmd *cobra.Command, _ []string) error {
			a, err := openAdmin(cmd.Context(), *data, false)
			if err != nil {
				return err
			}
			defer a.close()
			h, err := readHistory(cmd.Context(), a.call, vault, from)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(h)
			}
			for _, line := range h.lines() {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return nil
		})(cmd, nil)
	}
	return cmd
}

func parseSince(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("--since %q is neither a duration such as 24h nor a time such as 2026-03-01T12:00:00Z", text)
	}
	return t, nil
}

// readHistory reads page after page. A vault that was purged has records but no events left.
func readHistory(ctx context.Context, call func(context.Context, string, string, any, any) error, vault string, from time.Time) (*history, error) {
	h := &history{Records: []audit.Record{}, Events: []keyvault.Event{}}
	for at := from; ; {
		var page []audit.Record
		if err := call(ctx, "GET", "/audit?vault="+url.QueryEscape(vault)+"&since="+url.QueryEscape(at.UTC().Format(time.RFC3339Nano)), nil, &page); err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		h.Records = append(h.Records, page...)
		at = page[len(page)-1].Time.Add(1)
	}
	for at := from; ; {
		var page []keyvault.Event
		err := call(ctx, "GET", "/vaults/"+url.PathEscape(vault)+"/events?since="+url.QueryEscape(at.UTC().Format(time.RFC3339Nano)), nil, &page)
		if err != nil && len(h.Records) == 0 {
			return nil, err
		}
		if len(page) == 0 {
			return h, nil
		}
		h.Events = append(h.Events, page...)
		at = page[len(page)-1].Time.Add(1)
	}
}

// lines are records and events in order of time.
func (h *history) lines() []string {
	type entry struct {
		at   time.Time
		text string
	}
	var all []entry
	for _, r := range h.Records {
		all = append(all, entry{r.Time, audit.Line(r)})
	}
	for _, e := range h.Events {
		all = append(all, entry{e.Time, fmt.Sprintf("%s  %-9s  %s  %s", e.Time.UTC().Format("2006-01-02 15:04:05.000"), "event", e.Type, e.Data.ID)})
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].at.Before(all[j].at) })
	out := make([]string, len(all))
	for i, e := range all {
		out[i] = e.text
	}
	return out
}
