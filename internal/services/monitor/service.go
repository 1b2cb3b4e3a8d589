package monitor

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Sealer keeps what is secret (webhook addresses) secret at rest.
type Sealer interface {
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// Outbox moves on what a transaction left in its shard.
type Outbox interface {
	Drain(ctx context.Context, shard string) error
}

// Inventory tells what is in a subscription; *arm.Pipeline is one.
type Inventory interface {
	Subscriptions(ctx context.Context) ([]string, error)
	Inventory(ctx context.Context, subscription string) ([]*arm.Resource, error)
}

// Deps is what the service stands on.
type Deps struct {
	Store       store.Store
	Sealer      Sealer
	Clock       clock.Clock
	Log         *slog.Logger
	Outbox      Outbox
	Metrics     *metrics.Store
	Definitions *metrics.Table
	Inventory   Inventory
	Resources   arm.Reader
	Access      arm.Access
	Verifier    authn.Verifier
	SignedIn    wire.Authenticator // how the control plane knows who calls
	FrontDoor   *http.Client       // reaches the platform's own hosts
}

// Service is Azure Monitor. Safe for concurrent use.
type Service struct{ deps Deps }

// New makes the service.
func New(d Deps) *Service {
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	return &Service{deps: d}
}

// Types are the resource types of the control plane.
func (s *Service) Types() []arm.Type { return nil }

// Service gives the routes that no type stands behind, and the background work.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "monitor", Routes: s.metricRoutes()}
}
