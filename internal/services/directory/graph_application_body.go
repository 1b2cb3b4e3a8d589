package directory

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// graphAppBody is the body of POST and PATCH. What is left out stays as it is.
type graphAppBody struct {
	DisplayName    *string                    `json:"displayName"`
	IdentifierURIs *[]string                  `json:"identifierUris"`
	SignInAudience *string                    `json:"signInAudience"`
	GroupClaims    optional[string]           `json:"groupMembershipClaims"`
	Public         optional[bool]             `json:"isFallbackPublicClient"`
	Notes          optional[string]           `json:"notes"`
	Reference      optional[string]           `json:"serviceManagementReference"`
	Tags           optional[[]string]         `json:"tags"`
	OptionalClaims optional[json.RawMessage]  `json:"optionalClaims"`
	Required       optional[[]RequiredAccess] `json:"requiredResourceAccess"`
	AppRoles       optional[[]graphAppRole]   `json:"appRoles"`
	Keys           *[]graphKeyBody            `json:"keyCredentials"`
	Passwords      *[]graphPasswordBody       `json:"passwordCredentials"`
	TokenKey       optional[any]              `json:"tokenEncryptionKeyId"`
	API            struct {
		TokenVersion  optional[int]             `json:"requestedAccessTokenVersion"`
		Scopes        optional[[]graphScope]    `json:"oauth2PermissionScopes"`
		PreAuthorized optional[[]PreAuthorized] `json:"preAuthorizedApplications"`
	} `json:"api"`
	Web struct {
		HomePage  optional[string]   `json:"homePageUrl"`
		LogoutURL optional[string]   `json:"logoutUrl"`
		Redirects optional[[]string] `json:"redirectUris"`
		Implicit  struct {
			Access optional[bool] `json:"enableAccessTokenIssuance"`
			ID     optional[bool] `json:"enableIdTokenIssuance"`
		} `json:"implicitGrantSettings"`
	} `json:"web"`
	SPA struct {
		Redirects optional[[]string] `json:"redirectUris"`
	} `json:"spa"`
	PublicClient struct {
		Redirects optional[[]string] `json:"redirectUris"`
	} `json:"publicClient"`
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

// apply puts a body's properties into app. New secrets' texts go into texts by key id; nil texts means none may be made.
func (s *Service) apply(app *Application, in *graphAppBody, texts map[string]string) error {
	before := *app
	if in.TokenKey.Set && in.TokenKey.Value != nil {
		return badRequest("tokenEncryptionKeyId", "Encrypted tokens are not supported: property 'tokenEncryptionKeyId' must be null.")
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
	in.applyPlain(app)
	var err error
	if in.AppRoles.Set {
		if app.Roles, err = readRoles(in.AppRoles.Value); err != nil {
			return err
		}
	}
	if in.API.Scopes.Set {
		if app.Scopes, err = readScopes(in.API.Scopes.Value); err != nil {
			return err
		}
	}
	if err := checkEntitlements(&before, app); err != nil {
		return err
	}
	if in.Keys != nil {
		if app.Certificates, err = replaceKeys(app.Certificates, *in.Keys); err != nil {
			return err
		}
	}
	if err := s.applyPasswords(app, in, texts); err != nil {
		return err
	}
	return checkCount(app)
}

// applyPlain is apply for what needs no reading.
func (in *graphAppBody) applyPlain(app *Application) {
	in.GroupClaims.into(&app.GroupClaims)
	in.Public.into(&app.PublicClient)
	in.Notes.into(&app.Notes)
	in.Reference.into(&app.Reference)
	in.Tags.into(&app.Tags)
	in.OptionalClaims.into(&app.OptionalClaims)
	if string(app.OptionalClaims) == "null" {
		app.OptionalClaims = nil
	}
	in.Required.into(&app.RequiredAccess)
	in.API.TokenVersion.into(&app.TokenVersion)
	in.API.PreAuthorized.into(&app.PreAuthorized)
	in.Web.HomePage.into(&app.HomePage)
	in.Web.LogoutURL.into(&app.LogoutURL)
	in.Web.Redirects.into(&app.WebRedirectURIs)
	in.Web.Implicit.Access.into(&app.ImplicitAccess)
	in.Web.Implicit.ID.into(&app.ImplicitID)
	in.SPA.Redirects.into(&app.SPARedirectURIs)
	in.PublicClient.Redirects.into(&app.PublicRedirectURIs)
}

func (s *Service) applyPasswords(app *Application, in *graphAppBody, texts map[string]string) error {
	if in.Passwords == nil {
		return nil
	}
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
	return nil
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
