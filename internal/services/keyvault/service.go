package keyvault

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Names is what the service needs of names.Registry.
type Names interface {
	Lookup(ctx context.Context, kind wire.HostKind, name string) (*names.Entry, error)
	Release(ctx context.Context, kind wire.HostKind, name, guid string) error
}

// Audit is what the service needs of audit.Log: writes put their record into their own transaction.
type Audit interface {
	InTx(tx store.Tx, rec audit.Record) error
}

// Outbox is what the service needs of outbox.Outbox: it moves on what a transaction left in its shard.
type Outbox interface {
	Drain(ctx context.Context, shard string) error
}

// Deps is what the service stands on. All fields but Subnet are required.
type Deps struct {
	Store    store.Store
	Sealer   *seal.Sealer
	Clock    clock.Clock
	Log      *slog.Logger
	Access   arm.Access
	Reader   arm.Reader
	Names    Names
	Verifier authn.Verifier
	Audit    Audit
	Outbox   Outbox
	Subnet   netrule.Lookup // nil: there are no virtual network rules
}

// Service is Key Vault: its resource types and its data plane. Safe for concurrent use.
type Service struct {
	deps   Deps
	vaults sync.Map // folded resource id -> *vault, replaced when the resource's etag changed
	drain  chan string
	bounds bounds
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{deps: d, drain: make(chan string, 256), bounds: newBounds()}
}

// Service is what the platform mounts.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "keyvault", Routes: s.routes(), Run: s.run}
}

const sweepEvery = 30 * time.Second

// run moves audit records on and purges what is due, until ctx ends.
func (s *Service) run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case shard := <-s.drain:
			if err := s.deps.Outbox.Drain(ctx, shard); err != nil && ctx.Err() == nil {
				s.deps.Log.Error("outbox not drained", "shard", shard, "error", err)
			}
		case <-tick.C:
			if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.deps.Log.Error("key vault sweep failed", "error", err)
			}
		}
	}
}

// moveOn has the shard's outbox drained soon. When the queue is full the rows wait: the next write's turn takes them along.
func (s *Service) moveOn(shard string) {
	select {
	case s.drain <- shard:
	default:
	}
}
