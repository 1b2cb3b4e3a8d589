package authn_test

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/store/pebble"
)

const (
	tenantID = "aaaaaaaa-0000-4000-8000-000000000001"
	objectID = "bbbbbbbb-0000-4000-8000-000000000002"
	appID    = "cccccccc-0000-4000-8000-000000000003"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := pebble.Open("db", pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func sealer(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := seal.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func onlyTenant(_ context.Context, id string) (bool, error) { return id == tenantID, nil }

func newTokens(t testing.TB, st store.Store, c clock.Clock) *authn.Tokens {
	t.Helper()
	tokens, err := authn.NewTokens(t.Context(), st, sealer(t), c, onlyTenant)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func appClaims(version, audience string) authn.Claims {
	return authn.Claims{Version: version, Audience: audience, Principal: authn.Principal{
		Kind: authn.ServicePrincipal, TenantID: tenantID, ObjectID: objectID, AppID: appID, Name: "daemon", ClientAuth: "1",
	}}
}

func issue(t testing.TB, tokens *authn.Tokens, c authn.Claims) string {
	t.Helper()
	token, err := tokens.Issue(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return token.Raw
}

func TestTokens_RoundTrip(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, openStore(t), clock.NewFake(start))
	identity := appClaims("1.0", "https://vault.azure.net")
	identity.Principal.Kind, identity.Principal.Resource, identity.Principal.ClientAuth = authn.ManagedIdentity, "/subscriptions/s/resourceGroups/g/providers/P/t/n", "2"
	user := appClaims("2.0", "api")
	user.Principal.Kind, user.Principal.Scopes, user.Principal.Roles = authn.User, "read write", []string{"Reader"}
	for name, c := range map[string]authn.Claims{
		"v1": appClaims("1.0", "https://vault.azure.net"), "v2": appClaims("2.0", appID), "managed identity": identity, "user": user,
	} {
		for _, round := range []string{"verified", "remembered"} {
			got, err := tokens.Verify(t.Context(), issue(t, tokens, c))
			if err != nil {
				t.Fatalf("%s, %s: %v", name, round, err)
			}
			want := c.Principal
			want.Audience, want.Issuer, want.Expires = c.Audience, authn.StandardIssuer(c.Version, tenantID), start.Add(time.Hour)
			want.Resource = strings.Replace(want.Resource, "resourceGroups", "resourcegroups", 1)
			want.TokenID = got.TokenID
			if diff := cmp.Diff(want, *got); diff != "" || got.TokenID == "" {
				t.Errorf("%s, %s: -want +got\n%s", name, round, diff)
			}
		}
	}
}

// TestTokens_IndependentVerification checks a token with nothing but crypto/rsa and the published key set, and its claims one by one.
func TestTokens_IndependentVerification(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, openStore(t), clock.NewFake(start))
	for _, version := range []string{"1.0", "2.0"} {
		parts := strings.Split(issue(t, tokens, appClaims(version, "aud")), ".")
		var header, claims map[string]any
		decodeJSON(t, parts[0], &header)
		decodeJSON(t, parts[1], &claims)

		key := tokens.JWKS().Keys[0]
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(decode(t, key.Modulus)), E: int(new(big.Int).SetBytes(decode(t, key.Exponent)).Int64())}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], decode(t, parts[2])); err != nil {
			t.Errorf("version %s: %v", version, err)
		}
		der, err := base64.StdEncoding.DecodeString(key.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		thumb := sha1.Sum(der)
		if !public.Equal(certificate.PublicKey) || key.Thumbprint != base64.RawURLEncoding.EncodeToString(thumb[:]) || key.KeyID != key.Thumbprint {
			t.Errorf("version %s: key, certificate and thumbprint differ", version)
		}

		wantHeader := map[string]any{"typ": "JWT", "alg": "RS256", "kid": key.KeyID}
		want := map[string]any{
			"aud": "aud", "iss": "https://login.microsoftonline.com/" + tenantID + "/v2.0", "ver": version, "tid": tenantID, "oid": objectID, "sub": objectID,
			"iat": float64(start.Unix() - 300), "nbf": float64(start.Unix() - 300), "exp": float64(start.Unix() + 3600),
			"azp": appID, "azpacr": "1", "idtyp": "app", "app_displayname": "daemon",
		}
		if version == "1.0" {
			wantHeader["x5t"] = key.KeyID
			want["iss"], want["appid"], want["appidacr"] = "https://sts.windows.net/"+tenantID+"/", appID, "1"
			delete(want, "azp")
			delete(want, "azpacr")
		}
		want["idp"] = want["iss"]
		for _, opaque := range []string{"uti", "aio", "rh"} {
			if s, _ := claims[opaque].(string); s == "" {
				t.Errorf("version %s: no %s", version, opaque)
			}
			delete(claims, opaque)
		}
		if diff := cmp.Diff(wantHeader, header); diff != "" {
			t.Errorf("version %s header: -want +got\n%s", version, diff)
		}
		if diff := cmp.Diff(want, claims); diff != "" {
			t.Errorf("version %s claims: -want +got\n%s", version, diff)
		}
	}
}

func decode(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeJSON(t testing.TB, s string, v any) {
	t.Helper()
	if err := json.Unmarshal(decode(t, s), v); err != nil {
		t.Fatal(err)
	}
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestVerify_Refusals(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(start)
	tokens := newTokens(t, openStore(t), c)
	other := newTokens(t, openStore(t), c) // another platform's keys
	good := issue(t, tokens, appClaims("1.0", "https://vault.azure.net"))
	parts := strings.Split(good, ".")
	kid := tokens.JWKS().Keys[0].KeyID

	with := func(change func(*authn.Claims)) string {
		cl := appClaims("1.0", "https://vault.azure.net")
		change(&cl)
		return issue(t, tokens, cl)
	}
	hs := encode(`{"typ":"JWT","alg":"HS256","kid":"`+kid+`"}`) + "." + parts[1]
	mac := hmac.New(sha256.New, decode(t, tokens.JWKS().Keys[0].Modulus))
	mac.Write([]byte(hs))

	for name, tt := range map[string]struct {
		raw  string
		want authn.Reason
	}{
		"empty":                       {"", authn.Malformed},
		"not a token":                 {"abc", authn.Malformed},
		"four parts":                  {good + ".x", authn.Malformed},
		"too long":                    {strings.Repeat("a", 40_000), authn.Malformed},
		"alg none":                    {encode(`{"alg":"none"}`) + "." + parts[1] + ".", authn.Malformed},
		"alg none with signature":     {encode(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2], authn.Malformed},
		"alg HS256 with public key":   {hs + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), authn.Malformed},
		"alg RS384":                   {encode(`{"alg":"RS384","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2], authn.Malformed},
		"no kid":                      {encode(`{"alg":"RS256"}`) + "." + parts[1] + "." + parts[2], authn.BadSignature},
		"unknown kid":                 {issue(t, other, appClaims("1.0", "a")), authn.BadSignature},
		"header changed":              {encode(`{"alg":"RS256","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2], authn.BadSignature},
		"payload changed":             {parts[0] + "." + encode(strings.Replace(string(decode(t, parts[1])), appID, objectID, 1)) + "." + parts[2], authn.BadSignature},
		"signature cut":               {parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-2], authn.BadSignature},
		"signature spelt another way": {good[:len(good)-1] + string(good[len(good)-1]+1), authn.Malformed},
		"padded":                      {good + "==", authn.Malformed},
		"line break":                  {parts[0] + "." + parts[1] + ".\n" + parts[2], authn.Malformed},
		"foreign issuer":              {with(func(c *authn.Claims) { c.Issuer = "https://evil.example/" + tenantID + "/" }), authn.BadIssuer},
		"issuer of another tenant":    {with(func(c *authn.Claims) { c.Issuer = authn.StandardIssuer("1.0", objectID) }), authn.BadIssuer},
		"issuer without tenant":       {with(func(c *authn.Claims) { c.Issuer = "https://sts.windows.net/" }), authn.BadIssuer},
		"plain http issuer":           {with(func(c *authn.Claims) { c.Issuer = "http://sts.windows.net/" + tenantID + "/" }), authn.BadIssuer},
		"tenant that is not here":     {with(func(c *authn.Claims) { c.Principal.TenantID = objectID }), authn.BadIssuer},
		"tenant that is no GUID":      {with(func(c *authn.Claims) { c.Principal.TenantID = "contoso" }), authn.Malformed},
		"expired":                     {with(func(c *authn.Claims) { c.Lifetime = -skew - time.Second }), authn.Expired},
		"claims of the wrong type":    {with(func(c *authn.Claims) { c.Extra = map[string]any{"xms_mirid": 1} }), authn.Malformed},
	} {
		_, err := tokens.Verify(t.Context(), tt.raw)
		var bad *authn.VerifyError
		if !errors.As(err, &bad) || bad.Reason != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
		if err != nil && len(tt.raw) > 20 && strings.Contains(err.Error(), tt.raw) {
			t.Errorf("%s: the error repeats the token", name)
		}
	}
}

const skew = 5 * time.Minute

func TestVerify_Time(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(start)
	tokens := newTokens(t, openStore(t), c)
	raw := issue(t, tokens, appClaims("1.0", "a")) // nbf start-5m, exp start+1h
	for _, step := range []struct {
		at   time.Duration
		want authn.Reason
	}{
		{0, ""},
		{time.Hour, ""},
		{time.Hour + skew, ""},
		{time.Hour + skew + time.Second, authn.Expired},
		{-2 * skew, ""},
		{-2*skew - time.Second, authn.NotYetValid},
		{0, ""},
	} {
		c.Advance(start.Add(step.at).Sub(c.Now())) // each also meets the remembered token
		_, err := tokens.Verify(t.Context(), raw)
		var bad *authn.VerifyError
		if step.want == "" && err != nil || step.want != "" && (!errors.As(err, &bad) || bad.Reason != step.want) {
			t.Errorf("at %v: got %v, want %q", step.at, err, step.want)
		}
	}
}

func TestVerify_TenantGone(t *testing.T) {
	t.Parallel()
	here := true
	exists := func(context.Context, string) (bool, error) { return here, nil }
	tokens, err := authn.NewTokens(t.Context(), openStore(t), sealer(t), clock.NewFake(start), exists)
	if err != nil {
		t.Fatal(err)
	}
	raw := issue(t, tokens, appClaims("1.0", "a"))
	if _, err := tokens.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	here = false
	var bad *authn.VerifyError
	if _, err := tokens.Verify(t.Context(), raw); !errors.As(err, &bad) || bad.Reason != authn.BadIssuer {
		t.Errorf("remembered token of a tenant that is gone: got %v, want %s", err, authn.BadIssuer)
	}
}

func TestVerify_OwnIssuer(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, openStore(t), clock.NewFake(start))
	c := appClaims("1.0", "a")
	c.Issuer = "https://login.bulkhead.localhost:8443/" + tenantID + "/"
	raw := issue(t, tokens, c)
	if _, err := tokens.Verify(t.Context(), raw); err == nil {
		t.Error("an own issuer was accepted before it was trusted")
	}
	tokens.TrustIssuerHosts(func(h string) bool { return h == "login.bulkhead.localhost:8443" })
	if p, err := tokens.Verify(t.Context(), raw); err != nil || p.Issuer != c.Issuer {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestTokens_RotateAndReopen(t *testing.T) {
	t.Parallel()
	st, c := openStore(t), clock.NewFake(start)
	tokens := newTokens(t, st, c)
	before := issue(t, tokens, appClaims("1.0", "a"))
	c.Advance(time.Minute)
	if err := tokens.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := issue(t, tokens, appClaims("1.0", "a"))
	if before[:strings.Index(before, ".")] == after[:strings.Index(after, ".")] {
		t.Error("rotation did not change the signing key")
	}
	again := newTokens(t, st, c)
	if diff := cmp.Diff(tokens.JWKS(), again.JWKS()); diff != "" || len(again.JWKS().Keys) != 2 {
		t.Errorf("keys after reopening: -before +after\n%s", diff)
	}
	for _, raw := range []string{before, after} {
		if _, err := again.Verify(t.Context(), raw); err != nil {
			t.Error(err)
		}
	}
}

// TestTokens_KeysAreSealed looks for the private key in the store, in the clear.
func TestTokens_KeysAreSealed(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	newTokens(t, st, clock.NewFake(start))
	rows := 0
	err := st.View(t.Context(), "platform", func(snap store.Snapshot) error {
		return snap.Scan(store.Range{}, func(_, value []byte) bool {
			rows++
			var rec struct{ Private []byte }
			if err := json.Unmarshal(value[2:], &rec); err != nil {
				t.Error(err)
			}
			if _, err := x509.ParsePKCS8PrivateKey(rec.Private); err == nil || len(rec.Private) < 1000 {
				t.Errorf("private part of %d bytes is not sealed", len(rec.Private))
			}
			return true
		})
	})
	if err != nil || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
	wrong, err := seal.New([]byte("another key another key another "))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authn.NewTokens(t.Context(), st, wrong, clock.NewFake(start), onlyTenant); err == nil {
		t.Error("keys opened with another master key")
	}
}

func FuzzVerify(f *testing.F) {
	tokens := newTokens(f, openStore(f), clock.NewFake(start))
	good, err := tokens.Issue(context.Background(), appClaims("1.0", "a"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.Raw)
	f.Add(encode(`{"alg":"none"}`) + ".e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := tokens.Verify(t.Context(), raw)
		if (err == nil) != (raw == good.Raw) || err == nil && p.ObjectID != objectID {
			t.Errorf("%q: got %+v, %v", raw, p, err)
		}
	})
}

func BenchmarkVerifyRemembered(b *testing.B) {
	tokens := newTokens(b, openStore(b), clock.NewFake(start))
	raw := issue(b, tokens, appClaims("1.0", "https://vault.azure.net"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Verify(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIssue(b *testing.B) {
	tokens := newTokens(b, openStore(b), clock.System{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Issue(b.Context(), appClaims("1.0", "https://vault.azure.net")); err != nil {
			b.Fatal(err)
		}
	}
}
