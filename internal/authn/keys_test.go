package authn_test

import (
	"errors"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
)

// TestRotate_OldKeys: tokens of a key that was replaced are good until they expire, on the same ring and on one opened later; then the key is gone.
func TestRotate_OldKeys(t *testing.T) {
	t.Parallel()
	st, c := openStore(t), clock.NewFake(start)
	tokens := newTokens(t, st, c)
	first := tokens.JWKS().Keys[0].KeyID
	long := appClaims("1.0", "a")
	long.Lifetime = authn.MaxLifetime
	raw := issue(t, tokens, long)
	if err := tokens.Rotate(t.Context()); err != nil { // the clock stands still: the order must not rest on it
		t.Fatal(err)
	}
	keys := tokens.SigningKeys()
	if len(keys) != 2 || keys[0].ID == first || keys[1].ID != first || !keys[0].Until.IsZero() {
		t.Fatalf("keys after rotation: %+v, first was %s", keys, first)
	}
	if got := tokens.JWKS().Keys; len(got) != 2 || got[0].KeyID != keys[0].ID || got[1].KeyID != first {
		t.Errorf("key set %+v", got)
	}
	again := newTokens(t, st, c)
	for name, ring := range map[string]*authn.Tokens{"the same": tokens, "reopened": again} {
		if _, err := ring.Verify(t.Context(), raw); err != nil {
			t.Errorf("%s: a token of the old key: %v", name, err)
		}
		if got := ring.SigningKeys(); len(got) != 2 || got[0].ID != keys[0].ID {
			t.Errorf("%s: keys %+v, want %s to sign", name, got, keys[0].ID)
		}
	}

	c.Advance(authn.MaxLifetime + skew)
	if _, err := again.Verify(t.Context(), raw); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	c.Advance(time.Second)
	if got := again.JWKS().Keys; len(got) != 1 || got[0].KeyID != keys[0].ID {
		t.Errorf("after the last token expired the key set is %+v", got)
	}
	var bad *authn.VerifyError
	if _, err := newTokens(t, st, c).Verify(t.Context(), raw); !errors.As(err, &bad) || bad.Reason != authn.BadSignature {
		t.Errorf("a token of a key that is gone: %v", err)
	}
	if err := tokens.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Advance(-authn.MaxLifetime) // if the row were still there, the key would be back now
	for _, k := range newTokens(t, st, c).SigningKeys() {
		if k.ID == first {
			t.Error("the expired key is still in the store")
		}
	}
}

func TestIssue_LifetimeBound(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, openStore(t), clock.NewFake(start))
	claims := appClaims("1.0", "a")
	claims.Lifetime = authn.MaxLifetime + time.Second
	if _, err := tokens.Issue(t.Context(), claims); err == nil {
		t.Error("a token that outlives its key's retirement was issued")
	}
}

// TestVerify_User: what a user's token says comes back, and an id_token is no access token.
func TestVerify_User(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, openStore(t), clock.NewFake(start))
	for _, version := range []string{"1.0", "2.0"} {
		claims := authn.Claims{Version: version, Audience: appID, Principal: authn.Principal{
			Kind: authn.User, TenantID: tenantID, ObjectID: objectID, AppID: appID, Name: "Ada", UserName: "ada@contoso.com", ClientAuth: "0",
			Scopes: "user_impersonation", Roles: []string{"Reader"}, Groups: []string{tenantID},
		}}
		p, err := tokens.Verify(t.Context(), issue(t, tokens, claims))
		if err != nil {
			t.Fatal(err)
		}
		if p.Kind != authn.User || p.UserName != "ada@contoso.com" || p.Name != "Ada" || p.Scopes != "user_impersonation" || p.AppID != appID ||
			len(p.Roles) != 1 || len(p.Groups) != 1 {
			t.Errorf("version %s: %+v", version, p)
		}
		claims.ID = true
		var bad *authn.VerifyError
		if _, err := tokens.Verify(t.Context(), issue(t, tokens, claims)); !errors.As(err, &bad) || bad.Reason != authn.Malformed {
			t.Errorf("version %s: an id_token was taken for an access token: %v", version, err)
		}
	}
}
