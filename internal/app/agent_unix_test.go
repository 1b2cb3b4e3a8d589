//go:build unix

package app

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/agent/batch"
	"github.com/bulkheadhq/bulkhead/agent/replay"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// program is a child process of the built binary that is to be killed and started again.
type program struct {
	t    *testing.T
	bin  string
	args []string
	log  *os.File

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

func newProgram(t *testing.T, bin, log string, args ...string) *program {
	t.Helper()
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, bin: bin, args: args, log: f}
	t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		f.Close()
		if b, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("end of %s:\n%s", log, b[max(0, len(b)-6000):])
		}
	})
	return p
}

func (p *program) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = exec.Command(p.bin, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Error(err)
		p.cmd = nil
		return
	}
	p.done = make(chan struct{})
	go func(c *exec.Cmd, done chan struct{}) { _ = c.Wait(); close(done) }(p.cmd, p.done)
}

// end ends the process by a signal and waits for it.
func (p *program) end(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(s)
	<-p.done
	p.cmd = nil
}

// wireBetween forwards connections until it is cut.
type wireBetween struct {
	to string
	l  net.Listener

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]bool
}

func newWire(t *testing.T, to string) *wireBetween {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wireBetween{to: to, l: l, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); w.cut(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.forward(c)
		}
	}()
	return w
}

func (w *wireBetween) forward(c net.Conn) {
	defer c.Close()
	out, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer out.Close()
	w.mu.Lock()
	if w.isCut {
		w.mu.Unlock()
		return
	}
	w.conns[c], w.conns[out] = true, true
	w.mu.Unlock()
	go func() { _, _ = io.Copy(out, c); out.Close() }()
	_, _ = io.Copy(c, out)
	w.mu.Lock()
	delete(w.conns, c)
	delete(w.conns, out)
	w.mu.Unlock()
}

// cut drops all connections, and lets none through until it is mended.
func (w *wireBetween) cut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut = cut; cut {
		for c := range w.conns {
			c.Close()
		}
		clear(w.conns)
	}
}

// storm appends to an audit.log what a busy machine would, each command line with a number of its own, until it is told that it is enough. It tells how many there are.
func storm(t *testing.T, name string, enough <-chan struct{}) (events int) {
	f, err := os.Create(name)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer f.Close()
	const least = 3000
	written := 0
	log := &replay.Log{Now: time.Now().Add(-time.Hour)}
	p := replay.Process{Parent: 1, AUID: 1000, UID: 1000, Session: 2, Dir: "/srv"}
	for over := false; !over || events < least; {
		for range 20 {
			p.PID = log.PID()
			log.Exec(p, "/bin/true", []string{"true", fmt.Sprint("marker-", events)})
			events++
		}
		text := log.Audit()
		if _, err := f.WriteString(text[written:]); err != nil {
			t.Error(err)
			return events
		}
		written = len(text)
		select {
		case <-enough:
			over = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	return events
}

// TestAgent_EachEventOnce: while a machine is busy, its platform is killed, its network cut and its agent killed, again and again. Each event reaches the platform once, in order.
func TestAgent_EachEventOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "bulkhead")
	build := exec.Command("go", "build", "-o", bin, "../../cmd/bulkhead")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	data, state, auditLog := filepath.Join(dir, "data"), filepath.Join(dir, "agent"), filepath.Join(dir, "audit.log")
	front := freeAddress(t)
	platform := newProgram(t, bin, filepath.Join(dir, "platform.log"), "up", "--data", data, "--listen", front, "--proxy", "127.0.0.1:0", "--identity", "127.0.0.1:0", "--log-level", "warn")
	platform.start()
	waitFor(t, front)
	do := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		c := exec.Command(bin, args...)
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Run(); err != nil {
			t.Fatalf("%v: %v\n%s%s", args, err, out.String(), errs.String())
		}
		return strings.TrimSpace(out.String())
	}
	run, err := ReadRun(data)
	for n := 0; err != nil && n < 500; n++ { // it is written once all listen
		time.Sleep(20 * time.Millisecond)
		run, err = ReadRun(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	group := "subscriptions/" + run.SubscriptionID + "/resourceGroups/rg1?api-version=2021-04-01"
	do("armclient", "--data", data, "PUT", group, "{'location':'westeurope'}")
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(adminToken(t, do, data)), 0o600); err != nil {
		t.Fatal(err)
	}
	between := newWire(t, front)
	said := do("agent", "enrol", "--state", state, "--resource-group", "rg1", "--name", "m1", "--platform", between.l.Addr().String(), "--ca", run.Root, "--subscription", run.SubscriptionID, "--token-file", token)
	if !strings.Contains(said, "/providers/Microsoft.HybridCompute/machines/m1") {
		t.Fatalf("enrol said %s", said)
	}
	agent := newProgram(t, bin, filepath.Join(dir, "agent.log"), "agent", "--state", state, "--audit-log", auditLog, "--from-start", "--inventory=false")
	agent.start()

	enough, written := make(chan struct{}), make(chan int, 1)
	go func() { written <- storm(t, auditLog, enough) }()
	for round := range 6 {
		time.Sleep(500 * time.Millisecond)
		switch round % 3 {
		case 0:
			agent.end(syscall.SIGKILL)
			agent.start()
		case 1:
			between.cut(true)
			time.Sleep(400 * time.Millisecond)
			between.cut(false)
		default:
			platform.end(syscall.SIGKILL)
			time.Sleep(200 * time.Millisecond)
			platform.start()
			waitFor(t, front)
		}
	}
	close(enough)
	total := <-written
	// What is left arrives: looked at by reading the platform's own store, between its runs.
	var got []string
	for deadline := time.Now().Add(2 * time.Minute); ; {
		waitFor(t, front)
		time.Sleep(3 * time.Second)
		agent.end(syscall.SIGTERM)
		platform.end(syscall.SIGTERM)
		if got = arrived(t, data); len(got) >= total || time.Now().After(deadline) {
			break
		}
		platform.start()
		agent.start()
	}
	if len(got) != total {
		t.Errorf("%d events arrived, of %d", len(got), total)
	}
	for i, line := range got {
		if want := fmt.Sprint("true marker-", i); line != want {
			t.Fatalf("event %d is %q, want %q", i, line, want)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitFor waits until somebody listens.
func waitFor(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the platform doesn't come up: ", err)
		}
	}
}

// adminToken is a token of the administrator's, as another host would be given it.
func adminToken(t *testing.T, do func(...string) string, data string) string {
	t.Helper()
	out := do("armclient", "--data", data, "token", "https://management.azure.com/")
	for _, word := range strings.FieldsFunc(out, func(r rune) bool { return strings.ContainsRune(" \n\t\",", r) }) {
		if strings.HasPrefix(word, "eyJ") {
			return word
		}
	}
	t.Fatalf("no token in %s", out)
	return ""
}

// arrived are the command lines in the batches that the platform keeps of its only machine, whose numbers must go on without a gap.
func arrived(t *testing.T, data string) (lines []string) {
	t.Helper()
	cfg := Defaults()
	cfg.Data = data
	p, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler), Addresses{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	shards, err := p.store.Shards(t.Context(), "machine/", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(shards) > 1 {
		t.Fatalf("machines: %v", shards)
	}
	for _, shard := range shards {
		var packed [][]byte
		err := p.store.View(t.Context(), shard, func(s store.Snapshot) error {
			return s.Scan(store.Prefix([]byte("B|")), func(k, v []byte) bool {
				if n := binary.BigEndian.Uint64(k[2:]); n != uint64(len(packed))+1 {
					t.Errorf("batch %d is followed by %d", len(packed), n)
				}
				packed = append(packed, bytes.Clone(v[bytes.Index(v, []byte("BHB")):]))
				return true
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range packed {
			b, err := batch.Decode(one)
			if err != nil {
				t.Fatal(err)
			}
			if b.Counters.Any() {
				t.Errorf("something is told lost: %+v", b.Counters)
			}
			for _, e := range b.Events {
				if e.Lost > 0 {
					text, _ := json.Marshal(e)
					t.Errorf("something is told lost: %s", text)
				}
				if len(e.Command.Line) > 0 {
					lines = append(lines, string(e.Command.Line))
				}
			}
		}
	}
	return lines
}
