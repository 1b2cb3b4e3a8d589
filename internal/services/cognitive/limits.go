package cognitive

import (
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/clock"
)

// limiter counts requests by account and feature against the bounds of the account's SKU: so many in a second, so many in a minute, each counted from the first request
// on. Safe for concurrent use. What it knows is of this process and this minute only.
type limiter struct {
	clock clock.Clock

	mu    sync.Mutex
	had   map[limited]*windows
	swept time.Time
}

// limited is what is bounded by itself.
type limited struct{ guid, feature string }

// windows are the present second and minute of one.
type windows struct {
	second, minute     time.Time // when each began
	inSecond, inMinute int
}

// take counts a request in, or tells how long to wait for room.
func (l *limiter) take(a *account, feature string) time.Duration {
	if a.sku.perSecond == 0 && a.sku.perMinute == 0 {
		return 0
	}
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	key := limited{a.guid, feature}
	w := l.had[key]
	if w == nil {
		w = &windows{second: now, minute: now}
		l.had[key] = w
	}
	if now.Sub(w.second) >= time.Second {
		w.second, w.inSecond = now, 0
	}
	if now.Sub(w.minute) >= time.Minute {
		w.minute, w.inMinute = now, 0
	}
	switch {
	case a.sku.perMinute > 0 && w.inMinute >= a.sku.perMinute:
		return time.Minute - now.Sub(w.minute)
	case a.sku.perSecond > 0 && w.inSecond >= a.sku.perSecond:
		return time.Second - now.Sub(w.second)
	}
	w.inSecond++
	w.inMinute++
	return 0
}

// sweep forgets, once a minute, those that were not heard of for one.
func (l *limiter) sweep(now time.Time) {
	if l.had == nil {
		l.had, l.swept = map[limited]*windows{}, now
	}
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	for k, w := range l.had {
		if now.Sub(w.minute) >= 2*time.Minute {
			delete(l.had, k)
		}
	}
}

// seconds rounds up, as Retry-After does.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
