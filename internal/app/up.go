package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// drainTime is how long running requests may still take after SIGTERM.
const drainTime = 10 * time.Second

// Addresses are those of the listeners, host:port. Zero when the platform is opened without listening.
type Addresses struct {
	FrontDoor, Proxy, Identity string
	Emulator                   string // the endpoint of the Cosmos DB emulator's account; "": it is served nowhere
}

// listeners are open sockets that nothing serves yet.
type listeners struct {
	door, proxy, identity, admin net.Listener
	socket                       string
	emulator                     []net.Listener // none unless it is wanted
	decoy                        []decoyListener
}

func listen(cfg Config) (*listeners, error) {
	var ls listeners
	for _, l := range []struct {
		to   *net.Listener
		addr string
		what string
	}{{&ls.door, cfg.Listen, "listen"}, {&ls.proxy, cfg.Proxy, "proxy"}, {&ls.identity, cfg.Identity, "identity"}} {
		var err error
		if *l.to, err = net.Listen("tcp", l.addr); err != nil {
			ls.close()
			return nil, fmt.Errorf("--%s %s: %w", l.what, l.addr, err)
		}
	}
	emulator, err := emulatorAddresses(cfg.CosmosEmulator)
	if err != nil {
		ls.close()
		return nil, err
	}
	for _, addr := range emulator {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			ls.close()
			return nil, fmt.Errorf("--cosmos-emulator=%s: %w", addr, err)
		}
		ls.emulator = append(ls.emulator, l)
	}
	if ls.decoy, err = listenDecoy(cfg); err != nil {
		ls.close()
		return nil, err
	}
	return &ls, nil
}

// listenAdmin opens the admin socket. The folder is ours alone (the store's lock was taken), so a socket that lies there is a dead one.
func (ls *listeners) listenAdmin(data string) error {
	ls.socket = SocketPath(data)
	if err := os.MkdirAll(filepath.Dir(ls.socket), 0o700); err != nil {
		return err
	}
	if err := os.Remove(ls.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", ls.socket)
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	ls.admin = l
	return os.Chmod(ls.socket, 0o600)
}

func (ls *listeners) close() {
	for _, l := range append([]net.Listener{ls.door, ls.proxy, ls.identity, ls.admin}, ls.emulator...) {
		if l != nil {
			l.Close()
		}
	}
	for _, l := range ls.decoy {
		l.Close()
	}
}

func (ls *listeners) addresses() Addresses {
	a := Addresses{FrontDoor: ls.door.Addr().String(), Proxy: ls.proxy.Addr().String(), Identity: ls.identity.Addr().String()}
	if len(ls.emulator) > 0 {
		a.Emulator = emulatorURLs(ls.emulator[:1]) + "/"
	}
	return a
}

// Up opens the platform, serves it until ctx ends, and shuts down in order: no new requests, running ones drained, children stopped,
// audit flushed, store closed. ready is called once everything answers.
func Up(ctx context.Context, cfg Config, log *slog.Logger, ready func(Run, *FirstStart)) error {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	ls, err := listen(cfg)
	if err != nil {
		return err
	}
	defer ls.close()
	p, err := Open(ctx, cfg, log, ls.addresses())
	if err != nil {
		return err
	}
	defer func() {
		if err := p.Close(); err != nil {
			log.Error("close failed", "error", err)
		}
	}()
	if err := ls.listenAdmin(cfg.Data); err != nil {
		return err
	}
	defer os.Remove(ls.socket)
	run := p.describe(ls.addresses(), ls.socket)
	run.CosmosEmulator = emulatorURLs(ls.emulator)
	run.Honeypot = decoyURLs(ls.decoy)
	p.decoy.listeners = ls.decoy
	if err := writeRun(cfg.Data, run); err != nil {
		return err
	}
	defer os.Remove(cfg.path("run.json"))
	return p.serve(ctx, ls, func() { ready(run, p.first) })
}

// server is anything that serves a listener until it is shut down.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

func (p *Platform) serve(ctx context.Context, ls *listeners, ready func()) error {
	door := reach.NewFrontDoor(p.mux, p.ca.TLS(p.serves), p.log)
	machine := p.mux.For(wire.HostMachine)
	proxy := (&reach.Proxy{
		Hosts: p.hosts, Processes: p.processes, Door: door, Plain: machine, Sites: p.mux, Pass: p.cfg.PassThrough, Log: p.log,
	}).Prepare()
	type listening struct {
		s server
		l net.Listener
	}
	servers := []listening{
		{door, ls.door},
		{proxy, ls.proxy},
		{plainServer(p.plain(machine), p.log), ls.identity},
		{plainServer(p.Admin(), p.log), ls.admin},
	}
	for _, l := range ls.emulator {
		servers = append(servers, listening{p.emulator(), l})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var serving, working sync.WaitGroup
	for _, s := range servers {
		serving.Go(func() {
			if err := s.s.Serve(s.l); err != nil && !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("serve %s: %w", s.l.Addr(), err))
			}
		})
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	p.start(background, &working, cancel)
	ready()
	<-ctx.Done()

	p.stopping.Store(true)
	p.log.Info("stopping")
	drain, done := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer done()
	for _, s := range servers {
		if err := s.s.Shutdown(drain); err != nil {
			p.log.Warn("requests were cut off", "listener", s.l.Addr().String(), "error", err)
		}
	}
	serving.Wait()
	stop()
	working.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// plain is what the plain HTTP listener on loopback answers: sites by their own host names, and to every other name the machine's endpoints.
func (p *Platform) plain(machine http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, ok := p.hosts.Resolve(r.Host); ok && host.Kind == wire.HostSite {
			p.mux.ServeHTTP(w, r)
			return
		}
		machine.ServeHTTP(w, r)
	})
}

// start runs the services' background work until ctx ends. One that fails stops the platform.
func (p *Platform) start(ctx context.Context, wg *sync.WaitGroup, fail context.CancelCauseFunc) {
	for _, s := range p.services {
		if s.Run == nil {
			continue
		}
		wg.Go(func() {
			if err := s.Run(ctx); err != nil && ctx.Err() == nil {
				fail(fmt.Errorf("%s: %w", s.Name, err))
			}
		})
	}
}

// plainServer serves HTTP without TLS: loopback and the admin socket only.
func plainServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 3 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
