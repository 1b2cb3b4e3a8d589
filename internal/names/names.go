package names

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// ReclaimAfter is the age from which an unconfirmed reservation no longer keeps others out.
const ReclaimAfter = 10 * time.Minute

// ErrTaken is wrapped in the faults of Reserve and Confirm when another resource has the name, for callers that word that error themselves.
var ErrTaken = errors.New("names: taken by another resource")

// Entry is what stands behind a host name.
type Entry struct {
	Kind       wire.HostKind
	Name       string // lower case
	ResourceID string // ARM id
	GUID       string // the resource's immutable id: names its data shard
	Confirmed  bool
	Deleted    bool // soft-deleted: still taken, not served
}

// Served tells whether requests for the name go to the resource.
func (e *Entry) Served() bool { return e != nil && e.Confirmed && !e.Deleted }

// Registry is the table of names. Safe for concurrent use.
type Registry struct {
	st     store.Store
	clock  clock.Clock
	cached *store.Cached[*Entry]
}

// cachedNames bounds the names kept in memory; the misses of a scan for names drop the least used.
const cachedNames = 4096

// New returns the registry kept in st.
func New(st store.Store, c clock.Clock) *Registry {
	return &Registry{st: st, clock: c, cached: store.NewCached(st, cachedNames, load)}
}

// Lookup returns the entry of a name in whatever state it is, nil if there is none. Callers must not change it.
func (g *Registry) Lookup(ctx context.Context, kind wire.HostKind, name string) (*Entry, error) {
	return g.cached.Get(ctx, shard, string(key(kind, name)))
}

// LSN is that of the table's present state, if it is known without a look at the store: until it moves, Lookup answers the same.
func (g *Registry) LSN() (lsn store.LSN, ok bool) { return store.Peek(g.st, shard) }

// Available tells whether Reserve would succeed for a resource that doesn't exist yet.
func (g *Registry) Available(ctx context.Context, kind wire.HostKind, name string) (bool, error) {
	if checkName(name) != nil {
		return false, nil
	}
	now, free := g.clock.Now(), false
	err := g.st.View(ctx, shard, func(s store.Snapshot) error {
		rec, err := read(s, key(kind, name))
		free = rec == nil || rec.reclaimable(now)
		return err
	})
	return free, err
}

// Reserve takes the name for the resource with the immutable id guid. Again for the same guid it succeeds and changes nothing but, before Confirm, the
// reservation's age. If another resource has the name the fault is a Conflict with code "AlreadyExists" that wraps ErrTaken.
func (g *Registry) Reserve(ctx context.Context, kind wire.HostKind, name, resourceID, guid string) error {
	if err := checkName(name); err != nil {
		return err
	}
	now, k := g.clock.Now(), key(kind, name)
	fresh := record{Kind: kind, Name: strings.ToLower(name), ResourceID: resourceID, GUID: guid, Reserved: now}
	value, err := codec.Encode(fresh)
	if err != nil {
		return err
	}
	_, err = g.st.Update(ctx, shard, func(tx store.Tx) error {
		old, err := read(tx, k)
		switch {
		case err != nil:
			return err
		case old == nil, old.reclaimable(now), old.GUID == guid && !old.Confirmed:
			return tx.Put(k, value)
		case old.GUID == guid:
			return nil
		}
		return taken(old)
	})
	return wrap("reserve", kind, name, err)
}

// Confirm makes the name served, also after MarkDeleted. It is a Conflict fault if the name is not guid's (any more).
func (g *Registry) Confirm(ctx context.Context, kind wire.HostKind, name, guid string) error {
	return g.change(ctx, "confirm", kind, name, guid, func(r *record) { r.Confirmed, r.Deleted = true, false })
}

// Rebind gives the name to the same resource under another id. It is a Conflict fault if the name is not guid's.
func (g *Registry) Rebind(ctx context.Context, kind wire.HostKind, name, guid, resourceID string) error {
	return g.change(ctx, "rebind", kind, name, guid, func(r *record) { r.ResourceID = resourceID })
}

// MarkDeleted keeps the name of a soft-deleted resource taken but not served. It is a Conflict fault if the name is not guid's.
func (g *Registry) MarkDeleted(ctx context.Context, kind wire.HostKind, name, guid string) error {
	return g.change(ctx, "mark deleted", kind, name, guid, func(r *record) { r.Confirmed, r.Deleted = true, true })
}

// change applies fn to guid's record.
func (g *Registry) change(ctx context.Context, verb string, kind wire.HostKind, name, guid string, fn func(*record)) error {
	k := key(kind, name)
	_, err := g.st.Update(ctx, shard, func(tx store.Tx) error {
		rec, err := read(tx, k)
		switch {
		case err != nil:
			return err
		case rec == nil:
			return fault.New(fault.Conflict, "NameNotReserved", "The name '%s' is not reserved.", name)
		case rec.GUID != guid:
			return taken(rec)
		}
		before := *rec
		if fn(rec); *rec == before {
			return nil
		}
		value, err := codec.Encode(*rec)
		if err != nil {
			return err
		}
		return tx.Put(k, value)
	})
	return wrap(verb, kind, name, err)
}

// Release frees the name if it is guid's, else it does nothing.
func (g *Registry) Release(ctx context.Context, kind wire.HostKind, name, guid string) error {
	k := key(kind, name)
	_, err := g.st.Update(ctx, shard, func(tx store.Tx) error {
		rec, err := read(tx, k)
		if err != nil || rec == nil || rec.GUID != guid {
			return err
		}
		return tx.Delete(k)
	})
	return wrap("release", kind, name, err)
}

func taken(r *record) error {
	message := "The name '%s' is already in use. Names of this kind are unique across all subscriptions; choose another."
	if r.Deleted {
		message = "The name '%s' belongs to a resource that was deleted but can be recovered. Recover or purge it, or choose another name."
	}
	return fault.New(fault.Conflict, "AlreadyExists", message, r.Name).WithCause(ErrTaken)
}

// checkName accepts one DNS label (RFC 1123).
func checkName(name string) error {
	ok := len(name) >= 1 && len(name) <= 63 && name[0] != '-' && name[len(name)-1] != '-'
	for i := 0; ok && i < len(name); i++ {
		c := name[i] | 0x20
		ok = c >= 'a' && c <= 'z' || name[i] >= '0' && name[i] <= '9' || name[i] == '-'
	}
	if !ok {
		return fault.New(fault.Invalid, "InvalidResourceName", "The name '%s' can't be a host name: it must have 1 to 63 letters, digits and inner hyphens.", name)
	}
	return nil
}

// wrap leaves faults as they are and says of other errors what was being done.
func wrap(verb string, kind wire.HostKind, name string, err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		return err
	}
	return fmt.Errorf("%s name %s of %s: %w", verb, name, kind, err)
}
