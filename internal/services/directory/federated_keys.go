package directory

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/bulkheadhq/bulkhead/internal/clock"
)

const (
	issuerBody    = 256 << 10        // bytes of a discovery document or key set
	issuerTimeout = 5 * time.Second  // for both of them together
	issuerFresh   = time.Hour        // how long a key set is used without asking again
	issuerPause   = 30 * time.Second // between two tries, also when a token names an unknown key
	issuerKeys    = 100
)

// issuerCache has the public keys of the foreign issuers the operator allows. Safe for concurrent use; bounded by their number.
type issuerCache struct {
	client *http.Client
	clock  clock.Clock
	mu     sync.Mutex
	known  map[string]*issuerState
}

// issuerState is one issuer's; its lock is held while its keys are fetched, so that many tokens at once cause one request.
type issuerState struct {
	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // successfully
	tried   time.Time
	failed  error
}

func newIssuerCache(client *http.Client, c clock.Clock) *issuerCache {
	if client == nil {
		client = &http.Client{}
	}
	own := *client
	own.Timeout = issuerTimeout
	// The operator allowed this issuer, not whoever it points to.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("it redirects") }
	return &issuerCache{client: &own, clock: c, known: map[string]*issuerState{}}
}

// key returns the issuer's key of that id, nil if it has none. The issuer has to be one the operator allows.
func (c *issuerCache) key(ctx context.Context, issuer, id string) (*jose.JSONWebKey, error) {
	c.mu.Lock()
	state := c.known[issuer]
	if state == nil {
		state = &issuerState{}
		c.known[issuer] = state
	}
	c.mu.Unlock()
	state.mu.Lock()
	defer state.mu.Unlock()
	now := c.clock.Now()
	fresh := !state.fetched.IsZero() && now.Sub(state.fetched) < issuerFresh
	if key := pickKey(state.keys, id); key != nil && fresh {
		return key, nil
	}
	if state.tried.IsZero() || now.Sub(state.tried) >= issuerPause {
		state.tried = now
		keys, err := c.fetch(ctx, issuer)
		if state.failed = err; err == nil {
			state.keys, state.fetched = keys, now
			fresh = true
		}
	}
	if !fresh {
		return nil, state.failed
	}
	return pickKey(state.keys, id), nil
}

// pickKey finds a key by id; a token without one is met by the only key there is.
func pickKey(keys []jose.JSONWebKey, id string) *jose.JSONWebKey {
	if id == "" && len(keys) == 1 {
		return &keys[0]
	}
	for i := range keys {
		if id != "" && keys[i].KeyID == id {
			return &keys[i]
		}
	}
	return nil
}

func (c *issuerCache) fetch(ctx context.Context, issuer string) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(ctx, issuerTimeout)
	defer cancel()
	b, err := c.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var doc struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(b, &doc); err != nil || doc.Issuer != issuer {
		return nil, errors.New("its discovery document is not that of the issuer")
	}
	if b, err = c.get(ctx, doc.Keys); err != nil {
		return nil, err
	}
	return parseKeySet(b)
}

func (c *issuerCache) get(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("its documents must be at https URLs")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("its documents have no usable URL")
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s could not be reached", u.Host)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", u.Host, resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, issuerBody+1))
	if err != nil || len(b) > issuerBody {
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes or ended early", u.Host, issuerBody)
	}
	return b, nil
}

// parseKeySet reads the public signing keys of a JWKS. Keys of other kinds are left out.
func parseKeySet(b []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, errors.New("its key set is not JSON of the expected form")
	}
	if len(set.Keys) > issuerKeys {
		return nil, fmt.Errorf("its key set has more than %d keys", issuerKeys)
	}
	var out []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || k.Use != "" && k.Use != "sig" {
			continue
		}
		switch public := k.Key.(type) {
		case *rsa.PublicKey:
			if public.Size()*8 < minRSA {
				continue
			}
		case *ecdsa.PublicKey:
		default:
			continue
		}
		out = append(out, k)
	}
	return out, nil
}
