package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/alerting"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

const (
	insights   = "Microsoft.Insights"
	management = "Microsoft.AlertsManagement"
)

// Inventory tells what is in a subscription; *arm.Pipeline is one.
type Inventory interface {
	Subscriptions(ctx context.Context) ([]string, error)
	Inventory(ctx context.Context, subscription string) ([]*arm.Resource, error)
	ActivityLog(ctx context.Context, subscription string, after time.Time) ([]arm.LogEvent, error)
}

// Sealer keeps receivers' addresses secret at rest.
type Sealer interface {
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// Outbox moves on what a transaction left in its shard.
type Outbox interface {
	Drain(ctx context.Context, shard string) error
}

// Deps is what the service stands on. Those up to SignedIn are required.
type Deps struct {
	Store     store.Store
	Sealer    Sealer
	Clock     clock.Clock
	Log       *slog.Logger
	Outbox    Outbox
	Inventory Inventory
	Resources arm.Reader
	Source    alerting.Source
	Access    arm.Access
	SignedIn  wire.Authenticator // how the control plane knows who calls

	// Known tells whether resources of a type have a metric, and whether that is known at all; nil: of none.
	Known func(resourceType, namespace, metric string) (has, known bool)
	// Token gives a token of the action group application for a receiver's, in a tenant; nil: secure webhooks are not called.
	Token func(ctx context.Context, tenantID, resource string) (string, error)
	// Advise tells what to check when a metric of a resource raises an alert; "": nothing is known. It becomes part of the alert.
	Advise   func(ctx context.Context, resourceID, metric string) string
	Mailer   *notify.Mailer // nil: no mail is sent
	Webhooks *http.Client   // nil: one with a timeout that follows no redirects
	// Programs is a folder whose programs webhook receivers may name as exec:NAME; "": none is run.
	Programs string
}

// Service is safe for concurrent use.
type Service struct {
	deps     Deps
	webhooks *notify.Webhooks
	queue    *notify.Queue
	engine   *engine

	processing processing
}

// New makes the service.
func New(d Deps) *Service {
	s := &Service{deps: d, webhooks: notify.NewWebhooks(d.Webhooks), processing: processing{known: map[string]processors{}}}
	s.queue = notify.NewQueue(d.Store, d.Clock, d.Log, shardPrefix, notify.Handler{Deliver: s.deliver, Settle: settle})
	s.engine = newEngine(s)
	return s
}

// Types are the resource types of the control plane.
func (s *Service) Types() []arm.Type {
	return []arm.Type{s.metricAlertType(), s.classicType(), s.activityAlertType(), s.groupType(), s.alertType(), s.processingType(), smartGroupType()}
}

// Service gives the routes that no type stands behind, and the background work.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "alerts", Routes: append(s.tenantRoutes(), s.resourceRoutes()...), Run: s.run}
}

// OutboxHandlers are the handlers of the rows that the service writes.
func (s *Service) OutboxHandlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{kindNotify: s.spread, kindChange: s.changeState, kindTest: s.putTest}
}

func bad(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "BadRequest", "%s", fmt.Sprintf(format, args...))
}

// notImplemented names what is missing, and says what there is instead.
func notImplemented(what, instead string) *fault.Error {
	return fault.New(fault.NotImplemented, "NotImplemented", "%s not implemented. %s", what, instead)
}

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null") // of own types only: can't be
	}
	return b
}

func fold(s string) string { return strings.ToLower(s) }

// minuteOf counts whole minutes since the Unix epoch.
func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// timeOf is the beginning of a minute.
func timeOf(minute int64) time.Time { return time.Unix(minute*60, 0).UTC() }
