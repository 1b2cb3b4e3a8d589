package scripts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Pool runs scripts in worker processes. They are started when first needed; a few are kept for the next. Safe for concurrent use.
type Pool struct {
	command []string
	limit   time.Duration // 0: MaxTime
	// A script's query may call functions: they have places of their own, so that neither waits for the other for ever.
	runs, sessions chan struct{}

	mu     sync.Mutex
	idle   []*process
	all    map[*process]bool
	closed bool
}

// Bounds of a Pool.
const (
	maxIdle  = 4
	maxBusy  = 16              // runs, and as many sessions
	deadline = 2 * time.Second // after MaxTime: a worker that has not ended itself is ended
)

// ErrClosed: the Pool is.
var ErrClosed = errors.New("scripts: the pool is closed")

// NewPool makes a Pool whose workers are the given command: a program that calls Serve. Empty: this program with WorkerArg.
func NewPool(command ...string) *Pool {
	if len(command) == 0 {
		command = []string{self(), WorkerArg}
	}
	return &Pool{command: command, runs: make(chan struct{}, maxBusy), sessions: make(chan struct{}, maxBusy), all: map[*process]bool{}}
}

// self is this program, also after its file was replaced.
func self() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// Close ends all workers. Runs that are under way fail.
func (p *Pool) Close() {
	p.mu.Lock()
	idle, busy := p.idle, []*process{}
	p.closed, p.idle = true, nil
	for w := range p.all {
		if !slices.Contains(idle, w) {
			busy = append(busy, w)
		}
	}
	p.mu.Unlock()
	for _, w := range idle {
		_ = p.gone(w, nil)
	}
	for _, w := range busy { // whoever uses it reaps it
		w.kill()
		<-w.ended
	}
}

// process is a worker as the platform sees it.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	in    *bufio.Writer
	out   *bufio.Reader
	late  atomic.Bool   // it was ended for taking too long
	ended chan struct{} // closed when it has been reaped
	code  int
}

func (w *process) kill() {
	_ = w.stdin.Close()
	_ = w.cmd.Process.Kill()
}

func (p *Pool) start() (*process, error) {
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Env = []string{"GOTRACEBACK=none"}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a script worker: %w", err)
	}
	w := &process{cmd: cmd, stdin: stdin, in: bufio.NewWriter(stdin), out: bufio.NewReader(stdout), ended: make(chan struct{})}
	p.all[w] = true
	return w, nil
}

// gone reaps a worker and words why it ended.
func (p *Pool) gone(w *process, err error) error {
	w.kill()
	_ = w.cmd.Wait() // its state tells all
	p.mu.Lock()
	delete(p.all, w)
	closed := p.closed
	p.mu.Unlock()
	w.code = w.cmd.ProcessState.ExitCode()
	close(w.ended)
	switch {
	case closed:
		return ErrClosed
	case w.late.Load(), w.code == exitTime:
		return &Error{Reason: TooLong, Message: "The script ran for more than 5 seconds."}
	case w.code == exitMemory, w.code == 2:
		return tooMuch()
	}
	return fmt.Errorf("script worker: %w (exit code %d)", err, w.code)
}

// take gives a worker that is not busy, a new one if there is none.
func (p *Pool) take() (w *process, used bool, err error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		w, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if w != nil {
		return w, true, nil
	}
	w, err = p.start()
	return w, false, err
}

// release keeps a worker for the next, or ends it.
func (p *Pool) release(w *process) {
	p.mu.Lock()
	if keep := len(p.idle) < maxIdle && !p.closed; keep {
		p.idle = append(p.idle, w)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	_ = p.gone(w, nil)
}

// exchange sends a frame and serves what the worker asks until it is done. An error other than the host's means that the worker is gone.
func (p *Pool) exchange(ctx context.Context, w *process, f *frame, h Host) (done *frame, hostErr, err error) {
	f.Limit = p.limit
	timer := time.AfterFunc(MaxTime+deadline, func() { w.late.Store(true); w.kill() })
	stop := context.AfterFunc(ctx, w.kill)
	defer func() { timer.Stop(); stop() }()
	if err := writeFrame(w.in, f); err != nil {
		return nil, nil, err
	}
	for {
		got, err := readFrame(w.out)
		if err != nil {
			return nil, hostErr, err
		}
		switch {
		case got.Type == frameDone:
			return got, hostErr, nil
		case got.Type != frameHost || h == nil:
			return nil, nil, fmt.Errorf("a frame of type %q", got.Type)
		}
		answer := frame{Type: frameReply}
		var b []byte
		if b, hostErr = h.Call(ctx, got.Name, got.Args); hostErr != nil {
			answer.Type = frameStop
		}
		answer.Reply = string(b)
		if err := writeFrame(w.in, &answer); err != nil {
			return nil, hostErr, err
		}
	}
}

// once sends a frame to a worker of its own for that time.
func (p *Pool) once(ctx context.Context, f *frame, h Host) (*frame, error) {
	select {
	case p.runs <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.runs }()
	w, done, err := p.send(ctx, f, h)
	if w != nil {
		p.release(w)
	}
	return done, err
}

// send takes a worker and sends a frame. The worker is nil when it is gone.
func (p *Pool) send(ctx context.Context, f *frame, h Host) (*process, *frame, error) {
	for {
		w, used, err := p.take()
		if err != nil {
			return nil, nil, err
		}
		asked := &asking{Host: h}
		if h == nil {
			asked = nil
		}
		done, hostErr, err := p.exchange(ctx, w, f, asked.host())
		switch {
		case err != nil:
			err = p.gone(w, err)
			var own *Error
			if used && !asked.was() && !errors.As(err, &own) && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
				continue // it had ended while nobody looked
			}
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			if hostErr != nil {
				err = hostErr
			}
			return nil, nil, err
		case hostErr != nil:
			return w, nil, hostErr
		}
		return w, done, done.err()
	}
}

// asking notes whether the host was asked: then a run must not begin again by itself.
type asking struct {
	Host
	asked bool
}

func (a *asking) host() Host {
	if a == nil {
		return nil
	}
	return a
}

func (a *asking) was() bool { return a != nil && a.asked }

// Call implements Host.
func (a *asking) Call(ctx context.Context, op string, args []string) ([]byte, error) {
	a.asked = true
	return a.Host.Call(ctx, op, args)
}

func (f *frame) err() error {
	switch {
	case f.Error != nil:
		return f.Error
	case f.Broken != "":
		return errors.New("script worker: " + f.Broken)
	}
	return nil
}

// Check implements Runner.
func (p *Pool) Check(ctx context.Context, body string) error {
	_, err := p.once(ctx, &frame{Type: frameCheck, Body: body}, nil)
	return err
}

// Run implements Runner.
func (p *Pool) Run(ctx context.Context, j Job, h Host) (Result, error) {
	done, err := p.once(ctx, &frame{Type: frameRun, Job: &j}, h)
	if err != nil {
		return Result{}, err
	}
	if done.Result == nil {
		return Result{}, errors.New("script worker: a run without a result")
	}
	return *done.Result, nil
}

// Functions implements Runner.
func (p *Pool) Functions(ctx context.Context, bodies map[string]string, now time.Time) (Session, error) {
	select {
	case p.sessions <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w, _, err := p.send(ctx, &frame{Type: frameOpen, Functions: bodies, Now: now}, nil)
	if err != nil {
		if w != nil {
			p.release(w)
		}
		<-p.sessions
		return nil, err
	}
	return &poolSession{p: p, w: w}, nil
}

// poolSession is a Session in a worker.
type poolSession struct {
	p *Pool
	w *process // nil: it is gone, by err
	e error
}

// Call implements Session.
func (s *poolSession) Call(ctx context.Context, name string, args []string) (string, error) {
	if s.w == nil {
		return "", s.e
	}
	done, _, err := s.p.exchange(ctx, s.w, &frame{Type: frameCall, Name: name, Args: args}, nil)
	if err != nil {
		if s.e = s.p.gone(s.w, err); ctx.Err() != nil {
			s.e = ctx.Err()
		}
		s.w = nil
		return "", s.e
	}
	return done.Reply, done.err()
}

// Close implements Session.
func (s *poolSession) Close() {
	if s.w != nil {
		if err := writeFrame(s.w.in, &frame{Type: frameClose}); err != nil {
			_ = s.p.gone(s.w, err)
		} else {
			s.p.release(s.w)
		}
		s.w = nil
	}
	<-s.p.sessions
}
