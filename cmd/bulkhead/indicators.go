package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
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

// importing is how files are taken in.
type importing struct {
	source, format string
	weight         float64
	events         int
}

func newIndicatorsImport() *cobra.Command {
	var im importing
	cmd := &cobra.Command{
		Use:   "import FILE|URL...",
		Short: "Take indicators in: STIX 2.1 bundles, MISP events and feeds, or plain lists of one a line",
		Long: `Take indicators in: STIX 2.1 bundles, MISP events, or plain lists. A line of a list is an address, a network, a domain, a URL, a SHA-256 or a HASSH;
or its kind ("credential", "shingle", ...), a space and the value. What follows # is a remark. - is standard input. They count for detection at once.

What begins with http:// or https:// is fetched from here, not by the platform. If it is the manifest of a MISP feed (.../manifest.json), the feed's
events are fetched, too, the newest first. Of MISP's attributes, those marked for detection (to_ids) are taken.`,
		Example: `  bulkhead indicators import bundle.json addresses.txt
  bulkhead indicators import --events 50 https://feeds.example.org/misp/manifest.json`,
		Args: cobra.MinimumNArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&im.source, "source", "", "who says so; default the file's name, or the URL's host")
	cmd.Flags().StringVar(&im.format, "format", "", "stix, misp or list; default by what is in it")
	cmd.Flags().Float64Var(&im.weight, "weight", 0.8, "how much plain lists and MISP are believed, up to 1; from 0.5 on an indicator counts")
	cmd.Flags().IntVar(&im.events, "events", 200, "at most so many events of a feed")
	cmd.RunE = action(func(cmd *cobra.Command, names []string) error {
		a, err := openAdmin(cmd.Context(), *data, false)
		if err != nil {
			return err
		}
		defer a.close()
		for _, name := range names {
			switch {
			case strings.HasPrefix(name, "https://"), strings.HasPrefix(name, "http://"):
				err = im.fetch(cmd, a, name)
			case name == "-":
				err = im.post(cmd, a, "stdin", "stdin", cmd.InOrStdin())
			default:
				err = im.file(cmd, a, name)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
	return cmd
}

func (im *importing) file(cmd *cobra.Command, a *admin, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return im.post(cmd, a, filepath.Base(name), filepath.Base(name), f)
}

// post takes one file in, and tells what became of it.
func (im *importing) post(cmd *cobra.Command, a *admin, name, source string, in io.Reader) error {
	if im.source != "" {
		source = im.source
	}
	q := url.Values{"source": {"import:" + source}, "weight": {fmt.Sprint(im.weight)}}
	if im.format != "" {
		q.Set("format", im.format)
	}
	var done intel.Imported
	if err := a.send(cmd.Context(), "POST", "/indicators?"+q.Encode(), in, &done); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d entered, %d of them new; %d removed, %d skipped\n", name, done.Entered, done.New, done.Removed, done.Skipped)
	for _, p := range done.Problems {
		fmt.Fprintf(cmd.ErrOrStderr(), "  %s\n", plain(p))
	}
	return nil
}

const (
	maxFetched = 64 << 20 // bytes of one file, as the platform takes
	fetchTime  = 2 * time.Minute
)

// fetch takes in what is at an address: a file, or a feed's manifest with its events.
func (im *importing) fetch(cmd *cobra.Command, a *admin, address string) error {
	at, err := url.Parse(address)
	if err != nil || at.Host == "" {
		return errors.New("that is no URL")
	}
	client := &http.Client{Timeout: fetchTime}
	b, err := download(cmd.Context(), client, at)
	if err != nil {
		return err
	}
	events, ok := intel.Manifest(b)
	if !ok {
		return im.post(cmd, a, path.Base(at.Path), at.Hostname(), bytes.NewReader(b))
	}
	if len(events) > im.events {
		fmt.Fprintf(cmd.ErrOrStderr(), "  the feed has %d events: the newest %d are taken (--events)\n", len(events), im.events)
		events = events[:max(im.events, 0)]
	}
	for _, id := range events {
		one := *at
		one.Path, one.RawPath = path.Join(path.Dir("/"+at.Path), id+".json"), ""
		if b, err = download(cmd.Context(), client, &one); err == nil {
			err = im.post(cmd, a, id, at.Hostname(), bytes.NewReader(b))
		}
		if err != nil {
			return fmt.Errorf("event %s: %w", id, err)
		}
	}
	return nil
}

func download(ctx context.Context, client *http.Client, at *url.URL) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("User-Agent", "bulkhead")
	w, err := client.Do(q)
	if err != nil {
		return nil, err
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", w.Status)
	}
	b, err := io.ReadAll(io.LimitReader(w.Body, maxFetched+1))
	if err == nil && len(b) > maxFetched {
		err = fmt.Errorf("it is larger than %d MiB", maxFetched>>20)
	}
	return b, err
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
		Use: "export", Short: "Write indicators as a STIX 2.1 bundle, a MISP event or a plain list; credentials only by --kind credential", Args: cobra.NoArgs,
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&format, "format", "stix", "stix, misp or list")
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
