package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/geoip"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
	"github.com/bulkheadhq/bulkhead/internal/services/security/scan"
	"github.com/spf13/cobra"
)

func newScan() *cobra.Command {
	var asJSON bool
	var indicators, folders []string
	var bare bool
	var least, countries string
	cmd := &cobra.Command{
		Use:   "scan FILE...",
		Short: "Look through a Linux machine's audit.log and auth.log for what an intruder does",
		Long: "Look through a Linux machine's audit.log and auth.log (also .gz, and - for standard input) for what an intruder does.\n" +
			"Nothing is stored, and nothing but the files is looked at. Give audit.log and auth.log in the order of time, the oldest first.",
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line for each result, then for each incident")
	cmd.Flags().StringArrayVar(&indicators, "indicators", nil, "a file of domains, addresses and networks known to be malicious, one a line")
	cmd.Flags().StringVar(&countries, "countries", "", "a file of lines NETWORK,COUNTRY, or a database in MaxMind's format, to tell where sign-ins come from")
	cmd.Flags().StringArrayVar(&folders, "rules", nil, "a folder of Sigma rules to ask beside the analytics; what can't be used is named and left out")
	cmd.Flags().BoolVar(&bare, "no-shipped-rules", false, "leave out the few Sigma rules that are part of bulkhead")
	cmd.Flags().StringVar(&least, "severity", "informational", "the least severity to show: informational, low, medium or high")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		severity, ok := map[string]detect.Severity{"informational": detect.Informational, "low": detect.Low, "medium": detect.Medium, "high": detect.High}[strings.ToLower(least)]
		if !ok {
			return fmt.Errorf("--severity %q is none of informational, low, medium, high", least)
		}
		return action(func(cmd *cobra.Command, files []string) error {
			intel := detect.ShippedIndicators()
			for _, name := range indicators {
				if err := addIndicators(intel, name); err != nil {
					return err
				}
			}
			set, err := readRules(cmd.ErrOrStderr(), folders, bare)
			if err != nil {
				return err
			}
			o := scan.Options{Params: detect.DefaultParams(), Intel: intel, Rules: set, Zone: time.Local, Progress: progress(cmd.ErrOrStderr())}
			if countries != "" {
				table, err := geoip.Open(countries)
				if err != nil {
					return err
				}
				o.Countries = table
			}
			// Little is kept of much that is read: with the usual 100 %, a tenth of the time would go to looking for what isn't used any more.
			defer debug.SetGCPercent(debug.SetGCPercent(400))
			begun := time.Now()
			s := scan.New(o)
			for _, name := range files {
				if err := s.File(cmd.Context(), name); err != nil {
					return err
				}
			}
			return showScan(cmd.OutOrStdout(), cmd.ErrOrStderr(), s.Report(), severity, asJSON, time.Since(begun))
		})(cmd, args)
	}
	return cmd
}

// readRules reads folders of rules and names what can't be used. A folder that isn't there is an error.
func readRules(out io.Writer, folders []string, bare bool) (*rules.Set, error) {
	var all []fs.FS
	if !bare {
		all = append(all, rules.Shipped())
	}
	for _, dir := range folders {
		if info, err := os.Stat(dir); err != nil {
			return nil, err
		} else if !info.IsDir() {
			return nil, fmt.Errorf("--rules %s is no folder", dir)
		}
		all = append(all, os.DirFS(dir))
	}
	set, problems := rules.Compile(all...)
	for _, p := range problems {
		fmt.Fprintf(out, "rule left out: %s\n", plain(p.Error()))
	}
	return set, nil
}

func addIndicators(x *detect.Indicators, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := x.Add(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// progress tells how far a scan has come, where somebody watches.
func progress(out io.Writer) func(string, int64, int64) {
	if !isTerminal(out) {
		return nil
	}
	var last time.Time
	return func(name string, read, total int64) {
		if read != total && time.Since(last) < time.Second/4 {
			return
		}
		last = time.Now()
		if total > 0 {
			fmt.Fprintf(out, "\r%s: %d of %d MiB (%d %%)\x1b[K", name, read>>20, total>>20, 100*read/total)
		} else {
			fmt.Fprintf(out, "\r%s: %d MiB\x1b[K", name, read>>20)
		}
		if read == total && total > 0 {
			fmt.Fprintln(out)
		}
	}
}

func showScan(out, errOut io.Writer, r scan.Report, least detect.Severity, asJSON bool, took time.Duration) error {
	shown := scan.AtLeast(r.Results, least)
	for _, x := range shown {
		if asJSON {
			if err := json.NewEncoder(out).Encode(x); err != nil {
				return err
			}
			continue
		}
		showResult(out, x)
	}
	told := scan.IncidentsAtLeast(r.Incidents, least)
	for _, x := range told {
		if asJSON {
			if err := json.NewEncoder(out).Encode(x); err != nil {
				return err
			}
			continue
		}
		showIncident(out, x)
	}
	fmt.Fprintf(errOut, "%d results and %d incidents in %d events of %d records and %d lines of sign-ins, %.1f MB in %s (%d records malformed, %d serials missing, %d other lines)\n",
		len(shown), len(told), r.Audit.Events, r.Audit.Lines, r.SignIns, float64(r.Bytes)/1e6, took.Round(time.Millisecond), r.Audit.Malformed, r.Audit.Missing, r.Skipped)
	if r.Dropped > 0 {
		fmt.Fprintf(errOut, "%d more findings were not kept\n", r.Dropped)
	}
	return nil
}

func showResult(out io.Writer, x *scan.Result) {
	when := x.First.Format(time.RFC3339)
	if x.Last.Sub(x.First) >= time.Second {
		when += " to " + x.Last.Format(time.RFC3339)
	}
	fmt.Fprintf(out, "%-13s %s", x.Severity, x.Name)
	if x.Count > 1 {
		fmt.Fprintf(out, " [seen %d times]", x.Count)
	}
	fmt.Fprintf(out, "\n  %s  %s  %s\n  %s\n", when, x.Type, strings.Join(x.Techniques, " "), plain(x.Description))
	for _, part := range [][2]string{{"machine", x.Machine}, {"session", x.Session}, {"account", x.Account}, {"addresses", addresses(x.Addresses)}, {"networks", strings.Join(x.Networks, " ")}, {"urls", strings.Join(x.URLs, " ")}} {
		if part[1] != "" {
			fmt.Fprintf(out, "  %s: %s\n", part[0], plain(part[1]))
		}
	}
	const most = 8
	for i, c := range x.Commands {
		if i == most {
			fmt.Fprintf(out, "    ... and %d more\n", len(x.Commands)-most)
			break
		}
		fmt.Fprintf(out, "    [%d] %s\n", c.PID, plain(c.Line))
	}
	fmt.Fprintln(out)
}

// showIncident tells an incident: how it went, then its results by time.
func showIncident(out io.Writer, x *scan.Incident) {
	fmt.Fprintf(out, "INCIDENT      %s, %s, score %.2f\n", x.Severity, plain(x.Name), x.Confidence)
	for line := range strings.Lines(x.Description) {
		for part := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), "; ") {
			fmt.Fprintf(out, "  %s\n", plain(part))
		}
	}
	for _, a := range x.Alerts {
		fmt.Fprintf(out, "    %s  %-13s %s", a.Time.Format(time.RFC3339), a.Severity, a.Name)
		if a.Machine != x.Machine {
			fmt.Fprintf(out, " (%s)", plain(a.Machine))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out, "  what to do:")
	for _, step := range x.Remedy {
		fmt.Fprintf(out, "    - %s\n", plain(step))
	}
	fmt.Fprintln(out)
}

func addresses(all []netip.Addr) string {
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = a.String()
	}
	return strings.Join(out, " ")
}

// plain makes foreign text fit for a terminal: nothing in it moves the cursor, and it has an end.
func plain(s string) string {
	const most = 400
	runes := []rune(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e {
			return '.'
		}
		return r
	}, strings.ToValidUTF8(s, ".")))
	if len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return string(runes)
}
