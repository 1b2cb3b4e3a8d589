package directory

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	userTokenLife = time.Hour
	refreshLife   = 90 * 24 * time.Hour
	spaLife       = 24 * time.Hour // of a family as a whole: a page signs in anew each day
	familySlack   = 24 * time.Hour // so a family's row moves once a day at most
	groupsMax     = 200            // beyond it Entra ID puts a link in place of the list
	ownGroupsMax  = 500            // in tokens for the platform's own services, which know no link
)

// delegation is a client acting in a user's name.
type delegation struct {
	tenant *Tenant
	client *client
	user   *User
	login  login
	wanted wanted
	nonce  string
	spa    bool
	family *artifact // the refresh-token family it belongs to; nil = a new one, if one was asked for
}

// issued are the tokens of a delegation, before anything is stored.
type issued struct {
	access   authn.Token
	id       string
	scope    string // on its resource
	resource string
}

// delegate issues an access token, and an id_token if asked for. It changes nothing in the store.
func (s *Service) delegate(ctx context.Context, r *wire.Request, e endpoint, f *tokenForm, d *delegation, a *attempt) (*issued, error) {
	a.user(d.user)
	resource := d.wanted.target(e.v2)
	aud, err := s.audience(ctx, d.tenant, r.Hosts, resource)
	if err != nil {
		return nil, err
	}
	a.Resource = aud.name
	may, err := s.permitted(ctx, d.tenant, d.client, d.user, &d.wanted, aud)
	if err != nil {
		return nil, err
	}
	if may.missing() {
		return nil, noConsent(d.client.app)
	}
	p, err := s.userPrincipal(ctx, d, aud.sp, groupsFor(aud))
	if err != nil {
		return nil, err
	}
	p.Scopes = strings.Join(may.granted, " ")
	claims := authn.Claims{Version: aud.version, Issuer: issuer(r, aud.version, d.tenant.ID), Audience: aud.value, Principal: p, Lifetime: userTokenLife}
	if claims.Extra, err = s.userClaims(r, f, d, aud.version); err != nil {
		return nil, err
	}
	out := &issued{scope: d.wanted.shown(may.granted), resource: resource}
	if !e.v2 {
		out.scope = p.Scopes
	}
	if out.access, err = s.Tokens.Issue(ctx, claims); err != nil {
		return nil, err
	}
	if d.wanted.OpenID {
		if out.id, err = s.idToken(ctx, r, e, d); err != nil {
			return nil, err
		}
	}
	r.Principal = &claims.Principal
	r.Resource = d.user.UPN + " by " + d.client.app.DisplayName + " -> " + aud.value
	r.AllowedBy = "sign-in of " + d.login.At.Format(time.RFC3339)
	if d.client.by != "" {
		r.AllowedBy += ", " + d.client.by
	}
	return out, nil
}

// userPrincipal is the user as tokens describe one. roles are those on the API; groups says how many to list.
func (s *Service) userPrincipal(ctx context.Context, d *delegation, api *SP, groups int) (authn.Principal, error) {
	p := authn.Principal{
		Kind: authn.User, TenantID: d.tenant.ID, ObjectID: d.user.ObjectID, AppID: d.client.app.AppID, Name: d.user.DisplayName, UserName: d.user.UPN,
		ClientAuth: d.client.method,
	}
	var err error
	if api != nil {
		if p.Roles, _, err = s.RoleValues(ctx, d.tenant.ID, d.user.ObjectID, api.ObjectID); err != nil {
			return p, err
		}
	}
	if groups > 0 {
		all, err := s.GroupsOf(ctx, d.tenant.ID, d.user.ObjectID)
		if err != nil {
			return p, err
		}
		if len(all) <= groups {
			p.Groups = slices.Clone(all)
		}
	}
	return p, nil
}

// groupsFor is how many groups a token for the API may list, 0 for none at all.
func groupsFor(aud *audience) int {
	switch {
	case aud.first != nil:
		return ownGroupsMax
	case aud.app.GroupClaims != "" && aud.app.GroupClaims != "None":
		return groupsMax
	}
	return 0
}

// userClaims are the claims about a user that authn knows nothing of.
func (s *Service) userClaims(r *wire.Request, f *tokenForm, d *delegation, version string) (map[string]any, error) {
	extra := map[string]any{}
	if f != nil {
		caps, err := f.capabilities()
		if err != nil {
			return nil, err
		}
		if len(caps) > 0 {
			extra["xms_cc"] = caps
		}
	}
	if version == "1.0" {
		extra["acr"], extra["amr"] = "1", d.login.AMR
	}
	if d.user.GivenName != "" {
		extra["given_name"] = d.user.GivenName
	}
	if d.user.Surname != "" {
		extra["family_name"] = d.user.Surname
	}
	if r.Client.IsValid() {
		extra["ipaddr"] = r.Client.String()
	}
	return extra, nil
}

// idToken tells the client who signed in. Its version is the endpoint's.
func (s *Service) idToken(ctx context.Context, r *wire.Request, e endpoint, d *delegation) (string, error) {
	version := "1.0"
	if e.v2 {
		version = "2.0"
	}
	groups := 0
	if g := d.client.app.GroupClaims; g != "" && g != "None" {
		groups = groupsMax
	}
	p, err := s.userPrincipal(ctx, d, d.client.sp, groups)
	if err != nil {
		return "", err
	}
	extra := map[string]any{"auth_time": d.login.At.Unix()}
	if version == "1.0" {
		extra["amr"] = d.login.AMR
		if d.user.GivenName != "" {
			extra["given_name"] = d.user.GivenName
		}
		if d.user.Surname != "" {
			extra["family_name"] = d.user.Surname
		}
	}
	if d.nonce != "" {
		extra["nonce"] = d.nonce
	}
	if d.wanted.Email && d.user.Mail != "" {
		extra["email"] = d.user.Mail
	}
	token, err := s.Tokens.Issue(ctx, authn.Claims{
		Version: version, Issuer: issuer(r, version, d.tenant.ID), Audience: d.client.app.AppID, Principal: p, Lifetime: userTokenLife, ID: true, Extra: extra,
	})
	return token.Raw, err
}

// newFamily prepares the refresh token of a delegation and the row it stands on: a new one, or one that now has to live longer (nil: as it is).
func (s *Service) newFamily(d *delegation, have *familyRecord) (token string, key string, rec *familyRecord) {
	now := s.Clock.Now()
	life := refreshLife
	if d.spa {
		life = spaLife
	}
	if d.family == nil {
		a := newArtifact(refreshArtifact, d.tenant.ID, now.Unix())
		d.family = &a
	}
	a := *d.family
	a.n = now.Unix()
	token = s.mint(a)
	switch {
	case have == nil:
		rec = &familyRecord{
			Login: d.login, ClientID: d.client.app.AppID, Public: d.client.method == "0", Wanted: d.wanted, SPA: d.spa, Created: now, Until: now.Add(life),
		}
		if !d.spa {
			rec.Until = rec.Until.Add(familySlack)
		}
	case !d.spa && now.Add(life).After(have.Until):
		longer := *have
		longer.Until = now.Add(life + familySlack)
		rec = &longer
	}
	return token, a.key(), rec
}

// putFamily stores a family's row within the caller's transaction; value is its encoded form, before the end it had so far.
func putFamily(tx store.Tx, now time.Time, key string, value []byte, before, until time.Time) error {
	if err := sweep(tx, now); err != nil {
		return err
	}
	return putEnding(tx, key, value, before, until)
}

// begin stores a new family, if the delegation asked for a refresh token, and answers.
func (s *Service) begin(ctx context.Context, e endpoint, f *tokenForm, d *delegation, out *issued) (any, error) {
	if !d.wanted.Offline && e.v2 {
		return s.userAnswer(e, f, d, out, ""), nil
	}
	token, key, rec := s.newFamily(d, nil)
	value, err := familyCodec.Encode(*rec)
	if err != nil {
		return nil, fmt.Errorf("encode refresh-token family: %w", err)
	}
	now := s.Clock.Now()
	_, err = s.Store.Update(ctx, signinShard(d.tenant.ID), func(tx store.Tx) error {
		return putFamily(tx, now, key, value, time.Time{}, rec.Until)
	})
	if err != nil {
		return nil, fmt.Errorf("store refresh-token family: %w", err)
	}
	return s.userAnswer(e, f, d, out, token), nil
}

// userAnswer is the token endpoint's answer about a user.
func (s *Service) userAnswer(e endpoint, f *tokenForm, d *delegation, out *issued, refresh string) any {
	info := ""
	if f.clientInfo {
		b, _ := json.Marshal(map[string]string{"uid": d.user.ObjectID, "utid": d.tenant.ID}) // strings always encode
		info = base64.RawURLEncoding.EncodeToString(b)
	}
	switch v := s.answer(out.access, e, out.resource).(type) {
	case tokenV1:
		v.Scope, v.Refresh, v.ID, v.ClientInfo = out.scope, refresh, out.id, info
		return v
	case tokenV2:
		v.Scope, v.Refresh, v.ID, v.ClientInfo = out.scope, refresh, out.id, info
		return v
	}
	return nil
}

// sameClient refuses an artifact that another client was given.
func sameClient(have string, c *client, what string) error {
	if have != c.app.AppID {
		return oauth(fault.Invalid, 70000, "invalid_grant",
			"The provided value for the '%s' parameter is not valid: it was issued to another client than '%s'.", what, c.app.AppID)
	}
	return nil
}

// artifactTenant is the tenant of what a client presents. A path that names another one is refused.
func (s *Service) artifactTenant(ctx context.Context, segment, tenantID string) (*Tenant, error) {
	tenant, err := s.Tenants.Find(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	if tenant == nil {
		return nil, oauth(fault.Invalid, 70000, "invalid_grant", "The grant's tenant is gone.")
	}
	if !reserved(segment) {
		asked, err := s.pathTenant(ctx, segment)
		if err != nil {
			return nil, err
		}
		if asked.ID != tenant.ID {
			return nil, oauth(fault.Invalid, 700005, "invalid_grant",
				"Provided grant is intended to use against other tenant, thus rejected. Its user is of tenant '%s'; there are no guests here.", tenant.ID)
		}
	}
	return tenant, nil
}
