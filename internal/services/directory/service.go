package directory

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Sealer recognises client secrets without keeping them, and seals what a browser carries for the platform. Implemented by *seal.Sealer.
type Sealer interface {
	MAC(shard string, parts ...string) []byte
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// Deps is what the service stands on. The fields up to Hosts are required.
type Deps struct {
	Store   store.Store
	Sealer  Sealer
	Clock   clock.Clock
	Log     *slog.Logger
	Tokens  *authn.Tokens
	Tenants *Tenants
	Hosts   wire.Hosts // for tokens that are issued without a request, and for the issuers tokens may carry

	PasswordGrant    bool         // clients may send users' passwords to the token endpoint
	FederatedIssuers []string     // foreign issuers whose keys may be fetched, as their tokens spell iss
	Fetch            *http.Client // to fetch them with; nil = a plain one
	// IdentityCredentials are the federated credentials of a user-assigned managed identity, by its ARM id; nil = there are none.
	IdentityCredentials func(ctx context.Context, resourceID string) ([]Federated, error)
	// IdentityKeys are the public keys with which the owner of a managed identity, by its ARM id, signs its assertions: those of enrolled machines; nil = there are none.
	IdentityKeys func(ctx context.Context, resourceID string) ([]crypto.PublicKey, error)
}

// Service is the directory. Safe for concurrent use.
type Service struct {
	Deps
	rows      *store.Cached[row]
	passwords chan struct{} // one entry for each password being worked on
	issuers   *issuerCache
	attempts  *attempts
	signins   *signinLog
}

// rowsMax bounds the rows kept decoded: applications, users and service principals that signed in lately.
const rowsMax = 8192

// New makes the service and tells Deps.Tokens which issuer hosts are the platform's own.
func New(d Deps) *Service {
	d.Tokens.TrustIssuerHosts(func(hostport string) bool {
		h, ok := d.Hosts.Resolve(hostport)
		return ok && h.Kind == wire.HostLogin && !h.Public
	})
	return &Service{
		Deps: d, rows: store.NewCached(d.Store, rowsMax, loadRow), passwords: make(chan struct{}, passwordSlots),
		issuers: newIssuerCache(d.Fetch, d.Clock), attempts: newAttempts(), signins: newSigninLog(d.Store, d.Log),
	}
}

// Service gives the routes.
func (s *Service) Service() wire.Service {
	var routes []wire.Route
	routes = append(routes, s.tokenRoutes()...)
	routes = append(routes, s.authorizeRoutes()...)
	routes = append(routes, s.deviceRoutes()...)
	routes = append(routes, s.discoveryRoutes()...)
	routes = append(routes, s.adminRoutes()...)
	routes = append(routes, s.graphRoutes()...)
	return wire.Service{Name: "directory", Routes: routes, Run: s.background}
}

// background does what goes on beside requests until ctx ends: what was deleted ends for good, sign-in records are stored.
func (s *Service) background(ctx context.Context) error {
	var logging sync.WaitGroup
	logging.Go(func() { s.signins.run(ctx) })
	err := s.Run(ctx)
	logging.Wait()
	return err
}

// row is one decoded row of a tenant's shard, or several below one object; all fields are nil where there is none.
type row struct {
	app      *Application
	sp       *SP
	user     *User
	group    *Group
	groups   []string // what the object belongs to
	roles    []RoleAssignment
	consents []Consent
}

// loadRow reads the row at key, following an index row to what it names.
func loadRow(snap store.Snapshot, key string) (row, error) {
	switch {
	case strings.HasPrefix(key, keyAppID), strings.HasPrefix(key, keyURI):
		id, err := ref(snap, key)
		if err != nil || id == "" {
			return row{}, err
		}
		app, err := load(snap, appCodec, keyApp+id)
		return row{app: app}, err
	case strings.HasPrefix(key, keySPAppID), strings.HasPrefix(key, keySPName):
		id, err := ref(snap, key)
		if err != nil || id == "" {
			return row{}, err
		}
		sp, err := load(snap, spCodec, keySP+id)
		return row{sp: sp}, err
	case strings.HasPrefix(key, keyApp):
		app, err := load(snap, appCodec, key)
		return row{app: app}, err
	case strings.HasPrefix(key, keyUPN):
		id, err := ref(snap, key)
		if err != nil || id == "" {
			return row{}, err
		}
		user, err := load(snap, userCodec, keyUser+id)
		return row{user: user}, err
	case strings.HasPrefix(key, keyUser):
		user, err := load(snap, userCodec, key)
		return row{user: user}, err
	case strings.HasPrefix(key, keyGroup):
		group, err := load(snap, groupCodec, key)
		return row{group: group}, err
	default:
		return loadRelated(snap, key)
	}
}

// loadRelated reads what is kept beside an object: key is a prefix of it with the object's id.
func loadRelated(snap store.Snapshot, key string) (row, error) {
	switch {
	case strings.HasPrefix(key, keyStanding):
		return loadStanding(snap, key[len(keyStanding):])
	case strings.HasPrefix(key, keyMemberOf): // through other groups too
		groups, err := loadGroups(snap, key[len(keyMemberOf):])
		return row{groups: groups}, err
	case strings.HasPrefix(key, keyMember): // directly
		groups, err := loadDirectGroups(snap, key[len(keyMember):])
		return row{groups: groups}, err
	case strings.HasPrefix(key, keyRole):
		roles, err := scanRows(snap, roleCodec, key+"|")
		return row{roles: roles}, err
	case strings.HasPrefix(key, keyConsent):
		consents, err := scanRows(snap, consentCodec, key+"|")
		return row{consents: consents}, err
	default:
		sp, err := load(snap, spCodec, key)
		return row{sp: sp}, err
	}
}

func loadStanding(snap store.Snapshot, objectID string) (row, error) {
	var r row
	var err error
	if r.sp, err = load(snap, spCodec, keySP+objectID); err == nil && r.sp == nil {
		r.user, err = load(snap, userCodec, keyUser+objectID)
	}
	if err == nil {
		r.groups, err = loadGroups(snap, objectID)
	}
	return r, err
}

// appAt and spAt read one row through the cache, nil if absent. What they return is shared: read only.
func (s *Service) appAt(ctx context.Context, tenantID, key string) (*Application, error) {
	r, err := s.at(ctx, tenantID, key)
	return r.app, err
}

func (s *Service) spAt(ctx context.Context, tenantID, key string) (*SP, error) {
	r, err := s.at(ctx, tenantID, key)
	if err == nil && r.sp == nil {
		return firstPartyAt(tenantID, key), nil
	}
	return r.sp, err
}

func (s *Service) at(ctx context.Context, tenantID, key string) (row, error) {
	if len(key) > maxName+len(keyApp) {
		return row{}, nil // longer than any key there is
	}
	r, err := s.rows.Get(ctx, tenantShard(strings.ToLower(tenantID)), key)
	if err != nil {
		return row{}, fmt.Errorf("read directory row: %w", err)
	}
	return r, nil
}
