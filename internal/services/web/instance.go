package web

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/proc"
)

// instance is one site on this machine. Its loop is the only one that starts and stops its process.
type instance struct {
	host    *host
	guid    string
	cancel  context.CancelFunc
	done    chan struct{}
	kick    chan struct{} // the configuration changed
	refresh chan struct{} // references are due
	desired atomic.Pointer[desired]

	process *proc.Process // the loop's own

	mu          sync.Mutex
	phase       phase
	detail      string   // for people: why it does not serve
	backend     *backend // of the present process, nil for none
	crashes     int      // of this configuration's process
	settings    map[string]resolution
	connections map[string]resolution
	resolved    time.Time // when, by the injected clock
	log         *proc.Log
}

// phase is how far an instance is.
type phase string

// The phases.
const (
	phaseStarting phase = "Starting"
	phaseRunning  phase = "Running"
	phaseCrashed  phase = "Crashed" // and will be started again
	phaseStopped  phase = "Stopped"
	phaseIdle     phase = "NotConfigured" // there is nothing to run; detail says what is missing
)

// drainTime is how long a process that will be replaced may still take for its requests.
const drainTime = 3 * time.Second

func newInstance(h *host, guid string) *instance {
	return &instance{
		host: h, guid: guid, done: make(chan struct{}), kick: make(chan struct{}, 1), refresh: make(chan struct{}, 1), phase: phaseStarting,
	}
}

// want gives the instance a new configuration.
func (i *instance) want(d *desired) {
	i.desired.Store(d)
	i.mu.Lock()
	if i.phase != phaseRunning {
		i.phase, i.detail = phaseStarting, ""
	}
	i.mu.Unlock()
	i.poke(i.kick)
}

// poke rings a bell without waiting; one that rings already is enough.
func (i *instance) poke(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

func (i *instance) loop(ctx context.Context) {
	defer close(i.done)
	defer i.closeLog()
	defer i.stopProcess()
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.kick:
			i.restart(ctx)
		case <-i.refresh:
			i.reread(ctx)
		}
	}
}

func (i *instance) stopProcess() {
	if i.process != nil {
		i.process.Stop()
		i.process = nil
	}
	i.setBackend(nil)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.crashes = 0
}

// setBackend makes the front end send requests to another process; nil lets them wait for one.
func (i *instance) setBackend(b *backend) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.backend != nil {
		i.backend.transport.CloseIdleConnections()
	}
	i.backend = b
}

// drain waits, not for long, until the process has answered the requests it has. No new ones reach it, as the phase is no longer running.
func (i *instance) drain(ctx context.Context) {
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for range drainTime / (10 * time.Millisecond) {
		i.mu.Lock()
		idle := i.backend == nil || i.backend.active == 0
		i.mu.Unlock()
		if idle {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// restart brings up a new process with the present configuration.
func (i *instance) restart(ctx context.Context) {
	i.set(phaseStarting, "")
	i.drain(ctx)
	i.stopProcess()
	select {
	case i.host.slots <- struct{}{}:
		defer func() { <-i.host.slots }()
	case <-ctx.Done():
		return
	}
	d := i.desired.Load()
	i.resolve(ctx, d, false)
	if d.stopped {
		i.set(phaseStopped, "The site is stopped.")
		return
	}
	if err := i.start(ctx, d); err != nil {
		if ctx.Err() == nil {
			i.set(phaseIdle, idleText(err))
			i.host.log(d).Warn("site not started", "error", err)
		}
	}
}

func idleText(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Message
	}
	return "The package could not be prepared."
}

// resolve fetches the site's references. keep lets values of before stand where a fetch fails.
func (i *instance) resolve(ctx context.Context, d *desired, keep bool) (changed bool) {
	v := &i.host.service.resolver
	var oldSettings, oldConnections map[string]resolution
	i.mu.Lock()
	if keep {
		oldSettings, oldConnections = i.settings, i.connections
	}
	i.mu.Unlock()
	settings := v.resolveAll(ctx, d.reader(), d.settings, oldSettings)
	connections := v.resolveAll(ctx, d.reader(), connectionValues(d.connections), oldConnections)
	for _, m := range []map[string]resolution{settings, connections} {
		for name, r := range m {
			if r.status != refResolved {
				i.host.log(d).Warn("reference not resolved", "setting", name, "status", string(r.status), "details", r.details)
			}
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	changed = !sameValues(i.settings, settings) || !sameValues(i.connections, connections)
	i.settings, i.connections, i.resolved = settings, connections, i.host.service.deps.Clock.Now()
	return changed
}

// reread fetches references that are due, and restarts the process if a value is another one now.
func (i *instance) reread(ctx context.Context) {
	d := i.desired.Load()
	if d == nil || !i.resolve(ctx, d, true) || d.stopped {
		return
	}
	i.set(phaseStarting, "")
	i.drain(ctx)
	i.stopProcess()
	if err := i.start(ctx, d); err != nil {
		i.set(phaseIdle, idleText(err))
	}
}

// start prepares the package and begins to keep its process alive.
func (i *instance) start(ctx context.Context, d *desired) error {
	i.mu.Lock()
	settings, connections := apply(d.settings, i.settings), apply(connectionValues(d.connections), i.connections)
	i.mu.Unlock()
	dir, err := i.host.service.packageDir(d, settings)
	if err != nil {
		return err
	}
	cmd, err := startCommand(d, dir)
	if err != nil {
		return err
	}
	log, err := i.openLog()
	if err != nil {
		return err
	}
	home := filepath.Join(i.host.service.packages.folder(i.guid), "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	env := i.host.service.siteEnv(d, settings, connections, home)
	i.process = proc.Start(ctx, proc.Spec{
		Output:  log,
		Changed: i.follow,
		Command: func(context.Context) (proc.Command, error) {
			port, err := freePort()
			if err != nil {
				return proc.Command{}, err
			}
			lent, release := i.host.service.lend(d)
			i.setBackend(&backend{port: port, transport: newTransport()})
			return proc.Command{Path: cmd.path, Args: cmd.args, Dir: dir, Env: processEnv(env, lent, port), Done: release}, nil
		},
	})
	return nil
}

// follow turns the process's states into the instance's.
func (i *instance) follow(s proc.Status) {
	switch s.State {
	case proc.Starting:
	case proc.Running:
		i.set(phaseRunning, "")
	case proc.BackOff:
		i.setBackend(nil)
		i.mu.Lock()
		i.crashes++
		i.mu.Unlock()
		i.set(phaseCrashed, "The process ended ("+s.LastExit+"). It is started again in "+strconv.Itoa(int(s.Pause.Seconds()))+" s; its output is in the site's log.")
	}
}

func (i *instance) set(p phase, detail string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.phase, i.detail = p, detail
}

// openLog opens the site's log once.
func (i *instance) openLog() (io.Writer, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.log != nil {
		return i.log, nil
	}
	l, err := proc.OpenLog(filepath.Join(i.host.service.logDir(i.guid), logName), 0)
	if err != nil {
		return nil, err
	}
	i.log = l
	return l, nil
}

func (i *instance) closeLog() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.log != nil {
		_ = i.log.Close()
		i.log = nil
	}
}
