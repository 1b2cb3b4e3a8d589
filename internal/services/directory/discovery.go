package directory

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func (s *Service) discoveryRoutes() []wire.Route {
	get := func(pattern, operation string, h wire.Handler) wire.Route {
		public := func(ctx context.Context, r *wire.Request) (any, error) {
			anyOrigin(r)
			return h(ctx, r)
		}
		return wire.Route{Host: wire.HostLogin, Method: "GET", Pattern: pattern, Operation: operation, Auth: wire.Anonymous, Handler: public, Quiet: true}
	}
	return []wire.Route{
		get("/common/discovery/instance", "InstanceDiscovery", s.instances),
		get("/common/userrealm/{upn}", "UserRealm", s.realm),
		get("/{tenant}/.well-known/openid-configuration", "OpenIDConfigurationV1", s.configuration(false)),
		get("/{tenant}/v2.0/.well-known/openid-configuration", "OpenIDConfigurationV2", s.configuration(true)),
		get("/{tenant}/discovery/keys", "KeysV1", s.keys(false)),
		get("/{tenant}/discovery/v2.0/keys", "KeysV2", s.keys(true)),
	}
}

// configuration is an OpenID provider's discovery document.
type configuration struct {
	TokenEndpoint         string   `json:"token_endpoint"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	KeysURI               string   `json:"jwks_uri"`
	ResponseModes         []string `json:"response_modes_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	SigningAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	Scopes                []string `json:"scopes_supported"`
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	PKCE                  []string `json:"code_challenge_methods_supported"`
	Claims                []string `json:"claims_supported"`
	Region                *string  `json:"tenant_region_scope"`
	Cloud                 string   `json:"cloud_instance_name"`
	GraphHost             string   `json:"cloud_graph_host_name"`
	MSGraphHost           string   `json:"msgraph_host"`
	RBAC                  string   `json:"rbac_url"`
}

// configuration answers the discovery document of one version, for a tenant or for the authorities without one.
func (s *Service) configuration(v2 bool) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		id, err := s.authority(ctx, r)
		if err != nil {
			return nil, err
		}
		base := r.URL(wire.HostLogin, "")
		oauth2, keys, version := base+"/"+id+"/oauth2", base+"/"+id+"/discovery/keys", "1.0"
		if v2 {
			oauth2, keys, version = oauth2+"/v2.0", base+"/"+id+"/discovery/v2.0/keys", "2.0"
		}
		if id == "adfs" {
			// Clients in AD FS mode read the document without a version and speak the newer protocol.
			oauth2 = base + "/adfs/oauth2/v2.0"
		}
		iss := issuer(r, version, templated(id))
		if iss == "" {
			iss = authn.StandardIssuer(version, templated(id))
		}
		return configuration{
			TokenEndpoint:    oauth2 + "/token",
			TokenAuthMethods: []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
			KeysURI:          keys, ResponseModes: []string{"query", "fragment", "form_post"}, SubjectTypes: []string{"pairwise"},
			SigningAlgorithms: []string{"RS256"}, ResponseTypes: []string{"code", "id_token", "code id_token"},
			GrantTypes: s.grantTypes(), Scopes: []string{"openid", "profile", "email", "offline_access"}, Issuer: iss,
			AuthorizationEndpoint: oauth2 + "/authorize", DeviceEndpoint: oauth2 + "/devicecode", EndSessionEndpoint: oauth2 + "/logout", PKCE: []string{"S256"},
			Claims: []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "name", "tid", "ver"},
			Cloud:  "microsoftonline.com", GraphHost: "graph.windows.net", MSGraphHost: r.Hosts.Authority(r.Host, wire.HostGraph, ""), RBAC: "https://pas.windows.net",
		}, nil
	}
}

func (s *Service) grantTypes() []string {
	types := []string{
		"client_credentials", "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer",
	}
	if s.PasswordGrant {
		types = append(types, "password")
	}
	return types
}

// templated is the tenant in an issuer: for authorities of many tenants clients put the token's own in its place.
func templated(id string) string {
	if slices.Contains(reservedTenants, id) {
		return "{tenantid}"
	}
	return id
}

// authority is the path's tenant in its one form: a GUID, or one of the reserved names.
func (s *Service) authority(ctx context.Context, r *wire.Request) (string, error) {
	segment := strings.ToLower(r.Param("tenant"))
	if slices.Contains(reservedTenants, segment) {
		return segment, nil
	}
	tenant, err := s.pathTenant(ctx, segment)
	if err != nil {
		return "", err
	}
	return tenant.ID, nil
}

// keys answers the public signing keys: one ring for all tenants, as in Entra ID. The newer document says whose tokens each signs.
func (s *Service) keys(v2 bool) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (any, error) {
		id, err := s.authority(ctx, r)
		if err != nil {
			return nil, err
		}
		set := s.Tokens.JWKS()
		if v2 {
			iss := issuer(r, "2.0", templated(id))
			if iss == "" {
				iss = authn.StandardIssuer("2.0", templated(id))
			}
			for i := range set.Keys {
				set.Keys[i].Issuer = iss
			}
		}
		return set, nil
	}
}

type instanceAnswer struct {
	TenantDiscovery string             `json:"tenant_discovery_endpoint"`
	APIVersion      string             `json:"api-version"`
	Metadata        []instanceMetadata `json:"metadata"`
}

type instanceMetadata struct {
	Network string   `json:"preferred_network"`
	Cache   string   `json:"preferred_cache"`
	Aliases []string `json:"aliases"`
}

// instances answers whether an authority is one of this platform's. Clients drop the port of the authority they ask about; the answer carries it.
func (s *Service) instances(ctx context.Context, r *wire.Request) (any, error) {
	unknown := oauth(fault.Invalid, 50049, "invalid_instance", "Unknown or invalid instance.")
	u, err := url.Parse(r.Query("authorization_endpoint"))
	if err != nil || u.Scheme != "https" {
		return nil, unknown
	}
	asked, ok := r.Hosts.Resolve(u.Host)
	if !ok || asked.Kind != wire.HostLogin {
		return nil, unknown
	}
	tenant, _, _ := strings.Cut(strings.Trim(u.EscapedPath(), "/"), "/")
	id, err := url.PathUnescape(tenant)
	if err != nil || id == "" {
		return nil, unknown
	}
	if id = strings.ToLower(id); !slices.Contains(reservedTenants, id) {
		found, err := s.pathTenant(ctx, id)
		if err != nil {
			return nil, err
		}
		id = found.ID
	}
	out := instanceAnswer{APIVersion: "1.1"}
	path := "/" + id + "/v2.0/.well-known/openid-configuration"
	if r.APIVersion == "1.0" || r.Query("api-version") == "1.0" {
		out.APIVersion, path = "1.0", "/"+id+"/.well-known/openid-configuration"
	}
	out.TenantDiscovery = r.Hosts.URL(asked, wire.HostLogin, "") + path
	public := []string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"}
	out.Metadata = []instanceMetadata{{Network: public[0], Cache: public[1], Aliases: public}}
	if r.Hosts.Suffix != "" {
		own := r.Hosts.Authority(wire.Host{}, wire.HostLogin, "")
		m := instanceMetadata{Network: own, Cache: own, Aliases: []string{own}}
		if name, _, ported := strings.Cut(own, ":"); ported {
			m.Aliases = append(m.Aliases, name)
		}
		out.Metadata = append(out.Metadata, m)
	}
	return out, nil
}
