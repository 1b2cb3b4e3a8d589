package directory

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// graphApp is an application as Microsoft Graph shows it.
// https://learn.microsoft.com/graph/api/resources/application
type graphApp struct {
	ID             string          `json:"id"`
	Deleted        *string         `json:"deletedDateTime"`
	AppID          string          `json:"appId"`
	Created        string          `json:"createdDateTime"`
	DisplayName    string          `json:"displayName"`
	IdentifierURIs []string        `json:"identifierUris"`
	Publisher      *string         `json:"publisherDomain"`
	SignInAudience string          `json:"signInAudience"`
	Tags           []string        `json:"tags"`
	API            graphAPI        `json:"api"`
	AppRoles       []any           `json:"appRoles"`
	Keys           []graphKey      `json:"keyCredentials"`
	Passwords      []graphPassword `json:"passwordCredentials"`
}

type graphAPI struct {
	TokenVersion *int `json:"requestedAccessTokenVersion"`
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
		ID: a.ObjectID, AppID: a.AppID, Created: graphTime(a.Created), DisplayName: a.DisplayName,
		IdentifierURIs: append([]string{}, a.IdentifierURIs...), SignInAudience: a.SignInAudience, Tags: []string{}, AppRoles: []any{},
		Keys: []graphKey{}, Passwords: []graphPassword{},
	}
	if a.TokenVersion != 0 {
		v := a.TokenVersion
		out.API.TokenVersion = &v
	}
	for i := range a.Certificates {
		c := &a.Certificates[i]
		out.Keys = append(out.Keys, graphKey{
			Identifier: c.Thumbprint(), DisplayName: c.DisplayName, Start: graphTime(c.Start), End: graphTime(c.End), KeyID: c.KeyID,
			Type: "AsymmetricX509Cert", Usage: "Verify",
		})
	}
	for i := range a.Secrets {
		out.Passwords = append(out.Passwords, viewSecret(&a.Secrets[i]))
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

// graphCreate and graphChange are the bodies of POST and PATCH. A property left out is nil.
type graphAppBody struct {
	DisplayName    *string              `json:"displayName"`
	IdentifierURIs *[]string            `json:"identifierUris"`
	SignInAudience *string              `json:"signInAudience"`
	API            *graphAPI            `json:"api"`
	Keys           *[]graphKeyBody      `json:"keyCredentials"`
	Passwords      *[]graphPasswordBody `json:"passwordCredentials"`
	AppRoles       []json.RawMessage    `json:"appRoles"`
}

type graphKeyBody struct {
	KeyID       string    `json:"keyId"`
	DisplayName string    `json:"displayName"`
	Key         []byte    `json:"key"` // DER, base64
	Type        string    `json:"type"`
	Usage       string    `json:"usage"`
	Start       time.Time `json:"startDateTime"`
	End         time.Time `json:"endDateTime"`
}

type graphPasswordBody struct {
	KeyID       string    `json:"keyId"`
	DisplayName string    `json:"displayName"`
	SecretText  string    `json:"secretText"`
	Start       time.Time `json:"startDateTime"`
	End         time.Time `json:"endDateTime"`
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

// apply puts a body's properties into app. New secrets' texts go into texts by key id; nil texts means none may be made.
func (s *Service) apply(app *Application, in *graphAppBody, texts map[string]string) error {
	if len(in.AppRoles) > 0 {
		return badRequest("appRoles", "Application roles are not supported yet.")
	}
	if in.DisplayName != nil {
		app.DisplayName = strings.TrimSpace(*in.DisplayName)
	}
	if in.IdentifierURIs != nil {
		app.IdentifierURIs = slices.Clone(*in.IdentifierURIs)
	}
	if in.SignInAudience != nil {
		app.SignInAudience = *in.SignInAudience
	}
	if in.API != nil {
		app.TokenVersion = 0
		if in.API.TokenVersion != nil {
			app.TokenVersion = *in.API.TokenVersion
		}
	}
	if in.Keys != nil {
		kept, err := replaceKeys(app.Certificates, *in.Keys)
		if err != nil {
			return err
		}
		app.Certificates = kept
	}
	if in.Passwords != nil {
		if texts == nil && len(*in.Passwords) > 0 {
			return badRequest("passwordCredentials", "Secrets are added with addPassword and removed with removePassword.")
		}
		for _, p := range *in.Passwords {
			if p.SecretText != "" {
				return badRequest("passwordCredentials", "A secret's text is chosen by the service.")
			}
			secret, text := s.newSecret(CredentialSpec{DisplayName: p.DisplayName, Start: p.Start, End: p.End})
			if !secret.Start.Before(secret.End) {
				return badRequest("endDateTime", "The end of a credential must be later than its start.")
			}
			secret.MAC = s.secretMAC(app, secret.KeyID, text)
			texts[secret.KeyID] = text
			app.Secrets = append(app.Secrets, *secret)
		}
	}
	return checkCount(app)
}

// replaceKeys is what a PATCH of keyCredentials means: the list becomes the whole of them; an entry without a key keeps the one with its keyId.
func replaceKeys(have []Certificate, want []graphKeyBody) ([]Certificate, error) {
	var out []Certificate
	for _, k := range want {
		if len(k.Key) == 0 {
			i := slices.IndexFunc(have, func(c Certificate) bool { return strings.EqualFold(c.KeyID, k.KeyID) })
			if i < 0 {
				return nil, badRequest("keyCredentials", "A key credential without a key must name an existing one by keyId.")
			}
			out = append(out, have[i])
			continue
		}
		if k.Type != "" && !strings.EqualFold(k.Type, "AsymmetricX509Cert") || k.Usage != "" && !strings.EqualFold(k.Usage, "Verify") {
			return nil, badRequest("keyCredentials", "Only key credentials of type AsymmetricX509Cert and usage Verify are supported.")
		}
		der := k.Key
		if decoded, err := base64.StdEncoding.DecodeString(string(der)); err == nil { // az sends base64 of base64
			der = decoded
		}
		c, err := newCertificate(der, CredentialSpec{DisplayName: k.DisplayName, Start: k.Start, End: k.End})
		if err != nil {
			return nil, err
		}
		if ids.IsGUID(k.KeyID) {
			c.KeyID = strings.ToLower(k.KeyID)
		}
		out = append(out, *c)
	}
	return out, nil
}

// graphAppOf finds the application that the path names, in the caller's tenant.
func (s *Service) graphAppOf(ctx context.Context, r *wire.Request) (*Application, error) {
	app, err := s.Application(ctx, r.Principal.TenantID, r.Param("id"))
	if err != nil {
		return nil, err
	}
	if app == nil {
		return nil, notFound("application", r.Param("id"))
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
	var in struct {
		Password graphPasswordBody `json:"passwordCredential"`
	}
	if len(r.Body) > 0 {
		if err := wire.Bind(r, &in); err != nil {
			return nil, err
		}
	}
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	secret, text, err := s.AddSecret(ctx, app.TenantID, app.ObjectID, CredentialSpec{
		DisplayName: in.Password.DisplayName, Start: in.Password.Start, End: in.Password.End,
	})
	if err != nil {
		return nil, err
	}
	shown := viewSecret(secret)
	shown.SecretText = &text
	return struct {
		Context string `json:"@odata.context"`
		graphPassword
	}{graphContext(r, "microsoft.graph.passwordCredential"), shown}, nil
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
