package posture

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/notify"
	"github.com/bulkheadhq/bulkhead/internal/outbox"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/posture/assess"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Inventory tells what is in a subscription; *arm.Pipeline is one.
type Inventory interface {
	Subscriptions(ctx context.Context) ([]string, error)
	Inventory(ctx context.Context, subscription string) ([]*arm.Resource, error)
	Grants(ctx context.Context, subscription string) ([]arm.Grant, error)
}

// Sealer keeps webhook addresses secret at rest.
type Sealer interface {
	Seal(shard string, key, plaintext []byte) ([]byte, error)
	Open(shard string, key, sealed []byte) ([]byte, error)
}

// Outbox moves on what a transaction left in its shard.
type Outbox interface {
	Drain(ctx context.Context, shard string) error
}

// Deps is what the service stands on. All are required but Keys, Machines, Usage, Limits and Webhooks.
type Deps struct {
	Store     store.Store
	Sealer    Sealer
	Clock     clock.Clock
	Log       *slog.Logger
	Outbox    Outbox
	Inventory Inventory
	Resources arm.Reader
	Access    arm.Access
	SignedIn  wire.Authenticator // how the control plane knows who calls
	FrontDoor *http.Client       // reaches the platform's own hosts, for fixes
	// Keys tells the age of a database account's keys; nil: unknown.
	Keys func(ctx context.Context, account *arm.Resource) ([]assess.Key, error)
	// Machines tells what the agents of a subscription's machines said, by folded id; nil: nothing.
	Machines func(ctx context.Context, subscription string) (map[string]assess.Hardening, error)
	Usage    *Usage // of managed identities; nil: not recorded
	Limits   assess.Limits
	Webhooks *http.Client // nil: one with a timeout that follows no redirects
}

// Service is safe for concurrent use.
type Service struct {
	deps       Deps
	webhooks   *notify.Webhooks
	deliveries *outbox.Drainer
	wake       chan struct{} // something to deliver
	heard      *listening
}

// New makes the service.
func New(d Deps) *Service {
	s := &Service{deps: d, webhooks: notify.NewWebhooks(d.Webhooks), wake: make(chan struct{}, 1), heard: newListening()}
	s.deliveries = outbox.NewDrainer(d.Store, d.Log, map[string]outbox.Handler{kindDelivery: s.deliver}).WithClock(d.Clock)
	return s
}

// Types are the resource types of the control plane.
func (s *Service) Types() []arm.Type {
	return []arm.Type{
		s.pricingType(), s.settingType(), s.autoProvisioningType(), s.workspaceSettingType(), s.contactType(), s.automationType(), s.locationType(),
		s.assessmentType(), s.subAssessmentType(), s.subAssessmentListType(), s.metadataType(), s.taskListType(), s.taskType(),
		s.scoreType(), s.controlOfScoreType(), s.controlType(), s.controlDefinitionType(),
	}
}

// Service gives the routes that no type stands behind, and the background work.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "security posture", Routes: append(s.tenantRoutes(), s.unimplementedRoutes()...), Run: s.run}
}

// OutboxHandlers are the handlers of the rows that Notify writes.
func (s *Service) OutboxHandlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{kindEvent: s.spread}
}

// HomeRegion is the location that a subscription's security data is said to be in.
const HomeRegion = alerts.Region

const namespace = "Microsoft.Security"

func subShard(subscription string) string     { return "sub/" + strings.ToLower(subscription) }
func postureShard(subscription string) string { return "posture/" + strings.ToLower(subscription) }

// within tells whether an id is a scope's own or below it.
func within(id, scope string) bool {
	id, scope = strings.ToLower(id), strings.TrimRight(strings.ToLower(scope), "/")
	return id == scope || strings.HasPrefix(id, scope+"/")
}
