package cosmos

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/catalog"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Names finds what stands behind a host name.
type Names interface {
	// LSN is that of the present state, if it is known at once: until it moves, Lookup answers the same.
	LSN() (lsn store.LSN, ok bool)
	Lookup(ctx context.Context, kind wire.HostKind, name string) (*names.Entry, error)
}

// Sealer keeps secrets at rest.
type Sealer interface {
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// Audit commits the record of a write with it.
type Audit interface {
	InTx(tx store.Tx, rec audit.Record) error
}

// Deps is what the service stands on. All are required but Audit, Log, Scripts, Limits, Throttling and Monotonic.
type Deps struct {
	Store    store.Store
	Sealer   Sealer
	Clock    clock.Clock
	Log      *slog.Logger
	Reader   arm.Reader
	Names    Names
	Verifier authn.Verifier
	Audit    Audit
	Outbox   catalog.Drainer
	Scripts  scripts.Runner // nil: no stored procedures, triggers and user-defined functions
	Access   arm.Access     // who may join a subnet; nil: nobody, so that there are no virtual network rules
	Subnet   netrule.Lookup // required with Access
	// Inside tells whether an address is in a subnet of the subscription that has the service's endpoint; nil: nobody knows.
	Inside func(ctx context.Context, subscription, service string, client netip.Addr) (bool, error)
	// Emulator is where the emulator's account is served; empty: nowhere.
	Emulator string
	// SignedIn is how the control plane knows who calls; unset: it serves resource types only.
	SignedIn wire.Authenticator
	// Principals tells who data-plane roles can be given to; nil: any object id.
	Principals Principals

	Limits     items.Limits         // of storage; what is 0 is as the service has it
	Throttling gateway.Throttling   // of accounts that do not choose
	Monotonic  func() time.Duration // what throughput is measured by; nil: the machine's clock
}

// Service is Cosmos DB. Safe for concurrent use.
type Service struct {
	deps     Deps
	catalog  *catalog.Catalog
	items    *items.Store
	accounts *accounts
	gateway  *gateway.Gateway
}

// New makes the service.
func New(d Deps) *Service {
	s := &Service{deps: d, items: items.New(d.Store).WithClock(d.Clock)}
	s.items.Limits = items.Limits{Range: cmp.Or(d.Limits.Range, items.DefaultRangeLimit), Partition: cmp.Or(d.Limits.Partition, items.DefaultPartitionLimit)}
	s.catalog = catalog.New(d.Store, s.items, d.Clock, d.Outbox)
	s.accounts = newAccounts(d)
	g := gateway.Deps{Subnet: d.Subnet, Inside: d.Inside, Accounts: s.accounts, Catalog: s.catalog, Items: s.items, Verifier: d.Verifier, Scripts: d.Scripts, Throttling: d.Throttling, Monotonic: d.Monotonic}
	if d.Audit != nil {
		g.Audit = committer{d.Audit, d.Clock}
	}
	s.gateway = gateway.New(g)
	return s
}

// Service is what the platform mounts: the data plane.
func (s *Service) Service() wire.Service {
	routes := slices.Concat(s.gateway.Routes(), s.controlRoutes(), s.adminRoutes())
	return wire.Service{Name: "cosmos", Routes: routes, Preflight: map[wire.HostKind]wire.Handler{wire.HostCosmos: s.gateway.Preflight}, Run: s.run}
}

// OutboxHandlers carry out what a change of an account leaves to do elsewhere.
func (s *Service) OutboxHandlers() map[string]outbox.Handler { return s.catalog.Handlers() }

// run does the work that nobody waits for, until ctx ends.
func (s *Service) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	problem := func(err error) {
		if s.deps.Log != nil {
			s.deps.Log.Error("background work failed", "error", err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.expireEvery(ctx) })
	wg.Go(func() { s.catalog.RunIndexing(ctx, problem) })
	err := s.catalog.Run(ctx, problem)
	stop()
	wg.Wait()
	return err
}

// committer puts a request's audit record into the transaction of its write.
type committer struct {
	audit Audit
	clock clock.Clock
}

// Prepare implements gateway.Auditor.
func (c committer) Prepare(r *wire.Request, status int) func(tx store.Tx) error {
	rec := audit.FromRequest(r)
	rec.Time, rec.Status = r.Time, status
	rec.Duration = max(c.clock.Now().Sub(r.Time), 0)
	return func(tx store.Tx) error { return c.audit.InTx(tx, rec) }
}
