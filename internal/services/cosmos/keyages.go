package cosmos

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// KeyAge says since when one of an account's keys is what it is.
type KeyAge struct {
	Kind      string // as regenerateKey names it
	Generated time.Time
}

// KeyAges tells the ages of an account's four keys, for those who judge whether they should be replaced; never the keys.
func (s *Service) KeyAges(ctx context.Context, account *arm.Resource) ([]KeyAge, error) {
	sub, err := subscriptionOf(account.ID)
	if err != nil {
		return nil, err
	}
	k, _, err := s.loadKeys(ctx, subscriptionShard(strings.ToLower(sub)), account.GUID)
	switch {
	case errors.Is(err, errNoKeys): // it went away meanwhile
		return nil, nil
	case err != nil:
		return nil, err
	}
	out := make([]KeyAge, 0, len(kinds))
	for i, kind := range kinds {
		out = append(out, KeyAge{kind.kind, k.Generated[i]})
	}
	return out, nil
}
