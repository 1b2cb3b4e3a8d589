package directory

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	codeLife  = 10 * time.Minute
	pageLimit = 64 << 10
)

func (s *Service) authorizeRoutes() []wire.Route {
	route := func(method, pattern, operation string, h wire.Handler) wire.Route {
		return wire.Route{
			Host: wire.HostLogin, Method: method, Pattern: pattern, Operation: operation, BodyLimit: pageLimit, Auth: wire.Anonymous, Handler: s.page(h),
		}
	}
	return []wire.Route{
		route("GET", "/{tenant}/oauth2/authorize", "AuthorizeV1", func(ctx context.Context, r *wire.Request) (any, error) { return s.authorize(ctx, r, false) }),
		route("GET", "/{tenant}/oauth2/v2.0/authorize", "AuthorizeV2", func(ctx context.Context, r *wire.Request) (any, error) { return s.authorize(ctx, r, true) }),
		route("POST", "/{tenant}/login", "SignIn", s.postLogin),
		route("POST", "/{tenant}/consent", "Consent", s.postConsent),
		route("GET", "/{tenant}/oauth2/logout", "SignOutV1", s.signOut),
		route("GET", "/{tenant}/oauth2/v2.0/logout", "SignOutV2", s.signOut),
		route("GET", "/{tenant}/oauth2/nativeclient", "NativeClient", func(context.Context, *wire.Request) (any, error) {
			return s.render(http.StatusOK, view{Title: "Signed in", Done: "You can close this page and go back to the application."}, "")
		}),
	}
}

// authorize begins an authorization request: checks who asks and where the answer may go, then signs the user in.
func (s *Service) authorize(ctx context.Context, r *wire.Request, v2 bool) (any, error) {
	segment, err := s.authority(ctx, r)
	if err != nil {
		return nil, err
	}
	q, err := url.ParseQuery(r.HTTP.URL.RawQuery)
	if err != nil {
		return nil, malformed("The query is not well-formed.")
	}
	app, to, err := s.authorizeApp(ctx, r, q)
	if err != nil {
		return nil, err
	}
	r.Resource = "client " + app.AppID
	req := &authRequest{Segment: segment, V2: v2, ClientID: app.AppID, Redirect: to.uri, Kind: to.kind, Mode: "query", Begun: s.Clock.Now()}
	if err := parseAuthRequest(req, app, q); err != nil {
		return s.refuse(r, req, app, err)
	}
	return s.proceed(ctx, r, req, app)
}

// proceed takes a request as far as it gets: to the sign-in page, the consent page, or the answer.
func (s *Service) proceed(ctx context.Context, r *wire.Request, req *authRequest, app *Application) (any, error) {
	have, err := s.session(ctx, r)
	if err != nil {
		return nil, err
	}
	switch {
	case have == nil || !s.suits(req, have):
		if req.Prompt == "none" {
			return s.refuse(r, req, app, oauth(fault.Invalid, 50058, "login_required",
				"A silent sign-in request was sent but no user is signed in."))
		}
		return s.loginPage(ctx, r, req, app, nil, "")
	case req.Prompt == "select_account" && have.login.At.Before(req.Begun):
		return s.loginPage(ctx, r, req, app, have, "")
	}
	return s.signedIn(ctx, r, req, app, have)
}

// suits tells whether a session will do for the request: of the tenant asked for, of the user hinted at, and fresh enough.
func (s *Service) suits(req *authRequest, have *session) bool {
	switch {
	case !reserved(req.Segment) && req.Segment != have.tenant.ID,
		req.Prompt == "login" && have.login.At.Before(req.Begun),
		req.MaxAge >= 0 && s.Clock.Now().Sub(have.login.At) > req.MaxAge && have.login.At.Before(req.Begun),
		strings.Contains(req.Hint, "@") && !strings.EqualFold(req.Hint, have.user.UPN):
		return false
	}
	return true
}

// signedIn goes on once the user is known: consent, then the answer.
func (s *Service) signedIn(ctx context.Context, r *wire.Request, req *authRequest, app *Application, have *session) (any, error) {
	a := s.attempt(r, "page")
	a.in(have.tenant)
	a.by(app)
	a.user(have.user)
	answer, done, err := s.tryFinish(ctx, r, req, app, have, a)
	if done || err != nil {
		s.ended(a, err)
	}
	if f := fault.As(err); err != nil && f.Kind != fault.Internal {
		return s.refuse(r, req, app, err)
	}
	return answer, err
}

// tryFinish answers the request, or the page on which the user has to consent first (then not done).
func (s *Service) tryFinish(ctx context.Context, r *wire.Request, req *authRequest, app *Application, have *session, a *attempt) (any, bool, error) {
	sp, err := s.clientPrincipal(ctx, have.tenant, app)
	if err != nil {
		return nil, false, err
	}
	aud, err := s.audience(ctx, have.tenant, r.Hosts, req.Wanted.target(req.V2))
	if err != nil {
		return nil, false, err
	}
	a.Resource = aud.name
	need, err := s.permitted(ctx, have.tenant, &client{sp: sp, app: app}, have.user, &req.Wanted, aud)
	if err != nil {
		return nil, false, err
	}
	if need.missing() || req.Device != "" || req.Prompt == "consent" && len(need.all) > 0 {
		if need.missing() && need.adminOnly && !have.user.Administrator {
			return nil, false, oauth(fault.Invalid, 90094, "consent_required",
				"Admin consent is required for the permissions requested by this application: %s. An admin consent is needed first.", strings.Join(need.scopes, " "))
		}
		if req.Prompt == "none" {
			silent := *noConsent(app)
			silent.Inner = "consent_required"
			return nil, true, &silent
		}
		page, err := s.askConsent(r, req, app, have, need)
		return page, false, err
	}
	answer, err := s.finish(ctx, r, req, app, have, sp)
	return answer, true, err
}

// finish issues what the response type names and sends the browser back with it.
func (s *Service) finish(ctx context.Context, r *wire.Request, req *authRequest, app *Application, have *session, sp *SP) (any, error) {
	out := []wire.Param{}
	if req.Code {
		code, err := s.newCode(ctx, req, have)
		if err != nil {
			return nil, err
		}
		out = append(out, wire.Param{Name: "code", Value: code})
	}
	if req.IDToken {
		token, err := s.idToken(ctx, r, endpoint{v2: req.V2}, &delegation{
			tenant: have.tenant, client: &client{sp: sp, app: app, method: "0"}, user: have.user, login: have.login, wanted: req.Wanted, nonce: req.Nonce,
		})
		if err != nil {
			return nil, err
		}
		out = append(out, wire.Param{Name: "id_token", Value: token})
	}
	r.Resource = have.user.UPN + " -> " + app.DisplayName
	r.AllowedBy = "sign-in of " + have.login.At.Format(time.RFC3339)
	return s.reply(r, req, app, append(out, wire.Param{Name: "session_state", Value: have.row.name()[:16]}))
}

// newCode stores an authorization code.
func (s *Service) newCode(ctx context.Context, req *authRequest, have *session) (string, error) {
	now := s.Clock.Now()
	until := now.Add(codeLife)
	code := newArtifact(codeArtifact, have.tenant.ID, until.Unix())
	value, err := codeCodec.Encode(codeRecord{
		Login: have.login, ClientID: req.ClientID, RedirectURI: req.Redirect, Kind: req.Kind, Challenge: req.PKCE, Wanted: req.Wanted, Nonce: req.Nonce, Until: until,
	})
	if err != nil {
		return "", fmt.Errorf("encode authorization code: %w", err)
	}
	_, err = s.Store.Update(ctx, signinShard(have.tenant.ID), func(tx store.Tx) error {
		if err := sweep(tx, now); err != nil {
			return err
		}
		return putEnding(tx, code.key(), value, time.Time{}, until)
	})
	if err != nil {
		return "", fmt.Errorf("store authorization code: %w", err)
	}
	return s.mint(code), nil
}

// refuse tells the client, by its redirect URI, why it gets nothing.
func (s *Service) refuse(r *wire.Request, req *authRequest, app *Application, err error) (any, error) {
	f := fault.As(err)
	if f.Kind == fault.Internal || req.Device != "" {
		return nil, err
	}
	code := f.Inner
	if code == "invalid_grant" || code == "" {
		code = "access_denied"
	}
	r.AllowedBy = f.Code
	return s.reply(r, req, app, []wire.Param{
		{Name: "error", Value: code},
		{Name: "error_description", Value: f.Code + ": " + f.Message + " Trace ID: " + r.RequestID + " Correlation ID: " + r.CorrelationID +
			" Timestamp: " + s.Clock.Now().Format("2006-01-02 15:04:05Z")},
	})
}

// reply sends the browser back to the client, in the response mode asked for.
func (s *Service) reply(r *wire.Request, req *authRequest, app *Application, out []wire.Param) (any, error) {
	if req.State != "" {
		out = append(out, wire.Param{Name: "state", Value: req.State})
	}
	if req.Mode == "form_post" {
		return s.render(http.StatusOK, view{Title: "Signing in", App: app.DisplayName, Post: &postView{
			Action: template.URL(req.Redirect), Fields: out, Script: template.JS(submitScript), //nolint:gosec // registered, and checked by validRedirect
		}}, cspSource(req.Redirect))
	}
	values := url.Values{}
	for _, p := range out {
		values.Set(p.Name, p.Value)
	}
	location := req.Redirect
	switch {
	case req.Mode == "fragment":
		location += "#" + values.Encode()
	case strings.Contains(location, "?"):
		location += "&" + values.Encode()
	default:
		location += "?" + values.Encode()
	}
	status := http.StatusFound
	if r.HTTP.Method == "POST" {
		status = http.StatusSeeOther // so that the form's content, the password, is not sent on
	}
	return wire.Reply{Status: status, Header: http.Header{"Location": {location}, "Referrer-Policy": {"no-referrer"}}}, nil
}

// signOut ends the browser's session, and leads back to the client if it names an address registered for it.
func (s *Service) signOut(ctx context.Context, r *wire.Request) (any, error) {
	if _, err := s.authority(ctx, r); err != nil {
		return nil, err
	}
	have, err := s.session(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.endSession(ctx, r, have); err != nil {
		return nil, err
	}
	if to := r.Query("post_logout_redirect_uri"); to != "" && r.Query("client_id") != "" {
		app, err := s.clientApp(ctx, r.Param("tenant"), r.Query("client_id"))
		if err != nil {
			return nil, err
		}
		if _, ok := matchRedirect(replyURIs(app, r), to); ok && validRedirect(to) {
			if state := r.Query("state"); state != "" {
				sep := "?"
				if strings.Contains(to, "?") {
					sep = "&"
				}
				to += sep + url.Values{"state": {state}}.Encode()
			}
			return wire.Reply{Status: http.StatusFound, Header: http.Header{"Location": {to}}}, nil
		}
	}
	return s.render(http.StatusOK, view{Title: "Signed out", Done: "You signed out of your account. It's a good idea to close all browser windows."}, "")
}
