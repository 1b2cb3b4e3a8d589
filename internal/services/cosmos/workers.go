package cosmos

import (
	"context"
	"errors"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/services/cosmos/items"
)

// expireEvery is how often documents whose time to live has ended are removed. They are invisible before that.
const expireEvery = 5 * time.Second

// expireSteps bounds what one range gets of a round, so that the others have their turn.
const expireSteps = 400

// run removes ended documents until ctx ends.
func (s *Service) run(ctx context.Context) error {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
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
			if err != nil && first == nil && !errors.Is(err, items.ErrNoRange) { // its container may be deleted just now
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
