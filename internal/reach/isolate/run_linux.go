package isolate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"github.com/bulkheadhq/bulkhead/internal/proc"
	"golang.org/x/sys/unix"
)

// order is what the process inside is told. The command is in its arguments, the environment its own.
type order struct {
	Binds  []bind
	Listen []string // host:port by TCP; a socket for each is passed out, and behind them the resolver's
}

// report is what the process inside answers: once with the sockets, once when the command runs.
type report struct {
	Step  string `json:",omitempty"` // what failed
	Error string `json:",omitempty"`
	Setup bool   `json:",omitempty"` // it failed before the command's start
}

// Run runs the command to its end and returns its exit code, 128 + n for one ended by signal n. The error tells why it did not run; it is a *Refused
// when the system does not allow namespaces.
func Run(o Options) (int, error) {
	dir, err := os.MkdirTemp("", "bulkhead-isolate-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binds, err := prepare(dir, o.Hosts, o.Bundle)
	if err != nil {
		return 0, err
	}
	addresses, targets := listeners(o.Hosts.Port)
	// The kernel sends the death signal when the thread that started the process ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	in, err := enter(o)
	if err != nil {
		return 0, err
	}
	defer in.close()
	files, err := in.setUp(order{binds, addresses})
	if err != nil {
		return 0, err
	}
	os.RemoveAll(dir) // what is mounted stays

	var once sync.Once
	relay := newRelay(o.Proxy, o.Credential, func(err error) {
		if o.Failed != nil {
			once.Do(func() { o.Failed(err) })
		}
	})
	stop, err := serve(files, targets, relay, names{o.Hosts})
	if err != nil {
		return 0, err
	}
	defer stop()
	signals := make(chan os.Signal, 8) // caught before the command runs: none may end us and leave it unasked
	signal.Notify(signals, proc.Passed()...)
	defer signal.Stop(signals)
	if err := in.begin(); err != nil {
		return 0, err
	}
	return in.wait(signals)
}

// listeners are the addresses inside, and what the proxy is asked for at each; port is the front door's own.
func listeners(port int) (addresses, targets []string) {
	addresses = []string{"127.0.0.1:443", "127.0.0.1:80", metadataAddress + ":80"}
	targets = []string{doorTarget, siteTarget, machineTarget}
	if port != 0 && port != 443 && port != 80 {
		addresses, targets = append(addresses, net.JoinHostPort("127.0.0.1", strconv.Itoa(port))), append(targets, doorTarget)
	}
	return addresses, targets
}

// serve answers on the sockets from inside: one for each target, and the resolver's.
func serve(files []*os.File, targets []string, r *relay, n names) (stop func(), err error) {
	var closers []func() error
	var serving sync.WaitGroup
	stop = func() {
		for _, c := range closers {
			c()
		}
		serving.Wait()
		r.close()
	}
	last := len(targets)
	if len(files) != last+1 {
		return nil, fmt.Errorf("the process inside passed %d sockets, want %d", len(files), last+1)
	}
	for i, f := range files[:last] {
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			stop()
			return nil, err
		}
		closers = append(closers, l.Close)
		serving.Go(func() { r.serve(l, targets[i]) })
	}
	c, err := net.FilePacketConn(files[last])
	files[last].Close()
	if err != nil {
		stop()
		return nil, err
	}
	closers = append(closers, c.Close)
	serving.Go(func() { n.serve(c) })
	return stop, nil
}

// inner is the first process inside, seen from outside.
type inner struct {
	cmd  *exec.Cmd
	conn *net.UnixConn
	done bool // waited for
}

// enter starts the first process inside. Root needs no user namespace, and would lose its power over other users' files in one.
func enter(o Options) (*inner, error) {
	if os.Geteuid() == 0 {
		in, err := start(o, false)
		if !errors.Is(err, fs.ErrPermission) {
			return in, err
		}
		// Root of a container without the capability: as any user.
	}
	return start(o, true)
}

func start(o Options, userNamespace bool) (*inner, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "outside"), os.NewFile(uintptr(fds[1]), "inside")
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, err
	}
	argv := append(append([]string(nil), o.Inside...), o.Command...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Env, o.Stdin, o.Stdout, o.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = attributes(userNamespace)
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, refusal(err)
	}
	return &inner{cmd: cmd, conn: conn.(*net.UnixConn)}, nil
}

// refusal tells the kernel's refusal to make namespaces from other failures of a program's start.
func refusal(err error) error {
	for _, e := range []error{unix.EPERM, unix.ENOSPC, unix.EUSERS, unix.EINVAL, unix.ENOSYS} {
		if errors.Is(err, e) {
			return &Refused{e}
		}
	}
	return err
}

func attributes(userNamespace bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if userNamespace {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
		a.GidMappingsEnableSetgroups = false
		if os.Geteuid() != 0 { // else they survive the start of a program by themselves
			a.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN, unix.CAP_NET_BIND_SERVICE}
		}
	}
	return a
}

// setUp has the namespace furnished and returns its sockets.
func (in *inner) setUp(o order) ([]*os.File, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	if _, err := in.conn.Write(b); err != nil {
		return nil, fmt.Errorf("the process inside: %w", err)
	}
	return in.read()
}

// begin lets the command run, and returns why it could not.
func (in *inner) begin() error {
	if _, err := in.conn.Write([]byte{0}); err != nil {
		return fmt.Errorf("the process inside: %w", err)
	}
	_, err := in.read()
	return err
}

// read takes one report, with the sockets that came along.
func (in *inner) read() ([]*os.File, error) {
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*16))
	n, oobn, _, _, err := in.conn.ReadMsgUnix(buf, oob)
	if err == nil && n == 0 {
		err = errors.New("it ended")
	}
	if err != nil {
		return nil, fmt.Errorf("the process inside did not come up: %w", err)
	}
	var r report
	if err := json.Unmarshal(buf[:n], &r); err != nil {
		return nil, fmt.Errorf("the process inside: %w", err)
	}
	if r.Error != "" {
		err := fmt.Errorf("%s: %s", r.Step, r.Error)
		if r.Setup {
			return nil, &Refused{err}
		}
		return nil, err
	}
	return receivedFiles(oob[:oobn])
}

func receivedFiles(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "inside"))
		}
	}
	return files, nil
}

// wait passes signals on until the command ended.
func (in *inner) wait(signals <-chan os.Signal) (int, error) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case s := <-signals:
				_, _ = in.conn.Write([]byte{byte(s.(syscall.Signal))})
			case <-done:
				return
			}
		}
	}()
	in.done = true
	err := in.cmd.Wait()
	if in.cmd.ProcessState == nil {
		return 0, err
	}
	if ws, ok := in.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return in.cmd.ProcessState.ExitCode(), nil
}

// close ends what is left of it.
func (in *inner) close() {
	in.conn.Close()
	if !in.done {
		_ = in.cmd.Process.Kill()
		_ = in.cmd.Wait()
	}
}

// Probe tells whether this user may make the namespaces here: nil, or a *Refused. inside is what Options.Inside is.
func Probe(inside []string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	in, err := enter(Options{Inside: inside, Command: []string{"true"}})
	if err != nil {
		return err
	}
	defer in.close()
	_, err = in.setUp(order{Listen: []string{"127.0.0.1:443"}})
	return err
}
