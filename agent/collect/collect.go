// Package collect brings what sources tell into an agent's queue: redacted, packed, and together with the positions of the sources.
package collect

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/queue"
	"github.com/bulkheadhq/bulkhead/agent/redact"
	"github.com/bulkheadhq/bulkhead/agent/source"
)

const (
	full     = 512 << 10                            // bytes, not packed yet, after which a batch is stored without waiting
	most     = 1 << 20                              // bytes of one batch, more or less
	alone    = batch.MaxPacked - batch.MaxPacked/16 // bytes of a batch that fits packed even if nothing repeats in it
	clipped  = 2 << 20                              // bytes kept of a command line that doesn't fit a batch
	maxArgs  = 1 << 18                              // arguments kept of it
	retry    = time.Second
	maxRetry = 30 * time.Second
)

// Options are a Collector's.
type Options struct {
	Queue *queue.Queue
	// Every is the time between two batches, which a busy machine's events wait for; what comes when nothing was stored for so long is stored at once. 0 is 200 ms.
	Every time.Duration
	// Away tells that the platform isn't reached, so that there is less of a hurry: batches get five times as long. nil: never.
	Away func() bool
	// Look is given each event before it is taken, to add what is only known on the machine itself. It is called by one goroutine at a time. nil: nothing is added.
	Look func(*activity.Event)
	Log  *slog.Logger
}

// Collector is a source.Sink. What it is given is stored by the Mark that ends its turn, or soon after: at most Every, by Run.
type Collector struct {
	o      Options
	redact *redact.Redactor

	mu        sync.Mutex
	build     batch.Builder
	parts     [][]byte // packed already, of the same turn
	events    int
	counters  batch.Counters
	positions map[string][]byte
	open      bool            // a source is amid its turn
	stored    time.Time       // when the last batch was
	stop      context.Context // ends the waiting for room
}

var _ source.Sink = (*Collector)(nil)

// New makes a Collector. ctx ends its attempts to store what can't be stored.
func New(ctx context.Context, o Options) *Collector {
	if o.Every == 0 {
		o.Every = 200 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Collector{o: o, redact: redact.New(), positions: map[string][]byte{}, stop: ctx}
}

// Event implements source.Sink.
func (c *Collector) Event(_ string, e *activity.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = true
	c.events++
	if e.Kind == activity.Audit && e.Lost > 0 {
		c.count(e)
	}
	own := *e
	own.Source = nil
	if c.o.Look != nil {
		c.o.Look(&own)
	}
	c.redact.Event(&own)
	if c.build.Size() >= most || c.build.Len() == batch.MaxEvents || c.build.Len() > 0 && large(&own) {
		c.part()
	}
	if !large(&own) {
		if c.build.Add(&own) == nil {
			return
		}
		c.part() // the arguments of all together are too many
	}
	if err := c.build.Add(&own); err == nil && c.build.Size() <= alone {
		return
	} else if err == nil {
		_, _ = c.build.Pack(batch.Counters{}) // it may not fit when packed
	}
	c.counters.Cut++
	clip(&own)
	if err := c.build.Add(&own); err != nil {
		c.o.Log.Error("an event was too large and is lost", "kind", own.Kind.String(), "error", err)
	}
}

// count puts what a source says it lost into the batch's counters, of which the platform makes an alert.
func (c *Collector) count(e *activity.Event) {
	if string(e.Subject) == source.AtSocket.String() {
		c.counters.Missing += e.Lost
		return
	}
	c.counters.Lost += e.Lost
}

// large tells whether an event gets a batch of its own.
func large(e *activity.Event) bool {
	n := len(e.Command.Line) + len(e.Message) + len(e.Op) + len(e.Subject) + 8*len(e.Command.Args) + 64*len(e.Files)
	for _, a := range e.Command.Args {
		n += len(a)
	}
	return n > most/2
}

// clip keeps of an event what fits a batch: the beginning of its command line. What is missing is counted in it.
func clip(e *activity.Event) {
	m := &e.Command
	room, kept := clipped, 0
	for ; kept < min(len(m.Args), maxArgs); kept++ {
		if room -= len(m.Args[kept]) + 1; room < 0 {
			break
		}
	}
	m.Missing += len(m.Args) - kept
	m.Args = m.Args[:kept:kept]
	m.Line = m.Line[:min(len(m.Line), 64<<10)]
	e.Files = e.Files[:min(len(e.Files), 256)]
	for _, b := range []*[]byte{&e.Op, &e.Subject, &e.Message, &m.Dir, &m.File} {
		*b = (*b)[:min(len(*b), 64<<10)]
	}
}

// part packs what was built.
func (c *Collector) part() {
	packed, err := c.build.Pack(c.counters)
	if err != nil {
		c.o.Log.Error("a batch was too large and is lost", "error", err)
		return
	}
	c.counters = batch.Counters{}
	c.parts = append(c.parts, packed)
}

// Mark implements source.Sink.
func (c *Collector) Mark(name string, position []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = false
	if position != nil {
		c.positions[name] = position
	}
	if c.build.Size() >= full || len(c.parts) > 0 || c.due() {
		return c.flush()
	}
	return nil
}

func (c *Collector) due() bool {
	every := c.o.Every
	if c.o.Away != nil && c.o.Away() {
		every *= 5
	}
	return c.events > 0 && time.Since(c.stored) >= every
}

// Run stores what waits for more events and gets none, until ctx ends; then it stores the rest.
func (c *Collector) Run(ctx context.Context) error {
	tick := time.NewTicker(max(c.o.Every/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.open || c.events == 0 {
				return nil // half a turn is delivered again
			}
			return c.store()
		case <-tick.C:
		}
		c.mu.Lock()
		var err error
		if !c.open && c.due() {
			err = c.flush()
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// flush stores what there is, and tries until it can. Sources wait meanwhile. An error means that the agent ends.
func (c *Collector) flush() error {
	for wait := retry; ; wait = min(2*wait, maxRetry) {
		err := c.store()
		if err == nil {
			return nil
		}
		c.o.Log.Error("events can't be stored; sources wait", "error", err, "again_in", wait.String())
		select {
		case <-c.stop.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func (c *Collector) store() error {
	if c.build.Len() > 0 {
		c.part()
	}
	if len(c.parts) == 0 {
		c.events = 0
		return nil
	}
	if err := c.o.Queue.Append(c.parts, c.positions); err != nil {
		return err
	}
	c.parts, c.events, c.stored = nil, 0, time.Now()
	clear(c.positions)
	return nil
}

// Redacted is how many secrets were taken out.
func (c *Collector) Redacted() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.redact.Count()
}
