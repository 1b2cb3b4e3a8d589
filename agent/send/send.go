// Package send brings an agent's queue to the platform, and says each minute that the machine is there.
package send

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/enrol"
	"github.com/bulkheadhq/bulkhead/agent/queue"
)

// Poster sends as the machine; *enrol.Client is one.
type Poster interface {
	Post(ctx context.Context, path, contentType string, body []byte, out any) error
}

// Options are a Sender's. The zero value of all but the first three works.
type Options struct {
	Queue  *queue.Queue
	Client Poster
	// Describe makes a heartbeat, without its queue. nil: none is sent.
	Describe func() Heartbeat
	// Path is where batches go, up to their number, and Spoiled makes one of a batch that the platform will never take: it says what is missing. The defaults are those of an agent's events.
	Path    string
	Spoiled func(packed []byte) ([]byte, error)
	Log     *slog.Logger
	// MinWait and MaxWait bound the time between attempts; 0 is half a second and a minute.
	MinWait, MaxWait time.Duration
}

// Heartbeat is what an agent says of itself; see package machines for what the platform makes of it.
type Heartbeat struct {
	AgentVersion string            `json:"agentVersion"`
	OSName       string            `json:"osName"`
	OSVersion    string            `json:"osVersion"`
	Host         string            `json:"host"`
	Detected     map[string]string `json:"detectedProperties"`
	Facts        map[string]string `json:"facts"`
	Queue        QueueState        `json:"queue"`
}

// QueueState is how the queue stands.
type QueueState struct {
	Batches uint64 `json:"batches"`
	Bytes   uint64 `json:"bytes"`
	Dropped uint64 `json:"dropped"`
}

// Sender sends. Run it once.
type Sender struct {
	o       Options
	away    atomic.Bool
	contact chan struct{}
	met     bool
	next    time.Time // of the next heartbeat
	wait    time.Duration
}

// New makes a Sender.
func New(o Options) *Sender {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Path == "" {
		o.Path = "/bulkhead/agent/activity?sequence="
	}
	if o.Spoiled == nil {
		o.Spoiled = spoiled
	}
	if o.MinWait == 0 {
		o.MinWait = time.Second / 2
	}
	if o.MaxWait == 0 {
		o.MaxWait = time.Minute
	}
	return &Sender{o: o, contact: make(chan struct{})}
}

// Away tells whether the last attempt to reach the platform failed.
func (s *Sender) Away() bool { return s.away.Load() }

// Contact is closed once the platform was reached for the first time: from then on the queue has the right numbers.
func (s *Sender) Contact() <-chan struct{} { return s.contact }

// Run sends until ctx ends, which is no error, or the platform refuses the machine (enrol.ErrRefused).
func (s *Sender) Run(ctx context.Context) error {
	for {
		err := s.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, enrol.ErrRefused):
			return err
		case err == nil:
			s.wait = 0
			if s.away.Swap(false) {
				s.o.Log.Info("the platform is reached again", "batches", s.o.Queue.Status().Batches)
			}
			continue
		}
		s.fail(ctx, err)
	}
}

// fail waits before the next attempt: twice as long as before, by chance between half of it and all, so that many agents don't come at once; longer if the platform said so.
func (s *Sender) fail(ctx context.Context, err error) {
	if s.wait = min(max(2*s.wait, s.o.MinWait), s.o.MaxWait); !s.away.Swap(true) {
		s.o.Log.Warn("the platform isn't reached; events are kept", "error", err)
	}
	wait := s.wait/2 + rand.N(s.wait/2+1)
	var status *enrol.StatusError
	if errors.As(err, &status) && status.RetryAfter > 0 {
		wait = max(wait, status.RetryAfter)
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

// step sends one thing, or waits until there is one.
func (s *Sender) step(ctx context.Context) error {
	var beat <-chan time.Time
	if s.o.Describe != nil {
		if now := time.Now(); !now.Before(s.next) {
			return s.beat(ctx)
		}
		beat = time.After(time.Until(s.next))
	}
	seq, packed, err := s.o.Queue.Next()
	if err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	if packed == nil {
		select {
		case <-ctx.Done():
		case <-s.o.Queue.Changed():
		case <-beat:
		}
		return nil
	}
	return s.send(ctx, seq, packed)
}

// acknowledged answers both routes.
type acknowledged struct {
	Acknowledged uint64 `json:"acknowledged"`
	Interval     int    `json:"interval"`
}

func (s *Sender) beat(ctx context.Context) error {
	h := s.o.Describe()
	q := s.o.Queue.Status()
	h.Queue = QueueState{Batches: q.Batches, Bytes: uint64(q.Bytes), Dropped: q.Dropped}
	body, err := json.Marshal(h)
	if err != nil {
		return err
	}
	var a acknowledged
	if err := s.o.Client.Post(ctx, "/bulkhead/agent/heartbeat", "application/json", body, &a); err != nil {
		return err
	}
	s.next = time.Now().Add(time.Duration(min(max(a.Interval, 1), 3600)) * time.Second)
	if a.Acknowledged > q.Last && q.Last > 0 {
		s.o.Log.Error("the platform has batches that this agent never sent: its folder is an old copy, or another agent is enrolled as this machine",
			"sent", q.Last, "platform_has", a.Acknowledged)
	}
	if err := s.o.Queue.Ack(a.Acknowledged); err != nil {
		return err
	}
	if !s.met {
		s.met = true
		close(s.contact)
	}
	return nil
}

func (s *Sender) send(ctx context.Context, seq uint64, packed []byte) error {
	path := s.o.Path + strconv.FormatUint(seq, 10)
	var a acknowledged
	err := s.o.Client.Post(ctx, path, "application/octet-stream", packed, &a)
	var status *enrol.StatusError
	if errors.As(err, &status) && (status.Status == http.StatusBadRequest || status.Status == http.StatusRequestEntityTooLarge) {
		// It will never be taken. Its number goes to one that says what is missing.
		s.o.Log.Error("the platform can't take a batch, which is given up", "sequence", seq, "error", err)
		if packed, err = s.o.Spoiled(packed); err != nil {
			return err
		}
		err = s.o.Client.Post(ctx, path, "application/octet-stream", packed, &a)
	}
	if err != nil {
		return err
	}
	if a.Acknowledged < seq {
		return fmt.Errorf("the platform took batch %d and says that it has %d", seq, a.Acknowledged)
	}
	return s.o.Queue.Ack(a.Acknowledged)
}

// spoiled is a batch of events of which none is left.
func spoiled(packed []byte) ([]byte, error) {
	b := batch.Batch{Counters: batch.Counters{Cut: 1}}
	if was, err := batch.Decode(packed); err == nil {
		b.Counters = was.Counters
		b.Counters.Cut += uint64(len(was.Events))
	}
	return batch.Encode(&b)
}
