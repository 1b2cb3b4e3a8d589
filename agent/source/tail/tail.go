package tail

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/source"
	"github.com/bulkheadhq/bulkhead/internal/clock"
)

const (
	maxLine = 128 << 10 // longer ones are no records: the kernel's have 8 KiB, with auditd's names some more
	chunk   = 128 << 10 // read at a time, and delivered in a turn
	lag     = 2 * time.Second
	settle  = 8 // polls without a line after which serials that didn't come won't
)

// Options are a tail's.
type Options struct {
	// File is the log's name. It needn't exist yet.
	File string
	// Lines makes events of lines: Audit or Log.
	Lines func() Reader
	// FromStart reads what the log has already, at the first start; else what is written from then on.
	FromStart bool
	// Poll is how often the file is looked at; 0 is a quarter of a second.
	Poll time.Duration
	// Grace is how long a log that was rotated may still be written to; 0 is three seconds.
	Grace time.Duration
	Clock clock.Clock // nil is the machine's
	Log   *slog.Logger
}

// Source is a growing log file as a source.Source.
type Source struct {
	o      Options
	mu     sync.Mutex
	counts source.Figures
}

// New makes the source; nothing happens before Run.
func New(o Options) *Source {
	if o.Poll == 0 {
		o.Poll = time.Second / 4
	}
	if o.Grace == 0 {
		o.Grace = 3 * time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.File = filepath.Clean(o.File)
	return &Source{o: o}
}

// Name implements source.Source.
func (s *Source) Name() string { return "file:" + s.o.File }

// Figures implements source.Source.
func (s *Source) Figures() source.Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Run implements source.Source. A position of another version, or that can't be read, is an error: nothing is delivered twice in silence.
func (s *Source) Run(ctx context.Context, from []byte, out *source.Out) error {
	t := &follower{s: s, out: out, lines: s.o.Lines()}
	var at *place
	if from != nil {
		p, err := decodePlace(from)
		if err != nil {
			return err
		}
		at = &p
	}
	defer t.close()
	if err := t.begin(ctx, at); err != nil {
		return err
	}
	tick := time.NewTicker(s.o.Poll)
	defer tick.Stop()
	for {
		if err := t.poll(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
