package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/honeypot"
	"github.com/bulkheadhq/bulkhead/internal/services/machines"
	"github.com/bulkheadhq/bulkhead/internal/services/security/engine"
	"github.com/bulkheadhq/bulkhead/internal/services/security/intel"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// DefaultHoneypot is where the honeypot speaks SSH if it isn't told.
const DefaultHoneypot = "127.0.0.1:2222"

// decoyListener is an open socket of the honeypot.
type decoyListener struct {
	net.Listener
	protocol string
}

// decoy is the honeypot within the platform. Its zero value is none.
type decoy struct {
	trap      *honeypot.Honeypot
	listeners []decoyListener
}

func (d *decoy) close() error {
	if d.trap == nil {
		return nil
	}
	return d.trap.Close()
}

// honeypotAddresses pairs the honeypot's protocols with where they are to be spoken.
func (c *Config) honeypotAddresses() [][2]string {
	var out [][2]string
	if c.Honeypot != "" {
		out = append(out, [2]string{"ssh", c.Honeypot})
	}
	if c.HoneypotTelnet != "" {
		out = append(out, [2]string{"telnet", c.HoneypotTelnet})
	}
	return out
}

// checkHoneypot finds what cannot work.
func (c *Config) checkHoneypot() error {
	for _, a := range c.honeypotAddresses() {
		host, port, err := net.SplitHostPort(a[1])
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if _, bad := netip.ParseAddr(host); err != nil || bad != nil {
			return fmt.Errorf("honeypot %q: want ADDRESS:PORT, such as %s; with 0.0.0.0 it can be reached from everywhere", a[1], DefaultHoneypot)
		}
	}
	if c.HoneypotOneIn < 0 {
		return fmt.Errorf("honeypotOneIn %d: want a number that isn't negative", c.HoneypotOneIn)
	}
	_, err := parseMachines(c.HoneypotMachines)
	return err
}

func listenDecoy(cfg Config) ([]decoyListener, error) {
	var out []decoyListener
	for _, a := range cfg.honeypotAddresses() {
		l, err := net.Listen("tcp", a[1])
		if err != nil {
			for _, open := range out {
				open.Close()
			}
			return nil, fmt.Errorf("honeypot %s: %w", a[1], err)
		}
		out = append(out, decoyListener{l, a[0]})
	}
	return out, nil
}

func decoyURLs(ls []decoyListener) string {
	var out []string
	for _, l := range ls {
		out = append(out, l.protocol+"://"+l.Addr().String())
	}
	return strings.Join(out, ",")
}

// ReadCredentials reads a file of user:password pairs, one a line. Empty lines and those that begin with # are left out.
func ReadCredentials(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if !strings.Contains(text, ":") {
			return nil, fmt.Errorf("%s: line %d has no user:password", name, n)
		}
		out = append(out, text)
	}
	return out, lines.Err()
}

// intelService serves what is known of attackers, by TAXII and over the admin socket. It is the platform's own, so rights count in the platform's own subscription.
func (p *Platform) intelService(known *intel.Store, alerts *engine.Engine, agents *machines.Service) (wire.Service, error) {
	named, err := parseMachines(p.cfg.HoneypotMachines)
	if err != nil {
		return wire.Service{}, err
	}
	reports := &intel.Reports{Store: p.store, Clock: p.clock, Known: known, Machines: ourMachines{agents: agents, named: named}, Alerts: alerts}
	api := &intel.API{Store: known, Reports: reports, Auth: p.arm.Authenticator(), May: func(ctx context.Context, r *wire.Request, write bool) error {
		action := "Microsoft.Security/threatIntelligence/read"
		if write {
			action = "Microsoft.Security/threatIntelligence/write"
		}
		d, err := p.arm.Check(ctx, r.Principal, action, false, "/subscriptions/"+p.install.SubscriptionID)
		if err != nil || d.Allowed {
			return err
		}
		return fault.New(fault.Forbidden, "AuthorizationFailed", "The client '%s' may not do '%s' in the platform's own subscription.", r.Principal.ObjectID, action)
	}}
	return api.Service(), nil
}

// decoyServices are the honeypot and what moves on what it learns; none unless it is wanted.
func (p *Platform) decoyServices(known *intel.Store, alerts *engine.Engine, agents *machines.Service) ([]wire.Service, error) {
	if len(p.cfg.honeypotAddresses()) == 0 || p.addr.FrontDoor == "" {
		return nil, nil
	}
	named, err := parseMachines(p.cfg.HoneypotMachines)
	if err != nil {
		return nil, err
	}
	ours := ourMachines{agents: agents, named: named}
	feed := intel.NewFeed(known, ours.has)
	watch := intel.NewWatch(ours, alerts, p.log)
	cfg := honeypot.Config{
		Dir: p.cfg.path("honeypot"), Policy: honeypot.Policy{OneIn: p.cfg.HoneypotOneIn}, Now: p.clock.Now, Log: p.log, Observe: feed.Observe, Attack: watch.Attack,
	}
	if p.cfg.HoneypotAccept != "" {
		if cfg.Policy.Credentials, err = ReadCredentials(p.cfg.HoneypotAccept); err != nil {
			return nil, err
		}
	}
	if p.decoy.trap, err = honeypot.Open(cfg); err != nil {
		return nil, fmt.Errorf("honeypot: %w", err)
	}
	return []wire.Service{
		{Name: "honeypot-feed", Run: feed.Run},
		{Name: "honeypot-watch", Run: watch.Run},
		{Name: "honeypot", Run: p.decoy.serve},
	}, nil
}

func (d *decoy) serve(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make([]error, len(d.listeners))
	for i, l := range d.listeners {
		all.Go(func() { errs[i] = d.trap.Serve(ctx, l.Listener, l.protocol) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// ourMachines finds machines by their addresses.
type ourMachines struct {
	agents *machines.Service
	named  map[netip.Addr]string
}

// MachineAt implements intel.Machines.
func (o ourMachines) MachineAt(ctx context.Context, addr netip.Addr) (string, error) {
	if id := o.named[addr.Unmap()]; id != "" {
		return id, nil
	}
	return o.agents.Located(ctx, addr)
}

func (o ourMachines) has(addr netip.Addr) bool {
	id, err := o.MachineAt(context.Background(), addr)
	return err == nil && id != ""
}

// parseMachines reads ADDRESS=ID,...
func parseMachines(text string) (map[netip.Addr]string, error) {
	out := map[netip.Addr]string{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		addr, id, ok := strings.Cut(part, "=")
		a, err := netip.ParseAddr(addr)
		if !ok || err != nil || !strings.HasPrefix(strings.ToLower(id), "/subscriptions/") {
			return nil, fmt.Errorf("honeypotMachines %q: want ADDRESS=RESOURCEID, such as 10.0.0.4=/subscriptions/.../machines/vm1", part)
		}
		out[a.Unmap()] = id
	}
	return out, nil
}
