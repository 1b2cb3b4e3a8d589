package authn

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// backdate is how long before now a token's iat and nbf lie, as Entra ID does it: a resource whose clock is behind accepts it at once.
const backdate = 5 * time.Minute

// Tokens issues and verifies the platform's tokens with one ring of RSA keys. It implements Issuer and Verifier and is safe for concurrent use.
type Tokens struct {
	store        store.Store
	sealer       Sealer
	clock        clock.Clock
	tenantExists func(ctx context.Context, tenantID string) (bool, error)

	keys     atomic.Pointer[ring]
	rotation sync.Mutex
	ownHost  atomic.Pointer[func(hostport string) bool]
	verified *lru.Cache[[sha256.Size]byte, *verified]
	issued   func(ctx context.Context, p *Principal)
}

// OnIssue sets what is told of each principal that a token was issued to, in the call that issues it: it must be quick. Before the first use.
func (t *Tokens) OnIssue(fn func(ctx context.Context, p *Principal)) { t.issued = fn }

// NewTokens loads the signing keys and makes the first one where the store has none. tenantExists answers whether a tenant lives here; it is asked
// at each verification and has to be cheap.
func NewTokens(ctx context.Context, st store.Store, sealer Sealer, c clock.Clock,
	tenantExists func(ctx context.Context, tenantID string) (bool, error),
) (*Tokens, error) {
	keys, err := loadRing(ctx, st, sealer, c, true)
	if err != nil {
		return nil, err
	}
	cache, err := lru.New[[sha256.Size]byte, *verified](verifiedMax)
	if err != nil {
		return nil, fmt.Errorf("make token cache: %w", err)
	}
	t := &Tokens{store: st, sealer: sealer, clock: c, tenantExists: tenantExists, verified: cache}
	t.keys.Store(&keys)
	return t, nil
}

// TrustIssuerHosts makes tokens acceptable whose issuer has a login host of the platform's own besides Azure's names. own gets "host[:port]".
func (t *Tokens) TrustIssuerHosts(own func(hostport string) bool) { t.ownHost.Store(&own) }

// Rotate adds a signing key and signs with it from now on. Tokens of the older keys stay valid until they expire, and so long those keys stay in JWKS;
// keys whose last token has expired are removed for good.
func (t *Tokens) Rotate(ctx context.Context) error {
	t.rotation.Lock()
	defer t.rotation.Unlock()
	now, newest := t.clock.Now(), (*t.keys.Load())[0].created
	if !now.After(newest) {
		now = newest.Add(time.Nanosecond) // the order of keys is that of their times, whatever the clock does
	}
	if err := addKey(ctx, t.store, t.sealer, now, false); err != nil {
		return err
	}
	keys, err := loadRing(ctx, t.store, t.sealer, t.clock, false)
	if err != nil {
		return err
	}
	t.keys.Store(&keys)
	return dropKeys(ctx, t.store, keys[len(keys.usable(t.clock.Now())):])
}

// SigningKey describes a key of the ring, without its private part.
type SigningKey struct {
	ID      string
	Created time.Time
	// Until is when the last token signed with it has expired; zero for the key that signs now.
	Until time.Time
}

// SigningKeys lists the keys whose tokens may still be about, newest first; the first one signs.
func (t *Tokens) SigningKeys() []SigningKey {
	keys := t.keys.Load().usable(t.clock.Now())
	out := make([]SigningKey, len(keys))
	for i, k := range keys {
		out[i] = SigningKey{ID: k.id, Created: k.created, Until: keys.until(i)}
	}
	return out
}

// StandardIssuer is the iss of a tenant's tokens as Azure's public cloud writes it.
func StandardIssuer(version, tenantID string) string {
	if version == "2.0" {
		return "https://login.microsoftonline.com/" + tenantID + "/v2.0"
	}
	return "https://sts.windows.net/" + tenantID + "/"
}

// Issue implements Issuer. The caller has decided that the principal may have the token.
func (t *Tokens) Issue(ctx context.Context, c Claims) (Token, error) {
	if c.Principal.TenantID == "" || c.Principal.ObjectID == "" || c.Audience == "" {
		return Token{}, fmt.Errorf("issue token: tenant, object id and audience are required")
	}
	if c.Version == "" {
		c.Version = "1.0"
	}
	life := c.Lifetime
	if life == 0 {
		life = time.Hour
	}
	if life > MaxLifetime {
		return Token{}, fmt.Errorf("issue token: a lifetime of %v is above %v", life, MaxLifetime)
	}
	now := t.clock.Now().Truncate(time.Second)
	from, until := now.Add(-backdate), now.Add(life)
	key := (*t.keys.Load())[0]

	payload, err := json.Marshal(claimSet(c, from, until))
	if err != nil {
		return Token{}, fmt.Errorf("encode claims: %w", err)
	}
	header := key.headerV1
	if c.Version == "2.0" {
		header = key.headerV2
	}
	raw, err := key.sign(header, payload)
	if err != nil {
		return Token{}, err
	}
	if t.issued != nil {
		t.issued(ctx, &c.Principal)
	}
	return Token{Raw: raw, Expires: until, NotBefore: from}, nil
}

// sign makes the compact form.
func (k *signingKey) sign(header string, payload []byte) (string, error) {
	enc := base64.RawURLEncoding
	out := make([]byte, 0, len(header)+2+enc.EncodedLen(len(payload))+enc.EncodedLen(k.private.Size()))
	out = append(out, header...)
	out = append(out, '.')
	out = enc.AppendEncode(out, payload)
	sum := sha256.Sum256(out)
	signature, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	out = append(out, '.')
	out = enc.AppendEncode(out, signature)
	return string(out), nil
}

// claimSet lays the claims out as Entra ID does, by version.
// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
func claimSet(c Claims, from, until time.Time) map[string]any {
	p := c.Principal
	m := make(map[string]any, 24+len(c.Extra))
	maps.Copy(m, c.Extra)
	issuer := c.Issuer
	if issuer == "" {
		issuer = StandardIssuer(c.Version, p.TenantID)
	}
	m["aud"], m["iss"], m["ver"] = c.Audience, issuer, c.Version
	m["iat"], m["nbf"], m["exp"] = from.Unix(), from.Unix(), until.Unix()
	m["tid"], m["oid"], m["sub"] = p.TenantID, p.ObjectID, subject(p, c.Audience)
	m["uti"], m["aio"], m["rh"] = opaque(16), opaque(60), "1."+opaque(36)+"."
	if c.ID {
		put(m, "name", p.Name)
		putUserName(m, c.Version, p.UserName)
		setLists(m, p)
		return m
	}
	if c.Version == "2.0" {
		put(m, "azp", p.AppID)
		put(m, "azpacr", p.ClientAuth)
	} else {
		put(m, "appid", p.AppID)
		put(m, "appidacr", p.ClientAuth)
	}
	if p.Kind == User {
		m["idtyp"] = "user"
		put(m, "name", p.Name)
		putUserName(m, c.Version, p.UserName)
	} else {
		m["idtyp"], m["idp"] = "app", issuer
		put(m, "app_displayname", p.Name)
	}
	put(m, "scp", p.Scopes)
	// Entra ID prints the group segment of a managed identity's resource in lower case.
	put(m, "xms_mirid", strings.Replace(p.Resource, "/resourceGroups/", "/resourcegroups/", 1))
	setLists(m, p)
	return m
}

func setLists(m map[string]any, p Principal) {
	if len(p.Roles) > 0 {
		m["roles"] = p.Roles
	}
	if len(p.Groups) > 0 {
		m["groups"] = p.Groups
	}
}

// putUserName writes a user's principal name under the names that each version has for it.
func putUserName(m map[string]any, version, name string) {
	if version == "2.0" {
		put(m, "preferred_username", name)
		return
	}
	put(m, "unique_name", name)
	put(m, "upn", name)
}

func put(m map[string]any, name, value string) {
	if value != "" {
		m[name] = value
	}
}

// subject is the object id for applications and a pairwise identifier for users.
func subject(p Principal, audience string) string {
	if p.Kind != User {
		return p.ObjectID
	}
	sum := sha256.Sum256([]byte(p.TenantID + "|" + p.ObjectID + "|" + audience))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// opaque is n random bytes as text.
func opaque(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
