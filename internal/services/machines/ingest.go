package machines

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/authn"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// authorize lets in the system-assigned identity of a machine that is still there. Which machine that is becomes the request's State.
func (s *Service) authorize(ctx context.Context, r *wire.Request) error {
	p := r.Principal
	refused := fault.New(fault.Forbidden, "NotAMachine", "Only the system-assigned identity of an enrolled machine may report what happens on it.")
	if p == nil || p.Kind != authn.ManagedIdentity || !isMachine(p.Resource) {
		return refused
	}
	machine, _, err := s.deps.Resources.Resource(ctx, p.Resource)
	switch {
	case err != nil:
		return err
	case machine == nil || machine.Identity == nil || machine.Identity.PrincipalID != p.ObjectID:
		return fault.New(fault.Forbidden, "MachineNotEnrolled", "The machine %.300s was deleted, or has another identity by now. Enrol it again: bulkhead agent enrol.", p.Resource)
	}
	r.State, r.Resource, r.AllowedBy = machine, machine.ID, "the machine itself"
	return nil
}

// isMachine tells whether an id is that of a machine, of either kind.
func isMachine(id string) bool {
	parsed, err := arm.ParseID(id)
	return err == nil && (strings.EqualFold(parsed.Type(), hybridTypeName) || strings.EqualFold(parsed.Type(), virtualTypeName))
}

// acknowledged answers a batch.
type acknowledged struct {
	Acknowledged uint64 `json:"acknowledged"` // the sink has everything up to this number
}

// activity takes a batch.
func (s *Service) activity(ctx context.Context, r *wire.Request) (any, error) {
	machine, _ := r.State.(*arm.Resource)
	seq, err := strconv.ParseUint(r.Query("sequence"), 10, 63)
	if err != nil || seq == 0 {
		return nil, fault.New(fault.Invalid, "InvalidSequence", "The parameter sequence must be the batch's number, counted from 1; it is %.40q.", r.Query("sequence"))
	}
	leave, err := s.enter(machine)
	if err != nil {
		return nil, err
	}
	defer leave()
	acked, err := s.deps.Sink.Ingest(ctx, machine.ID, seq, nil, r.Body)
	if err != nil {
		return nil, err
	}
	return acknowledged{acked}, nil
}

// enter takes a machine's turn and a place among the batches being worked on, or says when to come again: a machine sends one batch after the other, so that a second one
// is the same, sent again by an agent that lost patience.
func (s *Service) enter(machine *arm.Resource) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[machine.GUID] {
		f := fault.New(fault.TooMany, "MachineBusy", "Another batch of this machine is being taken. Send it again.")
		f.RetryAfter = time.Second
		return nil, f
	}
	select {
	case s.slots <- struct{}{}:
	default:
		f := fault.New(fault.Unavailable, "ServerBusy", "The platform takes as many batches as it can. Send it again.")
		f.RetryAfter = time.Second
		return nil, f
	}
	s.busy[machine.GUID] = true
	return func() {
		s.mu.Lock()
		delete(s.busy, machine.GUID)
		s.mu.Unlock()
		<-s.slots
	}, nil
}
