package directory

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/url"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// assertionType is the only client_assertion_type, RFC 7523.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// tokenForm is a token request as it was sent. It holds credentials: never log it.
type tokenForm struct {
	grantType     string
	clientID      string
	clientSecret  string
	assertion     string // client_assertion
	assertionType string
	resource      string
	scope         string
	claims        string
	hasSecret     bool // client_secret is there, if only empty

	code, redirectURI, verifier string // authorization_code
	refreshToken                string
	deviceCode                  string
	username, password          string
	onBehalf                    string // the user's token, of on-behalf-of
	tokenUse                    string // requested_token_use
	clientInfo                  bool
}

// parseForm reads a token request: the form, and HTTP Basic for the client's credentials.
func parseForm(r *wire.Request) (*tokenForm, error) {
	if ct := r.HTTP.Header.Get("Content-Type"); ct != "" {
		if media, _, err := mime.ParseMediaType(ct); err != nil || media != "application/x-www-form-urlencoded" {
			return nil, malformed("The body must be application/x-www-form-urlencoded.")
		}
	}
	values, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, malformed("The body is not a well-formed form.")
	}
	f := &tokenForm{
		grantType: values.Get("grant_type"), clientID: strings.TrimSpace(values.Get("client_id")), clientSecret: values.Get("client_secret"),
		assertion: strings.TrimSpace(values.Get("client_assertion")), assertionType: values.Get("client_assertion_type"),
		resource: strings.TrimSpace(values.Get("resource")), scope: values.Get("scope"), claims: values.Get("claims"), hasSecret: values.Has("client_secret"),
	}
	f.code, f.redirectURI, f.verifier = values.Get("code"), values.Get("redirect_uri"), values.Get("code_verifier")
	f.refreshToken, f.deviceCode = values.Get("refresh_token"), values.Get("device_code")
	f.username, f.password = strings.TrimSpace(values.Get("username")), values.Get("password")
	f.onBehalf, f.tokenUse = strings.TrimSpace(values.Get("assertion")), values.Get("requested_token_use")
	f.clientInfo = values.Get("client_info") == "1"
	for name, v := range values {
		if len(v) > 1 {
			return nil, malformed("The parameter '%s' is given more than once.", clip(name))
		}
	}
	if err := f.basic(r.HTTP.Header.Get("Authorization")); err != nil {
		return nil, err
	}
	if f.assertion != "" && f.hasSecret {
		return nil, malformed("More than one client credential is given.")
	}
	return f, nil
}

// basic takes the client's credentials from an Authorization header (RFC 6749, section 2.3.1: both parts form-encoded). Other schemes are ignored.
func (f *tokenForm) basic(header string) error {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	id, secret, ok := strings.Cut(string(raw), ":")
	if err != nil || !ok {
		return malformed("The Authorization header is not well-formed HTTP Basic.")
	}
	// A secret sent raw may hold a stray percent sign; then it stands for itself.
	if v, err := url.QueryUnescape(id); err == nil {
		id = v
	}
	if v, err := url.QueryUnescape(secret); err == nil {
		secret = v
	}
	if f.hasSecret || f.clientID != "" && !strings.EqualFold(f.clientID, id) {
		return malformed("More than one client credential is given.")
	}
	f.clientID, f.clientSecret, f.hasSecret = id, secret, true
	return nil
}

// standardScopes ask for what only a sign-in of a user gives; clients send them along regardless.
var standardScopes = []string{"openid", "offline_access", "profile", "email"}

// target is the resource a token request names. The version 1 endpoint takes it from resource, the version 2 endpoint from the one scope
// "<resource>/.default", of which exactly that suffix is stripped: "https://management.core.windows.net//.default" keeps its slash.
func (f *tokenForm) target(e endpoint) (string, error) {
	if f.resource != "" {
		if e.v2 && !e.adfs {
			return "", oauth(fault.Invalid, 901002, "invalid_request", "The 'resource' request parameter is not supported.")
		}
		return f.resource, nil
	}
	if f.scope == "" {
		if e.v2 {
			return "", missing("scope")
		}
		return "", missing("resource")
	}
	var named []string
	for _, scope := range strings.Fields(f.scope) {
		if !slices.Contains(standardScopes, strings.ToLower(scope)) {
			named = append(named, scope)
		}
	}
	switch {
	case len(named) == 0:
		return "", oauth(fault.Invalid, 70011, "invalid_scope",
			"The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope '%s' is not valid.", clip(f.scope))
	case len(named) > 1:
		return "", oauth(fault.Invalid, 28000, "invalid_request",
			"Provided value for the input parameter scope is not valid because it contains more than one resource. Scope '%s' is not valid.", clip(f.scope))
	}
	resource, ok := strings.CutSuffix(named[0], "/.default")
	if !ok || resource == "" {
		return "", oauth(fault.Invalid, 1002012, "invalid_scope",
			"The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", clip(f.scope))
	}
	return resource, nil
}

// capabilities are the client capabilities (xms_cc) that the claims parameter announces. What else it asks for is for users' tokens.
func (f *tokenForm) capabilities() ([]string, error) {
	if f.claims == "" {
		return nil, nil
	}
	var c struct {
		AccessToken struct {
			CC *struct {
				Values []string `json:"values"`
			} `json:"xms_cc"`
		} `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(f.claims), &c); err != nil {
		return nil, malformed("The 'claims' parameter is not a JSON object of the expected form.")
	}
	if c.AccessToken.CC == nil {
		return nil, nil
	}
	var out []string
	for _, v := range c.AccessToken.CC.Values {
		if strings.EqualFold(v, "cp1") {
			out = append(out, "CP1")
		}
	}
	return out, nil
}
