package directory

import (
	"context"
	"crypto/sha256"
	"net/url"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// managedLife is how long a managed identity's token is good, as on Azure.
const managedLife = 24 * time.Hour

// firstParty is one of Azure's own APIs, known in every tenant without a service principal of its own.
type firstParty struct {
	name  string
	appID string
	uris  []string // without a trailing slash, lower case; accepted with one too
	// host, if set, is the kind whose URLs are audiences too: https://management.SUFFIX, https://{account}.documents.azure.com.
	host wire.HostKind
	// version of tokens for it; "" = 1.0.
	version string
	// bare: under the own suffix the plane's name without a label in front is the audience (https://vault.SUFFIX, as vaults' challenges say).
	bare bool
}

// firstParties is the table of audiences.
var firstParties = []firstParty{
	{
		name: "Windows Azure Service Management API", appID: "797f4846-ba00-4fd7-ba43-dac1f8f63013",
		uris: []string{"https://management.core.windows.net", "https://management.azure.com"}, host: wire.HostARM,
	},
	{
		name: "Azure Key Vault", appID: "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
		uris: []string{"https://vault.azure.net"}, host: wire.HostVault, bare: true,
	},
	{
		name: "Microsoft Graph", appID: "00000003-0000-0000-c000-000000000000",
		uris: []string{"https://graph.microsoft.com"}, host: wire.HostGraph,
	},
	{name: "Windows Azure Active Directory", appID: "00000002-0000-0000-c000-000000000000", uris: []string{"https://graph.windows.net"}},
	{
		name: "Azure Cosmos DB", appID: "a232010e-820c-4083-83bb-3ace5fc29d0b",
		uris: []string{"https://cosmos.azure.com"}, host: wire.HostCosmos,
	},
	{
		name: "Microsoft Cognitive Services", appID: "7d312290-28c8-473c-a0ed-8e53749b6d6d",
		uris: []string{"https://cognitiveservices.azure.com"},
	},
	{
		name: "Azure Monitor", appID: "035f9e1d-4f00-4419-bf50-bf2d87eb4878",
		uris: []string{"https://monitoring.azure.com", "https://metrics.monitor.azure.com"}, host: wire.HostMetrics, bare: true,
	},
	{name: "AAD Token Exchange", appID: exchangeAppID, uris: []string{"api://azureadtokenexchange"}, version: "2.0"},
}

// A token for the token exchange is good for one thing: to be another application's assertion (federated.go).
const (
	exchangeAppID    = "fb60f99c-7a34-4190-8149-302f77469936"
	exchangeAudience = "api://AzureADTokenExchange"
)

// matches tells whether resource (lower case) names f.
func (f *firstParty) matches(hosts wire.Hosts, resource string) bool {
	if strings.TrimPrefix(resource, "spn:") == f.appID {
		return true
	}
	plain := strings.TrimSuffix(resource, "/")
	for _, uri := range f.uris {
		if plain == uri {
			return true
		}
	}
	if f.host == "" {
		return false
	}
	u, err := url.Parse(plain)
	if err != nil || u.Scheme != "https" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return false
	}
	if f.bare {
		own := strings.TrimPrefix(hosts.Authority(wire.Host{}, f.host, ""), ".")
		name, _, _ := strings.Cut(own, ":")
		return hosts.Suffix != "" && u.Hostname() == name
	}
	h, ok := hosts.Resolve(u.Host)
	return ok && h.Kind == f.host
}

// microsoftTenant is where Azure's own applications live.
const microsoftTenant = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

// principal is the service principal that f has in every tenant. It has no row: nothing about it can be changed.
func (f *firstParty) principal(tenantID string) *SP {
	sum := sha256.Sum256([]byte("first-party service principal|" + tenantID + "|" + f.appID))
	id := [16]byte(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a GUID of version 8, made of other data
	return &SP{
		TenantID: tenantID, ObjectID: ids.Format(id), AppID: f.appID, AppTenantID: microsoftTenant, DisplayName: f.name, Kind: authn.ServicePrincipal, Names: f.uris,
	}
}

// firstPartyAt finds the service principal of one of Azure's own applications by the key that a row of it would have; nil if there is none.
func firstPartyAt(tenantID, key string) *SP {
	for i := range firstParties {
		sp := firstParties[i].principal(strings.ToLower(tenantID))
		if key == keySP+sp.ObjectID || key == keySPAppID+sp.AppID {
			return sp
		}
		for _, name := range sp.Names {
			if key == keySPName+name {
				return sp
			}
		}
	}
	for i := range firstClients {
		c := &firstClients[i]
		sp := (&firstParty{name: c.name, appID: c.appID}).principal(strings.ToLower(tenantID))
		if key == keySP+sp.ObjectID || key == keySPAppID+sp.AppID {
			return sp
		}
	}
	return nil
}

// audience is what a token will be for.
type audience struct {
	value   string // aud
	version string
	name    string
	appID   string
	first   *firstParty  // one of Azure's own; else
	sp      *SP          // the service principal in the tenant and
	app     *Application // what it stands for
}

// audience finds out what API resource names in the tenant: one of Azure's own, or a service principal by client id or identifier URI.
func (s *Service) audience(ctx context.Context, tenant *Tenant, hosts wire.Hosts, resource string) (*audience, error) {
	lower := strings.ToLower(resource)
	for i := range firstParties {
		if firstParties[i].matches(hosts, lower) {
			f := &firstParties[i]
			if f.version == "2.0" {
				return &audience{value: f.appID, version: f.version, name: f.name, appID: f.appID, first: f}, nil
			}
			return &audience{value: resource, version: "1.0", name: f.name, appID: f.appID, first: f}, nil
		}
	}
	sp, err := s.resourcePrincipal(ctx, tenant.ID, lower)
	if err != nil {
		return nil, err
	}
	var app *Application
	if sp != nil && sp.AppTenantID != "" && !sp.Disabled {
		if app, err = s.appAt(ctx, sp.AppTenantID, keyAppID+sp.AppID); err != nil {
			return nil, err
		}
	}
	if app == nil {
		return nil, oauth(fault.Invalid, 500011, "invalid_resource",
			"The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by the "+
				"administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.",
			clip(resource), tenant.DisplayName)
	}
	aud := &audience{value: resource, version: "1.0", name: app.DisplayName, appID: app.AppID, sp: sp, app: app}
	if app.TokenVersion == 2 {
		aud.value, aud.version = app.AppID, "2.0"
	}
	return aud, nil
}

func (s *Service) resourcePrincipal(ctx context.Context, tenantID, resource string) (*SP, error) {
	name := strings.TrimPrefix(resource, "spn:")
	for _, key := range []string{keySPAppID + name, keySPName + name, keySPName + strings.TrimSuffix(name, "/")} {
		sp, err := s.spAt(ctx, tenantID, key)
		if err != nil || sp != nil {
			return sp, err
		}
	}
	return nil, nil
}
