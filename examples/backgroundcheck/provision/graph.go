package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// application is what is needed of Microsoft Graph's.
type application struct {
	ID             string   `json:"id"`
	AppID          string   `json:"appId"`
	IdentifierURIs []string `json:"identifierUris"`
	Keys           []struct {
		Identifier string `json:"customKeyIdentifier"`
		KeyID      string `json:"keyId"`
	} `json:"keyCredentials"`
	Passwords []struct {
		KeyID string `json:"keyId"`
	} `json:"passwordCredentials"`
}

type list[T any] struct {
	Value []T `json:"value"`
}

func filter(property, value string) string {
	return "?$filter=" + url.QueryEscape(property+" eq '"+strings.ReplaceAll(value, "'", "''")+"'")
}

// ensureApplication finds the application with that name in the administrator's directory, or makes it.
func (a *admin) ensureApplication(ctx context.Context, name, audience string) (*application, error) {
	var found list[application]
	if err := a.graph.call(ctx, http.MethodGet, "/applications"+filter("displayName", name), nil, &found); err != nil {
		return nil, err
	}
	if len(found.Value) > 0 {
		return &found.Value[0], nil
	}
	var made application
	err := a.graph.call(ctx, http.MethodPost, "/applications", map[string]any{"displayName": name, "signInAudience": audience}, &made)
	return &made, err
}

// ensurePrincipal makes sure the administrator's directory has a service principal of the application, and returns its object id.
func (a *admin) ensurePrincipal(ctx context.Context, appID string) (string, error) {
	type principal struct {
		ID string `json:"id"`
	}
	var found list[principal]
	if err := a.graph.call(ctx, http.MethodGet, "/servicePrincipals"+filter("appId", appID), nil, &found); err != nil {
		return "", err
	}
	if len(found.Value) > 0 {
		return found.Value[0].ID, nil
	}
	var made principal
	err := a.graph.call(ctx, http.MethodPost, "/servicePrincipals", map[string]string{"appId": appID}, &made)
	return made.ID, err
}

// ensureAPI registers the service itself as an API that applications of every directory may get tokens for.
func (a *admin) ensureAPI(ctx context.Context, name string) (*application, error) {
	api, err := a.ensureApplication(ctx, name, "AzureADMultipleOrgs")
	if err != nil {
		return nil, err
	}
	if len(api.IdentifierURIs) == 0 {
		api.IdentifierURIs = []string{"api://" + api.AppID}
		err := a.graph.call(ctx, http.MethodPatch, "/applications/"+api.ID, map[string]any{
			"identifierUris": api.IdentifierURIs, "api": map[string]any{"requestedAccessTokenVersion": 2},
		}, nil)
		if err != nil {
			return nil, err
		}
	}
	_, err = a.ensurePrincipal(ctx, api.AppID)
	return api, err
}

// addPassword gives an application a new secret.
func (a *admin) addPassword(ctx context.Context, app *application) (string, error) {
	var made struct {
		Text string `json:"secretText"`
	}
	err := a.graph.call(ctx, http.MethodPost, "/applications/"+app.ID+"/addPassword", map[string]any{
		"passwordCredential": map[string]string{"displayName": "kept in Key Vault"},
	}, &made)
	return made.Text, err
}

// setCertificate makes the certificate the only one the application may sign in with.
func (a *admin) setCertificate(ctx context.Context, app *application, cert *x509.Certificate) error {
	return a.graph.call(ctx, http.MethodPatch, "/applications/"+app.ID, map[string]any{
		"keyCredentials": []any{map[string]any{
			"type": "AsymmetricX509Cert", "usage": "Verify", "displayName": cert.Subject.String(), "key": base64.StdEncoding.EncodeToString(cert.Raw),
		}},
	}, nil)
}
