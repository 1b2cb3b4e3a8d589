package directory

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/bulkheadhq/bulkhead/internal/fault"
)

// Smart lockout: so many wrong passwords in a row lock an account for a while, at first a minute, doubled with each further lock; an address that tries many
// accounts is locked likewise. Kept in memory: a restart forgives.
const (
	userTries    = 10
	addressTries = 100
	lockBase     = time.Minute
	lockMax      = time.Hour
	triesForget  = time.Hour // without a try, all is forgiven
	attemptsMax  = 8192      // of each kind; beyond it the least recent is forgotten
)

// attempts counts password tries that have not been found right. Safe for concurrent use.
type attempts struct {
	mu        sync.Mutex
	users     *lru.Cache[string, *tries]
	addresses *lru.Cache[netip.Addr, *tries]
	devices   *lru.Cache[string, time.Time] // when a device code was last asked about
}

type tries struct {
	count, locks int
	last, until  time.Time
}

func newAttempts() *attempts {
	users, _ := lru.New[string, *tries](attemptsMax) // fails for sizes below one only
	addresses, _ := lru.New[netip.Addr, *tries](attemptsMax)
	devices, _ := lru.New[string, time.Time](attemptsMax)
	return &attempts{users: users, addresses: addresses, devices: devices}
}

// begin counts a try before it is made, so that many at once are no way around, or refuses it.
func (a *attempts) begin(tenantID, name string, address netip.Addr, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	user := entry(a.users, tenantID+"|"+strings.ToLower(name), now)
	source := entry(a.addresses, addressKey(address), now)
	if now.Before(user.until) || now.Before(source.until) {
		return oauth(fault.Invalid, 50053, "invalid_grant",
			"The account is locked, you've tried to sign in too many times with an incorrect user ID or password.")
	}
	user.add(now, userTries)
	source.add(now, addressTries)
	return nil
}

// succeeded forgives the user's tries and this one of the address.
func (a *attempts) succeeded(tenantID, name string, address netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users.Remove(tenantID + "|" + strings.ToLower(name))
	if t, ok := a.addresses.Peek(addressKey(address)); ok {
		t.count = max(t.count-1, 0)
	}
}

func entry[K comparable](cache *lru.Cache[K, *tries], key K, now time.Time) *tries {
	t, ok := cache.Get(key)
	if !ok || now.Sub(t.last) > triesForget+lockMax {
		t = &tries{}
		cache.Add(key, t)
	}
	return t
}

func (t *tries) add(now time.Time, limit int) {
	t.last = now
	if t.count++; t.count >= limit {
		t.until = now.Add(min(lockBase<<min(t.locks, 10), lockMax))
		t.count = 0
		t.locks++
	}
}

// addressKey takes the addresses of one IPv6 network for one: they are one customer's.
func addressKey(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if !a.Is6() || a.IsLoopback() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}

// tooSoon tells whether a device code was asked about less than gap ago, and remembers that it was asked about now.
func (a *attempts) tooSoon(device string, now time.Time, gap time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, ok := a.devices.Get(device)
	a.devices.Add(device, now)
	return ok && now.Sub(last) < gap
}
