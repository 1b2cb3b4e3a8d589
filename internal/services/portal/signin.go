package portal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// clientID is that of Azure's own portal, known in every tenant.
const clientID = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"

// armScope is what a session's token is for.
const armScope = "https://management.azure.com/.default"

// redirect sends the browser on. A cookie set before goes with it.
func redirect(to string) wire.Reply {
	return wire.Reply{Status: http.StatusFound, Header: http.Header{"Location": {to}, "Cache-Control": {"no-store"}}}
}

// signIn sends the browser to the directory.
func (s *Service) signIn(r *wire.Request) (any, error) {
	state, verifier := random(), random()
	challenge := sha256.Sum256([]byte(verifier))
	a := attempt{verifier: Secret(verifier), back: r.HTTP.URL.RequestURI(), redirect: r.URL(wire.HostPortal, "") + "/signin/code"}
	s.sessions.mu.Lock()
	s.sessions.attempts.put(s.deps.Clock.Now(), state, a, attemptLife)
	s.sessions.mu.Unlock()
	setCookie(r, attemptCookie, state, int(attemptLife.Seconds()))
	q := url.Values{
		"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {a.redirect}, "scope": {"openid profile offline_access " + armScope}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	return redirect(r.URL(wire.HostLogin, "") + "/organizations/oauth2/v2.0/authorize?" + q.Encode()), nil
}

// signInCode takes the directory's answer.
func (s *Service) signInCode(ctx context.Context, r *wire.Request) (any, error) {
	state := r.Query("state")
	c, err := r.HTTP.Cookie(attemptCookie)
	if err != nil || c.Value != state {
		return nil, fault.New(fault.Invalid, "UnknownSignIn", "This sign-in was not begun in this browser, or took too long. Open the portal again.")
	}
	s.sessions.mu.Lock()
	a, ok := s.sessions.attempts.take(s.deps.Clock.Now(), state)
	s.sessions.mu.Unlock()
	if !ok {
		return nil, fault.New(fault.Invalid, "UnknownSignIn", "This sign-in was used already, or took too long. Open the portal again.")
	}
	setCookie(r, attemptCookie, "", -1)
	if code := r.Query("error"); code != "" {
		return nil, fault.New(fault.Forbidden, "SignInRefused", "The directory refused the sign-in: %s", r.Query("error_description"))
	}
	who := &session{}
	err = s.token(ctx, r, who, "organizations", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {clientID}, "code": {r.Query("code")}, "redirect_uri": {a.redirect}, "code_verifier": {string(a.verifier)},
		"scope": {"openid profile offline_access " + armScope},
	})
	if err != nil {
		return nil, err
	}
	s.start(r, who)
	return redirect(a.back), nil
}

// tokenAnswer is the token endpoint's.
type tokenAnswer struct {
	Access      Secret `json:"access_token"`
	Refresh     Secret `json:"refresh_token"`
	ID          string `json:"id_token"`
	ExpiresIn   int    `json:"expires_in"`
	Description string `json:"error_description"`
}

// token asks the token endpoint and fills the session. The session is the caller's alone, or locked.
func (s *Service) token(ctx context.Context, r *wire.Request, who *session, tenant string, form url.Values) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL(wire.HostLogin, "")+"/"+tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.deps.FrontDoor.Do(req)
	if err != nil {
		return fmt.Errorf("ask for a token: %w", err)
	}
	defer resp.Body.Close()
	var got tokenAnswer
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&got); err != nil {
		return fmt.Errorf("read the token answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fault.New(fault.Unauthenticated, "SignInRefused", "The directory refused the sign-in: %s", firstLine(got.Description))
	}
	who.access, who.expires = got.Access, s.deps.Clock.Now().Add(time.Duration(got.ExpiresIn)*time.Second)
	if got.Refresh != "" {
		who.refresh = got.Refresh
	}
	if name := userName(got.ID); name != "" {
		who.name = name
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\r\n")
	return line
}

// userName reads who signed in. The token came from the platform itself, in process: its signature need not be checked.
func userName(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Name string `json:"preferred_username"`
	}
	_ = json.Unmarshal(b, &claims)
	return claims.Name
}

// bearer gives a token that is good for some minutes.
func (s *Service) bearer(ctx context.Context, r *wire.Request, who *session) (Secret, error) {
	who.mu.Lock()
	defer who.mu.Unlock()
	if s.deps.Clock.Now().Before(who.expires.Add(-2 * time.Minute)) {
		return who.access, nil
	}
	if who.admin {
		return who.access, s.administrator(ctx, r, who)
	}
	if who.refresh == "" {
		return "", fault.New(fault.Unauthenticated, "SignInRequired", "The sign-in has expired.")
	}
	err := s.token(ctx, r, who, "organizations", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {string(who.refresh)}, "scope": {"openid profile offline_access " + armScope},
	})
	return who.access, err
}

// administrator gives the session the administrator's token.
func (s *Service) administrator(ctx context.Context, r *wire.Request, who *session) error {
	c, err := s.deps.Administrator(ctx)
	if err != nil {
		return err
	}
	return s.token(ctx, r, who, c.TenantID, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {string(c.Secret)}, "scope": {armScope},
	})
}

// Link makes a path that signs a browser in as the administrator, once, within some minutes. Whoever calls has to be the platform's own user.
func (s *Service) Link() string {
	code := random()
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	s.sessions.links.put(s.deps.Clock.Now(), code, struct{}{}, linkLife)
	return "/signin/once#" + code
}

// oncePage has a button: what a mail program or a browser fetches ahead of time must not use the link up. The code is behind the # so that no server logs it.
func (s *Service) oncePage(_ context.Context, _ *wire.Request) (any, error) {
	return s.render("once", http.StatusOK, page{Title: "Sign in"})
}

// once signs the browser in as the administrator.
func (s *Service) once(ctx context.Context, r *wire.Request) (any, error) {
	form, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, fault.New(fault.Invalid, "BadRequest", "The form is not well-formed.")
	}
	s.sessions.mu.Lock()
	_, ok := s.sessions.links.take(s.deps.Clock.Now(), form.Get("code"))
	s.sessions.mu.Unlock()
	if !ok {
		return nil, fault.New(fault.Forbidden, "UnknownLink", "This link was used already or is too old. `bulkhead portal` prints another.")
	}
	who := &session{name: "administrator", admin: true}
	if err := s.administrator(ctx, r, who); err != nil {
		return nil, err
	}
	s.start(r, who)
	reply := redirect("/")
	reply.Status = http.StatusSeeOther
	return reply, nil
}

// signOut forgets the session.
func (s *Service) signOut(_ context.Context, r *wire.Request, who *session) (any, error) {
	if c, err := r.HTTP.Cookie(sessionCookie); err == nil {
		s.sessions.mu.Lock()
		s.sessions.open.take(s.deps.Clock.Now(), c.Value)
		s.sessions.mu.Unlock()
	}
	setCookie(r, sessionCookie, "", -1)
	to := "/signedout"
	if !who.admin {
		to += "?directory=1" // the session at the directory ends, too
	}
	reply := redirect(to)
	reply.Status = http.StatusSeeOther
	return reply, nil
}

// signedOut says so. To the directory it goes on from here: a form may not lead to another host, by the pages' own policy.
func (s *Service) signedOut(_ context.Context, r *wire.Request) (any, error) {
	if r.Query("directory") == "1" {
		r.SetHeader("Refresh", "0;url="+r.URL(wire.HostLogin, "")+"/organizations/oauth2/v2.0/logout")
	}
	return s.render("message", http.StatusOK, page{Title: "Signed out", Data: "You are signed out."})
}
