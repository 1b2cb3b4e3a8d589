package directory

import (
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

const (
	graphAppID    = "00000003-0000-0000-c000-000000000000"
	graphResource = "https://graph.microsoft.com"
	// legacyGraph is what the version 1 endpoints take for granted when no resource is named.
	legacyGraph = "00000002-0000-0000-c000-000000000000"
	scopeMax    = 4096 // bytes
)

// parseWanted reads what a user's client asks for: scopes at the version 2 endpoints, a resource at those of version 1. A scope is
// "<resource>/<name>", cut at its last slash, so that "https://management.core.windows.net//.default" keeps the resource's own; without a resource
// it is Microsoft Graph's. All must be of one resource.
func parseWanted(e endpoint, resource, scope string) (wanted, error) {
	var w wanted
	if len(scope) > scopeMax || len(resource) > maxName {
		return w, oauth(fault.Invalid, 70011, "invalid_scope", "The provided value for the input parameter 'scope' is too long.")
	}
	if resource != "" && e.v2 && !e.adfs {
		return w, oauth(fault.Invalid, 901002, "invalid_request", "The 'resource' request parameter is not supported.")
	}
	for _, name := range strings.Fields(scope) {
		if err := w.add(name, e.v2 && resource == ""); err != nil {
			return w, err
		}
	}
	if resource != "" {
		w.Resource, w.Scopes = resource, []string{".default"}
	}
	return w, nil
}

// add takes one scope in. At the version 1 endpoints only those of OpenID Connect mean anything.
func (w *wanted) add(scope string, resources bool) error {
	switch strings.ToLower(scope) {
	case "openid":
		w.OpenID = true
		return nil
	case "profile":
		w.Profile = true
		return nil
	case "email":
		w.Email = true
		return nil
	case "offline_access":
		w.Offline = true
		return nil
	}
	if !resources {
		return nil
	}
	resource, name, bare := graphResource, scope, true
	if i := strings.LastIndexByte(scope, '/'); i >= 0 {
		resource, name, bare = scope[:i], scope[i+1:], false
	}
	if resource == "" || name == "" || !validScope(name) {
		return oauth(fault.Invalid, 70011, "invalid_scope",
			"The provided value for the input parameter 'scope' is not valid. The scope '%s' is not valid.", clip(scope))
	}
	if w.Resource != "" && w.Resource != resource {
		return oauth(fault.Invalid, 28000, "invalid_request",
			"Provided value for the input parameter scope is not valid because it contains more than one resource. Scope '%s' is not valid.", clip(scope))
	}
	if slices.Contains(w.Scopes, ".default") != (name == ".default") && len(w.Scopes) > 0 {
		return oauth(fault.Invalid, 70011, "invalid_scope",
			"The provided value for the input parameter 'scope' is not valid. The .default scope can't be combined with resource-specific scopes.")
	}
	w.Resource, w.Bare = resource, bare
	if !slices.Contains(w.Scopes, name) {
		w.Scopes = append(w.Scopes, name)
	}
	return nil
}

// validScope tells whether name is printable ASCII as RFC 6749 has it, without what would break a list of them.
func validScope(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return len(name) <= 120
}

// empty tells whether nothing at all was asked for.
func (w *wanted) empty() bool {
	return w.Resource == "" && !w.OpenID && !w.Profile && !w.Email && !w.Offline
}

// target is the resource of the access token.
func (w *wanted) target(v2 bool) string {
	switch {
	case w.Resource != "":
		return w.Resource
	case v2:
		return graphAppID
	}
	return legacyGraph
}

// oidc are the scopes of OpenID Connect asked for, which Entra ID counts as Microsoft Graph's.
func (w *wanted) oidc() []string {
	var out []string
	for _, s := range []struct {
		on   bool
		name string
	}{{w.Email, "email"}, {w.Offline, "offline_access"}, {w.OpenID, "openid"}, {w.Profile, "profile"}} {
		if s.on {
			out = append(out, s.name)
		}
	}
	return out
}

// shown is the scope of an answer: what was granted, spelt as the client spells it, since clients compare. granted are names on w's resource.
func (w *wanted) shown(granted []string) string {
	prefix := w.Resource + "/"
	if w.Bare || w.Resource == "" {
		prefix = ""
	}
	var out []string
	for _, name := range w.oidc() {
		if name != "offline_access" {
			out = append(out, name)
		}
	}
	for _, name := range granted {
		if prefix != "" || !slices.Contains(out, name) {
			out = append(out, prefix+name)
		}
	}
	if slices.Contains(w.Scopes, ".default") {
		out = append(out, prefix+".default")
	}
	return strings.Join(out, " ")
}
