package arm

import (
	"context"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm/rbac"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// plain is a route that is not derived from a type. Its handler checks access itself.
func (p *Pipeline) plain(method, pattern, operation, first string, h wire.Handler) wire.Route {
	return wire.Route{
		Host: wire.HostARM, Method: method, Pattern: pattern, Operation: operation, Versions: wire.Versions{Required: true, First: first},
		Auth: p.bearer(), Handler: h,
	}
}

// mayRead refuses who may not do the action at the subscription, whose GUID it returns.
func (p *Pipeline) mayRead(ctx context.Context, r *wire.Request, action string) (string, error) {
	var scope ID
	if err := scope.setSubscription(r.Param(paramSub)); err != nil {
		return "", err
	}
	r.Resource = scope.String()
	j, err := p.judge(ctx, r.Principal, action, false, scope.Fold(), subShard(scope.Subscription))
	if err != nil {
		return "", err
	}
	if !j.Allowed() {
		return "", refusal(r.Principal, action, scope.String(), j.Denial)
	}
	r.AllowedBy = j.text()
	return scope.Subscription, nil
}

// knownIn makes sure the caller has any role in the subscription, and returns its policy: what everybody with a role may know (locations, providers).
func (p *Pipeline) knownIn(ctx context.Context, r *wire.Request, action string) (*policy, error) {
	id := ID{}
	if err := id.setSubscription(r.Param(paramSub)); err != nil {
		return nil, err
	}
	r.Resource = id.String()
	j, err := p.judge(ctx, r.Principal, action, false, id.Fold(), subShard(id.Subscription))
	if err != nil {
		return nil, err
	}
	if j.own.tenantID == "" || !j.known(principalsOf(r.Principal), id.Fold()) {
		return nil, refusal(r.Principal, action, id.String(), nil)
	}
	r.AllowedBy = "a role in the subscription"
	return j.own, nil
}

func (p *Pipeline) subscriptionRoutes() []wire.Route {
	const first = "2014-04-01"
	return []wire.Route{
		p.plain("GET", "/subscriptions", "Microsoft.Resources/subscriptions/read", first, p.listSubscriptions),
		p.plain("GET", subPath, "Microsoft.Resources/subscriptions/read", first, p.getSubscription),
		p.plain("GET", subPath+"/locations", "Microsoft.Resources/subscriptions/locations/read", first, p.listLocations),
		p.plain("GET", "/tenants", "Microsoft.Resources/tenants/read", first, p.listTenants),
	}
}

// shownSubscription is a subscription on the wire. A caller of another tenant sees its own among managedByTenants.
type shownSubscription struct {
	ID                  string              `json:"id"`
	SubscriptionID      string              `json:"subscriptionId"`
	TenantID            string              `json:"tenantId"`
	DisplayName         string              `json:"displayName"`
	State               string              `json:"state"`
	Policies            map[string]string   `json:"subscriptionPolicies"`
	AuthorizationSource string              `json:"authorizationSource"`
	ManagedByTenants    []map[string]string `json:"managedByTenants"`
	Tags                map[string]string   `json:"tags,omitempty"`
}

func showSubscription(r *wire.Request, id string, pol *policy) shownSubscription {
	s := shownSubscription{
		ID: "/subscriptions/" + id, SubscriptionID: id, TenantID: pol.tenantID, DisplayName: pol.subName, State: "Enabled",
		Policies:            map[string]string{"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
		AuthorizationSource: "RoleBased", ManagedByTenants: []map[string]string{}, Tags: pol.subTags,
	}
	if home := r.Principal.TenantID; home != pol.tenantID {
		s.ManagedByTenants = append(s.ManagedByTenants, map[string]string{"tenantId": home})
	}
	return s
}

// listSubscriptions shows those in which the caller has any role, whichever tenant they belong to.
func (p *Pipeline) listSubscriptions(ctx context.Context, r *wire.Request) (any, error) {
	out := []shownSubscription{}
	who := principalsOf(r.Principal)
	err := p.eachSubscription(ctx, func(shard string) error {
		j, err := p.judge(ctx, r.Principal, "Microsoft.Resources/subscriptions/read", false, "/subscriptions/"+shard[len("sub/"):], shard)
		if err != nil {
			return err
		}
		id := strings.TrimPrefix(shard, "sub/")
		if j.own.tenantID != "" && j.known(who, "/subscriptions/"+id) {
			out = append(out, showSubscription(r, id, j.own))
		}
		return nil
	})
	return wire.NewPage(out, ""), err
}

func (p *Pipeline) getSubscription(ctx context.Context, r *wire.Request) (any, error) {
	pol, err := p.knownIn(ctx, r, "Microsoft.Resources/subscriptions/read")
	if err != nil {
		return nil, err
	}
	return showSubscription(r, strings.ToLower(r.Param(paramSub)), pol), nil
}

// locations are the regions resources may name. They are names only: everything runs here.
var locations = []struct{ name, display, geography string }{
	{"australiaeast", "Australia East", "Asia Pacific"},
	{"brazilsouth", "Brazil South", "South America"},
	{"canadacentral", "Canada Central", "Canada"},
	{"centralindia", "Central India", "Asia Pacific"},
	{"centralus", "Central US", "US"},
	{"eastus", "East US", "US"},
	{"eastus2", "East US 2", "US"},
	{"francecentral", "France Central", "Europe"},
	{"germanywestcentral", "Germany West Central", "Europe"},
	{"japaneast", "Japan East", "Asia Pacific"},
	{"northeurope", "North Europe", "Europe"},
	{"southcentralus", "South Central US", "US"},
	{"southeastasia", "Southeast Asia", "Asia Pacific"},
	{"swedencentral", "Sweden Central", "Europe"},
	{"switzerlandnorth", "Switzerland North", "Europe"},
	{"uksouth", "UK South", "Europe"},
	{"westeurope", "West Europe", "Europe"},
	{"westus", "West US", "US"},
	{"westus2", "West US 2", "US"},
	{"westus3", "West US 3", "US"},
}

// Locations are the regions' names as they are shown, "West Europe".
func Locations() []string {
	out := make([]string, len(locations))
	for i, l := range locations {
		out[i] = l.display
	}
	return out
}

func (p *Pipeline) listLocations(ctx context.Context, r *wire.Request) (any, error) {
	if _, err := p.knownIn(ctx, r, "Microsoft.Resources/subscriptions/locations/read"); err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(locations))
	for _, l := range locations {
		out = append(out, map[string]any{
			"id": "/subscriptions/" + strings.ToLower(r.Param(paramSub)) + "/locations/" + l.name, "name": l.name, "type": "Region", "displayName": l.display,
			"regionalDisplayName": "(" + l.geography + ") " + l.display,
			"metadata":            map[string]string{"regionType": "Physical", "regionCategory": "Recommended", "geographyGroup": l.geography},
		})
	}
	return wire.NewPage(out, ""), nil
}

// listTenants shows the caller's home tenant and those of the subscriptions it has a role in.
func (p *Pipeline) listTenants(ctx context.Context, r *wire.Request) (any, error) {
	out := []map[string]any{}
	seen := map[string]bool{}
	add := func(tenant string) {
		if !seen[tenant] {
			seen[tenant] = true
			out = append(out, map[string]any{"id": "/tenants/" + tenant, "tenantId": tenant, "tenantCategory": "Home"})
		}
	}
	add(r.Principal.TenantID)
	who := principalsOf(r.Principal)
	err := p.eachSubscription(ctx, func(shard string) error {
		scope := "/subscriptions/" + strings.TrimPrefix(shard, "sub/")
		j, err := p.judge(ctx, r.Principal, "Microsoft.Resources/subscriptions/read", false, scope, shard)
		if err == nil && j.own.tenantID != "" && j.known(who, scope) {
			add(j.own.tenantID)
		}
		return err
	})
	return wire.NewPage(out, ""), err
}

// CreateSubscription makes a subscription of the tenant and gives the owner, a principal's object id, the role Owner in it.
func (p *Pipeline) CreateSubscription(ctx context.Context, tenantID, displayName, ownerObjectID string) (id string, err error) {
	ownerTenant, kind, ok, err := p.deps.Directory.FindPrincipal(ctx, ownerObjectID)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fault.New(fault.Invalid, "PrincipalNotFound", "There is no principal with the object id '%s'.", clip(ownerObjectID))
	}
	if displayName = strings.TrimSpace(displayName); displayName == "" || len(displayName) > 64 {
		return "", fault.New(fault.Invalid, "InvalidSubscriptionName", "A subscription's name has 1 to 64 characters.")
	}
	id = ids.New()
	now := p.deps.Clock.Now()
	scope := ID{Subscription: id}
	row, err := resourceCodec.Encode(Resource{
		ID: scope.String(), Name: displayName, Type: scope.Type(), GUID: id, Private: raw(subscription{TenantID: strings.ToLower(tenantID)}), Created: now, Changed: now,
	})
	if err != nil {
		return "", err
	}
	name := ids.New()
	a := assignment{
		ID: scope.String() + "/providers/" + typeAssignment + "/" + name, Name: name, Scope: scope.String(), RoleID: rbac.OwnerID,
		PrincipalID: strings.ToLower(ownerObjectID), PrincipalType: principalType(kind), PrincipalTenant: ownerTenant, Created: now, Updated: now,
	}
	owner, err := assignmentCodec.Encode(a)
	if err != nil {
		return "", err
	}
	_, err = p.deps.Store.Update(ctx, subShard(id), func(tx store.Tx) error {
		if err := tx.Put(resourceKey(scope.Fold()), row); err != nil {
			return err
		}
		if err := tx.Put(scopedKey(tagAssignment, scope.Fold(), name), owner); err != nil {
			return err
		}
		return bumpVersion(tx)
	})
	return id, err
}

// AssignRoot gives a principal a built-in role at the root of a tenant: in every subscription the tenant has. Doing it again changes nothing.
func (p *Pipeline) AssignRoot(ctx context.Context, tenantID, objectID, roleID string) error {
	home, kind, ok, err := p.deps.Directory.FindPrincipal(ctx, objectID)
	switch {
	case err != nil:
		return err
	case !ok:
		return fault.New(fault.Invalid, "PrincipalNotFound", "There is no principal with the object id '%s'.", clip(objectID))
	case p.roles.ByID(roleID) == nil:
		return fault.New(fault.NotFound, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", clip(roleID))
	}
	now, name := p.deps.Clock.Now(), ids.New()
	a := assignment{
		ID: "/providers/" + typeAssignment + "/" + name, Name: name, Scope: "/", RoleID: strings.ToLower(roleID), PrincipalID: strings.ToLower(objectID),
		PrincipalType: principalType(kind), PrincipalTenant: home, Created: now, Updated: now,
	}
	shard := tenantShard(tenantID)
	have, err := p.policies.Get(ctx, shard, shard)
	if err != nil {
		return err
	}
	if a.taken(have.assignments) != nil {
		return nil
	}
	row, err := assignmentCodec.Encode(a)
	if err != nil {
		return err
	}
	_, err = p.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		if err := tx.Put(scopedKey(tagAssignment, "/", name), row); err != nil {
			return err
		}
		return bumpVersion(tx)
	})
	return err
}

// adminRoutes are the operator's: Azure makes subscriptions outside of ARM's everyday API.
func (p *Pipeline) adminRoutes() []wire.Route {
	return []wire.Route{{
		Host: wire.HostAdmin, Method: http.MethodPost, Pattern: "/subscriptions", Operation: "SubscriptionCreate", Auth: wire.Anonymous,
		Handler: func(ctx context.Context, r *wire.Request) (any, error) {
			var in struct{ Tenant, Name, Owner string }
			if err := wire.Bind(r, &in); err != nil {
				return nil, err
			}
			if !ids.IsGUID(in.Tenant) {
				return nil, fault.New(fault.Invalid, "InvalidTenant", "The tenant '%s' is not a GUID.", clip(in.Tenant))
			}
			if ok, err := p.deps.TenantExists(ctx, in.Tenant); err != nil || !ok {
				if err == nil {
					err = fault.New(fault.NotFound, "TenantNotFound", "There is no tenant '%s'.", in.Tenant)
				}
				return nil, err
			}
			id, err := p.CreateSubscription(ctx, in.Tenant, in.Name, in.Owner)
			if err != nil {
				return nil, err
			}
			return wire.Created(map[string]string{"subscriptionId": id, "tenantId": in.Tenant, "displayName": in.Name}), nil
		},
	}, {
		Host: wire.HostAdmin, Method: http.MethodGet, Pattern: "/outbox", Operation: "OutboxParked", Auth: wire.Anonymous,
		Handler: func(ctx context.Context, _ *wire.Request) (any, error) { return p.parked(ctx) },
	}}
}

// parked lists the effects that failed and wait to be tried again, of every subscription and tenant.
func (p *Pipeline) parked(ctx context.Context) (any, error) {
	out := []outbox.Parked{}
	for _, prefix := range []string{"sub/", "tenant/"} {
		err := store.EachShard(ctx, p.deps.Store, prefix, func(shard string) error {
			list, err := p.deps.Outbox.Parked(ctx, shard)
			out = append(out, list...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return map[string]any{"parked": out}, nil
}
