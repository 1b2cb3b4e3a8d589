package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/source"
	"github.com/bulkheadhq/bulkhead/agent/source/backlog"
)

const (
	tick       = 500 * time.Millisecond
	lag        = 2 * time.Second // an event whose end didn't come in so long is taken for complete
	settle     = 4               // ticks without a message after which serials that didn't come won't
	askLost    = 10              // ticks between two looks at the kernel's counter
	turnBytes  = 256 << 10       // messages of one turn
	drainTicks = 40              // at most so many ticks are waited, at the end, for what the kernel still has; two are, if it has nothing
)

// Run implements source.Source. It leaves the kernel as it found it, also if it fails. The position is always nil: what the kernel has told it doesn't tell again.
func (s *Source) Run(ctx context.Context, _ []byte, out *source.Out) (err error) {
	g, err := join()
	if err != nil {
		return err
	}
	defer g.f.Close()
	r := &run{s: s, out: out, in: backlog.New(s.o.Buffer), holds: holdsForDaemon()}
	r.reassembler = linuxaudit.NewReassembler(func(e *linuxaudit.Event) { r.emit(r.normalizer.Audit(e)) })
	restore := func() error { return nil }
	if !s.o.ListenOnly {
		in, err := Install(s.o.Config, s.o.StateFile, s.o.Log)
		if err != nil {
			return err
		}
		restore = in.Restore
	}
	defer func() { err = errors.Join(err, restore()) }()
	if r.ask, err = dial(); err != nil {
		return err
	}
	defer r.ask.close()
	if st, err := r.ask.status(); err == nil {
		r.lost = st.Lost
	} else if !s.o.ListenOnly {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- r.listen(g) }()
	defer func() {
		g.f.Close()
		if failed != nil {
			<-failed
		}
	}()
	if s.o.Ready != nil {
		s.o.Ready()
	}
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			err := restore() // first, so that what is waited for has an end
			restore = func() error { return nil }
			return errors.Join(err, r.drain(g, t.C))
		case err := <-failed:
			failed = nil
			return err
		case <-r.in.Bell():
			err = r.deliver()
		case <-t.C:
			err = r.tick()
		}
		if err != nil {
			return err
		}
	}
}

// run is a running source.
type run struct {
	s           *Source
	out         *source.Out
	in          *backlog.Buffer
	missed      spans
	ask         *conn
	reassembler *linuxaudit.Reassembler
	normalizer  activity.Normalizer
	emit        func(*activity.Event) // of the current turn
	loss        activity.Event

	quiet, ticks int
	lost         uint32 // the kernel's counter when it was looked at last
	holds        bool   // the kernel keeps records for a daemon that may never come, and counts those it can't keep
	told         source.Losses
	dropped      uint64
}

// listen moves messages from the kernel to the buffer until the socket is closed.
func (r *run) listen(g *group) error {
	for {
		t, payload, err := g.read()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			r.s.mu.Lock()
			r.s.counts.Overruns++
			r.s.mu.Unlock()
		case errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("listen to the audit system: %w", err)
		case t >= firstRecord:
			if !r.in.Put(uint16(t), payload) {
				r.missed.add(t, payload)
			}
		}
	}
}

// firstRecord is the lowest number of a message that is a record, not an answer.
const firstRecord = linuxaudit.Login

// deliver hands on what is in the buffer.
func (r *run) deliver() error {
	messages, dropped := r.in.Take()
	missed := r.missed.take()
	r.dropped = dropped
	for messages.Len() > 0 || len(missed) > 0 {
		r.quiet = 0
		err := r.turn(func() {
			for from := messages.Len(); messages.Len() > 0 && from-messages.Len() < turnBytes; {
				t, payload := messages.Next()
				r.reassembler.Message(linuxaudit.Type(t), payload)
			}
			if messages.Len() > 0 {
				return
			}
			for _, s := range missed {
				r.reassembler.Skip(s.from, s.to)
			}
			missed = nil
		})
		if err != nil {
			return err
		}
	}
	r.in.Give(messages)
	return nil
}

// turn has events delivered by fn, and tells of what was lost meanwhile.
func (r *run) turn(fn func()) error {
	return r.out.Turn(func(emit func(*activity.Event)) []byte {
		r.emit = emit
		fn()
		r.count()
		return nil
	})
}

// count brings the figures up to date and tells of new losses.
func (r *run) count() {
	st := r.reassembler.Stats()
	r.s.mu.Lock()
	f := &r.s.counts
	f.Records, f.Events, f.Malformed = st.Lines, st.Events, st.Malformed
	f.Lost[source.AtSocket], f.Lost[source.InBuffer] = st.Missing, r.dropped
	lost := f.Lost
	r.s.mu.Unlock()
	for p, n := range lost {
		if n > r.told[p] {
			r.emit(source.Loss(&r.loss, r.s.o.Clock.Now().UnixMilli(), source.Place(p), n-r.told[p]))
		}
	}
	r.told = lost
}

// tick ends events whose end didn't come, and looks for losses.
func (r *run) tick() error {
	r.quiet++
	if r.ticks++; r.ticks%askLost == 0 {
		r.lookAtLost()
	}
	return r.turn(func() {
		r.reassembler.Expire(r.s.o.Clock.Now().Add(-lag).UnixMilli())
		if r.quiet == settle {
			r.reassembler.Settle()
		}
	})
}

// lookAtLost asks for the kernel's counter. It isn't told of where the right to ask is missing.
func (r *run) lookAtLost() {
	st, err := r.ask.status()
	if err != nil || st.Daemon == 0 && r.holds {
		return
	}
	n := st.Lost - r.lost
	if st.Lost < r.lost { // somebody has set it to zero
		n = st.Lost
	}
	r.lost = st.Lost
	r.s.mu.Lock()
	r.s.counts.Lost[source.InKernel] += uint64(n)
	r.s.mu.Unlock()
}

// drain delivers what the kernel still has once nothing new is asked of it: until the socket is empty and stays so.
func (r *run) drain(g *group, ticks <-chan time.Time) error {
	for n := 0; n < drainTicks && r.quiet < 2; {
		select {
		case <-r.in.Bell():
			if err := r.deliver(); err != nil {
				return err
			}
		case <-ticks:
			n++
			if r.quiet++; g.waiting() {
				r.quiet = 0 // who reads it has not had its turn yet
			}
		}
	}
	if g.waiting() { // what is left is lost, and nobody knows how much it is
		r.s.mu.Lock()
		r.s.counts.Overruns++
		r.s.mu.Unlock()
	}
	r.lookAtLost()
	return r.turn(r.reassembler.Flush)
}

// holdsForDaemon reports whether the machine was booted with auditing on: then the kernel keeps records until a daemon comes.
func holdsForDaemon() bool {
	b, _ := os.ReadFile("/proc/cmdline")
	for _, word := range strings.Fields(string(b)) {
		if word == "audit=1" || word == "audit=on" {
			return true
		}
	}
	return false
}
