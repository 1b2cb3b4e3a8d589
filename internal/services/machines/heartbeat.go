package machines

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Heartbeat is what a machine's agent says each minute.
type Heartbeat struct {
	AgentVersion string `json:"agentVersion"`
	OSName       string `json:"osName"`
	OSVersion    string `json:"osVersion"`
	Host         string `json:"host"`
	// Detected are properties of the hardware and the system, shown as detectedProperties; at most 64.
	Detected map[string]string `json:"detectedProperties"`
	// Facts are settings that decide how safe a machine is; docs/agent.md lists them. At most 64.
	Facts map[string]string `json:"facts"`
	Queue Queue             `json:"queue"`
}

// beat answers a heartbeat.
type beat struct {
	Acknowledged uint64 `json:"acknowledged"`
	Interval     int    `json:"interval"` // seconds to the next
}

const (
	maxPairs = 64
	maxValue = 1024
)

func (h *Heartbeat) check() error {
	for name, pairs := range map[string]map[string]string{"detectedProperties": h.Detected, "facts": h.Facts} {
		if len(pairs) > maxPairs {
			return fault.New(fault.Invalid, "InvalidHeartbeat", "%s has %d entries, %d at most.", name, len(pairs), maxPairs)
		}
		for k, v := range pairs {
			if len(k) > 128 || len(v) > maxValue {
				return fault.New(fault.Invalid, "InvalidHeartbeat", "%s has an entry of more than 128 bytes with a value of more than %d.", name, maxValue)
			}
		}
	}
	for _, v := range []string{h.AgentVersion, h.OSName, h.OSVersion, h.Host} {
		if len(v) > 256 {
			return fault.New(fault.Invalid, "InvalidHeartbeat", "A name or version has more than 256 bytes.")
		}
	}
	return nil
}

// heartbeat keeps what a machine says of itself.
func (s *Service) heartbeat(ctx context.Context, r *wire.Request, in *Heartbeat) (beat, error) {
	machine, _ := r.State.(*arm.Resource)
	if err := in.check(); err != nil {
		return beat{}, err
	}
	before, err := s.load(ctx, machine.GUID)
	if err != nil {
		return beat{}, err
	}
	now := s.deps.Clock.Now().UTC()
	st := &state{
		Machine: machine.ID, At: now, Since: now, Agent: in.AgentVersion, OSName: in.OSName, OSVer: in.OSVersion, Host: in.Host, Detected: in.Detected, Facts: in.Facts, Queue: in.Queue,
	}
	if r.Client.IsValid() {
		st.From = r.Client.Unmap().WithZone("").String()
	}
	if before != nil && now.Sub(before.At) < DisconnectedAfter {
		st.Since = before.Since
	}
	if err := s.save(ctx, machine.GUID, st); err != nil {
		return beat{}, err
	}
	acked, err := s.deps.Sink.Acked(ctx, machine.ID)
	return beat{Acknowledged: acked, Interval: int(heartbeatEvery / time.Second)}, err
}

// connection is a machine's status, since when, as its resource shows it.
func (s *Service) connection(r *arm.Resource, st *state) (status string, since time.Time) {
	switch {
	case st == nil:
		return "Disconnected", r.Created
	case s.deps.Clock.Now().Sub(st.At) >= DisconnectedAfter:
		return "Disconnected", st.At.Add(DisconnectedAfter)
	}
	return "Connected", st.Since
}

// Reported is what a machine said last, for those who judge how safe it is.
type Reported struct {
	Machine   string // its ARM id
	At        time.Time
	Connected bool
	OSName    string
	Facts     map[string]string
	Queue     Queue
}

// Facts are what the machine with a GUID said last of itself; nil if it never did.
func (s *Service) Facts(ctx context.Context, guid string) (map[string]string, error) {
	st, err := s.load(ctx, guid)
	if err != nil || st == nil {
		return nil, err
	}
	return st.Facts, nil
}

// Reported returns the last word of each machine of a subscription that ever said one.
func (s *Service) Reported(ctx context.Context, subscription string) ([]Reported, error) {
	all, err := s.loadAll(ctx)
	if err != nil {
		return nil, err
	}
	var out []Reported
	for guid, st := range all {
		id, err := arm.ParseID(st.Machine)
		if err != nil || !strings.EqualFold(id.Subscription, subscription) {
			continue
		}
		r, _, err := s.deps.Resources.Resource(ctx, st.Machine)
		if err != nil {
			return nil, err
		}
		if r == nil || r.GUID != guid {
			continue
		}
		status, _ := s.connection(r, st)
		out = append(out, Reported{Machine: r.ID, At: st.At, Connected: status == "Connected", OSName: st.OSName, Facts: st.Facts, Queue: st.Queue})
	}
	slices.SortFunc(out, func(a, b Reported) int { return strings.Compare(a.Machine, b.Machine) })
	return out, nil
}
