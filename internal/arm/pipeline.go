package arm

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// ManagedIdentity is the identity of a resource as the directory has to know it. All ids were chosen before the resource was committed.
type ManagedIdentity struct {
	TenantID    string `json:"tenantId"`
	PrincipalID string `json:"principalId"`
	ClientID    string `json:"clientId"`
	Name        string `json:"name"`
	ResourceID  string `json:"resourceId"`
}

// Directory is what the control plane needs of the directory. EnsureManagedIdentity and RemoveServicePrincipal are idempotent.
type Directory interface {
	EnsureManagedIdentity(ctx context.Context, id ManagedIdentity) error
	RemoveServicePrincipal(ctx context.Context, tenantID, objectID string) error
	// FindPrincipal looks in every tenant; ok is false if none has the object.
	FindPrincipal(ctx context.Context, objectID string) (tenantID string, kind authn.Kind, ok bool, err error)
}

// Outbox moves on what a transaction left in its shard.
type Outbox interface {
	Drain(ctx context.Context, shard string) error
	// DrainThrough fails only if a row of transaction lsn is still there.
	DrainThrough(ctx context.Context, shard string, lsn store.LSN) error
	// Parked lists rows that failed and wait.
	Parked(ctx context.Context, shard string) ([]outbox.Parked, error)
}

// Audit takes the audit record of a write into the write's own transaction.
type Audit interface {
	InTx(tx store.Tx, rec audit.Record) error
}

// Deps is what the control plane stands on. All fields but Hosts are required.
type Deps struct {
	Store     store.Store
	Clock     clock.Clock
	Log       *slog.Logger
	Names     *names.Registry
	Outbox    Outbox
	Verifier  authn.Verifier
	Audit     Audit
	Directory Directory
	Hosts     wire.Hosts
	// TenantExists tells whether a directory tenant is there.
	TenantExists func(ctx context.Context, tenantID string) (bool, error)
	// Administrator tells whether a principal manages its tenant's directory, and so may take the root of its resources. nil: nobody does.
	Administrator func(ctx context.Context, tenantID, objectID string) (bool, error)
}

// Pipeline is the control plane. It implements Access and Reader. Safe for concurrent use once every type is registered.
type Pipeline struct {
	deps      Deps
	roles     *rbac.Roles
	policies  *store.Cached[*policy]
	resources *store.Cached[found]
	types     []*Type          // in order of registration
	byName    map[string]*Type // by lower-case name
	ops       *background
	syncWait  time.Duration
}

// Bounds of what is kept in memory.
const (
	cachedPolicies  = 4096
	cachedResources = 8192
)

// New makes the control plane with its own types: groups, role assignments, locks and deny assignments.
func New(d Deps) *Pipeline {
	p := &Pipeline{deps: d, roles: rbac.BuiltIn(), byName: map[string]*Type{}, ops: newBackground(), syncWait: syncWait}
	p.policies = store.NewCached(d.Store, cachedPolicies, loadPolicy(p.roles))
	p.resources = store.NewCached(d.Store, cachedResources, loadResource)
	for _, t := range []Type{p.groupType(), p.roleAssignmentType(), p.roleDefinitionType(), p.denyAssignmentType(), p.lockType(), p.managementGroupType(), p.groupMemberType(), p.tagsType()} {
		p.types = append(p.types, &t)
		p.byName[strings.ToLower(t.Name)] = &t
	}
	return p
}

// Register adds services' types. All must be there before Service is called.
func (p *Pipeline) Register(types ...Type) error {
	for _, t := range types {
		ns, rest, ok := strings.Cut(t.Name, "/")
		switch {
		case !ok || !plainWord(ns) || rest == "":
			return fmt.Errorf("resource type %q is not Namespace/type", t.Name)
		case p.byName[strings.ToLower(t.Name)] != nil:
			return fmt.Errorf("resource type %s is registered twice", t.Name)
		case len(t.Versions) == 0:
			return fmt.Errorf("resource type %s has no api-version", t.Name)
		case t.Put == nil && (t.Get == nil || t.List == nil):
			return fmt.Errorf("resource type %s has no Put", t.Name)
		case t.Scope == InEither && !t.virtual():
			return fmt.Errorf("resource type %s is at two paths, and has a row of its own", t.Name)
		case t.Scope == InTenant:
			return fmt.Errorf("resource type %s: types at tenant scope are not implemented", t.Name)
		}
		t.Versions = slices.Sorted(slices.Values(t.Versions))
		p.types = append(p.types, &t)
		p.byName[strings.ToLower(t.Name)] = &t
	}
	return nil
}

// Service gives the routes and the background work.
func (p *Pipeline) Service() wire.Service {
	return wire.Service{Name: "arm", Routes: p.routes(), Run: p.run}
}

const (
	redrainEvery = 30 * time.Second
	logRetention = 90 * 24 * time.Hour
)

// run moves on what a failed effect left behind, and removes old activity log records, until ctx ends.
func (p *Pipeline) run(ctx context.Context) error {
	tick := time.NewTicker(redrainEvery)
	defer tick.Stop()
	defer p.ops.stop()
	for n := 0; ; n++ {
		if n > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if err := p.drainTenants(ctx); err != nil && ctx.Err() == nil {
				p.deps.Log.Error("control plane upkeep failed", "error", err)
			}
		}
		err := p.eachSubscription(ctx, func(shard string) error {
			if err := p.deps.Outbox.Drain(ctx, shard); err != nil {
				p.deps.Log.Error("outbox not drained", "shard", shard, "error", err)
			}
			if err := p.upkeepOperations(ctx, shard); err != nil {
				return err
			}
			if n%120 == 0 {
				return p.pruneLog(ctx, shard)
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			p.deps.Log.Error("control plane upkeep failed", "error", err)
		}
	}
}

// drainTenants moves on what is in the outboxes of tenants: custom roles and management groups are written there.
func (p *Pipeline) drainTenants(ctx context.Context) error {
	return store.EachShard(ctx, p.deps.Store, "tenant/", func(shard string) error {
		if err := p.deps.Outbox.Drain(ctx, shard); err != nil {
			p.deps.Log.Error("outbox not drained", "shard", shard, "error", err)
		}
		return nil
	})
}

// eachSubscription calls fn with the shard of each subscription, in order of id.
func (p *Pipeline) eachSubscription(ctx context.Context, fn func(shard string) error) error {
	return store.EachShard(ctx, p.deps.Store, "sub/", fn)
}

// nearest is the known api-version that answers a request for asked: itself, else the latest before it.
func (t *Type) nearest(asked string) string {
	best := t.Versions[0]
	for _, v := range t.Versions {
		if strings.EqualFold(v, asked) {
			return v
		}
		if v[:10] <= asked[:min(10, len(asked))] {
			best = v
		}
	}
	return best
}

// split gives the namespace and the type names.
func (t *Type) split() (namespace string, types []string) {
	parts := strings.Split(t.Name, "/")
	return parts[0], parts[1:]
}

// virtual tells whether instances are a view of something else: the pipeline then stores no row of its own.
func (t *Type) virtual() bool { return t.Get != nil }

// action is the RBAC action of a verb such as "write".
func (t *Type) action(verb string) string { return t.Name + "/" + verb }

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // plain structs only
		panic(err)
	}
	return b
}
