package monitor

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// alertTypes are the types of rules, action groups and alerts.
func (s *Service) alertTypes() []arm.Type { return nil }

// alertRoutes are what of alerts no type stands behind.
func (s *Service) alertRoutes() []wire.Route { return nil }

// alertOutboxHandlers move on what alerts left in outboxes.
func (s *Service) alertOutboxHandlers() map[string]outbox.Handler { return nil }

// runAlerts evaluates rules until ctx ends.
func (s *Service) runAlerts(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
