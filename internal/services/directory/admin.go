package directory

import (
	"context"
	"fmt"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// adminRoutes are for the platform's own administrator, at the admin socket.
func (s *Service) adminRoutes() []wire.Route {
	route := func(method, pattern, operation string, h wire.Handler) wire.Route {
		return wire.Route{Host: wire.HostAdmin, Method: method, Pattern: pattern, Operation: operation, Auth: wire.Anonymous, Handler: h}
	}
	return []wire.Route{
		route("GET", "/tenants", "TenantList", s.listTenants),
		route("POST", "/tenants", "TenantCreate", wire.HandleBody(s.createTenant)),
		route("POST", "/apps", "AppCreate", wire.HandleBody(s.createApp)),
		route("POST", "/apps/{appId}/credentials", "AppCredentialCreate", wire.HandleBody(s.createCredential)),
		route("DELETE", "/apps/{appId}/credentials/{keyId}", "AppCredentialDelete", s.deleteCredential),
		route("POST", "/users", "UserCreate", wire.HandleBody(s.createUser)),
		route("POST", "/serviceprincipals", "ServicePrincipalCreate", wire.HandleBody(s.createPrincipal)),
		route("GET", "/keys", "SigningKeyList", s.listKeys),
		route("POST", "/keys/rotate", "SigningKeyRotate", s.rotateKeys),
		route("GET", "/signins", "SignInList", s.listSignIns),
	}
}

// CreateTenant makes a tenant; without a domain it gets one made from its name.
func (s *Service) CreateTenant(ctx context.Context, displayName string, domains ...string) (*Tenant, error) {
	return s.Tenants.Create(ctx, displayName, domains...)
}

type tenantRequest struct {
	DisplayName string `json:"displayName"`
	Domain      string `json:"domain"`
}

type tenantAnswer struct {
	TenantID      string   `json:"tenantId"`
	DisplayName   string   `json:"displayName"`
	DefaultDomain string   `json:"defaultDomain"`
	Domains       []string `json:"domains"`
}

func answerTenant(t *Tenant) tenantAnswer {
	return tenantAnswer{TenantID: t.ID, DisplayName: t.DisplayName, DefaultDomain: t.Domains[0], Domains: t.Domains}
}

func (s *Service) createTenant(ctx context.Context, _ *wire.Request, in *tenantRequest) (any, error) {
	var domains []string
	if in.Domain != "" {
		domains = []string{in.Domain}
	}
	t, err := s.CreateTenant(ctx, in.DisplayName, domains...)
	if err != nil {
		return nil, err
	}
	return wire.Created(answerTenant(t)), nil
}

func (s *Service) listTenants(ctx context.Context, _ *wire.Request) (any, error) {
	tenants, err := s.Tenants.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]tenantAnswer, 0, len(tenants))
	for _, t := range tenants {
		out = append(out, answerTenant(t))
	}
	return wire.NewPage(out, ""), nil
}

type appRequest struct {
	Tenant         string   `json:"tenant"` // GUID or domain
	DisplayName    string   `json:"displayName"`
	IdentifierURIs []string `json:"identifierUris"`
	TokenVersion   int      `json:"requestedAccessTokenVersion"`
	SignInAudience string   `json:"signInAudience"`
	Secret         bool     `json:"secret"`
	Certificate    string   `json:"certificate"` // PEM
	Administrator  bool     `json:"administrator"`
}

type appAnswer struct {
	TenantID                 string            `json:"tenantId"`
	AppID                    string            `json:"appId"`
	ObjectID                 string            `json:"objectId"`
	ServicePrincipalObjectID string            `json:"servicePrincipalObjectId"`
	DisplayName              string            `json:"displayName"`
	IdentifierURIs           []string          `json:"identifierUris"`
	Secret                   *secretAnswer     `json:"secret,omitempty"`
	Certificate              *credentialAnswer `json:"certificate,omitempty"`
}

type credentialAnswer struct {
	KeyID      string `json:"keyId"`
	Thumbprint string `json:"thumbprint,omitempty"`
	Expires    string `json:"expires"`
}

type secretAnswer struct {
	credentialAnswer
	Text string `json:"secretText"` // shown this once
}

// createApp makes an application with its service principal and, as asked, a secret or certificate.
func (s *Service) createApp(ctx context.Context, _ *wire.Request, in *appRequest) (any, error) {
	if in.Certificate != "" { // check it before anything is made
		if _, err := newCertificate([]byte(in.Certificate), CredentialSpec{}); err != nil {
			return nil, err
		}
	}
	app, sp, err := s.CreateApplication(ctx, AppSpec{
		TenantID: in.Tenant, DisplayName: in.DisplayName, IdentifierURIs: in.IdentifierURIs, TokenVersion: in.TokenVersion,
		SignInAudience: in.SignInAudience, Principal: true, Administrator: in.Administrator,
	})
	if err != nil {
		return nil, err
	}
	out := appAnswer{
		TenantID: app.TenantID, AppID: app.AppID, ObjectID: app.ObjectID, ServicePrincipalObjectID: sp.ObjectID,
		DisplayName: app.DisplayName, IdentifierURIs: append([]string{}, app.IdentifierURIs...),
	}
	if out.Secret, out.Certificate, err = s.addCredentials(ctx, app, in.Secret, in.Certificate); err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

func (s *Service) addCredentials(ctx context.Context, app *Application, wantSecret bool, certificate string) (*secretAnswer, *credentialAnswer, error) {
	var secret *secretAnswer
	var cert *credentialAnswer
	if wantSecret {
		have, text, err := s.AddSecret(ctx, app.TenantID, app.ObjectID, CredentialSpec{DisplayName: "bulkhead"})
		if err != nil {
			return nil, nil, err
		}
		secret = &secretAnswer{credentialAnswer{KeyID: have.KeyID, Expires: graphTime(have.End)}, text}
	}
	if certificate != "" {
		have, err := s.AddCertificate(ctx, app.TenantID, app.ObjectID, []byte(certificate), CredentialSpec{})
		if err != nil {
			return nil, nil, err
		}
		cert = &credentialAnswer{KeyID: have.KeyID, Thumbprint: have.Thumbprint(), Expires: graphTime(have.End)}
	}
	return secret, cert, nil
}

type credentialRequest struct {
	Secret      bool   `json:"secret"`
	Certificate string `json:"certificate"`
}

func (s *Service) createCredential(ctx context.Context, r *wire.Request, in *credentialRequest) (any, error) {
	app, err := s.adminApp(ctx, r)
	if err != nil {
		return nil, err
	}
	if !in.Secret && in.Certificate == "" {
		return nil, fault.New(fault.Invalid, "BadRequest", "Ask for a credential: \"secret\": true, or \"certificate\" with its PEM.")
	}
	out := struct {
		Secret      *secretAnswer     `json:"secret,omitempty"`
		Certificate *credentialAnswer `json:"certificate,omitempty"`
	}{}
	if out.Secret, out.Certificate, err = s.addCredentials(ctx, app, in.Secret, in.Certificate); err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

func (s *Service) deleteCredential(ctx context.Context, r *wire.Request) (any, error) {
	app, err := s.adminApp(ctx, r)
	if err != nil {
		return nil, err
	}
	return nil, s.RemoveCredential(ctx, app.TenantID, app.ObjectID, r.Param("keyId"))
}

func (s *Service) adminApp(ctx context.Context, r *wire.Request) (*Application, error) {
	app, err := s.FindApplication(ctx, r.Param("appId"))
	if err == nil && app == nil {
		err = notFound("application", r.Param("appId"))
	}
	return app, err
}

type principalRequest struct {
	Tenant string `json:"tenant"`
	AppID  string `json:"appId"`
}

func (s *Service) createPrincipal(ctx context.Context, _ *wire.Request, in *principalRequest) (any, error) {
	sp, err := s.CreateServicePrincipal(ctx, in.Tenant, in.AppID)
	if err != nil {
		return nil, err
	}
	return wire.Created(map[string]string{"tenantId": sp.TenantID, "objectId": sp.ObjectID, "appId": sp.AppID, "displayName": sp.DisplayName}), nil
}

type userRequest struct {
	UPN           string `json:"userPrincipalName"`
	DisplayName   string `json:"displayName"`
	Password      string `json:"password"` // "" = the platform draws one
	ForceChange   bool   `json:"forceChangePasswordNextSignIn"`
	Administrator bool   `json:"administrator"`
}

type userAnswer struct {
	TenantID    string `json:"tenantId"`
	ObjectID    string `json:"objectId"`
	UPN         string `json:"userPrincipalName"`
	DisplayName string `json:"displayName"`
	Password    string `json:"password,omitempty"` // only if the platform drew it; shown this once
}

// createUser makes a user in the tenant that the domain of the name belongs to.
func (s *Service) createUser(ctx context.Context, _ *wire.Request, in *userRequest) (any, error) {
	name, domain, _ := strings.Cut(in.UPN, "@")
	if domain == "" {
		return nil, badRequest("userPrincipalName", fmt.Sprintf("User principal name '%s' has no domain; give one such as name@default.onmicrosoft.com.", clip(in.UPN)))
	}
	tenant, err := s.Tenants.Find(ctx, domain)
	if err != nil {
		return nil, err
	}
	if tenant == nil || ids.IsGUID(domain) {
		return nil, fault.New(fault.NotFound, "TenantNotFound", "No tenant has the domain '%s'.", clip(domain))
	}
	u := User{UPN: in.UPN, DisplayName: in.DisplayName, ForceChange: in.ForceChange, Administrator: in.Administrator}
	if u.DisplayName == "" {
		u.DisplayName = name
	}
	out := userAnswer{}
	if in.Password == "" {
		in.Password = passwordText()
		out.Password = in.Password
	}
	made, err := s.CreateUser(ctx, UserSpec{TenantID: tenant.ID, User: u, Password: in.Password})
	if err != nil {
		return nil, err
	}
	out.TenantID, out.ObjectID, out.UPN, out.DisplayName = made.TenantID, made.ObjectID, made.UPN, made.DisplayName
	return wire.Created(out), nil
}
