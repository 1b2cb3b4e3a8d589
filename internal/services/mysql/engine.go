package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/bulkheadhq/bulkhead/internal/proc"
	"github.com/bulkheadhq/bulkhead/internal/services/mysql/gate"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// The programs a server is made of.
const (
	serverProgram  = "mariadbd"
	installProgram = "mariadb-install-db"
)

const (
	ownConnections = 10 // beyond those of the SKU, which the gate keeps: the platform's own, and ones on their way out
	startTime      = 60 * time.Second
	statementTime  = 30 * time.Second
	failedStarts   = 3 // after so many a creation counts as failed
	maxSocket      = 100
	maxSlowLog     = 64 << 20
)

// engine is a MariaDB that the platform runs.
type engine struct {
	host   *host
	guid   string
	folder string
	db     *sql.DB // one connection, through the server's own socket
	gate   *gate.Gate
	poked  chan struct{}
	again  chan chan error // restarts asked for

	mu       sync.Mutex
	desired  *desired
	st       status
	pid      int
	starts   int  // of the child since it was last ready
	ended    bool // the child has, and that isn't measured yet
	failures map[gate.Reason]uint64

	// Of the loop's goroutine alone.
	applied  bool
	admin    string          // hash and name that were given to the server
	settled  map[string]bool // operations that were carried out and whose rows may still say that they are not
	measured *collector
	readOnly bool
}

func newEngine(h *host, d *desired) *engine {
	e := &engine{
		host: h, guid: d.server.GUID, folder: filepath.Join(h.folder, d.server.GUID), poked: make(chan struct{}, 1), again: make(chan chan error),
		desired: d, st: status{Wanted: d.lsn}, failures: map[gate.Reason]uint64{}, settled: map[string]bool{},
	}
	e.measured = newCollector(h.service)
	cfg := driver.NewConfig()
	cfg.User, cfg.Net, cfg.Addr = h.account, "unix", e.socket()
	cfg.Logger = &driver.NopLogger{} // it would write to the standard error
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 5*time.Second, statementTime, statementTime
	if connector, err := driver.NewConnector(cfg); err == nil { // it fails for configurations that make no sense only
		e.db = openOne(connector)
	}
	e.gate = gate.New(gate.Config{
		Dial: func(ctx context.Context) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", e.socket())
		},
		TLS: h.service.deps.TLS, Rules: e.rules, Failed: e.failed,
	})
	return e
}

// socket is the server's own socket. A folder too deep for a socket's name gets one in the temporary folder, in a directory of the user's own.
func (e *engine) socket() string {
	p := filepath.Join(e.folder, "run", "s.sock")
	if len(p) <= maxSocket {
		return p
	}
	sum := sha256.Sum256([]byte(p))
	return filepath.Join(os.TempDir(), fmt.Sprintf("bulkhead-%d", os.Getuid()), hex.EncodeToString(sum[:8])+".sock")
}

func (e *engine) want(d *desired) {
	e.mu.Lock()
	if d.lsn >= e.desired.lsn {
		d.port = max(d.port, e.desired.port)
		e.desired, e.st.Wanted = d, d.lsn
	}
	e.mu.Unlock()
	e.poke()
}

// reload is what the instance itself does once it has changed what the server is to be. It must not end its own loop, as the host does for a server that is gone.
func (e *engine) reload(ctx context.Context) error {
	d, err := e.host.service.load(ctx, e.wanted().server.ID)
	if err != nil || d == nil || d.server.GUID != e.guid {
		return err
	}
	e.want(d)
	return nil
}

func (e *engine) poke() {
	select {
	case e.poked <- struct{}{}:
	default:
	}
}

func (e *engine) wanted() *desired {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.desired
}

func (e *engine) status() status {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.st
}

// set changes the status.
func (e *engine) set(change func(*status)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.st)
}

// rules is what the gate demands at the moment.
func (e *engine) rules() gate.Rules {
	d := e.wanted()
	r := gate.Rules{TLS: d.props.SSLEnforcement == enabled, Limit: d.connections(), Server: d.server.Name, Closed: e.host.account}
	if d.props.PublicAccess == enabled {
		r.Admits = func(a netip.Addr) bool {
			for _, s := range d.firewall {
				if s.admits(a) {
					return true
				}
			}
			return false
		}
	}
	return r
}

// connections is how many connections the server may have.
func (d *desired) connections() int {
	if n, err := strconv.Atoi(d.settings["max_connections"]); err == nil {
		return min(n, d.limits.Connections)
	}
	return d.limits.Connections
}

func (e *engine) failed(r gate.Reason, _ netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures[r]++
}

// loop runs the server until ctx ends.
func (e *engine) loop(ctx context.Context) {
	defer e.db.Close()
	log := e.host.service.deps.Log.With("server", e.wanted().server.ID)
	var serving sync.WaitGroup
	defer serving.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for ctx.Err() == nil {
		l, err := e.listen(ctx)
		if err == nil {
			serving.Go(func() {
				if err := e.gate.Serve(ctx, l); err != nil {
					log.Error("gate of a database server closed", "error", err)
				}
			})
			err = e.install(ctx)
		}
		if err == nil {
			e.keep(ctx)
			return
		}
		log.Error("database server not started", "error", err)
		e.set(func(s *status) { s.Failed, s.Problem = true, "The server could not be set up." })
		if l != nil {
			l.Close()
			serving.Wait()
		}
		wait(ctx, 10*time.Second, nil)
	}
}

// wait returns after d, at the end of ctx, or when poked.
func wait(ctx context.Context, d time.Duration, poked <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-poked:
	}
}

// listen opens the server's port, the one it had if that is free, and notes it.
func (e *engine) listen(ctx context.Context) (net.Listener, error) {
	d := e.wanted()
	had := d.port
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(had))
	if err != nil && had != 0 {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	e.mu.Lock()
	e.desired.port, e.st.Endpoint = port, l.Addr().String()
	e.mu.Unlock()
	if port == had {
		return l, nil
	}
	return l, e.notePort(ctx, d, port)
}

func (e *engine) notePort(ctx context.Context, d *desired, port int) error {
	shard, err := shardOf(d.server.ID)
	if err != nil {
		return err
	}
	b, err := portCodec.Encode(port)
	if err != nil {
		return err
	}
	_, err = e.host.service.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		if there, err := tx.Get(rowKey(e.guid, nounServer, "")); err != nil || there == nil { // deleted meanwhile
			return err
		}
		return tx.Put(rowKey(e.guid, nounPort, ""), b)
	})
	return err
}

// install makes the server's folders and system tables; the tables appear as a whole, so that a crash leaves none half made.
func (e *engine) install(ctx context.Context) error {
	for _, dir := range []string{"", "run", "tmp", "files", "plugins", "logs"} {
		if err := os.MkdirAll(filepath.Join(e.folder, dir), 0o700); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(e.socket()), 0o700); err != nil {
		return err
	}
	data, fresh := filepath.Join(e.folder, "data"), filepath.Join(e.folder, "data.new")
	if _, err := os.Stat(data); err == nil {
		return nil
	}
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	program, err := e.host.find(installProgram)
	if err != nil {
		return fmt.Errorf("%s: %w", installProgram, err)
	}
	args := []string{ // a temporary folder of its own: a MariaDB that starts removes the temporary tables of all that share one
		"--no-defaults", "--datadir=" + fresh, "--tmpdir=" + filepath.Join(e.folder, "tmp"), "--auth-root-authentication-method=socket", "--auth-root-socket-user=" + e.host.account, "--skip-test-db",
		"--skip-name-resolve", "--innodb-log-file-size=" + redoLog,
	}
	cmd := exec.CommandContext(ctx, program, append(args, asRoot()...)...)
	cmd.Env, cmd.WaitDelay = proc.BaseEnv(), 2*time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", installProgram, err, clip(strings.TrimSpace(string(out))))
	}
	return os.Rename(fresh, data)
}

// redoLog is the size of the transaction log, which counts as storage.
const redoLog = "32M"

// asRoot lets MariaDB run as root where the platform does: its folder is open to no other user.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// command is one start of the server.
func (e *engine) command(context.Context) (proc.Command, error) {
	program, err := e.host.find(serverProgram)
	if err != nil {
		return proc.Command{}, err
	}
	if err := os.Remove(e.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return proc.Command{}, err
	}
	d := e.wanted()
	in := func(name string) string { return filepath.Join(e.folder, name) }
	args := []string{
		"--no-defaults", "--datadir=" + in("data"), "--tmpdir=" + in("tmp"), "--secure-file-priv=" + in("files"), "--plugin-dir=" + in("plugins"), "--pid-file=" + in("run/pid"),
		"--socket=" + e.socket(), "--skip-networking", "--proxy-protocol-networks=localhost", "--skip-name-resolve", "--max-connect-errors=4294967295",
		"--lower-case-table-names=1", "--local-infile=0", "--skip-symbolic-links", "--log-warnings=2", "--innodb-log-file-size=" + redoLog,
		"--innodb-buffer-pool-size=" + strconv.FormatInt(bufferPool(d.limits), 10), "--max-connections=" + strconv.Itoa(d.limits.Connections+ownConnections),
		"--slow-query-log-file=" + in("logs/"+d.slowLog()),
	}
	return proc.Command{Path: program, Args: append(args, asRoot()...), Env: proc.BaseEnv(), Dir: in("data")}, nil
}

func (d *desired) slowLog() string { return "mysql-slow-" + d.server.Name + ".log" }

func (d *desired) errorLog() string { return "mysql-error-" + d.server.Name + ".log" }

// bufferPool is half of the SKU's memory, and no more than a quarter of the machine's.
func bufferPool(l Limits) int64 {
	n := l.MemoryBytes / 2
	if m := machineMemory(); m > 0 {
		n = min(n, m/4)
	}
	return max(n>>20, 64) << 20
}

// keep runs the child and makes it what it is to be, until ctx ends.
func (e *engine) keep(ctx context.Context) {
	out, err := proc.OpenLog(filepath.Join(e.host.logs(e.guid), e.wanted().errorLog()), 0)
	if err != nil {
		e.set(func(s *status) { s.Failed, s.Problem = true, "The server's log can't be written." })
		return
	}
	defer out.Close()
	spec := proc.Spec{Command: e.command, Output: out, Grace: 20 * time.Second, Changed: e.changed}
	child := proc.Start(ctx, spec)
	defer func() { child.Stop() }()
	sample := time.NewTicker(e.host.every)
	defer sample.Stop()
	var waiting []chan error // for a restart to be done
	for ctx.Err() == nil {
		pause := time.Hour
		if !e.applied {
			if pause = 200 * time.Millisecond; e.tryApply(ctx) {
				for _, w := range waiting {
					w <- nil
				}
				waiting, pause = nil, time.Hour
			}
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-e.poked:
			if e.applied = false; e.hasEnded() {
				e.sample(ctx)
			}
		case w := <-e.again:
			e.applied, waiting = false, append(waiting, w)
			e.set(func(s *status) { s.Ready = false })
			child.Stop()
			child = proc.Start(ctx, spec)
		case <-sample.C:
			e.sample(ctx)
		}
		t.Stop()
	}
}

// changed hears of the child's states.
func (e *engine) changed(s proc.Status) {
	e.mu.Lock()
	e.pid = s.PID
	if s.State == proc.Running {
		e.starts++
		e.st.Held, e.st.NotHeld = e.host.groups.hold(e.guid, s.PID, e.desired.limits, e.folder)
	}
	if s.State == proc.BackOff {
		e.st.Ready, e.ended = false, true
		e.st.Problem = "The server ended: " + s.LastExit + "."
		e.st.Failed = e.starts >= failedStarts
	}
	e.mu.Unlock()
	e.poke()
}

// hasEnded tells once of each end of the child.
func (e *engine) hasEnded() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	ended := e.ended
	e.ended = false
	return ended
}

func (e *engine) restart(ctx context.Context) error {
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	select {
	case e.again <- done:
	case <-ctx.Done():
		return errNotRunning()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errNotRunning()
	}
}
