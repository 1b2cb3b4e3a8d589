package identity

import (
	"context"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// TokenIssuer makes tokens for managed identities. The directory implements it: it refuses with a fault when the principal is gone or resource is not
// an application it knows.
type TokenIssuer interface {
	IssueManagedIdentity(ctx context.Context, tenantID, objectID, resource string) (authn.Token, error)
}

// Deps is what the endpoint needs.
type Deps struct {
	Resources arm.Reader
	Tokens    TokenIssuer
	// DateExpires makes 2017-09-01 answers carry expires_on as App Service on Linux wrote it then ("06/19/2019 23:42:01 +00:00"). Several of today's clients can't
	// read that form, so seconds since 1970 are the default.
	DateExpires bool
}

// Service is the managed identity endpoint.
type Service struct {
	deps    Deps
	secrets registry
}

// New makes the endpoint.
func New(d Deps) *Service {
	return &Service{deps: d, secrets: registry{owners: map[[32]byte]string{}}}
}

// Service tells the platform what the endpoint serves.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "identity", Routes: []wire.Route{
		{
			Host: wire.HostMachine, Method: http.MethodGet, Pattern: Path, Operation: "GetManagedIdentityToken",
			Auth: wire.Authenticator{Name: "identity header", Check: s.authenticate}, Handler: s.token,
		},
		{
			Host: wire.HostMachine, Method: http.MethodGet, Pattern: "/metadata/{path*}", Operation: "GetInstanceMetadata",
			Auth: wire.Anonymous, Handler: instanceMetadata,
		},
	}}
}

// instanceMetadata refuses with a text that says where else to look.
func instanceMetadata(context.Context, *wire.Request) (any, error) {
	f := fault.New(fault.Invalid, "IdentityNotFound", "Identity not found: this platform does not serve the instance metadata service yet. "+
		"Processes it starts have IDENTITY_ENDPOINT and IDENTITY_HEADER, which clients prefer.")
	f.Inner = "invalid_request"
	return nil, f
}
