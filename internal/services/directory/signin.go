package directory

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// loginPage answers the sign-in page; have, if set, is offered to go on with.
func (s *Service) loginPage(ctx context.Context, r *wire.Request, req *authRequest, app *Application, have *session, problem string) (any, error) {
	v, err := s.flowView(r, req, app)
	if err != nil {
		return nil, err
	}
	v.Login, v.Error = true, problem
	if strings.Contains(req.Hint, "@") {
		v.Name = req.Hint
	}
	if have != nil {
		v.Title, v.Known = "Pick an account", have.user.UPN
	}
	if !reserved(req.Segment) {
		tenant, err := s.Tenants.Find(ctx, req.Segment)
		if err != nil {
			return nil, err
		}
		if tenant != nil {
			v.Tenant = tenant.DisplayName
		}
	}
	status := http.StatusOK
	if problem != "" {
		status = http.StatusUnauthorized // so that the audit record is that of a refusal
	}
	return s.render(status, v, req.formTarget())
}

// postLogin takes the sign-in page's form.
func (s *Service) postLogin(ctx context.Context, r *wire.Request) (any, error) {
	form, req, app, err := s.postedFlow(ctx, r)
	if err != nil {
		return nil, err
	}
	if form.Get("account") == "continue" {
		req.Prompt = "" // the user picked
		return s.proceed(ctx, r, req, app)
	}
	a := s.attempt(r, "page")
	a.by(app)
	a.UserName = form.Get("login")
	r.Resource = "sign-in of " + clip(form.Get("login"))
	tenant, user, err := s.pageSignIn(ctx, r, req, form, a)
	if err != nil {
		s.ended(a, err)
		return s.loginAgain(ctx, r, req, app, form, err)
	}
	a.user(user)
	have, err := s.startSession(ctx, r, tenant, user)
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, r, req, app, have)
}

// pageSignIn checks name and password, after having changed the password if the form says so.
func (s *Service) pageSignIn(ctx context.Context, r *wire.Request, req *authRequest, form url.Values, a *attempt) (*Tenant, *User, error) {
	name, password := strings.TrimSpace(form.Get("login")), form.Get("passwd")
	tenant, err := s.userTenant(ctx, req.Segment, name)
	if err != nil {
		return nil, nil, err
	}
	a.in(tenant)
	user, err := s.tryPassword(ctx, r, tenant, name, password, form.Get("newpasswd") != "")
	if err != nil || form.Get("newpasswd") == "" {
		return tenant, user, err
	}
	if form.Get("newpasswd") != form.Get("confirm") {
		return nil, nil, oauth(fault.Invalid, 50055, "invalid_grant", "The new passwords do not match.")
	}
	if err := s.ChangePassword(ctx, user, password, form.Get("newpasswd")); err != nil {
		if fault.Is(err, fault.Invalid) {
			return nil, nil, oauth(fault.Invalid, 50055, "invalid_grant", "%s", fault.As(err).Message)
		}
		return nil, nil, err
	}
	user, err = s.FindUser(ctx, tenant.ID, user.ObjectID)
	if err == nil && user == nil {
		err = oauth(fault.Invalid, 50034, "invalid_grant", "The user account is gone.")
	}
	return tenant, user, err
}

// loginAgain answers the sign-in page with what was wrong.
func (s *Service) loginAgain(ctx context.Context, r *wire.Request, req *authRequest, app *Application, form url.Values, err error) (any, error) {
	f := fault.As(err)
	if f.Kind == fault.Internal || f.Kind == fault.Unavailable {
		return nil, err
	}
	again := *req
	again.Hint = form.Get("login")
	r.AllowedBy = f.Code
	page, rerr := s.loginPage(ctx, r, &again, app, nil, f.Code+": "+f.Message)
	if rerr != nil || f.Code != "AADSTS50055" {
		return page, rerr
	}
	v, err := s.flowView(r, &again, app)
	if err != nil {
		return nil, err
	}
	v.Title, v.Login, v.Change, v.Name, v.Error = "Change your password", true, true, again.Hint, f.Code+": "+f.Message
	return s.render(http.StatusUnauthorized, v, req.formTarget())
}

// tryPassword checks a user's password, within the bounds of smart lockout. expired lets a password pass that only has to be changed.
func (s *Service) tryPassword(ctx context.Context, r *wire.Request, tenant *Tenant, name, password string, expired bool) (*User, error) {
	if name == "" || password == "" {
		return nil, oauth(fault.Invalid, 50126, "invalid_grant", "Error validating credentials due to invalid username or password.")
	}
	if err := s.attempts.begin(tenant.ID, name, r.Client, s.Clock.Now()); err != nil {
		return nil, err
	}
	user, err := s.SignIn(ctx, tenant, name, password)
	if err != nil {
		switch fault.As(err).Code {
		case "AADSTS50055": // the password itself was right
			s.attempts.succeeded(tenant.ID, name, r.Client)
			if expired {
				return s.FindUser(ctx, tenant.ID, name)
			}
		case "AADSTS50057":
			s.attempts.succeeded(tenant.ID, name, r.Client)
		}
		return nil, err
	}
	s.attempts.succeeded(tenant.ID, name, r.Client)
	return user, nil
}

// userTenant is where a user lives: the tenant of the path, or that of the name's domain.
func (s *Service) userTenant(ctx context.Context, segment, name string) (*Tenant, error) {
	if !reserved(segment) {
		return s.pathTenant(ctx, segment)
	}
	_, domain, ok := strings.Cut(name, "@")
	if ok {
		tenant, err := s.Tenants.Find(ctx, domain)
		if err != nil || tenant != nil {
			return tenant, err
		}
	}
	return nil, oauth(fault.Invalid, 50034, "invalid_grant",
		"The user account %s does not exist in any directory. Sign in with a user name of the form name@domain.", clip(name))
}
