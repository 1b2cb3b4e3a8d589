package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/honeypot"
	"github.com/bulkheadhq/bulkhead/internal/honeypot/record"
	"github.com/spf13/cobra"
)

func newHoneypot() *cobra.Command {
	var ssh, telnet, accept string
	cfg := honeypot.Config{}
	cmd := &cobra.Command{
		Use:   "honeypot",
		Short: "Run a decoy that speaks SSH and telnet, by itself: what intruders do there is recorded",
		Long: `Run a decoy that speaks SSH and telnet, without a platform: what intruders do there is recorded in DIR/honeypot. Nothing they do
reaches this machine: no program is run, no file but the records is opened, no connection is made. It listens on loopback unless it
is told otherwise; to be found it needs an address that can be reached, such as --ssh 0.0.0.0:22.

"bulkhead up --honeypot" runs the same within a platform, where what is learned feeds detection at once.`,
		Args: cobra.NoArgs,
	}
	data := addDataFlag(cmd.Flags())
	f := cmd.Flags()
	f.StringVar(&ssh, "ssh", app.DefaultHoneypot, `where it speaks SSH, ADDRESS:PORT; "": nowhere`)
	f.StringVar(&telnet, "telnet", "", "where it speaks telnet")
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
			return runHoneypot(cmd, cfg, ssh, telnet)
		})(cmd, nil)
	}
	cmd.AddCommand(newHoneypotSessions(), newHoneypotReplay())
	return cmd
}

func runHoneypot(cmd *cobra.Command, cfg honeypot.Config, ssh, telnet string) (err error) {
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
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
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
