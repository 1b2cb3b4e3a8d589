package machines

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Sink takes what happened on machines. Batches of one machine come one after the other; those of several at the same time.
type Sink interface {
	// Ingest takes a batch of the machine with an ARM id, durably, and answers up to which number it has taken all. seq counts from 1; a batch with a number that was taken
	// before has no effect, one that leaves numbers out does. packed is the batch (agent/batch), as it came: whether it is one at all is the sink's to say, by a fault Invalid. events
	// may be what the caller has unpacked already; here it is nil. Errors that are faults reach the machine as they are.
	Ingest(ctx context.Context, machineID string, seq uint64, events []activity.Event, packed []byte) (acked uint64, err error)
	// Acked is the number of the last batch that was taken, 0 for none.
	Acked(ctx context.Context, machineID string) (uint64, error)
	// Forget removes what is kept of a machine that was deleted, by the GUID of its resource.
	Forget(ctx context.Context, guid string) error
}

// DisconnectedAfter is how long a machine may say nothing before it counts as disconnected, as of Azure's own agents.
const DisconnectedAfter = 15 * time.Minute

// heartbeatEvery is how often machines are told to say that they are there.
const heartbeatEvery = time.Minute

// Bounds of what is worked on at a time. A batch may take tens of MiB once it is unpacked.
const (
	maxBatches   = 8
	maxHeartbeat = 64 << 10
)

// Deps is what the service needs.
type Deps struct {
	Store     store.Store
	Clock     clock.Clock // nil: the system's
	Resources arm.Reader
	SignedIn  wire.Authenticator // of the control plane: the routes of agents are on its host
	Sink      Sink
}

// Service is machines. Safe for concurrent use.
type Service struct {
	deps  Deps
	slots chan struct{} // one entry for each batch being worked on

	mu   sync.Mutex
	busy map[string]bool // machines whose batch is being worked on, by GUID
}

// New makes the service.
func New(d Deps) *Service {
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	return &Service{deps: d, slots: make(chan struct{}, maxBatches), busy: map[string]bool{}}
}

// Types are the resource types.
func (s *Service) Types() []arm.Type { return []arm.Type{s.hybridType(), s.virtualType()} }

// Service tells the platform what agents may ask.
func (s *Service) Service() wire.Service {
	return wire.Service{Name: "machines", Routes: []wire.Route{
		{
			Host: wire.HostARM, Method: http.MethodPost, Pattern: "/bulkhead/agent/activity", Operation: "Bulkhead/agent/activity", BodyLimit: batch.MaxPacked,
			Auth: s.deps.SignedIn, Authorize: s.authorize, Handler: s.activity, Quiet: true,
		},
		{
			Host: wire.HostARM, Method: http.MethodPost, Pattern: "/bulkhead/agent/heartbeat", Operation: "Bulkhead/agent/heartbeat", BodyLimit: maxHeartbeat,
			Auth: s.deps.SignedIn, Authorize: s.authorize, Handler: wire.HandleBody(s.heartbeat), Quiet: true,
		},
	}}
}
