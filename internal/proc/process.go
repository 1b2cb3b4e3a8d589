package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// Command is one start of a child. Nothing is inherited: Env is the whole environment (see BaseEnv).
type Command struct {
	Path string // the executable, absolute or found in PATH
	Args []string
	Env  []string
	Dir  string
	Done func() // called once the child has ended, to give back what was lent to it; may be nil
}

// Spec says what to keep alive.
type Spec struct {
	// Command is called before every start, so that each may have a port and credentials of its own. An error counts as a crash.
	Command func(ctx context.Context) (Command, error)
	Output  io.Writer     // of stdout and stderr; nil discards it
	Grace   time.Duration // between asking to stop and killing; 0 = 5 s
	// Changed is told every new state, in order, from the process's own goroutine; it must not call Stop. May be nil.
	Changed func(Status)

	pause func(ctx context.Context, d time.Duration) // tests wait otherwise
}

// State of a Process.
type State string

// The states.
const (
	Starting State = "Starting"
	Running  State = "Running" // the child exists; whether it serves is for its owner to find out
	BackOff  State = "BackOff" // it ended or could not be started, and is started again after a pause
	Stopped  State = "Stopped"
)

// Status is a moment of a Process.
type Status struct {
	State    State
	PID      int
	Starts   int           // how often a child was started
	Pause    time.Duration // in BackOff: until the next start
	LastExit string        // how the last child ended: "exit status 1", "signal: killed", or why it could not be started
}

// Process keeps a command alive until it is stopped. Safe for concurrent use.
type Process struct {
	spec   Spec
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	status Status
}

// Start begins to run spec and returns at once. The Process ends with ctx or Stop, whichever comes first.
func Start(ctx context.Context, spec Spec) *Process {
	if spec.Grace <= 0 {
		spec.Grace = 5 * time.Second
	}
	if spec.pause == nil {
		spec.pause = pause
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &Process{spec: spec, cancel: cancel, done: make(chan struct{}), status: Status{State: Starting}}
	go p.supervise(ctx)
	return p
}

// Status tells how the process is.
func (p *Process) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Done is closed when the process has stopped for good.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop ends the child with its whole group and returns once it is gone.
func (p *Process) Stop() {
	p.cancel()
	<-p.done
}

func (p *Process) set(change func(*Status)) {
	p.mu.Lock()
	change(&p.status)
	s := p.status
	p.mu.Unlock()
	if p.spec.Changed != nil {
		p.spec.Changed(s)
	}
}

func (p *Process) supervise(ctx context.Context) {
	defer close(p.done)
	// The parent-death signal is sent when the thread that started the child ends, so this goroutine keeps its thread as long as the child lives.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	var b backoff
	for ctx.Err() == nil {
		began := time.Now()
		p.set(func(s *Status) { s.State, s.PID, s.Pause = Starting, 0, 0 })
		err := p.run(ctx)
		if ctx.Err() != nil {
			break
		}
		d := b.pause(time.Since(began))
		p.set(func(s *Status) { s.State, s.PID, s.Pause, s.LastExit = BackOff, 0, d, exitText(err) })
		p.spec.pause(ctx, d)
	}
	p.set(func(s *Status) { s.State, s.PID, s.Pause = Stopped, 0, 0 })
}

// run starts the child once and returns when it, and what is left of its group, is gone.
func (p *Process) run(ctx context.Context) error {
	c, err := p.spec.Command(ctx)
	if err != nil {
		return err
	}
	if c.Done != nil {
		defer c.Done()
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env, cmd.Dir = c.Env, c.Dir
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would inherit ours
	}
	cmd.Stdout, cmd.Stderr = p.spec.Output, p.spec.Output
	cmd.WaitDelay = 2 * time.Second // a grandchild that left the group may hold the pipe
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return startError(err)
	}
	p.set(func(s *Status) { s.State, s.PID, s.Starts = Running, cmd.Process.Pid, s.Starts+1 })

	exited := make(chan struct{})
	stopped := make(chan struct{})
	go func() { // owned by this function: it ends when exited is closed, and run waits for it
		defer close(stopped)
		select {
		case <-exited:
			return
		case <-ctx.Done():
		}
		askGroup(cmd.Process)
		t := time.NewTimer(p.spec.Grace)
		defer t.Stop()
		select {
		case <-exited:
		case <-t.C:
			killGroup(cmd.Process)
		}
	}()
	reap := await(cmd)
	close(exited)
	<-stopped              // no signal is sent after the child's id was given back
	killGroup(cmd.Process) // what the child left behind in its group
	return reap()
}

// startError drops the command line from an error of exec.
func startError(err error) error {
	var pe *os.PathError
	var ee *exec.Error
	switch {
	case errors.As(err, &pe):
		return fmt.Errorf("could not be started: %w", pe.Err)
	case errors.As(err, &ee):
		return fmt.Errorf("could not be started: %w", ee.Err)
	}
	return fmt.Errorf("could not be started: %w", err)
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// BaseEnv is the least a child needs of the platform's own environment: where programs are, the time zone and the language.
func BaseEnv() []string {
	var out []string
	for _, name := range []string{"PATH", "TZ", "LANG", "SystemRoot", "TEMP"} {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	return out
}
