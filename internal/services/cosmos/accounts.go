package cosmos

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/gateway"
	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/masterkey"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// accounts gives the gateway the present state of accounts. What it decoded is kept for as long as the resource and the keys' row are the same;
// both are looked up at each call, through caches that confirm the shard's LSN.
type accounts struct {
	deps Deps
	keys *store.Cached[[]byte]
	role *store.Cached[[]gateway.Assignment] // by guid

	mu    sync.RWMutex
	built map[string]*builtAccount // by guid
}

type builtAccount struct {
	etag    string
	sealed  []byte
	account *gateway.Account
}

const maxAccounts = 4096

func newAccounts(d Deps) *accounts {
	load := func(sn store.Snapshot, guid string) ([]byte, error) {
		b, err := sn.Get(keysKey(guid))
		return bytes.Clone(b), err
	}
	return &accounts{deps: d, keys: store.NewCached(d.Store, maxAccounts, load), role: store.NewCached(d.Store, maxAccounts, loadAssignments), built: map[string]*builtAccount{}}
}

// Account implements gateway.Accounts.
func (a *accounts) Account(ctx context.Context, name string) (*gateway.Account, error) {
	e, err := a.deps.Names.Lookup(ctx, wire.HostCosmos, name)
	if err != nil || !e.Served() {
		return nil, err
	}
	r, tenantID, err := a.deps.Reader.Resource(ctx, e.ResourceID)
	if err != nil || r == nil || r.GUID != e.GUID {
		return nil, err
	}
	sub, err := subscriptionOf(r.ID)
	if err != nil {
		return nil, err
	}
	sealed, err := a.keys.Get(ctx, subscriptionShard(sub), r.GUID)
	if err != nil || sealed == nil {
		return nil, err
	}
	a.mu.RLock()
	b := a.built[r.GUID]
	a.mu.RUnlock()
	if b != nil && b.etag == r.ETag && bytes.Equal(b.sealed, sealed) {
		return b.account, nil
	}
	return a.build(r, tenantID, sub, sealed)
}

// Assignments implements gateway.Accounts.
func (a *accounts) Assignments(ctx context.Context, acct *gateway.Account) ([]gateway.Assignment, error) {
	sub, err := subscriptionOf(acct.ID)
	if err != nil {
		return nil, err
	}
	return a.role.Get(ctx, subscriptionShard(sub), acct.GUID)
}

// build decodes an account and keeps it.
func (a *accounts) build(r *arm.Resource, tenantID, sub string, sealed []byte) (*gateway.Account, error) {
	s, err := decodeSettings(r.Properties)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", r.ID, err)
	}
	keys, err := openKeys(a.deps.Sealer, subscriptionShard(sub), r.GUID, sealed)
	if err != nil {
		return nil, err
	}
	acct, err := s.account(r)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", r.ID, err)
	}
	acct.TenantID = tenantID
	for i, text := range keys.Keys {
		if acct.Keys[i], err = masterkey.NewKey(text); err != nil {
			return nil, fmt.Errorf("key %d of account %s: %w", i, r.ID, err)
		}
		acct.Emulator = acct.Emulator || text == gateway.EmulatorKey
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.built) >= maxAccounts {
		clear(a.built)
	}
	a.built[r.GUID] = &builtAccount{r.ETag, sealed, acct}
	return acct, nil
}

// subscriptionOf takes the subscription out of a resource id.
func subscriptionOf(id string) (string, error) {
	const prefix = "/subscriptions/"
	if len(id) > len(prefix) && strings.EqualFold(id[:len(prefix)], prefix) {
		sub, _, _ := strings.Cut(id[len(prefix):], "/")
		return strings.ToLower(sub), nil
	}
	return "", fmt.Errorf("%q is not the id of a subscription's resource", id)
}
