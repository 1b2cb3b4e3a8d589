package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// redeemCode trades an authorization code for tokens, once. A second use is refused and takes back what the first one began: one of the two was not the
// client's.
func (s *Service) redeemCode(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, a *attempt) (any, error) {
	if f.code == "" {
		return nil, missing("code")
	}
	code, ok := s.openArtifact(codeArtifact, f.code)
	if !ok {
		return nil, oauth(fault.Invalid, 9002313, "invalid_grant", "Invalid request. Request is malformed or invalid: the code was not issued here.")
	}
	tenant, err := s.artifactTenant(ctx, r.Param("tenant"), code.tenantID)
	if err != nil {
		return nil, err
	}
	a.in(tenant)
	rec, err := loadSignin(ctx, s, codeCodec, code)
	if err != nil {
		return nil, err
	}
	if rec == nil || s.Clock.Now().Unix() >= code.n {
		return nil, oauth(fault.Invalid, 70008, "invalid_grant", "The provided authorization code or refresh token has expired due to inactivity. Send a new "+
			"interactive authorization request for this user and resource.")
	}
	d, err := s.codeDelegation(ctx, r, e, f, a, tenant, rec)
	if err != nil {
		return nil, err
	}
	d.family = &artifact{kind: refreshArtifact, tenantID: tenant.ID, id: code.id}
	out, err := s.delegate(ctx, r, e, f, d, a)
	if err != nil {
		return nil, err
	}
	refresh, err := s.useCode(ctx, e, d, code)
	if err != nil {
		return nil, err
	}
	return s.userAnswer(e, f, d, out, refresh), nil
}

// codeDelegation checks that this client may redeem the code: the one it was made for, at the same address, with the verifier and, if it is a web
// application, with its credential.
func (s *Service) codeDelegation(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, a *attempt, tenant *Tenant, rec *codeRecord) (*delegation, error) {
	c, err := s.authenticate(ctx, r, tenant, f, rec.Kind != webURI)
	if err != nil {
		return nil, err
	}
	a.by(c.app)
	if err := sameClient(rec.ClientID, c, "code"); err != nil {
		return nil, err
	}
	if err := rightOrigin(r, rec.Kind == spaURI); err != nil {
		return nil, err
	}
	if f.redirectURI != rec.RedirectURI {
		return nil, oauth(fault.Invalid, 500112, "invalid_grant", "The reply address '%s' does not match the reply address '%s' provided when requesting Authorization code.",
			clip(f.redirectURI), clip(rec.RedirectURI))
	}
	if err := checkVerifier(rec.Challenge, f.verifier); err != nil {
		return nil, err
	}
	d := &delegation{tenant: tenant, client: c, login: rec.Login, wanted: rec.Wanted, nonce: rec.Nonce, spa: rec.Kind == spaURI}
	if d.user, err = s.stillGood(ctx, tenant, rec.Login); err != nil {
		return nil, err
	}
	return d, d.narrow(e, f)
}

// narrow takes the scopes of a token request, which may leave out or, for refreshed tokens, differ from those of the sign-in.
func (d *delegation) narrow(e endpoint, f *tokenForm) error {
	w, err := parseWanted(e, f.resource, f.scope)
	if err != nil {
		return err
	}
	if w.Resource != "" {
		d.wanted.Resource, d.wanted.Scopes, d.wanted.Bare = w.Resource, w.Scopes, w.Bare
	}
	if f.scope != "" && e.v2 {
		// An id_token comes only where openid is asked for now too; a refresh token stays part of what was consented to.
		d.wanted.OpenID = d.wanted.OpenID && w.OpenID
	}
	return nil
}

// useCode marks the code as used and, in the same transaction, begins its refresh-token family.
func (s *Service) useCode(ctx context.Context, e endpoint, d *delegation, code artifact) (refresh string, err error) {
	var key string
	var rec *familyRecord
	var value []byte
	if d.wanted.Offline || !e.v2 {
		refresh, key, rec = s.newFamily(d, nil)
		if value, err = familyCodec.Encode(*rec); err != nil {
			return "", fmt.Errorf("encode refresh-token family: %w", err)
		}
	}
	family := artifact{kind: refreshArtifact, id: code.id}
	now := s.Clock.Now()
	var state int
	_, err = s.Store.Update(ctx, signinShard(d.tenant.ID), func(tx store.Tx) error {
		have, err := load(tx, codeCodec, code.key())
		switch {
		case err != nil:
			return err
		case have == nil:
			state = codeGone
			return nil
		case have.Used:
			state = codeUsedTwice
			return revokeFamily(tx, family.key())
		}
		state = codeFresh
		have.Used = true
		used, err := codeCodec.Encode(*have)
		if err != nil {
			return err
		}
		if err := putEnding(tx, code.key(), used, have.Until, have.Until); err != nil || value == nil {
			return err
		}
		return putFamily(tx, now, key, value, time.Time{}, rec.Until)
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("use authorization code: %w", err)
	case state == codeUsedTwice:
		return "", oauth(fault.Invalid, 54005, "invalid_grant", "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	case state == codeGone:
		return "", oauth(fault.Invalid, 70008, "invalid_grant", "The provided authorization code has expired. Send a new interactive authorization request.")
	}
	return refresh, nil
}

const (
	codeFresh = iota
	codeUsedTwice
	codeGone
)

// revokeFamily removes a family's row, if it is there, and with it all its tokens.
func revokeFamily(tx store.Tx, key string) error {
	have, err := load(tx, familyCodec, key)
	if err != nil || have == nil {
		return err
	}
	return deleteEnding(tx, key, have.Until)
}
