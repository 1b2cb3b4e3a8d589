// Package watch is a running agent: sources, the collector of what they tell, the queue, and the sender.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/collect"
	"github.com/bulkheadhq/bulkhead/agent/enrol"
	"github.com/bulkheadhq/bulkhead/agent/host"
	"github.com/bulkheadhq/bulkhead/agent/packed"
	"github.com/bulkheadhq/bulkhead/agent/queue"
	"github.com/bulkheadhq/bulkhead/agent/send"
	"github.com/bulkheadhq/bulkhead/agent/source"
)

// Options are an agent's. All fields but Queue, Every, Root and Ready are required.
type Options struct {
	Dir     string // that the machine was enrolled in
	Sources []source.Source
	Version string
	Log     *slog.Logger

	Queue queue.Options
	Every time.Duration // how long events wait for more; 0: see collect.Options
	Root  string        // of the machine's files; "": /
	// Ready is called once the sources run.
	Ready func()
}

// Run watches the machine until ctx ends, which is no error; until the platform refuses it (enrol.ErrRefused); or until all sources have ended by errors. What wasn't sent
// stays in the queue.
func Run(ctx context.Context, o Options) error {
	e, err := enrol.Load(o.Dir)
	if err != nil {
		return err
	}
	if o.Root == "" {
		o.Root = "/"
	}
	client, err := enrol.NewClient(e)
	if err != nil {
		return err
	}
	defer client.Close()
	q, err := queue.Open(enrol.QueueDir(o.Dir), o.Queue)
	if err != nil {
		return err
	}
	err = run(ctx, o, q, client)
	return errors.Join(err, q.Close())
}

func run(ctx context.Context, o Options, q *queue.Queue, client send.Poster) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sender := send.New(send.Options{Queue: q, Client: client, Log: o.Log, Describe: func() send.Heartbeat { return describe(o) }})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if err := sender.Run(ctx); err != nil {
			cancel(err)
		}
	}()
	defer func() { cancel(nil); <-sent }()
	if q.Fresh() {
		// The numbers go on behind what the platform has of this machine, which it alone knows.
		o.Log.Info("asking the platform where to begin")
		select {
		case <-sender.Contact():
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	c := collect.New(ctx, collect.Options{Queue: q, Every: o.Every, Away: sender.Away, Look: packed.NewChecker(o.Root).Event, Log: o.Log})
	collected := make(chan struct{})
	sources, stop := context.WithCancel(ctx)
	defer stop()
	collecting, finish := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(collected)
		if err := c.Run(collecting); err != nil {
			cancel(fmt.Errorf("store events: %w", err))
		}
	}()
	if o.Ready != nil {
		o.Ready()
	}
	err := source.Run(sources, o.Sources, q.Positions(), c, func(name string, err error) {
		o.Log.Error("a source ended", "source", name, "error", err)
	})
	finish() // what was delivered is stored
	<-collected
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if err == nil {
		err = errors.New("they have nothing more to tell")
	}
	return fmt.Errorf("all sources ended: %w", err)
}

// ended is why ctx ended: nil if somebody wanted it.
func ended(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func describe(o Options) send.Heartbeat {
	d := host.Describe(o.Root)
	for _, s := range o.Sources {
		f := s.Figures()
		d.Detected["source."+clip(s.Name())] = fmt.Sprintf("%d events, %d lost", f.Events, f.Lost.Total())
	}
	for k, v := range d.Detected {
		d.Detected[k] = clip(v)
	}
	// What the platform would refuse must not keep the rest from it.
	return send.Heartbeat{AgentVersion: clip(o.Version), OSName: clip(d.OSName), OSVersion: clip(d.OSVersion), Host: clip(d.Host), Detected: d.Detected, Facts: d.Facts}
}

func clip(s string) string { return s[:min(len(s), 100)] }
