package authn

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/bulkheadhq/bulkhead/internal/ids"
)

const (
	// skew is how far the clocks of issuer and verifier may be apart.
	skew = 5 * time.Minute
	// verifiedMax bounds the cache of verified tokens (about 1 KiB each).
	verifiedMax = 4096
	// tokenMax bounds a bearer token; Entra ID's own stay far below because groups overflow into a link.
	tokenMax = 32 << 10
)

// verified is a token whose signature and form were found right. What can change (time, tenants) is checked on each use.
type verified struct {
	principal Principal
	notBefore time.Time
}

// received are the claims a token may carry, of either version.
type received struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	NotBefore *int64   `json:"nbf"`
	Expires   *int64   `json:"exp"`
	Tenant    string   `json:"tid"`
	Object    string   `json:"oid"`
	TokenID   string   `json:"uti"`
	AppID     string   `json:"appid"`
	AppAuth   string   `json:"appidacr"`
	AZP       string   `json:"azp"`
	AZPAuth   string   `json:"azpacr"`
	Type      string   `json:"idtyp"`
	Resource  string   `json:"xms_mirid"`
	Scopes    string   `json:"scp"`
	Roles     []string `json:"roles"`
	Groups    []string `json:"groups"`
	Name      string   `json:"name"`
	AppName   string   `json:"app_displayname"`
	UPN       string   `json:"upn"`
	Preferred string   `json:"preferred_username"`
}

// Verify implements Verifier. Verified tokens are remembered by their SHA-256, so that a client's second request costs no RSA; lifetime and tenant are
// checked each time. The caller may keep the principal but must not change its slices.
func (t *Tokens) Verify(ctx context.Context, raw string) (*Principal, error) {
	if len(raw) > tokenMax {
		return nil, &VerifyError{Malformed, fmt.Sprintf("%d bytes, at most %d are accepted", len(raw), tokenMax)}
	}
	sum := sha256.Sum256([]byte(raw))
	v, known := t.verified.Get(sum)
	if !known {
		var err error
		if v, err = t.open(raw); err != nil {
			return nil, err
		}
	}
	if ok, err := t.tenantExists(ctx, v.principal.TenantID); err != nil {
		return nil, fmt.Errorf("look up tenant %s: %w", v.principal.TenantID, err)
	} else if !ok {
		return nil, &VerifyError{BadIssuer, "no tenant " + v.principal.TenantID + " here"}
	}
	now := t.clock.Now()
	if now.After(v.principal.Expires.Add(skew)) {
		return nil, &VerifyError{Expired, "since " + v.principal.Expires.Format(time.RFC3339)}
	}
	if now.Add(skew).Before(v.notBefore) {
		return nil, &VerifyError{NotYetValid, "until " + v.notBefore.Format(time.RFC3339)}
	}
	if !known {
		t.verified.Add(sum, v)
	}
	p := v.principal
	return &p, nil
}

// open checks what never changes about a token: form, signature, issuer.
func (t *Tokens) open(raw string) (*verified, error) {
	if err := CheckCompact(raw); err != nil {
		return nil, &VerifyError{Malformed, err.Error()}
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, &VerifyError{Malformed, "not a compact JWS signed with RS256"}
	}
	id := jws.Signatures[0].Protected.KeyID
	key := t.keys.Load().usable(t.clock.Now()).find(id)
	if key == nil {
		return nil, &VerifyError{BadSignature, fmt.Sprintf("no signing key %.60q", id)}
	}
	payload, err := jws.Verify(&key.private.PublicKey)
	if err != nil {
		return nil, &VerifyError{BadSignature, "it does not match key " + id}
	}
	var c received
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, &VerifyError{Malformed, "its claims are not the JSON of an access token"}
	}
	if !ids.IsGUID(c.Tenant) || !ids.IsGUID(c.Object) || c.Audience == "" || c.Expires == nil {
		return nil, &VerifyError{Malformed, "it lacks tid, oid, aud or exp"}
	}
	if c.Type != "app" && c.Type != "user" {
		// An id_token is signed with the same key, for the client alone.
		return nil, &VerifyError{Malformed, "it is not an access token (no idtyp)"}
	}
	if !t.issuedBy(c.Issuer, c.Tenant) {
		return nil, &VerifyError{BadIssuer, fmt.Sprintf("%.200q is not an issuer of tenant %s", c.Issuer, c.Tenant)}
	}
	v := &verified{principal: c.principal()}
	if c.NotBefore != nil {
		v.notBefore = time.Unix(*c.NotBefore, 0).UTC()
	}
	return v, nil
}

// issuedBy tells whether iss is one of the forms this platform writes for the tenant.
func (t *Tokens) issuedBy(iss, tenantID string) bool {
	if iss == StandardIssuer("1.0", tenantID) || iss == StandardIssuer("2.0", tenantID) {
		return true
	}
	rest, ok := strings.CutPrefix(iss, "https://")
	if !ok {
		return false
	}
	host, path, _ := strings.Cut(rest, "/")
	if path != tenantID+"/" && path != tenantID+"/v2.0" {
		return false
	}
	own := t.ownHost.Load()
	return own != nil && (*own)(host)
}

func (c *received) principal() Principal {
	p := Principal{
		Kind: ServicePrincipal, TenantID: c.Tenant, ObjectID: c.Object, AppID: c.AppID, ClientAuth: c.AppAuth, Name: c.AppName,
		Resource: c.Resource, Audience: c.Audience, Issuer: c.Issuer, TokenID: c.TokenID, Scopes: c.Scopes,
		Roles: c.Roles, Groups: c.Groups, Expires: time.Unix(*c.Expires, 0).UTC(),
	}
	if p.AppID == "" {
		p.AppID, p.ClientAuth = c.AZP, c.AZPAuth
	}
	switch {
	case c.Type == "user":
		p.Kind, p.Name, p.UserName = User, c.Name, c.UPN
		if p.UserName == "" {
			p.UserName = c.Preferred
		}
	case c.Resource != "":
		p.Kind = ManagedIdentity
	}
	return p
}

// CheckCompact tells whether raw is three base64url segments in their one canonical spelling. Decoders commonly ignore the unused bits of the last
// character, which would let two different strings stand for the same token.
func CheckCompact(raw string) error {
	header, rest, ok := strings.Cut(raw, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(signature, ".") {
		return fmt.Errorf("it has not three parts")
	}
	for _, part := range []string{header, payload, signature} {
		if part == "" {
			return fmt.Errorf("one of its parts is empty")
		}
		if strings.ContainsAny(part, "\r\n") {
			return fmt.Errorf("one of its parts is not base64url")
		}
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return fmt.Errorf("one of its parts is not base64url")
		}
	}
	return nil
}
