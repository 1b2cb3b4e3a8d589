package identity

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// TokenIssuer makes tokens for managed identities. The directory implements it: it refuses with a fault when the principal is gone or resource is not
// an application it knows.
type TokenIssuer interface {
	IssueManagedIdentity(ctx context.Context, tenantID, objectID, resource string) (authn.Token, error)
}

// Deps is what the service needs.
type Deps struct {
	Store     store.Store
	Clock     clock.Clock // nil: the system's
	Resources arm.Reader
	Directory Directory
	Tokens    TokenIssuer
	// DateExpires makes 2017-09-01 answers carry expires_on as App Service on Linux wrote it then ("06/19/2019 23:42:01 +00:00"). Several of today's clients can't
	// read that form, so seconds since 1970 are the default.
	DateExpires bool
}

// Service is managed identities: the resources and the endpoints. Safe for concurrent use.
type Service struct {
	deps      Deps
	secrets   registry
	federated *store.Cached[[]FederatedCredential]
}

// cachedFederated bounds the identities whose federated credentials are kept decoded.
const cachedFederated = 1024

// New makes the service.
func New(d Deps) *Service {
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	return &Service{
		deps: d, secrets: registry{owners: map[[32]byte]string{}},
		federated: store.NewCached(d.Store, cachedFederated, loadFederated),
	}
}

// Service tells the platform what the endpoints serve.
func (s *Service) Service() wire.Service {
	process := wire.Authenticator{Name: "process credentials", Check: authenticateProcess}
	metadata := func(pattern, operation string, h wire.Handler) wire.Route {
		return wire.Route{
			Host: wire.HostMachine, Method: http.MethodGet, Pattern: pattern, Operation: operation,
			Versions: wire.Versions{Required: true, First: firstMetadata}, Auth: process, Handler: h,
		}
	}
	instance := metadata("/metadata/instance", "GetInstanceMetadata", s.instance)
	below := metadata("/metadata/instance/{path*}", "GetInstanceMetadata", s.instance)
	instance.Versions.First, below.Versions.First = firstInstance, firstInstance
	return wire.Service{Name: "identity", Routes: []wire.Route{
		{
			Host: wire.HostMachine, Method: http.MethodGet, Pattern: Path, Operation: "GetManagedIdentityToken",
			Auth: wire.Authenticator{Name: "identity header", Check: s.authenticate}, Handler: s.token,
		},
		metadata("/metadata/identity/oauth2/token", "GetInstanceToken", s.instanceToken), instance, below,
		{
			Host: wire.HostMachine, Method: http.MethodGet, Pattern: "/metadata/{path*}", Operation: "GetInstanceMetadata",
			Auth: wire.Anonymous, Handler: noMetadata,
		},
	}}
}
