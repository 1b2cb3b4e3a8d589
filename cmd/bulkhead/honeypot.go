package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/agent/enrol"
	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/honeypot"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/record"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/report"
	"github.com/bulkheadhq/bulkhead/internal/services/security/intel"
)

func newHoneypot() *cobra.Command {
	var ssh, telnet, accept, state string
	cfg := honeypot.Config{}
	cmd := &cobra.Command{
		Use:   "honeypot",
		Short: "Run a decoy that speaks SSH and telnet, by itself: what intruders do there is recorded, and told to a platform",
		Long: `Run a decoy that speaks SSH and telnet, outside of a platform: what intruders do there is recorded in DIR/honeypot. Nothing they do
reaches this machine: no program is run, no file but the records is opened. It listens on loopback unless it is told otherwise; to
be found it needs an address that can be reached, such as --ssh 0.0.0.0:22.

With --state, what is learned feeds a platform's detection: name the folder that "bulkhead agent enrol --state" made. The machine's identity
needs the right to write indicators, such as the role Security Admin in the platform's own subscription. While the platform can't be
reached, what is learned waits in DIR/honeypot/queue.

"bulkhead up --honeypot" runs the same within a platform.`,
		Example: `  bulkhead honeypot --ssh 0.0.0.0:22
  bulkhead agent enrol --state /var/lib/bulkhead-decoy --resource-group decoys --platform 10.0.0.5:8443 --ca root.pem --subscription ID --token-file -
  bulkhead honeypot --ssh 0.0.0.0:22 --state /var/lib/bulkhead-decoy`,
		Args: cobra.NoArgs,
	}
	data := addDataFlag(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&ssh, "ssh", app.DefaultHoneypot, `where it speaks SSH, ADDRESS:PORT; "": nowhere`)
	f.StringVar(&telnet, "telnet", "", "where it speaks telnet")
	f.StringVar(&state, "state", "", "folder of this machine's enrolment: what is learned is told to its platform")
	f.StringVar(&accept, "accept", "", "file of user:password pairs that are let in, * for any; default passwords that things are shipped with")
	f.IntVar(&cfg.Policy.OneIn, "one-in", 0, "let one in so many other pairs in, always the same for a source")
	f.StringVar(&cfg.Forwards, "forwards", "refuse", "what becomes of forwarded connections: refuse, or canned (accepted, the first bytes recorded, answered by silence)")
	f.DurationVar(&cfg.Limits.Session, "session", 15*time.Minute, "how long a visit may last")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, addr := range []string{ssh, telnet} {
			host, _, err := net.SplitHostPort(addr)
			if _, bad := netip.ParseAddr(host); addr != "" && (err != nil || bad != nil) {
				return fmt.Errorf("%q: want ADDRESS:PORT, such as %s", addr, app.DefaultHoneypot)
			}
		}
		if ssh == "" && telnet == "" {
			return errors.New("neither --ssh nor --telnet is given")
		}
		return action(func(cmd *cobra.Command, _ []string) error {
			if accept != "" {
				var err error
				if cfg.Policy.Credentials, err = app.ReadCredentials(accept); err != nil {
					return err
				}
			}
			cfg.Dir = filepath.Join(*data, "honeypot")
			cfg.Log = slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
			return runHoneypot(cmd, cfg, ssh, telnet, state)
		})(cmd, nil)
	}
	cmd.AddCommand(newHoneypotSessions(), newHoneypotReplay())
	return cmd
}

func runHoneypot(cmd *cobra.Command, cfg honeypot.Config, ssh, telnet, state string) (err error) {
	if state != "" {
		finish, err := tellPlatform(cmd.Context(), &cfg, state)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, finish()) }() // after the honeypot has told of the visits that it ends
	}
	h, err := honeypot.Open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	var serving sync.WaitGroup
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
		serving.Wait()
	}()
	ready := "ready honeypot="
	for _, p := range []struct{ protocol, addr string }{{"ssh", ssh}, {"telnet", telnet}} {
		if p.addr == "" {
			continue
		}
		l, err := net.Listen("tcp", p.addr)
		if err != nil {
			return err
		}
		if len(listeners) > 0 {
			ready += ","
		}
		listeners = append(listeners, l)
		ready += p.protocol + "://" + l.Addr().String()
		serving.Go(func() {
			if err := h.Serve(cmd.Context(), l, p.protocol); err != nil {
				cfg.Log.Error("honeypot ended", "protocol", p.protocol, "error", err)
			}
		})
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s as=%s data=%s\n", ready, h.Persona().Hostname, cfg.Dir)
	<-cmd.Context().Done()
	return nil
}

// tellPlatform has what the honeypot learns told to the platform that the machine is enrolled at. finish stores what was told last.
func tellPlatform(ctx context.Context, cfg *honeypot.Config, state string) (finish func() error, err error) {
	e, err := enrol.Load(state)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", state, err)
	}
	client, err := enrol.NewClient(e)
	if err != nil {
		return nil, err
	}
	r, err := report.Open(report.Options{Dir: filepath.Join(cfg.Dir, "queue"), Client: client, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	cfg.Observe, cfg.Attack = r.Observe, r.Attack
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		if err := r.Run(ctx); err != nil { // the honeypot goes on: what it learns is kept
			cfg.Log.Error("the platform is told nothing any more", "machine", e.MachineID, "error", err)
		}
	})
	return func() error {
		cancel()
		telling.Wait()
		client.Close()
		return r.Close()
	}, nil
}

// summary is one session, told in a line.
type summary struct {
	Session, Protocol, Source, User, Banner string
	Began                                   time.Time
	Seconds                                 float64
	Tries, Commands, Files, Downloads       int
	Cast                                    string
}

func newHoneypotSessions() *cobra.Command {
	var asJSON bool
	var limit int
	cmd := &cobra.Command{Use: "sessions", Short: "List the visits to the honeypot, the last ones last", Args: cobra.NoArgs}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most so many")
	told := cmd.Flags().Bool("told", false, "those of honeypots elsewhere that told this platform of them")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		if *told {
			return listTold(cmd, *data, limit, asJSON)
		}
		by := map[string]*summary{}
		var order []*summary
		err := record.Read(filepath.Join(*data, "honeypot"), func(e record.Event) bool {
			s := by[e.Session]
			if s == nil {
				s = &summary{Session: e.Session, Protocol: e.Protocol, Source: e.Source, Began: e.Time}
				by[e.Session] = s
				order = append(order, s)
			}
			s.add(&e)
			return true
		})
		if err != nil {
			return err
		}
		if len(order) > limit {
			order = order[len(order)-limit:]
		}
		if asJSON {
			e := json.NewEncoder(cmd.OutOrStdout())
			for _, s := range order {
				if err := e.Encode(s); err != nil {
					return err
				}
			}
			return nil
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "BEGAN\tSESSION\tBY\tFROM\tTRIES\tUSER\tCOMMANDS\tFILES\tDOWNLOADS\tSECONDS")
		for _, s := range order {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t%.0f\n", s.Began.Format(time.RFC3339), s.Session, s.Protocol, s.Source, s.Tries, plain(s.User), s.Commands, s.Files, s.Downloads, s.Seconds)
		}
		return w.Flush()
	})
	return cmd
}

// listTold lists the visits that honeypots elsewhere told of, the last ones last.
func listTold(cmd *cobra.Command, data string, limit int, asJSON bool) error {
	a, err := openAdmin(cmd.Context(), data, false)
	if err != nil {
		return err
	}
	defer a.close()
	var page struct {
		Value []intel.Visit `json:"value"`
	}
	if err := a.call(cmd.Context(), "GET", fmt.Sprint("/honeypot/visits?limit=", min(max(limit, 1), 1000)), nil, &page); err != nil {
		return err
	}
	slices.Reverse(page.Value)
	if asJSON {
		e := json.NewEncoder(cmd.OutOrStdout())
		for _, v := range page.Value {
			if err := e.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "BEGAN\tSESSION\tBY\tFROM\tTRIES\tUSER\tCOMMANDS\tDOWNLOADS\tSECONDS\tTOLD BY")
	for _, v := range page.Value {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%.0f\t%s\n",
			v.First.Format(time.RFC3339), plain(v.Session), plain(v.Protocol), v.Source, v.Tries, plain(v.User), len(v.Lines), len(v.URLs), v.Last.Sub(v.First).Seconds(), v.By)
	}
	return w.Flush()
}

func (s *summary) add(e *record.Event) {
	switch e.Kind {
	case "client":
		s.Banner = e.Banner
	case "login":
		s.Tries++
		if e.Accepted != nil && *e.Accepted {
			s.User = e.User
		}
	case "input":
		s.Commands++
	case "file":
		s.Files++
	case "download":
		s.Downloads++
	case "shell":
		s.Cast = e.Cast
	case "closed":
		s.Seconds = e.Seconds
	}
}

func newHoneypotReplay() *cobra.Command {
	var fast, raw bool
	cmd := &cobra.Command{
		Use:   "replay SESSION",
		Short: "Show what a visitor of the honeypot saw and typed, at the pace it was",
		Long: `Show what a visitor of the honeypot saw and typed, at the pace it was. What would move your cursor, or do worse to your terminal, is left
out; --raw leaves it in. The file itself, DIR/honeypot/casts/SESSION.cast, can be played by any player of asciicast v2.`,
		Args: cobra.ExactArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().BoolVar(&fast, "fast", false, "without the pauses")
	cmd.Flags().BoolVar(&raw, "raw", false, "with all control characters")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		name := strings.TrimSuffix(args[0], ".cast")
		if name != filepath.Base(name) {
			return fmt.Errorf("%q is no session", args[0])
		}
		b, err := os.ReadFile(filepath.Join(*data, "honeypot", "casts", name+".cast"))
		if err != nil {
			return err
		}
		last := 0.0
		for i, line := range bytes.Split(b, []byte("\n")) {
			var e [3]any
			if i == 0 || len(line) == 0 || json.Unmarshal(line, &e) != nil {
				continue
			}
			at, _ := e[0].(float64)
			kind, _ := e[1].(string)
			text, _ := e[2].(string)
			if kind != "o" {
				continue
			}
			if !fast && at > last {
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(min(time.Duration((at-last)*float64(time.Second)), 2*time.Second)):
				}
			}
			last = at
			if !raw {
				text = tame(text)
			}
			fmt.Fprint(cmd.OutOrStdout(), text)
		}
		return nil
	})
	return cmd
}

// tame leaves lines and tabs, and takes out what else a terminal would obey.
func tame(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' || r == '\b' || r >= 0x20 && r != 0x7f && (r < 0x80 || r >= 0xa0) && r != 0x202e {
			return r
		}
		return -1
	}, s)
}
