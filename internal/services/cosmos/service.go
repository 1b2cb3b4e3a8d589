package cosmos

import (
	"context"
	"log/slog"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/names"
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

// Deps is what the service stands on. All are required but Audit, Log and Scripts.
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
	s.catalog = catalog.New(d.Store, s.items, d.Clock, d.Outbox)
	s.accounts = newAccounts(d)
	g := gateway.Deps{Accounts: s.accounts, Catalog: s.catalog, Items: s.items, Verifier: d.Verifier, Scripts: d.Scripts}
	if d.Audit != nil {
		g.Audit = committer{d.Audit, d.Clock}
	}
	s.gateway = gateway.New(g)
	return s
}

// Service is what the platform mounts: the data plane.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "cosmos", Routes: s.gateway.Routes(), Run: s.run}
}

// OutboxHandlers carry out what a change of an account leaves to do elsewhere.
func (s *Service) OutboxHandlers() map[string]outbox.Handler { return s.catalog.Handlers() }

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
