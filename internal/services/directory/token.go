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
	userPart
}

type tokenV2 struct {
	Type        string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	ExtExpires  int64  `json:"ext_expires_in"`
	AccessToken string `json:"access_token"`
	userPart
}

// userPart is what only answers about a user have.
type userPart struct {
	Scope      string `json:"scope,omitempty"`
	Refresh    string `json:"refresh_token,omitempty"`
	ID         string `json:"id_token,omitempty"`
	ClientInfo string `json:"client_info,omitempty"`
}

// token answers a token request, and records it as a sign-in.
func (s *Service) token(ctx context.Context, r *wire.Request, e endpoint) (any, error) {
	anyOrigin(r)
	f, err := parseForm(r)
	if err != nil {
		return nil, err
	}
	a := s.attempt(r, shortGrant(f.grantType))
	if ids.IsGUID(f.clientID) {
		r.Resource = "client " + f.clientID
		a.AppID = strings.ToLower(f.clientID)
	}
	answer, err := s.grant(ctx, r, e, f, a)
	if err != nil && a.TenantID == "" && !reserved(r.Param("tenant")) {
		// It failed before anything told whose it is: then it is the path's.
		if t, terr := s.Tenants.Find(ctx, r.Param("tenant")); terr == nil && t != nil {
			a.in(t)
		}
	}
	s.ended(a, err)
	return answer, err
}

// anyOrigin lets pages of any origin read the answer: it holds nothing that the request did not pay for, and no cookie counts at these endpoints.
func anyOrigin(r *wire.Request) {
	if r.HTTP.Header.Get("Origin") != "" {
		r.SetHeader("Access-Control-Allow-Origin", "*")
	}
}

// rightOrigin keeps what was issued to pages in pages, where a redirect URI's registration says so, and everything else out of them.
func rightOrigin(r *wire.Request, spa bool) error {
	switch origin := r.HTTP.Header.Get("Origin"); {
	case origin != "" && !spa:
		return oauth(fault.Invalid, 9002326, "invalid_request",
			"Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type. Request origin: '%s'.", clip(origin))
	case origin == "" && spa:
		return oauth(fault.Invalid, 9002327, "invalid_request",
			"Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.")
	}
	return nil
}

// shortGrant is a grant type as the sign-in log has it.
func shortGrant(grantType string) string {
	switch short := strings.TrimPrefix(grantType, "urn:ietf:params:oauth:grant-type:"); short {
	case "jwt-bearer":
		return "on_behalf_of"
	default:
		return clip(short)
	}
}

// grant does what the grant type says.
func (s *Service) grant(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, a *attempt) (any, error) {
	if !reserved(r.Param("tenant")) {
		if _, err := s.pathTenant(ctx, r.Param("tenant")); err != nil {
			return nil, err
		}
	}
	switch f.grantType {
	case "":
		return nil, missing("grant_type")
	case "client_credentials":
		return s.clientCredentials(ctx, r, e, f, a)
	case "authorization_code":
		return s.redeemCode(ctx, r, e, f, a)
	case "refresh_token":
		return s.refresh(ctx, r, e, f, a)
	case "password":
		return s.passwordGrant(ctx, r, e, f, a)
	case "urn:ietf:params:oauth:grant-type:device_code", "device_code":
		return s.pollDevice(ctx, r, e, f, a)
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		return s.onBehalfOf(ctx, r, e, f, a)
	}
	return nil, oauth(fault.Invalid, 70003, "unsupported_grant_type", "The app requested an unsupported grant type '%s'.", clip(f.grantType))
}

// clientCredentials issues a token to an application as itself.
func (s *Service) clientCredentials(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, a *attempt) (any, error) {
	tenant, err := s.requestTenant(ctx, r.Param("tenant"), f)
	if err != nil {
		return nil, err
	}
	a.in(tenant)
	client, err := s.authenticate(ctx, r, tenant, f, false)
	if err != nil {
		return nil, err
	}
	a.by(client.app)
	resource, err := f.target(e)
	if err != nil {
		return nil, err
	}
	aud, err := s.audience(ctx, tenant, r.Hosts, resource)
	if err != nil {
		return nil, err
	}
	a.Resource = aud.name
	extra, err := f.capabilities()
	if err != nil {
		return nil, err
	}
	claims := authn.Claims{
		Version: aud.version, Issuer: issuer(r, aud.version, tenant.ID), Audience: aud.value, Principal: authn.Principal{
			Kind: client.sp.Kind, TenantID: tenant.ID, ObjectID: client.sp.ObjectID, AppID: client.sp.AppID,
			Name: client.sp.DisplayName, Resource: client.sp.ResourceID, ClientAuth: client.method,
		},
	}
	if claims.Principal.Roles, err = s.appRoles(ctx, tenant, client.sp, aud); err != nil {
		return nil, err
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

// appRoles are the roles an application has on an API; where the API demands it, having been assigned to it is a condition.
func (s *Service) appRoles(ctx context.Context, tenant *Tenant, sp *SP, aud *audience) ([]string, error) {
	if aud.sp == nil {
		return nil, nil
	}
	roles, assigned, err := s.RoleValues(ctx, tenant.ID, sp.ObjectID, aud.sp.ObjectID)
	if err == nil && aud.sp.AssignmentRequired && !assigned && sp.ObjectID != aud.sp.ObjectID {
		err = oauth(fault.Invalid, 501051, "invalid_grant", "Application '%s'(%s) is not assigned to a role for the application '%s'(%s).",
			sp.AppID, sp.DisplayName, aud.appID, aud.name)
	}
	return roles, err
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
