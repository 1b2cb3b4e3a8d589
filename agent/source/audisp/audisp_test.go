package audisp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bulkheadhq/bulkhead/agent/activity"
	"github.com/bulkheadhq/bulkhead/agent/source"
)

type sink struct {
	mu    sync.Mutex
	lines []string
	lost  map[string]uint64
}

func (s *sink) Event(_ string, e *activity.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(e.Op) == "lost" {
		if s.lost == nil {
			s.lost = map[string]uint64{}
		}
		s.lost[string(e.Subject)] += e.Lost
		return
	}
	s.lines = append(s.lines, string(e.Node)+" "+string(e.Command.Line))
}

func (s *sink) Mark(string, []byte) error { return nil }

func (s *sink) until(t *testing.T, n int) []string {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		lines := append([]string(nil), s.lines...)
		s.mu.Unlock()
		if len(lines) >= n {
			return lines
		}
	}
	t.Fatalf("fewer than %d events came", n)
	return nil
}

func record(serial int, node, name string) string {
	stamp := fmt.Sprintf("msg=audit(1700000000.000:%d): ", serial)
	prefix := ""
	if node != "" {
		prefix = "node=" + node + " "
	}
	return prefix + "type=SYSCALL " + stamp + `arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=7 auid=0 uid=0 ses=2 comm="x" exe="/usr/bin/x"` + "\n" +
		prefix + "type=EXECVE " + stamp + `argc=1 a0="` + name + `"` + "\n" + prefix + "type=PROCTITLE " + stamp + "proctitle=78\n"
}

// folder is one whose name is short enough for a socket.
func folder(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("sockets with names are Unix's")
	}
	dir, err := os.MkdirTemp("", "audisp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func start(t *testing.T, o Options, to *sink) (s *Source, stop func() error) {
	t.Helper()
	s = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, nil, source.NewOut(s.Name(), to)) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			err = <-done
		})
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return s, stop
}

// serve is a daemon that writes to who connects first, and ends.
func serve(t *testing.T, name, text string) {
	t.Helper()
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// TestConnect: the daemon isn't there yet, comes, goes and comes again.
func TestConnect(t *testing.T) {
	name := filepath.Join(folder(t), "s")
	to := &sink{}
	s, stop := start(t, Options{Socket: name}, to)
	serve(t, name, record(1, "", "one")+record(2, "web", "two")+record(3, "", "three")[:40])
	to.until(t, 2)
	serve(t, name, record(4, "", "four")+"nonsense\n"+strings.Repeat("x", 3*maxLine)+"\n"+record(7, "", "seven"))
	if diff := cmp.Diff([]string{" one", "web two", " four", " seven"}, to.until(t, 4)); diff != "" {
		t.Error(diff)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	f := s.Figures()
	if f.Malformed != 2 || f.Lost[source.InFile] != 1 || to.lost["file"] != 1 || f.Lost[source.AtSocket] == 0 || f.Lost[source.AtSocket] != to.lost["socket"] {
		t.Errorf("figures %+v, told of lost: %v", f, to.lost)
	}
}

// TestListen: the other way round; the socket is nobody else's, and gone afterwards.
func TestListen(t *testing.T) {
	name := filepath.Join(folder(t), "s")
	to := &sink{}
	_, stop := start(t, Options{Socket: name, Listen: true}, to)
	for i, text := range []string{record(1, "", "one"), record(2, "", "two")} {
		var c net.Conn
		var err error
		for range 500 {
			if c, err = net.Dial("unix", name); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		c.Close()
		to.until(t, i+1)
	}
	second := New(Options{Socket: name, Listen: true})
	if err := second.Run(t.Context(), nil, source.NewOut(second.Name(), &sink{})); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second one: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// TestListen_Stale: a socket that a crash left is taken over; a file that is none is left alone.
func TestListen_Stale(t *testing.T) {
	dir := folder(t)
	name := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	_, stop := start(t, Options{Socket: name, Listen: true}, &sink{})
	time.Sleep(100 * time.Millisecond)
	if err := stop(); err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Socket: file, Listen: true})
	if err := s.Run(t.Context(), nil, source.NewOut(s.Name(), &sink{})); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(file); string(b) != "mine" {
		t.Error("the file was changed")
	}
}

// TestBinary: the plugin's other format is told by name.
func TestBinary(t *testing.T) {
	name := filepath.Join(folder(t), "s")
	s := New(Options{Socket: name})
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context(), nil, source.NewOut(s.Name(), &sink{})) }()
	serve(t, name, "\x00\x00\x00\x00\x10\x00\x00\x00\x14\x05\x00\x00\x20\x00\x00\x00audit(1.000:1): x\n")
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), `"string"`) {
			t.Errorf("got %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("it went on")
	}
}

// TestSlowSink: the daemon is never kept waiting.
func TestSlowSink(t *testing.T) {
	name := filepath.Join(folder(t), "s")
	to := &sink{}
	to.mu.Lock()
	s, stop := start(t, Options{Socket: name, Buffer: minBuffer}, to)
	var text strings.Builder
	const events = 4000
	for i := range events {
		text.WriteString(record(i+1, "", "x"))
	}
	begun := time.Now()
	serve(t, name, text.String()) // returns only if all was taken
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the daemon waited %s", took)
	}
	time.Sleep(100 * time.Millisecond)
	to.mu.Unlock()
	if err := stop(); err != nil {
		t.Error(err)
	}
	f := s.Figures()
	if f.Lost[source.InBuffer] == 0 || to.lost["buffer"] != f.Lost[source.InBuffer] || len(to.lines) == 0 || f.Records+f.Lost[source.InBuffer] != 3*events {
		t.Errorf("%d events came; figures %+v; told of lost: %v", len(to.lines), f, to.lost)
	}
}
