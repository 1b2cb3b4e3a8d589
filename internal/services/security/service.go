package security

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/correlate"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/engine"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const namespace = "Microsoft.Security"

// Deps is what the service stands on. All fields are required.
type Deps struct {
	Store     store.Store
	Clock     clock.Clock
	Log       *slog.Logger
	Resources arm.Reader
	Outbox    engine.Outbox
	Intel     detect.Intel
}

// Service is Microsoft.Security's alerts. Safe for concurrent use.
type Service struct {
	deps   Deps
	engine *engine.Engine
}

// New makes the service.
func New(d Deps) *Service {
	incidents := correlate.DefaultParams()
	return &Service{deps: d, engine: engine.New(engine.Deps{
		Store: d.Store, Clock: d.Clock, Log: d.Log, Outbox: d.Outbox, Resources: d.Resources, Params: detect.DefaultParams(), Intel: d.Intel,
		Notify:    notify,
		Correlate: &incidents,
	})}
}

// notify leaves the telling of an alert to automations.
func notify(a *alerts.Alert) (func(tx store.Tx) error, error) {
	id := alertID(a)
	body, err := json.Marshal(map[string]any{"id": id, "name": a.Name, "type": shownTypeName, "properties": render(a, id)})
	if err != nil {
		return nil, err
	}
	e := posture.Event{ID: a.Name, Source: posture.SourceAlerts, Subscription: a.Subscription, Resource: a.Machine, Time: a.Generated, Body: body}
	return func(tx store.Tx) error { return posture.Notify(tx, e) }, nil
}

// Engine takes what machines report.
func (s *Service) Engine() *engine.Engine { return s.engine }

// Types are the resource types of the control plane.
func (s *Service) Types() []arm.Type {
	return []arm.Type{s.alertType(), s.allAlertsType(), s.suppressionType()}
}

// OutboxHandlers are the handlers of the rows that batches and calls leave.
func (s *Service) OutboxHandlers() map[string]outbox.Handler { return s.engine.OutboxHandlers() }

// Service is the background work: routes are the control plane's.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "security", Run: func(ctx context.Context) error { return s.engine.Run(ctx) }}
}
