package source

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/bulkheadhq/bulkhead/agent/activity"
)

// Source tells what happens on the machine. It is run once.
type Source interface {
	// Name tells it from others of the machine, the same after every restart; positions are kept by it.
	Name() string
	// Run delivers events until ctx ends, which is no error, or until the source can't go on. from is the position of its last Mark that was kept, or nil.
	Run(ctx context.Context, from []byte, out *Out) error
	// Figures may be called at any time, also while it runs.
	Figures() Figures
}

// Sink takes what sources tell. Its methods are never called at the same time, and what is delivered between two Marks is of one source.
type Sink interface {
	// Event takes one. It and its slices are the source's, and valid until Event returns.
	Event(source string, e *activity.Event)
	// Mark ends a turn: what the source delivered until now, and nothing else, lies before its position. A source that can't be continued has the position nil. The
	// slice is the sink's. An error ends Run.
	Mark(source string, position []byte) error
}

// Figures count what a source has done.
type Figures struct {
	Records   uint64 // records, or lines
	Events    uint64 // delivered
	Malformed uint64 // lines that are no records
	Lost      Losses
	Overruns  uint64 // how often the kernel said that its socket was full: how much that lost is told by Lost[AtSocket], later
}

// Losses are how many records were lost at a place.
type Losses [places]uint64

// Total is the sum over all places.
func (l Losses) Total() (n uint64) {
	for _, x := range l {
		n += x
	}
	return n
}

// Place is where records are lost.
type Place uint8

// The places, from the kernel on.
const (
	InKernel Place = iota // the kernel's own counter of records it had to drop; also before they had a serial
	AtSocket              // events whose serials never came, although later ones did
	InBuffer              // taken from the kernel, but the sink was too slow
	InFile                // lines too long to be records, or of a file that was removed before it was read to its end
	places
)

// String is the place's name, as loss events have it.
func (p Place) String() string {
	return [places]string{"kernel", "socket", "buffer", "file"}[p]
}

// Loss makes e the event that tells of records lost at a place: of the kind Audit, with Op "lost", the place as Subject, and how many as Lost.
func Loss(e *activity.Event, millis int64, p Place, n uint64) *activity.Event {
	*e = activity.Event{Kind: activity.Audit, Millis: millis, Success: true, Op: []byte("lost"), Subject: []byte(p.String()), Lost: n}
	return e
}

// Out is a source's way to the sink.
type Out struct {
	mu   *sync.Mutex
	sink Sink
	name string
	stop func(error)
}

// NewOut is the way of a source that runs alone, in a test or a tool.
func NewOut(name string, sink Sink) *Out {
	return &Out{mu: &sync.Mutex{}, sink: sink, name: name, stop: func(error) {}}
}

// Turn calls fn, which may emit events, while no other source delivers, and marks the position that it returns. It blocks while the sink does.
func (o *Out) Turn(fn func(emit func(*activity.Event)) (position []byte)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	position := fn(func(e *activity.Event) { o.sink.Event(o.name, e) })
	if err := o.sink.Mark(o.name, position); err != nil {
		o.stop(err)
		return fmt.Errorf("deliver events of %s: %w", o.name, err)
	}
	return nil
}

// Run runs sources until ctx ends or all of them have failed; from has the position of each, by name. A source that fails is told to failed, which may be nil and is never called
// twice at the same time; the others go on. An error of the sink ends all. The answer joins the errors.
func Run(ctx context.Context, sources []Source, from map[string][]byte, sink Sink, failed func(name string, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var turn, report sync.Mutex
	var wg sync.WaitGroup
	var errs []error
	names := map[string]bool{}
	for _, s := range sources {
		name := s.Name()
		if names[name] {
			return fmt.Errorf("two sources are called %s", name)
		}
		names[name] = true
	}
	for _, s := range sources {
		out := &Out{mu: &turn, sink: sink, name: s.Name(), stop: func(error) { cancel() }}
		wg.Go(func() {
			err := s.Run(ctx, from[out.name], out)
			if err == nil {
				return
			}
			report.Lock()
			defer report.Unlock()
			errs = append(errs, fmt.Errorf("%s: %w", out.name, err))
			if failed != nil {
				failed(out.name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
