package directory

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/ids"
)

// graphAppRole is an application's role as Microsoft Graph shows and takes it.
type graphAppRole struct {
	ID          string   `json:"id"`
	Value       *string  `json:"value"`
	DisplayName string   `json:"displayName"`
	Description string   `json:"description"`
	MemberTypes []string `json:"allowedMemberTypes"`
	Enabled     *bool    `json:"isEnabled"`
	Origin      string   `json:"origin,omitempty"`
}

// graphScope is a delegated permission as Microsoft Graph shows and takes it.
type graphScope struct {
	ID               string  `json:"id"`
	Value            string  `json:"value"`
	Type             string  `json:"type"`
	AdminDisplayName *string `json:"adminConsentDisplayName"`
	AdminDescription *string `json:"adminConsentDescription"`
	UserDisplayName  *string `json:"userConsentDisplayName"`
	UserDescription  *string `json:"userConsentDescription"`
	Enabled          *bool   `json:"isEnabled"`
}

func viewRoles(roles []AppRole) []graphAppRole {
	out := []graphAppRole{}
	for _, r := range roles {
		on := !r.Disabled
		out = append(out, graphAppRole{r.ID, nullable(r.Value), r.DisplayName, r.Description, r.MemberTypes, &on, "Application"})
	}
	return out
}

func viewScopes(scopes []Scope) []graphScope {
	out := []graphScope{}
	for _, s := range scopes {
		on := !s.Disabled
		out = append(out, graphScope{
			s.ID, s.Value, s.Type, nullable(s.AdminDisplayName), nullable(s.AdminDescription), nullable(s.UserDisplayName), nullable(s.UserDescription), &on,
		})
	}
	return out
}

// entitlementsMax bounds roles and scopes of one application.
const entitlementsMax = 400

// readRoles checks roles; ids and values are unique.
func readRoles(in []graphAppRole) ([]AppRole, error) {
	var out []AppRole
	for _, r := range in {
		role := AppRole{
			ID: strings.ToLower(r.ID), Value: deref(r.Value), DisplayName: r.DisplayName, Description: r.Description, MemberTypes: r.MemberTypes,
			Disabled: r.Enabled != nil && !*r.Enabled,
		}
		switch {
		case !ids.IsGUID(role.ID) || role.ID == noRole:
			return nil, badRequest("appRoles", "Property 'id' of an application role must be a GUID.")
		case role.DisplayName == "" || len(role.DisplayName) > 256 || len(role.Description) > 1024:
			return nil, badRequest("appRoles", "An application role needs a 'displayName' of at most 256 characters.")
		case !validEntitlement(role.Value) && role.Value != "":
			return nil, badRequest("appRoles", fmt.Sprintf("Value '%s' of an application role must have at most 120 characters and no blanks.", clip(role.Value)))
		case len(role.MemberTypes) == 0 || slices.ContainsFunc(role.MemberTypes, func(t string) bool { return t != "User" && t != "Application" }):
			return nil, badRequest("appRoles", "Property 'allowedMemberTypes' of an application role must name 'User', 'Application' or both.")
		case slices.ContainsFunc(out, func(o AppRole) bool { return o.ID == role.ID || o.Value == role.Value && role.Value != "" }):
			return nil, badRequest("appRoles", "Application roles must have different ids and values.")
		case len(out) == entitlementsMax:
			return nil, badRequest("appRoles", "An application has at most 400 roles.")
		}
		out = append(out, role)
	}
	return out, nil
}

// readScopes checks delegated permissions; ids and values are unique.
func readScopes(in []graphScope) ([]Scope, error) {
	var out []Scope
	for _, s := range in {
		scope := Scope{
			ID: strings.ToLower(s.ID), Value: s.Value, Type: s.Type, AdminDisplayName: deref(s.AdminDisplayName), AdminDescription: deref(s.AdminDescription),
			UserDisplayName: deref(s.UserDisplayName), UserDescription: deref(s.UserDescription), Disabled: s.Enabled != nil && !*s.Enabled,
		}
		if scope.Type == "" {
			scope.Type = "User"
		}
		switch {
		case !ids.IsGUID(scope.ID) || scope.ID == noRole:
			return nil, badRequest("oauth2PermissionScopes", "Property 'id' of a permission scope must be a GUID.")
		case !validEntitlement(scope.Value):
			return nil, badRequest("oauth2PermissionScopes", fmt.Sprintf("Value '%s' of a permission scope must have 1 to 120 characters and no blanks.", clip(scope.Value)))
		case scope.Type != "User" && scope.Type != "Admin":
			return nil, badRequest("oauth2PermissionScopes", "Property 'type' of a permission scope must be 'User' or 'Admin'.")
		case len(scope.AdminDisplayName) > 100 || len(scope.UserDisplayName) > 100 || len(scope.AdminDescription) > 850 || len(scope.UserDescription) > 850:
			return nil, badRequest("oauth2PermissionScopes", "The texts of a permission scope are at most 100 (names) and 850 (descriptions) characters long.")
		case slices.ContainsFunc(out, func(o Scope) bool { return o.ID == scope.ID || o.Value == scope.Value }):
			return nil, badRequest("oauth2PermissionScopes", "Permission scopes must have different ids and values.")
		case len(out) == entitlementsMax:
			return nil, badRequest("oauth2PermissionScopes", "An application has at most 400 permission scopes.")
		}
		out = append(out, scope)
	}
	return out, nil
}

// validEntitlement tells whether a value may stand in a token, where blanks separate.
func validEntitlement(v string) bool {
	return v != "" && len(v) <= 120 && v[0] != '.' && strings.IndexFunc(v, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) < 0
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// validateAccess checks what an application says about where it is and what it needs.
func (a *Application) validateAccess() error {
	seen := map[string]bool{}
	for kind, uris := range map[string][]string{"web": a.WebRedirectURIs, "spa": a.SPARedirectURIs, "publicClient": a.PublicRedirectURIs} {
		for _, uri := range uris {
			u, err := url.Parse(uri)
			local := err == nil && u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
			switch {
			case err != nil || u.Scheme == "" || u.Fragment != "" || len(uri) > 2048 || strings.ContainsAny(uri, " \t\r\n*"):
				return badRequest("redirectUris", fmt.Sprintf("Redirect URI '%s' is not an absolute URI without a fragment or wildcard.", clip(uri)))
			case u.Scheme == "javascript" || u.Scheme == "data" || u.Scheme == "file" || u.Scheme == "http" && !local, kind != "publicClient" && u.Scheme != "https" && !local:
				return badRequest("redirectUris", fmt.Sprintf("Redirect URI '%s' must begin with https://, or http:// for this machine.", clip(uri)))
			case seen[uri]:
				return badRequest("redirectUris", fmt.Sprintf("Redirect URI '%s' is given twice.", clip(uri)))
			}
			seen[uri] = true
		}
	}
	if len(seen) > 256 {
		return badRequest("redirectUris", "An application has at most 256 redirect URIs.")
	}
	for _, r := range a.RequiredAccess {
		for _, n := range r.Access {
			if !ids.IsGUID(n.ID) || n.Type != "Scope" && n.Type != "Role" {
				return badRequest("requiredResourceAccess", "Each 'resourceAccess' needs a GUID as 'id' and 'Scope' or 'Role' as 'type'.")
			}
		}
		if !ids.IsGUID(r.ResourceAppID) || len(r.Access) == 0 {
			return badRequest("requiredResourceAccess", "Each 'requiredResourceAccess' needs a GUID as 'resourceAppId' and at least one 'resourceAccess'.")
		}
	}
	for _, p := range a.PreAuthorized {
		for _, id := range p.ScopeIDs {
			if !slices.ContainsFunc(a.Scopes, func(s Scope) bool { return strings.EqualFold(s.ID, id) }) {
				return badRequest("preAuthorizedApplications", "Property 'delegatedPermissionIds' names a permission scope that the application does not define.")
			}
		}
		if !ids.IsGUID(p.AppID) {
			return badRequest("preAuthorizedApplications", "Each of 'preAuthorizedApplications' needs a GUID as 'appId'.")
		}
	}
	if len(a.Tags) > 60 || len(a.Notes) > 1024 || len(a.HomePage)+len(a.LogoutURL)+len(a.Reference) > 4096 || len(a.OptionalClaims) > 64<<10 {
		return badRequest("", "A property of the application is too long.")
	}
	return nil
}
