package cognitive

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/netrule"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Names is what the service needs of names.Registry.
type Names interface {
	Lookup(ctx context.Context, kind wire.HostKind, name string) (*names.Entry, error)
	Available(ctx context.Context, kind wire.HostKind, name string) (bool, error)
	Release(ctx context.Context, kind wire.HostKind, name, guid string) error
}

// Outbox is what the service needs of outbox.Drainer.
type Outbox interface {
	Drain(ctx context.Context, shard string) error
}

// Sealer keeps keys secret at rest; *seal.Sealer is one.
type Sealer interface {
	Seal(shard string, key, plain []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// Deps is what the service stands on. All fields but Subnet are required.
type Deps struct {
	Store    store.Store
	Sealer   Sealer
	Clock    clock.Clock
	Log      *slog.Logger
	Access   arm.Access
	Reader   arm.Reader
	Names    Names
	Outbox   Outbox
	Verifier authn.Verifier
	Subnet   netrule.Lookup // nil: there are no virtual network rules
	// APIs are what accounts serve.
	APIs []api.API
}

// Service is Cognitive Services: its resource type and its data planes. Safe for concurrent use.
type Service struct {
	deps   Deps
	keys   *store.Cached[[]byte] // sealed rows, by guid
	opened sync.Map              // guid -> *openedKeys
	parsed sync.Map              // guid -> *account, replaced when the resource's etag changed
	limits limiter
	usage  books
}

// keptKeys bounds the accounts whose sealed keys are kept in memory.
const keptKeys = 4096

// New makes the service.
func New(d Deps) *Service {
	s := &Service{deps: d, limits: limiter{clock: d.Clock}, usage: books{store: d.Store, clock: d.Clock}}
	s.keys = store.NewCached(d.Store, keptKeys, func(sn store.Snapshot, key string) ([]byte, error) {
		b, err := sn.Get([]byte(key))
		return append([]byte(nil), b...), err
	})
	return s
}

// Service is what the platform mounts.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "cognitive", Routes: s.routes(), Run: s.run}
}

// sweepEvery is how often deleted accounts are looked through for those whose time has come.
const sweepEvery = time.Minute

// run brings what was counted to the store, and purges what was deleted long ago, until ctx ends.
func (s *Service) run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.usage.run(ctx, s.deps.Log) })
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			wg.Wait()
			return nil
		case <-tick.C:
			if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.deps.Log.Error("deleted accounts not purged; it is tried again", "error", err)
			}
		}
	}
}

func (s *Service) routes() []wire.Route {
	out := []wire.Route{{
		Host: wire.HostCognitive, Method: http.MethodPost, Pattern: usagePath, Operation: "Containers_ReportUsage", BodyLimit: 16 << 10,
		Network: s.network, Auth: wire.Authenticator{Name: "cognitive services key", Check: s.authenticateContainer}, Handler: s.reportUsage, Quiet: true,
	}}
	for i := range s.deps.APIs {
		a := &s.deps.APIs[i]
		for j := range a.Routes {
			out = append(out, s.route(a, &a.Routes[j]))
		}
	}
	return out
}

// visit is what a request's stages hand on.
type visit struct {
	account *account // nil until it is known
	call    api.Call
}

// route hangs one operation of an API in.
func (s *Service) route(a *api.API, r *api.Route) wire.Route {
	limit := r.BodyLimit
	if limit == 0 {
		limit = api.DefaultBodyLimit
	}
	return wire.Route{
		Host: wire.HostCognitive, Method: r.Method, Pattern: r.Pattern, Operation: r.Operation, Versions: r.Versions, BodyLimit: limit, Quiet: true,
		Network: s.network,
		Auth: wire.Authenticator{Name: "cognitive services key or token", Check: func(ctx context.Context, req *wire.Request) error {
			return s.authenticate(ctx, req, a, r)
		}},
		Authorize: func(ctx context.Context, req *wire.Request) error { return s.admit(ctx, req, a, r) },
		Handler: func(ctx context.Context, req *wire.Request) (any, error) {
			v := req.State.(*visit)
			v.call = api.Call{Request: req, Account: v.account.guid}
			if a.Open != nil {
				if err := a.Open(ctx); err != nil {
					return nil, err
				}
			}
			out, err := r.Handler(ctx, &v.call)
			if err != nil {
				return nil, err
			}
			if n := v.call.Units(); n > 0 {
				err = s.usage.add(ctx, v.account, r.Feature, n)
			}
			return out, err
		},
	}
}
