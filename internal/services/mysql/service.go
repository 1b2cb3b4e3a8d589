package mysql

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/metrics"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Sealer seals secret rows and signs links; *seal.Sealer is one.
type Sealer interface {
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
	MAC(shard string, parts ...string) []byte
}

// Metrics takes measurements; *metrics.Store is one.
type Metrics interface {
	Add(ctx context.Context, samples []metrics.Sample) ([]metrics.Refusal, error)
}

// TokenIssuer makes tokens for managed identities; the directory implements it.
type TokenIssuer interface {
	IssueManagedIdentity(ctx context.Context, tenantID, objectID, resource string) (authn.Token, error)
}

// Names finds what stands behind a host name; *names.Registry is one.
type Names interface {
	Lookup(ctx context.Context, kind wire.HostKind, name string) (*names.Entry, error)
}

// Deps is what the service stands on.
type Deps struct {
	Store     store.Store
	Sealer    Sealer
	Clock     clock.Clock
	Log       *slog.Logger
	Resources arm.Reader
	Names     Names
	Hosts     wire.Hosts
	Metrics   Metrics
	Tokens    TokenIssuer
	FrontDoor *http.Client // reaches the platform's own hosts, for the secret of an attached server's password
	TLS       *tls.Config  // has certificates of the platform's authority for servers' names and for localhost
	RootPEM   []byte       // the authority's root, which clients trust
	Data      string       // data folder; mysql/ below it is this service's
}

// Service is Azure Database for MySQL. Safe for concurrent use.
type Service struct {
	deps Deps
	host *host
}

// New makes the service. Servers run once the Service's Run does.
func New(d Deps) *Service {
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{deps: d}
	s.host = newHost(s, filepath.Join(d.Data, "mysql"))
	return s
}

// Service tells the platform what is served beside the ARM types, and runs the servers.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "mysql", Routes: s.fileRoutes(), Run: s.host.run}
}

// Types are the resource types of Microsoft.DBforMySQL.
func (s *Service) Types() []arm.Type {
	return []arm.Type{s.serverType(), s.firewallType(), s.databaseType(), s.configurationType(), s.flexibleType()}
}

const (
	namespace      = "Microsoft.DBforMySQL"
	serverTypeName = namespace + "/servers"
)

// versions are the api-versions of the single servers; later ones are answered like the last.
func versions() []string {
	return []string{"2017-12-01-preview", "2017-12-01", "2018-06-01", "2020-01-01", "2020-07-01-preview"}
}
