package main

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Caller is who sent a request: an application of a customer's directory.
type Caller struct {
	Customer *Customer
	ClientID string
}

// claims are those of a token for this service; version 1.0 tokens name the client appid, version 2.0 azp.
type claims struct {
	jwt.RegisteredClaims
	TenantID string `json:"tid"`
	Version  string `json:"ver"`
	AppID    string `json:"appid"`
	AZP      string `json:"azp"`
}

var (
	errNoToken         = errors.New("send a bearer token for this service")
	errUnknownCustomer = errors.New("the directory of the token belongs to no customer")
	errUnknownCaller   = errors.New("the customer does not let this application call")
)

// clockSkew is how far a token's times may be from ours.
const clockSkew = time.Minute

// Verifier tells who a caller's token speaks for. It trusts the directories of the customers, each for its own tokens.
type Verifier struct {
	Settings *Settings
	Client   *http.Client

	mu      sync.Mutex
	issuers map[string]*issuer // by metadata URL
}

// Verify checks a request's token: a customer's directory issued it, for this service, and it is valid now.
func (v *Verifier) Verify(r *http.Request) (*Caller, error) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if raw = strings.TrimSpace(raw); !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, errNoToken
	}
	// Which directory to ask for keys is read before the signature is checked: only a customer's is ever asked.
	var said claims
	if _, _, err := jwt.NewParser().ParseUnverified(raw, &said); err != nil {
		return nil, errors.New("the token cannot be read")
	}
	customer := v.Settings.Customers[strings.ToLower(said.TenantID)]
	if customer == nil {
		return nil, errUnknownCustomer
	}
	is := v.issuer(customer.TenantID, said.Version)
	if err := is.load(r.Context(), v.Client, ""); err != nil {
		return nil, &hopError{hop: "discovery", err: err}
	}
	var got claims
	_, err := jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(is.name()), jwt.WithAudience(v.Settings.Audiences...),
		jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew),
	).ParseWithClaims(raw, &got, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		return is.key(r.Context(), v.Client, kid)
	})
	if err != nil {
		return nil, fmt.Errorf("the token is not valid: %w", err)
	}
	caller := &Caller{Customer: customer, ClientID: got.AppID}
	if caller.ClientID == "" {
		caller.ClientID = got.AZP
	}
	if len(customer.Callers) > 0 && !slices.ContainsFunc(customer.Callers, func(id string) bool { return strings.EqualFold(id, caller.ClientID) }) {
		return nil, errUnknownCaller
	}
	return caller, nil
}

func (v *Verifier) issuer(tenantID, version string) *issuer {
	path := "/"
	if version == "2.0" {
		path = "/v2.0/"
	}
	url := v.Settings.Authority + "/" + tenantID + path + ".well-known/openid-configuration"
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.issuers == nil {
		v.issuers = map[string]*issuer{}
	}
	if v.issuers[url] == nil {
		v.issuers[url] = &issuer{url: url}
	}
	return v.issuers[url]
}

const (
	keysFresh  = 12 * time.Hour   // after that they are fetched anew
	keysPause  = 30 * time.Second // between fetches because of an unknown key: tokens with made-up ones must not become a flood
	keysLimit  = 1 << 20          // bytes of a document
	minKeyBits = 2048
)

// issuer is one directory's name and signing keys, kept until they are old or a token names a key that is not among them.
type issuer struct {
	url string

	mu      sync.Mutex
	issuer  string
	keys    map[string]*rsa.PublicKey
	fetched time.Time
}

func (is *issuer) name() string {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.issuer
}

// key returns the key with that id.
func (is *issuer) key(ctx context.Context, c *http.Client, kid string) (*rsa.PublicKey, error) {
	if err := is.load(ctx, c, kid); err != nil {
		return nil, err
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	if k := is.keys[kid]; k != nil {
		return k, nil
	}
	return nil, errors.New("signed with a key its directory does not have")
}

// load fetches what is missing or old; kid is a key that should be there, "" for any.
func (is *issuer) load(ctx context.Context, c *http.Client, kid string) error {
	is.mu.Lock()
	defer is.mu.Unlock()
	age := time.Since(is.fetched)
	known := kid == "" || is.keys[kid] != nil
	if is.keys != nil && age < keysFresh && (known || age < keysPause) {
		return nil
	}
	var meta struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := getJSON(ctx, c, is.url, &meta); err != nil {
		return err
	}
	var set struct {
		Keys []struct {
			Type string `json:"kty"`
			ID   string `json:"kid"`
			N    string `json:"n"`
			E    string `json:"e"`
		} `json:"keys"`
	}
	if err := getJSON(ctx, c, meta.Keys, &set); err != nil {
		return err
	}
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		if n, e := bigInt(k.N), bigInt(k.E); k.Type == "RSA" && n != nil && e != nil && n.BitLen() >= minKeyBits && e.IsInt64() && e.Int64() < 1<<31 {
			keys[k.ID] = &rsa.PublicKey{N: n, E: int(e.Int64())}
		}
	}
	if len(keys) == 0 || meta.Issuer == "" {
		return fmt.Errorf("%s names no issuer with RSA keys", is.url)
	}
	is.issuer, is.keys, is.fetched = meta.Issuer, keys, time.Now()
	return nil
}

func bigInt(s string) *big.Int {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

func getJSON(ctx context.Context, c *http.Client, url string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if id, ok := ctx.Value(correlationKey{}).(string); ok {
		req.Header.Set(correlationHeader, id)
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, keysLimit)).Decode(v)
}
