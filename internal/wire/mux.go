package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/clock"
)

// Options are what a Mux needs besides routes. The zero value works: Azure names only, the machine's clock, no log, no audit.
type Options struct {
	Hosts Hosts
	Clock clock.Clock
	Log   *slog.Logger
	Audit Auditor
	// Event, if set, is told of every finished request, for metrics. It must not block.
	Event func(*Event)
}

// Mux serves all routes: it finds the route of a request and takes it through the fixed stages (see the package comment). Safe for concurrent use.
type Mux struct {
	hosts Hosts
	clock clock.Clock
	log   *slog.Logger
	audit Auditor
	event func(*Event)
	trees map[HostKind]*tree
	kept  []Route

	preflight map[HostKind]Handler

	buffers sync.Pool // of *bytes.Buffer, for encoding answers
}

// NewMux builds a Mux. Routes that can't be told apart, that lack an Authenticator or that have not exactly one of Handler and Raw are an error.
func NewMux(services []Service, o Options) (*Mux, error) {
	m := &Mux{hosts: o.Hosts, clock: o.Clock, log: o.Log, audit: o.Audit, event: o.Event, trees: map[HostKind]*tree{}, preflight: map[HostKind]Handler{}}
	if m.clock == nil {
		m.clock = clock.System{}
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	var errs []error
	for _, s := range services {
		for kind, h := range s.Preflight {
			if m.preflight[kind] != nil {
				errs = append(errs, fmt.Errorf("service %s: preflights of %s are answered by another one", s.Name, kind))
			}
			m.preflight[kind] = h
		}
		for i := range s.Routes {
			r := s.Routes[i] // a copy: the table is ours from here on
			if err := m.add(&r); err != nil {
				errs = append(errs, fmt.Errorf("service %s: %w", s.Name, err))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Mux) add(r *Route) error {
	switch {
	case r.Host == "":
		return fmt.Errorf("route %s %s: no host kind", r.Method, r.Pattern)
	case r.Method == "":
		return fmt.Errorf("route %s%s: no method", r.Host, r.Pattern)
	case r.Auth.Check == nil:
		return fmt.Errorf("route %s %s%s: no authenticator", r.Method, r.Host, r.Pattern)
	case (r.Handler == nil) == (r.Raw == nil):
		return fmt.Errorf("route %s %s%s: needs either Handler or Raw", r.Method, r.Host, r.Pattern)
	case r.Brief != nil && r.Raw != nil:
		return fmt.Errorf("route %s %s%s: Raw can't be Brief", r.Method, r.Host, r.Pattern)
	case r.Method == "*" && r.Raw == nil:
		return fmt.Errorf("route * %s%s: any method needs Raw", r.Host, r.Pattern)
	}
	if r.BodyLimit == 0 {
		r.BodyLimit = DefaultBodyLimit
	}
	t := m.trees[r.Host]
	if t == nil {
		t = &tree{}
		m.trees[r.Host] = t
	}
	if err := t.add(r); err != nil {
		return err
	}
	t.brief = t.brief || r.Brief != nil
	m.kept = append(m.kept, *r)
	return nil
}

// Routes lists the routes served, for documentation and tests.
func (m *Mux) Routes() []Route { return append([]Route(nil), m.kept...) }

// ServeHTTP implements http.Handler: the host kind follows from the Host header.
func (m *Mux) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	host, ok := m.hosts.Resolve(hr.Host)
	if !ok {
		m.misdirected(w, hr, host)
		return
	}
	m.serve(w, hr, host)
}

// Brief tells whether a request is for a route that answers it at once: a server need not watch meanwhile for its caller to hang up, and the answer is small
// enough to be sent as a whole.
func (m *Mux) Brief(hr *http.Request) bool {
	host, ok := m.hosts.Resolve(hr.Host)
	if !ok {
		return false
	}
	t := m.trees[host.Kind]
	if t == nil || !t.brief {
		return false
	}
	var room [24]string
	e := t.find(hr.Method, splitPath(hr.URL.EscapedPath(), room[:0]))
	return e != nil && e.route.Brief != nil && e.route.Brief(hr)
}

// For serves one host kind whatever the Host header says: for a listener of its own (the admin socket, the identity endpoint).
func (m *Mux) For(kind HostKind) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		m.serve(w, hr, Host{Kind: kind, Text: hr.Host})
	})
}

// Loopback serves one named host of a kind under localhost and the loopback addresses, and nothing under any other name: for a listener of its own there.
func (m *Mux) Loopback(kind HostKind, name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		host := Host{Kind: kind, Name: name, Local: true, Text: strings.ToLower(hr.Host)}
		if !IsLoopback(host.Text) {
			m.misdirected(w, hr, Host{Text: host.Text})
			return
		}
		m.serve(w, hr, host)
	})
}

// IsLoopback tells whether host, with or without a port, is localhost or a loopback address.
func IsLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
