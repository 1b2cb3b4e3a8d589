package web

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Sealer seals secret rows; *seal.Sealer is one.
type Sealer interface {
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// TokenIssuer makes tokens for managed identities; the directory implements it.
type TokenIssuer interface {
	IssueManagedIdentity(ctx context.Context, tenantID, objectID, resource string) (authn.Token, error)
}

// Identities lends a process the secret with which it gets tokens as a resource; the identity endpoint implements it.
type Identities interface {
	Register(resourceID string) (path, secret string, release func())
	// Moved lets what was lent to the processes of a resource go on under its new id.
	Moved(from, to string)
}

// Names finds what stands behind a host name; *names.Registry is one.
type Names interface {
	Lookup(ctx context.Context, kind wire.HostKind, name string) (*names.Entry, error)
}

// Deps is what App Service needs.
type Deps struct {
	Store     store.Store
	Sealer    Sealer
	Clock     clock.Clock
	Log       *slog.Logger
	Resources arm.Reader
	Access    arm.Access
	Verifier  authn.Verifier
	Names     Names
	Hosts     wire.Hosts
	SignedIn  wire.Authenticator // of the control plane, for what any caller may read there

	Subnet      netrule.Lookup // nil: there are no access restrictions by subnet
	Tokens      TokenIssuer
	Identities  Identities
	IdentityURL string       // of the machine listener, "http://127.0.0.1:8445"
	FrontDoor   *http.Client // reaches the platform's own hosts, for Key Vault references
	// ProcessEnv gives a site's process what it needs to reach the platform (proxy and its credentials, certificate authority); release is called when the
	// process has ended. nil gives nothing.
	ProcessEnv func(resourceID string) (env []string, release func())

	Data         string       // data folder; blobs/ and sites/ below it are this service's
	Room         func() error // nil error while packages may be written to Data; nil: always
	PackageRoots []string     // absolute folders that WEBSITE_RUN_FROM_PACKAGE may point into; none by default
}

// Service is App Service.
type Service struct {
	deps     Deps
	packages packages
	resolver resolver
	host     *host
	buffers  bufferPool
}

// New makes the service. Sites run once the Service's Run does.
func New(d Deps) *Service {
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		deps:     d,
		packages: packages{blobs: filepath.Join(d.Data, "blobs"), sites: filepath.Join(d.Data, "sites"), room: d.Room},
		resolver: resolver{tokens: d.Tokens, resources: d.Resources, client: d.FrontDoor, hosts: d.Hosts, clock: d.Clock},
	}
	s.host = newHost(s)
	return s
}

// Service tells the platform what App Service serves beside its ARM types, and runs the sites.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "web", Routes: slices.Concat(s.kuduRoutes(), s.stackRoutes(), []wire.Route{s.frontRoute()}), Run: s.host.run}
}

// Types are the resource types of Microsoft.Web.
func (s *Service) Types() []arm.Type {
	return []arm.Type{s.planType(), s.siteType(), slotType(), s.configType(), s.referenceType(nounSettings), s.referenceType(nounConnections)}
}

// versions are the api-versions of Microsoft.Web; any later one is answered like the last.
var versions = []string{
	"2015-08-01", "2016-03-01", "2016-08-01", "2016-09-01", "2018-02-01", "2018-11-01", "2019-08-01", "2020-06-01", "2020-09-01", "2020-10-01",
	"2020-12-01", "2021-01-01", "2021-01-15", "2021-02-01", "2021-03-01", "2022-03-01", "2022-09-01", "2023-01-01", "2023-12-01", "2024-04-01", "2024-11-01",
}
