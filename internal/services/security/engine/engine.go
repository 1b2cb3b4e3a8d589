package engine

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/clock"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/services/security/alerts"
	"github.com/bulkheadhq/bulkhead/internal/services/security/correlate"
	"github.com/bulkheadhq/bulkhead/internal/services/security/detect"
	"github.com/bulkheadhq/bulkhead/internal/services/security/rules"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Bounds of what is kept of a machine for replay.
const (
	MaxLogEvents = 500_000
	MaxLogBytes  = 48 << 20
)

// Outbox moves on what a transaction left.
type Outbox interface {
	DrainThrough(ctx context.Context, shard string, lsn store.LSN) error
}

// Deps is what the engine stands on. All fields but Machines, Correlate and Notify are required.
type Deps struct {
	Store     store.Store
	Clock     clock.Clock
	Log       *slog.Logger
	Outbox    Outbox
	Resources arm.Reader // finds the machine of an ARM id
	// Params are the detector's thresholds, Intel is what is known of others' machines.
	Params detect.Params
	Intel  detect.Intel
	// Rules are the Sigma rules of now, asked beside the analytics; nil: none are.
	Rules func() *rules.Set
	// Countries tells where sign-ins come from; nil: nobody does.
	Countries detect.Countries
	// Machines is how many detectors may be in memory; 0 is 256.
	Machines int
	// Addresses are those that the machine with a GUID has: attacks that come from there are known as its own. nil: what its resource tells is all that is known.
	Addresses func(ctx context.Context, guid string) ([]netip.Addr, error)
	// Correlate are the thresholds of incidents; nil: none are made.
	Correlate *correlate.Params
	// Notify prepares the telling of an alert or incident that is new and not dismissed, or of what became of an incident: tell is called in the transaction that stores it, by the rules of
	// such functions, and may leave outbox rows, which are drained after it. nil: nobody is told.
	Notify func(a *alerts.Alert, n Notice) (tell func(tx store.Tx) error, err error)
}

// Engine is safe for concurrent use.
type Engine struct {
	deps    Deps
	books   books
	joiners *joiners
	ready   sync.Map // subscriptions whose index is complete

	mu       sync.Mutex
	matchers sync.Pool           // of *rules.Matcher
	machines map[string]*machine // by GUID
	turn     uint64              // counts uses, to tell who was idle longest
}

// New makes an engine.
func New(d Deps) *Engine {
	if d.Machines == 0 {
		d.Machines = 256
	}
	return &Engine{deps: d, machines: map[string]*machine{}, books: newBooks(), joiners: newJoiners()}
}

// Ingest applies a batch of the machine with an ARM id, and returns the number up to which all is kept durably; the machine sends again what isn't. seq counts from 1,
// without gaps. packed is what counts: it is kept, and read again after a restart; the events that the caller made of it are not looked at. A machine that doesn't
// exist is a fault NotFound; a number of 0 or bytes that are no batch are Invalid.
func (e *Engine) Ingest(ctx context.Context, machineID string, seq uint64, _ []activity.Event, packed []byte) (acked uint64, err error) {
	if seq == 0 {
		return 0, fault.New(fault.Invalid, "InvalidSequence", "Batches are numbered from 1.")
	}
	b, err := batch.Decode(packed)
	if err != nil {
		return 0, fault.New(fault.Invalid, "InvalidBatch", "The batch can't be read: %s.", err).WithCause(err)
	}
	src, err := e.source(ctx, machineID)
	if err != nil {
		return 0, err
	}
	m, err := e.enter(ctx, src.guid)
	if err != nil {
		return 0, err
	}
	defer e.leave(m)
	if err := m.load(ctx, e); err != nil {
		return 0, err
	}
	if seq <= m.state.Last {
		return m.state.Last, nil
	}
	lsn, err := m.take(ctx, e, src, seq, b, packed)
	if err != nil {
		m.forget() // what is in memory is ahead of what is stored
		if errors.Is(err, errElsewhere) {
			return 0, fault.New(fault.Unavailable, "MachineBusy", "Another batch of this machine is being taken. Send it again.").WithCause(err)
		}
		return 0, err
	}
	if lsn != 0 {
		// The batch is kept whatever becomes of its effects: they are tried again.
		if err := e.deps.Outbox.DrainThrough(context.WithoutCancel(ctx), m.shard, lsn); err != nil {
			e.deps.Log.Error("alerts not stored yet", "machine", machineID, "error", err)
		}
	}
	return m.state.Last, nil
}

// Acked is the number of the last batch that was taken of a machine, 0 for none: where an agent that lost its own count goes on.
func (e *Engine) Acked(ctx context.Context, machineID string) (uint64, error) {
	src, err := e.source(ctx, machineID)
	if err != nil {
		return 0, err
	}
	var s state
	err = e.deps.Store.View(ctx, machineShard(src.guid), func(snap store.Snapshot) error {
		b, err := snap.Get(stateKey())
		if err != nil || b == nil {
			return err
		}
		s, err = stateCodec.Decode(b)
		return err
	})
	return s.Last, err
}

// Forget removes what is kept of a machine that was deleted; its alerts stay. guid is that of the resource.
func (e *Engine) Forget(ctx context.Context, guid string) error {
	m, err := e.enter(ctx, guid)
	if err != nil {
		return err
	}
	defer e.leave(m)
	m.forget()
	return e.deps.Store.Drop(ctx, m.shard)
}

// source is the machine a batch comes from.
type source struct {
	guid, id, subscription, host string
	addresses                    []netip.Addr
}

func (e *Engine) source(ctx context.Context, machineID string) (source, error) {
	r, _, err := e.deps.Resources.Resource(ctx, machineID)
	if err != nil {
		return source{}, err
	}
	if r == nil {
		return source{}, fault.New(fault.NotFound, "ResourceNotFound", "The machine '%.300s' was not found.", machineID)
	}
	id, err := arm.ParseID(r.ID)
	if err != nil {
		return source{}, err
	}
	out := source{guid: r.GUID, id: r.ID, subscription: strings.ToLower(id.Subscription), host: r.Name, addresses: addressesOf(r.Properties)}
	if e.deps.Addresses != nil {
		said, err := e.deps.Addresses(ctx, r.GUID)
		if err != nil {
			return source{}, err
		}
		out.addresses = append(out.addresses, said...)
	}
	return out, nil
}

// enter waits for a machine's turn: its batches are taken one after the other.
func (e *Engine) enter(ctx context.Context, guid string) (*machine, error) {
	e.mu.Lock()
	m := e.machines[guid]
	if m == nil {
		e.makeRoom()
		m = newMachine(guid)
		e.machines[guid] = m
	}
	m.users++
	e.turn++
	m.used = e.turn
	e.mu.Unlock()
	select {
	case m.busy <- struct{}{}:
		return m, nil
	case <-ctx.Done():
		e.mu.Lock()
		m.users--
		e.mu.Unlock()
		return nil, ctx.Err()
	}
}

func (e *Engine) leave(m *machine) {
	<-m.busy
	e.mu.Lock()
	m.users--
	e.mu.Unlock()
}

// makeRoom lets the machine go that was idle longest, if there are too many. The caller holds mu.
func (e *Engine) makeRoom() {
	if len(e.machines) < e.deps.Machines {
		return
	}
	var oldest *machine
	for _, m := range e.machines {
		if m.users == 0 && (oldest == nil || m.used < oldest.used) {
			oldest = m
		}
	}
	if oldest != nil {
		delete(e.machines, oldest.guid)
	}
}
