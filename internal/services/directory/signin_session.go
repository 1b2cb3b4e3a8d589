package directory

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	// The prefix makes browsers demand Secure, the path "/" and no domain: no other host under the suffix can set it.
	sessionCookie = "__Host-ESTSAUTH"
	canaryCookie  = "__Host-canary"
	sessionLife   = 24 * time.Hour
)

// session is a browser whose user is known.
type session struct {
	tenant *Tenant
	user   *User
	login  login
	row    artifact
	until  time.Time
}

// session finds the browser's session, nil if it has none that is still good: its user has to be there, enabled, and with the same password.
func (s *Service) session(ctx context.Context, r *wire.Request) (*session, error) {
	c, err := r.HTTP.Cookie(sessionCookie)
	if err != nil {
		return nil, nil
	}
	a, ok := s.openArtifact(sessionArtifact, c.Value)
	if !ok || a.tenantID == "" || s.Clock.Now().Unix() >= a.n {
		return nil, nil
	}
	rec, err := loadSignin(ctx, s, sessionCodec, a)
	if err != nil || rec == nil {
		return nil, err
	}
	tenant, err := s.Tenants.Find(ctx, a.tenantID)
	if err != nil || tenant == nil {
		return nil, err
	}
	user, err := s.stillGood(ctx, tenant, rec.Login)
	if fault.Is(err, fault.Invalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &session{tenant: tenant, user: user, login: rec.Login, row: a, until: rec.Until}, nil
}

// stillGood finds the user of an earlier sign-in. What came of the sign-in is worthless once the user is gone, disabled, or has another password.
func (s *Service) stillGood(ctx context.Context, tenant *Tenant, l login) (*User, error) {
	user, err := s.FindUser(ctx, tenant.ID, l.UserID)
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		return nil, oauth(fault.Invalid, 50034, "invalid_grant",
			"The user account does not exist in the %s directory. To sign into this application, the account must be added to the directory.", tenant.DisplayName)
	case user.Disabled:
		return nil, oauth(fault.Invalid, 50057, "invalid_grant", "The user account is disabled.")
	case l.At.Before(user.Password.Changed):
		return nil, oauth(fault.Invalid, 50173, "invalid_grant",
			"The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. "+
				"The grant was issued on '%s' and the TokensValidFrom date for this user is '%s'.",
			l.At.Format(time.RFC3339), user.Password.Changed.Format(time.RFC3339))
	}
	return user, nil
}

// startSession begins a session of a user who just proved who they are, and gives the browser its cookie.
func (s *Service) startSession(ctx context.Context, r *wire.Request, tenant *Tenant, user *User) (*session, error) {
	now := s.Clock.Now()
	until := now.Add(sessionLife)
	a := newArtifact(sessionArtifact, tenant.ID, until.Unix())
	l := login{UserID: user.ObjectID, At: now, AMR: []string{"pwd"}}
	value, err := sessionCodec.Encode(sessionRecord{Login: l, Until: until})
	if err != nil {
		return nil, fmt.Errorf("encode session: %w", err)
	}
	_, err = s.Store.Update(ctx, signinShard(tenant.ID), func(tx store.Tx) error {
		if err := sweep(tx, now); err != nil {
			return err
		}
		return putEnding(tx, a.key(), value, time.Time{}, until)
	})
	if err != nil {
		return nil, fmt.Errorf("store session: %w", err)
	}
	setCookie(r, sessionCookie, s.mint(a), 0)
	return &session{tenant: tenant, user: user, login: l, row: a, until: until}, nil
}

// endSession forgets a browser's session.
func (s *Service) endSession(ctx context.Context, r *wire.Request, have *session) error {
	setCookie(r, sessionCookie, "", -1)
	if have == nil {
		return nil
	}
	_, err := s.Store.Update(ctx, signinShard(have.tenant.ID), func(tx store.Tx) error {
		return deleteEnding(tx, have.row.key(), have.until)
	})
	if err != nil {
		return fmt.Errorf("remove session: %w", err)
	}
	return nil
}

// setCookie adds a cookie to the answer; it ends with the browser unless age says otherwise (-1: at once).
func setCookie(r *wire.Request, name, value string, age int) {
	c := http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: age}
	r.AddHeader("Set-Cookie", c.String())
}
