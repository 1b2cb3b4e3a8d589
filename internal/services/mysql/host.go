package mysql

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// sampleEvery is how often a server is measured.
const sampleEvery = 10 * time.Second

// lookTime is how long a server may take to answer before it counts as one that doesn't.
const lookTime = 10 * time.Second

// status is how a server is.
type status struct {
	Ready    bool
	Failed   bool   // it could not be started several times; it is still tried
	Endpoint string // host:port
	Engine   string // the program's version
	ReadOnly bool
	Problem  string
	Held     []string // what the kernel holds it to: cpu, memory, io
	NotHeld  string   // why not to all

	// The instance knows what the server is to be as of Wanted, and has made it so as of Applied.
	Wanted, Applied store.LSN
}

// visible is the state in Azure's words.
func (s status) visible() string {
	switch {
	case s.Ready:
		return stateReady
	case s.Failed:
		return stateDisabled
	}
	return stateInaccessible
}

// instance is one server as it runs, or is watched.
type instance interface {
	want(d *desired) // returns at once
	status() status
	restart(ctx context.Context) error
	databases(ctx context.Context) (map[string]databaseRecord, error)
	loop(ctx context.Context)
}

// running is an instance with what ends it.
type running struct {
	instance
	cancel context.CancelFunc
	done   chan struct{}
}

// host keeps an instance for each server. Nothing runs before run does, and everything has stopped when run returns.
type host struct {
	service *Service
	folder  string
	account string // the system's user: the servers' own account of that name is the platform's

	// make makes an instance; tests have others.
	make func(h *host, d *desired) instance
	find func(program string) (string, error)

	patience time.Duration // lookTime; tests have less
	every    time.Duration // sampleEvery; tests have less
	groups   *cgroups      // set by run

	mu      sync.Mutex
	ctx     context.Context // of run; nil while the host does not run
	servers map[string]*running
	loops   sync.WaitGroup
	stopped bool
}

func newHost(s *Service, folder string) *host {
	h := &host{service: s, folder: folder, servers: map[string]*running{}, make: newInstance, find: findProgram, patience: lookTime, every: sampleEvery}
	if u, err := user.Current(); err == nil {
		h.account = u.Username
	}
	return h
}

func newInstance(h *host, d *desired) instance {
	if d.props.Attach != nil {
		return newAttached(h, d)
	}
	return newEngine(h, d)
}

// findProgram looks for a program of MariaDB's: packages put them where a user's PATH may not lead.
func findProgram(program string) (string, error) {
	if p, err := exec.LookPath(program); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"} {
		if p, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return p, nil
		}
	}
	return "", exec.ErrNotFound
}

// canRun tells whether servers can run here.
func (h *host) canRun() error {
	for _, program := range []string{serverProgram, installProgram} {
		if _, err := h.find(program); err != nil {
			return fault.New(fault.NotImplemented, "EngineNotInstalled",
				"No server can run here: the program %s is not installed (Debian's package is mariadb-server). A server that runs elsewhere can be watched with createMode Attach.", program)
		}
	}
	return nil
}

// run brings up all servers and keeps them until ctx ends.
func (h *host) run(ctx context.Context) error {
	h.groups = openCgroups()
	h.mu.Lock()
	h.ctx = ctx
	h.mu.Unlock()
	defer h.stop()
	servers, err := h.service.allServers(ctx)
	if err != nil {
		return err
	}
	h.sweep(servers)
	for guid, id := range servers {
		if err := h.changed(ctx, guid, id); err != nil {
			h.service.deps.Log.Error("database server not started", "server", id, "error", err)
		}
	}
	forget := time.NewTicker(time.Hour)
	defer forget.Stop()
	for {
		if err := h.service.forgetOperations(ctx); err != nil && ctx.Err() == nil {
			h.service.deps.Log.Error("operations of database servers not forgotten", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-forget.C:
		}
	}
}

func (h *host) stop() {
	h.mu.Lock()
	h.stopped = true
	for _, r := range h.servers {
		r.cancel()
	}
	h.mu.Unlock()
	h.loops.Wait()
}

// sweep removes folders of servers that are no more: a crash may have left them.
func (h *host) sweep(servers map[string]string) {
	entries, _ := os.ReadDir(h.folder)
	for _, e := range entries {
		if _, ok := servers[e.Name()]; !ok {
			_ = os.RemoveAll(filepath.Join(h.folder, e.Name()))
		}
	}
}

// changed makes the server's instance follow what it is to be.
func (h *host) changed(ctx context.Context, guid, resourceID string) error {
	d, err := h.service.load(ctx, resourceID)
	if err != nil {
		return err
	}
	if d == nil || d.server.GUID != guid {
		h.remove(guid)
		return nil
	}
	h.mu.Lock()
	r := h.servers[guid]
	if r != nil {
		h.mu.Unlock()
		r.want(d)
		return nil
	}
	defer h.mu.Unlock()
	if h.ctx == nil || h.stopped {
		return nil // run will find the server
	}
	ctx, cancel := context.WithCancel(h.ctx)
	r = &running{instance: h.make(h, d), cancel: cancel, done: make(chan struct{})}
	h.servers[guid] = r
	h.loops.Go(func() {
		defer close(r.done)
		r.loop(ctx)
	})
	return nil
}

// remove stops a server, waits for its end and removes its folder.
func (h *host) remove(guid string) {
	h.mu.Lock()
	r := h.servers[guid]
	delete(h.servers, guid)
	h.mu.Unlock()
	if r != nil {
		r.cancel()
		<-r.done
	}
	if r != nil {
		h.groups.remove(guid)
	}
	if guid != "" {
		_ = os.RemoveAll(filepath.Join(h.folder, guid)) // what stays is swept at the next start
	}
}

// of gives the instance of a server; nil while there is none.
func (h *host) of(guid string) instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.servers[guid]; r != nil {
		return r.instance
	}
	return nil
}

func (h *host) status(guid string) status {
	if i := h.of(guid); i != nil {
		return i.status()
	}
	return status{}
}

// errNotRunning is answered for a server that isn't there yet, or no more.
func errNotRunning() error {
	f := fault.New(fault.Unavailable, "ServerNotReady", "The server is not running yet. Try again.")
	f.RetryAfter = time.Second
	return f
}

func (h *host) restart(ctx context.Context, guid string) error {
	if i := h.of(guid); i != nil {
		return i.restart(ctx)
	}
	return errNotRunning()
}

func (h *host) databases(ctx context.Context, guid string) (map[string]databaseRecord, error) {
	if i := h.of(guid); i != nil {
		return i.databases(ctx)
	}
	return nil, errNotRunning()
}

// logs is the folder of a server's log files.
func (h *host) logs(guid string) string { return filepath.Join(h.folder, guid, "logs") }
