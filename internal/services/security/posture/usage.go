package posture

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Usage records when managed identities got tokens, to the day: one write per identity and day. Safe for concurrent use.
type Usage struct {
	st    store.Store
	clock clock.Clock
	log   *slog.Logger

	mu   sync.Mutex
	days map[string]time.Time // principal -> the day that is recorded
}

// maxDays bounds what is remembered; what is forgotten is written once more.
const maxDays = 100_000

// NewUsage makes a Usage.
func NewUsage(st store.Store, c clock.Clock, log *slog.Logger) *Usage {
	return &Usage{st: st, clock: c, log: log, days: map[string]time.Time{}}
}

// Begin notes since when usage is recorded, the first time it is called.
func (u *Usage) Begin(ctx context.Context) error {
	since, err := u.Since(ctx)
	if err != nil || !since.IsZero() {
		return err
	}
	return u.put(ctx, []byte("s|"), u.clock.Now())
}

// Since is when recording began, zero if it has not.
func (u *Usage) Since(ctx context.Context) (time.Time, error) {
	t, err := load(ctx, u.st, usageShard, []byte("s|"), usageCodec)
	if err != nil || t == nil {
		return time.Time{}, err
	}
	return *t, nil
}

// Got notes that a principal was given a token. It never fails: that it is not written is logged, the token is good all the same.
func (u *Usage) Got(ctx context.Context, principal string) {
	principal = strings.ToLower(principal)
	now := u.clock.Now().UTC()
	day := now.Truncate(24 * time.Hour)
	u.mu.Lock()
	known := u.days[principal].Equal(day)
	if !known {
		if len(u.days) >= maxDays {
			clear(u.days)
		}
		u.days[principal] = day
	}
	u.mu.Unlock()
	if known {
		return
	}
	if err := u.put(ctx, []byte("u|"+principal), now); err != nil {
		u.log.Warn("use of an identity not recorded", "principal", principal, "error", err)
		u.mu.Lock()
		delete(u.days, principal)
		u.mu.Unlock()
	}
}

// Last gives the last use of principals, in lower case; what was never used is absent.
func (u *Usage) Last(ctx context.Context, principals []string) (map[string]time.Time, error) {
	rows := map[string][]byte{}
	err := u.st.View(ctx, usageShard, func(s store.Snapshot) error {
		clear(rows)
		for _, p := range principals {
			b, err := s.Get([]byte("u|" + p))
			if err != nil {
				return err
			}
			if b != nil {
				rows[p] = bytes.Clone(b)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string]time.Time, len(rows))
	for p, row := range rows {
		if out[p], err = usageCodec.Decode(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (u *Usage) put(ctx context.Context, key []byte, t time.Time) error {
	row, err := usageCodec.Encode(t)
	if err != nil {
		return err
	}
	_, err = u.st.Update(ctx, usageShard, func(tx store.Tx) error { return tx.Put(key, row) })
	return err
}
