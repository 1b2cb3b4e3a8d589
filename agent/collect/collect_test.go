package collect

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/queue"
	"github.com/bulkheadhq/bulkhead/agent/source"
)

func newQueue(t *testing.T) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.TempDir(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func drain(t *testing.T, q *queue.Queue) (all []batch.Batch) {
	t.Helper()
	for {
		seq, packed, err := q.Next()
		if err != nil {
			t.Fatal(err)
		}
		if packed == nil {
			return all
		}
		b, err := batch.Decode(packed)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *b)
		if err := q.Ack(seq); err != nil {
			t.Fatal(err)
		}
	}
}

func exec(args ...string) *activity.Event {
	e := &activity.Event{Kind: activity.Exec}
	for _, a := range args {
		e.Command.Args = append(e.Command.Args, []byte(a))
	}
	e.Command.Line = bytes.Join(e.Command.Args, []byte{' '})
	return e
}

// Events of a turn are stored with its position, never without, and without secrets.
func TestCollector_Turns(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	c := New(t.Context(), Options{Queue: q, Every: time.Hour})
	c.Event("log", exec("mysql", "-pS3cr3t"))
	if err := c.Mark("log", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := c.store(); err != nil {
		t.Fatal(err)
	}
	c.Event("log", exec("half"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Run(ctx); err != nil { // ends amid a turn
		t.Fatal(err)
	}
	all := drain(t, q)
	if len(all) != 1 || len(all[0].Events) != 1 || string(all[0].Events[0].Command.Line) != "mysql -p***" || string(q.Positions()["log"]) != "1" {
		t.Errorf("stored %+v at %s", all, q.Positions()["log"])
	}
	if err := c.Mark("log", []byte("2")); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if all := drain(t, q); len(all) != 1 || string(all[0].Events[0].Command.Line) != "half" || string(q.Positions()["log"]) != "2" {
		t.Errorf("stored %+v at %s", all, q.Positions()["log"])
	}
}

// A turn of any size is stored at once, and a command line of any length reaches the queue.
func TestCollector_Large(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	c := New(t.Context(), Options{Queue: q})
	const n = 9000
	for i := range n {
		c.Event("log", exec("echo", fmt.Sprint(i), string(bytes.Repeat([]byte("x"), 1000))))
	}
	if s := q.Status(); s.Last != 0 {
		t.Errorf("%d batches were stored amid a turn", s.Last)
	}
	if err := c.Mark("log", []byte("1")); err != nil {
		t.Fatal(err)
	}
	next := 0
	for _, b := range drain(t, q) {
		for _, e := range b.Events {
			if string(e.Command.Args[1]) != fmt.Sprint(next) {
				t.Fatalf("event %d is %s", next, e.Command.Args[1])
			}
			next++
		}
	}
	if next != n {
		t.Errorf("%d events of %d", next, n)
	}
	args := make([]string, 300_000)
	for i := range args {
		args[i] = fmt.Sprintf("%016d", i)
	}
	c.Event("log", exec(args...))
	c.Event("log", exec("after"))
	if err := c.Mark("log", []byte("2")); err != nil {
		t.Fatal(err)
	}
	var got []activity.Event
	var cut uint64
	for _, b := range drain(t, q) {
		got = append(got, b.Events...)
		cut += b.Counters.Cut
	}
	if len(got) != 2 || string(got[1].Command.Line) != "after" {
		t.Fatalf("%d events", len(got))
	}
	if m := got[0].Command; len(m.Args)+m.Missing != len(args) || m.Missing == 0 || string(m.Args[7]) != args[7] || cut != 1 {
		t.Errorf("%d arguments and %d missing of %d, %d cut", len(m.Args), m.Missing, len(args), cut)
	}
}

// Without a Mark or further events, Run stores what waits.
func TestCollector_Soon(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	c := New(t.Context(), Options{Queue: q, Every: 20 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	c.Event("log", exec("id"))
	if err := c.Mark("log", []byte("1")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-q.Changed():
	case <-time.After(time.Minute):
		t.Error("it was never stored")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// After a quiet time an event is stored by the Mark that ends its turn: an agent that is killed then has lost nothing. What comes right behind it waits.
func TestCollector_AtOnce(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	c := New(t.Context(), Options{Queue: q, Every: time.Hour})
	for n, name := range []string{"first", "second"} {
		c.Event("kernel", exec(name))
		if err := c.Mark("kernel", nil); err != nil {
			t.Fatal(err)
		}
		if s := q.Status(); s.Last != 1 {
			t.Errorf("after event %d there are %d batches, want 1", n+1, s.Last)
		}
	}
}

// What a source says it lost is in the counters of the batch, by which the platform makes an alert of it.
func TestCollector_Lost(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	c := New(t.Context(), Options{Queue: q, Every: time.Hour})
	var e activity.Event
	for place, n := range map[source.Place]uint64{source.InKernel: 5, source.AtSocket: 70, source.InBuffer: 300, source.InFile: 1000} {
		c.Event("kernel", source.Loss(&e, 1, place, n))
	}
	c.Event("kernel", &activity.Event{Kind: activity.Audit, Op: []byte("lost")}) // a record's words, not a source's
	if err := c.Mark("kernel", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.store(); err != nil {
		t.Fatal(err)
	}
	all := drain(t, q)
	if len(all) != 1 || all[0].Counters.Lost != 1305 || all[0].Counters.Missing != 70 {
		t.Errorf("got %+v", all)
	}
}
