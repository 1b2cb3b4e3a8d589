package kernel

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/bulkheadhq/bulkhead/agent/source"
	"github.com/bulkheadhq/bulkhead/internal/clock"
)

// ErrRefused is what the kernel's refusals are: the machine, or the account, can't audit.
var ErrRefused = errors.New("the kernel's audit system can't be used")

// Name is the source's.
const Name = "kernel"

const (
	defaultBuffer = 32 << 20 // bytes of messages that may wait for the sink: about 30,000 started programs
	minBuffer     = 64 << 10
)

// Options are the source's.
type Options struct {
	Config Config
	// StateFile is where it notes what to put back in the kernel. It has to survive the agent, not the machine.
	StateFile string
	// ListenOnly leaves the kernel as it is: events are those that the machine's own rules ask for. It wants CAP_AUDIT_READ alone.
	ListenOnly bool
	// Buffer is how many bytes may wait for the sink; 0 is 32 MiB.
	Buffer int
	Clock  clock.Clock // nil is the machine's
	Log    *slog.Logger
	// Ready, if not nil, is called once events are listened to and the rules are in the kernel.
	Ready func()
}

// Source is the kernel's audit system as a source.Source.
type Source struct {
	o      Options
	mu     sync.Mutex
	counts source.Figures
}

// New makes the source; nothing happens before Run.
func New(o Options) *Source {
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Buffer == 0 {
		o.Buffer = defaultBuffer
	}
	o.Buffer = max(o.Buffer, minBuffer)
	return &Source{o: o}
}

// Name implements source.Source.
func (s *Source) Name() string { return Name }

// Figures implements source.Source.
func (s *Source) Figures() source.Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}
