package directory_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	guids "github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/services/directory"
)

// TestAssertion_Machine: an enrolled machine signs in as its managed identity with its own key, and with no other.
func TestAssertion_Machine(t *testing.T) {
	t.Parallel()
	own, stranger := newECKey(t), newECKey(t)
	const resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/machines/m1"
	enrolled := true
	p := newPlatform(t, func(d *directory.Deps) {
		d.IdentityKeys = func(_ context.Context, id string) ([]crypto.PublicKey, error) {
			if id != resource || !enrolled {
				return nil, nil
			}
			return []crypto.PublicKey{own.Public()}, nil
		}
	})
	contoso := p.tenant("Contoso")
	sp := directory.SP{TenantID: contoso.ID, ObjectID: guids.New(), AppID: guids.New(), DisplayName: "m1", Kind: authn.ManagedIdentity, ResourceID: resource}
	if err := p.dir.EnsureServicePrincipal(t.Context(), sp); err != nil {
		t.Fatal(err)
	}
	path := "/" + contoso.ID + v2Token
	claims := func(change func(*jwt.Claims)) *jwt.Claims {
		c := &jwt.Claims{
			Issuer: sp.AppID, Subject: sp.AppID, Audience: jwt.Audience{"https://" + publicLogin + path}, ID: guids.New(),
			Expiry: jwt.NewNumericDate(p.clock.Now().Add(5 * time.Minute)),
		}
		if change != nil {
			change(c)
		}
		return c
	}
	form := func(key *ecdsa.PrivateKey, c *jwt.Claims) url.Values {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jwt.Signed(signer).Claims(c).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return federatedForm(daemon{Application: &directory.Application{AppID: sp.AppID}}, raw)
	}
	a := p.post(publicLogin, path, form(own, claims(nil)))
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	got, err := p.tokens.Verify(t.Context(), a.body["access_token"].(string))
	if err != nil || got.Kind != authn.ManagedIdentity || got.ObjectID != sp.ObjectID || !strings.EqualFold(got.Resource, resource) {
		t.Errorf("verified as %+v, %v", got, err)
	}
	wantAADSTS(t, "another key", p.post(publicLogin, path, form(stranger, claims(nil))), 401, 700027, "invalid_client")
	wantAADSTS(t, "about another", p.post(publicLogin, path, form(own, claims(func(c *jwt.Claims) { c.Subject = guids.New() }))), 401, 700021, "invalid_client")
	wantAADSTS(t, "for another endpoint", p.post(publicLogin, path, form(own, claims(func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://example.com/"} }))), 401, 700023, "invalid_client")
	wantAADSTS(t, "expired", p.post(publicLogin, path, form(own, claims(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(p.clock.Now().Add(-time.Hour)) }))), 401, 700024, "invalid_client")
	wantAADSTS(t, "endless", p.post(publicLogin, path, form(own, claims(func(c *jwt.Claims) { c.Expiry = nil }))), 401, 700024, "invalid_client")
	enrolled = false
	wantAADSTS(t, "enrolled no more", p.post(publicLogin, path, form(own, claims(nil))), 400, 700016, "unauthorized_client")
}

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
