package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// refresh trades a refresh token for new tokens, of any resource that was consented to. As with Entra ID the old token stays good until it expires; what ends
// all of a family is the end of its row, of the user, of the password it was begun with, of the client, or of the consent.
func (s *Service) refresh(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, a *attempt) (any, error) {
	if f.refreshToken == "" {
		return nil, missing("refresh_token")
	}
	old, ok := s.openArtifact(refreshArtifact, f.refreshToken)
	if !ok {
		return nil, oauth(fault.Invalid, 9002313, "invalid_grant", "Invalid request. Request is malformed or invalid: the refresh token was not issued here.")
	}
	tenant, err := s.artifactTenant(ctx, r.Param("tenant"), old.tenantID)
	if err != nil {
		return nil, err
	}
	a.in(tenant)
	rec, err := loadSignin(ctx, s, familyCodec, old)
	if err != nil {
		return nil, err
	}
	if err := s.refreshable(rec, old); err != nil {
		return nil, err
	}
	c, err := s.authenticate(ctx, r, tenant, f, rec.Public)
	if err != nil {
		return nil, err
	}
	a.by(c.app)
	if err := sameClient(rec.ClientID, c, "refresh_token"); err != nil {
		return nil, err
	}
	if err := rightOrigin(r, rec.SPA); err != nil {
		return nil, err
	}
	d := &delegation{tenant: tenant, client: c, login: rec.Login, wanted: rec.Wanted, spa: rec.SPA, family: &old}
	if d.user, err = s.stillGood(ctx, tenant, rec.Login); err != nil {
		return nil, err
	}
	if err := d.narrow(e, f); err != nil {
		return nil, err
	}
	out, err := s.delegate(ctx, r, e, f, d, a)
	if err != nil {
		return nil, err
	}
	token, err := s.extend(ctx, d, rec)
	if err != nil {
		return nil, err
	}
	return s.userAnswer(e, f, d, out, token), nil
}

// refreshable tells whether the token may still be used; rec is nil where its family has been revoked or has ended.
func (s *Service) refreshable(rec *familyRecord, old artifact) error {
	now := s.Clock.Now()
	issued := time.Unix(old.n, 0)
	switch {
	case now.Sub(issued) >= refreshLife:
		return oauth(fault.Invalid, 700082, "invalid_grant", "The refresh token has expired due to inactivity. The token was issued on %s and was inactive for %s.",
			issued.UTC().Format(time.RFC3339), refreshLife)
	case rec == nil:
		return oauth(fault.Invalid, 70000, "invalid_grant", "Provided grant is invalid or malformed: the refresh token has been revoked or has expired.")
	case rec.SPA && !now.Before(rec.Until):
		return oauth(fault.Invalid, 700084, "invalid_grant", "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of %s, "+
			"which can't be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page.", spaLife)
	}
	return nil
}

// extend makes the family's next token. Its row is written only when it has to live longer than it says.
func (s *Service) extend(ctx context.Context, d *delegation, have *familyRecord) (string, error) {
	token, key, rec := s.newFamily(d, have)
	if rec == nil {
		return token, nil
	}
	value, err := familyCodec.Encode(*rec)
	if err != nil {
		return "", fmt.Errorf("encode refresh-token family: %w", err)
	}
	now := s.Clock.Now()
	gone := false
	_, err = s.Store.Update(ctx, signinShard(d.tenant.ID), func(tx store.Tx) error {
		present, err := load(tx, familyCodec, key)
		if err != nil {
			return err
		}
		if gone = present == nil; gone {
			return nil // revoked meanwhile
		}
		return putFamily(tx, now, key, value, present.Until, rec.Until)
	})
	if err != nil {
		return "", fmt.Errorf("extend refresh-token family: %w", err)
	}
	if gone {
		return "", oauth(fault.Invalid, 70000, "invalid_grant", "Provided grant is invalid or malformed: the refresh token has been revoked.")
	}
	return token, nil
}
