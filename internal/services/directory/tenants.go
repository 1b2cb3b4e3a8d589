package directory

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// initialDomain is the suffix of the domain every tenant is born with.
const initialDomain = ".onmicrosoft.com"

// Tenants is the list of tenants of the platform, kept in memory as of the store's last commit. Safe for concurrent use.
type Tenants struct {
	store store.Store
	clock clock.Clock
	index *store.Cached[*tenantIndex]
}

// tenantIndex is immutable.
type tenantIndex struct {
	byID     map[string]*Tenant
	byDomain map[string]*Tenant
	all      []*Tenant // by id
}

// NewTenants opens the list. It is separate from Service because token verification, which Service needs, needs it first.
func NewTenants(st store.Store, c clock.Clock) *Tenants {
	return &Tenants{store: st, clock: c, index: store.NewCached(st, 1, loadTenants)}
}

func loadTenants(snap store.Snapshot, _ string) (*tenantIndex, error) {
	ix := &tenantIndex{byID: map[string]*Tenant{}, byDomain: map[string]*Tenant{}}
	var bad error
	err := snap.Scan(store.Prefix([]byte(keyTenant)), func(key, value []byte) bool {
		t, err := tenantCodec.Decode(value)
		if err != nil {
			bad = fmt.Errorf("tenant %s: %w", key[len(keyTenant):], err)
			return false
		}
		ix.byID[t.ID] = &t
		ix.all = append(ix.all, &t)
		for _, d := range t.Domains {
			ix.byDomain[d] = &t
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return ix, bad
}

func (t *Tenants) load(ctx context.Context) (*tenantIndex, error) {
	ix, err := t.index.Get(ctx, platformShard, "tenants")
	if err != nil {
		return nil, fmt.Errorf("read tenants: %w", err)
	}
	return ix, nil
}

// Exists tells whether a tenant with that id lives here.
func (t *Tenants) Exists(ctx context.Context, tenantID string) (bool, error) {
	ix, err := t.load(ctx)
	if err != nil {
		return false, err
	}
	return ix.byID[strings.ToLower(tenantID)] != nil, nil
}

// Find returns the tenant by id or domain name in any case, nil if there is none. The tenant is shared: read only.
func (t *Tenants) Find(ctx context.Context, idOrDomain string) (*Tenant, error) {
	ix, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(idOrDomain)
	if found := ix.byID[name]; found != nil {
		return found, nil
	}
	return ix.byDomain[name], nil
}

// List returns all tenants, by id. They are shared: read only.
func (t *Tenants) List(ctx context.Context) ([]*Tenant, error) {
	ix, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(ix.all), nil
}

// Create makes a tenant. Without domains it gets one of its own made from the display name; with them the first is the default one.
func (t *Tenants) Create(ctx context.Context, displayName string, domains ...string) (*Tenant, error) {
	displayName = strings.TrimSpace(displayName)
	if displayName == "" || len(displayName) > 256 {
		return nil, fault.New(fault.Invalid, "InvalidDisplayName", "A tenant's display name has 1 to 256 characters.")
	}
	tenant := &Tenant{ID: ids.New(), DisplayName: displayName, Created: t.clock.Now()}
	for _, d := range domains {
		d = strings.ToLower(d)
		if !validDomain(d) {
			return nil, fault.New(fault.Invalid, "InvalidDomain", "%.100q is not a domain name; give one such as contoso%s.", d, initialDomain)
		}
		tenant.Domains = append(tenant.Domains, d)
	}
	if len(domains) > 0 {
		return tenant, t.put(ctx, tenant)
	}
	label := domainLabel(displayName)
	tenant.Domains = []string{label + initialDomain}
	for range 8 {
		err := t.put(ctx, tenant)
		if !fault.Is(err, fault.Conflict) {
			return tenant, err
		}
		n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
		if err != nil {
			return nil, fmt.Errorf("draw domain number: %w", err)
		}
		tenant.Domains = []string{fmt.Sprintf("%s%06d%s", label, n, initialDomain)}
	}
	return nil, fault.New(fault.Conflict, "DomainTaken", "Every domain name tried for %q is taken; give one.", displayName)
}

func (t *Tenants) put(ctx context.Context, tenant *Tenant) error {
	value, err := tenantCodec.Encode(*tenant)
	if err != nil {
		return fmt.Errorf("encode tenant: %w", err)
	}
	id, err := refCodec.Encode(tenant.ID)
	if err != nil {
		return fmt.Errorf("encode tenant id: %w", err)
	}
	_, err = t.store.Update(ctx, platformShard, func(tx store.Tx) error {
		for _, d := range tenant.Domains {
			taken, err := tx.Get([]byte(keyDomain + d))
			if err != nil {
				return err
			}
			if taken != nil {
				return fault.New(fault.Conflict, "DomainTaken", "The domain name %s belongs to another tenant.", d)
			}
			if err := tx.Put([]byte(keyDomain+d), id); err != nil {
				return err
			}
		}
		return tx.Put([]byte(keyTenant+tenant.ID), value)
	})
	if err != nil {
		return fmt.Errorf("store tenant %s: %w", tenant.ID, err)
	}
	return nil
}

// domainLabel makes the first label of a domain name out of a display name.
func domainLabel(name string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		if (c >= 'a' && c <= 'z' || c >= '0' && c <= '9') && b.Len() < 27 {
			b.WriteRune(c)
		}
	}
	if b.Len() == 0 {
		return "tenant"
	}
	return b.String()
}

// reservedTenants are path segments of authorities that are not tenants.
var reservedTenants = []string{"common", "organizations", "consumers", "adfs"}

func validDomain(d string) bool {
	if len(d) > 253 || !strings.Contains(d, ".") || slices.Contains(reservedTenants, d) {
		return false
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}
