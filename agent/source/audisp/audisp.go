package audisp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/linuxaudit"
	"github.com/bulkheadhq/bulkhead/agent/source"
	"github.com/bulkheadhq/bulkhead/agent/source/backlog"
	"github.com/bulkheadhq/bulkhead/internal/clock"
)

// DefaultSocket is where auditd's plugin listens.
const DefaultSocket = "/var/run/audispd_events"

const (
	maxLine       = 64 << 10 // the kernel's records have 8 KiB, with the daemon's names some more
	defaultBuffer = 16 << 20
	minBuffer     = 256 << 10
	turnBytes     = 256 << 10
	tick          = 500 * time.Millisecond
	lag           = 2 * time.Second
	settle        = 4
	firstPause    = 250 * time.Millisecond
	lastPause     = 10 * time.Second
)

// Options are the source's.
type Options struct {
	Socket string // DefaultSocket if empty
	// Listen makes the socket, for one that connects; else the daemon makes it.
	Listen bool
	Buffer int         // bytes that may wait for the sink; 0 is 16 MiB
	Clock  clock.Clock // nil is the machine's
	Log    *slog.Logger
}

// Source is the audit daemon as a source.Source.
type Source struct {
	o      Options
	mu     sync.Mutex
	counts source.Figures
}

// New makes the source; nothing happens before Run.
func New(o Options) *Source {
	if o.Socket == "" {
		o.Socket = DefaultSocket
	}
	if o.Buffer == 0 {
		o.Buffer = defaultBuffer
	}
	o.Buffer = max(o.Buffer, minBuffer)
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Source{o: o}
}

// Name implements source.Source.
func (s *Source) Name() string { return "audisp:" + s.o.Socket }

// Figures implements source.Source.
func (s *Source) Figures() source.Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

var errBinary = errors.New(`it sends records in binary; set the plugin's format to "string"`)

// Run implements source.Source. While nobody is at the other end it tries again. The position is always nil: the daemon doesn't tell anything twice.
func (s *Source) Run(ctx context.Context, _ []byte, out *source.Out) error {
	r := &run{s: s, out: out, in: backlog.New(s.o.Buffer)}
	r.reassembler = linuxaudit.NewReassembler(func(e *linuxaudit.Event) { r.emit(r.normalizer.Audit(e)) })
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.take(ctx, r) }()
	t := time.NewTicker(tick)
	defer t.Stop()
	var err error
	for err == nil {
		select {
		case end := <-done:
			cancel()
			return errors.Join(end, r.deliver(), r.turn(r.reassembler.Flush))
		case <-r.in.Bell():
			err = r.deliver()
		case <-t.C:
			err = r.tick()
		}
	}
	cancel()
	return errors.Join(err, <-done)
}

// take moves lines from the socket to the buffer until ctx ends.
func (s *Source) take(ctx context.Context, r *run) error {
	if s.o.Listen {
		return s.listen(ctx, r)
	}
	pause := firstPause
	for ctx.Err() == nil {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", s.o.Socket)
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("connect to the audit daemon: %w", err)
		}
		if err == nil {
			pause = firstPause
			if err = r.read(ctx, c); errors.Is(err, errBinary) {
				return fmt.Errorf("read from the audit daemon: %w", err)
			}
		}
		s.o.Log.Debug("audit_daemon_away", "socket", s.o.Socket, "error", err)
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		pause = min(2*pause, lastPause)
	}
	return nil
}

// listen takes from one after the other that connects.
func (s *Source) listen(ctx context.Context, r *run) error {
	if info, err := os.Lstat(s.o.Socket); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return fmt.Errorf("listen for the audit daemon: %s is there, and no socket", s.o.Socket)
		}
		if c, err := net.Dial("unix", s.o.Socket); err == nil {
			c.Close()
			return fmt.Errorf("listen for the audit daemon: somebody listens at %s already", s.o.Socket)
		}
		if err := os.Remove(s.o.Socket); err != nil {
			return fmt.Errorf("listen for the audit daemon: %w", err)
		}
	}
	l, err := privateListen(s.o.Socket)
	if err != nil {
		return fmt.Errorf("listen for the audit daemon: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("listen for the audit daemon: %w", err)
		}
		if err := r.read(ctx, c); errors.Is(err, errBinary) {
			return fmt.Errorf("read from the audit daemon: %w", err)
		}
	}
}

// privateListen makes a socket that only this account can connect to. It has its name only once it is private.
func privateListen(name string) (net.Listener, error) {
	if err := os.Remove(name + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name + ".new", Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(name+".new", 0o600), os.Rename(name+".new", name)); err != nil {
		l.Close()
		return nil, errors.Join(err, os.Remove(name+".new"))
	}
	return &named{Listener: l, name: name}, nil
}

// named removes its socket when it is closed.
type named struct {
	net.Listener
	once sync.Once
	name string
}

func (n *named) Close() (err error) {
	n.once.Do(func() { err = errors.Join(n.Listener.Close(), os.Remove(n.name)) })
	return err
}

// run is a running source.
type run struct {
	s           *Source
	out         *source.Out
	in          *backlog.Buffer
	reassembler *linuxaudit.Reassembler
	normalizer  activity.Normalizer
	emit        func(*activity.Event)
	loss        activity.Event
	dropped     uint64
	told        source.Losses
	quiet       int
}

// read moves lines from a connection to the buffer until it ends.
func (r *run) read(ctx context.Context, c net.Conn) error {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	defer c.Close()
	in := bufio.NewReaderSize(c, maxLine)
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if first && len(line) > 0 && line[0] < ' ' {
			return errBinary
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			if line[0] < ' ' {
				return errBinary
			}
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			r.s.mu.Lock()
			r.s.counts.Lost[source.InFile]++
			r.s.mu.Unlock()
			line = nil
		}
		if len(line) > 0 {
			r.in.Put(0, line)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// deliver hands on what is in the buffer.
func (r *run) deliver() error {
	messages, dropped := r.in.Take()
	r.dropped = dropped
	for messages.Len() > 0 {
		r.quiet = 0
		if err := r.turn(func() {
			for from := messages.Len(); messages.Len() > 0 && from-messages.Len() < turnBytes; {
				_, line := messages.Next()
				r.reassembler.Line(line)
			}
		}); err != nil {
			return err
		}
	}
	r.in.Give(messages)
	return nil
}

func (r *run) tick() error {
	r.quiet++
	return r.turn(func() {
		r.reassembler.Expire(r.s.o.Clock.Now().Add(-lag).UnixMilli())
		if r.quiet == settle {
			r.reassembler.Settle()
		}
	})
}

// turn has events delivered by fn, and tells of what was lost meanwhile. What the buffer dropped is told once, as that: its serials are missing too.
func (r *run) turn(fn func()) error {
	return r.out.Turn(func(emit func(*activity.Event)) []byte {
		r.emit = emit
		fn()
		st := r.reassembler.Stats()
		r.s.mu.Lock()
		f := &r.s.counts
		f.Records, f.Events, f.Malformed = st.Lines, st.Events, st.Malformed
		f.Lost[source.AtSocket], f.Lost[source.InBuffer] = st.Missing-min(st.Missing, r.dropped), r.dropped
		lost := f.Lost
		r.s.mu.Unlock()
		for p, n := range lost {
			if n > r.told[p] {
				emit(source.Loss(&r.loss, r.s.o.Clock.Now().UnixMilli(), source.Place(p), n-r.told[p]))
				r.told[p] = n
			}
		}
		return nil
	})
}
