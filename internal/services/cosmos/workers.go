package cosmos

import (
	"context"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

// expirePause is how often documents whose time to live has ended are removed. They are invisible before that.
const expirePause = 5 * time.Second

// expireSteps bounds what one range gets of a round, so that the others have their turn.
const expireSteps = 400

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
	var first error
	err = s.catalog.Mortal(ctx, func(r items.Range) error {
		for range expireSteps {
			n, more, err := s.items.Expire(ctx, r, s.deps.Clock.Now())
			removed += n
			if err != nil && first == nil && !items.Moved(err) { // its container may be deleted just now, or the range split
				first = err
			}
			if err != nil || !more {
				return ctx.Err()
			}
		}
		return nil
	})
	if err == nil {
		err = first
	}
	return removed, err
}
