package directory

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// graphApp is an application as Microsoft Graph shows it.
// https://learn.microsoft.com/graph/api/resources/application
type graphApp struct {
	Type           string           `json:"@odata.type,omitempty"`
	ID             string           `json:"id"`
	Deleted        *string          `json:"deletedDateTime"`
	AppID          string           `json:"appId"`
	Created        string           `json:"createdDateTime"`
	DisplayName    string           `json:"displayName"`
	GroupClaims    *string          `json:"groupMembershipClaims"`
	IdentifierURIs []string         `json:"identifierUris"`
	PublicFallback *bool            `json:"isFallbackPublicClient"`
	Notes          *string          `json:"notes"`
	Publisher      *string          `json:"publisherDomain"`
	Reference      *string          `json:"serviceManagementReference"`
	SignInAudience string           `json:"signInAudience"`
	Tags           []string         `json:"tags"`
	OptionalClaims json.RawMessage  `json:"optionalClaims"`
	API            graphAPI         `json:"api"`
	AppRoles       []graphAppRole   `json:"appRoles"`
	Keys           []graphKey       `json:"keyCredentials"`
	Passwords      []graphPassword  `json:"passwordCredentials"`
	Public         graphRedirects   `json:"publicClient"`
	Required       []RequiredAccess `json:"requiredResourceAccess"`
	SPA            graphRedirects   `json:"spa"`
	Web            graphWeb         `json:"web"`
}

type graphAPI struct {
	TokenVersion  *int            `json:"requestedAccessTokenVersion"`
	MappedClaims  *bool           `json:"acceptMappedClaims"`
	Known         []string        `json:"knownClientApplications"`
	Scopes        []graphScope    `json:"oauth2PermissionScopes"`
	PreAuthorized []PreAuthorized `json:"preAuthorizedApplications"`
}

type graphRedirects struct {
	RedirectURIs []string `json:"redirectUris"`
}

type graphWeb struct {
	HomePage     *string       `json:"homePageUrl"`
	LogoutURL    *string       `json:"logoutUrl"`
	RedirectURIs []string      `json:"redirectUris"`
	Implicit     graphImplicit `json:"implicitGrantSettings"`
}

type graphImplicit struct {
	AccessToken bool `json:"enableAccessTokenIssuance"`
	IDToken     bool `json:"enableIdTokenIssuance"`
}

// graphKey is a certificate. Key is shown only for a single application with $select, as Graph does it; here never, it is public and can be had from its owner.
type graphKey struct {
	Identifier  string  `json:"customKeyIdentifier"` // the thumbprint, hexadecimal
	DisplayName string  `json:"displayName"`
	End         string  `json:"endDateTime"`
	Key         *string `json:"key"`
	KeyID       string  `json:"keyId"`
	Start       string  `json:"startDateTime"`
	Type        string  `json:"type"`
	Usage       string  `json:"usage"`
}

// graphPassword is a client secret; SecretText is there only in the answer that made it.
type graphPassword struct {
	Identifier  *string `json:"customKeyIdentifier"`
	DisplayName *string `json:"displayName"`
	End         string  `json:"endDateTime"`
	Hint        string  `json:"hint"`
	KeyID       string  `json:"keyId"`
	SecretText  *string `json:"secretText"`
	Start       string  `json:"startDateTime"`
}

func viewApp(a *Application) graphApp {
	out := graphApp{
		ID: a.ObjectID, AppID: a.AppID, Created: graphTime(a.Created), DisplayName: a.DisplayName, GroupClaims: nullable(a.GroupClaims),
		IdentifierURIs: append([]string{}, a.IdentifierURIs...), Notes: nullable(a.Notes), Reference: nullable(a.Reference), SignInAudience: a.SignInAudience,
		Tags: append([]string{}, a.Tags...), OptionalClaims: a.OptionalClaims, AppRoles: viewRoles(a.Roles), Required: append([]RequiredAccess{}, a.RequiredAccess...),
		API:    graphAPI{Known: []string{}, Scopes: viewScopes(a.Scopes), PreAuthorized: append([]PreAuthorized{}, a.PreAuthorized...)},
		Public: graphRedirects{append([]string{}, a.PublicRedirectURIs...)}, SPA: graphRedirects{append([]string{}, a.SPARedirectURIs...)},
		Web: graphWeb{
			HomePage: nullable(a.HomePage), LogoutURL: nullable(a.LogoutURL), RedirectURIs: append([]string{}, a.WebRedirectURIs...),
			Implicit: graphImplicit{a.ImplicitAccess, a.ImplicitID},
		},
		Keys: viewCertificates(a.Certificates), Passwords: viewSecrets(a.Secrets),
	}
	if a.TokenVersion != 0 {
		v := a.TokenVersion
		out.API.TokenVersion = &v
	}
	if a.PublicClient {
		yes := true
		out.PublicFallback = &yes
	}
	return out
}

func viewCertificates(all []Certificate) []graphKey {
	out := []graphKey{}
	for i := range all {
		c := &all[i]
		out = append(out, graphKey{
			Identifier: c.Thumbprint(), DisplayName: c.DisplayName, Start: graphTime(c.Start), End: graphTime(c.End), KeyID: c.KeyID,
			Type: "AsymmetricX509Cert", Usage: "Verify",
		})
	}
	return out
}

func viewSecrets(all []Secret) []graphPassword {
	out := []graphPassword{}
	for i := range all {
		out = append(out, viewSecret(&all[i]))
	}
	return out
}

func viewSecret(c *Secret) graphPassword {
	p := graphPassword{End: graphTime(c.End), Hint: c.Hint, KeyID: c.KeyID, Start: graphTime(c.Start)}
	if c.DisplayName != "" {
		p.DisplayName = &c.DisplayName
	}
	return p
}

// values implements filterable.
func (a *Application) values(property string) (values []string, collection, ok bool) {
	switch property {
	case "id":
		return []string{a.ObjectID}, false, true
	case "appid":
		return []string{a.AppID}, false, true
	case "displayname":
		return []string{a.DisplayName}, false, true
	case "signinaudience":
		return []string{a.SignInAudience}, false, true
	case "identifieruris":
		return a.IdentifierURIs, true, true
	}
	return nil, false, false
}

func (s *Service) graphListApps(ctx context.Context, r *wire.Request) (any, error) {
	return graphList(ctx, s, r, keyApp, appCodec, "applications", func(a *Application) (any, filterable) { return viewApp(a), a })
}

func (s *Service) graphCreateApp(ctx context.Context, r *wire.Request, in *graphAppBody) (any, error) {
	app := &Application{TenantID: r.Principal.TenantID, ObjectID: ids.New(), AppID: ids.New(), SignInAudience: "AzureADMyOrg", Created: s.Clock.Now()}
	texts := map[string]string{}
	if err := s.apply(app, in, texts); err != nil {
		return nil, err
	}
	if err := app.validate(); err != nil {
		return nil, err
	}
	if u := graphClientOf(r).user; u != nil {
		app.Owners = []string{u.ObjectID}
	}
	if err := s.commit(ctx, app.TenantID, change{putApp: app}); err != nil {
		return nil, err
	}
	r.Resource = "application " + app.ObjectID
	shown := viewApp(app)
	for i := range shown.Passwords {
		if text, ok := texts[shown.Passwords[i].KeyID]; ok {
			shown.Passwords[i].SecretText = &text
		}
	}
	out, err := entityAnswer(r, "applications", shown)
	if err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

// graphAppOf finds the application that the path names, in the caller's tenant.
func (s *Service) graphAppOf(ctx context.Context, r *wire.Request) (*Application, error) {
	byAppID, id, err := pathKey(r)
	if err != nil {
		return nil, err
	}
	prefix := keyApp
	if byAppID {
		prefix = keyAppID
	}
	app, err := s.appAt(ctx, r.Principal.TenantID, prefix+strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	if app == nil {
		return nil, notFound("application", id)
	}
	r.Resource = "application " + app.ObjectID
	return app, nil
}

func (s *Service) graphGetApp(ctx context.Context, r *wire.Request) (any, error) {
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return entityAnswer(r, "applications", viewApp(app))
}

func (s *Service) graphPatchApp(ctx context.Context, r *wire.Request, in *graphAppBody) (any, error) {
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = s.ChangeApplication(ctx, app.TenantID, app.ObjectID, func(a *Application) error { return s.apply(a, in, nil) })
	return nil, err
}

func (s *Service) graphDeleteApp(ctx context.Context, r *wire.Request) (any, error) {
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return nil, s.DeleteApplication(ctx, app.TenantID, app.ObjectID)
}

// graphAddPassword takes an optional body, so it binds it itself.
func (s *Service) graphAddPassword(ctx context.Context, r *wire.Request) (any, error) {
	spec, err := passwordSpec(r)
	if err != nil {
		return nil, err
	}
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	secret, text, err := s.AddSecret(ctx, app.TenantID, app.ObjectID, spec)
	if err != nil {
		return nil, err
	}
	return answerSecret(r, secret, text), nil
}

func passwordSpec(r *wire.Request) (CredentialSpec, error) {
	var in struct {
		Password graphPasswordBody `json:"passwordCredential"`
	}
	if len(r.Body) > 0 {
		if err := wire.Bind(r, &in); err != nil {
			return CredentialSpec{}, err
		}
	}
	return CredentialSpec{DisplayName: in.Password.DisplayName, Start: in.Password.Start, End: in.Password.End}, nil
}

// answerSecret is the one answer that has a secret's text.
func answerSecret(r *wire.Request, secret *Secret, text string) any {
	shown := viewSecret(secret)
	shown.SecretText = &text
	return struct {
		Context string `json:"@odata.context"`
		graphPassword
	}{graphContext(r, "microsoft.graph.passwordCredential"), shown}
}

type removePasswordBody struct {
	KeyID string `json:"keyId"`
}

func (s *Service) graphRemovePassword(ctx context.Context, r *wire.Request, in *removePasswordBody) (any, error) {
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(app.Secrets, func(c Secret) bool { return strings.EqualFold(c.KeyID, in.KeyID) }) {
		return nil, fault.New(fault.Invalid, "Request_BadRequest", "No password credential found with keyId.")
	}
	return nil, s.RemoveCredential(ctx, app.TenantID, app.ObjectID, in.KeyID)
}
