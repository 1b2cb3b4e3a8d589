package isolate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	controlFD       = 3 // the socket to the parent
	metadataAddress = "169.254.169.254"
)

// Inside is the first process of the namespaces: it furnishes them, passes the sockets out, runs the command and stays until that has ended. It returns the
// exit code. Only Run starts it, with a socket as file 3.
func Inside(command []string) int {
	runtime.LockOSThread() // capabilities are the thread's; the command is started from this one
	conn, err := control()
	if err != nil || len(command) == 0 {
		fmt.Fprintln(os.Stderr, "bulkhead: this command is for bulkhead exec --isolate alone")
		return 2
	}
	p := &first{conn: conn}
	caught := make(chan os.Signal, 8) // what the keyboard sends reaches the command itself
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) {
			signal.Notify(caught, s)
		}
	}
	go func() {
		for range caught {
		}
	}()
	if step, err := p.furnish(); err != nil {
		p.report(report{step, err.Error(), true}, nil)
		return 1
	}
	if n, err := conn.Read(make([]byte, 1)); err != nil || n == 0 {
		return 1
	}
	pid, err := p.start(command)
	if err != nil {
		p.report(report{Step: "start", Error: err.Error()}, nil)
		return 1
	}
	p.report(report{}, nil)
	go p.obey(pid)
	return reap(pid)
}

type first struct{ conn *net.UnixConn }

func control() (*net.UnixConn, error) {
	f := os.NewFile(controlFD, "outside")
	if f == nil {
		return nil, os.ErrInvalid
	}
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, os.ErrInvalid
	}
	return u, nil
}

func (p *first) report(r report, fds []int) {
	b, _ := json.Marshal(r)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_, _, _ = p.conn.WriteMsgUnix(b, oob, nil)
}

// furnish does as ordered. step says what failed.
func (p *first) furnish() (step string, err error) {
	buf := make([]byte, 64<<10)
	n, err := p.conn.Read(buf)
	if err != nil {
		return "order", err
	}
	var o order
	if err := json.Unmarshal(buf[:n], &o); err != nil {
		return "order", err
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return "mount namespace", err
	}
	// Where it is refused (a container that hides parts of /proc), the outer one stays: process numbers differ then, nothing else.
	_ = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	for _, b := range o.Binds {
		if err := unix.Mount(b.Source, b.Target, "", unix.MS_BIND, ""); err != nil {
			return "mount over " + b.Target, err
		}
	}
	if err := addresses(); err != nil {
		return "loopback addresses", err
	}
	fds, closeAll, err := listen(o.Listen)
	if err != nil {
		return "listen inside", err
	}
	defer closeAll()
	p.report(report{}, fds)
	return "", nil
}

// addresses brings loopback up and gives it the metadata service's address.
func addresses() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, lo); err != nil {
		return err
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err != nil {
		return err
	}
	alias, err := unix.NewIfreq("lo:1")
	if err != nil {
		return err
	}
	if err := alias.SetInet4Addr(net.ParseIP(metadataAddress).To4()); err != nil {
		return err
	}
	return unix.IoctlIfreq(s, unix.SIOCSIFADDR, alias)
}

// listen opens the sockets in the order serve expects them: those told, then the resolver's.
func listen(addresses []string) (fds []int, closeAll func(), err error) {
	var files []*os.File
	closeAll = func() {
		for _, f := range files {
			f.Close()
		}
	}
	add := func(f *os.File, err error) error {
		if err == nil {
			files = append(files, f)
		}
		return err
	}
	for _, a := range addresses {
		l, e := net.Listen("tcp4", a)
		if e != nil {
			closeAll()
			return nil, nil, e
		}
		err = errors.Join(err, add(l.(*net.TCPListener).File()), l.Close())
	}
	c, e := net.ListenPacket("udp4", "127.0.0.1:53")
	if e != nil {
		closeAll()
		return nil, nil, e
	}
	if err = errors.Join(err, add(c.(*net.UDPConn).File()), c.Close()); err != nil {
		closeAll()
		return nil, nil, err
	}
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	return fds, closeAll, nil
}

// start runs the command with what its user may do outside and nothing more.
func (p *first) start(command []string) (pid int, err error) {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return 0, fmt.Errorf("drop capabilities: %w", err)
	}
	if os.Geteuid() != 0 { // a program with file capabilities must not gain them in here
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return 0, fmt.Errorf("no new privileges: %w", err)
		}
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return 0, err
	}
	child, err := os.StartProcess(path, command, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Env: os.Environ()})
	if err != nil {
		return 0, err
	}
	return child.Pid, nil
}

// obey sends the command the signals the parent asks for. When the parent is gone, so is everything here.
func (p *first) obey(pid int) {
	buf := make([]byte, 1)
	for {
		n, err := p.conn.Read(buf)
		if err != nil || n == 0 {
			os.Exit(128 + int(syscall.SIGKILL))
		}
		_ = unix.Kill(pid, syscall.Signal(buf[0]))
	}
}

// reap waits for every process here, as process 1 must, until the command has ended, and returns its exit code.
func reap(pid int) int {
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 1
		case got != pid:
		case ws.Signaled():
			return 128 + int(ws.Signal())
		default:
			return ws.ExitStatus()
		}
	}
}
