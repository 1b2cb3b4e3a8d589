package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/intel"
	"github.com/spf13/cobra"
)

func newIndicators() *cobra.Command {
	return group("indicators", "What is known of attackers: addresses, domains, URLs, hashes, HASSH, credentials, shingles of commands",
		newIndicatorsImport(), newIndicatorsExport(), newIndicatorsList(), newIndicatorsRemove())
}

func newIndicatorsImport() *cobra.Command {
	var source, format string
	var weight float64
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Take indicators in: STIX 2.1 bundles, or plain lists of one a line",
		Long: `Take indicators in: STIX 2.1 bundles, or plain lists. A line of a list is an address, a network, a domain, a URL, a SHA-256 or a HASSH; or its
kind ("credential", "shingle", ...), a space and the value. What follows # is a remark. - is standard input. They count for detection at once.`,
		Args: cobra.MinimumNArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&source, "source", "", "who says so; default the file's name")
	cmd.Flags().StringVar(&format, "format", "", "stix or list; default by what is in it")
	cmd.Flags().Float64Var(&weight, "weight", 0.8, "how much a plain list is believed, up to 1; from 0.5 on an indicator counts")
	cmd.RunE = action(func(cmd *cobra.Command, files []string) error {
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		for _, name := range files {
			in := cmd.InOrStdin()
			from := "stdin"
			if name != "-" {
				f, err := os.Open(name)
				if err != nil {
					return err
				}
				defer f.Close()
				in, from = f, filepath.Base(name)
			}
			if source != "" {
				from = source
			}
			q := url.Values{"source": {"import:" + from}, "weight": {fmt.Sprint(weight)}}
			if format != "" {
				q.Set("format", format)
			}
			var done intel.Imported
			if err := a.send(cmd.Context(), "POST", "/indicators?"+q.Encode(), in, &done); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d entered, %d of them new; %d removed, %d skipped\n", from, done.Entered, done.New, done.Removed, done.Skipped)
			for _, p := range done.Problems {
				fmt.Fprintf(cmd.ErrOrStderr(), "  %s\n", plain(p))
			}
		}
		return nil
	})
	return cmd
}

// choice adds the flags that choose indicators.
func choice(cmd *cobra.Command) (query func() url.Values) {
	kinds := cmd.Flags().StringSlice("kind", nil, "ip, domain, url, sha256, hassh, credential, shingle; may be repeated")
	least := cmd.Flags().Float64("least", 0, "those with at least that score now, such as 0.5")
	return func() url.Values {
		return url.Values{"kind": {strings.Join(*kinds, ",")}, "least": {fmt.Sprint(*least)}}
	}
}

func newIndicatorsExport() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export", Short: "Write indicators as a STIX 2.1 bundle or a plain list; credentials only by --kind credential", Args: cobra.NoArgs,
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&format, "format", "stix", "stix or list")
	query := choice(cmd)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		q := query()
		q.Set("format", format)
		req, err := http.NewRequestWithContext(cmd.Context(), "GET", "http://admin/indicators?"+q.Encode(), nil)
		if err != nil {
			return err
		}
		resp, err := a.http.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
			return fmt.Errorf("the platform answered %s: %s", resp.Status, plain(string(b)))
		}
		_, err = io.Copy(cmd.OutOrStdout(), resp.Body)
		return err
	})
	return cmd
}

func newIndicatorsList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "list", Short: "List indicators with their scores, the last changed last", Args: cobra.NoArgs}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	query := choice(cmd)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		var page struct {
			Value []intel.Listed `json:"value"`
		}
		if err := a.call(cmd.Context(), "GET", "/indicators?"+query().Encode(), nil, &page); err != nil {
			return err
		}
		if asJSON {
			e := json.NewEncoder(cmd.OutOrStdout())
			for _, i := range page.Value {
				if err := e.Encode(i); err != nil {
					return err
				}
			}
			return nil
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "SCORE\tKIND\tVALUE\tSEEN\tLAST\tBY")
		for _, i := range page.Value {
			fmt.Fprintf(w, "%.2f\t%s\t%s\t%d\t%s\t%s\n", i.Now, i.Kind, plain(i.Value), i.Count, i.Last.Format(time.RFC3339), plain(strings.Join(i.Sources, ", ")))
		}
		return w.Flush()
	})
	return cmd
}

func newIndicatorsRemove() *cobra.Command {
	cmd := &cobra.Command{Use: "remove KIND VALUE", Short: "Take an indicator away: it was a mistake", Args: cobra.ExactArgs(2)}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		return a.call(cmd.Context(), "DELETE", "/indicators?"+url.Values{"kind": {args[0]}, "value": {args[1]}}.Encode(), nil, nil)
	})
	return cmd
}
