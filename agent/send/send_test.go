package send

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/enrol"
	"github.com/bulkheadhq/bulkhead/agent/queue"
)

// platform takes batches as the real one does, and fails as it is told.
type platform struct {
	last   uint64
	taken  []string
	cut    uint64
	beats  []Heartbeat
	before func(path string) error // the request is lost on its way
	after  func(path string) error // the answer is
	times  []time.Time
}

func (p *platform) Post(_ context.Context, path, _ string, body []byte, out any) error {
	p.times = append(p.times, time.Now())
	if p.before != nil {
		if err := p.before(path); err != nil {
			return err
		}
	}
	if number, ok := strings.CutPrefix(path, "/bulkhead/agent/activity?sequence="); ok {
		seq, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return err
		}
		b, err := batch.Decode(body)
		if err != nil {
			return err
		}
		if seq > p.last {
			p.last = seq
			p.cut += b.Counters.Cut
			for _, e := range b.Events {
				p.taken = append(p.taken, string(e.Command.Line))
			}
		}
	} else {
		var h Heartbeat
		if err := json.Unmarshal(body, &h); err != nil {
			return err
		}
		p.beats = append(p.beats, h)
	}
	if p.after != nil {
		if err := p.after(path); err != nil {
			return err
		}
	}
	return json.Unmarshal(fmt.Appendf(nil, `{"acknowledged":%d,"interval":1}`, p.last), out)
}

func newQueue(t *testing.T, from, to int) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.TempDir(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	for i := from; i < to; i++ {
		packed, err := batch.Encode(&batch.Batch{Events: []activity.Event{{Kind: activity.Exec, Command: activity.Command{Line: []byte(fmt.Sprint(i))}}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Append([][]byte{packed}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

func numbers(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// run runs a sender until the queue is empty.
func run(t *testing.T, q *queue.Queue, p *platform) error {
	t.Helper()
	s := New(Options{Queue: q, Client: p, Describe: func() Heartbeat { return Heartbeat{AgentVersion: "1"} }, MinWait: time.Microsecond, MaxWait: time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for q.Status().Batches > 0 {
		select {
		case err := <-done:
			return err
		case <-time.After(time.Millisecond):
		}
	}
	select {
	case <-s.Contact():
	default:
		t.Error("all was sent and there was no contact")
	}
	cancel()
	return <-done
}

// Requests and answers are lost at random: each event arrives once, in order.
func TestRun_Lossy(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	lose := func(string) error {
		switch r.IntN(4) {
		case 0:
			return errors.New("connection reset by peer")
		case 1:
			return &enrol.StatusError{Status: 503}
		}
		return nil
	}
	p := &platform{before: lose, after: lose}
	if err := run(t, newQueue(t, 0, 60), p); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(numbers(60), p.taken); d != "" {
		t.Error(d)
	}
	if len(p.beats) == 0 || p.beats[0].AgentVersion != "1" || p.beats[0].Queue.Batches != 60 {
		t.Errorf("heartbeats: %+v", p.beats)
	}
}

func TestRun_Refused(t *testing.T) {
	t.Parallel()
	p := &platform{before: func(path string) error {
		if strings.Contains(path, "activity") {
			return fmt.Errorf("%w: deleted", enrol.ErrRefused)
		}
		return nil
	}}
	q := newQueue(t, 0, 2)
	if err := run(t, q, p); !errors.Is(err, enrol.ErrRefused) {
		t.Errorf("ended with %v", err)
	}
	if s := q.Status(); s.Batches != 2 {
		t.Errorf("%d batches are kept, want both", s.Batches)
	}
}

// A batch that the platform can't take doesn't stop those behind it, and isn't silent.
func TestRun_GivesUp(t *testing.T) {
	t.Parallel()
	p := &platform{}
	tries := 0
	p.before = func(path string) error {
		if strings.HasSuffix(path, "=2") {
			if tries++; tries == 1 {
				return &enrol.StatusError{Status: 400, Code: "InvalidBatch"}
			}
		}
		return nil
	}
	if err := run(t, newQueue(t, 0, 3), p); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"0", "2"}, p.taken); d != "" || p.last != 3 || p.cut != 1 {
		t.Errorf("%s, at %d, %d cut", d, p.last, p.cut)
	}
}

func TestRun_RetryAfter(t *testing.T) {
	t.Parallel()
	p := &platform{}
	said := false
	p.before = func(path string) error {
		if strings.Contains(path, "activity") && !said {
			said = true
			return &enrol.StatusError{Status: 429, RetryAfter: 300 * time.Millisecond}
		}
		return nil
	}
	if err := run(t, newQueue(t, 0, 1), p); err != nil {
		t.Fatal(err)
	}
	if d := p.times[2].Sub(p.times[1]); len(p.taken) != 1 || d < 300*time.Millisecond {
		t.Errorf("it came again after %s", d)
	}
}

// An empty queue on a machine that sent before goes on behind what the platform has.
func TestRun_Fresh(t *testing.T) {
	t.Parallel()
	p := &platform{last: 41}
	q := newQueue(t, 0, 0)
	s := New(Options{Queue: q, Client: p, Describe: func() Heartbeat { return Heartbeat{} }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Contact()
	packed, err := batch.Encode(&batch.Batch{Events: []activity.Event{{Command: activity.Command{Line: []byte("first")}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Append([][]byte{packed}, nil); err != nil {
		t.Fatal(err)
	}
	for q.Status().Batches > 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil || p.last != 42 || len(p.taken) != 1 {
		t.Errorf("%v, the platform has %v up to %d", err, p.taken, p.last)
	}
}
