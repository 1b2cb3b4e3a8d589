package cosmos

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

// expirePause is how often documents whose time to live has ended are removed. They are invisible before that.
const expirePause = 5 * time.Second

// expireSteps bounds what one range gets of a round, so that the others have their turn.
const expireSteps = 100

// expireEvery removes ended documents until ctx ends.
func (s *Service) expireEvery(ctx context.Context) {
	tick := time.NewTicker(expirePause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := s.Expire(ctx); err != nil && ctx.Err() == nil {
				s.deps.Log.Error("documents whose time to live ended were not removed", "error", err)
			}
		}
	}
}

// Expire removes documents whose time to live has ended, in all accounts, and tells how many. A range in trouble does not keep the others from
// their turn; the first error is returned.
func (s *Service) Expire(ctx context.Context) (removed int, err error) {
	for more := true; more && err == nil; {
		var n int
		n, more, err = s.expireRound(ctx)
		removed += n
	}
	return removed, err
}

// expireRound gives each range its turn. more: some had not enough of it.
func (s *Service) expireRound(ctx context.Context) (removed int, more bool, err error) {
	var first error
	err = s.catalog.Mortal(ctx, func(r items.Range) error {
		for step := 0; ; step++ {
			if step == expireSteps {
				more = true
				return nil
			}
			n, left, err := s.items.Expire(ctx, r, s.deps.Clock.Now())
			removed += n
			if err != nil && first == nil && !items.Moved(err) { // its container may be deleted just now, or the range split
				first = err
			}
			if err != nil || !left {
				return ctx.Err()
			}
		}
	})
	if err == nil {
		err = first
	}
	return removed, more, err
}
