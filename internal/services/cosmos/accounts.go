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

	mu     sync.RWMutex
	built  map[string]*builtAccount // by guid
	recent map[string]recentAccount // by name
}

// recentAccount is an account with the states of the shards that it was found in. While they have not moved, it is what would be found again.
type recentAccount struct {
	account    *gateway.Account
	shard      string // of its subscription
	names, sub store.LSN
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
	return &accounts{deps: d, keys: store.NewCached(d.Store, maxAccounts, load), role: store.NewCached(d.Store, maxAccounts, loadAssignments), built: map[string]*builtAccount{}, recent: map[string]recentAccount{}}
}

// Account implements gateway.Accounts.
func (a *accounts) Account(ctx context.Context, name string) (*gateway.Account, error) {
	a.mu.RLock()
	was := a.recent[name]
	a.mu.RUnlock()
	// What find finds from here on is at least as new as this.
	now := recentAccount{shard: was.shard}
	var ok1, ok2 bool
	now.names, ok1 = a.deps.Names.LSN()
	now.sub, ok2 = store.Peek(a.deps.Store, was.shard)
	known := ok1 && ok2
	if known && was.account != nil && now.names == was.names && now.sub == was.sub && ctx.Err() == nil {
		return was.account, nil
	}
	var err error
	if now.account, now.shard, err = a.find(ctx, name); now.account == nil || err != nil {
		return nil, err
	}
	if now.shard != "" {
		a.remember(name, now, known && now.shard == was.shard)
	}
	return now.account, nil
}

// remember keeps what was found; unless sure, only in which shard, for the next time.
func (a *accounts) remember(name string, r recentAccount, sure bool) {
	if !sure {
		r = recentAccount{shard: r.shard}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.recent) >= maxAccounts {
		clear(a.recent)
	}
	a.recent[name] = r
}

// sharded is a reader whose resources are in shards of the store.
type sharded interface {
	// Shard names the shard that all resources of a subscription are in.
	Shard(subscription string) string
}

// find looks an account up; nil: there is none. shard, unless empty, is where all that was found is, but for the name.
func (a *accounts) find(ctx context.Context, name string) (acct *gateway.Account, shard string, err error) {
	e, r, tenantID, err := arm.Named(ctx, a.deps.Reader, a.deps.Names, wire.HostCosmos, name)
	if err != nil || r == nil {
		return nil, "", err
	}
	sub, err := subscriptionOf(r.ID)
	if err != nil {
		return nil, "", err
	}
	if in, ok := a.deps.Reader.(sharded); ok && in.Shard(sub) == subscriptionShard(sub) {
		shard = subscriptionShard(sub)
	}
	sealed, err := a.keys.Get(ctx, subscriptionShard(sub), r.GUID)
	if err != nil {
		return nil, "", err
	}
	if sealed == nil { // its keys went with it to another subscription right now, or with it for good
		if now, err := a.deps.Names.Lookup(ctx, wire.HostCosmos, name); err != nil || now == nil || now.ResourceID == e.ResourceID {
			return nil, "", err
		}
		return a.find(ctx, name)
	}
	a.mu.RLock()
	b := a.built[r.GUID]
	a.mu.RUnlock()
	if b != nil && b.etag == r.ETag && bytes.Equal(b.sealed, sealed) {
		return b.account, shard, nil
	}
	acct, err = a.build(r, tenantID, sub, sealed)
	return acct, shard, err
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
