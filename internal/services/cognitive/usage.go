package cognitive

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// monthUsage is what an account used in a month.
type monthUsage struct {
	Features   map[string]int64 `json:"features,omitempty"`   // transactions by feature
	Containers int64            `json:"containers,omitempty"` // transactions its containers reported
}

func (m *monthUsage) total() int64 {
	n := m.Containers
	for _, v := range m.Features {
		n += v
	}
	return n
}

var usageCodec = store.Codec[monthUsage]{Kind: 'U', Version: 1}

func usageKey(month string) []byte { return []byte("u|" + month) }

// monthOf names a month.
func monthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// nextMonth is when a month's quota begins anew.
func nextMonth(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// books keep what accounts use. What was counted is in memory until it is written: at once for SKUs with a quota, once a second for others. Safe for concurrent use.
type books struct {
	store store.Store
	clock clock.Clock

	mu   sync.Mutex
	open map[string]*book
}

// book is one account's present month.
type book struct {
	mu      sync.Mutex // held while it is read from the store or written
	month   string
	loaded  bool
	stored  monthUsage       // as the store has it
	pending map[string]int64 // by feature, on top of it
}

// bookOf gives an account's book.
func (b *books) bookOf(guid string) *book {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = map[string]*book{}
	}
	k := b.open[guid]
	if k == nil {
		k = &book{}
		b.open[guid] = k
	}
	return k
}

// forget drops a deleted account's book.
func (b *books) forget(guid string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, guid)
}

// load brings the book to the month of now. The caller holds k.mu.
func (b *books) load(ctx context.Context, k *book, guid string, now time.Time) error {
	month := monthOf(now)
	if k.loaded && k.month == month {
		return nil
	}
	if len(k.pending) > 0 { // of the month before
		if err := b.write(ctx, k, guid); err != nil {
			return err
		}
	}
	var raw []byte
	err := b.store.View(ctx, shardOf(guid), func(s store.Snapshot) error {
		v, err := s.Get(usageKey(month))
		raw = append([]byte(nil), v...)
		return err
	})
	if err != nil {
		return fmt.Errorf("usage of account %s: %w", guid, err)
	}
	k.stored = monthUsage{}
	if len(raw) > 0 {
		if k.stored, err = usageCodec.Decode(raw); err != nil {
			return fmt.Errorf("usage of account %s: %w", guid, err)
		}
	}
	k.month, k.loaded = month, true
	return nil
}

// write stores what is pending. The caller holds k.mu.
func (b *books) write(ctx context.Context, k *book, guid string) error {
	fresh := monthUsage{Features: maps.Clone(k.stored.Features), Containers: k.stored.Containers}
	if fresh.Features == nil {
		fresh.Features = map[string]int64{}
	}
	for f, n := range k.pending {
		fresh.Features[f] += n
	}
	row, err := usageCodec.Encode(fresh)
	if err != nil {
		return err
	}
	if _, err := b.store.Update(ctx, shardOf(guid), func(tx store.Tx) error { return tx.Put(usageKey(k.month), row) }); err != nil {
		return fmt.Errorf("store usage of account %s: %w", guid, err)
	}
	k.stored, k.pending = fresh, nil
	return nil
}

// within refuses an account whose quota is used up.
func (b *books) within(ctx context.Context, a *account) error {
	if a.sku.monthly == 0 {
		return nil
	}
	now := b.clock.Now()
	used, err := b.used(ctx, a.guid)
	if err != nil || used.total() < a.sku.monthly {
		return err
	}
	left := nextMonth(now).Sub(now)
	f := fault.New(fault.Forbidden, "403", "Out of call volume quota for %s %s pricing tier. Please retry after %d days. To increase your call volume switch to a paid tier.",
		a.kind, a.sku.name, int((left+24*time.Hour-1)/(24*time.Hour)))
	f.RetryAfter = left
	return f
}

// used gives what an account used in this month, what isn't stored yet included.
func (b *books) used(ctx context.Context, guid string) (monthUsage, error) {
	k := b.bookOf(guid)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := b.load(ctx, k, guid, b.clock.Now()); err != nil {
		return monthUsage{}, err
	}
	out := monthUsage{Features: maps.Clone(k.stored.Features), Containers: k.stored.Containers}
	for f, n := range k.pending {
		if out.Features == nil {
			out.Features = map[string]int64{}
		}
		out.Features[f] += n
	}
	return out, nil
}

// add counts n transactions of a feature. With a quota it returns when they are stored.
func (b *books) add(ctx context.Context, a *account, feature string, n int64) error {
	k := b.bookOf(a.guid)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := b.load(ctx, k, a.guid, b.clock.Now()); err != nil {
		return err
	}
	if k.pending == nil {
		k.pending = map[string]int64{}
	}
	k.pending[feature] += n
	if a.sku.monthly > 0 {
		return b.write(ctx, k, a.guid)
	}
	return nil
}

// run writes what is pending once a second until ctx ends, and what is left then.
func (b *books) run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			b.flush(context.WithoutCancel(ctx), log)
			return
		case <-tick.C:
			b.flush(ctx, log)
		}
	}
}

// flush writes what is pending of every account.
func (b *books) flush(ctx context.Context, log *slog.Logger) {
	b.mu.Lock()
	all := maps.Clone(b.open)
	b.mu.Unlock()
	for guid, k := range all {
		k.mu.Lock()
		var err error
		if len(k.pending) > 0 {
			err = b.write(ctx, k, guid)
		}
		k.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			log.Error("usage not stored; it is tried again", "account", guid, "error", err)
		}
	}
}
