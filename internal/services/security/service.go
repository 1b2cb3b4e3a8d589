package security

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/correlate"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/engine"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
	"github.com/bulkheadhq/bulkhead/internal/services/security/sigma"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const namespace = "Microsoft.Security"

// Deps is what the service stands on. All fields but Rules, Countries and Addresses are required.
type Deps struct {
	Store     store.Store
	Clock     clock.Clock
	Log       *slog.Logger
	Resources arm.Reader
	Outbox    engine.Outbox
	Intel     detect.Intel
	// Rules are the Sigma rules that are asked beside the analytics. Folders are looked at every RulesEvery for what changed.
	Rules *rules.Folders
	// Countries tells where sign-ins come from.
	Countries detect.Countries
	// Addresses are those that the machine with a GUID says it has; nil: none is known.
	Addresses func(ctx context.Context, guid string) ([]netip.Addr, error)
}

// RulesEvery is how long a changed rule may take until it counts.
const RulesEvery = 30 * time.Second

// Service is Microsoft.Security's alerts. Safe for concurrent use.
type Service struct {
	deps   Deps
	engine *engine.Engine
}

// New makes the service.
func New(d Deps) *Service {
	incidents := correlate.DefaultParams()
	var set func() *rules.Set
	if d.Rules != nil {
		set = d.Rules.Set
	}
	return &Service{deps: d, engine: engine.New(engine.Deps{
		Rules: set, Countries: d.Countries,
		Store: d.Store, Clock: d.Clock, Log: d.Log, Outbox: d.Outbox, Resources: d.Resources, Params: detect.DefaultParams(), Intel: d.Intel,
		Notify:    notify,
		Correlate: &incidents, Addresses: d.Addresses,
	})}
}

// notify leaves the telling of an alert to automations. What became of an incident that they know is the incident once more, and says so in its extended properties.
func notify(a *alerts.Alert, n engine.Notice) (func(tx store.Tx) error, error) {
	id := alertID(a)
	if n.Why != engine.Began {
		told := *a
		told.Extended = maps.Clone(a.Extended)
		if told.Extended == nil {
			told.Extended = map[string]string{}
		}
		told.Extended["update"] = string(n.Why)
		a = &told
	}
	body, err := json.Marshal(map[string]any{"id": id, "name": a.Name, "type": shownTypeName, "properties": render(a, id, azurePortal)})
	if err != nil {
		return nil, err
	}
	e := posture.Event{ID: n.ID, Source: posture.SourceAlerts, Subscription: a.Subscription, Resource: a.Machine, Time: n.Time, Body: body}
	return func(tx store.Tx) error { return posture.Notify(tx, e) }, nil
}

// Engine takes what machines report.
func (s *Service) Engine() *engine.Engine { return s.engine }

// Types are the resource types of the control plane.
func (s *Service) Types() []arm.Type {
	return []arm.Type{s.alertType(), s.allAlertsType(), s.suppressionType(), s.countType()}
}

// OutboxHandlers are the handlers of the rows that batches and calls leave.
func (s *Service) OutboxHandlers() map[string]outbox.Handler { return s.engine.OutboxHandlers() }

// Service is the background work: routes are the control plane's.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "security", Run: s.run}
}

func (s *Service) run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.deps.Rules != nil {
			s.deps.Rules.Watch(ctx, RulesEvery, func(set *rules.Set, problems []sigma.Problem) { ToldRules(s.deps.Log, set, problems) })
		}
	}()
	err := s.engine.Run(ctx)
	<-done
	return err
}

// ToldRules logs how many rules there are, and each document that can't be used.
func ToldRules(log *slog.Logger, set *rules.Set, problems []sigma.Problem) {
	for _, p := range problems {
		log.Warn("a security rule is left out", "file", p.File, "line", p.Line, "rule", p.Rule, "reason", p.Reason)
	}
	log.Info("security rules read", "rules", set.Len(), "left_out", len(problems))
}
