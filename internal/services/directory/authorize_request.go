package directory

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// authRequest is what a client asks of the authorization endpoint, checked. It travels through the browser in a sealed form (flow).
type authRequest struct {
	Segment  string        `json:"segment"` // tenant in the path, as it was given
	V2       bool          `json:"v2,omitempty"`
	ClientID string        `json:"clientId"`
	Redirect string        `json:"redirect"`
	Kind     uriKind       `json:"kind"`
	Mode     string        `json:"mode"` // query, fragment, form_post
	Code     bool          `json:"code,omitempty"`
	IDToken  bool          `json:"idToken,omitempty"`
	State    string        `json:"state,omitempty"`
	Nonce    string        `json:"nonce,omitempty"`
	Prompt   string        `json:"prompt,omitempty"`
	Hint     string        `json:"hint,omitempty"`
	MaxAge   time.Duration `json:"maxAge,omitempty"` // < 0: none
	PKCE     string        `json:"pkce,omitempty"`   // S256 challenge
	Wanted   wanted        `json:"wanted"`
	Device   string        `json:"device,omitempty"` // instead of a redirect: the device code's row, in hexadecimal
	Begun    time.Time     `json:"begun"`
}

// authParamMax bounds each parameter of an authorization request.
const authParamMax = 4096

// authorizeApp finds the client and the place to answer to. What is wrong here must not be told to the redirect URI: nobody vouches for it yet.
func (s *Service) authorizeApp(ctx context.Context, r *wire.Request, q url.Values) (*Application, replyURI, error) {
	var to replyURI
	for name, v := range q {
		if len(v) > 1 || len(v[0]) > authParamMax {
			return nil, to, malformed("The parameter '%s' is given more than once or is too long.", clip(name))
		}
	}
	app, err := s.clientApp(ctx, r.Param("tenant"), q.Get("client_id"))
	if err != nil {
		return nil, to, err
	}
	registered := replyURIs(app, r)
	asked := q.Get("redirect_uri")
	if asked == "" && len(registered) == 1 && validRedirect(registered[0].uri) {
		return app, registered[0], nil
	}
	if asked == "" && len(registered) == 0 {
		return nil, to, oauth(fault.Invalid, 500113, "invalid_request", "No reply address is registered for the application.")
	}
	if asked == "" {
		return nil, to, missing("redirect_uri")
	}
	to, ok := matchRedirect(registered, asked)
	if !ok || !validRedirect(asked) {
		return nil, to, oauth(fault.Invalid, 50011, "invalid_request",
			"The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI "+
				"sent in the request matches one added to your application.", clip(asked), app.AppID)
	}
	return app, to, nil
}

// clientApp finds the client of a request that names no credential: in the tenant of the path, or anywhere if that names none.
func (s *Service) clientApp(ctx context.Context, segment, clientID string) (*Application, error) {
	if clientID == "" {
		return nil, missing("client_id")
	}
	if first := findFirstClient(clientID); first != nil {
		_, app := first.in(&Tenant{})
		return app, nil
	}
	app, err := s.FindApplication(ctx, clientID)
	if err != nil {
		return nil, err
	}
	notThere := oauth(fault.Invalid, 700016, "unauthorized_client",
		"Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the "+
			"administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
		clip(clientID), clip(segment))
	if app == nil {
		return nil, notThere
	}
	if reserved(segment) {
		if app.SignInAudience == "AzureADMyOrg" && !strings.EqualFold(segment, "adfs") {
			return nil, oauth(fault.Invalid, 50194, "invalid_request",
				"Application '%s'(%s) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps. Use a "+
					"tenant-specific endpoint or configure the application to be multi-tenant.", app.AppID, app.DisplayName)
		}
		return app, nil
	}
	tenant, err := s.pathTenant(ctx, segment)
	if err != nil {
		return nil, err
	}
	if app.TenantID != tenant.ID && app.SignInAudience == "AzureADMyOrg" {
		return nil, notThere
	}
	return app, nil
}

// reserved tells whether a path segment is an authority that names no tenant.
func reserved(segment string) bool { return slices.Contains(reservedTenants, strings.ToLower(segment)) }

// replyURIs lists where the application's users may be sent back to. The request is for the names of the portal.
func replyURIs(app *Application, r *wire.Request) []replyURI {
	var out []replyURI
	if first := findFirstClient(app.AppID); first != nil {
		for _, uri := range first.redirects {
			out = append(out, replyURI{uri, publicURI})
		}
		if first.portal {
			out = append(out, replyURI{r.URL(wire.HostPortal, "") + portalReply, publicURI})
		}
		return out
	}
	for _, l := range []struct {
		kind uriKind
		uris []string
	}{{webURI, app.WebRedirectURIs}, {spaURI, app.SPARedirectURIs}, {publicURI, app.PublicRedirectURIs}} {
		for _, uri := range l.uris {
			out = append(out, replyURI{uri, l.kind})
		}
	}
	return out
}

// parseAuthRequest reads the rest of an authorization request. Its errors are for the redirect URI, in the mode that req then has.
func parseAuthRequest(req *authRequest, app *Application, q url.Values) error {
	req.State, req.Nonce, req.Hint, req.Prompt = q.Get("state"), q.Get("nonce"), q.Get("login_hint"), q.Get("prompt")
	if err := req.responseType(app, q.Get("response_type")); err != nil {
		return err
	}
	if err := req.responseMode(q.Get("response_mode")); err != nil {
		return err
	}
	if err := req.challenge(q.Get("code_challenge"), q.Get("code_challenge_method")); err != nil {
		return err
	}
	switch req.Prompt {
	case "", "none", "login", "select_account", "consent":
	case "admin_consent", "create":
		return oauth(fault.Invalid, 90023, "invalid_request", "The prompt '%s' is not served here.", req.Prompt)
	default:
		return oauth(fault.Invalid, 90023, "invalid_request", "Unsupported 'prompt' value '%s'.", clip(req.Prompt))
	}
	req.MaxAge = -1
	if v := q.Get("max_age"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > 1<<30 {
			return malformed("The parameter 'max_age' is not a number of seconds.")
		}
		req.MaxAge = time.Duration(n) * time.Second
	}
	var err error
	if req.Wanted, err = parseWanted(endpoint{v2: req.V2}, q.Get("resource"), q.Get("scope")); err != nil {
		return err
	}
	switch {
	case req.V2 && req.Wanted.empty():
		return missing("scope")
	case req.IDToken && req.V2 && !req.Wanted.OpenID:
		return oauth(fault.Invalid, 70011, "invalid_scope", "The scope 'openid' must be requested for the response type 'id_token'.")
	case req.IDToken && req.Nonce == "":
		return missing("nonce")
	}
	return nil
}

func (req *authRequest) responseType(app *Application, text string) error {
	if text == "" {
		return missing("response_type")
	}
	for _, t := range strings.Fields(text) {
		switch t {
		case "code":
			req.Code = true
		case "id_token":
			req.IDToken = true
			if !app.ImplicitID {
				req.Mode = "fragment"
				return oauth(fault.Invalid, 700054, "unsupported_response_type", "response_type 'id_token' is not enabled for the application.")
			}
		case "token":
			req.Mode = "fragment"
			return oauth(fault.Invalid, 700051, "unsupported_response_type",
				"response_type 'token' is not served here: the implicit grant puts access tokens into addresses. Use 'code' with PKCE.")
		default:
			return oauth(fault.Invalid, 700053, "unsupported_response_type", "response_type '%s' is not supported.", clip(t))
		}
	}
	return nil
}

func (req *authRequest) responseMode(mode string) error {
	req.Mode = "query"
	if req.IDToken {
		req.Mode = "fragment"
	}
	switch mode {
	case "":
	case "query":
		if req.IDToken {
			return oauth(fault.Invalid, 70007, "unsupported_response_mode", "'query' is not a supported value of 'response_mode' when requesting a token.")
		}
	case "fragment", "form_post":
		req.Mode = mode
	default:
		return oauth(fault.Invalid, 70007, "unsupported_response_mode", "'%s' is not a supported value of 'response_mode'.", clip(mode))
	}
	return nil
}

// challenge takes a PKCE challenge (RFC 7636) in its S256 form. The form plain protects nothing where an address leaks, and is refused.
func (req *authRequest) challenge(challenge, method string) error {
	switch {
	case challenge == "" && method == "":
		if req.Kind == spaURI && req.Code {
			return oauth(fault.Invalid, 9002325, "invalid_request", "Proof Key for Code Exchange is required for cross-origin authorization code redemption.")
		}
		return nil
	case method != "S256":
		return oauth(fault.Invalid, 501491, "invalid_request", "The 'code_challenge_method' must be 'S256'; 'plain' is not accepted here.")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if err != nil || len(b) != sha256.Size {
		return oauth(fault.Invalid, 501491, "invalid_request", "Invalid size of Code_Challenge parameter.")
	}
	req.PKCE = challenge
	return nil
}

// checkVerifier tells whether verifier is what the challenge was made of.
func checkVerifier(challenge, verifier string) error {
	switch {
	case challenge == "" && verifier == "":
		return nil
	case challenge == "":
		return oauth(fault.Invalid, 501481, "invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the authorization request: there was none.")
	case verifier == "":
		return oauth(fault.Invalid, 50148, "invalid_grant", "The request body must contain the following parameter: 'code_verifier'.")
	}
	sum := sha256.Sum256([]byte(verifier))
	if len(verifier) < 43 || len(verifier) > 128 || base64.RawURLEncoding.EncodeToString(sum[:]) != challenge {
		return oauth(fault.Invalid, 501481, "invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	}
	return nil
}
