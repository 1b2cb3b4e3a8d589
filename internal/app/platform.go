package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/pki"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/vision"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
	"github.com/bulkheadhq/bulkhead/internal/services/monitor/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/mysql"
	"github.com/bulkheadhq/bulkhead/internal/services/portal"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
	"github.com/bulkheadhq/bulkhead/internal/telemetry"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Platform is an opened installation: every service wired, nothing listening yet.
type Platform struct {
	cfg   Config
	log   *slog.Logger
	clock clock.Clock
	addr  Addresses

	keys      *keys
	store     *pebble.Engine
	sealer    *seal.Sealer
	ca        *pki.Authority
	bundle    string
	hosts     wire.Hosts
	processes *reach.Processes

	names     *names.Registry
	outbox    *outbox.Drainer
	audit     *audit.Log
	tenants   *directory.Tenants
	tokens    *authn.Tokens
	directory *directory.Service
	arm       *arm.Pipeline
	scripts   *scripts.Pool
	cosmos    *cosmos.Service
	portal    *portal.Service
	measured  *metrics.Store
	databases *mysql.Service
	reader    *vision.Service // of text in pictures
	alarms    *alerts.Service
	meter     *meter
	decoy     decoy

	services []wire.Service
	mux      *wire.Mux
	install  installation
	first    *FirstStart // nil unless this start made the installation
	steps    []upgradeStep
	metrics  *telemetry.Metrics
	stopping atomic.Bool // SIGTERM came
}

// Open opens the data folder, makes what a first start makes, and finishes what a crash left. addr are the listeners' addresses, zero when nothing will listen.
func Open(ctx context.Context, cfg Config, log *slog.Logger, addr Addresses) (*Platform, error) {
	return openSteps(ctx, cfg, log, addr, upgrades())
}

// openSteps is Open with other steps than this release's, for tests.
func openSteps(ctx context.Context, cfg Config, log *slog.Logger, addr Addresses, steps []upgradeStep) (*Platform, error) {
	p := &Platform{cfg: cfg, log: log, clock: clock.System{}, addr: addr, steps: steps, metrics: telemetry.New()}
	if cfg.clock != nil {
		p.clock = cfg.clock
	}
	p.hosts = wire.Hosts{Suffix: cfg.Suffix, Port: port(addr.FrontDoor)}
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Platform) open(ctx context.Context) error {
	if err := os.MkdirAll(p.cfg.Data, 0o700); err != nil {
		return err
	}
	if err := p.cfg.checkFolder(); err != nil {
		return err
	}
	var err error
	if p.keys, err = p.cfg.openKeys(p.log); err != nil {
		return err
	}
	if p.store, err = pebble.Open(p.cfg.path(storeFolder), pebble.Options{Logger: p.log, FS: p.keys.fs, Committed: p.metrics.Commit}); err != nil {
		return fmt.Errorf("open the store in %s (does another bulkhead run on it?): %w", p.cfg.Data, err)
	}
	if err := p.checkFormat(ctx); err != nil {
		return err
	}
	if err := p.keys.settle(); err != nil {
		return err
	}
	if p.sealer, err = p.keys.ring.Sealer(); err != nil {
		return err
	}
	if err := p.checkMasterKey(ctx); err != nil {
		return err
	}
	if err := p.upgrade(ctx); err != nil {
		return err
	}
	if p.ca, err = pki.Open(p.cfg.path("ca"), p.hosts.Suffixes(), p.sealer, p.clock); err != nil {
		return err
	}
	if p.bundle, err = p.ca.WriteBundle(p.cfg.path("ca")); err != nil {
		return err
	}
	p.processes = reach.NewProcesses(p.sealer)
	if err := p.wireServices(ctx); err != nil {
		return err
	}
	if err := p.ensureInstalled(ctx); err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	err = p.outbox.DrainAll(ctx, "sub/", "tenant/", "vault/", "account/", "machine/", "security/", "posture/", "monitor/")
	if store.IsFull(err) {
		// Reads are served all the same; what is left is tried again while the platform runs.
		p.log.Error("started on a full disk: effects of earlier writes wait for room", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	// Only now: what the outboxes held has confirmed the names of everything that was committed.
	n, err := p.names.Sweep(ctx)
	if n > 0 {
		p.log.Info("names freed that a crash left reserved", "names", n)
	}
	if err != nil || p.cfg.CosmosEmulator == "" {
		return err
	}
	if err := p.ensureEmulator(ctx); err != nil {
		return fmt.Errorf("--cosmos-emulator: %w", err)
	}
	return nil
}

// checkMasterKey refuses a data folder whose secrets were sealed with another master key: a lost key must not look like an empty installation.
func (p *Platform) checkMasterKey(ctx context.Context) error {
	key, id := []byte("k|master"), p.sealer.KeyID()
	var have string
	err := p.store.View(ctx, platformShard, func(s store.Snapshot) error {
		b, err := s.Get(key)
		have = string(b)
		return err
	})
	switch {
	case err != nil:
		return err
	case have == id:
		return nil
	case have != "":
		return fmt.Errorf("the sealing key in %s is %s, but the data in %s was sealed with %s: put the right %s and master key back",
			keyringFile, id, p.cfg.Data, have, keyringFile)
	}
	_, err = p.store.Update(ctx, platformShard, func(tx store.Tx) error { return tx.Put(key, []byte(id)) })
	return err
}

// Admin is the handler of the admin socket.
func (p *Platform) Admin() http.Handler { return p.mux.For(wire.HostAdmin) }

// serves tells whether a TLS name is one of ours.
func (p *Platform) serves(name string) bool {
	_, ok := p.hosts.Resolve(name)
	return ok
}

// describe is what run.json says.
func (p *Platform) describe(a Addresses, socket string) Run {
	return Run{
		PID: os.Getpid(), FrontDoor: a.FrontDoor, Proxy: a.Proxy, Identity: a.Identity, Admin: socket, Suffix: p.cfg.Suffix,
		Root: pki.RootPath(p.cfg.path("ca")), Bundle: p.bundle,
		TenantID: p.install.TenantID, SubscriptionID: p.install.SubscriptionID, AdminAppID: p.install.AppID,
	}
}

// Close flushes what is buffered and closes the store.
func (p *Platform) Close() error {
	var errs []error
	if p.audit != nil {
		errs = append(errs, p.audit.Flush(context.Background()))
	}
	if p.reader != nil {
		p.reader.Close()
	}
	if p.scripts != nil {
		p.scripts.Close()
	}
	errs = append(errs, p.decoy.close())
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	return errors.Join(errs...)
}

// port is the number in host:port, 0 if there is none.
func port(addr string) int {
	_, s, err := net.SplitHostPort(addr)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(s)
	return n
}

// compile-time promises of the layers to each other.
var (
	_ store.Store    = (*pebble.Engine)(nil)
	_ authn.Verifier = (*authn.Tokens)(nil)
	_ arm.Access     = (*arm.Pipeline)(nil)
	_ arm.Reader     = (*arm.Pipeline)(nil)
)
