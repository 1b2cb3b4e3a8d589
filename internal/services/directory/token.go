package directory

import (
	"context"
	"strconv"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// formLimit bounds a token request; a certificate chain in an assertion takes some KiB.
const formLimit = 128 << 10

// endpoint is which of the token endpoints was called.
type endpoint struct {
	v2   bool
	adfs bool // by the AD FS alias, which has no tenant in its path
}

func (s *Service) tokenRoutes() []wire.Route {
	route := func(pattern, operation string, v2 bool) wire.Route {
		return wire.Route{
			Host: wire.HostLogin, Method: "POST", Pattern: pattern, Operation: operation, BodyLimit: formLimit, Auth: wire.Anonymous,
			Handler: func(ctx context.Context, r *wire.Request) (any, error) {
				return s.token(ctx, r, endpoint{v2: v2, adfs: strings.EqualFold(r.Param("tenant"), "adfs")})
			},
		}
	}
	return []wire.Route{
		route("/{tenant}/oauth2/token", "TokenV1", false),
		route("/{tenant}/oauth2/v2.0/token", "TokenV2", true),
	}
}

// tokenV1 and tokenV2 are the answers: the old endpoint writes its numbers as strings.
type tokenV1 struct {
	Type        string `json:"token_type"`
	ExpiresIn   string `json:"expires_in"`
	ExtExpires  string `json:"ext_expires_in"`
	ExpiresOn   string `json:"expires_on"`
	NotBefore   string `json:"not_before"`
	Resource    string `json:"resource"`
	AccessToken string `json:"access_token"`
}

type tokenV2 struct {
	Type        string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	ExtExpires  int64  `json:"ext_expires_in"`
	AccessToken string `json:"access_token"`
}

// token answers a token request: form, tenant, grant, client, resource, token.
func (s *Service) token(ctx context.Context, r *wire.Request, e endpoint) (any, error) {
	f, err := parseForm(r)
	if err != nil {
		return nil, err
	}
	if ids.IsGUID(f.clientID) {
		r.Resource = "client " + f.clientID
	}
	tenant, err := s.requestTenant(ctx, r.Param("tenant"), f)
	if err != nil {
		return nil, err
	}
	switch f.grantType {
	case "":
		return nil, missing("grant_type")
	case "client_credentials":
	default:
		return nil, oauth(fault.Invalid, 70003, "unsupported_grant_type", "The app requested an unsupported grant type '%s'.", clip(f.grantType))
	}
	client, err := s.authenticate(ctx, r, tenant, f)
	if err != nil {
		return nil, err
	}
	resource, err := f.target(e)
	if err != nil {
		return nil, err
	}
	aud, err := s.audience(ctx, tenant, r.Hosts, resource)
	if err != nil {
		return nil, err
	}
	extra, err := f.capabilities()
	if err != nil {
		return nil, err
	}
	claims := authn.Claims{
		Version: aud.version, Issuer: issuer(r, aud.version, tenant.ID), Audience: aud.value, Principal: authn.Principal{
			Kind: authn.ServicePrincipal, TenantID: tenant.ID, ObjectID: client.sp.ObjectID, AppID: client.sp.AppID,
			Name: client.sp.DisplayName, ClientAuth: client.method,
		},
	}
	if len(extra) > 0 {
		claims.Extra = map[string]any{"xms_cc": extra}
	}
	token, err := s.Tokens.Issue(ctx, claims)
	if err != nil {
		return nil, err
	}
	r.Principal = &claims.Principal
	r.Resource = client.sp.DisplayName + " -> " + aud.value
	r.AllowedBy = client.by
	return s.answer(token, e, resource), nil
}

func (s *Service) answer(token authn.Token, e endpoint, resource string) any {
	// One second less than the token lives, as Entra ID says: the answer has been on its way.
	seconds := int64(token.Expires.Sub(s.Clock.Now()).Seconds())
	seconds = min(max(seconds, 1), 3599)
	if e.v2 {
		return tokenV2{Type: "Bearer", ExpiresIn: seconds, ExtExpires: seconds, AccessToken: token.Raw}
	}
	in := strconv.FormatInt(seconds, 10)
	return tokenV1{
		Type: "Bearer", ExpiresIn: in, ExtExpires: in, ExpiresOn: strconv.FormatInt(token.Expires.Unix(), 10),
		NotBefore: strconv.FormatInt(token.NotBefore.Unix(), 10), Resource: resource, AccessToken: token.Raw,
	}
}

// issuer is the iss of tokens for a client that came in by r: Azure's standard one ("") or that of the platform's own login host.
func issuer(r *wire.Request, version, tenantID string) string {
	if r.Host.Public || r.Hosts.Suffix == "" {
		return ""
	}
	url := r.URL(wire.HostLogin, "") + "/" + tenantID + "/"
	if version == "2.0" {
		url += "v2.0"
	}
	return url
}

// requestTenant finds the tenant a token request is for: named in the path, or, for authorities that name none, the client's own.
func (s *Service) requestTenant(ctx context.Context, segment string, f *tokenForm) (*Tenant, error) {
	switch strings.ToLower(segment) {
	case "common", "organizations", "adfs":
	default:
		return s.pathTenant(ctx, segment)
	}
	if f.clientID == "" {
		return nil, missing("client_id")
	}
	app, err := s.FindApplication(ctx, f.clientID)
	if err != nil {
		return nil, err
	}
	if app == nil {
		return nil, oauth(fault.Invalid, 700016, "unauthorized_client", "Application with identifier '%s' was not found in any directory.", clip(f.clientID))
	}
	return s.pathTenant(ctx, app.TenantID)
}

// pathTenant finds the tenant by GUID or domain name.
func (s *Service) pathTenant(ctx context.Context, segment string) (*Tenant, error) {
	tenant, err := s.Tenants.Find(ctx, segment)
	if err != nil {
		return nil, err
	}
	if tenant != nil {
		return tenant, nil
	}
	if !ids.IsGUID(segment) && !validDomain(strings.ToLower(segment)) {
		return nil, oauth(fault.Invalid, 900023, "invalid_request",
			"Specified tenant identifier '%s' is neither a valid DNS name, nor a valid external domain.", clip(segment))
	}
	return nil, oauth(fault.Invalid, 90002, "invalid_request",
		"Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. "+
			"Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", clip(segment))
}
