package monitor

import "github.com/bulkheadhq/bulkhead/internal/wire"

// metricRoutes are those of metrics.
func (s *Service) metricRoutes() []wire.Route { return nil }
