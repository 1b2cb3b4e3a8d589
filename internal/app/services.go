package app

import (
	"context"
	"crypto"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/audit"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/names"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/reach"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/scripts"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
	"github.com/bulkheadhq/bulkhead/internal/services/identity"
	"github.com/bulkheadhq/bulkhead/internal/services/keyvault"
	"github.com/bulkheadhq/bulkhead/internal/services/machines"
	"github.com/bulkheadhq/bulkhead/internal/services/network"
	"github.com/bulkheadhq/bulkhead/internal/services/portal"
	"github.com/bulkheadhq/bulkhead/internal/services/security"
	"github.com/bulkheadhq/bulkhead/internal/services/security/intel"
	"github.com/bulkheadhq/bulkhead/internal/services/web"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// wireServices makes every layer and service and mounts them. This is THE list of services.
func (p *Platform) wireServices(ctx context.Context) error {
	p.names = names.New(p.store, p.clock)
	p.audit = audit.NewLog(p.store, p.clock, p.log)
	p.tenants = directory.NewTenants(p.store, p.clock)
	var err error
	if p.tokens, err = authn.NewTokens(ctx, p.store, p.sealer, p.clock, p.tenants.Exists); err != nil {
		return err
	}
	var ids *identity.Service // made after ARM, which is made after the directory
	var watched *machines.Service
	p.directory = directory.New(directory.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Tokens: p.tokens, Tenants: p.tenants, Hosts: p.hosts,
		PasswordGrant: p.cfg.PasswordGrant, FederatedIssuers: p.cfg.FederatedIssuers,
		IdentityCredentials: func(ctx context.Context, resourceID string) ([]directory.Federated, error) {
			return identityCredentials(ctx, ids, resourceID)
		},
		IdentityKeys: func(ctx context.Context, resourceID string) ([]crypto.PublicKey, error) {
			return watched.Keys(ctx, resourceID)
		},
	})
	valid := verifier{p.tokens, p.directory}
	p.arm = arm.New(arm.Deps{
		Store: p.store, Clock: p.clock, Log: p.log, Names: p.names, Outbox: drainer{p}, Verifier: valid, Audit: p.audit,
		Directory: armDirectory{p.directory}, Hosts: p.hosts, TenantExists: p.tenants.Exists,
		Administrator: armDirectory{p.directory}.administrator,
	})
	ids = identity.New(identity.Deps{
		Store: p.store, Clock: p.clock, Resources: p.arm, Directory: armDirectory{p.directory}, Tokens: p.directory,
	})
	var sites *web.Service // made after what it needs of networks
	networks := network.New(network.Deps{Store: p.store, Resources: p.arm, Access: p.arm, Referring: func(ctx context.Context, networkID string) ([]string, error) {
		return referring(ctx, p.arm, sites, networkID)
	}})
	vaults := keyvault.New(keyvault.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Access: p.arm, Reader: p.arm, Names: p.names,
		Verifier: valid, Audit: p.audit, Outbox: drainer{p}, Subnet: networks.Subnet,
	})
	throttling, _ := gateway.ParseThrottling(p.cfg.CosmosThrottling) // Check has read it
	p.scripts = scripts.NewPool()
	accounts := cosmos.New(cosmos.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Reader: p.arm, Names: p.names,
		Verifier: valid, Audit: p.audit, Outbox: drainer{p}, Principals: armDirectory{p.directory}, SignedIn: p.arm.Authenticator(), Throttling: throttling,
		Access: p.arm, Subnet: networks.Subnet, Inside: networks.Inside, Scripts: p.scripts, Emulator: p.addr.Emulator,
		Limits: items.Limits{Range: uint64(p.cfg.CosmosRange) << 20, Partition: uint64(p.cfg.CosmosPartition) << 20},
	})
	p.cosmos = accounts
	sites = web.New(web.Deps{
		Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log, Resources: p.arm, Access: p.arm, Verifier: valid, Names: p.names, Hosts: p.hosts, SignedIn: p.arm.Authenticator(),
		Tokens: p.directory, Identities: ids, IdentityURL: "http://" + p.addr.Identity,
		FrontDoor: &http.Client{Transport: reach.InProcess{Handler: frontDoor{p}}}, ProcessEnv: p.processEnv,
		Data: p.cfg.Data, PackageRoots: p.cfg.PackageRoots, Room: p.store.Room, Subnet: networks.Subnet,
	})
	known, err := intel.Open(ctx, intel.Deps{Store: p.store, Sealer: p.sealer, Clock: p.clock, Log: p.log})
	if err != nil {
		return err
	}
	defending := security.Deps{
		Store: p.store, Clock: p.clock, Log: p.log, Resources: p.arm, Outbox: drainer{p}, Intel: known,
		Addresses: func(ctx context.Context, guid string) ([]netip.Addr, error) {
			facts, err := watched.Facts(ctx, guid)
			return addresses(facts), err
		},
	}
	if err := p.defending(&defending); err != nil {
		return err
	}
	defender := security.New(defending)
	watched = machines.New(machines.Deps{Store: p.store, Clock: p.clock, Resources: p.arm, SignedIn: p.arm.Authenticator(), Sink: defender.Engine()})
	pose := p.posture(accounts, watched)
	watching, err := p.monitor(ctx)
	if err != nil {
		return err
	}
	p.databases = p.databaseServers()
	alarms := p.alerts()
	cognition := p.cognitive(valid, networks.Subnet)
	p.portal = portal.New(portal.Deps{Clock: p.clock, Log: p.log, FrontDoor: &http.Client{Transport: reach.InProcess{Handler: frontDoor{p}}, CheckRedirect: stay}, Administrator: p.administrator})
	for _, types := range [][]arm.Type{ids.Types(), networks.Types(), vaults.Types(), accounts.Types(), sites.Types(), defender.Types(), pose.Types(), watched.Types(), watching.Types(), alarms.Types(), p.databases.Types(), cognition.Types()} {
		if err := p.arm.Register(types...); err != nil {
			return err
		}
	}
	handlers := p.arm.OutboxHandlers()
	maps.Copy(handlers, p.audit.OutboxHandlers())
	maps.Copy(handlers, vaults.OutboxHandlers())
	maps.Copy(handlers, accounts.OutboxHandlers())
	maps.Copy(handlers, defender.OutboxHandlers())
	maps.Copy(handlers, pose.OutboxHandlers())
	maps.Copy(handlers, alarms.OutboxHandlers())
	maps.Copy(handlers, cognition.OutboxHandlers())
	p.outbox = outbox.NewDrainer(p.store, p.log, handlers).WithClock(p.clock)
	indicators, err := p.intelService(known, defender.Engine(), watched)
	if err != nil {
		return err
	}
	p.services = []wire.Service{
		p.directory.Service(), p.arm.Service(), p.audit.Service(), ids.Service(), vaults.Service(), accounts.Service(), sites.Service(),
		defender.Service(), pose.Service(), watched.Service(), p.portal.Service(), indicators, watching.Service(), p.metricsService(), alarms.Service(), p.databases.Service(), cognition.Service(), p.images().Service(),
		reach.Metadata(), p.adminService(), p.keyService(), p.healthService(),
	}
	decoy, err := p.decoyServices(known, defender.Engine(), watched)
	if err != nil {
		return err
	}
	p.services = append(p.services, decoy...)
	p.figures()
	p.mux, err = wire.NewMux(p.services, wire.Options{Hosts: p.hosts, Clock: p.clock, Log: p.log, Audit: p.audit, Event: p.finished})
	return err
}

// referring lists the resources of other services than networks that have rules for a subnet of the network.
func referring(ctx context.Context, control *arm.Pipeline, sites *web.Service, networkID string) ([]string, error) {
	all, err := control.Mentioning(ctx, networkID)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(id string) bool { return strings.Contains(strings.ToLower(id), "/providers/microsoft.network/") })
	more, err := sites.SubnetUsers(ctx, networkID)
	return append(all, more...), err
}

// stay makes a client return a redirect as it is.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// frontDoor looks the mux up at each request: it is made after the services that call through it.
type frontDoor struct{ p *Platform }

func (f frontDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.p.mux.ServeHTTP(w, r) }

// drainer looks the outbox up at each call: it is made after those who need it, since their handlers go into it.
type drainer struct{ p *Platform }

// Drain runs what is in the shard's outbox.
func (d drainer) Drain(ctx context.Context, shard string) error { return d.p.outbox.Drain(ctx, shard) }

// DrainThrough is Drain for the writer of transaction lsn.
func (d drainer) DrainThrough(ctx context.Context, shard string, lsn store.LSN) error {
	return d.p.outbox.DrainThrough(ctx, shard, lsn)
}

// Parked lists what waits in the shard's outbox.
func (d drainer) Parked(ctx context.Context, shard string) ([]outbox.Parked, error) {
	return d.p.outbox.Parked(ctx, shard)
}

// identityCredentials gives the token service the federated credentials of a user-assigned identity.
func identityCredentials(ctx context.Context, ids *identity.Service, resourceID string) ([]directory.Federated, error) {
	have, err := ids.FederatedCredentials(ctx, resourceID)
	if err != nil {
		return nil, err
	}
	out := make([]directory.Federated, 0, len(have))
	for _, c := range have {
		out = append(out, directory.Federated{ID: c.Name, Name: c.Name, Issuer: c.Issuer, Subject: c.Subject, Audiences: c.Audiences})
	}
	return out, nil
}

// armDirectory gives ARM what it needs of the directory.
type armDirectory struct{ d *directory.Service }

func (a armDirectory) EnsureManagedIdentity(ctx context.Context, id arm.ManagedIdentity) error {
	return a.d.EnsureServicePrincipal(ctx, directory.SP{
		TenantID: id.TenantID, ObjectID: id.PrincipalID, AppID: id.ClientID, DisplayName: id.Name, Kind: authn.ManagedIdentity, ResourceID: id.ResourceID,
	})
}

func (a armDirectory) RemoveServicePrincipal(ctx context.Context, tenantID, objectID string) error {
	return a.d.RemoveServicePrincipal(ctx, tenantID, objectID)
}

func (a armDirectory) FindPrincipal(ctx context.Context, objectID string) (tenantID string, kind authn.Kind, ok bool, err error) {
	o, err := a.d.FindPrincipal(ctx, objectID)
	if err != nil || o == nil {
		return "", "", false, err
	}
	kinds := map[directory.ObjectKind]authn.Kind{directory.KindUser: authn.User, directory.KindGroup: authn.Group, directory.KindSP: authn.ServicePrincipal}
	return o.TenantID, kinds[o.Kind], true, nil
}

// administrator tells whether a service principal manages its tenant's directory.
func (a armDirectory) administrator(ctx context.Context, tenantID, objectID string) (bool, error) {
	sp, err := a.d.PrincipalByObjectID(ctx, tenantID, objectID)
	return sp != nil && sp.Administrator, err
}
