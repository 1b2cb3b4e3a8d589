package mysql

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/arm"
)

// recommendations tells the server's limits and where more would come from: an extension, for `bulkhead mysql recommend`.
func (s *Service) recommendations(_ context.Context, c *arm.Call) (any, error) {
	p, err := propertiesOf(c.Old)
	if err != nil {
		return nil, err
	}
	k, err := skuOf(c.Old)
	if err != nil {
		return nil, err
	}
	return map[string]any{"value": Recommend(c.Old.ID, k.limits(p.StorageProfile.StorageMB))}, nil
}
