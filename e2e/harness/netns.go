package harness

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace of the test's own, with loopback up. A nil one is the test process's.
type Namespace struct{ name string }

// The names of namespaces say which process made them, so that a later one can clear away what a killed one left.
const (
	namespaces      = "/run/netns"
	namespacePrefix = "bulkhead-e2e-"
)

// NewNamespace makes a network namespace that goes with the test. Where the system does not let the test make one, the test is skipped.
func NewNamespace(t testing.TB, role string) *Namespace {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces with addresses need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("network namespaces are made with ip, of iproute2: ", err)
	}
	sweepNamespaces()
	n := &Namespace{fmt.Sprintf("%s%d-%s", namespacePrefix, os.Getpid(), role)}
	if out, err := exec.Command("ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		t.Skipf("this system allows no network namespace: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", n.name).CombinedOutput(); err != nil {
			t.Errorf("delete the namespace %s: %v %s", n.name, err, out)
		}
	})
	n.ip(t, "link", "set", "lo", "up")
	return n
}

// sweepNamespaces deletes those of processes that are no more.
func sweepNamespaces() {
	entries, _ := os.ReadDir(namespaces)
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), namespacePrefix)
		pid, _, _ := strings.Cut(rest, "-")
		id, err := strconv.Atoi(pid)
		if ok && err == nil && syscall.Kill(id, 0) == syscall.ESRCH {
			_ = exec.Command("ip", "netns", "delete", e.Name()).Run()
		}
	}
}

func (n *Namespace) ip(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", append([]string{"-n", n.name}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s in %s: %v %s", strings.Join(args, " "), n.name, err, out)
	}
}

// Join connects two namespaces by a pair of interfaces with these addresses ("10.213.1.1/24"). The pair goes with either.
func (n *Namespace) Join(t testing.TB, own string, other *Namespace, theirs string) {
	t.Helper()
	near, far := other.name[len(namespacePrefix):], "hub0"
	if len(near) > 15 { // what the kernel allows
		near = near[len(near)-15:]
	}
	if out, err := exec.Command("ip", "-n", n.name, "link", "add", near, "type", "veth", "peer", "name", far, "netns", other.name).CombinedOutput(); err != nil {
		t.Skipf("this system makes no pairs of interfaces: %v %s", err, out)
	}
	n.ip(t, "address", "add", own, "dev", near)
	n.ip(t, "link", "set", near, "up")
	other.ip(t, "address", "add", theirs, "dev", far)
	other.ip(t, "link", "set", far, "up")
	host, _, _ := strings.Cut(own, "/")
	other.ip(t, "route", "add", "default", "via", host)
}

// Command is a command that runs in the namespace.
func (n *Namespace) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.name, name}, args...)...)
}

// Client is an HTTP client inside the namespace, to which every name is at host. It keeps no connections.
func (n *Namespace) Client(host string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: n.to(host), DisableKeepAlives: true}}
}

// to makes a dialer that goes from inside the namespace to host, whatever the name and at whatever port it is asked: resolvers differ in whether they know *.localhost.
func (n *Namespace) to(host string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		addr = net.JoinHostPort(host, port)
		var d net.Dialer
		if n == nil {
			return d.DialContext(ctx, network, addr)
		}
		return n.dial(ctx, &d, network, addr)
	}
}

// dial makes the socket on a thread that is in the namespace. The thread ends with the goroutine: it can't be lent to others again.
func (n *Namespace) dial(ctx context.Context, d *net.Dialer, network, addr string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		f, err := os.Open(filepath.Join(namespaces, n.name))
		if err != nil {
			done <- result{nil, err}
			return
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, err}
			return
		}
		c, err := d.DialContext(ctx, network, addr)
		done <- result{c, err}
	}()
	r := <-done
	return r.conn, r.err
}
